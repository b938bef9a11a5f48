// The rate at which packets arrive, by feedback: smoothed, as libwebrtc's estimate is (a Bayesian mean of samples of 150 ms, the
// less certain the further they are off), and the plain rate of the last moments.

/// The rate that arrives.
struct AcknowledgedBitrate: BitwiseCopyable {
    /// A sample covers so much time, the first one more.
    static let window = TimeDelta.milliseconds(150)
    static let firstWindow = TimeDelta.milliseconds(500)
    /// How uncertain a sample is for its distance from the estimate; more while less is sent than may be.
    static let uncertainty = 10.0
    static let limitedUncertainty = 20.0
    /// What the estimate's variance grows by with each sample, and when the rate may have leapt, in (kb/s)².
    static let variancePerSample = 5.0
    static let varianceOfLeap = 200.0
    /// The plain rate is taken from so many stretches of this length.
    static let stretch = TimeDelta.milliseconds(25)
    static let stretches = 20

    /// In kb/s; below zero before the first sample.
    private var estimate = -1.0
    private var variance = 50.0
    private var sum: Int64 = 0
    private var covered: Int64 = 0
    private var last: Int64?
    /// The bytes of each stretch, the newest first.
    private var bytes: InlineArray<20, Int32> = InlineArray(repeating: 0)
    private var place: Int64 = 0
    private var firstPlace: Int64?
    private var lastArrival: Int64 = 0

    init() {}

    /// The smoothed rate; nil before it is known.
    var rate: DataRate? { estimate >= 0 ? DataRate(bitsPerSecond: Int64(estimate * 1_000)) : nil }

    /// The plain rate of the last stretches, up to the last arrival; nil before so much time has gone by.
    func rate(overLast count: Int) -> DataRate? {
        let wanted = min(max(count, 2), Self.stretches)
        guard let firstPlace, place &- firstPlace >= Int64(wanted) else { return nil }
        var total: Int64 = 0
        // The stretch in hand and those before it.
        for i in 0..<wanted { total &+= Int64(bytes[i]) }
        let length = Self.stretch.nanoseconds
        let open = min(max(lastArrival &- place &* length, 0), length)
        return DataSize(bytes: total) / TimeDelta(nanoseconds: length &* Int64(wanted - 1) &+ open)
    }

    /// A packet arrived.
    mutating func note(_ size: Int64, at arrived: TimeDelta, isLimited: Bool) {
        sample(size, at: arrived.nanoseconds, isLimited: isLimited)
        count(size, at: arrived.nanoseconds)
    }

    /// The rate may leap: what limited it does so no more.
    mutating func expectLeap() { variance += Self.varianceOfLeap }

    /// The receiver's clock was set anew.
    mutating func clockChanged() {
        last = nil
        firstPlace = nil
    }

    private mutating func sample(_ size: Int64, at now: Int64, isLimited: Bool) {
        let window = estimate < 0 ? Self.firstWindow.nanoseconds : Self.window.nanoseconds
        if let last {
            let step = now &- last
            if step < 0 {
                if step < -1_000_000_000 { self.last = now }
                sum &+= size
                return
            }
            covered &+= step
            // Behind a pause the sample begins anew.
            if step > window {
                sum = 0
                covered = covered % window
            }
        }
        last = now
        if covered >= window {
            take(Double(sum) * 8_000_000 / Double(window), isLimited: isLimited)
            covered = covered &- window
            sum = 0
        }
        sum = min(sum &+ size, 1 << 40)
    }

    private mutating func take(_ kilobits: Double, isLimited: Bool) {
        guard estimate >= 0 else {
            estimate = kilobits
            return
        }
        let distance = estimate > kilobits ? estimate - kilobits : kilobits - estimate
        let scale = isLimited && kilobits < estimate ? Self.limitedUncertainty : Self.uncertainty
        let deviation = scale * distance / max(estimate, 1)
        let sampleVariance = deviation * deviation
        let prior = variance + Self.variancePerSample
        estimate = (sampleVariance * estimate + prior * kilobits) / (sampleVariance + prior)
        variance = sampleVariance * prior / (sampleVariance + prior)
    }

    private mutating func count(_ size: Int64, at now: Int64) {
        let here = now >= 0 ? now / Self.stretch.nanoseconds : (now &+ 1) / Self.stretch.nanoseconds &- 1
        let steps = here &- place
        if firstPlace == nil || steps < -Int64(Self.stretches) || steps >= Int64(Self.stretches) {
            if firstPlace == nil || steps < 0 { firstPlace = here }
            bytes = InlineArray(repeating: 0)
            place = here
            lastArrival = now
        } else if steps > 0 {
            for i in stride(from: Self.stretches - 1, through: 0, by: -1) {
                bytes[i] = i >= Int(steps) ? bytes[i - Int(steps)] : 0
            }
            place = here
        }
        lastArrival = max(lastArrival, now)
        let back = Int(place &- here)
        if back < Self.stretches { bytes[back] = Int32(clamping: Int64(bytes[back]) &+ size) }
    }
}
