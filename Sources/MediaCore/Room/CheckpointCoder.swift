// How values become the bytes of a checkpoint and are read again: integers of variable length (seven bits a byte, the lowest
// first; signed ones folded so that small ones are short), lists behind their count. One description of a value's fields serves
// both ways. Reading is total. Knows no type of the core.

/// A direction of coding: what writes leaves values as they are, what reads replaces them.
protocol CheckpointCoder {
    /// Codes a number that is at most `limit`.
    mutating func unsigned(_ value: UInt64, limit: UInt64) throws(CheckpointError) -> UInt64
    /// Demands something of values read.
    mutating func require(_ condition: Bool) throws(CheckpointError)
    /// Demands that so much memory may be taken.
    mutating func take(memory: Int) throws(CheckpointError)
}

/// A value whose fields are coded one after another.
protocol CheckpointField {
    /// Codes every field; the ranges that are demanded make sure that nothing overflows later.
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError)
}

extension CheckpointCoder {
    mutating func code<T: FixedWidthInteger & UnsignedInteger>(_ value: inout T) throws(CheckpointError) {
        value = T(truncatingIfNeeded: try unsigned(UInt64(truncatingIfNeeded: value), limit: UInt64(T.max)))
    }

    /// Any signed number.
    mutating func code(_ value: inout Int64) throws(CheckpointError) {
        let folded = UInt64(bitPattern: value &<< 1) ^ UInt64(bitPattern: value &>> 63)
        let read = try unsigned(folded, limit: .max)
        value = Int64(bitPattern: read &>> 1) ^ (0 &- Int64(bitPattern: read & 1))
    }

    mutating func code<T: FixedWidthInteger & SignedInteger>(
        _ value: inout T, _ range: ClosedRange<Int64>
    ) throws(CheckpointError) {
        var wide = Int64(truncatingIfNeeded: value)
        try code(&wide)
        try require(range.contains(wide))
        value = T(truncatingIfNeeded: wide)
    }

    /// A counter or an extended number.
    mutating func number(_ value: inout Int64) throws(CheckpointError) {
        try code(&value, -CheckpointLimit.number...CheckpointLimit.number)
    }

    /// A count from zero to a limit.
    mutating func count(_ value: inout Int, _ limit: Int) throws(CheckpointError) {
        value = Int(
            truncatingIfNeeded: try unsigned(
                UInt64(truncatingIfNeeded: value), limit: UInt64(truncatingIfNeeded: max(limit, 0))))
    }

    /// The number of a row, or -1.
    mutating func row(_ value: inout Int32) throws(CheckpointError) {
        value = Int32(
            truncatingIfNeeded: Int64(
                truncatingIfNeeded: try unsigned(
                    UInt64(truncatingIfNeeded: Int64(value) &+ 1), limit: UInt64(CheckpointLimit.rows))) &- 1)
    }

    mutating func code(_ value: inout Bool) throws(CheckpointError) {
        value = try unsigned(value ? 1 : 0, limit: 1) == 1
    }

    mutating func code(_ value: inout Timestamp) throws(CheckpointError) {
        try code(&value.nanoseconds, -CheckpointLimit.moment...CheckpointLimit.moment)
    }

    mutating func code(_ value: inout TimeDelta) throws(CheckpointError) {
        try code(&value.nanoseconds, -CheckpointLimit.moment...CheckpointLimit.moment)
    }

    mutating func code<T: CheckpointField>(_ value: inout T) throws(CheckpointError) { try value.code(&self) }

    /// A value of an enumeration by its number.
    mutating func code<T: RawRepresentable>(_ value: inout T) throws(CheckpointError) where T.RawValue == UInt8 {
        let number = UInt8(truncatingIfNeeded: try unsigned(UInt64(value.rawValue), limit: 255))
        let found = T(rawValue: number)
        try require(found != nil)
        if let found { value = found }
    }

    /// Something that may be nil; `empty` is any value.
    mutating func optional<T>(
        _ value: inout T?, _ empty: T, _ body: (inout Self, inout T) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        var isThere = value != nil
        try code(&isThere)
        guard isThere else {
            value = nil
            return
        }
        var present = value ?? empty
        try body(&self, &present)
        value = present
    }

    mutating func code(_ value: inout Timestamp?) throws(CheckpointError) {
        try optional(&value, Timestamp(nanoseconds: 0)) { c, v throws(CheckpointError) in try c.code(&v) }
    }

    mutating func code(_ value: inout TimeDelta?) throws(CheckpointError) {
        try optional(&value, .zero) { c, v throws(CheckpointError) in try c.code(&v) }
    }

    mutating func code<T: FixedWidthInteger & UnsignedInteger>(_ value: inout T?) throws(CheckpointError) {
        try optional(&value, 0) { c, v throws(CheckpointError) in try c.code(&v) }
    }

    /// A list of at most `limit` elements; `empty` is any element.
    mutating func list<T>(
        _ value: inout [T], _ limit: Int, _ empty: T, _ body: (inout Self, inout T) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        var count = value.count
        try self.count(&count, limit)
        try take(memory: count &* MemoryLayout<T>.stride)
        if count != value.count {
            value.removeAll(keepingCapacity: true)
            // An element takes a byte at least, so that a list cannot be longer than what is left to read.
            for _ in 0..<count {
                var element = empty
                try body(&self, &element)
                value.append(element)
            }
        } else {
            for i in 0..<count { try body(&self, &value[i]) }
        }
    }
}

/// Writes the bytes of a checkpoint.
struct CheckpointWriter: CheckpointCoder {
    private var bytes: [UInt8]
    private var position = 0

    /// A writer that takes the memory of a checkpoint, which is left empty.
    init(reusing checkpoint: inout Checkpoint) {
        bytes = []
        swap(&bytes, &checkpoint.bytes)
        if bytes.count < 4_096 { bytes += [UInt8](repeating: 0, count: 4_096 - bytes.count) }
    }

    /// The bytes written.
    consuming func finish() -> [UInt8] {
        bytes.removeLast(bytes.count - position)
        return bytes
    }

    private mutating func grow() { bytes += [UInt8](repeating: 0, count: bytes.count) }

    @inline(__always) mutating func byte(_ value: UInt8) {
        if position >= bytes.count { grow() }
        bytes[position] = value
        position &+= 1
    }

    @inline(__always) mutating func unsigned(_ value: UInt64, limit: UInt64) -> UInt64 {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
        return value
    }

    @inline(__always) mutating func require(_ condition: Bool) {}
    @inline(__always) mutating func take(memory: Int) {}

    mutating func fixed16(_ value: UInt16) {
        byte(UInt8(truncatingIfNeeded: value >> 8))
        byte(UInt8(truncatingIfNeeded: value))
    }

    mutating func fixed32(_ value: UInt32) {
        fixed16(UInt16(truncatingIfNeeded: value >> 16))
        fixed16(UInt16(truncatingIfNeeded: value))
    }

    // Values that are only looked at.
    @inline(__always) mutating func write(_ value: UInt64) { _ = unsigned(value, limit: .max) }
    @inline(__always) mutating func write(_ value: Int64) {
        write(UInt64(bitPattern: value &<< 1) ^ UInt64(bitPattern: value &>> 63))
    }
    mutating func write<T: CheckpointField>(_ value: T) {
        var copy = value
        describe { w throws(CheckpointError) in try copy.code(&w) }
    }
    mutating func write(_ value: Bool) { byte(value ? 1 : 0) }
    mutating func write(_ value: Timestamp) { write(value.nanoseconds) }
    mutating func write(_ value: Timestamp?) {
        write(value != nil)
        if let value { write(value) }
    }
    mutating func write(_ value: SSRC?) {
        write(value != nil)
        if let value { write(value) }
    }
    mutating func write(_ value: Rid?) {
        write(value != nil)
        if let value { write(value) }
    }
    mutating func write(_ value: TrackID?) {
        write(value != nil)
        if let value { write(value) }
    }
    /// Nothing that is written is refused: only what reads throws.
    private mutating func describe(_ body: (inout Self) throws(CheckpointError) -> Void) {
        do { try body(&self) } catch { assertionFailure("a writer refuses nothing") }
    }
    /// The number of a row, or -1.
    mutating func write(row: Int32) { write(UInt64(truncatingIfNeeded: Int64(row) &+ 1)) }
    mutating func write(rows: [Int32]) {
        write(UInt64(rows.count))
        for row in rows { write(row: row) }
    }
}

/// Reads the bytes of a checkpoint; whatever they are, it gives a value or an error.
struct CheckpointReader: CheckpointCoder {
    private let bytes: [UInt8]
    private(set) var position = 0
    private var memory = CheckpointLimit.memory

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func byte() throws(CheckpointError) -> UInt8 {
        guard position < bytes.count else { throw .truncated(offset: position) }
        defer { position &+= 1 }
        return bytes[position]
    }

    mutating func unsigned(_ value: UInt64, limit: UInt64) throws(CheckpointError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            // Of the tenth byte one bit is left; a longer number is none.
            guard shift < 63 || shift == 63 && next <= 1 else { throw .invalid(offset: position) }
            result |= UInt64(next & 0x7f) &<< shift
            guard next & 0x80 != 0 else { break }
            shift &+= 7
        }
        guard result <= limit else { throw .invalid(offset: position) }
        return result
    }

    mutating func require(_ condition: Bool) throws(CheckpointError) {
        guard condition else { throw .invalid(offset: position) }
    }

    mutating func take(memory amount: Int) throws(CheckpointError) {
        guard amount >= 0, amount <= memory else { throw .tooLarge }
        memory &-= amount
    }

    mutating func fixed16() -> UInt16? {
        guard bytes.count &- position >= 2 else { return nil }
        defer { position &+= 2 }
        return UInt16(bytes[position]) << 8 | UInt16(bytes[position &+ 1])
    }

    mutating func fixed32() -> UInt32? {
        guard let high = fixed16(), let low = fixed16() else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    // Values that are there only once they are read.
    mutating func readBool() throws(CheckpointError) -> Bool { try unsigned(0, limit: 1) == 1 }
    mutating func readUnsigned(_ limit: Int) throws(CheckpointError) -> Int {
        Int(truncatingIfNeeded: try unsigned(0, limit: UInt64(truncatingIfNeeded: max(limit, 0))))
    }
    mutating func readRow() throws(CheckpointError) -> Int32 {
        var row: Int32 = -1
        try self.row(&row)
        return row
    }
    mutating func readNumber() throws(CheckpointError) -> Int64 {
        var value: Int64 = 0
        try number(&value)
        return value
    }
    mutating func readSigned() throws(CheckpointError) -> Int64 {
        var value: Int64 = 0
        try code(&value)
        return value
    }
    /// An extended number, told as the difference to another one.
    mutating func readNumber(behind before: Int64) throws(CheckpointError) -> Int64 {
        let value = before &+ (try readSigned())
        try require(value >= -CheckpointLimit.number && value <= CheckpointLimit.number)
        return value
    }
    mutating func readUInt32() throws(CheckpointError) -> UInt32 {
        UInt32(truncatingIfNeeded: try unsigned(0, limit: UInt64(UInt32.max)))
    }
    mutating func readTimestamp() throws(CheckpointError) -> Timestamp {
        var value = Timestamp(nanoseconds: 0)
        try code(&value)
        return value
    }
    /// Numbers of rows, no more than there may be.
    mutating func readRows() throws(CheckpointError) -> [Int32] {
        var rows: [Int32] = []
        try list(&rows, CheckpointLimit.rows, -1) { c, row throws(CheckpointError) in try c.row(&row) }
        return rows
    }
}
