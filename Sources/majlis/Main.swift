// The command: hands its arguments to Server, and brings along what Server must not know: the bots of `majlis load`.
import Bots
import EventLoop
import Glibc
import Server
import Tokens

@main
enum Main {
    static func main() {
        let load = Subcommand(
            name: "load", usage: "[--server URL] [--people N] [--talkers N] [--seconds N] [--bench] [--json] ..."
        ) { arguments in LoadCommand.run(arguments, sign: sign) }
        exit(Command.run(Array(CommandLine.arguments.dropFirst()), beside: [load]))
    }

    private static func sign(secret: String, audience: String?, user: String, room: String) throws -> String {
        // A day: a run may be as long.
        var claims = TokenClaims(subject: user, expires: WallClock.seconds + 90_000)
        claims.room = room
        // Who may enter any room is one of those who call each other.
        claims.calls = room == "*"
        claims.audience = audience.map { [$0] } ?? []
        return try TokenSigner(key: TokenKey(secret: Array(secret.utf8))).sign(claims)
    }
}
