// The report block that sender and receiver reports share (RFC 3550 §6.4.1).

/// What a receiver saw of one source.
public struct ReportBlock: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of a block.
    public static let length = 24
    /// The most blocks of one packet.
    public static let maximumCount: UInt8 = 31

    /// The source that is reported on.
    public var ssrc: SSRC
    /// The share of packets lost since the last report, in 1/256.
    public var fractionLost: UInt8
    /// The packets lost in all, −2²³ to 2²³ − 1; negative where duplicates came.
    public var cumulativeLost: Int32
    /// The highest sequence number with the count of its wraps above.
    public var extendedHighest: UInt32
    /// The interarrival jitter in units of the RTP clock.
    public var jitter: UInt32
    /// The middle 32 bits of the last sender report's NTP time; zero before one came.
    public var lastSenderReport: UInt32
    /// The time since that report in 1/65,536 s; zero before one came.
    public var delaySinceLastSenderReport: UInt32

    /// A block of these fields.
    public init(
        ssrc: SSRC, fractionLost: UInt8, cumulativeLost: Int32, extendedHighest: UInt32, jitter: UInt32,
        lastSenderReport: UInt32, delaySinceLastSenderReport: UInt32
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.cumulativeLost = cumulativeLost
        self.extendedHighest = extendedHighest
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }

    /// The time from the sender report to this block's arrival without the receiver's delay (RFC 3550 §6.4.1), on the
    /// clock that the sender report told; nil before a sender report came, and where clocks moved so that it would be
    /// negative.
    public func roundTripTime(arrival: NTPTime) -> TimeDelta? {
        guard lastSenderReport != 0 else { return nil }
        let span = arrival.compact &- lastSenderReport &- delaySinceLastSenderReport
        return span < 0x8000_0000 ? NTPTime.span(compact: span) : nil
    }
}

/// Walks the report blocks of one sender or receiver report.
public struct ReportBlockCursor: Sendable, BitwiseCopyable {
    private var position: Int
    private var remaining: UInt8

    /// A walk over `count` blocks from an offset; the caller checked that they are there.
    init(at offset: Int, count: UInt8) {
        position = offset
        remaining = count
    }

    /// The next block, or nil at the end.
    public mutating func next(_ bytes: Span<UInt8>) -> ReportBlock? {
        guard remaining > 0 else { return nil }
        let at = position
        remaining &-= 1
        position &+= ReportBlock.length
        let lost = bytes.uint32(at: at &+ 4)
        return ReportBlock(
            ssrc: SSRC(bytes.uint32(at: at)), fractionLost: UInt8(truncatingIfNeeded: lost >> 24),
            cumulativeLost: Int32(bitPattern: lost << 8) >> 8, extendedHighest: bytes.uint32(at: at &+ 8),
            jitter: bytes.uint32(at: at &+ 12), lastSenderReport: bytes.uint32(at: at &+ 16),
            delaySinceLastSenderReport: bytes.uint32(at: at &+ 20))
    }
}

extension CompoundWriter {
    /// Adds a report block to the sender or receiver report appended last. False when the last packet is neither, has
    /// 31 blocks, or there is no room. A cumulative loss outside of 24 bits is cut at their ends.
    public mutating func appendReportBlock(_ block: ReportBlock, into bytes: inout MutableSpan<UInt8>) -> Bool {
        guard let packet = lastPacket(type: 200, bytes) ?? lastPacket(type: 201, bytes) else { return false }
        let first = bytes.uint8(at: packet)
        guard first & 0x1f < ReportBlock.maximumCount, let at = extend(by: ReportBlock.length, into: &bytes) else {
            return false
        }
        bytes.put8(first &+ 1, at: packet)
        let lost = min(max(block.cumulativeLost, -0x80_0000), 0x7f_ffff)
        bytes.put32(block.ssrc.rawValue, at: at)
        bytes.put8(block.fractionLost, at: at &+ 4)
        bytes.put24(UInt32(bitPattern: lost), at: at &+ 5)
        bytes.put32(block.extendedHighest, at: at &+ 8)
        bytes.put32(block.jitter, at: at &+ 12)
        bytes.put32(block.lastSenderReport, at: at &+ 16)
        bytes.put32(block.delaySinceLastSenderReport, at: at &+ 20)
        return true
    }
}
