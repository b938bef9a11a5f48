// The RTCP receiver report (RFC 3550 §6.4.2). Profile-specific extensions behind the blocks are passed over.

/// What a receiver saw of the sources that it receives.
public struct ReceiverReport: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 201
    /// The bytes of the common header and the reporter's source.
    static let headLength = 8

    /// The source that reports.
    public var ssrc: SSRC
    /// The number of report blocks, 0 to 31.
    public private(set) var reportCount: UInt8
    private var blocksOffset: Int

    /// Reads a receiver report; nil when the packet is another or too short for its blocks.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        guard packet.type == Self.packetType, bytes.holds(packet.length, at: packet.offset),
            packet.length >= Self.headLength &+ Int(packet.count) &* ReportBlock.length
        else { return nil }
        ssrc = SSRC(bytes.uint32(at: packet.offset &+ 4))
        reportCount = packet.count
        blocksOffset = packet.offset &+ Self.headLength
    }

    /// A walk over the report blocks.
    public var reportBlocks: ReportBlockCursor { ReportBlockCursor(at: blocksOffset, count: reportCount) }
}

extension CompoundWriter {
    /// Appends a receiver report without blocks; false when there is no room. Blocks follow by `appendReportBlock`.
    public mutating func appendReceiverReport(ssrc: SSRC, into bytes: inout MutableSpan<UInt8>) -> Bool {
        let length = ReceiverReport.headLength - RTCPPacket.headerLength
        guard let at = begin(type: ReceiverReport.packetType, count: 0, bodyLength: length, into: &bytes) else {
            return false
        }
        bytes.put32(ssrc.rawValue, at: at)
        return true
    }
}
