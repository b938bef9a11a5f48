// The rate at which packets arrive, by feedback, smoothed as libwebrtc does: a Bayesian mean of samples of 150 ms, each the less
// certain the further it is off.

/// The smoothed rate that arrives.
struct AcknowledgedBitrate: BitwiseCopyable {
    /// A sample covers so much time, the first one more.
    static let window = TimeDelta.milliseconds(150)
    static let firstWindow = TimeDelta.milliseconds(500)
    /// How uncertain a sample is for its distance from the estimate.
    static let uncertainty = 10.0
    /// What the estimate's variance grows by with each sample, in (kb/s)², and what it begins with.
    static let variancePerSample = 5.0
    static let firstVariance = 50.0

    /// In kb/s; below zero before the first sample.
    private var estimate = -1.0
    private var variance = firstVariance
    private var sum: Int64 = 0
    private var covered: Int64 = 0
    private var last: Int64?

    init() {}

    /// The smoothed rate; nil before it is known.
    var rate: DataRate? { estimate >= 0 ? DataRate(bitsPerSecond: Int64(estimate * 1_000)) : nil }

    /// The receiver's clock was set anew.
    mutating func clockChanged() {
        last = nil
        sum = 0
        covered = 0
    }

    /// A packet arrived.
    mutating func note(_ size: Int64, at arrived: TimeDelta) {
        let now = arrived.nanoseconds
        let window = estimate < 0 ? Self.firstWindow.nanoseconds : Self.window.nanoseconds
        if let last, now >= last {
            let step = now &- last
            covered &+= min(step, Int64(1) << 40)
            // Behind a pause the sample begins anew.
            if step > window {
                sum = 0
                covered %= window
            }
        }
        last = max(last ?? now, now)
        if covered >= window {
            take(Double(sum) * 8_000_000 / Double(window))
            covered &-= window
            sum = 0
        }
        sum = min(sum &+ size, Int64(1) << 40)
    }

    private mutating func take(_ kilobits: Double) {
        guard estimate >= 0 else {
            estimate = kilobits
            return
        }
        let distance = estimate > kilobits ? estimate - kilobits : kilobits - estimate
        let deviation = Self.uncertainty * distance / max(estimate, 1)
        let sampleVariance = deviation * deviation
        let prior = variance + Self.variancePerSample
        estimate = (sampleVariance * estimate + prior * kilobits) / (sampleVariance + prior)
        variance = sampleVariance * prior / (sampleVariance + prior)
    }
}

extension AcknowledgedBitrate: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.real(&estimate, -1...1e12)
        try c.real(&variance, 0...1e12)
        try c.code(&sum, 0...(Int64(1) << 40))
        try c.code(&covered, 0...(Int64(1) << 41))
        try c.optional(&last, 0) { c, v throws(CheckpointError) in try c.code(&v) }
    }
}

extension CheckpointCoder {
    /// A number with a fraction, bit for bit.
    mutating func real(_ value: inout Double, _ range: ClosedRange<Double>) throws(CheckpointError) {
        // The lowest bits of a round number are zero: they go first, where they cost nothing.
        value = Double(bitPattern: try unsigned(value.bitPattern.byteSwapped, limit: .max).byteSwapped)
        try require(range.contains(value))
    }
}
