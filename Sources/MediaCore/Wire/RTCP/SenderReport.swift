// The RTCP sender report (RFC 3550 §6.4.1). Profile-specific extensions behind the blocks are passed over.

/// What a sender says of its own stream.
public struct SenderReport: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 200
    /// The bytes of the common header and the sender's information.
    static let headLength = 28

    /// The source that sends.
    public var ssrc: SSRC
    /// The moment of the report.
    public var ntpTime: NTPTime
    /// The same moment on the stream's RTP clock.
    public var rtpTimestamp: RTPTimestamp
    /// The packets sent since the start, modulo 2³².
    public var packetCount: UInt32
    /// The payload bytes sent since the start, modulo 2³².
    public var octetCount: UInt32
    /// The number of report blocks, 0 to 31; ignored when a report is appended.
    public private(set) var reportCount: UInt8 = 0
    private var blocksOffset = 0

    /// A report without blocks.
    public init(
        ssrc: SSRC, ntpTime: NTPTime, rtpTimestamp: RTPTimestamp, packetCount: UInt32, octetCount: UInt32
    ) {
        self.ssrc = ssrc
        self.ntpTime = ntpTime
        self.rtpTimestamp = rtpTimestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
    }

    /// Reads a sender report; nil when the packet is another or too short for its blocks.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        guard packet.type == Self.packetType, bytes.holds(packet.length, at: packet.offset),
            packet.length >= Self.headLength &+ Int(packet.count) &* ReportBlock.length
        else { return nil }
        let at = packet.offset
        ssrc = SSRC(bytes.uint32(at: at &+ 4))
        ntpTime = NTPTime(bytes.uint64(at: at &+ 8))
        rtpTimestamp = RTPTimestamp(bytes.uint32(at: at &+ 16))
        packetCount = bytes.uint32(at: at &+ 20)
        octetCount = bytes.uint32(at: at &+ 24)
        reportCount = packet.count
        blocksOffset = at &+ Self.headLength
    }

    /// A walk over the report blocks.
    public var reportBlocks: ReportBlockCursor { ReportBlockCursor(at: blocksOffset, count: reportCount) }
}

extension CompoundWriter {
    /// Appends a sender report without blocks; false when there is no room. Blocks follow by `appendReportBlock`.
    public mutating func appendSenderReport(_ report: SenderReport, into bytes: inout MutableSpan<UInt8>) -> Bool {
        let length = SenderReport.headLength - RTCPPacket.headerLength
        guard let at = begin(type: SenderReport.packetType, count: 0, bodyLength: length, into: &bytes) else {
            return false
        }
        bytes.put32(report.ssrc.rawValue, at: at)
        bytes.put64(report.ntpTime.rawValue, at: at &+ 4)
        bytes.put32(report.rtpTimestamp.rawValue, at: at &+ 12)
        bytes.put32(report.packetCount, at: at &+ 16)
        bytes.put32(report.octetCount, at: at &+ 20)
        return true
    }
}
