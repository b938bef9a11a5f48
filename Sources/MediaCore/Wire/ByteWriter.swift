// Checked big-endian writes into a mutable span of bytes: the only place where the wire formats write memory. Every
// write is total: one that does not fit changes nothing. Composers check the room first and fail by themselves. Knows
// no format and allocates nothing.

extension MutableSpan where Element == UInt8 {
    /// Whether `length` bytes from `offset` lie inside of the span; negative numbers never do.
    @inline(__always) public func holds(_ length: Int, at offset: Int) -> Bool {
        offset >= 0 && length >= 0 && offset <= count && length <= count &- offset
    }
    /// The byte at an offset; zero outside of the span.
    @inline(__always) public func uint8(at offset: Int) -> UInt8 {
        guard holds(1, at: offset) else { return 0 }
        return self[offset]
    }
    /// The 16 bits at an offset, network order; zero outside of the span.
    @inline(__always) public func uint16(at offset: Int) -> UInt16 {
        guard holds(2, at: offset) else { return 0 }
        return UInt16(self[offset]) << 8 | UInt16(self[offset &+ 1])
    }
    /// Writes a byte at an offset.
    @inline(__always) public mutating func put8(_ value: UInt8, at offset: Int) {
        guard holds(1, at: offset) else { return }
        self[offset] = value
    }
    /// Writes 16 bits at an offset, network order.
    @inline(__always) public mutating func put16(_ value: UInt16, at offset: Int) {
        guard holds(2, at: offset) else { return }
        var raw = unsafe mutableBytes
        raw.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }
    /// Writes the low 24 bits at an offset, network order.
    @inline(__always) public mutating func put24(_ value: UInt32, at offset: Int) {
        guard holds(3, at: offset) else { return }
        self[offset] = UInt8(truncatingIfNeeded: value >> 16)
        self[offset &+ 1] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset &+ 2] = UInt8(truncatingIfNeeded: value)
    }
    /// Writes 32 bits at an offset, network order.
    @inline(__always) public mutating func put32(_ value: UInt32, at offset: Int) {
        guard holds(4, at: offset) else { return }
        var raw = unsafe mutableBytes
        raw.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
    /// Writes 64 bits at an offset, network order.
    @inline(__always) public mutating func put64(_ value: UInt64, at offset: Int) {
        guard holds(8, at: offset) else { return }
        var raw = unsafe mutableBytes
        raw.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
    /// Writes a token's bytes at an offset.
    @inline(__always) public mutating func put(_ token: Token, at offset: Int) {
        guard holds(Int(token.count), at: offset) else { return }
        for i in 0..<Int(token.count) { self[offset &+ i] = token.byte(at: i) }
    }
    /// Writes `length` zero bytes at an offset.
    @inline(__always) public mutating func putZeros(_ length: Int, at offset: Int) {
        guard holds(length, at: offset) else { return }
        for i in 0..<length { self[offset &+ i] = 0 }
    }
    /// Copies `length` bytes of another span to an offset. False, and nothing is changed, when they are not all inside
    /// of both spans.
    @inline(__always) @discardableResult
    public mutating func copy(_ source: Span<UInt8>, from start: Int, length: Int, to offset: Int) -> Bool {
        guard source.holds(length, at: start), holds(length, at: offset) else { return false }
        guard length > 0 else { return true }
        // The two spans cannot overlap: this one is accessed exclusively. The bounds were checked above.
        unsafe self.withUnsafeMutableBufferPointer { to in
            unsafe source.withUnsafeBufferPointer { from in
                guard let to = to.baseAddress, let from = from.baseAddress else { return }
                unsafe (to + offset).update(from: from + start, count: length)
            }
        }
        return true
    }
}
