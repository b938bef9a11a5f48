// When a server runs whose machine has other things to do: times in which it stands still, drawn from a seed. Whatever is
// due then, packets and timers alike, is done when they are over.

public import MediaCore

/// A machine that keeps its server waiting now and then.
public struct BusyServer: Sendable, Hashable {
    /// Once in every such stretch of time it stands still, somewhere in it…
    public var every: TimeDelta
    /// …for up to so long; less than `every`.
    public var longest: TimeDelta
    /// What it draws from.
    public var seed: UInt64

    /// A machine that keeps its server waiting.
    public init(every: TimeDelta, longest: TimeDelta, seed: UInt64 = 1) {
        self.every = every
        self.longest = longest
        self.seed = seed
    }

    /// When what is due at a time is done. Depends on nothing else, so that the order of questions does not matter.
    func done(dueAt time: Timestamp) -> Timestamp {
        let stretch = time.nanoseconds / every.nanoseconds
        var random = SeededRandom(seed: seed ^ UInt64(truncatingIfNeeded: stretch) &* 0x9e37_79b9)
        let length = Int64(random.unit() * Double(longest.nanoseconds))
        let begin = stretch * every.nanoseconds + Int64(random.unit() * Double(every.nanoseconds - length))
        let end = Timestamp(nanoseconds: begin + length)
        return time.nanoseconds >= begin && time < end ? end : time
    }
}
