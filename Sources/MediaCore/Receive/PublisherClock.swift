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

/// Ties the RTP timestamps of one stream to time: to the publisher's clock by its last sender report, and before the first
/// one, which may be seconds away, to the server's clock by the packet that came with the least delay.
struct SenderReportMapping: BitwiseCopyable {
    /// A capture time further than this from the arrival is not believed.
    static let plausible = TimeDelta.seconds(2)

    /// What `moment` is.
    private enum Kind: UInt8, BitwiseCopyable { case nothing, report, arrival }

    /// The report's NTP time, or the nanoseconds of the arrival.
    private var moment: UInt64 = 0
    private var timestamp: UInt32 = 0
    private var kind = Kind.nothing

    /// Whether there was a sender report.
    var isKnown: Bool { kind == .report }

    mutating func note(ntp: UInt64, timestamp: UInt32) {
        kind = .report
        moment = ntp
        self.timestamp = timestamp
    }

    /// A packet came. Of those before the first report the least delayed tells best when the others were captured: while
    /// a call begins packets are often a tenth of a second late.
    mutating func note(arrival: Timestamp, of packet: UInt32, clockRate: UInt32) {
        guard kind != .report, clockRate > 0 else { return }
        if kind == .arrival {
            let delay = arrival - time(of: packet, clockRate: clockRate, at: Int64(bitPattern: moment))
            // Behind a jump of the timestamps what was noted says nothing.
            guard delay < .zero || delay > Self.plausible else { return }
        }
        kind = .arrival
        moment = UInt64(bitPattern: arrival.nanoseconds)
        timestamp = packet
    }

    mutating func forget() { kind = .nothing }

    /// When a packet was captured, on the server's clock: by the sender report, else by the least delayed packet.
    func captureTime(of packet: UInt32, clockRate: UInt32, clock: PublisherClock, arrival: Timestamp) -> Timestamp {
        guard clockRate > 0 else { return arrival }
        let anchor: Int64
        switch kind {
        case .nothing: return arrival
        case .report:
            guard let reported = clock.serverTime(of: moment) else { return arrival }
            anchor = reported.nanoseconds
        case .arrival: anchor = Int64(bitPattern: moment)
        }
        let captured = time(of: packet, clockRate: clockRate, at: anchor)
        let age = arrival - captured
        guard age > .zero - Self.plausible, age < Self.plausible else { return arrival }
        return captured
    }

    /// The time of a packet when that of `timestamp` is `anchor`, in nanoseconds.
    private func time(of packet: UInt32, clockRate: UInt32, at anchor: Int64) -> Timestamp {
        let ticks = Int64(Int32(truncatingIfNeeded: Int64(packet) &- Int64(timestamp)))
        return Timestamp(nanoseconds: anchor) + TimeDelta(nanoseconds: ticks &* 1_000_000_000 / Int64(clockRate))
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
        try c.code(&moment)
        try c.code(&timestamp)
        try c.code(&kind)
    }
}
