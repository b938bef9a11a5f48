// Whether feedback is overdue: the path is stuck, or the way back is. Without feedback nothing tells that a link has stopped;
// the time that packets have been in flight does. Knows no rate.

/// How long feedback takes, and what it means when it does not come.
struct FeedbackWatch: BitwiseCopyable {
    /// Beyond what feedback took lately, before sending is held and before the estimate falls.
    static let grace = TimeDelta.milliseconds(30)
    /// What feedback is taken to take before the first.
    static let firstReach = TimeDelta.milliseconds(500)
    static let longestReach = TimeDelta.seconds(3)
    /// Between two halvings of the estimate.
    static let step = TimeDelta.milliseconds(50)
    /// Halvings at most: a thousandth is left.
    static let mostHalvings = 10

    /// The time from sending a packet until feedback told of it: the longest of a message's packets, the largest lately.
    private(set) var reach = firstReach
    /// The time between two messages, smoothed.
    private(set) var interval = TimeDelta.milliseconds(100)
    private var lastAt: Timestamp?
    /// How often the estimate was halved.
    private(set) var halvings = 0
    private var isKnown = false

    init() {}

    /// From when on sending is held, if the oldest packet in flight was sent then.
    func holdsAt(_ sentAt: Timestamp) -> Timestamp { sentAt + reach + Self.grace + TimeDelta(nanoseconds: Int64(Double(interval.nanoseconds) * Tuning.c)) }

    /// When the estimate falls (further).
    func fallsAt(_ sentAt: Timestamp) -> Timestamp {
        sentAt + reach + Self.grace + TimeDelta(nanoseconds: Int64(Double(interval.nanoseconds) * Tuning.d)) + Self.step * Int64(halvings)
    }

    /// Feedback told of packets that it had not told of before, the oldest sent then. Gives how long the silence was when
    /// the estimate had fallen.
    mutating func take(oldestSent: Timestamp, at now: Timestamp) -> TimeDelta? {
        let sample = min(max(now - oldestSent, .zero), Self.longestReach)
        reach = !isKnown || sample > reach ? sample : reach - (reach - sample) / 16
        isKnown = true
        var silence: TimeDelta?
        if let lastAt {
            let gap = min(max(now - lastAt, .zero), .milliseconds(500))
            interval = interval + (gap - interval) / 8
            if halvings > 0 { silence = now - lastAt }
        }
        lastAt = now
        halvings = 0
        return silence
    }

    /// Time went on. True when the estimate falls.
    mutating func advance(oldestSent: Timestamp, to now: Timestamp) -> Bool {
        guard halvings < Self.mostHalvings, now >= fallsAt(oldestSent) else { return false }
        halvings += 1
        return true
    }
}
