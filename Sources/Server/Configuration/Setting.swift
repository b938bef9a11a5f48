// Every setting once: its key in the file, its type and range, its documentation. The file, the flags, the environment and
// the printed default file are all made from this table.

/// One setting.
struct Setting: Sendable {
    enum Value: Sendable {
        case text(@Sendable (inout Configuration, String) -> Void, @Sendable (Configuration) -> String)
        case number(
            ClosedRange<Int>, @Sendable (inout Configuration, Int) -> Void, @Sendable (Configuration) -> Int)
        case flag(@Sendable (inout Configuration, Bool) -> Void, @Sendable (Configuration) -> Bool)
        case list(@Sendable (inout Configuration, [String]) -> Void, @Sendable (Configuration) -> [String])
    }

    /// The key in the file, groups separated by a dot; also the flag, behind `--`.
    let key: String
    let value: Value
    /// What it is, as the printed file says it.
    let text: String
    /// Whether its value is never printed.
    var isSecret = false

    /// `MAJLIS_` and the key in capitals: `MAJLIS_LISTEN_PORT`, `MAJLIS_MEDIA_MINIMUM_PORT`.
    var environmentName: String {
        var name = "MAJLIS_"
        var wasCapital = true
        for character in key {
            if character == "." {
                name += "_"
                wasCapital = true
            } else {
                if character.isUppercase, !wasCapital { name += "_" }
                wasCapital = character.isUppercase
                name += character.uppercased()
            }
        }
        return name
    }

    static func text(
        _ key: String, _ path: any WritableKeyPath<Configuration, String> & Sendable, _ text: String,
        secret: Bool = false
    ) -> Setting {
        Setting(
            key: key, value: .text({ $0[keyPath: path] = $1 }, { $0[keyPath: path] }), text: text, isSecret: secret)
    }
    static func number(
        _ key: String, _ path: any WritableKeyPath<Configuration, Int> & Sendable, _ range: ClosedRange<Int>,
        _ text: String
    ) -> Setting {
        Setting(key: key, value: .number(range, { $0[keyPath: path] = $1 }, { $0[keyPath: path] }), text: text)
    }
    static func flag(
        _ key: String, _ path: any WritableKeyPath<Configuration, Bool> & Sendable, _ text: String
    ) -> Setting {
        Setting(key: key, value: .flag({ $0[keyPath: path] = $1 }, { $0[keyPath: path] }), text: text)
    }
    private static func list(
        _ key: String, _ path: any WritableKeyPath<Configuration, [String]> & Sendable, _ text: String
    ) -> Setting {
        Setting(key: key, value: .list({ $0[keyPath: path] = $1 }, { $0[keyPath: path] }), text: text)
    }

    /// All of them, in the order in which they are printed.
    static let all: [Setting] = ofServer + ofCalls + ofLog

    private static let ofLog: [Setting] = [text("logLevel", \.logLevel, "debug, info, warning or error.")]

    private static let ofServer: [Setting] = [
        text(
            "listen.host", \.listen.host, "The address to listen on; 127.0.0.1 for this machine alone, :: for IPv6 too."
        ),
        number("listen.port", \.listen.port, 0...65_535, "The TCP port of pages and WebSockets; 0 takes any free one."),
        text("listen.tlsCertificate", \.listen.tlsCertificate, "A PEM certificate chain; with tlsKey it turns TLS on."),
        text("listen.tlsKey", \.listen.tlsKey, "The PEM private key of tlsCertificate."),
        text("listen.webRoot", \.listen.webRoot, "Serve the web client from this folder, not from the binary."),
        list(
            "listen.allowedOrigins", \.listen.allowedOrigins,
            "Origins that may open a WebSocket beside the server's own, e.g. [\"https://app.example\"]; [\"*\"] for any."
        ),
        number(
            "listen.maximumConnections", \.listen.maximumConnections, 1...1_000_000,
            "Connections at once; the next is refused."),
        number(
            "listen.maximumConnectionsPerAddress", \.listen.maximumConnectionsPerAddress, 1...1_000_000,
            "Connections at once from one address (a carrier's NAT is one address)."),
        text(
            "tokens.secret", \.tokens.secret,
            "The HS256 secret, at least 32 bytes, shared with whoever issues tokens.", secret: true),
        list(
            "tokens.publicKeyFiles", \.tokens.publicKeyFiles,
            "PEM public keys whose RS256, ES256 or EdDSA tokens are accepted."),
        text(
            "tokens.audience", \.tokens.audience,
            "The `aud` that a token must carry; empty: a token must carry none."),
        number("rooms.maximumParticipants", \.rooms.maximumParticipants, 1...1_000, "People in one room."),
        number("rooms.maximumRooms", \.rooms.maximumRooms, 1...1_000_000, "Rooms at once on this server."),
        list(
            "rooms.codecs", \.rooms.codecs,
            "What may be published, first choice first: opus, VP8, VP9, H264, AV1."),
        number("rooms.emptySeconds", \.rooms.emptySeconds, 0...86_400, "Seconds that an empty room is kept."),
        text(
            "rooms.defaultRole", \.rooms.defaultRole,
            "The role of people whose token gives none: speaker or listener."),
        flag("rooms.lobby", \.rooms.lobby, "Have people wait in a lobby until a host admits them."),
        number(
            "rooms.successionSeconds", \.rooms.successionSeconds, 0...86_400,
            "Seconds a room may be without the last of its hosts until a speaker takes their place; 0 is for ever."),
        number(
            "rooms.changesPerSecond", \.rooms.changesPerSecond, 1...1_000_000,
            "Unmutes, hands, messages and acts of a host by one person, which all hear of, a second; four times as many at once."
        ),
        number(
            "rooms.keptEvents", \.rooms.keptEvents, 1...1_000_000,
            "Events of all rooms that GET /v1/events can still tell."),
        number(
            "rooms.maximumPublishedTracks", \.rooms.maximumPublishedTracks, 1...16, "Tracks one person may publish."),
        number("rooms.maximumSlots", \.rooms.maximumSlots, 0...64, "Receive slots one person may have."),
        number("media.workers", \.media.workers, 0...256, "Media threads; 0 is one per core."),
        list(
            "media.addresses", \.media.addresses,
            "Local addresses for media; empty takes every interface's (loopback only where there is no other)."),
        list(
            "media.announcedAddresses", \.media.announcedAddresses,
            "Public addresses told to clients in place of the local ones (NAT 1:1), one for each of media.addresses."),
        number("media.minimumPort", \.media.minimumPort, 1_024...65_535, "The lowest UDP port for media."),
        number(
            "media.maximumPort", \.media.maximumPort, 1_024...65_535, "The highest; one port a participant is needed."),
        flag(
            "media.allowPrivateCandidates", \.media.allowPrivateCandidates,
            "Send connectivity checks to private, link-local and loopback addresses that clients name."),
        flag(
            "media.adaptBitrate", \.media.adaptBitrate,
            "Send each receiver what its path carries, by its feedback (docs/bitrate.md); else all that it shows."
        ),
        flag(
            "media.decodeLevels", \.media.decodeLevels,
            "Decode the sound of clients that send no audio levels, to know who speaks; never where it is encrypted from end to end."
        ),
        number(
            "media.restMilliseconds", \.media.restMilliseconds, 0...10,
            "How long a worker that is busy with sound alone waits at most from one turn to the next, so that packets leave together; 0: not at all."
        ),
        list(
            "turn.urls", \.turn.urls, "TURN servers told to clients, e.g. [\"turns:turn.example:443?transport=tcp\"]."),
        list("turn.stunURLs", \.turn.stunURLs, "STUN servers told to clients."),
        text(
            "turn.secret", \.turn.secret, "coturn's static-auth-secret, for time-limited credentials.", secret: true),
        number(
            "turn.credentialSeconds", \.turn.credentialSeconds, 60...86_400, "Seconds that a TURN credential is good."),
        text(
            "captures.folder", \.captures.folder,
            "The folder for captures; empty takes $STATE_DIRECTORY/captures, else a private one below /var/tmp."),
        number(
            "captures.folderMegabytes", \.captures.folderMegabytes, 1...1_000_000,
            "All files of the folder together; the oldest that the flight recorder kept make room."),
        text("captures.record", \.captures.record, "Record every room from its beginning: headers, or nothing."),
        number("captures.fileMegabytes", \.captures.fileMegabytes, 1...65_536, "The longest one recording may become."),
        flag(
            "captures.flightRecorder", \.captures.flightRecorder,
            "Keep the last seconds of every room, headers alone, for when something goes wrong."),
        number("captures.flightSeconds", \.captures.flightSeconds, 10...600, "How many seconds."),
        number("captures.flightMegabytes", \.captures.flightMegabytes, 1...1_024, "The most of one room."),
        number(
            "captures.flightTotalMegabytes", \.captures.flightTotalMegabytes, 1...1_000_000,
            "The most of all rooms; further rooms have no flight recorder."),
        text(
            "captures.flightFolder", \.captures.flightFolder,
            "The folder for what is not kept yet, best in memory; empty takes a private one below /dev/shm."),
        number(
            "captures.keepAboveLossPercent", \.captures.keepAboveLossPercent, 0...100,
            "A receiver that loses more than this for five seconds makes the flight recorder keep what it holds; 0 never."
        ),
        number(
            "sessions.resumeSeconds", \.sessions.resumeSeconds, 1...600,
            "Seconds in which a client whose socket was lost may come back to the same session."),
        number(
            "sessions.heartbeatSeconds", \.sessions.heartbeatSeconds, 1...300, "Seconds between the server's pings."),
        number(
            "sessions.silenceSeconds", \.sessions.silenceSeconds, 2...900, "Silent for so long, a connection is gone."),
        number(
            "sessions.helloSeconds", \.sessions.helloSeconds, 1...60, "Seconds that a client may take to say hello."),
        number("sessions.commandsPerSecond", \.sessions.commandsPerSecond, 1...10_000, "Commands a session may send."),
        number("sessions.commandBurst", \.sessions.commandBurst, 1...100_000, "Commands that may come at once."),
        number(
            "sessions.userCommandsPerSecond", \.sessions.userCommandsPerSecond, 0...100_000,
            "Commands of all sessions of one user a second; four times as many at once; 0 is no limit."),
        number(
            "sessions.addressCommandsPerSecond", \.sessions.addressCommandsPerSecond, 0...1_000_000,
            "The same of all sessions from one address (a carrier's NAT, or a proxy before the server, is one address)."
        ),
        number(
            "sessions.addressHellosPerSecond", \.sessions.addressHellosPerSecond, 0...1_000_000,
            "Sessions that may begin from one address a second; four times as many at once; 0 is no limit."),
    ]

    /// The setting with this key.
    static func named(_ key: String) -> Setting? { all.first { $0.key == key } }

    /// The known key nearest to a misspelt one, when one is near.
    static func nearest(to key: String) -> String? {
        func distance(_ a: [Character], _ b: [Character]) -> Int {
            var row = Array(0...b.count)
            for i in 0..<a.count {
                var diagonal = row[0]
                row[0] = i + 1
                for j in 0..<b.count {
                    let above = row[j + 1]
                    row[j + 1] = a[i] == b[j] ? diagonal : min(diagonal, above, row[j]) + 1
                    diagonal = above
                }
            }
            return row[b.count]
        }
        let wanted = Array(key.lowercased())
        let best = all.map { ($0.key, distance(wanted, Array($0.key.lowercased()))) }.min { $0.1 < $1.1 }
        guard let best, best.1 <= max(2, wanted.count / 4) else { return nil }
        return best.0
    }

    /// Sets it from the text of a flag or an environment variable; a list is separated by commas.
    func set(_ configuration: inout Configuration, text value: String, from place: String) throws(ConfigurationError) {
        switch self.value {
        case .text(let write, _): write(&configuration, value)
        case .number(let range, let write, _):
            guard let number = Int(value), range.contains(number) else {
                throw ConfigurationError(
                    "\(place): \(key) takes a whole number from \(range.lowerBound) to \(range.upperBound), not \"\(value)\""
                )
            }
            write(&configuration, number)
        case .flag(let write, _):
            switch value.lowercased() {
            case "true", "yes", "1": write(&configuration, true)
            case "false", "no", "0": write(&configuration, false)
            default: throw ConfigurationError("\(place): \(key) takes true or false, not \"\(value)\"")
            }
        case .list(let write, _):
            write(
                &configuration,
                value.split(separator: ",").map { part in
                    String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }.filter { !$0.isEmpty })
        }
    }
}
