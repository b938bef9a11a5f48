// Why a bandwidth estimate changed, with the numbers the change was taken on: what a decision tells and a person reads.

/// What changed an estimate.
public enum EstimateCause: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// The estimate that a connection begins with.
    case start
    /// Delay rises: the queue on the way grows.
    case overuse
    /// Nothing is in the way: the estimate grows by time.
    case increase
    /// A probe cluster arrived faster than the estimate.
    case probe
    /// Packets are lost.
    case loss
    /// The receiver named a maximum (REMB).
    case receiverMaximum
    /// Feedback did not come for too long.
    case feedbackMissing
    /// Feedback is back after it was missing.
    case feedbackBack
    /// The path changed.
    case routeChange
    /// More is in flight than the path may hold.
    case window
}

/// One change of an estimate.
public struct EstimateChange: Hashable, Sendable, BitwiseCopyable {
    /// Counts the changes told of; 0 is the start.
    public var number: UInt32 = 0
    /// What changed it.
    public var cause: EstimateCause = .start
    /// When.
    public var at = Timestamp(nanoseconds: 0)
    /// The estimate before.
    public var from = DataRate.zero
    /// The estimate from then on.
    public var to = DataRate.zero
    /// The rate that arrived, by feedback; zero when it is not known.
    public var acknowledged = DataRate.zero
    /// The rate that a probe measured, or the maximum that the receiver named; zero where neither is the cause.
    public var measured = DataRate.zero
    /// The slope of the delay over time, smoothed and scaled for comparison with `threshold`, in microseconds.
    public var trendMicroseconds: Int32 = 0
    /// What the slope was compared with, in microseconds.
    public var thresholdMicroseconds: Int32 = 0
    /// What stood in the queue: the delay above the least of the last 20 seconds.
    public var queue = TimeDelta.zero
    /// The part of packets lost lately, in thousandths.
    public var lossPermille: Int32 = 0
    /// The round trip; zero when it is not known.
    public var roundTrip = TimeDelta.zero

    init() {}
}

extension EstimateChange: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&number)
        try c.code(&cause)
        try c.code(&at)
        try c.code(&from)
        try c.code(&to)
        try c.code(&acknowledged)
        try c.code(&measured)
        try c.code(&trendMicroseconds, Int64(Int32.min)...Int64(Int32.max))
        try c.code(&thresholdMicroseconds, Int64(Int32.min)...Int64(Int32.max))
        try c.code(&queue)
        try c.code(&lossPermille, 0...1_000)
        try c.code(&roundTrip)
    }
}

extension CheckpointCoder {
    /// A rate; none in a core is above the greatest setting.
    mutating func code(_ value: inout DataRate) throws(CheckpointError) {
        try code(&value.bitsPerSecond, 0...CheckpointLimit.setting)
    }
}
