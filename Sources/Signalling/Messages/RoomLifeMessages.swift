// What people in a room, and those who wait for it, are told of its life: settings, the lobby, texts, signs and the end.

/// What all see of a room itself.
public struct RoomSettings: Hashable, Sendable, Codable {
    /// Whether nobody comes in who has not been in.
    public var isLocked: Bool
    /// Whether people wait until a host admits them.
    public var hasLobby: Bool
    /// A text about the room, where there is one.
    public var metadata: String?

    private enum CodingKeys: String, CodingKey {
        case isLocked = "locked", hasLobby = "lobby", metadata
    }

    /// Settings.
    public init(isLocked: Bool, hasLobby: Bool, metadata: String? = nil) {
        self.isLocked = isLocked
        self.hasLobby = hasLobby
        self.metadata = metadata
    }
}

/// Somebody who waits, as hosts see it.
public struct WaitingDescription: Hashable, Sendable, Codable {
    /// The identifier in the lobby, such as `w2`.
    public var id: String
    /// The token's `sub`.
    public var user: String
    /// The name to show.
    public var name: String?

    /// Somebody who waits.
    public init(id: String, user: String, name: String?) {
        self.id = id
        self.user = user
        self.name = name
    }
}

/// Why a room is over for a participant.
public enum RoomEndReason: String, Hashable, Sendable, CaseIterable, Codable {
    /// For everybody.
    case ended
    /// A host removed the participant, who may come again.
    case kicked
    /// A host removed the user, who may not.
    case banned
}

extension ServerMessage {
    /// The room's settings are others now.
    public struct RoomUpdated: Hashable, Sendable, Codable {
        /// The room's version from now on.
        public var version: UInt64
        /// The settings, all of them.
        public var settings: RoomSettings

        /// A change.
        public init(version: UInt64, settings: RoomSettings) {
            self.version = version
            self.settings = settings
        }
    }

    /// The room is over for the client.
    public struct RoomEnded: Hashable, Sendable, Codable {
        /// Why.
        public var reason: RoomEndReason

        /// An end.
        public init(reason: RoomEndReason) { self.reason = reason }
    }

    /// What a client that waits is told; nothing of the room is in it.
    public struct Lobby: Hashable, Sendable, Codable {
        /// What becomes of the wish to enter.
        public enum State: String, Hashable, Sendable, CaseIterable, Codable {
            /// A host has to admit the client.
            case waiting
            /// The client may join now.
            case admitted
            /// A host sent the client away.
            case denied
            /// The room has ended.
            case ended
        }
        /// What becomes of it.
        public var state: State

        /// A state.
        public init(state: State) { self.state = state }
    }

    /// What hosts are told of somebody who waits.
    public struct Waiting: Hashable, Sendable, Codable {
        /// What became of it.
        public enum State: String, Hashable, Sendable, CaseIterable, Codable {
            /// Waits.
            case waiting
            /// May come in.
            case admitted
            /// Was sent away.
            case denied
            /// Waits no longer.
            case left
        }
        /// Who.
        public var person: WaitingDescription
        /// What became of it.
        public var state: State

        /// A change of the lobby.
        public init(person: WaitingDescription, state: State) {
            self.person = person
            self.state = state
        }
    }

    /// A text of a participant.
    public struct Message: Hashable, Sendable, Codable {
        /// Rises by one with each message to the room; nil where it is to one person.
        public var number: UInt64?
        /// Whose.
        public var from: String
        /// The one who gets it; nil: everybody.
        public var to: String?
        /// The text.
        public var text: String

        /// A message.
        public init(number: UInt64?, from: String, to: String?, text: String) {
            self.number = number
            self.from = from
            self.to = to
            self.text = text
        }
    }

    /// A sign of a participant, to be shown for a moment.
    public struct Reaction: Hashable, Sendable, Codable {
        /// Whose.
        public var from: String
        /// An emoji, or a short word.
        public var reaction: String

        /// A sign.
        public init(from: String, reaction: String) {
            self.from = from
            self.reaction = reaction
        }
    }

    /// A host asks the client to unmute.
    public struct UnmuteRequested: Hashable, Sendable, Codable {
        /// What it should unmute.
        public var source: TrackSourceName
        /// Who asks.
        public var by: String?

        /// A wish.
        public init(source: TrackSourceName, by: String?) {
            self.source = source
            self.by = by
        }
    }
}
