// A small hash index from 32-bit numbers to row numbers: what a Dictionary would be, without seeds that differ per
// process.

/// Finds the row number of a 32-bit key. Open addressing with linear probing; adding and removing may allocate, finding
/// does not.
struct IntegerIndex: ~Copyable {
    private var keys: [UInt32]
    private var rows: [Int32]
    private var shift: UInt32
    private(set) var count = 0

    init() {
        keys = [UInt32](repeating: 0, count: 16)
        rows = [Int32](repeating: -1, count: 16)
        shift = 28
    }

    @inline(__always) private func home(_ key: UInt32) -> Int { Int((key &* 0x9e37_79b9) >> shift) }

    /// The row of a key, or nil.
    @inline(__always) func find(_ key: UInt32) -> Int? {
        var at = home(key)
        let mask = rows.count &- 1
        while rows[at] >= 0 {
            if keys[at] == key { return Int(rows[at]) }
            at = (at &+ 1) & mask
        }
        return nil
    }

    /// Gives a key its row, in place of the one it had.
    mutating func set(_ key: UInt32, to row: Int) {
        if count * 2 >= rows.count { grow() }
        let mask = rows.count - 1
        var at = home(key)
        while rows[at] >= 0, keys[at] != key { at = (at + 1) & mask }
        if rows[at] < 0 { count += 1 }
        keys[at] = key
        rows[at] = Int32(truncatingIfNeeded: row)
    }

    /// Forgets a key.
    mutating func remove(_ key: UInt32) {
        let mask = rows.count - 1
        var hole = home(key)
        while rows[hole] >= 0, keys[hole] != key { hole = (hole + 1) & mask }
        guard rows[hole] >= 0 else { return }
        rows[hole] = -1
        count -= 1
        // Entries behind the hole move up to it unless their home lies between the hole and their place.
        var at = (hole + 1) & mask
        while rows[at] >= 0 {
            let distance = (at - home(keys[at])) & mask
            if distance >= (at - hole) & mask {
                keys[hole] = keys[at]
                rows[hole] = rows[at]
                rows[at] = -1
                hole = at
            }
            at = (at + 1) & mask
        }
    }

    private mutating func grow() {
        let oldKeys = keys
        let oldRows = rows
        keys = [UInt32](repeating: 0, count: oldRows.count * 2)
        rows = [Int32](repeating: -1, count: oldRows.count * 2)
        shift -= 1
        count = 0
        for i in 0..<oldRows.count where oldRows[i] >= 0 { set(oldKeys[i], to: Int(oldRows[i])) }
    }
}
