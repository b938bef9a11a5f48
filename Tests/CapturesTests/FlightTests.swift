// The flight recorder: its ring holds what was promised, survives what a process does not, and is bounded.
import Glibc
import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@testable import Captures

@Suite("The flight recorder")
struct FlightTests {
    private static var twoMinutes: Scenario {
        Scenario(
            "two-minutes", seed: 120,
            steps: [
                .join(1, ParticipantProfile([.microphone(AudioShape(isTalking: true)), .camera()])),
                .join(2, ParticipantProfile([.microphone(AudioShape(isTalking: false)), .camera()])),
                .join(3, ParticipantProfile([.microphone(AudioShape(isTalking: false))])), .run(.seconds(40)),
                .talk(1, false), .talk(2, true), .run(.seconds(40)), .leave(3), .run(.seconds(43)),
            ])
    }

    private func options(seconds: Int64) -> RoomRecorder.Options {
        var options = RoomRecorder.Options()
        options.sectionSpan = .milliseconds(seconds * 1_000 / 3)
        return options
    }

    @Test("Of two minutes the last thirty seconds are kept, and replay from their checkpoint to the same outputs")
    func lastSeconds() throws {
        let folder = ScratchFolder()
        let ring = FlightRing.alone(folder.file("a.ring"), segmentBytes: 2 << 20)
        let room = RecorderRoom(.ring(ring), seed: 120, options: options(seconds: 30))
        let simulation = room.play(Self.twoMinutes)
        let pieces = ring.copy()
        #expect(pieces.count == 4)
        #expect(room.recorder.refusals == 0)
        let bytes = Array(pieces.joined())
        let survey = try CaptureSurvey.of(bytes)
        let first = try #require(survey.first)
        let last = try #require(survey.last)
        #expect(last - first >= .seconds(30))
        #expect(last - first < .seconds(45))
        #expect(simulation.now - last < .seconds(1))
        #expect(survey.checkpoints == 4 && survey.gaps == 0 && survey.digests >= 30)
        let result = try Replay.run(bytes)
        if case .different(let difference) = result.verdict { Issue.record("\(difference)") }
        #expect(result.verdict == .identical)
        #expect(result.summary.compared > 30 && result.summary.skipped == 0)
        // Each segment can be read alone.
        for piece in pieces { #expect(try Replay.run(piece).verdict == .identical) }
        // The file is what a next start finds.
        let file = try FlightFile.read(folder.file("a.ring"))
        #expect(file.room == "alone")
        #expect(file.capture == bytes)
        ring.dispose(removingFile: true)
        #expect(FileBytes.list(folder.path).isEmpty)
    }

    @Test("A ring that is small for its room turns faster and still replays")
    func rotationBySize() throws {
        let folder = ScratchFolder()
        let ring = FlightRing.alone(folder.file("b.ring"), segmentBytes: 512 << 10)
        let room = RecorderRoom(.ring(ring), seed: 120, options: options(seconds: 600))
        room.play(Self.twoMinutes)
        let pieces = ring.copy()
        #expect(pieces.count == 4)
        #expect(pieces.allSatisfy { $0.count <= 512 << 10 })
        #expect(room.recorder.refusals == 0)
        let result = try Replay.run(Array(pieces.joined()))
        #expect(result.verdict == .identical)
        #expect(result.summary.skipped == 0 && result.summary.duration < .seconds(100))
        ring.dispose(removingFile: true)
    }

    @Test("Where memory comes too late blocks are refused, and the ring goes on behind a gap")
    func lateMemory() throws {
        let folder = ScratchFolder()
        let path = folder.file("c.ring")
        let ring = FlightRing(room: "late", segmentBytes: 1 << 20) { _ in }
        #expect(ring.prepare(path: path) == 0)
        var allowed = 0
        func feed(_ bytes: Int) {
            allowed += bytes
            _ = ring.grow { count in
                guard count <= allowed else { return false }
                allowed -= count
                return true
            }
        }
        feed(FlightLayout.step)
        ring.open()
        let room = RecorderRoom(.ring(ring), seed: 120, options: options(seconds: 600))
        let simulation = Simulation(seed: 120)
        room.attach(simulation)
        for step in Self.twoMinutes.steps.prefix(4) { simulation.perform(step) }
        #expect(room.recorder.refusals > 0 && !room.recorder.isRunning)
        for _ in 0..<8 { feed(1 << 20) }
        simulation.perform(.run(.seconds(5)))
        #expect(room.recorder.isRunning)
        room.recorder.settle(at: simulation.now)
        let result = try Replay.run(Array(ring.copy().joined()))
        #expect(result.verdict == .identical)
        #expect(result.summary.gaps == 1)
        ring.dispose(removingFile: true)
    }

    @Test("A torn, foreign or empty file is refused with what is wrong; any byte changed never traps")
    func foreignFiles() throws {
        let folder = ScratchFolder()
        let ring = FlightRing.alone(folder.file("d.ring"), segmentBytes: 256 << 10)
        #expect(throws: FlightFileError.empty) { _ = try FlightFile.read(folder.file("d.ring")) }
        let scenario = ReplayScenarios.threePeople
        RecorderRoom(.ring(ring), seed: scenario.seed).play(scenario)
        let bytes = try #require(FileBytes.read(folder.file("d.ring")))
        ring.dispose(removingFile: true)
        #expect(throws: FlightFileError.unreadable) { _ = try FlightFile.read(folder.file("no")) }
        #expect(throws: FlightFileError.notAFlightFile) { _ = try FlightFile([UInt8](repeating: 0, count: 9_000)) }
        #expect(throws: FlightFileError.notAFlightFile) { _ = try FlightFile([]) }
        #expect(throws: FlightFileError.wrongLength(expected: bytes.count, found: bytes.count - 1)) {
            _ = try FlightFile(bytes.dropLast())
        }
        var changed = bytes
        changed[8] = 2
        #expect(throws: FlightFileError.unknownVersion(2)) { _ = try FlightFile(changed) }
        changed = bytes
        changed[48] ^= 1
        #expect(throws: FlightFileError.notAFlightFile) { _ = try FlightFile(changed) }
        // A segment whose head makes no sense is left out, and the others are read.
        changed = bytes
        changed[FlightLayout.head + FlightLayout.usedOffset + 6] = 1
        let whole = try FlightFile(bytes).pieces.count
        if whole > 1 {
            #expect(try FlightFile(changed).pieces.count == whole - 1)
        } else {
            #expect(throws: FlightFileError.empty) { _ = try FlightFile(changed) }
        }
    }

    // MARK: The vault

    /// A vault with folders of its own.
    private final class Scene {
        let rings = ScratchFolder()
        let kept = ScratchFolder()
        let captures: CaptureFolder
        let vault: FlightVault
        let notes = Notes()

        init(ringBytes: Int = 4 << 20, totalBytes: Int = 64 << 20, folderBytes: Int = 64 << 20) {
            captures = CaptureFolder(path: kept.path, limit: folderBytes)
            vault = FlightVault(
                .init(folder: rings.path, ringBytes: ringBytes, totalBytes: totalBytes), captures: captures
            ) { [notes] in notes.add($0) }
        }

        func ring(_ room: String) -> FlightRing {
            let ring = vault.ring(room: room)
            let deadline = ContinuousClock.now + .seconds(20)
            while !ring.isReady, ContinuousClock.now < deadline { Pause.milliseconds(2) }
            return ring
        }

        func keep(_ ring: FlightRing, _ reason: String) -> Result<String, CaptureFolderError> {
            let done = Pause.Flag()
            let result = Notes()
            vault.keep(ring, reason: reason) {
                result.kept($0)
                done.raise()
            }
            done.wait()
            return result.result
        }

        func close() {
            vault.close()
            captures.close()
        }
    }

    private final class Notes: @unchecked Sendable {
        private var mutex = pthread_mutex_t()
        private var notes: [FlightNote] = []
        private(set) var result: Result<String, CaptureFolderError> = .success("")
        init() { pthread_mutex_init(&mutex, nil) }
        func add(_ note: FlightNote) {
            pthread_mutex_lock(&mutex)
            notes.append(note)
            pthread_mutex_unlock(&mutex)
        }
        func kept(_ result: Result<String, CaptureFolderError>) { self.result = result }
        var all: [FlightNote] {
            pthread_mutex_lock(&mutex)
            defer { pthread_mutex_unlock(&mutex) }
            return notes
        }
    }

    /// Records a few seconds at the pace at which the vault gives memory.
    private func play(_ ring: FlightRing) {
        let scenario = ReplayScenarios.threePeople
        let room = RecorderRoom(.ring(ring), seed: scenario.seed)
        room.afterTurn = { [unowned room] in if room.turns % 200 == 0 { Pause.milliseconds(1) } }
        room.play(scenario)
    }

    @Test("What is kept is a capture named for its room and reason; a room that closes leaves nothing")
    func vault() throws {
        let scene = Scene()
        let ring = scene.ring("a/../room with ü")
        play(ring)
        let path = try scene.keep(ring, "requested").get()
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        #expect(name.hasPrefix("a_.._room_with___-2") && name.hasSuffix("-flight-requested.pcapng"), "\(name)")
        #expect(path.hasPrefix(scene.kept.path + "/a"))
        #expect(try Replay.run(try #require(FileBytes.read(path))).verdict == .identical)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(scene.vault.allocatedBytes >= 2 * FlightLayout.step)
        scene.vault.release(ring)
        let deadline = ContinuousClock.now + .seconds(20)
        while scene.vault.allocatedBytes > 0, ContinuousClock.now < deadline { Pause.milliseconds(2) }
        #expect(scene.vault.allocatedBytes == 0)
        scene.close()
        #expect(FileBytes.list(scene.rings.path).isEmpty)
        #expect(scene.notes.all.isEmpty)
    }

    @Test("All rings together have a limit; a room beyond it has none until another room closes")
    func total() {
        let scene = Scene(totalBytes: 2 * FlightLayout.step)
        let first = scene.ring("first")
        play(first)
        let second = scene.ring("second")
        #expect(!second.beginSegment(room: 100))
        #expect(scene.vault.refusals > 0)
        #expect(scene.notes.all == [.full])
        scene.vault.release(first)
        let deadline = ContinuousClock.now + .seconds(20)
        while !second.beginSegment(room: 100), ContinuousClock.now < deadline { Pause.milliseconds(2) }
        let isTaken = second.append([UInt8](repeating: 1, count: 100).span)
        #expect(isTaken)
        #expect(scene.vault.allocatedBytes <= 2 * FlightLayout.step)
        scene.vault.release(second)
        scene.close()
    }

    @Test("The folder has a limit: the oldest that was kept makes room; recordings that people asked for never do")
    func folderLimit() throws {
        let scene = Scene(folderBytes: 3 << 20)
        let ring = scene.ring("room")
        play(ring)
        let first = try scene.keep(ring, "requested").get()
        let size = try #require(FileBytes.read(first)).count
        let asked = scene.kept.file("asked-for.pcapng")
        let fill = (3 << 20) - 2 * size
        let file = try CaptureFile(path: asked)
        #expect(file.append(bytes: [UInt8](repeating: 0, count: fill)))
        file.close()
        let second = try scene.keep(ring, "frozen").get()
        let third = try scene.keep(ring, "quality").get()
        #expect(access(first, F_OK) != 0)
        #expect(access(second, F_OK) == 0 && access(third, F_OK) == 0 && access(asked, F_OK) == 0)
        let other = try CaptureFile(path: scene.kept.file("also.pcapng"))
        #expect(other.append(bytes: [UInt8](repeating: 0, count: 2 * size)))
        other.close()
        #expect(throws: CaptureFolderError.self) { try scene.keep(ring, "crash").get() }
        #expect(access(asked, F_OK) == 0)
        scene.close()
    }

    @Test("A folder that others may read, and one that cannot be made, are refused with the reason")
    func unusableFolders() throws {
        let open = ScratchFolder()
        try #require(chmod(open.path, 0o755) == 0)
        for path in [open.path, "/proc/no/folder"] {
            let captures = CaptureFolder(path: path, limit: 1 << 30)
            let done = Pause.Flag()
            let notes = Notes()
            captures.open(room: "r", maximum: 1 << 20) { result in
                notes.kept(result.map(\.path))
                done.raise()
            }
            done.wait()
            captures.close()
            guard case .failure(let error) = notes.result else {
                Issue.record("\(path) was used")
                continue
            }
            #expect(error.code == "folderUnusable" && error.message.contains(path))
        }
        #expect(FileBytes.list(open.path).isEmpty)
    }

    @Test("What a killed process left is kept by the next one; what another one still uses is left alone")
    func leftBehind() throws {
        let first = Scene()
        let ring = first.ring("left")
        play(ring)
        // As a killed process leaves it: the same files, and nobody holds the lock.
        let own = first.rings.path + "/" + (try #require(FileBytes.list(first.rings.path).first))
        let ringFile = own + "/" + (try #require(FileBytes.list(own).first { $0.hasSuffix(".ring") }))
        let left = first.rings.path + "/majlis-1-1"
        try #require(mkdir(left, 0o700) == 0)
        for (name, bytes) in [
            ("lock", []), ("1.ring", try #require(FileBytes.read(ringFile))),
            ("2.ring", [UInt8](repeating: 7, count: 50)),
        ] {
            let descriptor = open(left + "/" + name, O_WRONLY | O_CREAT, 0o600)
            #expect(WholeFile.write(bytes, to: descriptor) == 0)
            close(descriptor)
        }
        let captures = CaptureFolder(path: first.kept.path, limit: 1 << 30)
        let notes = Notes()
        let vault = FlightVault(
            .init(folder: first.rings.path, ringBytes: 4 << 20, totalBytes: 64 << 20), captures: captures
        ) { notes.add($0) }
        vault.close()
        captures.close()
        let kept = notes.all.compactMap { note -> String? in if case .crashKept(let path) = note { path } else { nil } }
        #expect(kept.count == 1)
        #expect(notes.all.contains(.crashLost("\(left)/2.ring: \(FlightFileError.notAFlightFile)")))
        let path = try #require(kept.first)
        #expect(path.hasSuffix("-crash.pcapng"))
        #expect(try Replay.run(try #require(FileBytes.read(path))).verdict == .identical)
        #expect(access(left, F_OK) != 0)
        #expect(access(ringFile, F_OK) == 0)
        first.close()
    }
}
