// A whole server for the tests of the operators' interface, with a door before its worker that answers what is asked about
// captures and explanations as a test says: what the control plane makes of each answer can be tried with it.
import Bots
import EventLoop
import MediaCore
import Testing
import Tokens
import WholeServers

@testable import Server

/// The door: all but captures and explanations goes through to the real worker.
final class AdminDoor: WorkerDoor {
    enum Mode: Sendable { case answers, silent, refuses(CaptureRefusal), through }
    struct State: Sendable {
        var mode = Mode.answers
        var starts: [(room: RoomKey, request: CaptureRequest)] = []
        var running: [RoomKey: String] = [:]
        var explains: [(after: UInt64, limit: Int)] = []
        /// How many decisions each room has; those up to `forgotten` are no longer there.
        var decisions: UInt64 = 0
        var forgotten: UInt64 = 0
    }
    let state = Lock(State())
    private let worker: MediaWorker
    private let report: @Sendable (WorkerEvent) -> Void

    init(_ worker: MediaWorker, _ report: @escaping @Sendable (WorkerEvent) -> Void) {
        (self.worker, self.report) = (worker, report)
    }

    func post(_ command: WorkerCommand) {
        let mode = state.withLock { $0.mode }
        switch (command, mode) {
        case (.startCapture, .through), (.stopCapture, .through), (.keepFlight, .through), (.explain, .through):
            worker.post(command)
        case (.startCapture(let key, let request), _):
            state.withLock { $0.starts.append((key, request)) }
            switch mode {
            case .answers: start(key, request.request)
            case .refuses(let refusal): report(.captureStarted(key, request: request.request, .failure(refusal)))
            default: break
            }
        case (.stopCapture(let key), .answers): end(key, .stopped)
        case (.keepFlight(let key, let request, let reason), .answers):
            report(.flightKept(key, request: request, reason, .success("/captures/flight.pcapng")))
        case (.keepFlight(let key, let request, let reason), .refuses(let refusal)):
            report(.flightKept(key, request: request, reason, .failure(refusal)))
        case (.explain(let key, let request, let after, let limit), .answers):
            report(.explained(key, request: request, explanation(after: after, limit: limit)))
        case (.stopCapture, _), (.keepFlight, _), (.explain, _): break
        default: worker.post(command)
        }
    }

    /// Says that a recording began.
    func start(_ key: RoomKey, _ request: UInt64) {
        let path = "/captures/room-\(request).pcapng"
        state.withLock { $0.running[key] = path }
        report(.captureStarted(key, request: request, .success(path)))
    }

    /// Says that a recording is over, if there is one.
    func end(_ key: RoomKey, _ reason: CaptureEnded.Reason, failure: String? = nil) {
        guard let path = state.withLock({ $0.running.removeValue(forKey: key) }) else { return }
        report(
            .captureEnded(
                key, CaptureEnded(path: path, reason: reason, bytes: 4_096, refusals: 0, failure: failure)))
    }

    private func explanation(after: UInt64, limit: Int) -> Explanation {
        let (count, forgotten) = state.withLock {
            $0.explains.append((after, limit))
            return ($0.decisions, $0.forgotten)
        }
        let first = max(after, forgotten) + 1
        let entries = (first..<max(first, min(count + 1, first + UInt64(limit)))).map {
            Explanation.Entry(
                number: $0, seconds: Double($0) / 4, name: "switched", peer: PeerID(2), sentence: "decision \($0)")
        }
        return Explanation(entries: entries, next: count + 1, forgotten: forgotten > after ? forgotten - after : 0)
    }
}

/// A server with the door, and requests to it.
final class AdminScene {
    let server: RunningServer
    let door: AdminDoor
    let host: NativeClient.Host
    private var people: [NativeClient] = []

    init(_ change: (inout Configuration) -> Void = { _ in }) throws {
        var configuration = Configuration()
        configuration.listen.host = "127.0.0.1"
        configuration.listen.port = 0
        configuration.tokens.secret = TestServer.secret
        configuration.media.addresses = ["127.0.0.1"]
        configuration.media.allowPrivateCandidates = true
        configuration.media.workers = 1
        configuration.rooms.emptySeconds = 0
        change(&configuration)
        var made: AdminDoor?
        server = try RunningServer(configuration, log: Log(level: .error)) { worker, report in
            let door = AdminDoor(worker, report)
            made = door
            return door
        }
        door = try #require(made)
        host = try NativeClient.Host()
    }

    /// Ends everything.
    func stop() {
        for person in people { person.close() }
        host.stop()
        server.stop()
    }

    /// Somebody who has joined a room.
    @discardableResult
    func person(_ user: String, in room: String = "test") throws -> NativeClient {
        let token = try TestServer.token(user, room: room)
        let person = try NativeClient(host, port: server.port, user: user, token: token)
        people.append(person)
        try person.join(room: room)
        return person
    }

    static func token(
        canRecord: Bool = false, room: String = "*", _ change: (inout TokenClaims) -> Void = { _ in }
    ) throws -> String {
        try TestServer.token("operator", room: room) {
            $0.admin = true
            $0.canRecord = canRecord
            change(&$0)
        }
    }

    /// One request with an operator's token.
    func ask(
        _ method: String, _ target: String, body: String? = nil, type: String? = "application/json",
        canRecord: Bool = false
    ) throws -> HTTPAnswer {
        let token = try Self.token(canRecord: canRecord)
        return try #require(
            HTTPConversation.ask(port: server.port, method, target, token: token, body: body, type: type))
    }
}
