// Time as the core knows it: nanoseconds on a clock that the caller chose. Reads no clock.

/// A moment on the caller's monotonic clock, in nanoseconds since an origin that the caller chose.
public struct Timestamp: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Nanoseconds since the caller's origin.
    public var nanoseconds: Int64

    /// A moment, in nanoseconds since the caller's origin.
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Whether the first moment is before the second.
    @inlinable public static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }
    /// The moment a span later, wrapping rather than trapping.
    @inlinable public static func + (a: Timestamp, b: TimeDelta) -> Timestamp {
        Timestamp(nanoseconds: a.nanoseconds &+ b.nanoseconds)
    }
    /// The moment a span earlier, wrapping rather than trapping.
    @inlinable public static func - (a: Timestamp, b: TimeDelta) -> Timestamp {
        Timestamp(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
    /// The span between two moments, wrapping rather than trapping.
    @inlinable public static func - (a: Timestamp, b: Timestamp) -> TimeDelta {
        TimeDelta(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
}

/// A span of time, in nanoseconds; may be negative. Its arithmetic wraps and never traps.
public struct TimeDelta: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The span in nanoseconds.
    public var nanoseconds: Int64

    /// A span of nanoseconds.
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// No time at all.
    @inlinable public static var zero: TimeDelta { TimeDelta(nanoseconds: 0) }
    /// A span of microseconds.
    @inlinable public static func microseconds(_ n: Int64) -> TimeDelta { TimeDelta(nanoseconds: n &* 1_000) }
    /// A span of milliseconds.
    @inlinable public static func milliseconds(_ n: Int64) -> TimeDelta { TimeDelta(nanoseconds: n &* 1_000_000) }
    /// A span of seconds.
    @inlinable public static func seconds(_ n: Int64) -> TimeDelta { TimeDelta(nanoseconds: n &* 1_000_000_000) }

    /// Whether the first span is shorter than the second.
    @inlinable public static func < (a: TimeDelta, b: TimeDelta) -> Bool { a.nanoseconds < b.nanoseconds }
    /// The sum of two spans.
    @inlinable public static func + (a: TimeDelta, b: TimeDelta) -> TimeDelta {
        TimeDelta(nanoseconds: a.nanoseconds &+ b.nanoseconds)
    }
    /// The difference of two spans.
    @inlinable public static func - (a: TimeDelta, b: TimeDelta) -> TimeDelta {
        TimeDelta(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
    /// A span several times as long.
    @inlinable public static func * (a: TimeDelta, n: Int64) -> TimeDelta {
        TimeDelta(nanoseconds: a.nanoseconds &* n)
    }
    /// A span cut into equal parts; a divisor of zero gives zero.
    @inlinable public static func / (a: TimeDelta, n: Int64) -> TimeDelta {
        n == 0 ? .zero : TimeDelta(nanoseconds: a.nanoseconds.dividedReportingOverflow(by: n).partialValue)
    }
}
