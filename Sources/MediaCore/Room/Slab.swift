// Storage for what `Array` cannot hold: rows that own storage, and raw packet bytes. With ByteReader and ByteWriter the
// only places of the core that touch unchecked memory; every access here checks its bounds first.

/// A table of rows that may own storage, addressed by small integers that are used again once their row is removed.
@safe struct Slab<Row: ~Copyable>: ~Copyable {
    private var rows: UnsafeMutablePointer<Row>
    private var isUsed: UnsafeMutablePointer<Bool>
    private var free: [Int32] = []
    private var capacity: Int
    /// The number of rows there are.
    private(set) var count = 0
    /// One past the highest number ever given out: what to walk over, with `contains`.
    private(set) var limit = 0

    init(capacity: Int = 8) {
        self.capacity = max(capacity, 1)
        unsafe rows = .allocate(capacity: self.capacity)
        unsafe isUsed = .allocate(capacity: self.capacity)
    }

    deinit {
        for index in 0..<limit where unsafe isUsed[index] { unsafe (rows + index).deinitialize(count: 1) }
        unsafe rows.deallocate()
        unsafe isUsed.deallocate()
    }

    /// Whether there is a row of this number.
    @inline(__always) func contains(_ index: Int) -> Bool {
        unsafe index >= 0 && index < limit && isUsed[index]
    }

    /// Adds a row and returns its number, the one freed last if any.
    mutating func insert(_ row: consuming Row) -> Int {
        let index: Int
        if let last = free.popLast() {
            index = Int(last)
        } else {
            index = extend()
        }
        unsafe (rows + index).initialize(to: row)
        unsafe isUsed[index] = true
        count += 1
        return index
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Row>.allocate(capacity: capacity * 2)
        unsafe larger.moveInitialize(from: rows, count: capacity)
        unsafe rows.deallocate()
        unsafe rows = larger
        let flags = UnsafeMutablePointer<Bool>.allocate(capacity: capacity * 2)
        unsafe flags.moveInitialize(from: isUsed, count: capacity)
        unsafe isUsed.deallocate()
        unsafe isUsed = flags
        capacity *= 2
    }

    /// Makes one more number, without a row.
    private mutating func extend() -> Int {
        let index = limit
        if index == capacity { grow() }
        unsafe (isUsed + index).initialize(to: false)
        limit += 1
        return index
    }

    /// Takes a row away; its number may be given to another.
    mutating func remove(_ index: Int) {
        precondition(contains(index), "a row that is not there cannot be removed")
        unsafe (rows + index).deinitialize(count: 1)
        unsafe isUsed[index] = false
        free.append(Int32(truncatingIfNeeded: index))
        count -= 1
    }

    /// The row of a number that is in use.
    subscript(index: Int) -> Row {
        @inline(__always) _read {
            precondition(contains(index), "no row of this number")
            yield unsafe rows[index]
        }
        @inline(__always) _modify {
            precondition(contains(index), "no row of this number")
            yield unsafe &rows[index]
        }
    }
}

/// A row that can be written to a checkpoint and made from one.
protocol CheckpointRow: ~Copyable {
    func save(into w: inout CheckpointWriter)
    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self
}

extension Slab where Row: CheckpointRow & ~Copyable {
    /// Writes the numbers given out and free, the latter in the order in which they are given out again, and the rows.
    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(limit))
        w.write(rows: free)
        for index in 0..<limit where contains(index) { self[index].save(into: &w) }
    }

    /// Fills an empty table.
    mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        precondition(limit == 0, "a table is filled from a checkpoint before it is used")
        let limit = try r.readUnsigned(CheckpointLimit.rows)
        let holes = try r.readRows()
        var isHole = [Bool](repeating: false, count: limit)
        for hole in holes {
            try r.require(hole >= 0 && Int(hole) < limit && !isHole[Int(hole)])
            isHole[Int(hole)] = true
        }
        for index in 0..<limit {
            try r.take(memory: MemoryLayout<Row>.stride)
            if isHole[index] {
                _ = extend()
            } else {
                // With no free number yet, the row gets the next one.
                _ = insert(try Row.restored(&r))
            }
        }
        free = holes
    }
}

/// A fixed number of small rows, a power of two, addressed by a running number of which the lowest bits count. An array would
/// be asked whether it is shared, in memory of its own, at each change.
@safe struct Ring<Row: BitwiseCopyable>: ~Copyable {
    private let rows: UnsafeMutablePointer<Row>
    private let mask: Int

    init(repeating row: Row, count: Int) {
        precondition(count > 0 && count & (count - 1) == 0, "the size of a ring is a power of two")
        mask = count - 1
        unsafe rows = .allocate(capacity: count)
        unsafe rows.initialize(repeating: row, count: count)
    }

    deinit { unsafe rows.deallocate() }

    /// The number of rows.
    var count: Int { mask + 1 }

    /// The place of a number.
    @inline(__always) func place(_ number: Int64) -> Int { Int(truncatingIfNeeded: number) & mask }

    /// The row of a place or any number; every number has one.
    @inline(__always) subscript(number: Int64) -> Row {
        _read { yield unsafe rows[Int(truncatingIfNeeded: number) & mask] }
        _modify { yield unsafe &rows[Int(truncatingIfNeeded: number) & mask] }
    }
    @inline(__always) subscript(place: Int) -> Row {
        _read { yield unsafe rows[place & mask] }
        _modify { yield unsafe &rows[place & mask] }
    }
}

/// Bytes of a fixed size, neither moved nor zeroed: memory that is never written is never resident.
@safe struct ByteSlab: ~Copyable {
    private let base: UnsafeMutableRawPointer
    /// The number of bytes.
    let count: Int

    init(count: Int) {
        self.count = max(count, 0)
        unsafe base = .allocate(byteCount: max(count, 1), alignment: 16)
    }

    deinit { unsafe base.deallocate() }

    @inline(__always) private func check(_ offset: Int, _ length: Int) {
        precondition(offset >= 0 && length >= 0 && length <= count &- offset, "outside the slab")
    }

    @inline(__always) subscript(offset: Int) -> UInt8 {
        get {
            check(offset, 1)
            return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
        }
        set {
            check(offset, 1)
            unsafe base.storeBytes(of: newValue, toByteOffset: offset, as: UInt8.self)
        }
    }

    /// Writes 64 bits at an offset, network order.
    @inline(__always) mutating func put64(_ value: UInt64, at offset: Int) {
        check(offset, 8)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }

    /// Writes 32 bits at an offset, network order.
    @inline(__always) mutating func put32(_ value: UInt32, at offset: Int) {
        check(offset, 4)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Copies `source[range]` to an offset.
    @inline(__always) mutating func copy(_ source: borrowing Span<UInt8>, from start: Int, count: Int, to offset: Int) {
        precondition(start >= 0 && count >= 0 && count <= source.count &- start, "outside the source")
        check(offset, count)
        unsafe source.withUnsafeBufferPointer { bytes in
            guard count > 0, let address = bytes.baseAddress else { return }
            unsafe (base + offset).copyMemory(from: address + start, byteCount: count)
        }
    }

    /// Copies bytes of another slab to an offset.
    @inline(__always) mutating func copy(_ source: borrowing ByteSlab, from start: Int, count: Int, to offset: Int) {
        source.check(start, count)
        check(offset, count)
        unsafe (base + offset).copyMemory(from: source.base + start, byteCount: count)
    }

    /// Gives the bytes of a range to a reader.
    @inline(__always) func withSpan<R>(_ offset: Int, _ length: Int, _ body: (Span<UInt8>) -> R) -> R {
        check(offset, length)
        let pointer = unsafe (base + offset).assumingMemoryBound(to: UInt8.self)
        return body(unsafe Span(_unsafeStart: pointer, count: length))
    }

    /// Gives the bytes of a range to a writer.
    @inline(__always) mutating func withMutableSpan<R>(
        _ offset: Int, _ length: Int, _ body: (inout MutableSpan<UInt8>) -> R
    ) -> R {
        check(offset, length)
        let pointer = unsafe (base + offset).assumingMemoryBound(to: UInt8.self)
        var span = unsafe MutableSpan(_unsafeStart: pointer, count: length)
        return body(&span)
    }

    /// Gives the bytes of a range to a writer outside the core.
    @inline(__always) mutating func withMutableBytes<R>(
        _ offset: Int, _ length: Int, _ body: (UnsafeMutableRawBufferPointer) -> R
    ) -> R {
        check(offset, length)
        return unsafe body(UnsafeMutableRawBufferPointer(start: base + offset, count: length))
    }
}
