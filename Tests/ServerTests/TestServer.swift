// A whole server for a test, on a free port of loopback, and tokens for it.
import Bots
import EventLoop
import Server
import Tokens
import WholeServers

/// A server that a test started.
final class TestServer: Sendable {
    static let secret = "a secret of thirty-two bytes or more"
    let server: RunningServer

    init(_ change: (inout Configuration) -> Void = { _ in }) throws {
        var configuration = Configuration()
        configuration.listen.host = "127.0.0.1"
        configuration.listen.port = 0
        configuration.tokens.secret = Self.secret
        configuration.media.addresses = ["127.0.0.1"]
        configuration.media.allowPrivateCandidates = true
        configuration.media.workers = 1
        change(&configuration)
        server = try RunningServer(configuration, log: Log(level: .error))
    }

    var port: Int { server.port }
    func stop() { server.stop() }

    /// The page at /metrics.
    func metrics() -> String { HTTPPage.get("/metrics", port: port) ?? "" }

    /// A token signed with the server's secret.
    static func token(
        _ user: String, room: String = "test", seconds: Int64 = 3_600, change: (inout TokenClaims) -> Void = { _ in }
    ) throws -> String {
        var claims = TokenClaims(subject: user, expires: WallClock.seconds + seconds)
        claims.name = user
        claims.room = room
        change(&claims)
        return try TokenSigner(key: TokenKey(secret: Array(secret.utf8))).sign(claims)
    }
}
