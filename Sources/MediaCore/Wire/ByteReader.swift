// Checked big-endian reads from a span of bytes: the only place where the wire formats read memory. Every read is
// total: what lies outside of the span reads as zero, so that a length check forgotten above can never become a trap or
// a read of foreign memory. Parsers check lengths first and fail by themselves. Knows no format.

extension Span where Element == UInt8 {
    /// Whether `length` bytes from `offset` lie inside of the span; negative numbers never do.
    @inline(__always) public func holds(_ length: Int, at offset: Int) -> Bool {
        offset >= 0 && length >= 0 && offset <= count && length <= count &- offset
    }
    /// The byte at an offset; zero outside of the span.
    @inline(__always) public func uint8(at offset: Int) -> UInt8 {
        guard holds(1, at: offset) else { return 0 }
        return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }
    /// The 16 bits at an offset, network order; zero outside of the span.
    @inline(__always) public func uint16(at offset: Int) -> UInt16 {
        guard holds(2, at: offset) else { return 0 }
        return unsafe UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    /// The 24 bits at an offset, network order; zero outside of the span.
    @inline(__always) public func uint24(at offset: Int) -> UInt32 {
        guard holds(3, at: offset) else { return 0 }
        return UInt32(uint16(at: offset)) << 8 | UInt32(uint8(at: offset &+ 2))
    }
    /// The 32 bits at an offset, network order; zero outside of the span.
    @inline(__always) public func uint32(at offset: Int) -> UInt32 {
        guard holds(4, at: offset) else { return 0 }
        return unsafe UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    /// The 64 bits at an offset, network order; zero outside of the span.
    @inline(__always) public func uint64(at offset: Int) -> UInt64 {
        guard holds(8, at: offset) else { return 0 }
        return unsafe UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension Token {
    /// The token that lies at an offset, or nil when it is empty, longer than 16 bytes, outside of the span or not
    /// printable ASCII.
    public init?(_ bytes: Span<UInt8>, at offset: Int, length: Int) {
        guard length > 0, length <= 16, bytes.holds(length, at: offset) else { return nil }
        var copy: InlineArray<16, UInt8> = InlineArray(repeating: 0)
        for i in 0..<length { copy[i] = bytes.uint8(at: offset &+ i) }
        self.init(copy, count: length)
    }
}
