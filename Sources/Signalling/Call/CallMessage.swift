// What the server says of calls, with its JSON. How it travels is `ServerFrame`'s.

/// A message from the server about a one-to-one call.
public enum CallMessage: Hashable, Sendable {
    /// Answers `call.invite`: the call has a name now.
    case invited(Invited)
    /// Somebody calls.
    case incoming(Incoming)
    /// A device of the callee rings.
    case ringing(CallID)
    /// The call was accepted: answers `call.accept`, and tells the caller.
    case accepted(Accepted)
    /// The device shall stop ringing, or is no longer the call's: the call is on another of the user's devices.
    case endedElsewhere(EndedElsewhere)
    /// A session description of the other device.
    case description(CallCommand.Description)
    /// An ICE candidate of the other device.
    case candidate(CallCommand.Candidate)
    /// Both devices have reported media.
    case connected(CallID)
    /// How well the other device is served; carries no `seq`.
    case quality(CallCommand.Quality)
    /// The call's media moves into a room.
    case upgraded(Upgraded)
    /// The call's media goes from device to device again.
    case returned(Returned)
    /// A side has put the call on hold.
    case held(Held)
    /// A side has taken that back.
    case resumed(Held)
    /// Who else in the call's room is on hold now.
    case onHold(OnHold)
    /// Answers `call.reattach`.
    case reattached(Reattached)
    /// The call is over; answers `call.reattach` too, where it is.
    case ended(Ended)
    /// A call was not answered.
    case missed(Missed)
    /// Answers `call.presence`.
    case presence(Present)

    /// Answers `call.invite`.
    public struct Invited: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The secret for `call.reattach`.
        public var token: String

        /// An answer.
        public init(call: CallID, token: String) {
            self.call = call
            self.token = token
        }
    }

    /// Somebody calls.
    public struct Incoming: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// Who calls.
        public var from: ServerMessage.User
        /// What the caller will send.
        public var media: CallMedia
        /// How the media will travel.
        public var mode: CallMode
        /// Whether the user is in another call.
        public var waiting: Bool
        /// For how much longer it rings.
        public var ringMilliseconds: Int64

        /// An incoming call.
        public init(
            call: CallID, from: ServerMessage.User, media: CallMedia, mode: CallMode, waiting: Bool,
            ringMilliseconds: Int64
        ) {
            self.call = call
            self.from = from
            self.media = media
            self.mode = mode
            self.waiting = waiting
            self.ringMilliseconds = ringMilliseconds
        }
    }

    /// The call was accepted.
    public struct Accepted: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The client's own call that has become this one: both sides called each other.
        public var replaces: CallID?
        /// The other side.
        public var user: ServerMessage.User
        /// What the other side will send.
        public var media: CallMedia
        /// How the media travels.
        public var mode: CallMode
        /// Whether only relayed candidates pass.
        public var relayOnly: Bool
        /// Whether it is this client that offers.
        public var offers: Bool
        /// The secret for `call.reattach`.
        public var token: String
        /// Those who have another call of the room on hold; absent where nobody has.
        public var onHold: [String]?
        /// The room to join, where the mode is `sfu`.
        public var room: String?
        /// For the client's RTCPeerConnection.
        public var iceServers: [ServerMessage.ICEServer]?

        /// An accepted call.
        public init(
            call: CallID, replaces: CallID? = nil, user: ServerMessage.User, media: CallMedia, mode: CallMode,
            relayOnly: Bool, offers: Bool, token: String, onHold: [String]? = nil, room: String? = nil,
            iceServers: [ServerMessage.ICEServer]? = nil
        ) {
            self.call = call
            self.replaces = replaces
            self.user = user
            self.media = media
            self.mode = mode
            self.relayOnly = relayOnly
            self.offers = offers
            self.token = token
            self.onHold = onHold
            self.room = room
            self.iceServers = iceServers
        }
    }

    /// The call is on another of the user's devices.
    public struct EndedElsewhere: Hashable, Sendable, Codable {
        /// What became of it.
        public enum How: String, Hashable, Sendable, CaseIterable, Codable {
            /// Another device took it.
            case accepted
            /// The user is in another call now, and this device does not offer call waiting.
            case busy
            /// Another session took it over with `call.reattach`.
            case moved
        }
        /// The call.
        public var call: CallID
        /// What became of it.
        public var how: How

        /// An end on this device.
        public init(call: CallID, how: How) {
            self.call = call
            self.how = how
        }
    }

    /// The call's media moves into a room.
    public struct Upgraded: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The room to join.
        public var room: String

        /// A move.
        public init(call: CallID, room: String) {
            self.call = call
            self.room = room
        }
    }

    /// The call's media goes from device to device again.
    public struct Returned: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// Whether it is this client that offers.
        public var offers: Bool

        /// A way back.
        public init(call: CallID, offers: Bool) {
            self.call = call
            self.offers = offers
        }
    }

    /// A side has put the call on hold, or taken that back.
    public struct Held: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// Which side.
        public var by: CallSide

        /// A change.
        public init(call: CallID, by: CallSide) {
            self.call = call
            self.by = by
        }
    }

    /// Who has another call of the call's room on hold. Says all of it, and takes the place of the one before.
    public struct OnHold: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The users, in the order of their names.
        public var users: [String]

        /// How it stands.
        public init(call: CallID, users: [String]) {
            self.call = call
            self.users = users
        }
    }

    /// Answers `call.reattach`: how the call stands.
    public struct Reattached: Hashable, Sendable, Codable {
        /// The call, by the name that it has now.
        public var call: CallID
        /// How far it has come.
        public var state: CallState
        /// The other side.
        public var user: ServerMessage.User
        /// What the other side sends; absent while nobody has answered.
        public var media: CallMedia?
        /// How the media travels.
        public var mode: CallMode
        /// Whether only relayed candidates pass.
        public var relayOnly: Bool
        /// Whether it is this client that offered.
        public var offers: Bool
        /// The sides that have it on hold, the caller first; absent where neither has.
        public var heldBy: [CallSide]?
        /// Those who have another call of the room on hold; absent where nobody has.
        public var onHold: [String]?
        /// The room, where the mode is `sfu` and the call was accepted.
        public var room: String?
        /// For the client's RTCPeerConnection.
        public var iceServers: [ServerMessage.ICEServer]?

        /// How a call stands.
        public init(
            call: CallID, state: CallState, user: ServerMessage.User, media: CallMedia?, mode: CallMode,
            relayOnly: Bool, offers: Bool, heldBy: [CallSide]? = nil, onHold: [String]? = nil,
            room: String? = nil, iceServers: [ServerMessage.ICEServer]? = nil
        ) {
            self.call = call
            self.state = state
            self.heldBy = heldBy
            self.onHold = onHold
            self.user = user
            self.media = media
            self.mode = mode
            self.relayOnly = relayOnly
            self.offers = offers
            self.room = room
            self.iceServers = iceServers
        }
    }

    /// The call is over.
    public struct Ended: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// Why.
        public var reason: CallEndReason
        /// Whose doing it was, where it was somebody's.
        public var by: CallSide?

        /// An end.
        public init(call: CallID, reason: CallEndReason, by: CallSide? = nil) {
            self.call = call
            self.reason = reason
            self.by = by
        }
    }

    /// A call was not answered.
    public struct Missed: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// Who called.
        public var from: ServerMessage.User
        /// What the caller would have sent.
        public var media: CallMedia
        /// When it was placed, in Unix milliseconds.
        public var placedMilliseconds: Int64

        /// A missed call.
        public init(call: CallID, from: ServerMessage.User, media: CallMedia, placedMilliseconds: Int64) {
            self.call = call
            self.from = from
            self.media = media
            self.placedMilliseconds = placedMilliseconds
        }
    }

    /// Answers `call.presence`.
    public struct Present: Hashable, Sendable, Codable {
        /// Those of the users asked for that have a connected device, in the order asked.
        public var present: [String]

        /// An answer.
        public init(present: [String]) { self.present = present }
    }

    /// The `type` it travels under.
    public var type: String {
        switch self {
        case .invited: "call.invited"
        case .incoming: "call.incoming"
        case .ringing: "call.ringing"
        case .accepted: "call.accepted"
        case .endedElsewhere: "call.endedElsewhere"
        case .description: "call.description"
        case .candidate: "call.candidate"
        case .connected: "call.connected"
        case .quality: "call.quality"
        case .upgraded: "call.upgraded"
        case .returned: "call.returned"
        case .held: "call.held"
        case .resumed: "call.resumed"
        case .onHold: "call.onHold"
        case .reattached: "call.reattached"
        case .ended: "call.ended"
        case .missed: "call.missed"
        case .presence: "call.presence"
        }
    }
}

extension CallMessage {
    /// Reads the message of a type, or nil where the type is none of these.
    init?(type: String, from decoder: any Decoder) throws {
        switch type {
        case "call.invited": self = .invited(try .init(from: decoder))
        case "call.incoming": self = .incoming(try .init(from: decoder))
        case "call.ringing": self = .ringing(try CallName(from: decoder).call)
        case "call.accepted": self = .accepted(try .init(from: decoder))
        case "call.endedElsewhere": self = .endedElsewhere(try .init(from: decoder))
        case "call.description": self = .description(try .init(from: decoder))
        case "call.candidate": self = .candidate(try .init(from: decoder))
        case "call.connected": self = .connected(try CallName(from: decoder).call)
        case "call.quality": self = .quality(try .init(from: decoder))
        case "call.upgraded": self = .upgraded(try .init(from: decoder))
        case "call.returned": self = .returned(try .init(from: decoder))
        case "call.held": self = .held(try .init(from: decoder))
        case "call.resumed": self = .resumed(try .init(from: decoder))
        case "call.onHold": self = .onHold(try .init(from: decoder))
        case "call.reattached": self = .reattached(try .init(from: decoder))
        case "call.ended": self = .ended(try .init(from: decoder))
        case "call.missed": self = .missed(try .init(from: decoder))
        case "call.presence": self = .presence(try .init(from: decoder))
        default: return nil
        }
    }

    /// Writes the message's fields beside those of the envelope.
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .invited(let body): try body.encode(to: encoder)
        case .incoming(let body): try body.encode(to: encoder)
        case .ringing(let call), .connected(let call): try CallName(call: call).encode(to: encoder)
        case .accepted(let body): try body.encode(to: encoder)
        case .endedElsewhere(let body): try body.encode(to: encoder)
        case .description(let body): try body.encode(to: encoder)
        case .candidate(let body): try body.encode(to: encoder)
        case .quality(let body): try body.encode(to: encoder)
        case .upgraded(let body): try body.encode(to: encoder)
        case .returned(let body): try body.encode(to: encoder)
        case .held(let body), .resumed(let body): try body.encode(to: encoder)
        case .onHold(let body): try body.encode(to: encoder)
        case .reattached(let body): try body.encode(to: encoder)
        case .ended(let body): try body.encode(to: encoder)
        case .missed(let body): try body.encode(to: encoder)
        case .presence(let body): try body.encode(to: encoder)
        }
    }
}
