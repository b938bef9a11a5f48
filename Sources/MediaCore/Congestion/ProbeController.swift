// When to send a run of packets faster than the estimate, and how fast: at the beginning, for what is wanted next, after a fall,
// and to see whether the path has so much room that whole frames may leave at once. Sends none and measures none.

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
    /// On a slower path a second probe right behind the first holds up the sound: only where it may show what is wanted.
    static let slowRate = DataRate.kilobitsPerSecond(250)
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
    /// Where all that is wanted is given already, a path that is shown to carry so much of it, in percent, may be sent a frame at
    /// once (`Participant.followDemand`). Nobody is in need of that: a step is small and short, so that a path that is nearly
    /// full does not notice.
    static let roomPercent: Int64 = 220
    static let roomStepPercent: Int64 = 150
    static let roomDuration = TimeDelta.milliseconds(25)
    /// Between two such probes: the first, then twice as long each time in vain.
    static let roomInterval = TimeDelta.seconds(2)
    static let longestRoomInterval = TimeDelta.seconds(64)

    private var nextID: Int32 = 1
    /// The probe to be sent, and whether it looks for room only.
    private var pending: DataRate?
    private var isForRoom = false
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
    /// A path that carries this has room; the rate that a look for room showed it to carry, zero where none did since it was
    /// last found full; and how long the next look waits.
    private var room = DataRate.zero
    private(set) var shown = DataRate.zero
    private var roomWait = roomInterval
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
        guard pending == nil, isStarted else { return nil }
        if wantsMore(than: estimate) { return due(after: wait) }
        return wantsRoom(above: estimate) ? due(after: roomWait) : nil
    }

    private func wantsMore(than estimate: DataRate) -> Bool { next > estimate && ceiling > estimate }

    private func wantsRoom(above estimate: DataRate) -> Bool { room > max(estimate, shown) }

    private func due(after wait: TimeDelta) -> Timestamp { lastAt.map { max($0 + wait, calmFrom) } ?? calmFrom }

    /// What is wanted next, what a path with room carries, zero where none is looked for, and what no probe for more need be
    /// above.
    mutating func setDemand(next: DataRate, room: DataRate, ceiling: DataRate, estimate: DataRate) {
        // Something new is wanted, a tenth more than before: it need not wait its turn.
        if ceiling.bitsPerSecond &* 10 > self.ceiling.bitsPerSecond &* 11 { wait = Self.leastInterval }
        self.next = next
        self.room = room
        self.ceiling = ceiling
        guard !isStarted, ceiling > estimate else { return }
        isStarted = true
        ask(for: estimate.scaled(by: Self.startFactor, over: 1))
    }

    private mutating func ask(for rate: DataRate) {
        let capped = min(rate, ceiling)
        pending = capped
        isForRoom = false
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
        let mayShowNext = next > result.rate
        let isWorthIt =
            result.rate < Self.slowRate ? !result.isSaturated && mayShowNext : !result.isSaturated || mayShowNext
        guard result.rate > followAbove, isWorthIt else { return }
        ask(for: result.rate.scaled(by: Self.factor, over: 1))
    }

    /// A probe that looked for room measured this. Gives false where another probe was sent last: `take` is for its results.
    mutating func takeRoom(_ result: ProbeResult) -> Bool {
        guard isForRoom else { return false }
        guard sentAt != nil else { return true }
        sentAt = nil
        if !result.isSaturated, result.rate > shown {
            shown = result.rate
            roomWait = Self.roomInterval
        }
        return true
    }

    /// The path has no room, or another one is taken.
    mutating func forgetRoom() { shown = .zero }

    /// The queue was found too full.
    mutating func noteOveruse(at now: Timestamp) {
        // What a probe raised is taken back at once: it promised too much, and the next may too.
        if let lastAt, now - lastAt < Self.takenBack {
            wait = min(max(wait, Self.interval) * 2, Self.longestInterval)
            roomWait = Self.longestRoomInterval
        }
        pending = nil
        sentAt = nil
        forgetRoom()
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
        guard pending == nil, sentAt == nil, isStarted, now >= calmFrom else { return }
        guard wantsMore(than: estimate) else { return lookForRoom(above: estimate, at: now) }
        if fallenFrom > .zero, estimate.bitsPerSecond &* 100 < fallenFrom.bitsPerSecond &* Self.fallPercent,
            let fallenAt, now - fallenAt <= Self.fallTime, lastAt.map({ now - $0 >= Self.fallTime }) ?? true
        {
            ask(for: fallenFrom.scaled(by: Self.recoveryPercent, over: 100))
            fallenFrom = .zero
            return
        }
        guard now >= due(after: wait) else { return }
        wait = min(max(wait + wait / 2, Self.interval), Self.longestInterval)
        let wanted = max(
            next.scaled(by: Self.demandPercent, over: 100), estimate.scaled(by: Self.leastPercent, over: 100))
        ask(for: min(estimate.scaled(by: Self.factor, over: 1), wanted))
    }

    private mutating func lookForRoom(above estimate: DataRate, at now: Timestamp) {
        guard wantsRoom(above: estimate), now >= due(after: roomWait) else { return }
        roomWait = min(roomWait * 2, Self.longestRoomInterval)
        pending = min(max(estimate, shown).scaled(by: Self.roomStepPercent, over: 100), room)
        isForRoom = true
        sentAt = nil
    }

    /// A cluster that is to be sent now.
    mutating func takeProbe(noise: TimeDelta, at now: Timestamp) -> ProbeCluster? {
        guard let rate = pending else { return nil }
        pending = nil
        sentAt = now
        lastAt = now
        defer { nextID = nextID == .max ? 1 : nextID + 1 }
        let least = isForRoom ? Self.roomDuration : Self.duration
        let duration = min(max(least, noise * Self.noiseFactor), Self.longestDuration)
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
        try c.code(&isForRoom)
        try c.code(&next)
        try c.code(&room)
        try c.code(&shown)
        try c.code(&ceiling)
        try c.code(&wait.nanoseconds, 0...Self.longestInterval.nanoseconds)
        try c.code(&roomWait.nanoseconds, 0...Self.longestRoomInterval.nanoseconds)
        try c.code(&fallenFrom)
        try c.code(&fallenAt)
    }
}
