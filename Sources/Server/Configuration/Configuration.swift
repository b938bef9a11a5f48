// The server's settings: one plain struct, units in the names. Where each may be set, and its documentation, stands once
// in `Setting.swift`; this file holds the defaults.

/// The settings of one server.
public struct Configuration: Sendable, Equatable {
    /// The HTTP and WebSocket side.
    public struct Listen: Sendable, Equatable {
        public var host = "0.0.0.0"
        public var port = 8480
        public var tlsCertificate = ""
        public var tlsKey = ""
        public var webRoot = ""
        public var allowedOrigins: [String] = []
        public var maximumConnections = 20_000
        public var maximumConnectionsPerAddress = 2_000
    }
    /// Who may come in.
    public struct Tokens: Sendable, Equatable {
        public var secret = ""
        public var publicKeyFiles: [String] = []
        public var audience = ""
    }
    /// What a room is.
    public struct Rooms: Sendable, Equatable {
        public var maximumParticipants = 100
        public var maximumRooms = 10_000
        public var codecs = ["opus", "VP8"]
        public var emptySeconds = 20
        public var maximumPublishedTracks = 8
        public var maximumSlots = 64
    }
    /// The UDP side.
    public struct Media: Sendable, Equatable {
        public var workers = 0
        public var addresses: [String] = []
        public var announcedAddresses: [String] = []
        public var minimumPort = 40_000
        public var maximumPort = 49_999
        public var allowPrivateCandidates = false
    }
    /// The relay that clients are told of.
    public struct Turn: Sendable, Equatable {
        public var urls: [String] = []
        public var stunURLs: [String] = []
        public var secret = ""
        public var credentialSeconds = 14_400
    }
    /// The life of a session.
    public struct Sessions: Sendable, Equatable {
        public var resumeSeconds = 30
        public var heartbeatSeconds = 30
        public var silenceSeconds = 90
        public var helloSeconds = 10
        public var commandsPerSecond = 50
        public var commandBurst = 200
    }

    public var listen = Listen()
    public var tokens = Tokens()
    public var rooms = Rooms()
    public var media = Media()
    public var turn = Turn()
    public var sessions = Sessions()
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
        let known = ["opus", "vp8", "vp9", "h264", "av1"]
        for codec in rooms.codecs where !known.contains(codec.lowercased()) {
            throw ConfigurationError("rooms.codecs names \(codec); known are opus, VP8, VP9, H264 and AV1")
        }
    }
}
