// RTP sequence numbers (RFC 3550 §5.1) that wrap at 16 bits, their 64-bit extension, and the unwrapper between them.
// Knows nothing of loss or order: that is the receiver's.

/// A 16-bit RTP sequence number (RFC 3550 §5.1). Its arithmetic wraps.
public struct SequenceNumber: Hashable, Sendable, BitwiseCopyable {
    /// The 16 bits.
    public var rawValue: UInt16
    /// The sequence number with these 16 bits.
    @inlinable public init(_ rawValue: UInt16) { self.rawValue = rawValue }

    /// Whether this number comes after the other on the shorter way round; of two that are 32,768 apart the larger
    /// comes after, so that of two different numbers exactly one is newer.
    @inlinable public func isNewer(than other: SequenceNumber) -> Bool {
        let ahead = rawValue &- other.rawValue
        return ahead == 0x8000 ? rawValue > other.rawValue : ahead != 0 && ahead < 0x8000
    }
    /// How far this number is after the other on the shorter way round: −32,768 to 32,767.
    @inlinable public func distance(from other: SequenceNumber) -> Int {
        Int(Int16(truncatingIfNeeded: Int(rawValue) - Int(other.rawValue)))
    }
    /// The number some steps further on.
    @inlinable public static func + (a: SequenceNumber, n: Int) -> SequenceNumber {
        SequenceNumber(a.rawValue &+ UInt16(truncatingIfNeeded: n))
    }
    /// The number some steps back.
    @inlinable public static func - (a: SequenceNumber, n: Int) -> SequenceNumber {
        SequenceNumber(a.rawValue &- UInt16(truncatingIfNeeded: n))
    }
}

/// A sequence number counted on past its wraps (RFC 3550 §A.1). Its low 16 bits are the number on the wire. It may be
/// negative: a packet from before the first one seen.
public struct ExtendedSequenceNumber: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The count.
    public var rawValue: Int64
    /// The number with this count.
    @inlinable public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The number on the wire.
    @inlinable public var sequenceNumber: SequenceNumber { SequenceNumber(UInt16(truncatingIfNeeded: rawValue)) }
    /// The 32 bits of a report block: wraps above, the number on the wire below (RFC 3550 §6.4.1).
    @inlinable public var reported: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
    /// Whether the first number is before the second.
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// The number some steps further on.
    @inlinable public static func + (a: Self, n: Int64) -> Self { Self(a.rawValue &+ n) }
    /// The number some steps back.
    @inlinable public static func - (a: Self, n: Int64) -> Self { Self(a.rawValue &- n) }
    /// The steps from the second number to the first.
    @inlinable public static func - (a: Self, b: Self) -> Int64 { a.rawValue &- b.rawValue }
}

/// Extends 16-bit sequence numbers: each is placed within 32,768 of the highest one seen.
public struct SequenceNumberUnwrapper: Hashable, Sendable, BitwiseCopyable {
    /// The highest number so far, or nil before the first.
    public private(set) var highest: ExtendedSequenceNumber?

    /// An unwrapper that has seen nothing: the first number is extended with zeros.
    public init() {}
    /// An unwrapper that goes on from a number.
    public init(highest: ExtendedSequenceNumber) { self.highest = highest }

    /// Where the number would be placed, without remembering it.
    public func peek(_ number: SequenceNumber) -> ExtendedSequenceNumber {
        guard let highest else { return ExtendedSequenceNumber(Int64(number.rawValue)) }
        return highest + Int64(number.distance(from: highest.sequenceNumber))
    }
    /// Places the number and remembers it when it is the highest.
    public mutating func unwrap(_ number: SequenceNumber) -> ExtendedSequenceNumber {
        let extended = peek(number)
        if let highest, highest >= extended { return extended }
        highest = extended
        return extended
    }
}
