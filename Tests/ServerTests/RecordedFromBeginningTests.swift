// A server that records every room does so from the room's first command on, and does not wait for ever for its disk.
import Bots
import Captures
import EventLoop
import Glibc
import MediaCore
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("Rooms recorded from their beginning", .serialized)
struct RecordedFromBeginningTests {
    /// Opens a room on a worker, gives it commands at once, closes it, and gives back what the worker said.
    private func run(folder: String, commands: [WorkerCommand]) throws -> [WorkerEvent] {
        let worker = MediaWorker(index: 0)
        var configuration = Configuration()
        configuration.media.addresses = ["127.0.0.1"]
        configuration.captures.folder = folder
        configuration.captures.record = "headers"
        configuration.captures.flightRecorder = false
        let services = CaptureServices(configuration.captures, log: Log(level: .error))
        var settings = try MediaSettings(configuration)
        settings.captures = services
        let events = Lock<[WorkerEvent]>([])
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
        for command in commands { worker.post(command) }
        func said(_ is: (WorkerEvent) -> Bool) -> Bool { events.withLock { $0 }.contains(where: `is`) }
        let isOver = WholeServers.Deadline.wait(seconds: 20) {
            said { if case .finished = $0 { true } else { false } }
        }
        #expect(isOver, "the commands were not obeyed")
        worker.loop.stop()
        services.close()
        return events.withLock { $0 }
    }

    private let key = RoomKey(serial: 1)

    @Test("The first command that a room is given is in its recording, and no checkpoint")
    func firstCommand() throws {
        var template = Array("/tmp/majlis-beginning-XXXXXX".utf8CString)
        let folder = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        defer {
            for name in FileBytes.list(folder) { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        let track = TrackID(peer: PeerID(1), mid: try #require(Mid("0")))
        _ = try run(
            folder: folder,
            commands: [
                .openRoom(key, name: "a room", seed: 7), .setMuted(key, track, true), .setMuted(key, track, false),
                .closeRoom(key), .finish,
            ])
        let name = try #require(FileBytes.list(folder).first { $0.hasSuffix(".pcapng") })
        var reader = try CaptureReader(try #require(FileBytes.read(folder + "/" + name)))
        var inputs: [CaptureEvent] = []
        while let event = try reader.next() {
            switch event {
            case .opened, .command, .checkpoint, .gap: inputs.append(event)
            default: break
            }
        }
        #expect(inputs.count == 3)
        if case .opened(_, seed: 7, build: _, at: _)? = inputs.first {} else { Issue.record("it begins otherwise") }
        for (event, isMuted) in zip(inputs.dropFirst(), [true, false]) {
            guard case .command(.setMuted(track, isMuted), at: _) = event else {
                Issue.record("another event: \(event)")
                continue
            }
        }
    }

    @Test("Where there can be no file the room's commands are obeyed all the same")
    func unusableFolder() throws {
        _ = try run(
            folder: "/proc/nowhere", commands: [.openRoom(key, name: "a room", seed: 7), .closeRoom(key), .finish])
    }
}
