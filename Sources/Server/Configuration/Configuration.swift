// The server's settings: one plain struct, units in the names. Where each may be set, and its documentation, stands once
// in `Setting.swift`; this file holds the defaults.

/// The settings of one server.
public struct Configuration: Sendable, Equatable {
    /// The HTTP and WebSocket side.
    public struct Listen: Sendable, Equatable {
        /// The address to listen on; 127.0.0.1 for this machine alone, :: for IPv6 too.
        public var host = "0.0.0.0"
        /// The TCP port of pages and WebSockets; 0 takes any free one.
        public var port = 8480
        /// A PEM certificate chain; with tlsKey it turns TLS on.
        public var tlsCertificate = ""
        /// The PEM private key of tlsCertificate.
        public var tlsKey = ""
        /// Serve the web client from this folder, not from the binary.
        public var webRoot = ""
        /// Origins that may open a WebSocket beside the server's own, e.g. ["https://app.example"]; ["*"] for any.
        public var allowedOrigins: [String] = []
        /// Connections at once; the next is refused.
        public var maximumConnections = 20_000
        /// Connections at once from one address (a carrier's NAT is one address).
        public var maximumConnectionsPerAddress = 2_000
    }
    /// Who may come in.
    public struct Tokens: Sendable, Equatable {
        /// The HS256 secret, at least 32 bytes, shared with whoever issues tokens.
        public var secret = ""
        /// PEM public keys whose RS256, ES256 or EdDSA tokens are accepted.
        public var publicKeyFiles: [String] = []
        /// The `aud` that a token must carry; empty: a token must carry none.
        public var audience = ""
    }
    /// What a room is.
    public struct Rooms: Sendable, Equatable {
        /// People in one room.
        public var maximumParticipants = 100
        /// Rooms at once on this server.
        public var maximumRooms = 10_000
        /// What may be published, first choice first: opus, VP8, VP9, H264, AV1.
        public var codecs = ["opus", "VP8"]
        /// Seconds that an empty room is kept.
        public var emptySeconds = 20
        /// The role of people whose token gives none: speaker or listener.
        public var defaultRole = "speaker"
        /// Have people wait in a lobby until a host admits them.
        public var lobby = false
        /// Seconds that a room may be without the last of its hosts until a speaker takes their place; 0 is for ever.
        public var successionSeconds = 30
        /// What all hear of because of one person, unmutes, hands, messages and what hosts do: so often a second; four times as
        /// often at once.
        public var changesPerSecond = 10
        /// Events of all rooms that GET /v1/events can still tell.
        public var keptEvents = 10_000
        /// Tracks one person may publish.
        public var maximumPublishedTracks = 8
        /// Receive slots one person may have.
        public var maximumSlots = 64
    }
    /// The UDP side.
    public struct Media: Sendable, Equatable {
        /// Media threads; 0 is one per core.
        public var workers = 0
        /// Local addresses for media; empty takes every interface's (loopback only where there is no other).
        public var addresses: [String] = []
        /// Public addresses told to clients in place of the local ones (NAT 1:1), one for each of media.addresses.
        public var announcedAddresses: [String] = []
        /// The lowest UDP port for media.
        public var minimumPort = 40_000
        /// The highest; one port a participant is needed.
        public var maximumPort = 49_999
        /// Send connectivity checks to private, link-local and loopback addresses that clients name.
        public var allowPrivateCandidates = false
        /// Send each receiver the layers that its path carries, as its feedback tells; else the best that it shows.
        public var adaptBitrate = true
        /// Decode the sound of clients that send no audio levels, to know who speaks; never where it is encrypted from end to end.
        public var decodeLevels = true
        /// How long a worker that is busy with sound alone waits at most from one turn to the next, in milliseconds.
        public var restMilliseconds = 3
    }
    /// The relay that clients are told of.
    public struct Turn: Sendable, Equatable {
        /// TURN servers told to clients, e.g. ["turns:turn.example:443?transport=tcp"].
        public var urls: [String] = []
        /// STUN servers told to clients.
        public var stunURLs: [String] = []
        /// coturn's static-auth-secret, for time-limited credentials.
        public var secret = ""
        /// Seconds that a TURN credential is good.
        public var credentialSeconds = 14_400
    }
    /// Recording what goes into rooms.
    public struct Captures: Sendable, Equatable {
        /// The folder for captures; empty takes $STATE_DIRECTORY/captures, else a private one below /var/tmp.
        public var folder = ""
        /// All files of the folder together; the oldest that the flight recorder kept make room.
        public var folderMegabytes = 1_024
        /// Record every room from its beginning: headers, or nothing.
        public var record = "nothing"
        /// The longest one recording may become.
        public var fileMegabytes = 256
        /// Keep the last seconds of every room, headers alone, for when something goes wrong.
        public var flightRecorder = true
        /// How many seconds.
        public var flightSeconds = 30
        /// The most of one room.
        public var flightMegabytes = 8
        /// The most of all rooms; further rooms have no flight recorder.
        public var flightTotalMegabytes = 1_024
        /// The folder for what is not kept yet, best in memory; empty takes a private one below /dev/shm.
        public var flightFolder = ""
        /// A receiver that loses more than this for five seconds makes the flight recorder keep what it holds; 0 never.
        public var keepAboveLossPercent = 20
    }
    /// The life of a session.
    public struct Sessions: Sendable, Equatable {
        /// Seconds in which a client whose socket was lost may come back to the same session.
        public var resumeSeconds = 30
        /// Seconds between the server's pings.
        public var heartbeatSeconds = 30
        /// Silent for so long, a connection is gone.
        public var silenceSeconds = 90
        /// Seconds that a client may take to say hello.
        public var helloSeconds = 10
        /// Commands a session may send.
        public var commandsPerSecond = 50
        /// Commands that may come at once.
        public var commandBurst = 200
        /// Commands a second of all sessions of one user; four times as many at once; 0 is no limit.
        public var userCommandsPerSecond = 100
        /// Commands a second of all sessions from one address; four times as many at once; 0 is no limit.
        public var addressCommandsPerSecond = 5_000
        /// Sessions a second that may begin from one address; four times as many at once; 0 is no limit.
        public var addressHellosPerSecond = 1_000
    }

    /// One-to-one calls.
    public struct Calls: Sendable, Equatable {
        /// Seconds that a call rings.
        public var ringSeconds = 60
        /// Seconds that two devices may take to find each other.
        public var connectSeconds = 30
        /// Seconds that a call waits for a device that was lost, or for both after a restart of the server.
        public var graceSeconds = 30
        /// Whether a call that moved into a room for a third person goes from device to device again when its two are alone.
        public var returnsToDirect = true
        /// Connected devices of one user.
        public var devicesPerUser = 16
        /// Calls of one user at once, those that ring included.
        public var callsPerUser = 8
        /// Seconds after which a user may place one more call, over a long time; 0 switches both limits off.
        public var inviteSeconds = 5
        /// Calls that a user may place at once.
        public var inviteBurst = 12
        /// Seconds after which a user may call the same person once more, over a long time; 0 switches both limits off.
        public var pairSeconds = 20
        /// Calls to the same person at once.
        public var pairBurst = 4
    }
    /// What outlives the server.
    public struct Storage: Sendable, Equatable {
        /// The SQLite file; empty or `memory`: nothing outlives the server. `majlis serve` puts its default in place of the
        /// empty path.
        public var path = ""
        /// Days that call records and missed calls are kept; 0 is for ever.
        public var historyDays = 90
    }
    /// Waking devices.
    public struct Push: Sendable, Equatable {
        /// The file with Apple's private key (.p8).
        public var apnsKeyFile = ""
        /// The key's identifier.
        public var apnsKeyID = ""
        /// The developer team.
        public var apnsTeamID = ""
        /// The application's bundle identifier.
        public var apnsBundleID = ""
        /// Where messages for released applications go; empty: Apple's service.
        public var apnsEndpoint = ""
        /// Where messages for applications under development go; empty: Apple's service.
        public var apnsSandboxEndpoint = ""
        /// The file with Google's service account.
        public var fcmServiceAccountFile = ""
        /// Where messages go; empty: Google's service.
        public var fcmEndpoint = ""
        /// Certificates in PEM that the services are verified against; empty: the machine's own.
        public var authorityFile = ""
        /// The URL of an HTTP proxy; empty: none.
        public var proxy = ""
    }

    /// The HTTP and WebSocket side.
    public var listen = Listen()
    /// Who may come in.
    public var tokens = Tokens()
    /// What a room is.
    public var rooms = Rooms()
    /// The UDP side.
    public var media = Media()
    /// The relay that clients are told of.
    public var turn = Turn()
    /// Recording what goes into rooms.
    public var captures = Captures()
    /// The life of a session.
    public var sessions = Sessions()
    /// One-to-one calls.
    public var calls = Calls()
    /// What outlives the server.
    public var storage = Storage()
    /// Waking devices.
    public var push = Push()
    /// debug, info, warning or error.
    public var logLevel = "info"

    /// The defaults.
    public init() {}
}

/// Why the server cannot start with the settings given: one sentence that names the setting and what to do.
public struct ConfigurationError: Error, CustomStringConvertible, Equatable {
    /// The sentence.
    public let description: String
    /// An error with this sentence.
    public init(_ description: String) { self.description = description }
}

extension Configuration {
    /// Checks what one setting alone cannot know.
    public func validate() throws(ConfigurationError) {
        if !tokens.secret.isEmpty, tokens.secret.utf8.count < 32 {
            throw ConfigurationError(
                "tokens.secret has \(tokens.secret.utf8.count) bytes and must have at least 32: `openssl rand -hex 32` makes one"
            )
        }
        if tokens.secret.isEmpty, tokens.publicKeyFiles.isEmpty {
            throw ConfigurationError(
                "nobody could sign in: set tokens.secret (MAJLIS_TOKENS_SECRET) or tokens.publicKeyFiles, or try --dev")
        }
        if listen.tlsCertificate.isEmpty != listen.tlsKey.isEmpty {
            throw ConfigurationError("listen.tlsCertificate and listen.tlsKey go together: one of them is missing")
        }
        if media.minimumPort > media.maximumPort {
            throw ConfigurationError(
                "media.minimumPort (\(media.minimumPort)) is above media.maximumPort (\(media.maximumPort))")
        }
        if !turn.urls.isEmpty, turn.secret.isEmpty {
            throw ConfigurationError("turn.urls is set and turn.secret is not: it is coturn's static-auth-secret")
        }
        if sessions.silenceSeconds <= sessions.heartbeatSeconds {
            throw ConfigurationError("sessions.silenceSeconds must be longer than sessions.heartbeatSeconds")
        }
        if !["nothing", "headers"].contains(captures.record) {
            throw ConfigurationError("captures.record is nothing or headers, not \"\(captures.record)\"")
        }
        let apns = [push.apnsKeyFile, push.apnsKeyID, push.apnsTeamID, push.apnsBundleID]
        if apns.contains(where: { !$0.isEmpty }), apns.contains("") {
            throw ConfigurationError(
                "push.apnsKeyFile, push.apnsKeyID, push.apnsTeamID and push.apnsBundleID go together: one of them is missing"
            )
        }
        let known = ["opus", "vp8", "vp9", "h264", "av1"]
        guard ["speaker", "listener"].contains(rooms.defaultRole) else {
            throw ConfigurationError("rooms.defaultRole is speaker or listener")
        }
        for codec in rooms.codecs where !known.contains(codec.lowercased()) {
            throw ConfigurationError("rooms.codecs names \(codec); known are opus, VP8, VP9, H264 and AV1")
        }
    }
}
