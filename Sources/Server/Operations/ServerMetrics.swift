// The counters behind /metrics, in Prometheus' text format (version 0.0.4). Written by any thread, once per event of the
// control plane and once per turn of a worker, never once per packet.
import Gateway
import Push
import Signalling
import Synchronization

/// A number that threads add to.
final class Counter: Sendable {
    private let number = Atomic<Int>(0)
    func add(_ n: Int) { number.wrappingAdd(n, ordering: .relaxed) }
    func subtract(_ n: Int) { number.wrappingSubtract(n, ordering: .relaxed) }
    func store(_ n: Int) { number.store(n, ordering: .relaxed) }
    var value: Int { number.load(ordering: .relaxed) }
}

/// What one media worker has done.
final class WorkerMetrics: Sendable {
    let receivedPackets = Counter()
    let receivedBytes = Counter()
    let sentPackets = Counter()
    let sentBytes = Counter()
    let droppedSends = Counter()
    let sendCalls = Counter()
    let turns = Counter()
    let flushNanoseconds = Counter()
    let decodedLevels = Counter()
    let droppedLevels = Counter()
}

/// What the server has done and holds.
final class ServerMetrics: Sendable {
    let rooms = Counter()
    let participants = Counter()
    let joins = Counter()
    let resumedSessions = Counter()
    let refusedTokens = Counter()
    let calls = Counter()
    let callsPlaced = Counter()
    let callsAccepted = Counter()
    let callsConnected = Counter()
    /// Calls that are over, by why, in the order of `CallEndReason.allCases`.
    let callsEnded: [Counter] = CallEndReason.allCases.map { _ in Counter() }
    let callsMissed = Counter()
    /// What was asked of the store and did not happen.
    let storeFailures = Counter()
    /// Messages that wake devices, by what became of them, in the order of `pushOutcomes`.
    let push: [Counter] = ServerMetrics.pushOutcomes.map { _ in Counter() }
    static let pushOutcomes = [
        "accepted", "tokenInvalid", "rejected", "expired", "queueFull", "withdrawn", "notConfigured", "closed",
    ]
    let workers: [WorkerMetrics]

    init(workers: Int) { self.workers = (0..<workers).map { _ in WorkerMetrics() } }

    /// The whole page.
    func page(sessions: Int, sockets: Int, push statistics: PushStatistics) -> String {
        var text = ""
        func family(_ name: String, _ type: String, _ help: String, _ values: [(labels: String, value: Int)]) {
            text += "# HELP majlis_\(name) \(help)\n# TYPE majlis_\(name) \(type)\n"
            for value in values { text += "majlis_\(name)\(value.labels) \(value.value)\n" }
        }
        func perWorker(_ name: String, _ help: String, _ read: (WorkerMetrics) -> Int) {
            family(
                name, "counter", help,
                workers.enumerated().map { (labels: "{worker=\"\($0.offset)\"}", value: read($0.element)) })
        }
        family("rooms", "gauge", "Rooms open.", [("", rooms.value)])
        family("participants", "gauge", "People in rooms.", [("", participants.value)])
        family("sessions", "gauge", "Sessions, with a socket or waiting for one.", [("", sessions)])
        family("sockets", "gauge", "WebSockets open.", [("", sockets)])
        family("joins_total", "counter", "Joins answered.", [("", joins.value)])
        family(
            "resumed_sessions_total", "counter", "Sessions resumed on another socket.", [("", resumedSessions.value)])
        family("refused_tokens_total", "counter", "Tokens refused.", [("", refusedTokens.value)])
        family("calls", "gauge", "One-to-one calls that are not over.", [("", calls.value)])
        family("calls_placed_total", "counter", "Calls placed.", [("", callsPlaced.value)])
        family("calls_accepted_total", "counter", "Calls accepted.", [("", callsAccepted.value)])
        family("calls_connected_total", "counter", "Calls in which both had media.", [("", callsConnected.value)])
        family(
            "calls_ended_total", "counter", "Calls that were over, by why.",
            zip(CallEndReason.allCases, callsEnded).map {
                (labels: "{reason=\"\($0.rawValue)\"}", value: $1.value)
            })
        family("calls_missed_total", "counter", "Calls that were not answered, and kept.", [("", callsMissed.value)])
        family(
            "push_messages_total", "counter", "Messages to push services, by what became of them.",
            zip(Self.pushOutcomes, push).map { (labels: "{outcome=\"\($0)\"}", value: $1.value) })
        family(
            "push_requests_total", "counter", "Requests to push services, repetitions included.",
            [("", statistics.requests)])
        family("push_retries_total", "counter", "Of these, repetitions.", [("", statistics.retries)])
        family(
            "push_connections_total", "counter", "Connections that were opened to push services.",
            [("", statistics.connections)])
        family(
            "store_failures_total", "counter", "What was asked of the database and did not happen.",
            [("", storeFailures.value)])
        perWorker("received_packets_total", "Authenticated RTP and RTCP packets.") { $0.receivedPackets.value }
        perWorker("received_bytes_total", "Their bytes, decrypted.") { $0.receivedBytes.value }
        perWorker("sent_packets_total", "RTP and RTCP packets given to the kernel.") { $0.sentPackets.value }
        perWorker("sent_bytes_total", "Their bytes before encryption.") { $0.sentBytes.value }
        perWorker("dropped_sends_total", "Packets that could not be protected or sent.") { $0.droppedSends.value }
        perWorker("send_calls_total", "Calls of the kernel that sent them: several packets leave in one.") {
            $0.sendCalls.value
        }
        perWorker("turns_total", "Turns of the worker's loop.") { $0.turns.value }
        perWorker(
            "decoded_levels_total", "Packets of sound given to be decoded, because they do not say how loud they are."
        ) {
            $0.decodedLevels.value
        }
        perWorker("dropped_levels_total", "Those for which there was no time.") { $0.droppedLevels.value }
        perWorker("flush_nanoseconds_total", "Time spent protecting and sending.") { $0.flushNanoseconds.value }
        return text
    }
}

extension ControlPlane {
    /// The paths of `response(to:)`, as docs/openapi.json has them.
    static let pages = ["/livez", "/readyz", "/metrics"]

    /// The responses that are not files: health and metrics.
    func response(to path: String) -> HTTPResponse? {
        switch path {
        case "/livez": HTTPResponse(status: 200, text: "alive\n")
        case "/readyz":
            isDraining
                ? HTTPResponse(status: 503, text: "shutting down\n") : HTTPResponse(status: 200, text: "ready\n")
        case "/metrics":
            HTTPResponse(
                status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: Array(
                    metrics.page(
                        sessions: sessionByName.count, sockets: sockets.count,
                        push: pushSender?.statistics ?? PushStatistics()
                    ).utf8))
        default: nil
        }
    }
}
