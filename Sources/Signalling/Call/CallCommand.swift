// What a client says of calls, with its JSON. The bounds are in the file beside; how it travels is `ClientFrame`'s.

/// A command of a client about a one-to-one call.
public enum CallCommand: Hashable, Sendable {
    /// Call somebody.
    case invite(Invite)
    /// Take a call that rings.
    case accept(Accept)
    /// Refuse a call that rings, on all devices.
    case decline(CallID)
    /// Give up a call that nobody has answered.
    case cancel(CallID)
    /// End a call.
    case hangup(CallID)
    /// A session description for the other device.
    case description(Description)
    /// An ICE candidate for the other device, or that there are no more.
    case candidate(Candidate)
    /// Media flows.
    case connected(Connected)
    /// How well the device is served.
    case quality(Quality)
    /// Move the call into a room of the server.
    case upgrade(CallID)
    /// Put the call on hold: neither side hears or sees the other.
    case hold(CallID)
    /// Take back the own `hold`.
    case resume(CallID)
    /// Take an own call over on a new session.
    case reattach(Reattach)
    /// Ask which users are there.
    case presence(Presence)

    /// Calls somebody.
    public struct Invite: Hashable, Sendable, Codable {
        /// The user (`sub`) to call.
        public var to: String
        /// What the caller will send.
        public var media: CallMedia
        /// How the media shall travel; absent: `direct`.
        public var mode: CallMode?
        /// Whether neither side shall learn an address of the other; absent: no.
        public var relayOnly: Bool?
        /// An accepted call of the caller's own into whose room the user is called; absent: none. The mode is `sfu` then, and a call
        /// that is direct moves into its room.
        public var into: CallID?

        /// A wish to talk to somebody.
        public init(
            to: String, media: CallMedia, mode: CallMode? = nil, relayOnly: Bool? = nil, into: CallID? = nil
        ) {
            self.to = to
            self.media = media
            self.mode = mode
            self.relayOnly = relayOnly
            self.into = into
        }
    }

    /// Takes a call.
    public struct Accept: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// What the callee will send.
        public var media: CallMedia
        /// Whether neither side shall learn an address of the other; absent: no.
        public var relayOnly: Bool?

        /// An answer.
        public init(call: CallID, media: CallMedia, relayOnly: Bool? = nil) {
            self.call = call
            self.media = media
            self.relayOnly = relayOnly
        }
    }

    /// A session description for the other device. The server writes it on to the other device as it came, but for addresses where
    /// one side asked for that.
    public struct Description: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The description.
        public var description: ClientCommand.Description

        /// A description.
        public init(call: CallID, description: ClientCommand.Description) {
            self.call = call
            self.description = description
        }
    }

    /// An ICE candidate for the other device (RFC 8838, RFC 8840).
    public struct Candidate: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The candidate attribute's value, or empty when there are no more.
        public var candidate: String
        /// The media section.
        public var mid: String?
        /// Which ICE generation it belongs to.
        public var usernameFragment: String?

        /// A candidate.
        public init(call: CallID, candidate: String, mid: String? = nil, usernameFragment: String? = nil) {
            self.call = call
            self.candidate = candidate
            self.mid = mid
            self.usernameFragment = usernameFragment
        }
    }

    /// Media flows.
    public struct Connected: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The path it takes.
        public var path: CallPath

        /// A report.
        public init(call: CallID, path: CallPath) {
            self.call = call
            self.path = path
        }
    }

    /// How well a device is served, as it finds itself.
    public struct Quality: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The round trip.
        public var rttMilliseconds: UInt16?
        /// Packets lost on the way to the device, 0 to 100.
        public var lossPercent: Double
        /// The interarrival jitter (RFC 3550).
        public var jitterMilliseconds: UInt16
        /// The mean opinion score of what is heard, 1 to 5.
        public var mos: Double?

        /// A report.
        public init(
            call: CallID, rttMilliseconds: UInt16? = nil, lossPercent: Double, jitterMilliseconds: UInt16,
            mos: Double? = nil
        ) {
            self.call = call
            self.rttMilliseconds = rttMilliseconds
            self.lossPercent = lossPercent
            self.jitterMilliseconds = jitterMilliseconds
            self.mos = mos
        }

        /// Reads a report.
        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            call = try fields.decode(CallID.self, forKey: .call)
            rttMilliseconds = try fields.decodeNumberIfPresent(UInt16.self, forKey: .rttMilliseconds)
            lossPercent = try fields.decode(Double.self, forKey: .lossPercent)
            jitterMilliseconds = try fields.decodeNumber(UInt16.self, forKey: .jitterMilliseconds)
            mos = try fields.decodeIfPresent(Double.self, forKey: .mos)
        }
    }

    /// Takes an own call over on a new session.
    public struct Reattach: Hashable, Sendable, Codable {
        /// The call.
        public var call: CallID
        /// The secret from `call.invited` or `call.accepted`.
        public var token: String

        /// A wish to go on.
        public init(call: CallID, token: String) {
            self.call = call
            self.token = token
        }
    }

    /// Asks which users have a connected device that can be called.
    public struct Presence: Hashable, Sendable, Codable {
        /// The users, at most `ProtocolLimits.presenceUsers`.
        public var users: [String]

        /// A question.
        public init(users: [String]) { self.users = users }
    }

    /// The call it is about; nil for `invite`, which begins one, and `presence`.
    public var call: CallID? {
        switch self {
        case .invite, .presence: nil
        case .accept(let accept): accept.call
        case .decline(let call), .cancel(let call), .hangup(let call), .upgrade(let call), .hold(let call),
            .resume(let call):
            call
        case .description(let description): description.call
        case .candidate(let candidate): candidate.call
        case .connected(let connected): connected.call
        case .quality(let quality): quality.call
        case .reattach(let reattach): reattach.call
        }
    }

    /// The `type` it travels under.
    public var type: String {
        switch self {
        case .invite: "call.invite"
        case .accept: "call.accept"
        case .decline: "call.decline"
        case .cancel: "call.cancel"
        case .hangup: "call.hangup"
        case .description: "call.description"
        case .candidate: "call.candidate"
        case .connected: "call.connected"
        case .quality: "call.quality"
        case .upgrade: "call.upgrade"
        case .hold: "call.hold"
        case .resume: "call.resume"
        case .reattach: "call.reattach"
        case .presence: "call.presence"
        }
    }
}

/// The fields of a command, or of a message, that only names its call.
struct CallName: Codable {
    var call: CallID
}

extension CallCommand {
    /// Reads the command of a type, or nil where the type is none of these.
    init?(type: String, from decoder: any Decoder) throws {
        func name() throws -> CallID { try CallName(from: decoder).call }
        switch type {
        case "call.invite": self = .invite(try .init(from: decoder))
        case "call.accept": self = .accept(try .init(from: decoder))
        case "call.decline": self = .decline(try name())
        case "call.cancel": self = .cancel(try name())
        case "call.hangup": self = .hangup(try name())
        case "call.description": self = .description(try .init(from: decoder))
        case "call.candidate": self = .candidate(try .init(from: decoder))
        case "call.connected": self = .connected(try .init(from: decoder))
        case "call.quality": self = .quality(try .init(from: decoder))
        case "call.upgrade": self = .upgrade(try name())
        case "call.hold": self = .hold(try name())
        case "call.resume": self = .resume(try name())
        case "call.reattach": self = .reattach(try .init(from: decoder))
        case "call.presence": self = .presence(try .init(from: decoder))
        default: return nil
        }
    }

    /// Writes the command's fields beside those of the envelope.
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .invite(let body): try body.encode(to: encoder)
        case .accept(let body): try body.encode(to: encoder)
        case .decline(let call), .cancel(let call), .hangup(let call), .upgrade(let call), .hold(let call),
            .resume(let call):
            try CallName(call: call).encode(to: encoder)
        case .description(let body): try body.encode(to: encoder)
        case .candidate(let body): try body.encode(to: encoder)
        case .connected(let body): try body.encode(to: encoder)
        case .quality(let body): try body.encode(to: encoder)
        case .reattach(let body): try body.encode(to: encoder)
        case .presence(let body): try body.encode(to: encoder)
        }
    }
}
