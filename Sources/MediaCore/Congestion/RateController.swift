// The rate that delay allows: up while nothing stands in the queue, down to what arrives when it fills, and up again at once when
// it is empty. Additive near the rate at which it filled before, faster further away. Knows nothing of loss.

/// What is known when feedback came, and the rate is judged anew.
struct RateInput: BitwiseCopyable {
    var use = DelayUse.normal
    /// What stands in the queue.
    var queue: TimeDelta?
    /// What stood in it for long.
    var persistent = TimeDelta.zero
    /// How much that wobbles.
    var noise = TimeDelta.zero
    /// The smoothed rate that arrives.
    var acknowledged: DataRate?
    /// The plain rate of the last moments.
    var delivered: DataRate?
    var roundTrip = TimeDelta.zero
    /// The rate is not raised above this.
    var limit = DataRate.zero
    /// Sending was held lately: what arrived tells little.
    var wasHeld = false
    /// Less is sent than may be.
    var isLimited = false
}

/// Where the queue filled before: a mean of rates and how far they lay apart (as libwebrtc's link capacity estimate).
struct LinkCapacityEstimate: BitwiseCopyable {
    private var mean = -1.0
    private var variance = 0.4

    /// In kb/s; nil while it is not known.
    private var deviation: Double { (variance * mean).squareRoot() }
    var isKnown: Bool { mean >= 0 }
    var value: Double? { isKnown ? mean * 1_000 : nil }
    var upper: Double { isKnown ? (mean + 3 * deviation) * 1_000 : .infinity }
    var lower: Double { isKnown ? max(0, mean - 3 * deviation) * 1_000 : 0 }

    mutating func forget() { self = LinkCapacityEstimate() }
    mutating func noteOveruse(_ rate: DataRate) { note(rate, weight: 0.05) }
    mutating func noteProbe(_ rate: DataRate) { note(rate, weight: 0.5) }

    private mutating func note(_ rate: DataRate, weight: Double) {
        let sample = Double(rate.bitsPerSecond) / 1_000
        if isKnown { mean += weight * (sample - mean) } else { mean = sample }
        let norm = max(mean, 1)
        let error = mean - sample
        variance = (1 - weight) * variance + weight * error * error / norm
        variance = min(max(variance, 0.4), 2.5)
    }
}

/// The rate that delay allows.
struct RateController: BitwiseCopyable {
    /// Standing queue that is too much: this, and the time that so many bits take at the rate.
    static let queueAllowed = TimeDelta.milliseconds(12)
    static let queueBits = 9_600.0
    static let mostQueueAllowed = TimeDelta.milliseconds(80)

    private(set) var rate: DataRate
    private(set) var capacity = LinkCapacityEstimate()
    private var updatedAt: Timestamp?
    private var decreasedAt: Timestamp?
    /// The rate to be gone back to when the queue is empty; zero while nothing drains.
    private var refill = DataRate.zero
    /// What the queue may hold more because it does so whatever is sent, in nanoseconds.
    private(set) var tolerance: Int64 = 0

    init(_ rate: DataRate) { self.rate = rate }

    /// What may stand in the queue.
    func threshold(_ input: RateInput) -> TimeDelta {
        let bits = TimeDelta(nanoseconds: Int64(Self.queueBits * 1e9 / Double(max(rate.bitsPerSecond, 10_000))))
        let own = Self.queueAllowed + min(max(bits, input.noise * 3), Self.mostQueueAllowed)
        return input.persistent > .milliseconds(60) ? own + input.persistent : own
    }

    /// Sets the rate: a probe measured it, or everything begins anew.
    mutating func set(_ rate: DataRate, at now: Timestamp, isProbe: Bool) {
        self.rate = rate
        refill = .zero
        updatedAt = now
        if isProbe { capacity.noteProbe(rate) } else { capacity.forget() }
    }

    var hold = false
    mutating func google(_ input: RateInput, at now: Timestamp) -> Bool {
        defer { updatedAt = now }
        if input.use == .over {
            let wait = min(max(input.roundTrip, .milliseconds(10)), .milliseconds(200))
            var may = decreasedAt.map { now - $0 >= wait } ?? true
            if let a = input.acknowledged, a.scaled(by: 2, over: 1) < rate { may = true }
            guard may else { hold = true; return false }
            decreasedAt = now
            guard let a = input.acknowledged else { rate = rate.scaled(by: 1, over: 2); return true }
            var d = a.scaled(by: 85, over: 100)
            if d > rate, let c = capacity.value { d = DataRate(bitsPerSecond: Int64(c * 0.85)) }
            rate = min(rate, d)
            if Double(a.bitsPerSecond) < capacity.lower { capacity.forget() }
            capacity.noteOveruse(a)
            hold = true
            return true
        }
        if input.use == .under { hold = true; return false }
        if hold { hold = false }
        increase(input, .zero, .seconds(1), at: now)
        return false
    }
    /// Judges the rate anew. True when the queue was found too full.
    mutating func update(_ input: RateInput, at now: Timestamp) -> Bool {
        if Tuning.google { return google(input, at: now) }
        defer { updatedAt = now }
        let queue = input.queue ?? .zero
        let threshold = threshold(input)
        let isOver = input.use == .over && queue * 10 > threshold * 4 || queue > threshold
        if isOver {
            guard mayDecrease(input, at: now) else { return false }
            decrease(input, queue - (input.persistent > .milliseconds(60) ? input.persistent : .zero), at: now)
            return true
        }
        if refill > .zero {
            let isEmpty = queue < threshold / 4 || input.use == .normal && queue < threshold / 2
            let since = decreasedAt.map { now - $0 } ?? .zero
            if isEmpty && since >= input.roundTrip || since > .seconds(1) {
                rate = max(rate, refill)
                refill = .zero
            }
            return false
        }
        if input.use != .under || queue < threshold / 2 { increase(input, queue, threshold, at: now) }
        return false
    }

    private func mayDecrease(_ input: RateInput, at now: Timestamp) -> Bool {
        guard let decreasedAt else { return true }
        let wait = min(max(input.roundTrip + .milliseconds(100), .milliseconds(100)), .milliseconds(400))
        if now - decreasedAt >= wait { return true }
        if let acknowledged = input.delivered { return acknowledged.scaled(by: 2, over: 1) < rate }
        return false
    }

    private mutating func decrease(_ input: RateInput, _ queue: TimeDelta, at now: Timestamp) {
        decreasedAt = now
        guard let arrives = input.delivered ?? input.acknowledged else {
            rate = rate.scaled(by: 1, over: 2)
            return
        }
        if Double(arrives.bitsPerSecond) < capacity.lower { capacity.forget() }
        capacity.noteOveruse(arrives)
        // In half a second what stands is gone.
        let part = min(max(930 - max(queue.nanoseconds, 0) / 600_000, 600), 930) //.nanoseconds / 600_000, 600), 930)
        let wanted = arrives.scaled(by: part, over: 1_000)
        refill = min(arrives.scaled(by: 95, over: 100), rate)
        rate = min(rate, input.wasHeld ? max(wanted, rate.scaled(by: 7, over: 10)) : wanted)
    }

    private mutating func increase(_ input: RateInput, _ queue: TimeDelta, _ threshold: TimeDelta, at now: Timestamp) {
        let elapsed = min(max((updatedAt.map { now - $0 } ?? .zero).nanoseconds, 0), 1_000_000_000)
        let seconds = Double(elapsed) / 1e9
        let current = Double(rate.bitsPerSecond)
        if let arrives = input.acknowledged, Double(arrives.bitsPerSecond) > capacity.upper { capacity.forget() }
        var grown: Double
        if capacity.isKnown && current < capacity.upper {
            let response = Double((input.roundTrip + .milliseconds(100)).nanoseconds) / 1e9
            let additive = max(9_600 / max(response, 0.05) * (1 + Tuning.a), current * Tuning.b)
            grown = current + additive * seconds
        } else {
            grown = current * Exponential.pow(1.08, seconds)
            grown = max(grown, current + 1_000 * seconds)
        }
        let room = 1.5 - 1.5 * Double(queue.nanoseconds) / Double(threshold.nanoseconds)
        grown = current + (grown - current) * min(max(room, 0), 1)
        var limit = Double(input.limit.bitsPerSecond)
        if let arrives = input.acknowledged { limit = min(limit, 1.5 * Double(arrives.bitsPerSecond) + 10_000) }
        let next = min(grown, max(current, limit))
        rate = DataRate(bitsPerSecond: Int64(min(next, Double(CheckpointLimit.setting))))
    }
}
