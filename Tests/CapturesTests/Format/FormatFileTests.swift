// The file and its thread: everything taken is in the file in order, a slow or full disk refuses and counts.
import Glibc
import MediaCore
import TestSupport
import Testing

@testable import Captures

/// A folder of one test.
final class ScratchFolder: Sendable {
    let path: String
    init() {
        var template = Array("/tmp/majlis-captures-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else {
                preconditionFailure("no scratch folder")
            }
            return String(cString: made)
        }
    }
    deinit {
        for name in FileBytes.list(path) { unlink(path + "/" + name) }
        rmdir(path)
    }
    func file(_ name: String) -> String { path + "/" + name }
}

extension CaptureFile {
    func append(bytes: [UInt8]) -> Bool { append(bytes.span) }
}
extension CaptureRing {
    func append(bytes: [UInt8]) -> Bool { append(bytes.span) }
}

@Suite struct FormatFileTests {
    @Test("What was taken is in the file, in order, through many turns of the ring")
    func whole() throws {
        let folder = ScratchFolder()
        let file = try CaptureFile(path: folder.file("a.pcapng"), capacity: 64 << 10)
        var chance = Chance(seed: 9)
        var written: [UInt8] = []
        for _ in 0..<400 {
            let piece = chance.bytes(chance.below(3_000))
            // The ring is full now and then: the disk is waited for, as a recorder never would.
            let deadline = ContinuousClock.now + .seconds(30)
            while !file.append(piece.span), ContinuousClock.now < deadline { sched_yield() }
            written += piece
        }
        file.close()
        file.close()
        #expect(file.failure == nil)
        #expect(file.writtenBytes == written.count)
        #expect(FileBytes.read(folder.file("a.pcapng")) == written)
        #expect(!file.append(bytes: written), "nothing is taken after the closing")
    }

    @Test("A capture written piece by piece is read back from the file")
    func capture() throws {
        let folder = ScratchFolder()
        let file = try CaptureFile(path: folder.file("b.pcapng"))
        var writer = CaptureWriter()
        var chance = Chance(seed: 11)
        let events = (0..<60).map { _ in chance.event(chance.pick([0, 4, 5, 6, 9, 10, 11, 12])) }
        for event in events {
            writer.append(event)
            let isTaken = writer.withBytes { file.append($0) }
            #expect(isTaken)
            writer.removeAll()
        }
        file.close()
        let bytes = try #require(FileBytes.read(folder.file("b.pcapng")))
        #expect(captureEvents(bytes).events == events)
    }

    @Test("A disk that takes nothing makes the ring refuse whole pieces and count them; what it took comes later")
    func slow() throws {
        let folder = ScratchFolder()
        let descriptor = open(folder.file("c"), O_WRONLY | O_CREAT, 0o600)
        let ring = CaptureRing(descriptor: descriptor, capacity: 64 << 10, limit: .max)
        let piece = [UInt8](repeating: 7, count: 1_000)
        var taken = 0
        for _ in 0..<100 where ring.append(piece.span) { taken += 1 }
        #expect(taken == 65)
        #expect(ring.refusals.load(ordering: .relaxed) == 35)
        #expect(ring.refusedBytes.load(ordering: .relaxed) == 35_000)
        ring.isClosing.store(true, ordering: .relaxed)
        ring.run()
        #expect(FileBytes.read(folder.file("c"))?.count == 65_000)
    }

    @Test("A full disk is a failure that is told, and nothing more is taken")
    func full() {
        let ring = CaptureRing(descriptor: open("/dev/full", O_WRONLY), capacity: 1 << 16, limit: .max)
        let piece = [UInt8](repeating: 7, count: 1_000)
        #expect(ring.append(bytes: piece))
        ring.isClosing.store(true, ordering: .relaxed)
        ring.run()
        #expect(ring.failure.load(ordering: .relaxed) == ENOSPC)
        ring.isClosing.store(false, ordering: .relaxed)
        #expect(!ring.append(bytes: piece))
    }

    @Test("The limit of the file's length is kept, and a folder that is not there is an error with its name")
    func limits() throws {
        let folder = ScratchFolder()
        let file = try CaptureFile(path: folder.file("d"), limit: 100)
        let piece = [UInt8](repeating: 1, count: 60)
        #expect(file.append(bytes: piece))
        #expect(!file.append(bytes: piece))
        #expect(file.refusals == 1 && file.refusedBytes == 60)
        file.close()
        #expect(throws: CaptureFileError(code: EEXIST, path: folder.file("d"))) {
            _ = try CaptureFile(path: folder.file("d"))
        }
        #expect(throws: CaptureFileError(code: ENOENT, path: folder.file("no/where"))) {
            _ = try CaptureFile(path: folder.file("no/where"))
        }
    }
}
