// NTP timestamps (RFC 3550 §4): 32.32 fixed-point seconds since 1900. Reads no clock.

/// A moment of NTP time (RFC 3550 §4): seconds since 1900 in the upper 32 bits, their fraction in the lower 32. Its
/// arithmetic wraps, as the era does in 2036.
public struct NTPTime: Hashable, Sendable, BitwiseCopyable {
    /// The 64 bits.
    public var rawValue: UInt64
    /// The moment with these 64 bits.
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The middle 32 bits, as the LSR field of a report block carries them (RFC 3550 §6.4.1): units of 1/65,536 s.
    @inlinable public var compact: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 16) }

    /// The moment that a timestamp is when timestamp zero is `origin`.
    public init(_ timestamp: Timestamp, origin: NTPTime) {
        self = origin + TimeDelta(nanoseconds: timestamp.nanoseconds)
    }

    /// The moment a span later, to the nearest 2⁻³² s below.
    public static func + (a: NTPTime, span: TimeDelta) -> NTPTime {
        var (seconds, rest) = span.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if rest < 0 {
            seconds &-= 1
            rest &+= 1_000_000_000
        }
        let fraction = (UInt64(rest) << 32) / 1_000_000_000
        return NTPTime(a.rawValue &+ (UInt64(truncatingIfNeeded: seconds) << 32) &+ fraction)
    }

    /// The span from the second moment to the first, on the shorter way round the era (± 68 years).
    public static func - (a: NTPTime, b: NTPTime) -> TimeDelta {
        let difference = Int64(truncatingIfNeeded: a.rawValue &- b.rawValue)
        let seconds = difference >> 32
        let fraction = UInt64(truncatingIfNeeded: difference) & 0xffff_ffff
        return TimeDelta(nanoseconds: seconds &* 1_000_000_000 &+ Int64((fraction &* 1_000_000_000) >> 32))
    }

    /// A span in the units of the DLSR field of a report block, 1/65,536 s (RFC 3550 §6.4.1); cut at 0 and 18 hours.
    public static func compact(_ span: TimeDelta) -> UInt32 {
        guard span.nanoseconds > 0 else { return 0 }
        let seconds = span.nanoseconds / 1_000_000_000
        guard seconds < 65_536 else { return .max }
        return UInt32(truncatingIfNeeded: (seconds << 16) + ((span.nanoseconds % 1_000_000_000) << 16) / 1_000_000_000)
    }

    /// The span that a number of 1/65,536 s units is.
    public static func span(compact: UInt32) -> TimeDelta {
        TimeDelta(nanoseconds: (Int64(compact) &* 1_000_000_000) >> 16)
    }
}
