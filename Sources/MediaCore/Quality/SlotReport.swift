// What a receiver's report blocks say of one slot (RFC 3550 §6.4.1): the loss between the last two, and the jitter.

/// The last report block about a slot.
struct SlotReport: BitwiseCopyable {
    /// A report older than this tells nothing of the present: browsers report on audio every five seconds.
    static let life = TimeDelta.seconds(7)
    /// More packets than this between two reports are a stream that started anew.
    private static let most: UInt32 = 1 << 20

    private(set) var at: Timestamp?
    /// In units of the slot's RTP clock.
    private(set) var jitter: UInt32 = 0
    private var highest: UInt32 = 0
    private var cumulative: Int32 = 0
    /// Packets between the last two reports, and how many of them were lost.
    private(set) var expected: UInt32 = 0
    private(set) var lost: UInt32 = 0

    /// A report block came.
    mutating func note(_ block: ReportBlock, at now: Timestamp) {
        let promised = block.extendedHighest &- highest
        let missing = Int64(block.cumulativeLost) - Int64(cumulative)
        if at != nil, promised > 0, promised <= Self.most {
            expected = promised
            lost = UInt32(min(max(missing, 0), Int64(promised)))
        } else if promised != 0 || at == nil {
            // The first report, or a new beginning: no interval to tell of.
            expected = 0
            lost = 0
        }
        at = now
        jitter = block.jitter
        highest = block.extendedHighest
        cumulative = block.cumulativeLost
    }

    /// Whether it tells of the present.
    func isFresh(at now: Timestamp) -> Bool { at.map { now - $0 <= Self.life } ?? false }
}

extension SlotReport: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&at)
        try c.code(&jitter)
        try c.code(&highest)
        try c.code(&cumulative, Int64(Int32.min)...Int64(Int32.max))
        try c.code(&expected)
        try c.code(&lost)
        try c.require(lost <= expected && expected <= Self.most)
    }
}
