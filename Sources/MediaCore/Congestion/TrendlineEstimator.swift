// Whether the delay rises, by the slope of a line through the delay of the last groups of packets, against a threshold that
// follows what the path does by itself (as the Google congestion control of WebRTC does: draft-ietf-rmcat-gcc-02 §5, with a
// line in place of its Kalman filter). Says what the delay does, not what to do about it.

/// What the delay does.
enum DelayUse: UInt8, BitwiseCopyable {
    /// Nothing to speak of.
    case normal
    /// It rises: more is sent than the path carries.
    case over
    /// It falls: a queue empties.
    case under
}

/// The slope of the delay.
struct TrendlineEstimator: ~Copyable {
    /// Groups that the line goes through.
    static let window = 20
    /// Of each new value 1 ÷ this goes into the smoothed delay.
    static let smoothing: Int64 = 10
    /// The slope is scaled by the groups seen, at most so many, and by this.
    static let mostDeltas: Int64 = 60
    static let gain = 4.0
    /// The threshold in milliseconds: at first, at least, at most.
    static let firstThreshold = 12.5
    static let thresholds = 6.0...600.0
    /// How fast the threshold follows: per millisecond, up and down.
    static let followUp = 0.0087
    static let followDown = 0.039
    /// A slope this far above the threshold, in milliseconds, does not move it.
    static let outlier = 15.0
    /// Over-use is told when the slope was too steep for this long.
    static let patience = TimeDelta.milliseconds(10)

    private struct Point: BitwiseCopyable {
        /// The arrival, on the receiver's clock.
        var at: Int64
        /// The smoothed delay in nanoseconds.
        var delay: Int64
    }

    private var points: [Point] = []
    private var deltas: Int64 = 0
    private var accumulated: Int64 = 0
    private var smoothed: Int64 = 0
    /// In milliseconds.
    private(set) var threshold = firstThreshold
    /// The scaled slope, to be compared with the threshold, in milliseconds.
    private(set) var trend = 0.0
    private var slope = 0.0
    private var thresholdAt: Int64?
    private var overFor: TimeDelta?
    private var overCount: UInt32 = 0
    private(set) var use = DelayUse.normal

    init() { points.reserveCapacity(Self.window + 1) }

    /// Forgets the line, not the threshold: packets take another path, or a pause went by.
    mutating func restart() {
        points.removeAll(keepingCapacity: true)
        deltas = 0
        accumulated = 0
        smoothed = 0
        trend = 0
        slope = 0
        overFor = nil
        overCount = 0
        use = .normal
        thresholdAt = nil
    }

    /// Takes the change of delay between two groups.
    mutating func take(_ delta: GroupDelta) {
        let change = (delta.arrived - delta.sent).nanoseconds
        deltas = min(deltas &+ 1, 1_000)
        accumulated = accumulated &+ change
        smoothed = smoothed &+ (accumulated &- smoothed) / Self.smoothing
        points.append(Point(at: delta.arrivedAt.nanoseconds, delay: smoothed))
        if points.count > Self.window { points.removeFirst() }
        let before = slope
        if points.count == Self.window { slope = fitted() ?? slope }
        detect(before: before, delta)
        follow(delta.arrivedAt.nanoseconds)
    }

    /// The slope of the line with the least squares; nil when all arrived at once.
    private func fitted() -> Double? {
        let origin = points[0]
        var sumX = 0.0
        var sumY = 0.0
        for point in points {
            sumX += Double(point.at &- origin.at)
            sumY += Double(point.delay &- origin.delay)
        }
        let meanX = sumX / Double(Self.window)
        let meanY = sumY / Double(Self.window)
        var numerator = 0.0
        var denominator = 0.0
        for point in points {
            let x = Double(point.at &- origin.at) - meanX
            numerator += x * (Double(point.delay &- origin.delay) - meanY)
            denominator += x * x
        }
        return denominator > 0 ? numerator / denominator : nil
    }

    private mutating func detect(before: Double, _ delta: GroupDelta) {
        guard deltas >= 2 else { return }
        trend = Double(min(deltas, Self.mostDeltas)) * slope * Self.gain
        if trend > threshold {
            // At first half of the time is counted: it began somewhere within.
            overFor = overFor.map { $0 + delta.sent } ?? delta.sent / 2
            overCount &+= 1
            if overFor ?? .zero > Self.patience, overCount > 1, slope >= before {
                overFor = .zero
                overCount = 0
                use = .over
            }
        } else {
            overFor = nil
            overCount = 0
            use = trend < -threshold ? .under : .normal
        }
    }

    private mutating func follow(_ now: Int64) {
        defer { thresholdAt = now }
        let size = trend < 0 ? -trend : trend
        guard let thresholdAt, size <= threshold + Self.outlier else { return }
        let milliseconds = Double(min(max(now &- thresholdAt, 0), 100_000_000)) / 1_000_000
        threshold += (size < threshold ? Self.followDown : Self.followUp) * (size - threshold) * milliseconds
        threshold = min(max(threshold, Self.thresholds.lowerBound), Self.thresholds.upperBound)
    }
}

extension TrendlineEstimator: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(points.count))
        var before = Point(at: 0, delay: 0)
        for point in points {
            w.write(point.at &- before.at)
            w.write(point.delay &- before.delay)
            before = point
        }
        w.write(state)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        var before = Point(at: 0, delay: 0)
        for _ in 0..<(try r.readUnsigned(window)) {
            before.at = before.at &+ (try r.readSigned())
            before.delay = before.delay &+ (try r.readSigned())
            made.points.append(before)
        }
        var state = made.state
        try r.code(&state)
        made.take(state)
        return made
    }

    private var state: TrendlineState {
        TrendlineState(
            deltas: deltas, accumulated: accumulated, smoothed: smoothed, threshold: threshold, trend: trend,
            slope: slope, thresholdAt: thresholdAt, overFor: overFor, overCount: overCount, use: use)
    }

    private mutating func take(_ state: TrendlineState) {
        deltas = state.deltas
        accumulated = state.accumulated
        smoothed = state.smoothed
        threshold = state.threshold
        trend = state.trend
        slope = state.slope
        thresholdAt = state.thresholdAt
        overFor = state.overFor
        overCount = state.overCount
        use = state.use
    }
}

/// Everything of a trendline but its points.
private struct TrendlineState: CheckpointField {
    var deltas: Int64
    var accumulated: Int64
    var smoothed: Int64
    var threshold: Double
    var trend: Double
    var slope: Double
    var thresholdAt: Int64?
    var overFor: TimeDelta?
    var overCount: UInt32
    var use: DelayUse

    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&deltas, 0...1_000)
        try c.code(&accumulated)
        try c.code(&smoothed)
        try c.real(&threshold, TrendlineEstimator.thresholds)
        try c.real(&trend, -1e30...1e30)
        try c.real(&slope, -1e30...1e30)
        try c.optional(&thresholdAt, 0) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&overFor)
        try c.code(&overCount)
        try c.code(&use)
    }
}
