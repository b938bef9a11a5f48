// Long runs against a server of its own process: two hundred joins and leaves, and ten minutes of a room of fifty. Memory and descriptors come
// back or stay, latency stays flat. Only when MAJLIS_SOAK is set (`make soak`, `make check-all`).
import Bots
import EventLoop
import Glibc
import Server
import Signalling
import TestSupport
import Testing
import WholeServers

@Suite("Soak", .serialized, .enabled(if: getenv("MAJLIS_SOAK") != nil, "set MAJLIS_SOAK; `make soak` does"))
struct SoakTests {
    /// How long the room of fifty is, in seconds: MAJLIS_SOAK_SECONDS, else ten minutes.
    private static let roomSeconds = getenv("MAJLIS_SOAK_SECONDS").flatMap { Int(String(cString: $0)) } ?? 600
    /// The server: MAJLIS_BINARY, else the one beside the tests.
    private static let binary = getenv("MAJLIS_BINARY").map { String(cString: $0) } ?? ChildProcess.command

    /// A server as a process with these options more, and its port.
    private func server(_ options: String...) throws -> (child: ChildProcess, port: Int) {
        let child = try #require(
            ChildProcess(
                Self.binary,
                [
                    "serve", "--port", "0", "--host", "127.0.0.1", "--media.addresses", "127.0.0.1",
                    "--media.allowPrivateCandidates", "true", "--media.workers", "2", "--logLevel", "error",
                    "--storage.path", "memory",
                ] + options, environment: ["MAJLIS_TOKENS_SECRET=\(TestServer.secret)"]))
        #expect(child.prints("serves http"))
        return (child, Int(child.text.split(separator: "\n").first?.split(separator: ":").last ?? "") ?? 0)
    }

    /// Resident bytes of a process, from /proc.
    private func residentBytes(_ process: pid_t) -> Int {
        let text = String(decoding: FileBytes.read("/proc/\(process)/statm") ?? [], as: UTF8.self)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private func descriptors(_ process: pid_t) -> Int { FileBytes.list("/proc/\(process)/fd").count }

    @Test("200 joins and leaves: resident memory at most 5 % over that after the first 50, descriptors equal")
    func joinsAndLeaves() throws {
        // The flight recorder's ring takes hundreds of joins to fill: it is in the ten minutes below.
        let (child, port) = try server("--captures.flightRecorder", "false")
        let host = try NativeClient.Host()
        defer { host.stop() }
        let resident = try NativeClient(host, port: port, user: "resident", token: TestServer.token("resident"))
        defer { resident.close() }
        try resident.join()
        #expect(resident.waitUntilConnected())
        var afterFifty = 0
        var descriptorsAfterFifty = 0
        for round in 1...200 {
            let guest = try NativeClient(host, port: port, user: "guest", token: TestServer.token("guest"))
            try guest.join()
            #expect(guest.waitUntilConnected())
            for packet in 0..<20 {
                guest.send(audio: true, timestamp: UInt32(packet) * 960, payload: [UInt8](repeating: 1, count: 80))
                guest.send(audio: false, timestamp: UInt32(packet) * 3_000, payload: RoomTests.keyFrame, marker: true)
            }
            #expect(try guest.signalling.ask(.leave) == .left)
            guest.close()
            resident.signalling.acknowledge()
            resident.received.withLock { $0.rtp.removeAll() }
            if round == 50 || round == 200 {
                guest.signalling.socket.abort()
                // The last transports close and the last sockets too: then the counts stand still.
                var before = -1
                _ = Deadline.wait(seconds: 10) {
                    Pause.milliseconds(200)
                    defer { before = descriptors(child.id) }
                    return before == descriptors(child.id)
                }
                if round == 50 {
                    afterFifty = residentBytes(child.id)
                    descriptorsAfterFifty = descriptors(child.id)
                }
            }
        }
        let end = residentBytes(child.id)
        print(
            "resident after 50: \(afterFifty / 1_024) KiB, after 200: \(end / 1_024) KiB;",
            "descriptors \(descriptorsAfterFifty), \(descriptors(child.id))")
        #expect(Double(end) <= 1.05 * Double(afterFifty))
        #expect(descriptors(child.id) == descriptorsAfterFifty)
        child.signal(SIGTERM)
        #expect(child.exitCode() == 0)
    }

    /// What was seen in one stretch of the ten minutes.
    private struct Stretch {
        var bytes = 0
        var descriptors = 0
        /// Milliseconds.
        var latency = 0.0
        var received = 0
    }

    @Test(
        "Ten minutes of fifty people: memory within 5 % of what it was after two, descriptors equal, latency flat, nothing lost"
    )
    func fiftyPeople() throws {
        let (child, port) = try server()
        let host = try BotHost()
        defer { host.stop() }
        let seed = UInt64.random(in: 0...UInt64(Int64.max))
        let schedule = TalkSchedule(
            .schedule, people: 50, talkers: 6, seed: seed, milliseconds: (Self.roomSeconds + 120) * 1_000)
        let voices = try SpeechSource.synthetic.voices(6, bitsPerSecond: 24_000, payloadBytes: 0)
        let profiles = (0..<50).map { index in
            var profile = BotProfile(number: index, user: "u\(index)", room: "test")
            // One of ten says nothing of levels: its sound is decoded all the time.
            profile.sendsLevels = index % 10 != 9
            profile.attention.decodes = index >= 48
            return profile
        }
        try host.join(
            profiles, at: try ServerPlace("http://127.0.0.1:\(port)"), schedule: schedule, voices: voices,
            joinsPerSecond: 25
        ) { user, room, _ in try TestServer.token(user, room: room) }
        #expect(Deadline.wait(seconds: 60) { host.snapshot().connected == 50 })
        host.setTalking(true)
        // Ten stretches; the first two are for what a room keeps until it is full: histories, windows, the flight recorder.
        var stretches: [Stretch] = []
        for number in 1...10 {
            host.resetLatency()
            let before = host.snapshot()
            let end = number * Self.roomSeconds * 100
            #expect(Deadline.wait(seconds: Int64(Self.roomSeconds)) { host.talkMilliseconds >= end })
            let now = host.snapshot()
            stretches.append(
                Stretch(
                    bytes: residentBytes(child.id), descriptors: descriptors(child.id),
                    latency: now.latency.milliseconds(0.5) ?? 0, received: now.since(before).received))
        }
        let tally = host.snapshot()
        for (number, one) in stretches.enumerated() {
            print(
                "soak \(number + 1): \(one.bytes / 1_024) KiB, \(one.descriptors) descriptors,",
                "latency in the middle \(fixed(one.latency, 2)) ms, \(one.received) packets")
        }
        print("soak: seed \(seed), \(tally.received) packets, \(tally.lost) lost, \(tally.failed) bots failed")
        let settled = stretches[1], last = stretches[9]
        #expect(abs(Double(last.bytes) - Double(settled.bytes)) <= 0.05 * Double(settled.bytes))
        #expect(stretches.dropFirst().allSatisfy { $0.descriptors == settled.descriptors })
        // Flat: the median of the last three stretches is that of the three behind the first, but for what a machine does beside.
        func middle(_ some: ArraySlice<Stretch>) -> Double { some.map(\.latency).sorted()[some.count / 2] }
        #expect(middle(stretches[7...9]) <= 1.5 * middle(stretches[1...3]) + 0.5)
        #expect(tally.failed == 0 && tally.connected == 50)
        #expect(Double(tally.lost) <= 0.0001 * Double(tally.received))
        host.leave(allBut: 0)
        child.signal(SIGTERM)
        #expect(child.exitCode(seconds: 60) == 0)
    }
}
