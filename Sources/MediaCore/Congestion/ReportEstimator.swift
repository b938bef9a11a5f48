// The rate by receiver reports (RFC 3550 §6.4.1) alone, or with the maximum that a receiver names (REMB,
// draft-alvestrand-rmcat-remb-03): for a peer that sends no transport-wide feedback. Loss rules as libwebrtc's.

/// The rate by receiver reports and REMB.
struct ReportEstimator: BitwiseCopyable {
    /// A loss is judged over at least so many packets, and one so low that the rate rises over as many as tell it from chance.
    static let leastPackets: Int64 = 20
    static let leastPacketsForRise: Int64 = 50
    /// More than the first is lost: the rate falls by half of what is; less than the second: it rises. In thousandths.
    static let highLoss: Int64 = 100
    static let lowLoss: Int64 = 20
    /// How much the rate rises a second.
    static let growth = 0.08
    /// Between two falls, and a round trip.
    static let fallInterval = TimeDelta.milliseconds(300)
    /// The rate is not raised above the larger of so much of what is sent, in percent, and 10 kb/s, and what the next better step
    /// needs: whether a path carries that is found out by trying.
    static let sendingPercent: Int64 = 150
    /// A maximum that is not below this much of what is sent, in percent, says only that all of it arrives: receivers name no
    /// more than half as much again as comes, and 85 % of it where a queue grows.
    static let bindingPercent: Int64 = 105
    /// No maximum raises the rate at once above so much of what is sent, in percent.
    static let trustedPercent: Int64 = 125
    /// A round trip this much above the least: a queue stands, the rate does not rise; twice as much: it falls.
    static let queueAllowed = TimeDelta.milliseconds(100)
    static let queueFallPercent: Int64 = 85
    /// A maximum is believed for this long.
    static let maximumLasts = TimeDelta.seconds(10)

    private(set) var rate: DataRate
    private var lost: Int64 = 0
    private var expected: Int64 = 0
    private(set) var lossPermille: Int64 = 0
    private var judgedAt: Timestamp?
    private var fellAt: Timestamp?
    private var leastRoundTrip: TimeDelta?
    private var roundTrip: TimeDelta?
    private var maximum: DataRate?
    private var maximumAt: Timestamp?

    init(_ rate: DataRate) { self.rate = rate }

    /// What the receiver named as its maximum, if it did so lately.
    func maximum(at now: Timestamp) -> DataRate? {
        guard let maximum, let maximumAt, now - maximumAt <= Self.maximumLasts else { return nil }
        return maximum
    }

    mutating func noteRoundTrip(_ sample: TimeDelta) {
        guard sample >= .zero, sample < RoundTripLimit.largest else { return }
        roundTrip = sample
        // The least is forgotten slowly: the path may have become longer.
        leastRoundTrip = leastRoundTrip.map { min(sample, $0 + (sample - $0) / 64) } ?? sample
    }

    /// Goes on from a rate.
    mutating func restart(_ rate: DataRate) {
        self.rate = rate
        lost = 0
        expected = 0
        judgedAt = nil
    }

    /// The receiver named a maximum while so much was sent. Where nothing is lost its estimate is ours.
    mutating func takeMaximum(_ named: DataRate, sending: DataRate?, follows: Bool, at now: Timestamp) {
        let binds = !follows || (sending.map { named < $0.scaled(by: Self.bindingPercent, over: 100) } ?? true)
        maximum = binds ? named : nil
        maximumAt = now
        guard follows else { return }
        let trusted = sending.map { $0.scaled(by: Self.trustedPercent, over: 100) } ?? named
        if lossPermille <= Self.lowLoss { rate = max(rate, min(named, trusted)) }
        if binds { rate = min(rate, named) }
    }

    /// Packets lost of those expected. True when the rate was judged anew.
    mutating func take(
        lost: Int64, expected: Int64, sending: DataRate?, next: DataRate, limit: DataRate, at now: Timestamp
    ) -> Bool {
        self.lost = min(max(self.lost &+ lost, 0), 1 << 40)
        self.expected = min(max(self.expected &+ expected, 0), 1 << 40)
        guard self.expected >= Self.leastPackets else { return false }
        let permille = min(self.lost, self.expected) * 1_000 / self.expected
        guard permille > Self.lowLoss || self.expected >= Self.leastPacketsForRise else { return false }
        // One report without loss may be chance.
        let isLow = max(permille, lossPermille) <= Self.lowLoss
        lossPermille = permille
        self.lost = 0
        self.expected = 0
        let elapsed = min(max(judgedAt.map { now - $0 } ?? .seconds(1), .zero), .seconds(1))
        judgedAt = now
        let queue = max((roundTrip ?? .zero) - (leastRoundTrip ?? .zero), .zero)
        if lossPermille > Self.highLoss || queue > Self.queueAllowed * 2 {
            fall(queue, sending: sending, at: now)
        } else if isLow, queue <= Self.queueAllowed {
            rise(elapsed, sending: sending, next: next, limit: limit)
        }
        if let maximum = maximum(at: now) { rate = min(rate, maximum) }
        return true
    }

    private mutating func fall(_ queue: TimeDelta, sending: DataRate?, at now: Timestamp) {
        let wait = Self.fallInterval + (roundTrip ?? .milliseconds(100))
        if let fellAt, now - fellAt < wait { return }
        fellAt = now
        if queue > Self.queueAllowed * 2 {
            // What is sent is more than the path carries, whatever the rate allowed.
            rate = min(rate, sending ?? rate).scaled(by: Self.queueFallPercent, over: 100)
        }
        if lossPermille > Self.highLoss { rate = rate.scaled(by: 1_000 - lossPermille / 2, over: 1_000) }
    }

    private mutating func rise(_ elapsed: TimeDelta, sending: DataRate?, next: DataRate, limit: DataRate) {
        let seconds = Double(elapsed.nanoseconds) / 1e9
        let grown = Double(rate.bitsPerSecond) * Exponential.pow(1 + Self.growth, seconds) + 1_000 * seconds
        var most = limit
        if let sending {
            most = min(most, max(next, sending.scaled(by: Self.sendingPercent, over: 100) + .kilobitsPerSecond(10)))
        }
        guard rate < most else { return }
        rate = min(DataRate(bitsPerSecond: Int64(grown)), most)
    }
}

/// What a round trip may be.
private enum RoundTripLimit {
    static let largest = TimeDelta.seconds(10)
}

extension ReportEstimator: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&rate)
        try c.code(&lost, 0...(1 << 40))
        try c.code(&expected, 0...(1 << 40))
        try c.code(&lossPermille, 0...1_000)
        try c.code(&judgedAt)
        try c.code(&fellAt)
        try c.code(&leastRoundTrip)
        try c.code(&roundTrip)
        try c.optional(&maximum, .zero) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&maximumAt)
    }
}
