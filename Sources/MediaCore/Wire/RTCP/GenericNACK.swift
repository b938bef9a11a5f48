// The generic negative acknowledgement (RFC 4585 §6.2.1): sequence numbers that a receiver misses.

/// A generic NACK, and a walk over the sequence numbers that it names: at most 17 for each four bytes of it.
public struct GenericNACK: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 205
    /// The feedback format.
    public static let format: UInt8 = 1

    /// The source that sends the feedback.
    public let sender: SSRC
    /// The source whose packets are missed.
    public let media: SSRC
    private var position: Int
    private let end: Int
    private var base: UInt16 = 0
    /// The packets behind `base` that are still to be told: bit 0 is the one right behind it.
    private var mask: UInt16 = 0

    /// Reads a NACK; nil when the packet is another, names nothing, or is not made of whole four-byte entries.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        let information = packet.length &- RTCPPacket.feedbackHeaderLength
        guard packet.type == Self.packetType, packet.count == Self.format, information >= 4, information & 3 == 0,
            bytes.holds(packet.length, at: packet.offset)
        else { return nil }
        sender = SSRC(bytes.uint32(at: packet.offset &+ 4))
        media = SSRC(bytes.uint32(at: packet.offset &+ 8))
        position = packet.offset &+ RTCPPacket.feedbackHeaderLength
        end = packet.end
    }

    /// The next missed sequence number, or nil at the end.
    @inline(__always) public mutating func next(_ bytes: Span<UInt8>) -> SequenceNumber? {
        if mask != 0 {
            let bit = UInt16(truncatingIfNeeded: mask.trailingZeroBitCount)
            mask &= mask &- 1
            return SequenceNumber(base &+ 1 &+ bit)
        }
        guard position &+ 4 <= end else { return nil }
        base = bytes.uint16(at: position)
        mask = bytes.uint16(at: position &+ 2)
        position &+= 4
        return SequenceNumber(base)
    }
}

extension CompoundWriter {
    /// Appends a NACK that names one sequence number; false when there is no room. More follow by `appendMissed`.
    public mutating func appendGenericNACK(
        sender: SSRC, media: SSRC, missed: SequenceNumber, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        guard
            let at = beginFeedback(
                type: GenericNACK.packetType, format: GenericNACK.format, sender: sender, media: media,
                informationLength: 4, into: &bytes)
        else { return false }
        bytes.put16(missed.rawValue, at: at)
        bytes.put16(0, at: at &+ 2)
        return true
    }

    /// Adds a sequence number to the NACK appended last: into its last entry where it is one of the 16 behind it, else
    /// as a new entry. False when the last packet is no NACK or there is no room.
    public mutating func appendMissed(_ missed: SequenceNumber, into bytes: inout MutableSpan<UInt8>) -> Bool {
        guard lastPacket(type: GenericNACK.packetType, format: GenericNACK.format, bytes) != nil else { return false }
        let entry = end &- 4
        let ahead = missed.rawValue &- bytes.uint16(at: entry)
        if ahead == 0 { return true }
        if ahead <= 16 {
            bytes.put16(bytes.uint16(at: entry &+ 2) | 1 << (ahead &- 1), at: entry &+ 2)
            return true
        }
        guard let at = extend(by: 4, into: &bytes) else { return false }
        bytes.put16(missed.rawValue, at: at)
        bytes.put16(0, at: at &+ 2)
        return true
    }
}
