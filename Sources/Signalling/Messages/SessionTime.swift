// Time as a session knows it. Reads no clock.

/// A moment on the caller's monotonic clock, in nanoseconds since an origin that the caller chose.
public struct SessionTime: Hashable, Comparable, Sendable {
    /// Nanoseconds since the caller's origin.
    public var nanoseconds: Int64

    /// A moment, in nanoseconds since the caller's origin.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Whether the first moment is before the second.
    public static func < (a: SessionTime, b: SessionTime) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The moment so many milliseconds later; stops at the end of time rather than trap.
    public func adding(milliseconds: Int64) -> SessionTime {
        let (span, tooLong) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, tooLate) = nanoseconds.addingReportingOverflow(tooLong ? Int64.max : span)
        return SessionTime(nanoseconds: tooLate ? Int64.max : sum)
    }
}

/// The number of a client's command: rises by one per session, the first is 1. `hello` and `resume` may carry any.
public struct CommandID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number.
    public var number: UInt64

    /// The command with this number.
    public init(_ number: UInt64) { self.number = number }

    /// The number that a string holds: decimal digits with no sign and no leading zero, within 64 bits; else nil.
    public init?(_ text: String) {
        let digits = text.utf8
        guard (1...20).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        guard digits.count == 1 || digits.first != 48, let number = UInt64(text) else { return nil }
        self.number = number
    }

    /// Whether the first command came before the second.
    public static func < (a: CommandID, b: CommandID) -> Bool { a.number < b.number }
    /// The number in decimal digits.
    public var description: String { String(number) }
}

/// One WebSocket, numbered by the server; a number is never used twice.
public struct ConnectionID: Hashable, Sendable {
    /// The number.
    public var number: UInt64
    /// The socket with this number.
    public init(_ number: UInt64) { self.number = number }
}
