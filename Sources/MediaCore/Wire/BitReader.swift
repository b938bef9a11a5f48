// Reads and writes single bits of a datagram, most significant first, as the Dependency Descriptor has them. Total: what is
// past the end reads as zero and is remembered as a fault.

/// Reads bits of a span between two offsets.
struct BitReader: BitwiseCopyable {
    private let start: Int
    private let count: Int
    /// The bits read so far.
    private(set) var position = 0
    /// Whether more was read than there is.
    private(set) var isPastEnd = false

    /// A reader of so many bytes at an offset; those that are not within the span are not there.
    init(_ bytes: Span<UInt8>, at start: Int, length: Int) {
        self.start = start
        count = bytes.holds(length, at: start) ? length &* 8 : 0
    }

    /// The next bits, 32 at most.
    mutating func read(_ bits: Int, _ bytes: Span<UInt8>) -> UInt32 {
        guard bits <= count &- position else {
            isPastEnd = true
            position = count
            return 0
        }
        var value: UInt64 = 0
        var taken = 0
        while taken < bits {
            let inByte = position & 7
            let part = min(8 &- inByte, bits &- taken)
            let byte = UInt64(bytes.uint8(at: start &+ position >> 3))
            value = value << UInt64(part) | (byte >> UInt64(8 &- inByte &- part)) & ((1 << UInt64(part)) &- 1)
            position &+= part
            taken &+= part
        }
        return UInt32(truncatingIfNeeded: value)
    }

    mutating func flag(_ bytes: Span<UInt8>) -> Bool { read(1, bytes) == 1 }

    /// A number below `limit`, in as many bits as it takes or one less (`ns(n)` of the AV1 RTP specification A.4.1).
    mutating func below(_ limit: UInt32, _ bytes: Span<UInt8>) -> UInt32 {
        guard limit > 1 else { return 0 }
        let width = 32 &- limit.leadingZeroBitCount
        let short = UInt32(1 << UInt64(width)) &- limit
        let value = read(width &- 1, bytes)
        guard value >= short else { return value }
        return value << 1 &- short &+ read(1, bytes)
    }
}

/// Writes bits into a span, over whatever is there; the rest of the last byte is zero.
struct BitWriter: BitwiseCopyable {
    private let start: Int
    private let count: Int
    /// The bits written so far.
    private(set) var position = 0
    /// Whether more was written than fits.
    private(set) var isPastEnd = false

    /// A writer of at most so many bytes at an offset.
    init(_ bytes: borrowing MutableSpan<UInt8>, at start: Int, length: Int) {
        self.start = start
        count = bytes.holds(length, at: start) ? length &* 8 : 0
    }

    /// The bytes that hold what was written.
    var length: Int { (position &+ 7) / 8 }

    mutating func write(_ value: UInt32, _ bits: Int, into bytes: inout MutableSpan<UInt8>) {
        guard bits <= count &- position else {
            isPastEnd = true
            return
        }
        var left = bits
        while left > 0 {
            let inByte = position & 7
            let part = min(8 &- inByte, left)
            let piece = UInt8(truncatingIfNeeded: UInt64(value) >> UInt64(left &- part) & ((1 << UInt64(part)) &- 1))
            let at = start &+ position >> 3
            let before = inByte == 0 ? 0 : bytes.uint8(at: at)
            bytes.put8(before | piece << UInt8(8 &- inByte &- part), at: at)
            position &+= part
            left &-= part
        }
    }
}
