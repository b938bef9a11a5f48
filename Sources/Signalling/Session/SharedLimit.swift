// Rate limits that several sessions have in common: those of one user, and those that come from one address. A session's own are
// `SessionMachine`'s. Sans-IO; knows neither users nor addresses but as keys.

/// A rate limit for each of many.
public struct SharedLimit<Key: Hashable & Sendable>: Sendable {
    private let perSecond: Int
    private let sentence: String
    /// Those of whom something was taken lately.
    private var buckets: [Key: TokenBucket] = [:]

    /// - Parameters:
    ///   - perSecond: units of each a second, over a long time; four times as many at once. 0: no limit.
    ///   - sentence: what whoever is beyond it is told.
    public init(perSecond: Int, sentence: String) {
        self.perSecond = perSecond
        self.sentence = sentence
    }

    /// How many are remembered.
    public var count: Int { buckets.count }

    /// Takes one unit.
    /// - Returns: nil where it was there, else the error that says when the next one is.
    public mutating func take(_ key: Key, at now: SessionTime) -> ProtocolError? {
        guard perSecond > 0 else { return nil }
        let burst = perSecond.multipliedReportingOverflow(by: 4)
        var bucket =
            buckets[key] ?? TokenBucket(perSecond: perSecond, burst: burst.overflow ? .max : burst.partialValue)
        let wait = bucket.take(1, at: now)
        buckets[key] = bucket
        return wait == 0 ? nil : .rateLimited(sentence, after: wait)
    }

    /// Forgets those whose units are all there again: nothing is lost with them.
    public mutating func forgetFull(at now: SessionTime) {
        buckets = buckets.filter { $0.value.full(after: now) != nil }
    }
}
