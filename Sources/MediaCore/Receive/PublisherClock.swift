// A publisher's clock against the server's, from its sender reports (RFC 3550 §6.4.1), and the capture time of its
// packets by it. One offset for all streams of the publisher: that is what keeps its lips in step. Adjusts no timestamp
// itself.

/// The offset of a publisher's NTP clock: the server's time when one of its moments arrived at the earliest.
struct PublisherClock: BitwiseCopyable {
    /// How fast the two clocks may drift apart: 100 µs a second.
    static let driftPerMillion: Int64 = 100
    /// A report this far from the offset means that the publisher's clock was set anew.
    static let largestStep = TimeDelta.seconds(2)

    private var offset: Int64?
    private var notedAt = Timestamp(nanoseconds: 0)

    /// NTP time as nanoseconds, wrapping with the era.
    static func nanoseconds(_ ntp: UInt64) -> Int64 {
        let seconds = Int64(ntp >> 32)
        let fraction = Int64(((ntp & 0xffff_ffff) &* 1_000_000_000) >> 32)
        return seconds &* 1_000_000_000 &+ fraction
    }

    /// A sender report with this NTP time came.
    mutating func note(_ ntp: UInt64, at now: Timestamp) {
        let sample = now.nanoseconds &- Self.nanoseconds(ntp)
        defer { notedAt = now }
        guard let old = offset else {
            offset = sample
            return
        }
        let elapsed = max(0, (now - notedAt).nanoseconds)
        let difference = sample &- old
        let largest = Self.largestStep.nanoseconds
        guard difference > -largest, difference < largest else {
            offset = sample
            return
        }
        // The least delay seen is the offset; it may rise only as fast as clocks drift.
        offset = old &+ min(difference, elapsed / 1_000_000 * Self.driftPerMillion)
    }

    /// The server's time of a moment of the publisher's clock, or nil before the first report.
    func serverTime(of ntp: UInt64) -> Timestamp? {
        offset.map { Timestamp(nanoseconds: Self.nanoseconds(ntp) &+ $0) }
    }
}

/// The last sender report of one stream: ties its RTP timestamps to the publisher's clock.
struct SenderReportMapping: BitwiseCopyable {
    /// A capture time further than this from the arrival is not believed.
    static let plausible = TimeDelta.seconds(2)

    private var ntp: UInt64 = 0
    private var timestamp: UInt32 = 0
    private(set) var isKnown = false

    mutating func note(ntp: UInt64, timestamp: UInt32) {
        self.ntp = ntp
        self.timestamp = timestamp
        isKnown = true
    }

    mutating func forget() { isKnown = false }

    /// When a packet was captured, on the server's clock: by the sender report, else its arrival.
    func captureTime(of packet: UInt32, clockRate: UInt32, clock: PublisherClock, arrival: Timestamp) -> Timestamp {
        guard isKnown, clockRate > 0, let reported = clock.serverTime(of: ntp) else { return arrival }
        let ticks = Int64(Int32(truncatingIfNeeded: Int64(packet) &- Int64(timestamp)))
        let captured = reported + TimeDelta(nanoseconds: ticks &* 1_000_000_000 / Int64(clockRate))
        let age = arrival - captured
        guard age > .zero - Self.plausible, age < Self.plausible else { return arrival }
        return captured
    }
}

extension PublisherClock: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        // NTP eras wrap, and so may the offset: any number will do.
        try c.optional(&offset, 0) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&notedAt)
    }
}

extension SenderReportMapping: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&ntp)
        try c.code(&timestamp)
        try c.code(&isKnown)
    }
}
