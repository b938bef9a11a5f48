// A rate limit over time that is given: so many at once, so many per second. The virtual-scheduling form of the generic
// cell rate algorithm (ITU-T I.371), which needs no refill.

/// A rate limit.
struct TokenBucket: Hashable, Sendable {
    /// Nanoseconds that one unit takes at the long-term rate.
    private let interval: Int64
    /// How far ahead of the present the bucket may be spent, in nanoseconds.
    private let tolerance: Int64
    /// When the bucket will be full again; nil before the first unit.
    private var fullAt: Int64?

    /// So many units a second and so many at once; both are taken as at least one.
    init(perSecond: Int, burst: Int) {
        interval = max(1, 1_000_000_000 / Int64(min(max(1, perSecond), 1_000_000_000)))
        tolerance =
            interval.multipliedReportingOverflow(by: Int64(max(1, burst))).overflow
            ? Int64.max / 4 : min(Int64.max / 4, interval &* Int64(max(1, burst)))
    }

    /// One unit each so many milliseconds and so many at once; both are taken as at least one.
    init(milliseconds: Int64, burst: Int) {
        interval = min(max(1, milliseconds), 1_000_000_000) &* 1_000_000
        let (span, isTooLong) = interval.multipliedReportingOverflow(by: Int64(max(1, burst)))
        tolerance = isTooLong ? Int64.max / 4 : min(Int64.max / 4, span)
    }

    /// When everything that was taken is there again; nil where it is already.
    func full(after now: SessionTime) -> SessionTime? {
        guard let fullAt, fullAt > now.nanoseconds else { return nil }
        return SessionTime(nanoseconds: fullAt)
    }

    /// Takes so many units if they are there.
    /// - Returns: 0 when they were taken, else after how many nanoseconds one would be there; nothing was taken then.
    mutating func take(_ units: Int, at now: SessionTime) -> Int64 {
        let cost = interval.multipliedReportingOverflow(by: Int64(max(0, units)))
        guard !cost.overflow else { return tolerance }
        let start = max(fullAt ?? now.nanoseconds, now.nanoseconds)
        let end = start.addingReportingOverflow(cost.partialValue)
        guard !end.overflow else { return tolerance }
        let ahead = end.partialValue.subtractingReportingOverflow(now.nanoseconds)
        guard !ahead.overflow else { return tolerance }
        guard ahead.partialValue <= tolerance else { return ahead.partialValue - tolerance }
        fullAt = end.partialValue
        return 0
    }
}
