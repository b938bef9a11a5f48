// What a participant may do in a room, and how people of a room are named in messages.

/// What a participant may do in a room.
public enum ParticipantRole: String, Hashable, Sendable, CaseIterable, Codable {
    /// Speaks, and acts on the room and on others.
    case host
    /// Is heard and seen.
    case speaker
    /// Hears and sees; all that it publishes is muted.
    case listener
}

/// The names of people in messages: `p7` for the participant with the number 7, `w2` for the second who waited.
public enum RoomNames {
    /// The name of a participant.
    public static func participant(_ number: UInt32) -> String { "p\(number)" }
    /// The name of somebody who waits.
    public static func waiting(_ number: UInt32) -> String { "w\(number)" }
    /// The number that a participant's name says, or nil.
    public static func participant(_ name: String) -> UInt32? { number(name, after: UInt8(ascii: "p")) }
    /// The number that the name of somebody who waits says, or nil.
    public static func waiting(_ name: String) -> UInt32? { number(name, after: UInt8(ascii: "w")) }

    private static func number(_ name: String, after letter: UInt8) -> UInt32? {
        let bytes = name.utf8
        guard bytes.first == letter, (2...11).contains(bytes.count) else { return nil }
        let digits = bytes.dropFirst()
        guard digits.allSatisfy({ (48...57).contains($0) }), digits.first != 48 else { return nil }
        return UInt32(name.dropFirst())
    }
}
