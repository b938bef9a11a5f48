// The rate that delay allows: up while nothing stands in the queue, below what arrives when it fills, and back to what arrives
// as soon as it is empty. Near the rate at which it filled before it goes up by a fixed step, further away in proportion.
// Knows nothing of loss and of probes' timing.

/// What is known when feedback came and the rate is judged anew.
struct RateInput: BitwiseCopyable {
    var use = DelayUse.normal
    /// What stands in the queue.
    var queue: TimeDelta?
    /// How much that goes to and fro by itself.
    var noise = TimeDelta.zero
    /// The smoothed rate that arrives.
    var acknowledged: DataRate?
    /// The plain rate of the last moments that arrives, and the rate at which those packets were sent.
    var arriving: DataRate?
    var sending: DataRate?
    /// What was sent over a longer time.
    var sendingLong: DataRate?
    var roundTrip = TimeDelta.zero
    /// The rate is not raised above this.
    var limit = DataRate.zero
    /// Sending was held lately: what arrived tells little.
    var wasHeld = false

    /// What was sent arrives as fast as it was sent, or nearly so.
    func allArrives(thousandths: Int64 = 850) -> Bool {
        guard let arriving, let sending else { return false }
        return arriving.bitsPerSecond &* 1_000 >= sending.bitsPerSecond &* thousandths
    }
}

/// The rate at which the queue filled: a mean, and how far apart its samples lay (as libwebrtc estimates link capacity).
struct LinkCapacityEstimate: BitwiseCopyable {
    private static let variances = 0.4...2.5

    /// In kb/s; below zero while it is not known.
    private var mean = -1.0
    /// Relative to the mean.
    private var variance = 0.4

    init() {}

    private var deviation: Double { (variance * max(mean, 0)).squareRoot() }
    var isKnown: Bool { mean >= 0 }
    /// Three deviations above and below, in bits per second.
    var upper: Double { isKnown ? (mean + 3 * deviation) * 1_000 : .infinity }
    var lower: Double { isKnown ? max(0, mean - 3 * deviation) * 1_000 : 0 }

    mutating func noteOveruse(at rate: DataRate) { note(rate, weight: 0.05) }
    mutating func noteProbe(of rate: DataRate) { note(rate, weight: 0.5) }

    private mutating func note(_ rate: DataRate, weight: Double) {
        let sample = Double(rate.bitsPerSecond) / 1_000
        if isKnown { mean += weight * (sample - mean) } else { mean = sample }
        let error = mean - sample
        variance = (1 - weight) * variance + weight * error * error / max(mean, 1)
        variance = min(max(variance, Self.variances.lowerBound), Self.variances.upperBound)
    }
}

/// A look at whether the queue shrinks when less is sent.
private struct QueueTrial: BitwiseCopyable {
    var from: Timestamp
    var until: Timestamp
    /// What arrived when less was begun to be sent.
    var arriving = DataRate.zero
    /// What stood at the beginning, in nanoseconds; below zero before it.
    var first: Int64 = -1
    /// The least that stood since.
    var least = Int64.max
}

/// The rate that delay allows.
struct RateController: BitwiseCopyable {
    /// Standing queue that is too much: this, and the time that so many bits take at the rate, or what the noise asks for.
    static let queueAllowed = TimeDelta.milliseconds(6)
    static let queueBits = 14_400.0
    static let noiseFactor: Int64 = 4
    static let mostQueueAllowed = TimeDelta.milliseconds(45)
    static let leastThreshold = TimeDelta.milliseconds(10)
    /// A rising delay is over-use when so much of that stands, in percent.
    static let risingPercent: Int64 = 40
    /// Of what arrives so much is sent when the queue is too full, in thousandths, less for what stands: it is to be gone in
    /// 0.6 s.
    static let decrease: Int64 = 930
    static let leastDecrease: Int64 = 600
    static let drainTime = TimeDelta.milliseconds(600)
    /// Of what arrived so much is sent when the queue is empty again, in percent.
    static let refillPercent: Int64 = 95
    static let longestDrain = TimeDelta.seconds(1)
    /// A queue that is gone a round trip and so much later was none that a slower path made: something stood still for a moment.
    /// Of what is slower than that rate the last moments have too few packets to say so, or to be set aside for the smoothed rate.
    static let quickDrain = TimeDelta.milliseconds(150)
    static let quickRate = DataRate.kilobitsPerSecond(250)
    /// What has sent less than this part of its rate, in percent, for some time, and of which all arrives, may not be what
    /// fills the queue: the first time in two seconds the rate falls to the one at most, then to the other.
    static let weakPercent: Int64 = 70
    static let limitedTime = TimeDelta.milliseconds(700)
    static let forbearance = TimeDelta.seconds(2)
    static let forbornPercent: Int64 = 85
    static let weakFallPercent: Int64 = 70
    /// Less in the queue is never taken for somebody else's.
    static let leastForeign = TimeDelta.milliseconds(40)
    /// A packet's bits: four of them are added in each response time while the capacity is near, but no more in a second than
    /// this rate and part, and within these parts.
    static let packetBits = 9_600.0
    static let nearRate = 50_000.0
    static let nearPart = 0.08
    static let nearGrowth = 0.05...0.2
    /// So many seconds behind a decrease it is taken to be near.
    static let nearTime = 2.0
    /// A decrease shows after a round trip and this.
    static let responseTime = TimeDelta.milliseconds(50)
    /// Away from it the rate grows by this part a second, more the longer all is calm.
    static let farGrowth = 0.08...0.25
    /// The rate is not raised by time above so much of what arrives, in percent, and 10 kb/s.
    static let arrivingPercent: Int64 = 150
    /// Nor above so much of what was sent over a longer time, in percent, and so many bits a second.
    static let unsentPercent: Int64 = 105
    static let unsentMargin = 5_000.0

    private(set) var rate: DataRate
    private(set) var capacity = LinkCapacityEstimate()
    private var updatedAt: Timestamp?
    private(set) var decreasedAt: Timestamp?
    private var forbornAt: Timestamp?
    /// Less is sent than may be, since then.
    private var limitedSince: Timestamp?
    /// The rate to be gone back to when the queue is empty; zero while nothing drains.
    private(set) var refill = DataRate.zero
    /// What arrived when the queue that drains was found too full last, which is about what the path carries.
    private(set) var carries = DataRate.zero
    /// The rate before that queue was found too full for the first time.
    private var before = DataRate.zero
    private var trial: QueueTrial?
    /// What stands in the queue whatever is sent: something else fills it, or the path has become longer.
    private(set) var foreign = TimeDelta.zero

    init(_ rate: DataRate) { self.rate = rate }

    /// What may stand in the queue beyond what is not ours.
    func threshold(_ noise: TimeDelta) -> TimeDelta {
        let bits = TimeDelta(nanoseconds: Int64(Self.queueBits * 1e9 / Double(max(rate.bitsPerSecond, 10_000))))
        let more = min(max(bits, noise * Self.noiseFactor), Self.mostQueueAllowed)
        return max(Self.leastThreshold, Self.queueAllowed + more)
    }

    /// A probe showed that this rate is carried, or, where it was as much as there is, that no more is: to one that is sure
    /// the rate also goes down, though not below what arrives.
    mutating func probed(_ result: ProbeResult, limit: DataRate, acknowledged: DataRate?, at now: Timestamp) {
        capacity.noteProbe(of: result.rate)
        let useful = min(result.rate, limit)
        if useful > rate {
            rate = useful
            refill = .zero
            updatedAt = now
        } else if result.isSaturated, result.isSure, result.rate < rate {
            rate = min(rate, max(result.rate, acknowledged ?? rate))
        }
    }

    /// Begins anew with a rate.
    mutating func restart(_ rate: DataRate) { self = RateController(rate) }

    /// The rate is cut to one from elsewhere.
    mutating func cut(to limit: DataRate) {
        rate = min(rate, limit)
        refill = min(refill, limit)
        carries = min(carries, limit)
        before = min(before, limit)
    }

    /// Judges the rate anew. True when the queue was found too full and the rate was cut.
    mutating func update(_ input: RateInput, at now: Timestamp) -> Bool {
        let elapsed = min(max(updatedAt.map { now - $0 } ?? .zero, .zero), .seconds(1))
        updatedAt = now
        let standing = input.queue ?? .zero
        // Where less arrives than is sent the queue is ours, or ours too; but then it grows. Of few packets one that is late is many.
        let mayBeForeign = input.allArrives() || standing <= foreign + foreign / 5
        foreign = mayBeForeign ? min(foreign, standing + standing / 5) : .zero
        let queue = max(standing - foreign, .zero)
        let threshold = threshold(input.noise)
        let isRising = input.use == .over && queue.nanoseconds &* 100 > threshold.nanoseconds &* Self.risingPercent
        noteLimited(input, at: now)
        judge(standing, input, at: now)
        if isRising || queue > threshold {
            guard mayDecrease(input, at: now) else { return false }
            decrease(input, queue, isFull: queue > threshold, standing, at: now)
            return true
        }
        if refill > .zero {
            drained(queue, threshold, input, at: now)
        } else if input.use != .under || queue < threshold / 2 {
            increase(
                input, room: 1.5 - 1.5 * Double(queue.nanoseconds) / Double(threshold.nanoseconds), elapsed, at: now)
        }
        return false
    }

    private mutating func noteLimited(_ input: RateInput, at now: Timestamp) {
        guard let sending = input.sendingLong, sending.bitsPerSecond &* 100 < rate.bitsPerSecond &* Self.weakPercent
        else {
            limitedSince = nil
            return
        }
        if limitedSince == nil { limitedSince = now }
    }

    /// Less than is allowed has been sent for some time.
    private func isLimited(at now: Timestamp) -> Bool {
        limitedSince.map { now - $0 >= Self.limitedTime } ?? false
    }

    // MARK: Down

    private func mayDecrease(_ input: RateInput, at now: Timestamp) -> Bool {
        guard let decreasedAt else { return true }
        // The last decrease shows after a round trip and a feedback message.
        let wait = min(max(input.roundTrip + Self.responseTime, .milliseconds(100)), .milliseconds(400))
        if now - decreasedAt >= wait { return true }
        guard let arriving = input.arriving, !input.wasHeld, !input.allArrives() else { return false }
        return arriving.bitsPerSecond &* 2 < rate.bitsPerSecond
    }

    private mutating func decrease(
        _ input: RateInput, _ queue: TimeDelta, isFull: Bool, _ standing: TimeDelta, at now: Timestamp
    ) {
        decreasedAt = now
        guard var arrives = input.arriving ?? input.acknowledged else {
            rate = rate.scaled(by: 1, over: 2)
            return
        }
        // Of few frames a second the last moments may have had none. While little stands there is time for the smoothed rate; on a
        // slow path little is one packet.
        if !isFull, rate >= Self.quickRate, let steady = input.acknowledged { arrives = max(arrives, steady) }
        if trial == nil, standing > Self.leastForeign {
            let from = now + input.roundTrip + .milliseconds(200)
            trial = QueueTrial(from: from, until: from + .milliseconds(600), arriving: arrives)
        }
        if input.wasHeld || input.allArrives() && isLimited(at: now) {
            giveWay(arrives, at: now)
            return
        }
        if Double(arrives.bitsPerSecond) < capacity.lower { capacity = LinkCapacityEstimate() }
        capacity.noteOveruse(at: arrives)
        let drain = queue.nanoseconds / (Self.drainTime.nanoseconds / 1_000)
        let part = min(max(Self.decrease &- drain, Self.leastDecrease), Self.decrease)
        let wanted = arrives.scaled(by: part, over: 1_000)
        if refill <= .zero { before = rate }
        carries = min(arrives, refill > .zero ? max(rate, carries) : rate)
        refill = min(arrives.scaled(by: Self.refillPercent, over: 100), rate)
        rate = min(rate, wanted)
    }

    /// What arrives does not tell what the path carries, for no more was sent.
    private mutating func giveWay(_ arrives: DataRate, at now: Timestamp) {
        refill = .zero
        var least = arrives.scaled(by: Self.decrease, over: 1_000)
        if forbornAt.map({ now - $0 > Self.forbearance }) ?? true {
            forbornAt = now
            least = max(
                arrives.scaled(by: Self.arrivingPercent, over: 100) + .kilobitsPerSecond(10),
                rate.scaled(by: Self.forbornPercent, over: 100))
        }
        rate = min(rate, max(least, rate.scaled(by: Self.weakFallPercent, over: 100)))
    }

    /// Goes back to what arrived when the queue is empty.
    private mutating func drained(
        _ queue: TimeDelta, _ threshold: TimeDelta, _ input: RateInput, at now: Timestamp
    ) {
        let since = decreasedAt.map { now - $0 } ?? .zero
        let isEmpty = queue < threshold / 4 || input.use == .normal && queue < threshold / 2
        guard isEmpty && since >= input.roundTrip || since > Self.longestDrain else { return }
        if since <= input.roundTrip + Self.quickDrain, let arrives = input.arriving, arrives > Self.quickRate {
            refill = max(refill, min(arrives.scaled(by: Self.refillPercent, over: 100), before))
        }
        rate = max(rate, refill)
        refill = .zero
    }

    /// Where the queue stays as it is although less is sent, and all of it arrives, it is not ours.
    private mutating func judge(_ standing: TimeDelta, _ input: RateInput, at now: Timestamp) {
        guard var trial, now >= trial.from else { return }
        // Of sound alone nothing can be taken away.
        let isSound = input.sendingLong.map { $0 < .kilobitsPerSecond(100) } ?? false
        let isLess = isSound || rate.bitsPerSecond &* 10 <= trial.arriving.bitsPerSecond &* 9
        if trial.first < 0 {
            trial.first = standing.nanoseconds
            guard isLess else {
                self.trial = nil
                return
            }
        }
        trial.least = min(trial.least, standing.nanoseconds)
        self.trial = trial
        guard now >= trial.until else { return }
        self.trial = nil
        let isSteady = trial.least > trial.first / 20 &* 17 && standing.nanoseconds < trial.first / 20 &* 23
        guard isLess, isSteady, trial.least > Self.leastForeign.nanoseconds, input.allArrives(thousandths: 950) else {
            return
        }
        foreign = TimeDelta(nanoseconds: trial.least)
        refill = .zero
    }

    // MARK: Up

    private mutating func increase(_ input: RateInput, room: Double, _ elapsed: TimeDelta, at now: Timestamp) {
        let seconds = Double(elapsed.nanoseconds) / 1e9
        let current = Double(rate.bitsPerSecond)
        var limit = Double(input.limit.bitsPerSecond)
        if let arrives = input.acknowledged {
            if Double(arrives.bitsPerSecond) > capacity.upper { capacity = LinkCapacityEstimate() }
            let most = arrives.scaled(by: Self.arrivingPercent, over: 100) + .kilobitsPerSecond(10)
            limit = min(limit, Double(most.bitsPerSecond))
        }
        // What has not been sent time shows nothing of: probes do.
        if let sending = input.sendingLong {
            limit = min(
                limit, Double(sending.scaled(by: Self.unsentPercent, over: 100).bitsPerSecond) + Self.unsentMargin)
        }
        guard current < limit else { return }
        var grown: Double
        let calm = Double((decreasedAt.map { now - $0 } ?? .seconds(3)).nanoseconds) / 1e9
        if calm < Self.nearTime || capacity.isKnown && current < capacity.upper {
            let response = Double(max(input.roundTrip + .milliseconds(100), .milliseconds(100)).nanoseconds) / 1e9
            let step = 4 * Self.packetBits / response
            // On a slow link a step is much: there the part is smaller.
            let most = min(Self.nearRate + Self.nearPart * current, Self.nearGrowth.upperBound * current)
            grown = max(min(step, most), current * Self.nearGrowth.lowerBound) * seconds
        } else {
            let part = min(max(0.08 * (calm - 1), Self.farGrowth.lowerBound), Self.farGrowth.upperBound)
            grown = current * (Exponential.pow(1 + part, seconds) - 1)
        }
        grown = max(grown, 1_000 * seconds) * min(max(room, 0), 1)
        rate = DataRate(bitsPerSecond: Int64(min(current + grown, limit)))
    }
}

extension RateController: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&rate)
        try c.code(&capacity)
        try c.code(&updatedAt)
        try c.code(&decreasedAt)
        try c.code(&forbornAt)
        try c.code(&limitedSince)
        try c.code(&refill)
        try c.code(&carries)
        try c.code(&before)
        let none = QueueTrial(from: Timestamp(nanoseconds: 0), until: Timestamp(nanoseconds: 0))
        try c.optional(&trial, none) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&foreign)
        try c.require(foreign >= .zero)
    }
}

extension LinkCapacityEstimate: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.real(&mean, -1...1e12)
        try c.real(&variance, Self.variances)
    }
}

extension QueueTrial: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&from)
        try c.code(&until)
        try c.code(&arriving)
        try c.code(&first)
        try c.code(&least)
    }
}
