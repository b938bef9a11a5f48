// Amounts of data and their rates, whole numbers; arithmetic saturates instead of trapping.

/// An amount of data in bytes.
public struct DataSize: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The number of bytes; may be negative as a difference.
    public var bytes: Int64
    /// An amount of bytes.
    @inlinable public init(bytes: Int64) { self.bytes = bytes }
    /// No data.
    @inlinable public static var zero: DataSize { DataSize(bytes: 0) }

    /// Whether the first amount is smaller.
    @inlinable public static func < (a: DataSize, b: DataSize) -> Bool { a.bytes < b.bytes }
    /// The sum, saturating.
    public static func + (a: DataSize, b: DataSize) -> DataSize {
        let (sum, overflow) = a.bytes.addingReportingOverflow(b.bytes)
        return DataSize(bytes: overflow ? (b.bytes > 0 ? .max : .min) : sum)
    }
    /// The difference, saturating.
    public static func - (a: DataSize, b: DataSize) -> DataSize {
        let (difference, overflow) = a.bytes.subtractingReportingOverflow(b.bytes)
        return DataSize(bytes: overflow ? (b.bytes > 0 ? .min : .max) : difference)
    }
    /// Adds an amount, saturating.
    public static func += (a: inout DataSize, b: DataSize) { a = a + b }

    /// How long this amount takes at a rate, rounded down; the longest span where the rate is zero or less.
    public static func / (size: DataSize, rate: DataRate) -> TimeDelta {
        guard rate.bitsPerSecond > 0 else { return TimeDelta(nanoseconds: size.bytes > 0 ? .max : 0) }
        return TimeDelta(nanoseconds: multiplied(size.bytes, by: 8_000_000_000, over: rate.bitsPerSecond))
    }
    /// The rate that brings this amount in a span, rounded down; zero where the span is zero or less.
    public static func / (size: DataSize, span: TimeDelta) -> DataRate {
        guard span.nanoseconds > 0 else { return .zero }
        return DataRate(bitsPerSecond: multiplied(size.bytes, by: 8_000_000_000, over: span.nanoseconds))
    }
}

/// A rate of data in bits per second.
public struct DataRate: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Bits per second.
    public var bitsPerSecond: Int64
    /// A rate in bits per second.
    @inlinable public init(bitsPerSecond: Int64) { self.bitsPerSecond = bitsPerSecond }
    /// No data at all.
    @inlinable public static var zero: DataRate { DataRate(bitsPerSecond: 0) }
    /// A rate in kilobits (1,000 bits) per second.
    @inlinable public static func kilobitsPerSecond(_ n: Int64) -> DataRate { DataRate(bitsPerSecond: n &* 1_000) }

    /// Whether the first rate is smaller.
    @inlinable public static func < (a: DataRate, b: DataRate) -> Bool { a.bitsPerSecond < b.bitsPerSecond }
    /// The sum, saturating.
    public static func + (a: DataRate, b: DataRate) -> DataRate {
        let (sum, overflow) = a.bitsPerSecond.addingReportingOverflow(b.bitsPerSecond)
        return DataRate(bitsPerSecond: overflow ? (b.bitsPerSecond > 0 ? .max : .min) : sum)
    }
    /// The difference, saturating.
    public static func - (a: DataRate, b: DataRate) -> DataRate {
        let (difference, overflow) = a.bitsPerSecond.subtractingReportingOverflow(b.bitsPerSecond)
        return DataRate(bitsPerSecond: overflow ? (b.bitsPerSecond > 0 ? .min : .max) : difference)
    }
    /// The amount that this rate brings in a span, rounded down to bytes.
    public static func * (rate: DataRate, span: TimeDelta) -> DataSize {
        DataSize(bytes: multiplied(rate.bitsPerSecond, by: span.nanoseconds, over: 8_000_000_000))
    }
    /// A part of this rate: `numerator` / `denominator` of it, rounded towards zero; zero where the denominator is.
    public func scaled(by numerator: Int64, over denominator: Int64) -> DataRate {
        guard denominator > 0 else { return .zero }
        return DataRate(bitsPerSecond: multiplied(bitsPerSecond, by: numerator, over: denominator))
    }
}

/// a × b ÷ c through 128 bits, towards zero, saturating; c is above zero.
private func multiplied(_ a: Int64, by b: Int64, over c: Int64) -> Int64 {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    // Nearly always; a division of 128 bits takes ten times as long.
    if !overflow { return product / c }
    return Int64(clamping: Int128(a) * Int128(b) / Int128(c))
}
