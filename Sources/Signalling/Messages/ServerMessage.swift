// What the server says: answers and events, with their fields. How they travel is `ServerFrame`'s.

/// A message from the server.
public enum ServerMessage: Hashable, Sendable {
    /// Answers `hello`.
    case welcome(Welcome)
    /// Answers `resume`; carries no `seq`.
    case resumed(Resumed)
    /// Answers `join`.
    case joined(Joined)
    /// Answers `offer`.
    case answer(Answer)
    /// Answers a command that needs no more; with ICE servers where it was `iceRestart`.
    case ok(OK)
    /// Answers `leave`.
    case left
    /// Answers a command that failed, or says why the socket is about to be closed.
    case error(ProtocolError)
    /// One of the server's ICE candidates.
    case candidate(Candidate)
    /// Asks the client for an offer that restarts ICE.
    case iceRestart(ICERestart)
    /// The slots that show something else from now on.
    case slots([SlotDescription])
    /// Which encodings of an own track are needed from now on.
    case layers(Layers)
    /// Somebody entered.
    case participantJoined(ParticipantJoined)
    /// Somebody left.
    case participantLeft(ParticipantLeft)
    /// Something about a participant changed.
    case participantUpdated(ParticipantJoined)
    /// A track is there.
    case trackPublished(TrackPublished)
    /// A track is gone.
    case trackUnpublished(TrackUnpublished)
    /// A track was muted or unmuted.
    case trackMuted(TrackMuted)
    /// A recording of the room began or ended.
    case recording(Recording)
    /// The room's settings changed.
    case roomUpdated(RoomUpdated)
    /// The room is over for the client.
    case roomEnded(RoomEnded)
    /// Answers `join` where the client has to wait, and says what becomes of it.
    case lobby(Lobby)
    /// Tells a host of somebody who waits.
    case waiting(Waiting)
    /// A text of a participant.
    case message(Message)
    /// A sign of a participant.
    case reaction(Reaction)
    /// A host asks the client to unmute.
    case unmuteRequested(UnmuteRequested)
    /// The server's view of the client's transport.
    case mediaState(MediaState)
    /// How well the client is served; carries no `seq`.
    case quality(Quality)
    /// About a one-to-one call.
    case call(CallMessage)
    /// Answers `account.blocked`.
    case blocked(Blocked)
    /// Who has the floor and who speaks; carries no `seq`.
    case speakers(Speakers)
    /// The server is about to go away.
    case serverShutdown(ServerShutdown)
    /// A message of a newer server, for clients to ignore. A server never sends it.
    case unknown(type: String)

    /// An ICE server (W3C `RTCIceServer`).
    public struct ICEServer: Hashable, Sendable, Codable {
        /// `stun:` and `turn:` URIs (RFC 7064, RFC 7065).
        public var urls: [String]
        /// The timed user name of TURN.
        public var username: String?
        /// The timed password of TURN.
        public var credential: String?

        /// An ICE server.
        public init(urls: [String], username: String? = nil, credential: String? = nil) {
            self.urls = urls
            self.username = username
            self.credential = credential
        }
    }

    /// Who the server holds the client for.
    public struct User: Hashable, Sendable, Codable {
        /// The token's `sub`.
        public var id: String
        /// The name to show.
        public var name: String?

        /// A user.
        public init(id: String, name: String?) {
            self.id = id
            self.name = name
        }
    }

    /// Answers `hello`.
    public struct Welcome: Hashable, Sendable, Codable {
        /// The session's name, for `resume`.
        public var session: String
        /// The secret, for `resume`.
        public var resumeToken: String
        /// How long the session waits for `resume` once its socket is lost.
        public var resumeWindowSeconds: Int
        /// How often the server pings.
        public var heartbeatSeconds: Int
        /// For the client's RTCPeerConnection.
        public var iceServers: [ICEServer]
        /// How long the credentials in them are good.
        public var iceServersTTLSeconds: Int
        /// The codecs of the server's rooms by their names in `a=rtpmap`, the preferred first; others are refused.
        public var codecs: [String]
        /// Who the client is.
        public var user: User
        /// The one room that the token is for, where it is for one.
        public var room: String?

        /// A welcome.
        public init(
            session: String, resumeToken: String, resumeWindowSeconds: Int, heartbeatSeconds: Int,
            iceServers: [ICEServer], iceServersTTLSeconds: Int, codecs: [String], user: User, room: String?
        ) {
            self.session = session
            self.resumeToken = resumeToken
            self.resumeWindowSeconds = resumeWindowSeconds
            self.heartbeatSeconds = heartbeatSeconds
            self.iceServers = iceServers
            self.iceServersTTLSeconds = iceServersTTLSeconds
            self.codecs = codecs
            self.user = user
            self.room = room
        }
    }

    /// Answers `resume`.
    public struct Resumed: Hashable, Sendable {
        /// The highest command taken in; commands after it were not received and shall be sent again.
        public var lastCommand: CommandID

        /// A session goes on.
        public init(lastCommand: CommandID) { self.lastCommand = lastCommand }
    }

    /// Answers `join`.
    public struct Joined: Hashable, Sendable, Codable {
        /// The room's name.
        public var room: String
        /// The room's version that the lists are true at.
        public var version: UInt64
        /// The client itself.
        public var participant: ParticipantDescription
        /// The others.
        public var participants: [ParticipantDescription]
        /// The answer to the offer.
        public var answer: ClientCommand.Description
        /// The media sections that were refused.
        public var refused: [RefusedSection]
        /// What each slot shows.
        public var slots: [SlotDescription]
        /// The recording that runs, if one does.
        public var recording: RecordingDescription?
        /// What all see of the room itself.
        public var settings: RoomSettings?
        /// Who waits to come in; only hosts are told.
        public var waiting: [WaitingDescription]?
        /// How long the session waits for `resume` once its socket is lost.
        public var resumeWindowSeconds: Int

        /// A snapshot of the room.
        public init(
            room: String, version: UInt64, participant: ParticipantDescription,
            participants: [ParticipantDescription], answer: ClientCommand.Description, refused: [RefusedSection],
            slots: [SlotDescription], recording: RecordingDescription? = nil, settings: RoomSettings? = nil,
            waiting: [WaitingDescription]? = nil, resumeWindowSeconds: Int
        ) {
            self.settings = settings
            self.waiting = waiting
            self.room = room
            self.version = version
            self.participant = participant
            self.participants = participants
            self.answer = answer
            self.refused = refused
            self.slots = slots
            self.recording = recording
            self.resumeWindowSeconds = resumeWindowSeconds
        }
    }

    /// Answers `offer`.
    public struct Answer: Hashable, Sendable, Codable {
        /// The session description.
        public var sdp: String
        /// The media sections that were refused.
        public var refused: [RefusedSection]

        /// An answer.
        public init(sdp: String, refused: [RefusedSection]) {
            self.sdp = sdp
            self.refused = refused
        }
    }

    /// Answers a command that needs no more.
    public struct OK: Hashable, Sendable, Codable {
        /// Fresh ICE servers, where the command was `iceRestart`.
        public var iceServers: [ICEServer]?

        /// Done.
        public init(iceServers: [ICEServer]? = nil) { self.iceServers = iceServers }
    }

    /// One of the server's ICE candidates.
    public struct Candidate: Hashable, Sendable, Codable {
        /// The candidate attribute's value, or empty when there are no more.
        public var candidate: String
        /// The media section.
        public var mid: String?
        /// Which ICE generation it belongs to.
        public var usernameFragment: String?

        /// A candidate.
        public init(candidate: String, mid: String?, usernameFragment: String?) {
            self.candidate = candidate
            self.mid = mid
            self.usernameFragment = usernameFragment
        }
    }

    /// Asks for an offer that restarts ICE.
    public struct ICERestart: Hashable, Sendable, Codable {
        /// Fresh ICE servers.
        public var iceServers: [ICEServer]

        /// A request for a restart.
        public init(iceServers: [ICEServer]) { self.iceServers = iceServers }
    }

    /// Somebody entered, or changed.
    public struct ParticipantJoined: Hashable, Sendable, Codable {
        /// The room's version from now on.
        public var version: UInt64
        /// The participant as it is now.
        public var participant: ParticipantDescription

        /// A participant at a version.
        public init(version: UInt64, participant: ParticipantDescription) {
            self.version = version
            self.participant = participant
        }
    }

    /// Somebody left.
    public struct ParticipantLeft: Hashable, Sendable, Codable {
        /// Why.
        public enum Reason: String, Hashable, Sendable, CaseIterable, Codable {
            /// Of their own will.
            case left
            /// Nothing was heard of them.
            case timedOut
            /// The same person joined again from the same device.
            case replaced
            /// They were removed.
            case removed
            /// Their transport failed.
            case failed
            /// The room ended.
            case roomEnded
        }
        /// The room's version from now on.
        public var version: UInt64
        /// Who.
        public var participant: String
        /// Why.
        public var reason: Reason

        /// A leaving.
        public init(version: UInt64, participant: String, reason: Reason) {
            self.version = version
            self.participant = participant
            self.reason = reason
        }
    }

    /// A track is there.
    public struct TrackPublished: Hashable, Sendable, Codable {
        /// The room's version from now on.
        public var version: UInt64
        /// The track.
        public var track: TrackDescription
        /// Whose.
        public var participant: String

        /// A new track.
        public init(version: UInt64, track: TrackDescription, participant: String) {
            self.version = version
            self.track = track
            self.participant = participant
        }
    }

    /// A track is gone.
    public struct TrackUnpublished: Hashable, Sendable, Codable {
        /// The room's version from now on.
        public var version: UInt64
        /// The track's identifier.
        public var track: String
        /// Whose.
        public var participant: String

        /// An end of a track.
        public init(version: UInt64, track: String, participant: String) {
            self.version = version
            self.track = track
            self.participant = participant
        }
    }

    /// A track was muted or unmuted.
    public struct TrackMuted: Hashable, Sendable, Codable {
        /// The room's version from now on.
        public var version: UInt64
        /// The track's identifier.
        public var track: String
        /// Whose.
        public var participant: String
        /// Muted from now on, or not.
        public var muted: Bool
        /// Who did it, where it was not the participant itself: a participant, or `operator`.
        public var by: String?

        /// A change of mute.
        public init(version: UInt64, track: String, participant: String, muted: Bool, by: String? = nil) {
            self.by = by
            self.version = version
            self.track = track
            self.participant = participant
            self.muted = muted
        }
    }

    /// The server's view of the client's transport.
    public struct MediaState: Hashable, Sendable, Codable {
        /// As W3C `RTCPeerConnectionState` names them.
        public enum State: String, Hashable, Sendable, CaseIterable, Codable {
            /// ICE or DTLS is on its way.
            case connecting
            /// Media can flow.
            case connected
            /// Nothing arrives at present.
            case disconnected
            /// It will not come back by itself.
            case failed
        }
        /// The state from now on.
        public var state: State

        /// A state.
        public init(state: State) { self.state = state }
    }

    /// The server is about to go away.
    public struct ServerShutdown: Hashable, Sendable, Codable {
        /// When to connect again.
        public var reconnectAfterMilliseconds: Int64

        /// A warning.
        public init(reconnectAfterMilliseconds: Int64) { self.reconnectAfterMilliseconds = reconnectAfterMilliseconds }
    }
}
