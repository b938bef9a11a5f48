// What the allocation remembers: of one slot what it was given and when that changed, of one receiver what all of it takes.

/// Why a slot is given what it is given.
public enum AllocationReason: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// There is nothing to give.
    case nothing
    /// It has what the receiver has use for.
    case wanted
    /// The publisher sends nothing better.
    case publisher
    /// The estimate does not allow the next step.
    case estimate
    /// The estimate would allow the next step; it waits, since more was given and had to be taken away a short time ago.
    case held
}

/// What one slot was given last.
struct SlotAllocation: BitwiseCopyable {
    /// How long a slot that had to give something back does not get it again: at first, and at most where it happens over and
    /// over.
    static let shortestHold = TimeDelta.milliseconds(1_000)
    static let longestHold = TimeDelta.seconds(16)
    /// Something given back so soon after it was given was given too early.
    static let tooSoon = TimeDelta.seconds(6)
    /// One that kept what it was given for this long is trusted again.
    static let settled = TimeDelta.seconds(20)

    /// How long the lowest step goes on although it does not fit.
    static let patience = TimeDelta.milliseconds(1_500)
    /// How long the fewest frames of an encoding are shown before it is left: what layers take goes to and fro by more than what
    /// drains in that time, and the way back to an encoding takes a key frame.
    static let thinTime = TimeDelta.milliseconds(1_500)

    /// The room's number of the encoding, its place among the track's, and the highest layers of it; -1: nothing was given.
    var encoding: Int32 = -1
    var layer: UInt8 = 0
    var spatial: UInt8 = 0xff
    var temporal: UInt8 = 0xff
    var rate = DataRate.zero
    /// What the next better step takes alone; zero where there is none to want.
    var next = DataRate.zero
    /// The height of the next better step, 0 where it is not known.
    var nextHeight: UInt16 = 0
    /// The room's number of the encoding of the next better step, -1 for none.
    var nextEncoding: Int32 = -1
    var reason = AllocationReason.nothing
    /// It shows nothing since not even the lowest step fits.
    var isPaused = false
    /// Not even the lowest step fits, since then; it is shown all the same for a while.
    var shortSince: Timestamp?
    /// It shows fewer frames than are a step of its encoding, which it would have to leave otherwise, since then.
    var thinnedSince: Timestamp?
    /// It goes on with the least of an encoding that it shall leave, until the key frame of the other.
    var isLeaving = false
    /// When it got more, and when it lost something, last.
    var raisedAt: Timestamp?
    var loweredAt: Timestamp?
    /// What it had before it lost something: its rate and which step that was.
    var lostRate = DataRate.zero
    var lostLayer: UInt8 = 0
    var lostSpatial: UInt8 = 0
    var lostTemporal: UInt8 = 0
    var hold = SlotAllocation.shortestHold

    /// It does not get for now what it lost, or what takes as much. Nobody is left without a picture for longer than need be.
    private func isHolding(at now: Timestamp) -> Bool {
        loweredAt.map { now - $0 < (isPaused ? min(hold, Self.shortestHold * 2) : hold) } ?? false
    }

    /// It does not get a step that takes as much as this, or more.
    func heldRate(at now: Timestamp) -> DataRate? {
        isHolding(at: now) ? lostRate.scaled(by: 95, over: 100) : nil
    }

    /// It does not get this step, or one above it, whatever it is measured to take at the moment: the rates of layers go to and
    /// fro by more than any margin.
    func heldStep(of steps: StepList, at now: Timestamp) -> Int? {
        guard isHolding(at: now) else { return nil }
        return steps.firstIndex {
            if $0.layer != lostLayer { return $0.layer > lostLayer }
            if $0.spatial != lostSpatial { return $0.spatial > lostSpatial }
            return $0.temporal >= lostTemporal
        }
    }

    /// The lowest step, which does not fit, is shown all the same for now: what was measured of it may be a page that was
    /// turned, and the pace makes it last. Not where it is far from fitting.
    func keepsLowest(_ lowest: DataRate, estimate: DataRate, at now: Timestamp) -> Bool {
        guard encoding >= 0, !isPaused, estimate.bitsPerSecond &* 4 >= lowest.bitsPerSecond else { return false }
        return shortSince.map { now - $0 < Self.patience } ?? true
    }

    /// Whether not even the lowest step fits by what was measured, and whether it fits all the same: then its patience begins anew.
    mutating func noteShort(_ isShort: Bool, fits: Bool, at now: Timestamp) {
        guard isShort else {
            shortSince = nil
            return
        }
        if fits || shortSince == nil { shortSince = now }
    }

    /// It may show the fewest frames of its encoding instead of leaving that, now and for some time yet.
    func mayBeThinned(at now: Timestamp) -> Bool {
        encoding >= 0 && !isPaused && (thinnedSince.map { now - $0 < Self.thinTime } ?? true)
    }

    /// Whether it shows the fewest frames of its encoding.
    mutating func noteThinned(_ isThinned: Bool, at now: Timestamp) {
        thinnedSince = isThinned ? thinnedSince ?? now : nil
    }

    /// There is nothing to give it, or nobody looks: what it was given is forgotten, but not when.
    mutating func withdraw() {
        encoding = -1
        rate = .zero
        next = .zero
        nextEncoding = -1
        reason = .nothing
        isPaused = false
        shortSince = nil
        thinnedSince = nil
        isLeaving = false
    }

    /// Something has to be given back of what was given before.
    mutating func lower(from before: SlotAllocation, at now: Timestamp) {
        lostRate = before.rate
        lostLayer = before.layer
        lostSpatial = before.spatial
        lostTemporal = before.temporal
        // Once for each time that something was given: a fall over many steps is one fall.
        if let raisedAt, now - raisedAt < Self.tooSoon, loweredAt.map({ $0 < raisedAt }) ?? true {
            hold = min(hold * 2, Self.longestHold)
        }
        loweredAt = now
    }

    /// Something more is given.
    mutating func raise(at now: Timestamp) {
        if let loweredAt, now - loweredAt > Self.settled { hold = Self.shortestHold }
        raisedAt = now
    }
}

/// What one receiver's slots take altogether.
struct PeerDemand: BitwiseCopyable {
    /// The sound that is sent and what is sent again, what the slots were given of the rest, what the next better step and
    /// everything would need.
    var other = DataRate.zero
    var allocated = DataRate.zero
    var next = DataRate.zero
    var wanted = DataRate.zero
    /// The estimate that the last allocation was made for.
    var estimate = DataRate.zero
    /// What the path is known to carry.
    var carried = DataRate.zero
    /// Bytes of packets sent again since a moment, and the rate of that, smoothed: what is lost takes its part of the estimate.
    var resent: Int64 = 0
    var resentSince: Timestamp?
    var resending = DataRate.zero
    /// The number of the last change of the estimate that was looked at, and the estimate that was told last.
    var change: UInt32 = 0
    var told = DataRate.zero

    /// What is sent again, measured anew where the last time was long enough ago.
    mutating func measureResent(at now: Timestamp) {
        guard let since = resentSince else {
            resentSince = now
            resent = 0
            return
        }
        guard now - since >= RoomCore.allocationInterval * 4 / 5 else { return }
        let rate = DataSize(bytes: resent) / (now - since)
        resending = resending.scaled(by: 7, over: 8) + rate.scaled(by: 1, over: 8)
        resent = 0
        resentSince = now
    }
}

extension SlotAllocation: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.row(&encoding)
        try c.code(&layer)
        try c.code(&spatial)
        try c.code(&temporal)
        try c.code(&rate)
        try c.code(&next)
        try c.code(&nextHeight)
        try c.row(&nextEncoding)
        try c.code(&reason)
        try c.code(&isPaused)
        try c.code(&shortSince)
        try c.code(&thinnedSince)
        try c.code(&isLeaving)
        try c.code(&raisedAt)
        try c.code(&loweredAt)
        try c.code(&lostRate)
        try c.code(&lostLayer)
        try c.code(&lostSpatial)
        try c.code(&lostTemporal)
        try c.code(&hold)
        try c.require(hold >= Self.shortestHold && hold <= Self.longestHold)
    }
}

extension PeerDemand: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&other)
        try c.code(&allocated)
        try c.code(&next)
        try c.code(&wanted)
        try c.code(&estimate)
        try c.code(&carried)
        try c.number(&resent)
        try c.code(&resentSince)
        try c.code(&resending)
        try c.code(&change)
        try c.code(&told)
    }
}
