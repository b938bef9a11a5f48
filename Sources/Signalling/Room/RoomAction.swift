// What a room's machine asks of the server, and what the server tells it of a newcomer. Carrying it out is the server's.

/// One thing to do, in the order given.
public enum RoomAction: Hashable, Sendable {
    /// Who is told something.
    public enum Audience: Hashable, Sendable {
        /// Everybody present, hidden people too, but one.
        case everyone(except: UInt32?)
        /// One participant.
        case one(UInt32)
        /// Somebody who waits.
        case waiting(UInt32)
    }
    /// Tell something.
    case tell(ServerMessage, to: Audience)
    /// Forward a track from now on, or no longer.
    case setMuted(UInt32, mid: String, Bool)
    /// Take a participant out of the room, who is no longer in the machine, and tell it why.
    case remove(UInt32, RoomEndReason)
    /// Somebody waits no longer, and was told.
    case forgetWaiting(UInt32)
    /// Write an event into the feed.
    case record(FeedEvent)
    /// The room has ended: nobody is in it, and nobody can come in.
    case end
}

/// Somebody who wants to come in.
public struct Newcomer: Hashable, Sendable {
    /// The token's `sub`.
    public var user: String
    /// The name to show.
    public var name: String?
    /// The device's lasting name.
    public var device: String?
    /// Whether the others are not told of it.
    public var isHidden: Bool
    /// Whether the token allows acting on others: a host by right.
    public var canModerate: Bool
    /// Whether the token allows publishing a microphone: who may not can be no speaker.
    public var canSpeak: Bool
    /// The role that the token gives; nil for the room's default.
    public var role: ParticipantRole?

    /// A newcomer.
    public init(
        user: String, name: String? = nil, device: String? = nil, isHidden: Bool = false, canModerate: Bool = false,
        canSpeak: Bool = true, role: ParticipantRole? = nil
    ) {
        self.user = user
        self.name = name
        self.device = device
        self.isHidden = isHidden
        self.canModerate = canModerate
        self.canSpeak = canSpeak
        self.role = role
    }
}

/// How a newcomer was received.
public enum RoomAdmission: Hashable, Sendable {
    /// A place in the room; the participant is in it once `enter` is called.
    case place(UInt32)
    /// A place in the lobby.
    case waiting(UInt32)
}

/// What a room is like when it opens.
public struct RoomOptions: Hashable, Sendable {
    /// People in it at once.
    public var maximumParticipants = 100
    /// People waiting for it at once.
    public var maximumWaiting = 200
    /// The role of people whose token gives none.
    public var defaultRole = ParticipantRole.speaker
    /// Whether people wait until they are admitted.
    public var hasLobby = false
    /// How long a room may be without the last of its hosts until a speaker takes their place; nil for ever.
    public var successionMilliseconds: Int64? = 30_000
    /// Changes that one participant may cause, which all are told of, a second over a long time.
    public var changesPerSecond = 10
    /// The same at once.
    public var changeBurst = 40
    /// Bytes of messages of one participant a second over a long time.
    public var messageBytesPerSecond = 8_192
    /// The same at once.
    public var messageByteBurst = 65_536
    /// Bytes of messages to the room of all together a second over a long time: what every participant has to take.
    public var roomMessageBytesPerSecond = 32_768
    /// The same at once.
    public var roomMessageByteBurst = 131_072

    /// The defaults.
    public init() {}
}
