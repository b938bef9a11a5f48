// How people, tracks and slots are described in the server's messages.

/// A participant as the others see it.
public struct ParticipantDescription: Hashable, Sendable, Codable {
    /// The identifier in this room, such as `p7`.
    public var id: String
    /// The room number: the CSRC of what the participant publishes.
    public var number: UInt32
    /// The token's `sub`.
    public var user: String
    /// The name to show.
    public var name: String?
    /// The device's lasting name.
    public var device: String?
    /// What the participant publishes.
    public var tracks: [TrackDescription]
    /// What the participant may do.
    public var role: ParticipantRole
    /// The place of the raised hand: the lower number was raised first; nil while it is not raised.
    public var hand: UInt64?
    /// Whether a host asked the participant to speak, and it has not answered.
    public var isInvited: Bool
    /// The participant's own text about itself.
    public var metadata: String?

    private enum CodingKeys: String, CodingKey {
        case id, number, user, name, device, tracks, role, hand, isInvited = "invited", metadata
    }

    /// A participant.
    public init(
        id: String, number: UInt32, user: String, name: String?, device: String?, tracks: [TrackDescription],
        role: ParticipantRole = .speaker, hand: UInt64? = nil, isInvited: Bool = false, metadata: String? = nil
    ) {
        self.role = role
        self.hand = hand
        self.isInvited = isInvited
        self.metadata = metadata
        self.id = id
        self.number = number
        self.user = user
        self.name = name
        self.device = device
        self.tracks = tracks
    }
}

extension ParticipantDescription {
    /// Reads a participant; what an older server does not say is what it was then.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try fields.decode(String.self, forKey: .id), number: try fields.decode(UInt32.self, forKey: .number),
            user: try fields.decode(String.self, forKey: .user),
            name: try fields.decodeIfPresent(String.self, forKey: .name),
            device: try fields.decodeIfPresent(String.self, forKey: .device),
            tracks: try fields.decode([TrackDescription].self, forKey: .tracks),
            role: try fields.decodeIfPresent(ParticipantRole.self, forKey: .role) ?? .speaker,
            hand: try fields.decodeIfPresent(UInt64.self, forKey: .hand),
            isInvited: try fields.decodeIfPresent(Bool.self, forKey: .isInvited) ?? false,
            metadata: try fields.decodeIfPresent(String.self, forKey: .metadata))
    }

    /// Writes a participant; what is not so is left out.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(id, forKey: .id)
        try fields.encode(number, forKey: .number)
        try fields.encode(user, forKey: .user)
        try fields.encodeIfPresent(name, forKey: .name)
        try fields.encodeIfPresent(device, forKey: .device)
        try fields.encode(tracks, forKey: .tracks)
        try fields.encode(role, forKey: .role)
        try fields.encodeIfPresent(hand, forKey: .hand)
        if isInvited { try fields.encode(true, forKey: .isInvited) }
        try fields.encodeIfPresent(metadata, forKey: .metadata)
    }
}

/// A published track as the others see it.
public struct TrackDescription: Hashable, Sendable, Codable {
    /// The participant's identifier, a slash and the publisher's `mid`.
    public var id: String
    /// The publisher's media section.
    public var mid: String
    /// Audio or video.
    public var kind: MediaKindName
    /// What it carries.
    public var source: TrackSourceName
    /// Muted, or not.
    public var muted: Bool

    /// A track.
    public init(id: String, mid: String, kind: MediaKindName, source: TrackSourceName, muted: Bool) {
        self.id = id
        self.mid = mid
        self.kind = kind
        self.source = source
        self.muted = muted
    }
}

/// What one of the receiver's slots shows.
public struct SlotDescription: Hashable, Sendable, Codable {
    /// Why it shows that.
    public enum Reason: String, Hashable, Sendable, CaseIterable, Codable {
        /// The receiver pinned it.
        case pinned
        /// There is a slot for everybody.
        case everyone
        /// One of the loudest people.
        case speaker
        /// A shared screen.
        case screen
        /// Nothing is left to show.
        case nothing
        /// A track is there, but the slot did not negotiate its codec.
        case unsupportedCodec
    }
    /// The receiver's media section.
    public var mid: String
    /// Audio or video.
    public var kind: MediaKindName
    /// Whose track is on it.
    public var participant: String?
    /// Their room number: the CSRC that the packets will carry.
    public var number: UInt32?
    /// The track on it.
    public var track: String?
    /// What the track carries.
    public var source: TrackSourceName?
    /// Why.
    public var reason: Reason

    /// A slot.
    public init(
        mid: String, kind: MediaKindName, participant: String? = nil, number: UInt32? = nil, track: String? = nil,
        source: TrackSourceName? = nil, reason: Reason
    ) {
        self.mid = mid
        self.kind = kind
        self.participant = participant
        self.number = number
        self.track = track
        self.source = source
        self.reason = reason
    }

    /// Writes every field: an empty slot says so with nulls.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(mid, forKey: .mid)
        try fields.encode(kind, forKey: .kind)
        try fields.encode(participant, forKey: .participant)
        try fields.encode(number, forKey: .number)
        try fields.encode(track, forKey: .track)
        try fields.encode(source, forKey: .source)
        try fields.encode(reason, forKey: .reason)
    }
}

/// A media section of the client's offer that the server refused.
public struct RefusedSection: Hashable, Sendable, Codable {
    /// Why.
    public enum Reason: String, Hashable, Sendable, CaseIterable, Codable {
        /// No codec of it is one of the room's.
        case unsupportedCodec
        /// More tracks than one participant may publish.
        case tooManyTracks
        /// More slots than one participant may have.
        case tooManySlots
        /// The token does not grant it.
        case notPermitted
        /// It is not in the BUNDLE group (RFC 9143).
        case notBundled
        /// It does not multiplex RTP and RTCP (RFC 5761).
        case noRtcpMux
        /// Data channels are not served.
        case dataChannelsUnsupported
        /// Neither audio nor video over DTLS-SRTP.
        case unsupportedMedia
        /// It cannot be read.
        case malformed
    }
    /// The media section.
    public var mid: String
    /// Why.
    public var reason: Reason

    /// A refusal.
    public init(mid: String, reason: Reason) {
        self.mid = mid
        self.reason = reason
    }
}
