// A room of load clients, and the clockwork that makes them send: each talker or camera at its own moment of the period,
// everybody's feedback spread likewise.
import EventLoop
import Glibc
import NativeClients
import TestSupport

/// Who sends what.
struct Load {
    var name: String
    /// How many people are in the room.
    var people = 50
    /// How many people send, of those in the room.
    var senders: Int
    var isVideo: Bool
    /// Payload bytes of a packet; its header and extensions are some 28 more when it leaves the server.
    var payload: Int
    var packetsPerPeriod: Int
    var period: Int64

    static let headerBytes = 28

    /// Talkers with an Opus packet of 120 bytes each 20 ms.
    static func audio(talkers: Int) -> Load {
        Load(
            name: "audio, \(talkers) talking in a room of 50", senders: talkers, isVideo: false, payload: 120,
            packetsPerPeriod: 1, period: 20_000_000)
    }

    /// One camera of 1.44 Mb/s: 30 frames a second of five packets of 1200 bytes.
    static let video = Load(
        name: "video, 1 camera to 50", people: 51, senders: 1, isVideo: true, payload: 1_172, packetsPerPeriod: 5,
        period: 33_333_333)
}

/// What one round of a load showed.
struct LoadRound {
    var serverNanoseconds: Int64
    var wallNanoseconds: Int64
    var metrics: [String: Int64]
    var expected: Int
    var arrived: Int
    var late: Int
    var median: Double
    var slowest: Double

    /// Time on a core for each packet that left the server.
    var nanosecondsPerPacket: Double { Double(serverNanoseconds) / Double(max(1, metrics["sent_packets_total"] ?? 0)) }
    var coreShare: Double { Double(serverNanoseconds) / Double(wallNanoseconds) }
}

/// People in a room of one server.
final class LoadRoom: @unchecked Sendable {
    let server: ServerChild
    let host: NativeClient.Host
    let arrivals = Arrivals()
    private(set) var clients: [LoadClient] = []
    private var clockwork: Clockwork?
    private var round: UInt32 = 0

    /// What takes longer than this many milliseconds on loopback is late.
    static let lateMilliseconds = 20

    init(_ server: ServerChild) throws {
        self.server = server
        host = try NativeClient.Host()
    }

    /// Lets so many people join, one after another.
    func join(_ count: Int, _ media: NativeMedia) throws {
        for _ in 0..<count {
            let client = try LoadClient(host, server, "user\(clients.count)", arrivals)
            clients.append(client)
            try client.join(media)
            if clients.count.isMultiple(of: 10) { acknowledge() }
        }
        acknowledge()
    }

    /// Reads what the server has said, as a client does that is alive.
    func acknowledge() { for client in clients { client.native.signalling.acknowledge() } }

    func start(_ load: Load) {
        host.loop.run { [self] in
            clockwork?.close()
            clockwork = Clockwork(host.loop, clients, load)
        }
    }

    func pause() {
        host.loop.run { [self] in
            clockwork?.close()
            clockwork = nil
        }
    }

    /// Measures so long while the load runs.
    func measure(milliseconds: Int32) throws -> LoadRound {
        round += 1
        let number = round
        let before = try server.metrics()
        let cpuBefore = server.cpuNanoseconds
        let began = MonotonicClock.now
        host.loop.run { [self] in arrivals.begin(number) }
        Pause.milliseconds(milliseconds)
        host.loop.run { [self] in arrivals.stamp = 0 }
        let cpu = server.cpuNanoseconds - cpuBefore
        let wall = MonotonicClock.now - began
        let after = try server.metrics()
        let result = Lock<LoadRound?>(nil)
        let expected = Lock(0)
        host.loop.run { [self] in expected.withLock { $0 = arrivals.sent * (clients.count - 1) } }
        // What is on its way may arrive.
        _ = Deadline.wait(seconds: 1) {
            let arrived = Lock(0)
            host.loop.run { [self] in arrived.withLock { $0 = arrivals.packets } }
            return arrived.withLock { $0 } >= expected.withLock { $0 }
        }
        host.loop.run { [self] in
            let round = LoadRound(
                serverNanoseconds: cpu, wallNanoseconds: wall,
                metrics: after.merging(before) { $0 - $1 }, expected: expected.withLock { $0 },
                arrived: arrivals.packets, late: arrivals.later(thanMilliseconds: Self.lateMilliseconds),
                median: arrivals.delay(0.5), slowest: arrivals.delay(0.99))
            result.withLock { $0 = round }
        }
        guard let round = result.withLock({ $0 }) else { throw BenchmarkFailure("the clients' loop has stopped") }
        return round
    }

    func close() {
        pause()
        for client in clients { client.native.close() }
        host.stop()
    }
}

/// What is due when. Confined to the clients' loop.
private final class Clockwork {
    private struct Turn {
        var due: Int64
        let period: Int64
        let act: () -> Void
    }
    private var turns: [Turn] = []
    private var timer: LoopTimer?
    /// How often everybody sends feedback.
    private static let feedbackPeriod: Int64 = 100_000_000

    init(_ loop: LoopThread, _ clients: [LoadClient], _ load: Load) {
        let now = MonotonicClock.now
        for (index, client) in clients.prefix(load.senders).enumerated() {
            let offset = load.period * Int64(index) / Int64(load.senders)
            turns.append(
                Turn(due: now + offset, period: load.period) {
                    if load.isVideo {
                        client.sendFrame(packets: load.packetsPerPeriod, payload: load.payload)
                    } else {
                        client.sendAudio(payload: load.payload)
                    }
                })
        }
        for (index, client) in clients.enumerated() {
            let offset = Self.feedbackPeriod * Int64(index) / Int64(clients.count)
            turns.append(Turn(due: now + offset, period: Self.feedbackPeriod) { client.sendFeedback() })
        }
        timer = LoopTimer(on: loop) { [unowned self] in turn() }
        timer?.start(after: 1, repeating: 1)
    }

    private func turn() {
        let now = MonotonicClock.now
        for index in turns.indices where turns[index].due <= now {
            turns[index].act()
            turns[index].due += turns[index].period
        }
    }

    func close() { timer?.close() }
}
