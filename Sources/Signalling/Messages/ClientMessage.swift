// What a client says: `hello`, `resume`, `ack` and the commands, with their fields and bounds. How they travel is
// `ClientFrame`'s.

/// A message from a client.
public enum ClientMessage: Hashable, Sendable {
    /// Begins a session.
    case hello(Hello)
    /// Continues a session on a new socket.
    case resume(Resume)
    /// Only acknowledges.
    case ack
    /// Asks for something, by number, done once and answered once.
    case command(ClientCommand)

    /// Begins a session: the token, and what the client is.
    public struct Hello: Hashable, Sendable, Codable {
        /// The signed token (RFC 7519).
        public var token: String
        /// The device's own lasting name; the same user and device joining again replaces the old participant.
        public var device: String?
        /// The client's name and version, for logs.
        public var client: String?
        /// Whether the device rings for a second call while its user is in one; absent means no.
        public var callWaiting: Bool?

        /// A greeting.
        public init(token: String, device: String? = nil, client: String? = nil, callWaiting: Bool? = nil) {
            self.token = token
            self.device = device
            self.client = client
            self.callWaiting = callWaiting
        }
    }

    /// Continues a session on a new socket.
    public struct Resume: Hashable, Sendable, Codable {
        /// The session's name, from `welcome`.
        public var session: String
        /// The secret from `welcome`.
        public var resumeToken: String
        /// The highest `seq` that the client saw.
        public var lastSeq: UInt64

        /// A wish to continue.
        public init(session: String, resumeToken: String, lastSeq: UInt64) {
            self.session = session
            self.resumeToken = resumeToken
            self.lastSeq = lastSeq
        }

        /// Reads a wish to continue.
        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            session = try fields.decode(String.self, forKey: .session)
            resumeToken = try fields.decode(String.self, forKey: .resumeToken)
            lastSeq = try fields.decodeNumber(UInt64.self, forKey: .lastSeq)
        }
    }
}

/// A command of a client. Each is performed once and answered once.
public enum ClientCommand: Hashable, Sendable {
    /// Enter a room.
    case join(Join)
    /// A new session description: another track, more slots, an ICE restart.
    case offer(Offer)
    /// One ICE candidate, or that there are no more.
    case candidate(Candidate)
    /// Fresh ICE servers, wanted before an offer that restarts ICE.
    case iceRestart
    /// Mute or unmute an own track.
    case mute(Mute)
    /// Wishes about the own slots.
    case subscribe(Subscribe)
    /// Ask to speak: into the queue of hands.
    case raiseHand
    /// No longer ask.
    case lowerHand
    /// Answer a host's invitation to speak.
    case answerInvitation(AnswerInvitation)
    /// Give up the own role.
    case stepDown
    /// Show a sign to all.
    case react(React)
    /// Send a text.
    case message(Message)
    /// Set the own text about oneself.
    case metadata(Metadata)
    /// Act on the room or on others, as a host.
    case moderate(Moderate)
    /// Leave the room, or the lobby.
    case leave
    /// About a one-to-one call.
    case call(CallCommand)
    /// About the client's user.
    case account(AccountCommand)
    /// A session description answer, which clients never send: the machine refuses it and does not hand it on.
    case answer

    /// A session description and its kind.
    public struct Description: Hashable, Sendable, Codable {
        /// `offer` from a client, `answer` from the server.
        public enum Kind: String, Hashable, Sendable, Codable {
            /// From a client.
            case offer
            /// From the server.
            case answer
        }
        /// Offer or answer.
        public var type: Kind
        /// The session description (RFC 8866).
        public var sdp: String

        /// A description.
        public init(type: Kind, sdp: String) {
            self.type = type
            self.sdp = sdp
        }
    }

    /// What the client says about one track in its offer.
    public struct Track: Hashable, Sendable, Codable {
        /// The media section's `mid` (RFC 5888).
        public var mid: String
        /// What the track carries.
        public var source: TrackSourceName
        /// Whether it begins muted; absent means no.
        public var muted: Bool?

        /// A track.
        public init(mid: String, source: TrackSourceName, muted: Bool? = nil) {
            self.mid = mid
            self.source = source
            self.muted = muted
        }
    }

    /// Enters a room.
    public struct Join: Hashable, Sendable, Codable {
        /// The room's name.
        public var room: String
        /// The device's lasting name, where `hello` did not give it.
        public var device: String?
        /// The offer.
        public var offer: Description
        /// The tracks in the offer.
        public var tracks: [Track]
        /// The name to show, where the token has none.
        public var name: String?
        /// Whether the client encrypts its frames from end to end; absent means no. Nothing is negotiated then that would need
        /// the server to read them.
        public var encrypted: Bool?

        /// A wish to enter.
        public init(
            room: String, device: String? = nil, offer: Description, tracks: [Track], name: String? = nil,
            encrypted: Bool? = nil
        ) {
            self.room = room
            self.device = device
            self.offer = offer
            self.tracks = tracks
            self.name = name
            self.encrypted = encrypted
        }
    }

    /// A new offer within the room.
    public struct Offer: Hashable, Sendable, Codable {
        /// The session description.
        public var sdp: String
        /// The tracks in it, all of them.
        public var tracks: [Track]

        /// An offer.
        public init(sdp: String, tracks: [Track]) {
            self.sdp = sdp
            self.tracks = tracks
        }
    }

    /// One ICE candidate (RFC 8838, RFC 8840).
    public struct Candidate: Hashable, Sendable, Codable {
        /// The candidate attribute's value, or empty when there are no more.
        public var candidate: String
        /// The media section; all are bundled, so it may be left out.
        public var mid: String?
        /// Which ICE generation it belongs to.
        public var usernameFragment: String?

        /// A candidate.
        public init(candidate: String, mid: String? = nil, usernameFragment: String? = nil) {
            self.candidate = candidate
            self.mid = mid
            self.usernameFragment = usernameFragment
        }
    }

    /// Mutes or unmutes an own track.
    public struct Mute: Hashable, Sendable, Codable {
        /// The track's media section.
        public var mid: String
        /// Muted from now on, or not.
        public var muted: Bool
        /// The room's version that the person saw when deciding; an unmute that did not know of a host's mute is refused.
        public var version: UInt64?

        /// A wish to mute or unmute.
        public init(mid: String, muted: Bool, version: UInt64? = nil) {
            self.mid = mid
            self.muted = muted
            self.version = version
        }

        /// Reads a wish.
        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            mid = try fields.decode(String.self, forKey: .mid)
            muted = try fields.decode(Bool.self, forKey: .muted)
            version = try fields.decodeNumberIfPresent(UInt64.self, forKey: .version)
        }
    }

    /// Wishes about the own slots; slots not named keep theirs.
    public struct Subscribe: Hashable, Sendable, Codable {
        /// The wish about one slot; it replaces the one before, whole.
        public struct Wish: Hashable, Sendable, Codable {
            /// The slot's media section.
            public var mid: String
            /// The track that shall be on it, or nil (absent or null) for the server's choice.
            public var pin: String?
            /// The height in pixels at which the picture is shown; 0: not shown. Absent: as large as there is.
            public var wantedHeight: UInt16?
            /// How much it matters among the client's slots when not all of them fit the path, 0 to 255, the higher the more.
            /// Absent: 128.
            public var priority: UInt8?

            /// A wish.
            public init(mid: String, pin: String? = nil, wantedHeight: UInt16? = nil, priority: UInt8? = nil) {
                self.mid = mid
                self.pin = pin
                self.wantedHeight = wantedHeight
                self.priority = priority
            }

            /// Reads a wish.
            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                mid = try fields.decode(String.self, forKey: .mid)
                pin = try fields.decodeIfPresent(String.self, forKey: .pin)
                wantedHeight = try fields.decodeNumberIfPresent(UInt16.self, forKey: .wantedHeight)
                priority = try fields.decodeNumberIfPresent(UInt8.self, forKey: .priority)
            }
        }
        /// One wish per slot named.
        public var slots: [Wish]

        /// Wishes.
        public init(slots: [Wish]) { self.slots = slots }
    }
}

extension ClientMessage {
    /// The `type` it travels under.
    public var type: String {
        switch self {
        case .hello: "hello"
        case .resume: "resume"
        case .ack: "ack"
        case .command(let command): command.type
        }
    }
}

extension ClientCommand {
    /// The `type` it travels under.
    public var type: String {
        switch self {
        case .join: "join"
        case .offer: "offer"
        case .candidate: "candidate"
        case .iceRestart: "iceRestart"
        case .mute: "mute"
        case .subscribe: "subscribe"
        case .raiseHand: "raiseHand"
        case .lowerHand: "lowerHand"
        case .answerInvitation: "answerInvitation"
        case .stepDown: "stepDown"
        case .react: "react"
        case .message: "message"
        case .metadata: "metadata"
        case .moderate: "moderate"
        case .leave: "leave"
        case .call(let command): command.type
        case .account(let command): command.type
        case .answer: "answer"
        }
    }
}
