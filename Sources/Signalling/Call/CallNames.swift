// The words that calls are spoken of in, shared by messages and the machine: who, where, what, how, and why it was over.

/// The name of a call, chosen by the server at random and never used twice. Of two calls that become one, the smaller counts.
public struct CallID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The name, 1 to `ProtocolLimits.callBytes` bytes of ASCII.
    public let text: String

    /// A name.
    public init(_ text: String) { self.text = text }

    /// Reads a name.
    public init(from decoder: any Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        try value.encode(text)
    }

    /// The room that the call's media goes through where it goes through one.
    public var room: String { "call-\(text)" }

    /// Whether the first is the smaller of the two.
    public static func < (a: CallID, b: CallID) -> Bool { a.text < b.text }
    /// The name.
    public var description: String { text }
}

/// One device of a user while it is connected: a session, numbered by the server; a number is never used twice.
public struct CallDeviceID: Hashable, Comparable, Sendable {
    /// The number.
    public let number: UInt64
    /// The device with this number.
    public init(_ number: UInt64) { self.number = number }
    /// Whether the first connected before the second.
    public static func < (a: CallDeviceID, b: CallDeviceID) -> Bool { a.number < b.number }
}

/// What one side of a call sends.
public enum CallMedia: String, Hashable, Sendable, CaseIterable, Codable {
    /// Sound.
    case audio
    /// Sound and picture.
    case video
}

/// How the media of a call travels.
public enum CallMode: String, Hashable, Sendable, CaseIterable, Codable {
    /// From device to device, by TURN where need be.
    case direct
    /// Through a room of the server.
    case sfu
}

/// The path that a device found its media to take.
public enum CallPath: String, Hashable, Sendable, CaseIterable, Codable {
    /// From device to device.
    case direct
    /// By a TURN server.
    case relayed
    /// Through a room of the server.
    case sfu
}

/// The two sides of a call.
public enum CallSide: String, Hashable, Sendable, CaseIterable, Codable {
    /// Who placed it.
    case caller
    /// Who was called.
    case callee

    /// The other side.
    public var other: CallSide { self == .caller ? .callee : .caller }
}

/// How far a call has come.
public enum CallState: String, Hashable, Sendable, CaseIterable, Codable {
    /// Placed; no device of the callee is known to ring.
    case inviting
    /// A device of the callee rings.
    case ringing
    /// Accepted; the two devices look for a way to each other.
    case connecting
    /// Both devices have reported media.
    case active

    /// Whether nobody has answered yet.
    public var isPending: Bool { self == .inviting || self == .ringing }
}

/// Why a call is over; the same for both sides.
public enum CallEndReason: String, Hashable, Sendable, CaseIterable, Codable {
    /// One of the two ended it.
    case hungUp
    /// The callee did not want it.
    case declined
    /// The caller gave up before anybody answered.
    case cancelled
    /// The callee is in another call.
    case busy
    /// Nobody answered in time.
    case unanswered
    /// A device was lost and did not come back in time.
    case lost
    /// The two devices found no way to each other in time.
    case failed
    /// Both called each other, and the other call counts. Only in records: clients are told of the other call.
    case merged
}
