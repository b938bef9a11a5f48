// The receiver estimated maximum bitrate message (draft-alvestrand-rmcat-remb-03).

/// A receiver's estimate of the rate that it can take, and a walk over the sources it is for.
public struct ReceiverEstimatedMaximumBitrate: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 206
    /// The feedback format of application layer feedback.
    public static let format: UInt8 = 15
    /// "REMB".
    static let identifier: UInt32 = 0x5245_4d42

    /// The source that sends the feedback.
    public let sender: SSRC
    /// The rate.
    public let bitrate: DataRate
    private var position: Int
    private var remaining: UInt8

    /// Reads the message; nil when the packet is another, too short for its sources, or tells a rate above 2⁶³ bit/s.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        let information = packet.offset &+ RTCPPacket.feedbackHeaderLength
        guard packet.type == Self.packetType, packet.count == Self.format,
            packet.length >= RTCPPacket.feedbackHeaderLength &+ 8, bytes.holds(packet.length, at: packet.offset),
            bytes.uint32(at: information) == Self.identifier
        else { return nil }
        remaining = bytes.uint8(at: information &+ 4)
        position = information &+ 8
        guard position &+ Int(remaining) &* 4 <= packet.end else { return nil }
        let bits = bytes.uint24(at: information &+ 5)
        let exponent = Int64(bits >> 18)
        let mantissa = Int64(bits & 0x3_ffff)
        let rate = mantissa << exponent
        guard rate >= 0, rate >> exponent == mantissa else { return nil }
        bitrate = DataRate(bitsPerSecond: rate)
        sender = SSRC(bytes.uint32(at: packet.offset &+ 4))
    }

    /// The next source, or nil at the end.
    public mutating func next(_ bytes: Span<UInt8>) -> SSRC? {
        guard remaining > 0 else { return nil }
        remaining &-= 1
        defer { position &+= 4 }
        return SSRC(bytes.uint32(at: position))
    }
}

extension CompoundWriter {
    /// Appends the message without sources; false when there is no room. The rate is rounded down to 18 bits; below
    /// zero it is zero. Sources follow by `appendEstimatedSource`.
    public mutating func appendReceiverEstimatedMaximumBitrate(
        sender: SSRC, bitrate: DataRate, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        guard
            let at = beginFeedback(
                type: ReceiverEstimatedMaximumBitrate.packetType, format: ReceiverEstimatedMaximumBitrate.format,
                sender: sender, media: SSRC(0), informationLength: 8, into: &bytes)
        else { return false }
        let rate = UInt64(max(bitrate.bitsPerSecond, 0))
        let exponent = max(0, 64 - rate.leadingZeroBitCount - 18)
        bytes.put32(ReceiverEstimatedMaximumBitrate.identifier, at: at)
        bytes.put8(0, at: at &+ 4)
        bytes.put24(UInt32(exponent) << 18 | UInt32(truncatingIfNeeded: rate >> UInt64(exponent)), at: at &+ 5)
        return true
    }

    /// Adds a source to the message appended last; false when that is another packet, names 255, or there is no room.
    public mutating func appendEstimatedSource(_ ssrc: SSRC, into bytes: inout MutableSpan<UInt8>) -> Bool {
        guard
            let packet = lastPacket(
                type: ReceiverEstimatedMaximumBitrate.packetType, format: ReceiverEstimatedMaximumBitrate.format, bytes)
        else { return false }
        let countOffset = packet &+ RTCPPacket.feedbackHeaderLength &+ 4
        let count = bytes.uint8(at: countOffset)
        guard count < 255, let at = extend(by: 4, into: &bytes) else { return false }
        bytes.put8(count &+ 1, at: countOffset)
        bytes.put32(ssrc.rawValue, at: at)
        return true
    }
}
