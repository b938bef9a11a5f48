// RTP timestamps (RFC 3550 §5.1) that wrap at 32 bits, and their 64-bit unwrapper. Knows no clock rate.

/// A 32-bit RTP timestamp (RFC 3550 §5.1) in units of the codec's clock. Its arithmetic wraps.
public struct RTPTimestamp: Hashable, Sendable, BitwiseCopyable {
    /// The 32 bits.
    public var rawValue: UInt32
    /// The timestamp with these 32 bits.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    /// Whether this timestamp comes after the other on the shorter way round; of two that are 2³¹ apart the larger
    /// comes after.
    @inlinable public func isNewer(than other: RTPTimestamp) -> Bool {
        let ahead = rawValue &- other.rawValue
        return ahead == 0x8000_0000 ? rawValue > other.rawValue : ahead != 0 && ahead < 0x8000_0000
    }
    /// How far this timestamp is after the other on the shorter way round: −2³¹ to 2³¹ − 1 clock units.
    @inlinable public func distance(from other: RTPTimestamp) -> Int64 {
        Int64(Int32(truncatingIfNeeded: Int64(rawValue) - Int64(other.rawValue)))
    }
    /// The timestamp some clock units later.
    @inlinable public static func + (a: RTPTimestamp, n: Int64) -> RTPTimestamp {
        RTPTimestamp(a.rawValue &+ UInt32(truncatingIfNeeded: n))
    }
    /// The timestamp some clock units earlier.
    @inlinable public static func - (a: RTPTimestamp, n: Int64) -> RTPTimestamp {
        RTPTimestamp(a.rawValue &- UInt32(truncatingIfNeeded: n))
    }
}

/// Extends 32-bit RTP timestamps: each is placed within 2³¹ clock units of the highest one seen.
public struct RTPTimestampUnwrapper: Hashable, Sendable, BitwiseCopyable {
    /// The highest timestamp so far in clock units, or nil before the first.
    public private(set) var highest: Int64?

    /// An unwrapper that has seen nothing: the first timestamp is extended with zeros.
    public init() {}

    /// Where the timestamp would be placed, without remembering it.
    public func peek(_ timestamp: RTPTimestamp) -> Int64 {
        guard let highest else { return Int64(timestamp.rawValue) }
        return highest &+ timestamp.distance(from: RTPTimestamp(UInt32(truncatingIfNeeded: highest)))
    }
    /// Places the timestamp and remembers it when it is the highest.
    public mutating func unwrap(_ timestamp: RTPTimestamp) -> Int64 {
        let extended = peek(timestamp)
        if let highest, highest >= extended { return extended }
        highest = extended
        return extended
    }
}
