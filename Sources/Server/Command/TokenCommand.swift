// `majlis token`: makes a token with the configured secret, for trying things out and for scripts.
import EventLoop
import Glibc
import Tokens

enum TokenCommand {
    static let usage = """
        usage: majlis token --room ROOM --user USER [options]
               majlis token --admin [--can-record] [--room ROOM] [--user USER] [options]

          --room ROOM       the room that the token is for; * for any
          --user USER       who (`sub`)
          --name NAME       the name to show
          --hours N         how long it is good, 1 to 8760 (default 1)
          --listen-only     may not publish
          --moderate        may act on others: a host of the room
          --role ROLE       speaker or listener, where the room's default shall not count
          --hidden          the others are not told
          --calls           may place and receive one-to-one calls, on the page dial.html
          --admin           may use the operators' interface (majlis rooms, capture, explain): of the one room where
                            --room names one, of all otherwise
          --can-record      with --admin: may record what people say and show, not headers alone
          --config FILE     take the secret from this configuration file
          --secret SECRET   the secret itself; better given as MAJLIS_TOKENS_SECRET

        The token is printed on standard output and nothing else is.

        """
    private static let switches: Set<String> = [
        "listen-only", "moderate", "hidden", "calls", "admin", "can-record", "help",
    ]
    private static let own: Set<String> = [
        "room", "user", "name", "hours", "listen-only", "moderate", "hidden", "calls", "admin", "can-record", "config",
        "secret", "help", "role",
    ]

    static func run(_ rest: [String]) throws -> Int32 {
        let arguments = try Arguments(rest, switches: switches)
        if arguments.has("help") {
            print(usage, terminator: "")
            return 0
        }
        let configuration = try Command.configuration(arguments, except: own)
        let isAdmin = arguments.has("admin")
        guard isAdmin || !arguments.has("can-record") else {
            throw ConfigurationError("--can-record goes with --admin")
        }
        guard let room = arguments.value("room") ?? (isAdmin ? "*" : nil),
            let user = arguments.value("user") ?? (isAdmin ? "operator" : nil), !room.isEmpty, !user.isEmpty
        else {
            Command.complain(usage, prefix: "")
            return 2
        }
        guard let hours = Int64(arguments.value("hours") ?? "1"), (1...8_760).contains(hours) else {
            throw ConfigurationError("--hours takes a whole number from 1 to 8760")
        }
        let secret = arguments.value("secret") ?? configuration.tokens.secret
        guard !secret.isEmpty else {
            throw ConfigurationError("there is no secret to sign with: set MAJLIS_TOKENS_SECRET, or --config FILE")
        }
        var claims = TokenClaims(subject: user, expires: WallClock.seconds + hours * 3_600)
        claims.name = arguments.value("name")
        claims.issuedAt = WallClock.seconds
        claims.room = room
        claims.audience = configuration.tokens.audience.isEmpty ? [] : [configuration.tokens.audience]
        if arguments.has("listen-only") { claims.canPublish = .all(false) }
        claims.canModerate = arguments.has("moderate")
        if let role = arguments.value("role") {
            guard TokenClaims.roles.contains(role) else {
                throw ConfigurationError("--role takes host, speaker or listener")
            }
            claims.role = role
        }
        claims.hidden = arguments.has("hidden")
        claims.calls = arguments.has("calls")
        claims.admin = isAdmin
        claims.canRecord = arguments.has("can-record")
        print(try TokenSigner(key: TokenKey(secret: Array(secret.utf8))).sign(claims))
        return 0
    }
}
