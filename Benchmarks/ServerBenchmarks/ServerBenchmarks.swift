// What a whole server costs: egress, joins, memory and idling, measured from outside with native clients, beside the
// floor that the same machine shows in the same run.
import CFloor
import EventLoop
import Glibc
import NativeClients
import TestSupport

/// The measurements.
struct Suite {
    let cores = Cores.ofThisMachine()
    let isQuick: Bool

    private var rounds: Int { isQuick ? 3 : 7 }
    private var roundMilliseconds: Int32 { isQuick ? 1_500 : 4_000 }

    /// A load's people, each with as many slots as there are talkers to hear or cameras to see.
    private func room(_ server: ServerChild, _ load: Load) throws -> LoadRoom {
        let room = try LoadRoom(server)
        var media = NativeMedia()
        media.audioSlots = load.isVideo ? 0 : load.senders
        media.videoSlots = load.isVideo ? load.senders : 0
        // Who only listens publishes nothing, so that the slots are the senders' from the beginning.
        try room.join(load.senders, media)
        media.sends = false
        try room.join(load.people - load.senders, media)
        return room
    }

    // MARK: Egress

    func egress(_ load: Load) throws -> [Row] {
        let server = try ServerChild(cores)
        let room = try room(server, load)
        defer { room.close() }
        var costs: [Double] = []
        var floor: [Double] = []
        var together: [Double] = []
        var ratios: [Double] = []
        var seen: [LoadRound] = []
        for _ in 0..<rounds {
            room.start(load)
            Pause.milliseconds(700)
            let round = try room.measure(milliseconds: roundMilliseconds)
            room.pause()
            room.acknowledge()
            let below = try floorNanoseconds(load, packetsPerCall: 1)
            if load.packetsPerPeriod > 1 {
                let packets = min(load.packetsPerPeriod, 16)
                together.append(try floorNanoseconds(load, packetsPerCall: packets) / 1_000)
            }
            seen.append(round)
            costs.append(round.nanosecondsPerPacket / 1_000)
            floor.append(below / 1_000)
            ratios.append(round.nanosecondsPerPacket / below)
        }
        try server.stop()
        let packets = seen.map { Double($0.metrics["sent_packets_total"] ?? 0) * 1e9 / Double($0.wallNanoseconds) }
        let expected = seen.reduce(0) { $0 + $1.expected }
        let lost = seen.reduce(0) { $0 + $1.expected - $1.arrived }
        let late = seen.reduce(0) { $0 + $1.late }
        let calls = seen.map {
            Double($0.metrics["sent_packets_total"] ?? 0) / Double(max(1, $0.metrics["send_calls_total"] ?? 0))
        }
        var rows = [
            Row(load.name, "server, per packet sent", "µs", costs),
            Row(load.name, "floor, per packet sent", "µs", floor),
            Row(load.name, "server over floor", "", ratios),
        ]
        if !together.isEmpty {
            rows.append(Row(load.name, "floor with a frame in one call, per packet", "µs", together))
        }
        return rows + [
            Row(load.name, "packets in one call of the kernel", "", calls),
            Row(load.name, "packets sent each second", "", packets),
            Row(load.name, "share of a core", "%", seen.map { 100 * $0.coreShare }),
            Row(load.name, "delay, median", "ms", seen.map(\.median)),
            Row(load.name, "delay, 99th percentile", "ms", seen.map(\.slowest)),
            Row(load.name, "lost of \(expected)", "", [Double(lost)]),
            Row(load.name, "later than \(LoadRoom.lateMilliseconds) ms", "", [Double(late)]),
            Row(load.name, "loop turns each second", "", seen.map { $0.perSecond("turns_total") }),
        ]
    }

    /// The floor for a load's packets at the load's own pace, in nanoseconds for each.
    private func floorNanoseconds(_ load: Load, packetsPerCall: Int) throws -> Double {
        let interval = load.period / Int64(load.senders)
        var asked = majlis_floor_load()
        asked.destinations = Int32(load.people - 1)
        asked.packets_per_call = Int32(packetsPerCall)
        asked.packet_bytes = Int32(load.payload + Load.headerBytes)
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
        let room = try room(server, load)
        defer { room.close() }
        room.start(load)
        Pause.milliseconds(3_000)
        func count() -> Int64 {
            let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return 0 }
            defer { close(descriptor) }
            var value: Int64 = 0
            return unsafe read(descriptor, &value, 8) == 8 ? value : 0
        }
        let before = count()
        let round = try room.measure(milliseconds: roundMilliseconds)
        let made = Double(count() - before)
        try server.stop()
        return [
            Row(
                load.name, "mallocs per packet sent", "",
                [made / Double(max(1, round.metrics["sent_packets_total"] ?? 0))], digits: 4),
            Row(
                load.name, "mallocs per packet received", "",
                [made / Double(max(1, round.metrics["received_packets_total"] ?? 0))]),
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
        let rooms = [try room(with, load), try room(without, load)]
        defer { for room in rooms { room.close() } }
        for room in rooms { room.start(load) }
        Pause.milliseconds(1_500)
        var costs: [[Double]] = [[], []]
        var packets: [[Double]] = [[], []]
        for round in 0..<3 * rounds {
            // Each is looked at first as often as the other.
            let order = round % 2 == 0 ? [0, 1] : [1, 0]
            func look() throws -> [(cpu: Int64, sent: Int64, at: Int64)] {
                var seen = [(cpu: Int64, sent: Int64, at: Int64)](repeating: (0, 0, 0), count: 2)
                for index in order {
                    let server = rooms[index].server
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
            for room in rooms { room.acknowledge() }
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

    func joins() throws -> [Row] {
        let server = try ServerChild(cores)
        let room = try LoadRoom(server)
        defer { room.close() }
        try room.join(1, NativeMedia())
        room.start(.audio(talkers: 1))
        var times: [Double] = []
        for number in 0..<(isQuick ? 8 : 20) {
            let began = MonotonicClock.now
            let client = try LoadClient(room.host, server, "joiner\(number)", room.arrivals)
            try client.native.join()
            guard Deadline.wait(seconds: 10, { client.firstPacket.withLock { $0 } != nil }),
                let first = client.firstPacket.withLock({ $0 })
            else { throw BenchmarkFailure("a joiner received nothing") }
            times.append(Double(first - began) / 1e6)
            client.native.vanish()
            room.acknowledge()
        }
        try server.stop()
        let high = times.sorted()[min(times.count - 1, Int(Double(times.count) * 0.95))]
        return [
            Row("join", "WebSocket to first media", "ms", times),
            Row("join", "its 95th percentile", "ms", [high]),
        ]
    }

    func memory() throws -> [Row] {
        let server = try ServerChild(cores)
        let count = isQuick ? 50 : 100
        let before = server.memory
        let room = try LoadRoom(server)
        defer { room.close() }
        var media = NativeMedia()
        media.audioSlots = 4
        media.videoSlots = 8
        try room.join(count, media)
        let after = server.memory
        try server.stop()
        let name = "\(count) joined, 4 + 8 slots each"
        return [
            Row(name, "server before, resident", "MB", [Double(before.resident) / 1e6]),
            Row(name, "per person, resident", "kB", [Double(after.resident - before.resident) / 1e3 / Double(count)]),
            Row(name, "per person, anonymous", "kB", [Double(after.own - before.own) / 1e3 / Double(count)]),
        ]
    }

    func idling() throws -> [Row] {
        let server = try ServerChild(cores)
        let room = try LoadRoom(server)
        defer { room.close() }
        try room.join(50, NativeMedia())
        Pause.milliseconds(1_000)
        let before = try server.metrics()
        let cpu = server.cpuNanoseconds
        let began = MonotonicClock.now
        Pause.milliseconds(isQuick ? 4_000 : 10_000)
        let used = server.cpuNanoseconds - cpu
        let wall = MonotonicClock.now - began
        let after = try server.metrics()
        try server.stop()
        let turns = Double((after["turns_total"] ?? 0) - (before["turns_total"] ?? 0)) * 1e9 / Double(wall)
        return [
            Row("50 joined, silent", "share of a core", "%", [100 * Double(used) / Double(wall)]),
            Row("50 joined, silent", "loop turns each second", "", [turns]),
        ]
    }

    // MARK: A load to look at

    /// Keeps a load up for so long, for a profiler to attach to the server; with a folder, the room is recorded into it.
    func hold(_ load: Load, seconds: Int32, recordingInto folder: String?) throws {
        let recording = folder.map { ["--captures.folder", $0, "--captures.record", "headers"] } ?? []
        let server = try ServerChild(cores, options: recording)
        let room = try room(server, load)
        defer { room.close() }
        room.start(load)
        print("the server is process \(server.id)")
        fflush(nil)
        for _ in 0..<seconds {
            let round = try room.measure(milliseconds: 1_000)
            print(
                "\(fixed(round.nanosecondsPerPacket / 1_000, 2)) µs a packet, \(fixed(100 * round.coreShare, 1)) % of a core, "
                    + "\(round.expected - round.arrived) of \(round.expected) lost")
            fflush(nil)
            room.acknowledge()
        }
        try server.stop()
    }
}

extension LoadRound {
    /// A counter's rate.
    func perSecond(_ name: String) -> Double { Double(metrics[name] ?? 0) * 1e9 / Double(wallNanoseconds) }
}

@main
enum ServerBenchmarks {
    static let usage = """
        usage: ServerBenchmarks [--quick] [--json] [--only NAME] [--hold NAME [--seconds N] [--record FOLDER]]

          --quick       fewer and shorter rounds
          --json        one JSON document in place of the table
          --only NAME   audio20, audio3, video, allocations, recorder, join, memory or idle
          --hold NAME   keep up the load audio20, audio3 or video, and print the server's process id for a profiler;
                        with --record the room's capture is in that folder (of mode 0700) afterwards, to be replayed

        """
    static let loads: [(name: String, load: Load)] = [
        ("audio20", .audio(talkers: 20)), ("audio3", .audio(talkers: 3)), ("video", .video),
    ]

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = CommandLine.arguments.dropFirst()
        func value(of name: String) -> String? {
            arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.endIndex ? arguments[$0 + 1] : nil }
        }
        if arguments.contains("--help") { return print(usage, terminator: "") }
        do {
            try run(
                Suite(isQuick: arguments.contains("--quick")), only: value(of: "--only"), hold: value(of: "--hold"),
                seconds: value(of: "--seconds").flatMap { Int32($0) } ?? 20, record: value(of: "--record"),
                isJSON: arguments.contains("--json"))
        } catch {
            print("\(error)")
            exit(1)
        }
    }

    private static func run(
        _ suite: Suite, only: String?, hold: String?, seconds: Int32, record: String?, isJSON: Bool
    ) throws {
        if let hold {
            guard let load = loads.first(where: { $0.name == hold }) else {
                throw BenchmarkFailure("no load is named \(hold)")
            }
            return try suite.hold(load.load, seconds: seconds, recordingInto: record)
        }
        var parts: [(name: String, run: () throws -> [Row])] = loads.map { part in
            (part.name, { try suite.egress(part.load) })
        }
        parts += [
            ("allocations", { try suite.allocations(.audio(talkers: 20)) + suite.allocations(.video) }),
            ("recorder", { try suite.recorder(.audio(talkers: 4)) }),
            ("join", suite.joins), ("memory", suite.memory), ("idle", suite.idling),
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
