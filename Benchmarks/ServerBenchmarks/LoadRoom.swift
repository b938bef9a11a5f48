// A room of bots on a server under measurement.
import Bots
import EventLoop
import TestSupport
import WholeServers

/// People in a room of one server.
final class LoadRoom {
    let server: any MeasuredServer
    let host: BotHost
    private let cores: Cores
    private var wanted = 0

    init(_ server: any MeasuredServer, _ cores: Cores, withCamera: Bool = false) throws {
        self.server = server
        self.cores = cores
        host = try BotHost(camera: withCamera ? Camera(layerCount: 1) : nil)
        if cores.arePinned { host.bind(toCore: Int(cores.clients)) }
    }

    /// A room with all the people of a load.
    convenience init(_ server: any MeasuredServer, _ cores: Cores, _ load: Load) throws {
        try self.init(server, cores, withCamera: load.isVideo)
        do {
            try join(load.profiles, talkers: load.senders)
        } catch {
            close()
            throw error
        }
    }

    /// Lets people join and waits until they are in.
    func join(_ profiles: [BotProfile], talkers: Int, joinsPerSecond: Double = 20) throws {
        let schedule = TalkSchedule(
            .steady, people: profiles.count, talkers: talkers, seed: 1, milliseconds: 86_400_000)
        let voices = try SpeechSource.synthetic.voices(
            min(talkers, 3), bitsPerSecond: 24_000, payloadBytes: Load.payloadBytes)
        wanted += profiles.count
        try server.join(profiles, on: host, schedule: schedule, voices: voices, joinsPerSecond: joinsPerSecond)
        let isIn = Deadline.wait(seconds: 60) {
            let tally = host.snapshot()
            return tally.connected == wanted || tally.failed > 0
        }
        let tally = host.snapshot()
        guard isIn, tally.connected == wanted else {
            throw BenchmarkFailure("\(tally.connected) of \(wanted) joined: \(tally.failures)")
        }
    }

    func start() { host.setTalking(true) }
    func pause() { host.setTalking(false) }

    /// Measures so long.
    func measure(milliseconds: Int32) -> LoadRound {
        let core = cores.arePinned ? Int(cores.clients) : nil
        let process = LocalProcess(id: server.id)
        host.resetLatency()
        let before = host.snapshot()
        let idle = LocalProcess.idle(core: core), own = LocalProcess.own.cpuNanoseconds ?? 0
        let cpu = process.cpuNanoseconds ?? 0
        let began = MonotonicClock.now
        Pause.milliseconds(milliseconds)
        let used = (process.cpuNanoseconds ?? 0) - cpu
        let wall = MonotonicClock.now - began
        let after = host.snapshot()
        let idleNow = LocalProcess.idle(core: core)
        return LoadRound(
            serverNanoseconds: used, wallNanoseconds: wall,
            idle: Double(idleNow.idle - idle.idle) / Double(max(1, idleNow.all - idle.all)),
            botShare: Double((LocalProcess.own.cpuNanoseconds ?? 0) - own) / Double(wall), tally: after.since(before))
    }

    func close() { host.stop() }
}
