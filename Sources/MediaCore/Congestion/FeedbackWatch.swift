// Whether feedback is overdue: the path is stuck, or the way back is. When a link stops, nothing tells of it but the time that
// packets have been in flight. Knows no rate.

/// How long feedback takes, and what it means when it does not come.
struct FeedbackWatch: BitwiseCopyable {
    /// What feedback is taken to take before the first, and at most.
    static let firstReach = TimeDelta.milliseconds(500)
    static let longestReach = TimeDelta.seconds(3)
    /// Beyond what it took lately: this, and a part of the time between two messages, in percent; then sending is held.
    static let grace = TimeDelta.milliseconds(30)
    static let holdPercent: Int64 = 40
    /// The same until the estimate falls.
    static let fallPercent: Int64 = 220
    /// What was held for a time is sent within so many times that.
    static let recoveryFactor: Int64 = 3
    static let longHold = TimeDelta.milliseconds(100)
    /// Between two halvings of the estimate, and how many there are: a thousandth is left.
    static let step = TimeDelta.milliseconds(50)
    static let mostHalvings: UInt8 = 10

    /// The time from sending a packet until feedback told of it: of a message's packets the longest, of messages lately.
    private(set) var reach = firstReach
    /// The time between two messages, smoothed.
    private(set) var interval = TimeDelta.milliseconds(100)
    private var lastAt: Timestamp?
    /// How often the estimate was halved.
    private(set) var halvings: UInt8 = 0
    /// Sending is held since then.
    private var holdingSince: Timestamp?
    /// What waited meanwhile is sent by then.
    private var recoversUntil: Timestamp?
    /// When it was held last for so long that what arrives afterwards tells little.
    private(set) var heldAt: Timestamp?

    init() {}

    /// What was held is being sent: it is to leave slowly.
    var isRecovering: Bool { recoversUntil != nil }
    /// Sending is held.
    var isHolding: Bool { holdingSince != nil }

    private func dueAt(_ sentAt: Timestamp, _ percent: Int64) -> Timestamp {
        sentAt + reach + Self.grace + interval * percent / 100
    }

    /// When something happens if the oldest packet in flight was sent then and no feedback comes.
    func deadline(oldestSent: Timestamp) -> Timestamp? {
        if !isHolding { return dueAt(oldestSent, Self.holdPercent) }
        return halvings < Self.mostHalvings ? fallsAt(oldestSent) : nil
    }

    private func fallsAt(_ sentAt: Timestamp) -> Timestamp {
        dueAt(sentAt, Self.fallPercent) + Self.step * Int64(halvings)
    }

    /// Feedback told of packets that it had not told of before, the oldest sent then. Gives how long the silence was when
    /// the estimate had fallen.
    mutating func take(oldestSent: Timestamp, at now: Timestamp) -> TimeDelta? {
        let sample = min(max(now - oldestSent, .zero), Self.longestReach)
        reach = lastAt == nil || sample > reach ? sample : reach - (reach - sample) / 16
        var silence: TimeDelta?
        if let lastAt {
            let gap = min(max(now - lastAt, .zero), .milliseconds(500))
            interval = interval + (gap - interval) / 8
            if halvings > 0 { silence = now - lastAt }
        }
        lastAt = now
        halvings = 0
        // A hold of a moment takes nothing from what is sent.
        if let holdingSince, now - holdingSince >= Self.longHold { heldAt = now }
        if let holdingSince { recoversUntil = now + min(now - holdingSince, .seconds(1)) * Self.recoveryFactor }
        if let until = recoversUntil, now >= until { recoversUntil = nil }
        holdingSince = nil
        return silence
    }

    /// Nothing is in flight any more.
    mutating func relax() {
        holdingSince = nil
        halvings = 0
    }

    /// Time went on. True when sending is to be held or the estimate falls.
    mutating func advance(oldestSent: Timestamp, to now: Timestamp) -> Bool {
        var changed = false
        if !isHolding, now >= dueAt(oldestSent, Self.holdPercent) {
            holdingSince = now
            changed = true
        }
        while halvings < Self.mostHalvings, now >= fallsAt(oldestSent) {
            halvings += 1
            changed = true
        }
        return changed
    }
}

extension FeedbackWatch: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&reach.nanoseconds, 0...Self.longestReach.nanoseconds)
        try c.code(&interval.nanoseconds, 0...Self.longestReach.nanoseconds)
        try c.code(&lastAt)
        try c.code(&halvings, 0...Int64(Self.mostHalvings))
        try c.code(&holdingSince)
        try c.code(&recoversUntil)
        try c.code(&heldAt)
    }
}

extension CheckpointCoder {
    /// A small number within a range.
    mutating func code(_ value: inout UInt8, _ range: ClosedRange<Int64>) throws(CheckpointError) {
        try code(&value)
        try require(range.contains(Int64(value)))
    }
}
