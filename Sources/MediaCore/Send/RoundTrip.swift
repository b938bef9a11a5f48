// The round trip to a peer from its report blocks (RFC 3550 §6.4.1), and the budget of retransmissions to it.

/// The round trip to one peer.
struct RoundTrip: BitwiseCopyable {
    /// What is assumed before the first measurement.
    static let assumed = TimeDelta.milliseconds(100)
    /// A measurement above this is not believed.
    static let largest = TimeDelta.seconds(10)

    /// The last measurement.
    private(set) var last: TimeDelta?
    private var smoothed: TimeDelta?

    /// The smoothed round trip; nil before the first measurement.
    var measured: TimeDelta? { smoothed }
    /// The smoothed round trip, or what is assumed.
    var value: TimeDelta { smoothed ?? Self.assumed }

    mutating func note(_ sample: TimeDelta) {
        guard sample >= .zero, sample < Self.largest else { return }
        last = sample
        smoothed = smoothed.map { $0 + (sample - $0) / 4 } ?? sample
    }
}

/// A bucket that fills with time: what a peer may cause in a second is bounded, whatever it asks for.
struct Budget: BitwiseCopyable {
    private let capacity: Int64
    private let perSecond: Int64
    /// In billionths of a unit.
    private var level: Int64
    private var filledAt: Timestamp?

    /// A full bucket. At most 1,000,000 of each.
    init(capacity: Int64, perSecond: Int64) {
        self.capacity = min(capacity, 1_000_000) * 1_000_000_000
        self.perSecond = min(perSecond, 1_000_000)
        level = self.capacity
    }

    /// Takes so many units, if they are there; more than the bucket holds are there when it is full.
    mutating func take(_ units: Int64 = 1, at now: Timestamp) -> Bool {
        if let filledAt, now > filledAt {
            let elapsed = min((now - filledAt).nanoseconds, 3_600_000_000_000)
            level = min(capacity, level + elapsed * perSecond)
        }
        filledAt = max(filledAt ?? now, now)
        let cost = min(max(units, 0), 1_000_000) * 1_000_000_000
        guard level >= min(cost, capacity) else { return false }
        level = max(0, level - cost)
        return true
    }
}

extension RoundTrip: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&last)
        try c.code(&smoothed)
        try c.require((last ?? .zero) >= .zero && (last ?? .zero) < Self.largest)
        try c.require((smoothed ?? .zero) >= .zero && (smoothed ?? .zero) < Self.largest)
    }
}

extension Budget: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        // How much it holds and how fast it fills are constants of the core.
        try c.code(&level, 0...capacity)
        try c.code(&filledAt)
    }
}
