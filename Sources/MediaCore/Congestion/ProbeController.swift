// When to send a run of packets faster than the estimate, and how fast: at the beginning, for what is wanted next, and after a
// fall. Sends none and measures none.

/// Why a probe is sent.
enum ProbeReason: UInt8, BitwiseCopyable {
    /// Nothing is known yet.
    case start
    /// The probe before arrived nearly as fast as it was sent.
    case followUp
    /// The next better step needs more than the estimate.
    case demand
    /// The estimate fell far, and the queue is empty again.
    case recovery
}

/// Decides on probes.
struct ProbeController: BitwiseCopyable {
    /// A cluster takes so long, more where the delay is noisy, and has so many packets at least: over 25 ms ten milliseconds
    /// of jitter make an error of a tenth.
    static let duration = TimeDelta.milliseconds(40)
    static let noiseFactor: Int64 = 6
    static let longestDuration = TimeDelta.milliseconds(60)
    static let packets = 5
    /// Fewer bytes tell little beside others' packets.
    static let leastBytes = 2_000
    /// The first is sent at so many times the estimate, one that follows or asks for more at so many times.
    static let startFactor: Int64 = 3
    static let factor: Int64 = 2
    /// What is wanted next is probed with this margin, and the estimate with that one at least, in percent.
    static let demandPercent: Int64 = 110
    static let leastPercent: Int64 = 150
    /// A result of at least so much of the probe's rate is followed by another, in percent.
    static let followPercent: Int64 = 70
    /// A result is waited for this long.
    static let patience = TimeDelta.seconds(1)
    /// Between two probes for what is wanted: the first when that changed, then the second, longer each time in vain.
    static let leastInterval = TimeDelta.seconds(1)
    static let interval = TimeDelta.milliseconds(2_500)
    static let longestInterval = TimeDelta.seconds(5)
    /// A result so far above the estimate, in percent, is soon followed by another probe, even where the path seemed full.
    static let farPercent: Int64 = 140
    /// Over-use so soon after a probe is that probe's fault.
    static let takenBack = TimeDelta.milliseconds(1_500)
    /// After the queue was too full no probe is sent for so long.
    static let calm = TimeDelta.milliseconds(500)
    /// A fall to less than this within this time, in percent, is probed when all is calm: at so much of the old rate.
    static let fallPercent: Int64 = 66
    static let fallTime = TimeDelta.seconds(5)
    static let recoveryPercent: Int64 = 85

    private var nextID: Int32 = 1
    /// The probe to be sent.
    private var pending: DataRate?
    /// A result above this is followed by another probe.
    private var followAbove = DataRate.zero
    /// When the probe in hand was sent, until its result is there or is waited for no longer.
    private var sentAt: Timestamp?
    private var lastAt: Timestamp?
    private var calmFrom = Timestamp(nanoseconds: 0)
    private var isStarted = false
    /// What the next step needs, and no probe is faster than.
    private var next = DataRate.zero
    private var ceiling = DataRate.zero
    private var wait = interval
    /// What the estimate was before it fell, and when.
    private var fallenFrom = DataRate.zero
    private var fallenAt: Timestamp?

    init() {}

    /// Begins anew: nothing is known of the path.
    mutating func begin() {
        let id = nextID
        self = ProbeController()
        nextID = id
    }

    /// When something is due next.
    func deadline(estimate: DataRate) -> Timestamp? {
        if let sentAt { return sentAt + Self.patience }
        guard pending == nil, isStarted, wantsMore(than: estimate) else { return nil }
        return dueAt
    }

    private func wantsMore(than estimate: DataRate) -> Bool { next > estimate && ceiling > estimate }

    private var dueAt: Timestamp { lastAt.map { max($0 + wait, calmFrom) } ?? calmFrom }

    /// What is wanted next, and what no probe need be above.
    mutating func setDemand(next: DataRate, ceiling: DataRate, estimate: DataRate) {
        // Something new is wanted, a tenth more than before: it need not wait its turn.
        if ceiling.bitsPerSecond &* 10 > self.ceiling.bitsPerSecond &* 11 { wait = Self.leastInterval }
        self.next = next
        self.ceiling = ceiling
        guard !isStarted, ceiling > estimate else { return }
        isStarted = true
        ask(for: estimate.scaled(by: Self.startFactor, over: 1))
    }

    private mutating func ask(for rate: DataRate) {
        let capped = min(rate, ceiling)
        pending = capped
        sentAt = nil
        followAbove =
            capped < ceiling ? capped.scaled(by: Self.followPercent, over: 100) : DataRate(bitsPerSecond: .max)
    }

    /// A probe measured this; the estimate was that.
    mutating func take(_ result: ProbeResult, before estimate: DataRate) {
        guard sentAt != nil else { return }
        sentAt = nil
        if result.rate > estimate {
            let isFar = result.rate.bitsPerSecond &* 100 >= estimate.bitsPerSecond &* Self.farPercent
            wait = isFar ? Self.leastInterval : Self.interval
        }
        // While the path shows no end it goes on to all that is wanted.
        guard result.rate > followAbove, !result.isSaturated || next > result.rate else { return }
        ask(for: result.rate.scaled(by: Self.factor, over: 1))
    }

    /// The queue was found too full.
    mutating func noteOveruse(at now: Timestamp) {
        // What a probe raised is taken back at once: it promised too much, and the next may too.
        if let lastAt, now - lastAt < Self.takenBack { wait = min(max(wait, Self.interval) * 2, Self.longestInterval) }
        pending = nil
        sentAt = nil
        calmFrom = now + Self.calm
    }

    /// The estimate changed.
    mutating func noteChange(from old: DataRate, to new: DataRate, at now: Timestamp) {
        if let fallenAt, now - fallenAt > Self.fallTime { fallenFrom = .zero }
        if new < old, fallenFrom == .zero {
            fallenFrom = old
            fallenAt = now
        }
    }

    /// Time went on, or feedback came.
    mutating func advance(estimate: DataRate, at now: Timestamp) {
        if let sentAt, now - sentAt >= Self.patience { self.sentAt = nil }
        guard pending == nil, sentAt == nil, isStarted, now >= calmFrom, wantsMore(than: estimate) else { return }
        if fallenFrom > .zero, estimate.bitsPerSecond &* 100 < fallenFrom.bitsPerSecond &* Self.fallPercent,
            let fallenAt, now - fallenAt <= Self.fallTime, lastAt.map({ now - $0 >= Self.fallTime }) ?? true
        {
            ask(for: fallenFrom.scaled(by: Self.recoveryPercent, over: 100))
            fallenFrom = .zero
            return
        }
        guard now >= dueAt else { return }
        wait = min(max(wait + wait / 2, Self.interval), Self.longestInterval)
        let wanted = max(
            next.scaled(by: Self.demandPercent, over: 100), estimate.scaled(by: Self.leastPercent, over: 100))
        ask(for: min(estimate.scaled(by: Self.factor, over: 1), wanted))
    }

    /// A cluster that is to be sent now.
    mutating func takeProbe(noise: TimeDelta, at now: Timestamp) -> ProbeCluster? {
        guard let rate = pending else { return nil }
        pending = nil
        sentAt = now
        lastAt = now
        defer { nextID = nextID == .max ? 1 : nextID + 1 }
        let duration = min(max(Self.duration, noise * Self.noiseFactor), Self.longestDuration)
        return ProbeCluster(
            id: nextID, rate: rate, minimumPackets: Self.packets,
            minimumBytes: max(Self.leastBytes, Int((rate * duration).bytes)))
    }
}

extension ProbeController: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&nextID, 1...Int64(Int32.max))
        try c.optional(&pending, .zero) { c, v throws(CheckpointError) in try c.code(&v) }
        // Infinite where nothing follows.
        try c.code(&followAbove.bitsPerSecond, 0...Int64.max)
        try c.code(&sentAt)
        try c.code(&lastAt)
        try c.code(&calmFrom)
        try c.code(&isStarted)
        try c.code(&next)
        try c.code(&ceiling)
        try c.code(&wait.nanoseconds, 0...Self.longestInterval.nanoseconds)
        try c.code(&fallenFrom)
        try c.code(&fallenAt)
    }
}
