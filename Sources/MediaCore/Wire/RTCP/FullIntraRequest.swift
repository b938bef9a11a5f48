// The full intra request (RFC 5104 §4.3.1): a receiver commands key frames of one or more sources.

/// One source that shall send a key frame.
public struct FullIntraRequestEntry: Hashable, Sendable, BitwiseCopyable {
    /// The source.
    public var ssrc: SSRC
    /// The command's number: a repeated number repeats the command.
    public var commandNumber: UInt8

    /// A command.
    public init(ssrc: SSRC, commandNumber: UInt8) {
        self.ssrc = ssrc
        self.commandNumber = commandNumber
    }
}

/// A full intra request, and a walk over its entries.
public struct FullIntraRequest: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 206
    /// The feedback format.
    public static let format: UInt8 = 4
    private static let entryLength = 8

    /// The source that sends the feedback.
    public let sender: SSRC
    private var position: Int
    private let end: Int

    /// Reads a full intra request; nil when the packet is another, has no entry, or is not made of whole entries.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        let information = packet.length &- RTCPPacket.feedbackHeaderLength
        guard packet.type == Self.packetType, packet.count == Self.format, information >= Self.entryLength,
            information % Self.entryLength == 0, bytes.holds(packet.length, at: packet.offset)
        else { return nil }
        sender = SSRC(bytes.uint32(at: packet.offset &+ 4))
        position = packet.offset &+ RTCPPacket.feedbackHeaderLength
        end = packet.end
    }

    /// The next entry, or nil at the end.
    public mutating func next(_ bytes: Span<UInt8>) -> FullIntraRequestEntry? {
        guard position &+ Self.entryLength <= end else { return nil }
        defer { position &+= Self.entryLength }
        return FullIntraRequestEntry(
            ssrc: SSRC(bytes.uint32(at: position)), commandNumber: bytes.uint8(at: position &+ 4))
    }
}

extension CompoundWriter {
    /// Appends a full intra request of one source; false when there is no room.
    public mutating func appendFullIntraRequest(
        sender: SSRC, _ entry: FullIntraRequestEntry, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        guard
            let at = beginFeedback(
                type: FullIntraRequest.packetType, format: FullIntraRequest.format, sender: sender, media: SSRC(0),
                informationLength: 8, into: &bytes)
        else { return false }
        bytes.put32(entry.ssrc.rawValue, at: at)
        bytes.put32(UInt32(entry.commandNumber) << 24, at: at &+ 4)
        return true
    }
}
