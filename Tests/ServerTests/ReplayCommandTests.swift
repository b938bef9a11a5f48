// `majlis replay` and `majlis capture rewrite` as a user runs them: exit codes, sentences, and files that mean harm, in a child
// process that is not given much memory.
import Bots
import Captures
import Glibc
import MediaCore
import TestSupport
import Testing
import WholeServers

@Suite("The commands `majlis replay` and `majlis capture rewrite`")
struct ReplayCommandTests {
    /// A folder of its own, removed behind the test.
    private final class Folder {
        let path: String
        init() {
            path = "/tmp/majlis-replay-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            mkdir(path, 0o700)
        }
        deinit {
            for name in FileBytes.list(path) { unlink(path + "/" + name) }
            rmdir(path)
        }
        func write(_ bytes: [UInt8], _ name: String) throws -> String {
            let file = try #require(unsafe fopen(path + "/" + name, "wb"))
            let written = unsafe fwrite(bytes, 1, bytes.count, file)
            unsafe fclose(file)
            #expect(written == bytes.count)
            return path + "/" + name
        }
        var names: [String] { FileBytes.list(path) }
    }

    private static let captures = ExternalCaptures.packageRoot + "/Captures/"

    /// Runs the command; `kilobytes` is all the address space that it may have, but for a sanitizer's, which takes terabytes.
    private func run(_ arguments: [String], kilobytes: Int? = nil) throws -> (code: Int32?, text: String) {
        let child: ChildProcess?
        if let kilobytes, !Sanitizer.isOn {
            let script = "ulimit -v \(kilobytes); exec \"$0\" \"$@\""
            child = ChildProcess(
                "/bin/bash", ["-c", script, ChildProcess.command] + arguments,
                environment: ["SWIFT_BACKTRACE=enable=no"])
        } else {
            child = ChildProcess(ChildProcess.command, arguments, environment: [])
        }
        let process = try #require(child)
        return (process.exitCode(seconds: 60), process.text)
    }

    private static func word(_ n: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: n >> UInt32(8 * $0)) } }

    private static func bytes(_ events: [CaptureEvent]) -> [UInt8] {
        var writer = CaptureWriter()
        for event in events { writer.append(event) }
        return writer.take()
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    private static func block(_ type: UInt32, _ length: UInt32, _ body: [UInt8]) -> [UInt8] {
        word(type) + word(length) + body + word(length)
    }

    /// A block of this project's own.
    private static func own(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] {
        let inner = [0xd9, 0x7e, 0, 0, 0x4d, 0x6a, 1, kind] + body
        let filled = inner + [UInt8](repeating: 0, count: (4 - inner.count % 4) % 4)
        return block(0xbad, UInt32(filled.count + 12), filled)
    }

    @Test("what cannot be replayed is one line that names the place, and exit code 2", arguments: files.indices)
    func hostile(index: Int) throws {
        let (name, bytes, sentence) = Self.files[index]
        let folder = Folder()
        let path = try folder.write(bytes, "hostile.pcapng")
        // A release or debug binary maps some hundred megabytes of libraries and stacks before it reads a byte.
        let replayed = try run(["replay", path, "--report", folder.path + "/r.html"], kilobytes: 1_000_000)
        #expect(replayed.code == 2, "\(name): \(replayed.text)")
        #expect(replayed.text.contains(sentence), "\(name): \(replayed.text)")
        #expect(
            replayed.text.hasPrefix("majlis: ") && replayed.text.split(separator: "\n").count == 1, "\(replayed.text)")
        let rewritten = try run(["capture", "rewrite", path, folder.path + "/new.pcapng"], kilobytes: 1_000_000)
        #expect(rewritten.code == 1 && rewritten.text.contains(sentence), "\(name): \(rewritten.text)")
        #expect(folder.names == ["hostile.pcapng"], "nothing is left behind")
    }

    /// What it is, its bytes, and what is said of it.
    static let files: [(String, [UInt8], String)] = {
        let start = bytes([])
        let at = "at offset \(start.count)"
        let opened = bytes([.opened(RoomConfiguration(), seed: 1, build: "x", at: Timestamp(nanoseconds: 0))])
        let here = "at offset \(opened.count)"
        let join = bytes([.command(.addParticipant(PeerID(1)), at: Timestamp(nanoseconds: 0))]).dropFirst(start.count)
        // A checkpoint that begins well and says that four thousand million rows follow.
        let blob: [UInt8] = [0x4d, 0x4a, 0x43, 0x50, 0, UInt8(Checkpoint.version)]
        // 84 bytes of block; its captured length stands 20 from its beginning.
        var longPacket = bytes([.rtp(PeerID(1), [UInt8](repeating: 0x80, count: 12), at: Timestamp(nanoseconds: 0))])
        for place in longPacket.count - 64..<longPacket.count - 60 { longPacket[place] = 0xff }
        let forged = own(7, varint(UInt64(blob.count + 40)) + blob + [UInt8](repeating: 0xff, count: 40))
        return [
            ("nothing", [], "neither pcap nor pcapng, at offset 0"),
            ("text", Array("hello".utf8), "neither pcap nor pcapng, at offset 0"),
            ("a block of 4 GiB", start + word(6) + word(.max) + word(0), "4294967295 bytes, more than are read, \(at)"),
            ("a block of 0 bytes", start + word(6) + word(0) + word(0), "impossible length 0, \(at)"),
            ("lengths that differ", start + word(6) + word(32) + [UInt8](repeating: 0, count: 20) + word(28), at),
            ("a packet of no interface", start + block(6, 32, [UInt8](repeating: 0, count: 20)), "interface 0"),
            ("a packet of 4 GiB in a small block", longPacket, "a block of type 0x6 whose parts do not fit in it, at"),
            (
                "a list of 65,535 tracks that is not there",
                opened
                    + own(
                        2,
                        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
                            + [UInt8](repeating: 0, count: 8) + [0] + varint(65_535)),
                "kind 2 that cannot be read, \(here)"
            ),
            ("a build's name of 4 GiB", start + own(1, [UInt8](repeating: 0, count: 16) + varint(1 << 32)), at),
            ("no beginning", start + join, "neither the room's opening nor a checkpoint"),
            ("a checkpoint that is none", start + own(7, varint(4) + [1, 2, 3, 4]), "the checkpoint in event 0"),
            ("a checkpoint of another version", start + own(7, varint(6) + blob.prefix(5) + [250]), "unknownVersion"),
            ("a forged checkpoint", start + forged, "the checkpoint in event 0 cannot be used"),
            ("a gap and nothing", start + own(9, varint(.max)) + join, "neither the room's opening nor a checkpoint"),
        ]
    }()

    @Test("many sections, each with the same interfaces and openings, take no more memory than the file")
    func cycles() throws {
        let folder = Folder()
        let once = Self.bytes([
            .opened(RoomConfiguration(), seed: 1, build: "x", at: Timestamp(nanoseconds: 0)),
            .rtp(PeerID(1), [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: Timestamp(nanoseconds: 1)), .flushed,
        ])
        var many: [UInt8] = []
        for _ in 0..<2_000 { many += once }
        let path = try folder.write(many, "many.pcapng")
        let result = try run(["replay", path], kilobytes: 1_000_000)
        #expect(result.code == 0, "\(result.text)")
        #expect(result.text.contains("6000 events"), "\(result.text)")
    }

    @Test("a real capture cut short anywhere replays to its cut, spoilt anywhere gives an answer or a place")
    func spoilt() throws {
        let folder = Folder()
        let whole = try #require(FileBytes.read(Self.captures + "pauses.pcapng"))
        var number: UInt64 = 7
        func chance(_ limit: Int) -> Int {
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(number >> 33) % limit
        }
        for round in 0..<12 {
            var bytes = whole
            if round < 4 {
                bytes.removeLast(1 + chance(whole.count - 2_000))
            } else {
                for _ in 0...chance(4) { bytes[chance(bytes.count)] = UInt8(chance(256)) }
            }
            let path = try folder.write(bytes, "spoilt.pcapng")
            let result = try run(["replay", path], kilobytes: 1_000_000)
            switch result.code {
            case 0: #expect(result.text.contains("identical"))
            case 1: #expect(round >= 4 && result.text.contains("first difference"))
            case 2: #expect(round >= 4 && result.text.contains("at offset") || result.text.contains("event"))
            default: Issue.record("exit code \(result.code ?? -1): \(result.text)")
            }
        }
    }

    @Test("rewrite trims a file, takes the media out, and leaves what is there alone")
    func rewrite() throws {
        let folder = Folder()
        let source = Self.captures + "three-people.pcapng"
        let new = folder.path + "/new.pcapng"
        let made = try run(["capture", "rewrite", source, new, "--from", "2", "--until", "4.5", "--headers"])
        #expect(made.code == 0 && made.text.contains("digest: "), "\(made.text)")
        let digest = made.text.split(separator: "\n").last.map(String.init) ?? ""
        let bytes = try #require(FileBytes.read(new))
        #expect(bytes.count < 200_000)
        let replayed = try run(["replay", new])
        #expect(replayed.code == 0 && replayed.text.contains(digest), "\(replayed.text)")
        #expect(replayed.text.contains("identical"))
        let again = try run(["capture", "rewrite", source, new])
        #expect(again.code == 1 && again.text.contains("File exists"), "\(again.text)")
        #expect(FileBytes.read(new) == bytes)
        for (arguments, code, sentence) in [
            ([source], Int32(2), "usage: majlis capture rewrite"),
            ([source, folder.path + "/a", "--from", "x"], 1, "takes a number of seconds"),
            ([source, folder.path + "/a", "--from", "3", "--until", "2"], 1, "--until is before --from"),
            ([source, folder.path + "/a", "--from", "1000"], 1, "nothing of the capture lies between"),
            ([source, folder.path + "/a", "--colour", "red"], 1, "unknown option --colour"),
            ([source, folder.path + "/none/a"], 1, "cannot write"),
            (["/nowhere", folder.path + "/a"], 1, "cannot read /nowhere"),
        ] {
            let result = try run(["capture", "rewrite"] + arguments)
            #expect(result.code == code && result.text.contains(sentence), "\(arguments): \(result.text)")
        }
        #expect(folder.names == ["new.pcapng"], "no unfinished file is left")
    }

    @Test("other settings say everywhere that they are open loop, also behind a checkpoint")
    func settings() throws {
        let folder = Folder()
        let new = folder.path + "/new.pcapng"
        let page = folder.path + "/r.html"
        #expect(
            try run(["capture", "rewrite", Self.captures + "coming-and-going.pcapng", new, "--from", "1"]).code == 0)
        let change = ["--set", "keyFrameRequestIntervalMilliseconds=4000", "--set", "audioHistoryPackets=16"]
        let text = try run(["replay", new, "--report", page] + change)
        #expect(text.code == 0 && text.text.contains("Open loop"), "\(text.text)")
        #expect(text.text.contains("audioHistoryPackets for tracks published later only"))
        let html = String(decoding: try #require(FileBytes.read(page)), as: UTF8.self)
        #expect(html.contains("Open loop"))
        let json = try run(["replay", new, "--json"] + change)
        #expect(json.text.contains("\"isOpenLoop\":true") && json.text.contains("Open loop"))
        let unknown = try run(["replay", new, "--set", "x=1"])
        #expect(unknown.code == 2)
    }

    @Test("a capture of another program, and one that is cut off, are called so")
    func foreignAndCut() throws {
        let folder = Folder()
        let sentence = "is a capture of another program: `majlis capture convert`"
        let classic = try folder.write(
            [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0] + [UInt8](repeating: 0, count: 16), "a.pcap")
        // An interface without this project's option, and a packet of it.
        let interface = Self.block(1, 20, [101, 0, 0, 0, 0, 0, 0, 0])
        let packet = Self.block(6, 32, [UInt8](repeating: 0, count: 20))
        let foreign = try folder.write(Self.bytes([]) + interface + packet, "b.pcapng")
        for path in [classic, foreign] {
            let result = try run(["replay", path])
            #expect(result.code == 2 && result.text.contains(sentence), "\(result.text)")
            let rewritten = try run(["capture", "rewrite", path, folder.path + "/new"])
            #expect(rewritten.code == 1 && rewritten.text.contains(sentence), "\(rewritten.text)")
        }
        let whole = try #require(FileBytes.read(Self.captures + "pauses.pcapng"))
        let cut = try folder.write(Array(whole.dropLast(5)), "cut.pcapng")
        let page = folder.path + "/r.html"
        let result = try run(["replay", cut, "--report", page])
        #expect(result.code == 0 && result.text.contains("the file ends within a block"), "\(result.text)")
        #expect(String(decoding: try #require(FileBytes.read(page)), as: UTF8.self).contains("\"isTruncated\":true"))
        #expect(try !run(["replay", Self.captures + "pauses.pcapng"]).text.contains("ends within"))
    }

    @Test("a report never takes the place of the capture, whatever its name is there")
    func reportOverCapture() throws {
        let folder = Folder()
        let whole = try #require(FileBytes.read(Self.captures + "pauses.pcapng"))
        let path = try folder.write(whole, "a.pcapng")
        for name in [path, folder.path + "/./a.pcapng"] {
            let result = try run(["replay", path, "--report", name])
            #expect(result.code == 2 && result.text.contains("would overwrite the capture"), "\(result.text)")
        }
        #expect(FileBytes.read(path) == whole)
        let unwritable = try run(["replay", path, "--report", folder.path + "/none/r.html"])
        #expect(unwritable.code == 2 && unwritable.text.contains("cannot write"), "\(unwritable.text)")
    }
}
