// `majlis serve`: reads the settings, starts the server, prints where it is, and ends on a signal. The first SIGTERM or
// SIGINT closes in good order, a second one at once.
import EventLoop
import Glibc
import Tokens

enum ServeCommand {
    static let usage = """
        usage: majlis serve [options]

          --config FILE      settings in JSON5 (also MAJLIS_CONFIG)
          --print-config     print the documented default file with the settings in force, and exit
          --dev              for trying out: this machine only, a throw-away secret, links ready to click
          --host ADDRESS     short for --listen.host
          --port PORT        short for --listen.port
          --KEY VALUE        any setting of the file, e.g. --media.workers 2, --rooms.codecs opus,VP8,H264

        An environment variable sets the same: MAJLIS_LISTEN_PORT, MAJLIS_TOKENS_SECRET. Flags go over the environment, and
        that over the file. `majlis serve --print-config` lists every key with what it means.

        """
    private static let own: Set<String> = ["config", "print-config", "dev", "help"]

    static func run(_ rest: [String]) throws -> Int32 {
        let arguments = try Arguments(rest, switches: own.subtracting(["config"]))
        if arguments.has("help") {
            print(usage, terminator: "")
            return 0
        }
        if let word = arguments.words.first { throw ConfigurationError("serve takes options only, not \"\(word)\"") }
        var configuration = try Command.configuration(arguments, except: own)
        if arguments.has("print-config") {
            print(configuration.documentedFile(), terminator: "")
            return 0
        }
        let isDevelopment = arguments.has("dev")
        if isDevelopment { develop(&configuration) }
        if configuration.storage.path.isEmpty { configuration.storage.path = DurableState.defaultPath() }
        try configuration.validate()
        guard let level = LogLevel(name: configuration.logLevel) else {
            throw ConfigurationError("logLevel is debug, info, warning or error, not \"\(configuration.logLevel)\"")
        }
        // A peer that closes its socket while it is written to must not end the process.
        signal(SIGPIPE, SIG_IGN)
        // Whoever started this may have blocked the signals that end it, and a child inherits that.
        var ending = sigset_t()
        unsafe sigemptyset(&ending)
        for number in [SIGTERM, SIGINT] { unsafe sigaddset(&ending, number) }
        unsafe pthread_sigmask(SIG_UNBLOCK, &ending, nil)
        let descriptors = raiseDescriptorLimit(configuration)
        let server = try RunningServer(configuration, log: Log(level: level))
        if descriptors.limit < descriptors.wanted, !isDevelopment {
            Log(level: level)(
                .warning, "fewer descriptors than connections and media ports may need: raise the limit of open files",
                ("limit", "\(descriptors.limit)"), ("wanted", "\(descriptors.wanted)"))
        }
        let asked = try server.watchSignals()
        announce(configuration, port: server.port, isDevelopment: isDevelopment)
        asked.wait()
        server.stop()
        Log(level: level)(.info, "stopped")
        return 0
    }

    /// Every connection takes a descriptor, as does every participant's socket, and some are the server's own.
    private static func raiseDescriptorLimit(_ configuration: Configuration) -> (limit: Int, wanted: Int) {
        let media = configuration.media.maximumPort - configuration.media.minimumPort + 1
        let wanted = configuration.listen.maximumConnections + media + 1_024
        return (DescriptorLimit.raise(to: wanted), wanted)
    }

    /// What `--dev` changes where nothing else was said.
    private static func develop(_ configuration: inout Configuration) {
        let defaults = Configuration()
        if configuration.listen.host == defaults.listen.host { configuration.listen.host = "127.0.0.1" }
        if configuration.tokens.secret.isEmpty { configuration.tokens.secret = ControlPlane.randomName(bytes: 32) }
        configuration.media.allowPrivateCandidates = true
        if configuration.storage.path.isEmpty { configuration.storage.path = DurableState.memory }
    }

    private static func announce(_ configuration: Configuration, port: Int, isDevelopment: Bool) {
        let scheme = configuration.listen.tlsCertificate.isEmpty ? "http" : "https"
        let host =
            ["0.0.0.0", "::", "127.0.0.1"].contains(configuration.listen.host)
            ? "127.0.0.1"
            : configuration.listen.host.contains(":") ? "[\(configuration.listen.host)]" : configuration.listen.host
        print("Majlis \(Command.version) serves \(scheme)://\(host):\(port)")
        if isDevelopment, !configuration.tokens.secret.isEmpty {
            let site = "\(scheme)://\(host):\(port)"
            let people = ["Amina", "Budi", "Carol"]
            let tokens = people.compactMap { name in token(name, configuration).map { (name, $0) } }
            for (name, token) in tokens {
                let padding = String(repeating: " ", count: 6 - name.count)
                print("  \(name)\(padding) \(site)/#room=majlis&token=\(token)")
            }
            print("Open two of them in two windows. Control-C ends. To call each other:")
            for (name, token) in tokens {
                let padding = String(repeating: " ", count: 6 - name.count)
                let others = people.filter { $0 != name }.map { $0.lowercased() }.joined(separator: ",")
                print("  \(name)\(padding) \(site)/dial.html#contacts=\(others)&token=\(token)")
            }
            var claims = TokenClaims(subject: "operator", expires: WallClock.seconds + 86_400)
            claims.audience = configuration.tokens.audience.isEmpty ? [] : [configuration.tokens.audience]
            (claims.admin, claims.canRecord, claims.canPublish) = (true, true, .all(false))
            if let key = try? TokenKey(secret: Array(configuration.tokens.secret.utf8)),
                let token = try? TokenSigner(key: key).sign(claims)
            {
                print("For majlis rooms, majlis explain and majlis capture start, in another window:")
                print("  export MAJLIS_SERVER=\(scheme)://\(host):\(port) MAJLIS_TOKEN=\(token)")
            }
        }
        fflush(nil)
    }

    /// A day's token for somebody who tries things out: for the room `majlis`, and for calls.
    private static func token(_ name: String, _ configuration: Configuration) -> String? {
        var claims = TokenClaims(subject: name.lowercased(), expires: WallClock.seconds + 86_400)
        claims.name = name
        claims.room = "majlis"
        claims.calls = true
        claims.audience = configuration.tokens.audience.isEmpty ? [] : [configuration.tokens.audience]
        return (try? TokenKey(secret: Array(configuration.tokens.secret.utf8)))
            .flatMap { try? TokenSigner(key: $0).sign(claims) }
    }
}
