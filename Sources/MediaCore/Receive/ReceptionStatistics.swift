// What a receiver report says of a stream: loss (RFC 3550 §A.3), jitter (§A.8) and the last sender report. Counts no
// retransmissions: they would hide the loss of the path.

/// The numbers of one report block (RFC 3550 §6.4.1).
struct ReceptionSummary: Equatable {
    var fractionLost: UInt8
    var cumulativeLost: Int32
    var extendedHighest: UInt32
    var jitter: UInt32
    var lastSenderReport: UInt32
    var delaySinceLastSenderReport: UInt32
}

/// Reception statistics of one stream.
struct ReceptionStatistics: BitwiseCopyable {
    private var base: Int64 = 0
    private var highest: Int64 = 0
    private var received: Int64 = 0
    private var expectedPrior: Int64 = 0
    private var receivedPrior: Int64 = 0
    private var lastTransit: Int32?
    /// Sixteen times the jitter in clock units.
    private var jitter16: UInt32 = 0
    private(set) var lastSenderReport: UInt32 = 0
    private(set) var lastSenderReportAt: Timestamp?
    private(set) var isStarted = false

    /// Begins at a number: the first packet, or the first behind a restart.
    mutating func begin(at number: Int64) {
        let kept = (lastSenderReport, lastSenderReportAt)
        self = ReceptionStatistics()
        (lastSenderReport, lastSenderReportAt) = kept
        base = number
        highest = number
        isStarted = true
    }

    /// Counts a packet that is no retransmission. `arrival` is the time in units of the stream's clock, cut to 32 bits.
    mutating func count(_ number: Int64, timestamp: UInt32, arrival: UInt32) {
        received &+= 1
        base = min(base, number)
        highest = max(highest, number)
        let transit = Int32(truncatingIfNeeded: Int64(arrival) &- Int64(timestamp))
        if let lastTransit {
            let difference = Int64(transit) - Int64(lastTransit)
            let distance = UInt32(truncatingIfNeeded: min(abs(Int64(Int32(truncatingIfNeeded: difference))), 1 << 26))
            jitter16 = jitter16 &+ distance &- ((jitter16 &+ 8) >> 4)
        }
        lastTransit = transit
    }

    /// Remembers a sender report's middle 32 bits of NTP time.
    mutating func noteSenderReport(_ compact: UInt32, at now: Timestamp) {
        lastSenderReport = compact
        lastSenderReportAt = now
    }

    /// Packets expected and not received so far; negative when duplicates came.
    var lost: Int64 { isStarted ? highest - base + 1 - received : 0 }
    /// Packets that its sequence numbers promise, and those that came, since its beginning or the last restart.
    var expected: Int64 { isStarted ? highest - base + 1 : 0 }
    var arrived: Int64 { received }
    /// The jitter in clock units.
    var jitter: UInt32 { jitter16 >> 4 }

    /// The numbers for a report block at a moment; ends the interval of the fraction.
    mutating func summarise(at now: Timestamp) -> ReceptionSummary {
        let expected = highest - base + 1
        let expectedInterval = expected - expectedPrior
        let lostInterval = expectedInterval - (received - receivedPrior)
        expectedPrior = expected
        receivedPrior = received
        var fraction: Int64 = 0
        if expectedInterval > 0, lostInterval > 0 { fraction = min(255, lostInterval * 256 / expectedInterval) }
        let delay = lastSenderReportAt.map { NTPTime.compact(now - $0) } ?? 0
        return ReceptionSummary(
            fractionLost: UInt8(fraction), cumulativeLost: Int32(max(-0x80_0000, min(0x7f_ffff, lost))),
            extendedHighest: UInt32(truncatingIfNeeded: highest), jitter: jitter, lastSenderReport: lastSenderReport,
            delaySinceLastSenderReport: delay)
    }
}

extension ReceptionStatistics: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.number(&base)
        try c.number(&highest)
        try c.number(&received)
        try c.number(&expectedPrior)
        try c.number(&receivedPrior)
        try c.optional(&lastTransit, 0) { c, v throws(CheckpointError) in
            try c.code(&v, Int64(Int32.min)...Int64(Int32.max))
        }
        try c.code(&jitter16)
        try c.code(&lastSenderReport)
        try c.code(&lastSenderReportAt)
        try c.code(&isStarted)
    }
}
