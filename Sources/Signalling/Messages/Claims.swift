// What a verified token says about a client. Verifying it is not done here.

/// What a client is and may do, taken from a token that was verified.
public struct Claims: Hashable, Sendable {
    /// Who the user is (`sub`).
    public var user: String
    /// The name to show, or nil where the token has none.
    public var name: String?
    /// The one room that the token is for, or nil for any (`room`; `*` means any).
    public var room: String?
    /// The sources that the user may publish.
    public var canPublish: Set<TrackSourceName>
    /// Whether the user may receive.
    public var canSubscribe: Bool
    /// Whether the user may act on other participants.
    public var canModerate: Bool
    /// The role that the user has in rooms, or nil for the room's default; who may moderate is host.
    public var role: ParticipantRole?
    /// Whether the others are not told that the user is there.
    public var hidden: Bool
    /// Whether the user may place and receive calls.
    public var calls: Bool

    /// Claims; all that is not named is what a token without that grant means.
    public init(
        user: String, name: String? = nil, room: String? = nil,
        canPublish: Set<TrackSourceName> = Set(TrackSourceName.allCases), canSubscribe: Bool = true,
        canModerate: Bool = false, role: ParticipantRole? = nil, hidden: Bool = false, calls: Bool = false
    ) {
        self.user = user
        self.name = name
        self.room = room == "*" ? nil : room
        self.canPublish = canPublish
        self.canSubscribe = canSubscribe
        self.canModerate = canModerate
        self.role = role
        self.hidden = hidden
        self.calls = calls
    }

    /// Whether the token is good for a room of this name.
    public func allows(room name: String) -> Bool { room == nil || room == name }
}

/// What a track shows or carries, as it is written in messages and in tokens.
public enum TrackSourceName: String, Hashable, Sendable, CaseIterable, Codable {
    /// A microphone.
    case microphone
    /// A camera.
    case camera
    /// A shared screen or window.
    case screen
    /// The sound of a shared screen or window.
    case screenAudio
}

/// Audio or video, as it is written in messages.
public enum MediaKindName: String, Hashable, Sendable, CaseIterable, Codable {
    /// Sound.
    case audio
    /// Picture.
    case video
}
