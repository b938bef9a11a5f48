// Appends RTCP packets one after another to a fixed stretch of a span (RFC 3550 §6.1, RFC 5506). Each packet's own file
// has the function that appends it. What does not fit is refused and changes nothing; nothing is allocated.

/// A compound packet under construction. It holds offsets only; the span is passed to every call.
public struct CompoundWriter: Sendable, BitwiseCopyable {
    /// The offset of the compound's first byte.
    public let start: Int
    /// The offset that no packet reaches past.
    public let limit: Int
    /// The offset behind the last packet.
    public private(set) var end: Int
    /// The offset of the last packet, or `end` when there is none.
    private var last: Int

    /// A compound that begins at an offset of a span and reaches at most to `limit`.
    public init(at start: Int, limit: Int) {
        self.start = start
        self.limit = limit
        end = start
        last = start
    }

    /// The bytes written so far.
    public var length: Int { end &- start }

    /// Begins a packet whose body has `length` bytes, a multiple of four, and gives the body's offset; nil when it does
    /// not fit.
    mutating func begin(
        type: UInt8, count: UInt8, bodyLength: Int, into bytes: inout MutableSpan<UInt8>
    ) -> Int? {
        let total = RTCPPacket.headerLength &+ bodyLength
        guard bodyLength & 3 == 0, total <= limit &- end, bytes.holds(total, at: end) else { return nil }
        guard total <= CompoundReader.maximumLength else { return nil }
        bytes.put8(0x80 | count & 0x1f, at: end)
        bytes.put8(type, at: end &+ 1)
        bytes.put16(UInt16(truncatingIfNeeded: total / 4 &- 1), at: end &+ 2)
        last = end
        end &+= total
        return last &+ RTCPPacket.headerLength
    }

    /// Begins a feedback message (RFC 4585 §6.1) and gives the offset of its control information; nil when it does not
    /// fit.
    mutating func beginFeedback(
        type: UInt8, format: UInt8, sender: SSRC, media: SSRC, informationLength: Int,
        into bytes: inout MutableSpan<UInt8>
    ) -> Int? {
        guard let body = begin(type: type, count: format, bodyLength: 8 &+ informationLength, into: &bytes) else {
            return nil
        }
        bytes.put32(sender.rawValue, at: body)
        bytes.put32(media.rawValue, at: body &+ 4)
        return body &+ 8
    }

    /// Makes the last packet `length` bytes longer, a multiple of four, and gives the offset of the new bytes; nil when
    /// they do not fit.
    mutating func extend(by length: Int, into bytes: inout MutableSpan<UInt8>) -> Int? {
        guard end > last, length & 3 == 0, length <= limit &- end, bytes.holds(length, at: end) else { return nil }
        let total = end &- last &+ length
        guard total <= CompoundReader.maximumLength else { return nil }
        bytes.put16(UInt16(truncatingIfNeeded: total / 4 &- 1), at: last &+ 2)
        defer { end &+= length }
        return end
    }

    /// The offset of the last packet when it is of this type (and format, where one is given).
    func lastPacket(type: UInt8, format: UInt8? = nil, _ bytes: borrowing MutableSpan<UInt8>) -> Int? {
        guard end > last, bytes.uint8(at: last &+ 1) == type else { return nil }
        if let format, bytes.uint8(at: last) & 0x1f != format { return nil }
        return last
    }
}
