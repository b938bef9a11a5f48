// What a whole server costs: egress, joins, memory and idling, measured from outside with native clients, beside the
// floor that the same machine shows in the same run.
import Bots
import CFloor
import EventLoop
import Glibc
import TestSupport
import WholeServers

/// The measurements.
struct Suite {
    let cores = Cores.ofThisMachine()
    let isQuick: Bool

    var rounds: Int { isQuick ? 3 : 7 }
    var roundMilliseconds: Int32 { isQuick ? 1_500 : 4_000 }

    // MARK: Egress

    /// What a load costs a server that is given, beside the floor, round by round.
    func egress(_ load: Load, _ server: any MeasuredServer, called name: String = "server") throws -> [Row] {
        let room = try LoadRoom(server, cores, load)
        defer { room.close() }
        var floor: [Double] = []
        // The same with a frame's packets in one call: what a server that cannot do without EVP can come near.
        var together: [Double] = []
        var calls: [Double] = []
        var seen: [LoadRound] = []
        room.start()
        // An estimate of a path begins low.
        Pause.milliseconds(load.isVideo ? 10_000 : 1_500)
        for _ in 0..<rounds {
            let before = try (server as? ServerChild)?.metrics()
            let round = room.measure(milliseconds: roundMilliseconds)
            if let before, let after = try (server as? ServerChild)?.metrics() {
                func more(_ name: String) -> Int64 { (after[name] ?? 0) - (before[name] ?? 0) }
                calls.append(Double(more("sent_packets_total")) / Double(max(1, more("send_calls_total"))))
            }
            seen.append(round)
            room.pause()
            floor.append(try floorNanoseconds(load))
            if load.packetsPerPeriod > 1 {
                together.append(try floorNanoseconds(load, packetsPerCall: load.packetsPerPeriod))
            }
            room.start()
            Pause.milliseconds(500)
        }
        try server.stop()
        let costs = seen.map(\.nanosecondsPerPacket)
        let received = seen.reduce(0) { $0 + $1.tally.received }
        let sent = seen.reduce(0) { $0 + $1.tally.sent } * (load.people - 1)
        var rows = [
            Row(load.name, "\(name), per packet delivered", "µs", costs.map { $0 / 1_000 }),
            Row(load.name, "floor, per packet sent", "µs", floor.map { $0 / 1_000 }),
            Row(load.name, "\(name) over floor", "", zip(costs, floor).map { $0 / $1 }),
        ]
        if !together.isEmpty {
            let name = "floor with \(load.packetsPerPeriod) packets in one call, per packet"
            rows.append(Row(load.name, name, "µs", together.map { $0 / 1_000 }))
        }
        if !calls.isEmpty { rows.append(Row(load.name, "packets in one call of the kernel", "", calls)) }
        rows += [
            Row(
                load.name, "packets delivered each second", "",
                seen.map { Double($0.tally.received) * 1e9 / Double($0.wallNanoseconds) }),
            Row(load.name, "share of a core", "%", seen.map { 100 * $0.coreShare }),
            Row(load.name, "delay, median", "ms", seen.map { $0.tally.latency.milliseconds(0.5) ?? 0 }),
            Row(load.name, "delay, 95th percentile", "ms", seen.map { $0.tally.latency.milliseconds(0.95) ?? 0 }),
            Row(load.name, "delay, 99th percentile", "ms", seen.map { $0.tally.latency.milliseconds(0.99) ?? 0 }),
            Row(load.name, "lost by the numbers, of \(received)", "", [Double(seen.reduce(0) { $0 + $1.tally.lost })]),
        ]
        if load.isAllForwarded {
            rows.append(
                Row(
                    load.name, "delivered of what was sent to all", "%", [100 * Double(received) / Double(max(1, sent))]
                ))
        }
        rows += [
            Row(load.name, "bots, share of a core", "%", seen.map { 100 * $0.botShare }),
            Row(load.name, "idle on the bots' core", "%", seen.map { 100 * $0.idle }),
            Row(
                load.name, "void rounds (idle under 15 %), of \(seen.count)", "", [Double(seen.filter(\.isVoid).count)]),
        ]
        return rows
    }

    /// Majlis, and after it Janus with its defaults and with one event loop, under the same load with the same bots.
    func compared(_ load: Load) throws -> [Row] {
        let own = try egress(load, ServerChild(cores))
        guard JanusChild.isThere else {
            print("no Janus to compare with: apt-get install janus, and an address beside loopback")
            return own
        }
        let usual = try egress(load, JanusChild(cores, eventLoops: 0), called: "Janus")
        let single = try egress(load, JanusChild(cores, eventLoops: 1), called: "Janus, event_loops = 1")
        let ratios = [("Janus", usual), ("Janus, event_loops = 1", single)].map { name, rows in
            Row(load.name, "server over \(name)", "", [own[0].median / max(rows[0].median, 1e-9)], digits: 3)
        }
        return own + usual + single + ratios
    }

    /// The floor for a load's packets at the load's own pace, in nanoseconds for each.
    private func floorNanoseconds(_ load: Load, packetsPerCall: Int = 1) throws -> Double {
        let interval = load.period / Int64(load.senders)
        var asked = majlis_floor_load()
        asked.destinations = Int32(load.people - 1)
        asked.packets_per_call = Int32(packetsPerCall)
        asked.packet_bytes = Int32(load.packetBytes)
        asked.packets_per_burst = Int32(load.packetsPerPeriod)
        asked.interval_nanoseconds = interval
        asked.bursts = Int32(Int64(roundMilliseconds) * 1_000_000 / 2 / interval)
        asked.sending_core = cores.arePinned ? cores.server : -1
        asked.receiving_core = cores.arePinned ? cores.clients : -1
        var result = majlis_floor_result()
        let failure = unsafe majlis_floor_run(&asked, &result)
        guard failure == 0, result.packets_sent > 0 else { throw BenchmarkFailure("the floor failed with \(failure)") }
        return Double(result.cpu_nanoseconds) / Double(result.packets_sent)
    }

    // MARK: Allocations

    /// Allocations of the whole server under a load, for each packet that leaves and that arrives.
    func allocations(_ load: Load) throws -> [Row] {
        let program = CommandLine.arguments[0]
        let folder = program.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let library = folder + "/libAllocationCount.so"
        guard unsafe access(library, R_OK) == 0 else { throw BenchmarkFailure("\(library) is not built") }
        let file = "/tmp/majlis-allocations-\(getpid())"
        defer { unsafe unlink(file) }
        let server = try ServerChild(
            cores, environment: ["LD_PRELOAD=\(library)", "MAJLIS_ALLOCATION_COUNT=\(file)"])
        let room = try LoadRoom(server, cores, load)
        defer { room.close() }
        room.start()
        Pause.milliseconds(3_000)
        func count() -> Int64 {
            let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return 0 }
            defer { close(descriptor) }
            var value: Int64 = 0
            return unsafe read(descriptor, &value, 8) == 8 ? value : 0
        }
        let before = count(), metrics = try server.metrics()
        _ = room.measure(milliseconds: roundMilliseconds)
        let made = Double(count() - before)
        let after = try server.metrics().merging(metrics) { $0 - $1 }
        try server.stop()
        return [
            Row(
                load.name, "mallocs per packet sent", "",
                [made / Double(max(1, after["sent_packets_total"] ?? 0))], digits: 4),
            Row(
                load.name, "mallocs per packet received", "",
                [made / Double(max(1, after["received_packets_total"] ?? 0))]),
        ]
    }

    // MARK: The flight recorder

    /// What the flight recorder costs: two servers, one with it and one without, under the same load at the same time on the
    /// same core, so that whatever else the machine does meets both alike.
    func recorder(_ load: Load) throws -> [Row] {
        let rings = "/dev/shm/majlis-bench-\(getpid())"
        defer { unsafe rmdir(rings) }
        let with = try ServerChild(cores, options: ["--captures.flightFolder", rings])
        let without = try ServerChild(cores, options: ["--captures.flightRecorder", "false"])
        let servers = [with, without]
        let rooms = [try LoadRoom(with, cores, load), try LoadRoom(without, cores, load)]
        defer { for room in rooms { room.close() } }
        for room in rooms { room.start() }
        Pause.milliseconds(1_500)
        var costs: [[Double]] = [[], []]
        var packets: [[Double]] = [[], []]
        for round in 0..<3 * rounds {
            // Each is looked at first as often as the other.
            let order = round % 2 == 0 ? [0, 1] : [1, 0]
            func look() throws -> [(cpu: Int64, sent: Int64, at: Int64)] {
                var seen = [(cpu: Int64, sent: Int64, at: Int64)](repeating: (0, 0, 0), count: 2)
                for index in order {
                    let server = servers[index]
                    seen[index] = (
                        server.cpuNanoseconds, try server.metrics()["sent_packets_total"] ?? 0, MonotonicClock.now
                    )
                }
                return seen
            }
            let before = try look()
            Pause.milliseconds(roundMilliseconds / 2)
            let after = try look()
            for index in 0..<2 {
                let sent = Double(max(1, after[index].sent - before[index].sent))
                costs[index].append(Double(after[index].cpu - before[index].cpu) / sent / 1_000)
                packets[index].append(sent * 1e9 / Double(max(1, after[index].at - before[index].at)))
            }
        }
        for room in rooms { room.pause() }
        try with.stop()
        try without.stop()
        return [
            Row(load.name, "with the flight recorder, per packet sent", "µs", costs[0]),
            Row(load.name, "without, per packet sent", "µs", costs[1]),
            Row(load.name, "with over without", "", zip(costs[0], costs[1]).map { $0 / $1 }, digits: 3),
            Row(load.name, "packets sent each second, each of them", "", packets[0] + packets[1]),
        ]
    }

    // MARK: Joins, memory, idling

    /// A person as the measurements of joining have them: a microphone, two slots for sound.
    private func joiner(_ number: Int, talks: Bool = false) -> BotProfile {
        var profile = BotProfile(number: number, user: "user\(number)", room: "test")
        profile.isMuted = !talks
        profile.audioSlots = 2
        profile.attention.decodes = false
        return profile
    }

    func joins(_ server: any MeasuredServer) throws -> [Row] {
        let room = try LoadRoom(server, cores)
        defer { room.close() }
        try room.join([joiner(0, talks: true)], talkers: 1)
        room.start()
        let count = isQuick ? 8 : 20
        try room.join((1...count).map { joiner($0) }, talkers: 0, joinsPerSecond: 4)
        _ = Deadline.wait(seconds: 5) { room.host.snapshot().mediaTimes.count >= count }
        let single = room.host.snapshot()
        // Everybody at once.
        try room.join((count + 1...count + 50).map { joiner($0) }, talkers: 0, joinsPerSecond: 25)
        _ = Deadline.wait(seconds: 5) { room.host.snapshot().mediaTimes.count >= count + 50 }
        let all = room.host.snapshot()
        try server.stop()
        // The one who talks hears nobody.
        let storm = Array(all.mediaTimes.dropFirst(single.mediaTimes.count))
        return [
            Row("join", "WebSocket to first media", "ms", single.mediaTimes),
            Row("join", "its 95th percentile", "ms", [LoadResult.percentile(single.mediaTimes, 0.95) ?? 0]),
            Row("50 joins in two seconds", "WebSocket to first media", "ms", storm),
            Row("50 joins in two seconds", "its 95th percentile", "ms", [LoadResult.percentile(storm, 0.95) ?? 0]),
        ]
    }

    func memory(_ server: any MeasuredServer) throws -> [Row] {
        let count = isQuick ? 50 : 100
        let process = LocalProcess(id: server.id)
        let before = (process.residentBytes, process.anonymousBytes)
        let room = try LoadRoom(server, cores, withCamera: true)
        defer { room.close() }
        let profiles = (0..<count).map { number in
            var profile = joiner(number)
            profile.cameraLayers = 1
            profile.audioSlots = 4
            profile.videoSlots = 8
            return profile
        }
        try room.join(profiles, talkers: 0)
        let after = (process.residentBytes, process.anonymousBytes)
        try server.stop()
        let name = "\(count) joined, 4 + 8 slots each"
        return [
            Row(name, "server before, resident", "MB", [Double(before.0) / 1e6]),
            Row(name, "per person, resident", "kB", [Double(after.0 - before.0) / 1e3 / Double(count)]),
            Row(name, "per person, anonymous", "kB", [Double(after.1 - before.1) / 1e3 / Double(count)]),
        ]
    }

    func idling() throws -> [Row] {
        let server = try ServerChild(cores)
        let room = try LoadRoom(server, cores)
        defer { room.close() }
        try room.join((0..<50).map { joiner($0) }, talkers: 0)
        Pause.milliseconds(1_000)
        let before = try server.metrics()
        let round = room.measure(milliseconds: isQuick ? 4_000 : 10_000)
        let after = try server.metrics()
        try server.stop()
        let turns = Double((after["turns_total"] ?? 0) - (before["turns_total"] ?? 0)) * 1e9
        return [
            Row("50 joined, silent", "share of a core", "%", [100 * round.coreShare]),
            Row("50 joined, silent", "loop turns each second", "", [turns / Double(round.wallNanoseconds)]),
        ]
    }

    // MARK: A load to look at

    /// Keeps a load up for so long, for a profiler to attach to the server; with a folder, the room is recorded into it.
    func hold(_ load: Load, seconds: Int32, recordingInto folder: String?) throws {
        let recording = folder.map { ["--captures.folder", $0, "--captures.record", "headers"] } ?? []
        let server = try ServerChild(cores, options: recording)
        let room = try LoadRoom(server, cores, load)
        defer { room.close() }
        room.start()
        print("the server is process \(server.id)")
        fflush(nil)
        for _ in 0..<seconds {
            let round = room.measure(milliseconds: 1_000)
            print(
                "\(fixed(round.nanosecondsPerPacket / 1_000, 2)) µs a packet, \(fixed(100 * round.coreShare, 1)) % of a core, "
                    + "\(round.tally.lost) of \(round.tally.received) lost, bots \(fixed(100 * round.botShare, 1)) %")
            fflush(nil)
        }
        try server.stop()
    }
}

@main
enum ServerBenchmarks {
    static let usage = """
        usage: ServerBenchmarks [--quick] [--json] [--janus] [--only NAME] [--hold NAME [--seconds N] [--record FOLDER]]

          --quick       fewer and shorter rounds
          --json        one JSON document in place of the table
          --janus       beside Majlis also Debian's Janus, with its defaults and with one event loop
          --only NAME   audio3, audio3silent, audio20, audio30, audio50, video, allocations, recorder, levels, join,
                        memory or idle
          --hold NAME   keep up a load of those, and print the server's process id for a profiler;
                        with --record the room's capture is in that folder (of mode 0700) afterwards, to be replayed

        """
    static let loads = Load.all

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = CommandLine.arguments.dropFirst()
        func value(of name: String) -> String? {
            arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.endIndex ? arguments[$0 + 1] : nil }
        }
        if arguments.contains("--help") { return print(usage, terminator: "") }
        do {
            try run(
                Suite(isQuick: arguments.contains("--quick")), only: value(of: "--only"),
                withJanus: arguments.contains("--janus"), hold: value(of: "--hold"),
                seconds: value(of: "--seconds").flatMap { Int32($0) } ?? 20, record: value(of: "--record"),
                isJSON: arguments.contains("--json"))
        } catch {
            print("\(error)")
            exit(1)
        }
    }

    private static func run(
        _ suite: Suite, only: String?, withJanus: Bool, hold: String?, seconds: Int32, record: String?, isJSON: Bool
    ) throws {
        if let hold {
            guard let load = loads.first(where: { $0.name == hold }) else {
                throw BenchmarkFailure("no load is named \(hold)")
            }
            return try suite.hold(load.load, seconds: seconds, recordingInto: record)
        }
        var parts: [(name: String, run: () throws -> [Row])] = loads.map { part in
            (
                part.name,
                { try withJanus ? suite.compared(part.load) : suite.egress(part.load, ServerChild(suite.cores)) }
            )
        }
        parts += [
            (
                "allocations",
                { try suite.allocations(.audio(talkers: 20, audioSlots: 49)) + suite.allocations(.video) }
            ),
            ("recorder", { try suite.recorder(.audio(talkers: 4, audioSlots: 4)) }),
            ("levels", suite.levels), ("join", { try suite.joins(ServerChild(suite.cores)) }),
            ("memory", { try suite.memory(ServerChild(suite.cores)) }), ("idle", suite.idling),
        ]
        let wanted = parts.filter { only == nil || $0.name == only }
        guard !wanted.isEmpty else { throw BenchmarkFailure("no measurement is named \(only ?? "")") }
        if !isJSON { Row.printHead(arePinned: suite.cores.arePinned) }
        var all: [Row] = []
        for part in wanted {
            let rows = try part.run()
            all += rows
            if !isJSON { Row.printTable(rows) }
        }
        if isJSON { print(Row.json(all)) }
    }
}
