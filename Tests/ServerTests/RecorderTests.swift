// Recordings of a whole server: on demand, the flight recorder through a kill, and disks that fail: the recording ends, the
// room does not.
import Bots
import Captures
import EventLoop
import Glibc
import MediaCore
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("Recordings of a server", .serialized)
struct RecorderTests {
    /// A private folder of one test.
    private final class Folder: Sendable {
        let path: String
        init() {
            var template = Array("/tmp/majlis-recorder-XXXXXX".utf8CString)
            path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        }
        var files: [String] { FileBytes.list(path).sorted() }
        func file(_ name: String) -> String { path + "/" + name }
        deinit {
            for name in FileBytes.list(path) { unlink(file(name)) }
            rmdir(path)
        }
    }

    /// A media worker without a control plane.
    private final class Worker {
        let worker = MediaWorker(index: 0)
        let services: CaptureServices
        let events = Lock<[WorkerEvent]>([])
        let key = RoomKey(serial: 1)
        let folder: Folder

        init(_ folder: Folder = Folder(), rings: Folder = Folder(), _ change: (inout Configuration) -> Void = { _ in })
            throws
        {
            self.folder = folder
            self.rings = rings
            var configuration = Configuration()
            configuration.media.addresses = ["127.0.0.1"]
            configuration.captures.folder = folder.path
            configuration.captures.flightFolder = rings.path
            change(&configuration)
            services = CaptureServices(configuration.captures, log: Log(level: .error))
            var settings = try MediaSettings(configuration)
            settings.captures = services
            let started = Semaphore()
            worker.loop.perform { [worker, settings, events] in
                worker.assumeIsolated {
                    try? $0.start(settings, metrics: WorkerMetrics(), log: Log(level: .error)) { event in
                        events.withLock { $0.append(event) }
                    }
                }
                started.signal()
            }
            started.wait()
            worker.post(.openRoom(key, name: "a room", seed: 7))
        }
        private let rings: Folder

        func wait<Value>(_ find: (WorkerEvent) -> Value?) throws -> Value {
            var found: Value?
            _ = WholeServers.Deadline.wait(seconds: 20) { [events] in
                found = events.withLock { $0 }.lazy.compactMap(find).first
                return found != nil
            }
            return try #require(found)
        }

        func start(_ request: CaptureRequest) throws -> Result<String, CaptureRefusal> {
            worker.post(.startCapture(key, request))
            return try wait {
                if case .captureStarted(_, let number, let result) = $0, number == request.request {
                    result
                } else {
                    nil
                }
            }
        }

        func ended() throws -> CaptureEnded {
            try wait { if case .captureEnded(_, let ended) = $0 { ended } else { nil } }
        }

        func stop() {
            worker.post(.finish)
            _ = try? wait { if case .finished = $0 { true } else { nil } }
            worker.loop.stop()
            services.close()
        }
    }

    private func request(_ number: UInt64, seconds: Int = 3_600) -> CaptureRequest {
        CaptureRequest(request: number, payload: .whole, seconds: seconds, maximumBytes: 1 << 24)
    }

    @Test("A recording is started once, and ends when it is stopped, when its time is over, and with its room")
    func onDemand() throws {
        let worker = try Worker()
        let path = try worker.start(request(1)).get()
        #expect(path.hasPrefix(worker.folder.path + "/a_room-2") && path.hasSuffix(".pcapng"))
        guard case .failure(let refusal) = try worker.start(request(2)) else {
            Issue.record("a second recording was started")
            return
        }
        #expect(refusal.code == "alreadyRecording")
        worker.worker.post(.setMuted(worker.key, TrackID(peer: PeerID(1), mid: try #require(Mid("0"))), true))
        worker.worker.post(.stopCapture(worker.key))
        let first = try worker.ended()
        #expect(first.path == path && first.reason == .stopped && first.failure == nil && first.refusals == 0)
        let bytes = try #require(FileBytes.read(path))
        #expect(bytes.count == first.bytes)
        let survey = try CaptureSurvey.of(bytes)
        #expect(survey.commands == 1)

        worker.events.withLock { $0 = [] }
        _ = try worker.start(request(3, seconds: 1)).get()
        #expect(try worker.ended().reason == .time)
        worker.events.withLock { $0 = [] }
        _ = try worker.start(request(4)).get()
        worker.worker.post(.closeRoom(worker.key))
        #expect(try worker.ended().reason == .roomClosed)
        #expect(worker.folder.files.count == 3)
        worker.stop()
    }

    @Test("A folder that cannot be used is an answer with the reason, and the room goes on")
    func unwritableFolder() throws {
        let worker = try Worker { $0.captures.folder = "/proc/nowhere" }
        guard case .failure(let refusal) = try worker.start(request(1)) else {
            Issue.record("a recording was started in /proc")
            return
        }
        #expect(refusal.code == "folderUnusable" && refusal.message.contains("/proc/nowhere"))
        // Until the ring is there the answer is another one. What came to nothing may be asked for again at once.
        var number: UInt64 = 5
        var codes: [String] = []
        let isRefusedTwice = WholeServers.Deadline.wait(seconds: 20) {
            number += 1
            worker.worker.post(.keepFlight(worker.key, request: number, .requested))
            let kept = try? worker.wait { event -> Result<String, CaptureRefusal>? in
                if case .flightKept(_, number, _, let result) = event { result } else { nil }
            }
            if case .failure(let refusal) = kept { codes.append(refusal.code) }
            return codes.count { $0 == "folderUnusable" || $0 == "nothingRecorded" } == 2
        }
        #expect(isRefusedTwice && !codes.contains("tooSoon"), "\(codes)")
        worker.stop()
    }

    @Test(
        "What the flight recorder holds is kept when it is asked for, once a minute for one reason; a closed room leaves nothing"
    )
    func keepFlight() throws {
        let rings = Folder()
        let worker = try Worker(rings: rings)
        let mid = try #require(Mid("0"))
        // Until the ring is there, which its thread makes, there is nothing to keep.
        var number: UInt64 = 0
        var path: String?
        let isKept = WholeServers.Deadline.wait(seconds: 20) {
            number += 1
            worker.worker.post(.setMuted(worker.key, TrackID(peer: PeerID(1), mid: mid), true))
            worker.worker.post(.keepFlight(worker.key, request: number, .frozen))
            let result = try? worker.wait { event -> Result<String, CaptureRefusal>? in
                if case .flightKept(_, number, .frozen, let result) = event { result } else { nil }
            }
            path = try? result?.get()
            return path != nil
        }
        #expect(isKept)
        let kept = try #require(path)
        #expect(kept.hasSuffix("-flight-frozen.pcapng"))
        #expect(try CaptureSurvey.of(try #require(FileBytes.read(kept))).events > 0)
        worker.worker.post(.keepFlight(worker.key, request: 1_000, .frozen))
        let second = try worker.wait { event -> Result<String, CaptureRefusal>? in
            if case .flightKept(_, 1_000, .frozen, let result) = event { result } else { nil }
        }
        #expect(
            second
                == .failure(
                    CaptureRefusal(code: "tooSoon", message: "It was kept for the same reason less than a minute ago."))
        )
        worker.stop()
        #expect(rings.files.isEmpty)
    }

    // MARK: Whole processes

    private static let marker = Array("nobody-may-read-this".utf8)

    /// Two people in a child's room who talk until `isEnough`.
    private func talk(_ server: ChildServer, until isEnough: () -> Bool) throws -> Bool {
        let host = try NativeClient.Host()
        defer { host.stop() }
        let people = try ["amina", "budi"].map {
            try NativeClient(host, port: server.port, user: $0, token: TestServer.token($0))
        }
        defer { for person in people { person.close() } }
        for person in people {
            try person.join()
            #expect(person.waitUntilConnected())
        }
        var timestamp: UInt32 = 0
        var payload: [UInt8] = []
        while payload.count < 160 { payload += Self.marker }
        var video = RoomTests.keyFrame
        video.replaceSubrange(40..<40 + Self.marker.count, with: Self.marker)
        return WholeServers.Deadline.wait(seconds: 30) {
            timestamp &+= 960
            for person in people {
                person.send(audio: true, timestamp: timestamp, payload: payload)
                person.send(audio: false, timestamp: timestamp, payload: video, marker: true)
            }
            return people.allSatisfy { $0.received.withLock { $0.rtp.count } > 60 } && isEnough()
        }
    }

    private func holdsMarker(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= Self.marker.count else { return false }
        return (0...bytes.count - Self.marker.count).contains { at in
            bytes[at] == Self.marker[0] && bytes[at..<at + Self.marker.count].elementsEqual(Self.marker)
        }
    }

    private func replay(_ path: String) throws -> (code: Int32?, text: String) {
        let child = try #require(ChildProcess(ChildProcess.command, ["replay", path], environment: []))
        let code = child.exitCode(seconds: 60)
        return (code, child.text)
    }

    @Test("A server is killed while people talk: the next one keeps what its flight recorder held, and that replays")
    func killed() throws {
        let rings = Folder()
        let kept = Folder()
        let options = ["--captures.folder", kept.path, "--captures.flightFolder", rings.path]
        let first = try ChildServer(options)
        var isKilled = false
        let hasTalked = try talk(first) {
            if !isKilled { first.kill() }
            isKilled = true
            return true
        }
        #expect(hasTalked && isKilled)
        #expect(!rings.files.isEmpty)
        let second = try ChildServer(options)
        let isKept = WholeServers.Deadline.wait(seconds: 20) { kept.files.count == 1 && rings.files.count == 1 }
        #expect(isKept, "\(kept.files) \(rings.files) \(second.logged)")
        let name = try #require(kept.files.first)
        #expect(name.hasPrefix("test-2") && name.hasSuffix("-flight-crash.pcapng"))
        let bytes = try #require(FileBytes.read(kept.file(name)))
        let survey = try CaptureSurvey.of(bytes)
        #expect(survey.rtpPackets > 100 && survey.gaps == 0 && survey.decisions > 0)
        #expect(!holdsMarker(bytes))
        let (code, text) = try replay(kept.file(name))
        #expect(code == 0, "\(text)")
        #expect(second.stop() == 0)
        #expect(rings.files.isEmpty)
    }

    @Test("A full disk ends the recording with its reason, and the room goes on")
    func fullDisk() throws {
        let kept = Folder()
        let server = try ChildServer([
            "--captures.folder", kept.path, "--captures.record", "headers", "--captures.flightRecorder", "false",
        ])
        server.limitFiles(to: 96 << 10)
        let isEnough = { server.logged.contains("recording ended") }
        #expect(try talk(server, until: isEnough))
        #expect(server.logged.contains("reason=diskFull"))
        let name = try #require(kept.files.first)
        let bytes = try #require(FileBytes.read(kept.file(name)))
        #expect(bytes.count == 96 << 10)
        #expect(!holdsMarker(bytes))
        // As far as it goes, it replays.
        #expect(try replay(kept.file(name)).code == 0)
        // The room is still one.
        #expect(try talk(server) { true })
        #expect(server.stop() == 0)
    }

    @Test("Every room is recorded from its beginning where that is asked for, and replays")
    func recordsEverything() throws {
        let kept = Folder()
        let server = try ChildServer([
            "--captures.folder", kept.path, "--captures.record", "headers", "--captures.flightRecorder", "false",
        ])
        #expect(try talk(server) { true })
        #expect(server.stop() == 0)
        let path = kept.file(try #require(kept.files.first))
        #expect(try CaptureSurvey.of(try #require(FileBytes.read(path))).rtpPackets > 100)
        let (code, text) = try replay(path)
        #expect(code == 0, "\(text)")
    }
}
