// The settings of the bandwidth estimation, units in their names. What is no setting but a property of the algorithm stands
// as a constant where it is used.

/// The settings of the send-side bandwidth estimation for one receiving peer. Rates count RTP datagrams before SRTP,
/// headers and extensions included, without IP and UDP.
public struct BitrateConfiguration: Hashable, Sendable {
    /// The estimate before anything is known, in bits per second.
    public var startBitsPerSecond: Int64 = 300_000
    /// The estimate never falls below this: two audio slots in DTX, or one that speaks, fit.
    public var minimumBitsPerSecond: Int64 = 30_000
    /// The estimate never rises above this, in bits per second.
    public var maximumBitsPerSecond: Int64 = 30_000_000
    /// How much faster than the estimate the pacer may send, in percent of the estimate.
    public var pacingPercent: Int64 = 110
    /// Whether probe clusters are sent at all.
    public var probes: Bool = true
    /// A probe is at most this part of what is wanted when nothing limits, in percent.
    public var probeLimitPercent: Int64 = 150

    /// The defaults.
    public init() {}
}

extension BitrateConfiguration: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        let range = -CheckpointLimit.setting...CheckpointLimit.setting
        try c.code(&startBitsPerSecond, range)
        try c.code(&minimumBitsPerSecond, range)
        try c.code(&maximumBitsPerSecond, range)
        try c.code(&pacingPercent, range)
        try c.code(&probes)
        try c.code(&probeLimitPercent, range)
    }
}
