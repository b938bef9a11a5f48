// A Majlis server as a child process, pinned to a core, and what the kernel and its own metrics say of it.
import Bots
import CFloor
import EventLoop
import Glibc
import Tokens
import WholeServers

/// Why a benchmark could not run.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A server that is measured.
protocol MeasuredServer: AnyObject {
    /// Its process.
    var id: Int32 { get }
    /// Lets people join a room of it.
    func join(
        _ profiles: [BotProfile], on host: BotHost, schedule: TalkSchedule, voices: [Voice], joinsPerSecond: Double
    ) throws
    /// Ends it in good order.
    func stop() throws
}

/// A server that a benchmark started; it ends with the object.
final class ServerChild: MeasuredServer {
    static let secret = "a secret for benchmarks, of thirty-two bytes or more"
    let port: Int
    private let process: ChildProcess

    /// Starts the command beside this program with one media worker, and waits until it serves.
    init(_ cores: Cores, environment: [String] = [], options: [String] = []) throws {
        // A child has the affinity of whoever starts it.
        cores.pin(cores.server)
        defer { cores.pin(cores.clients) }
        let arguments =
            [
                "serve", "--host", "127.0.0.1", "--port", "0", "--media.workers", "1", "--media.addresses", "127.0.0.1",
                "--media.allowPrivateCandidates", "true", "--rooms.maximumParticipants", "200", "--rooms.maximumSlots",
                "64",
                "--logLevel", "error", "--storage.path", "memory",
            ] + options
        guard
            let process = ChildProcess(
                ChildProcess.command, arguments,
                environment: ["MAJLIS_TOKENS_SECRET=\(Self.secret)"] + environment)
        else { throw BenchmarkFailure("cannot start \(ChildProcess.command): build it with `make build`") }
        guard process.prints("serves http://"), let line = process.text.split(separator: "\n").first,
            let port = line.split(separator: ":").last.flatMap({ Int($0) })
        else { throw BenchmarkFailure("the server did not start: \(process.text)") }
        self.process = process
        self.port = port
    }

    var id: Int32 { process.id }

    /// Time on a core of all its threads together, in nanoseconds.
    var cpuNanoseconds: Int64 { LocalProcess(id: id).cpuNanoseconds ?? 0 }

    func join(
        _ profiles: [BotProfile], on host: BotHost, schedule: TalkSchedule, voices: [Voice], joinsPerSecond: Double
    ) throws {
        try host.join(
            profiles, at: ServerPlace("http://127.0.0.1:\(port)"), schedule: schedule, voices: voices,
            joinsPerSecond: joinsPerSecond
        ) { user, _, _ in try token(user) }
    }

    /// Ends the server in good order.
    func stop() throws {
        process.signal(SIGTERM)
        guard let code = process.exitCode(), code == 0 else {
            throw BenchmarkFailure("the server did not end well: \(process.text)")
        }
    }

    func token(_ user: String) throws -> String {
        var claims = TokenClaims(subject: user, expires: WallClock.seconds + 3_600)
        claims.name = user
        return try TokenSigner(key: TokenKey(secret: Array(Self.secret.utf8))).sign(claims)
    }

    // MARK: What its metrics say

    /// The values of /metrics by name, summed over workers.
    func metrics() throws -> [String: Int64] {
        guard let page = HTTPPage.get("/metrics", port: port) else { throw BenchmarkFailure("/metrics did not answer") }
        var values: [String: Int64] = [:]
        for line in page.split(whereSeparator: \.isNewline) where line.hasPrefix("majlis_") {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let name = parts[0].split(separator: "{").first, let value = Int64(parts[1]) else {
                continue
            }
            values[String(name.dropFirst(7)), default: 0] += value
        }
        guard values["sent_packets_total"] != nil else { throw BenchmarkFailure("/metrics did not answer") }
        return values
    }
}

/// Which cores things run on.
struct Cores {
    /// The server's, and the floor's sender.
    var server: Int32 = 0
    /// The clients', and the floor's receiver.
    var clients: Int32 = 1
    /// Whether the machine has two to give.
    var arePinned = true

    /// The first two of the machine, or none when it has one.
    static func ofThisMachine() -> Cores {
        let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        return Cores(arePinned: count >= 2 && majlis_pin(0) == 0 && majlis_pin(1) == 0)
    }

    func pin(_ core: Int32) { if arePinned { _ = majlis_pin(core) } }
}
