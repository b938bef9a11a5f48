// The picture loss indication (RFC 4585 §6.3.1): a receiver needs a key frame.

/// A picture loss indication.
public struct PictureLossIndication: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 206
    /// The feedback format.
    public static let format: UInt8 = 1

    /// The source that sends the feedback.
    public var sender: SSRC
    /// The source of which a key frame is needed.
    public var media: SSRC

    /// Reads a picture loss indication; nil when the packet is another or too short. Bytes behind it are passed over.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        guard packet.type == Self.packetType, packet.count == Self.format,
            packet.length >= RTCPPacket.feedbackHeaderLength, bytes.holds(packet.length, at: packet.offset)
        else { return nil }
        sender = SSRC(bytes.uint32(at: packet.offset &+ 4))
        media = SSRC(bytes.uint32(at: packet.offset &+ 8))
    }
}

extension CompoundWriter {
    /// Appends a picture loss indication; false when there is no room.
    public mutating func appendPictureLossIndication(
        sender: SSRC, media: SSRC, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        beginFeedback(
            type: PictureLossIndication.packetType, format: PictureLossIndication.format, sender: sender, media: media,
            informationLength: 0, into: &bytes) != nil
    }
}
