// The rows of a room's machine: a participant, a track, somebody who waits, and what is remembered of a user.

/// One participant of a room.
public struct RoomMember: Hashable, Sendable {
    /// The number in the room, unique and never used twice.
    public let number: UInt32
    /// What the server said of it when it came.
    public let newcomer: Newcomer
    /// What it may do.
    public internal(set) var role: ParticipantRole
    /// False while the first offer is being answered: nobody is told of it yet.
    public internal(set) var isPresent = false
    /// The place of its raised hand: the lower number was raised first.
    public internal(set) var hand: UInt64?
    /// Whether a host asked it to speak and it has not answered.
    public internal(set) var isInvited = false
    /// Its own text about itself.
    public internal(set) var metadata: String?
    /// What it publishes.
    public internal(set) var tracks: [RoomTrack] = []
    var changes: TokenBucket
    var messageBytes: TokenBucket

    init(number: UInt32, newcomer: Newcomer, role: ParticipantRole, options: RoomOptions) {
        self.number = number
        self.newcomer = newcomer
        self.role = role
        changes = TokenBucket(perSecond: options.changesPerSecond, burst: options.changeBurst)
        messageBytes = TokenBucket(perSecond: options.messageBytesPerSecond, burst: options.messageByteBurst)
    }

    /// Whether the others know of it.
    public var isVisible: Bool { isPresent && !newcomer.isHidden }
    /// Its name in messages.
    public var id: String { RoomNames.participant(number) }

    /// The participant as the others see it.
    public var description: ParticipantDescription {
        ParticipantDescription(
            id: id, number: number, user: newcomer.user, name: newcomer.name, device: newcomer.device,
            tracks: tracks.map { $0.description(of: number) }, role: role, hand: hand, isInvited: isInvited,
            metadata: metadata)
    }
}

/// One track of a participant.
public struct RoomTrack: Hashable, Sendable {
    /// The publisher's media section.
    public var mid: String
    /// Audio or video.
    public var kind: MediaKindName
    /// What it carries.
    public var source: TrackSourceName
    /// Whether it is not forwarded.
    public var isMuted: Bool
    /// The room's version at which a host muted it; nil where nobody did since it was unmuted.
    var mutedByHostAt: UInt64?
    /// Whether a host muted it, and the person has not unmuted it since.
    public var isMutedByHost: Bool { mutedByHostAt != nil }

    /// A track.
    public init(mid: String, kind: MediaKindName, source: TrackSourceName, isMuted: Bool) {
        self.mid = mid
        self.kind = kind
        self.source = source
        self.isMuted = isMuted
    }

    /// Its name in messages.
    public func id(of number: UInt32) -> String { "p\(number)/\(mid)" }

    func description(of number: UInt32) -> TrackDescription {
        TrackDescription(id: id(of: number), mid: mid, kind: kind, source: source, muted: isMuted)
    }
}

/// Somebody who waits to be let in.
public struct RoomWaiting: Hashable, Sendable {
    /// The number in the lobby, unique and never used twice.
    public let number: UInt32
    /// Who.
    public let newcomer: Newcomer

    /// As hosts see it.
    public var description: WaitingDescription {
        WaitingDescription(id: RoomNames.waiting(number), user: newcomer.user, name: newcomer.name)
    }
}

/// What a room remembers of a user who was in it, or who shall not be: who reloads a page finds things as they were.
struct RoomStanding: Hashable, Sendable {
    let user: String
    /// Whether locks and lobbies let the user pass.
    var isKnown = false
    var isBanned = false
    /// The role that somebody gave the user, by a request and not by the token.
    var role: ParticipantRole?

    /// Users remembered at once, those banned and others each: the oldest are forgotten, bans never, but refused.
    static let limit = 1_024
}
