// Whether packets are lost because too much is sent, by transport-wide feedback: the rate is cut to what arrives, and where
// the loss stays as it was, it was not the rate's fault and the rate goes back. Knows nothing of delay.

/// What loss says of the rate.
struct LossEstimator: BitwiseCopyable {
    /// Losses are counted over stretches of at least this time and so many packets; this many stretches are looked at.
    static let stretch = TimeDelta.milliseconds(250)
    static let leastPackets: Int64 = 20
    static let stretches = 4
    /// This much more than the path loses by itself, in so many of the stretches and packets, is loss that needs a reason.
    static let excess = 0.025
    static let stretchesWithLoss = 3
    static let leastLost: Int64 = 4
    /// Of what arrives so much is sent then, and of what was sent at least so much, in percent.
    static let arrivingPercent: Int64 = 97
    static let leastPercent: Int64 = 70
    /// The loss was the rate's fault when less than this part of the excess is left.
    static let explainedPart = 0.5
    /// A path is not believed to lose more than this by itself.
    static let mostInherent = 0.3
    /// So many deviations of chance make no excess.
    static let deviations = 2.5
    /// How much the limit grows a second: more the longer nothing is lost.
    static let growth = 0.04...0.25

    fileprivate struct Count: BitwiseCopyable {
        var packets: Int64 = 0
        var lost: Int64 = 0
        var part: Double { packets > 0 ? Double(lost) / Double(packets) : 0 }
    }

    fileprivate struct Trial: BitwiseCopyable {
        /// The stretches closed from then on count.
        var from: Timestamp
        var excess: Double
        var count = Count()
        var stretches: UInt8 = 0
    }

    private var counts: InlineArray<4, Count> = InlineArray(repeating: Count())
    private var filled: UInt8 = 0
    private var open = Count()
    private var openSince: Timestamp?
    /// The part that the path loses by itself, whatever is sent, 0 to 1.
    private(set) var inherent = 0.0
    private var trial: Trial?
    private var updatedAt: Timestamp?
    private var lostAt: Timestamp?
    /// The rate that loss allows; nil where it does not limit.
    private(set) var limit: DataRate?

    init() {}

    /// The part lost lately, 0 to 1.
    var recent: Double { sum.part }

    private var sum: Count {
        var sum = open
        for i in 0..<Self.stretches {
            sum.packets &+= counts[i].packets
            sum.lost &+= counts[i].lost
        }
        return sum
    }

    /// A packet arrived.
    mutating func noteReceived(wasLost: Bool) {
        if wasLost {
            open.lost = max(0, open.lost &- 1)
        } else {
            open.packets = min(open.packets &+ 1, 1 << 40)
        }
    }

    /// A packet did not arrive.
    mutating func noteLost() {
        open.packets = min(open.packets &+ 1, 1 << 40)
        open.lost = min(open.lost &+ 1, 1 << 40)
    }

    /// Judges anew. `rate` is the rate that delay allows, `arriving` and `sending` what arrives of what is sent; `isExplained`
    /// says that delay has cut the rate just now, or a queue stands. True when the limit was lowered.
    mutating func update(
        rate: DataRate, arriving: DataRate?, sending: DataRate?, isExplained: Bool, roundTrip: TimeDelta,
        at now: Timestamp
    ) -> Bool {
        grow(rate: rate, at: now)
        guard let since = openSince else {
            openSince = now
            return false
        }
        guard now - since >= Self.stretch, open.packets >= Self.leastPackets else { return false }
        let closed = open
        for i in stride(from: Self.stretches - 1, to: 0, by: -1) { counts[i] = counts[i - 1] }
        counts[0] = closed
        filled = min(filled &+ 1, UInt8(Self.stretches))
        open = Count()
        openSince = now
        let loss = sum.part
        let margin = margin
        if loss - inherent < margin { inherent += (loss - inherent) / (inherent - loss > margin ? 2 : 16) }
        if loss - inherent > margin { lostAt = now }
        if trial != nil {
            conclude(closed, at: now)
            return false
        }
        if isExplained { return false }
        // Of the rate as much as arrives of what is sent, which may be less than the rate.
        let rate = min(rate, limit ?? rate)
        var part = 1.0
        if let arriving, let sending, sending > .zero {
            part = min(1, Double(arriving.bitsPerSecond) / Double(sending.bitsPerSecond))
        }
        let carried = DataRate(bitsPerSecond: Int64(Double(rate.bitsPerSecond) * part))
        return begin(loss, rate: rate, carried: carried, roundTrip: roundTrip, at: now)
    }

    /// What more is lost than the path does by itself before it needs a reason: not what chance makes of so few packets.
    private var margin: Double {
        let variance = inherent * (1 - inherent) / Double(max(sum.packets, 1))
        return max(Self.excess, Self.deviations * max(variance, 0).squareRoot())
    }

    /// Cuts the rate when more is lost than the path loses by itself.
    private mutating func begin(
        _ loss: Double, rate: DataRate, carried: DataRate, roundTrip: TimeDelta, at now: Timestamp
    ) -> Bool {
        var stretches = 0
        for i in 0..<Self.stretches where counts[i].lost > 0 { stretches += 1 }
        guard Int(filled) == Self.stretches, loss - inherent > margin, stretches >= Self.stretchesWithLoss,
            sum.lost >= Self.leastLost
        else { return false }
        let least = rate.scaled(by: Self.leastPercent, over: 100)
        let safe = carried.scaled(by: Self.arrivingPercent, over: 100)
        let cut = min(max(safe, least), rate.scaled(by: Self.arrivingPercent, over: 100))
        limit = min(limit ?? cut, cut)
        trial = Trial(from: now + roundTrip, excess: loss - inherent)
        return true
    }

    /// Looks whether the cut took the loss away.
    private mutating func conclude(_ closed: Count, at now: Timestamp) {
        guard var trial, now - Self.stretch >= trial.from else { return }
        trial.count.packets &+= closed.packets
        trial.count.lost &+= closed.lost
        trial.stretches &+= 1
        self.trial = trial
        guard Int(trial.stretches) >= Self.stretches else { return }
        self.trial = nil
        let left = trial.count.part
        guard left - inherent > trial.excess * Self.explainedPart, left <= Self.mostInherent else { return }
        inherent = left
        limit = nil
    }

    private mutating func grow(rate: DataRate, at now: Timestamp) {
        defer { updatedAt = now }
        guard let limit, let updatedAt, trial == nil else { return }
        let seconds = Double(min(max(now - updatedAt, .zero), .seconds(1)).nanoseconds) / 1e9
        let calm = Double((lostAt.map { now - $0 } ?? .zero).nanoseconds) / 1e9
        let part = min(max(Self.growth.lowerBound * (calm - 1), Self.growth.lowerBound), Self.growth.upperBound)
        let next = DataRate(bitsPerSecond: Int64(Double(limit.bitsPerSecond) * (1 + part * seconds)) + 1)
        // Where delay limits to less, loss does not.
        self.limit = next > rate ? nil : next
    }
}

extension LossEstimator: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        for i in 0..<Self.stretches { try c.code(&counts[i]) }
        try c.code(&filled, 0...Int64(Self.stretches))
        try c.code(&open)
        try c.code(&openSince)
        try c.real(&inherent, 0...1)
        let none = Trial(from: Timestamp(nanoseconds: 0), excess: 0)
        try c.optional(&trial, none) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&updatedAt)
        try c.code(&lostAt)
        try c.optional(&limit, .zero) { c, v throws(CheckpointError) in try c.code(&v) }
    }
}

extension LossEstimator.Count: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&packets, 0...(1 << 42))
        try c.code(&lost, 0...(1 << 42))
        try c.require(lost <= packets)
    }
}

extension LossEstimator.Trial: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&from)
        try c.real(&excess, 0...1)
        try c.code(&count)
        try c.code(&stretches, 0...Int64(LossEstimator.stretches))
    }
}
