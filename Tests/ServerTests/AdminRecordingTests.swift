// The operators' interface with the real worker behind it: recordings that are files, from the request to the last byte.
import Bots
import Captures
import EventLoop
import Glibc
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("Recordings asked for by operators", .serialized)
struct AdminRecordingTests {
    /// Whether this tree's media worker records; the interface itself is tested without it.
    static let workerRecords = hasFile("/Sources/Server/Media/MediaTurn+Captures.swift")
    static let workerExplains = hasFile("/Sources/Server/Media/RoomExplanation.swift")

    private static func hasFile(_ path: String) -> Bool {
        FileBytes.read(ExternalCaptures.packageRoot + path) != nil
    }

    /// A server with a captures folder of its own, and somebody who is connected and talks.
    private func withTalk(body: (AdminScene, NativeClient) throws -> Void) throws {
        var template = Array("/tmp/majlis-admin-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer {
            let removal = ChildProcess("/bin/rm", ["-rf", folder])
            #expect(removal?.exitCode() == 0)
        }
        let scene = try AdminScene {
            $0.captures.folder = folder + "/captures"
            $0.captures.flightFolder = folder + "/flight"
        }
        defer { scene.stop() }
        scene.door.state.withLock { $0.mode = .through }
        let amina = try scene.person("amina")
        #expect(amina.waitUntilConnected())
        try body(scene, amina)
    }

    /// The value of a string field of an answer.
    private func field(_ name: String, _ text: String) -> String? {
        guard let start = text.firstRange(of: "\"\(name)\":\"")?.upperBound else { return nil }
        return String(text[start...].prefix { $0 != "\"" })
    }

    private func talk(_ person: NativeClient, until condition: () -> Bool) -> Bool {
        var timestamp: UInt32 = 0
        return Deadline.wait(seconds: 20) {
            timestamp &+= 960
            person.send(
                audio: true, timestamp: timestamp, payload: Array("SPOKENWORDS".utf8) + [UInt8](repeating: 1, count: 90)
            )
            return condition()
        }
    }

    @Test(
        "headers and whole: begun, told, over by time and by request; the file holds what it should",
        .enabled(if: workerRecords, "the media worker does not record"), arguments: ["headers", "whole"])
    func recording(_ payload: String) throws {
        try withTalk { scene, amina in
            let isWhole = payload == "whole"
            let started = try scene.ask(
                "POST", "/v1/rooms/test/captures", body: "{\"seconds\":1,\"payload\":\"\(payload)\"}",
                canRecord: isWhole)
            #expect(started.status == 201, "\(started.text)")
            let path = try #require(field("path", started.text))
            let on = try amina.signalling.wait { if case .recording(let told) = $0 { told } else { nil } }
            #expect(on.state == .on && on.payload.rawValue == payload)
            let isOver = talk(amina) {
                (try? scene.ask("GET", "/v1/rooms/test").text.contains("\"lastRecording\":{")) == true
            }
            #expect(isOver)
            let off = try amina.signalling.wait { if case .recording(let told) = $0 { told } else { nil } }
            #expect(off.state == .off && off.version == on.version + 1)
            let room = try scene.ask("GET", "/v1/rooms/test").text
            #expect(field("reason", room) == "time" && room.contains("\"path\":\"\(path)\""))
            let bytes = try #require(FileBytes.read(path))
            #expect(room.contains("\"bytes\":\(bytes.count),"))
            #expect((bytes.firstRange(of: Array("SPOKENWORDS".utf8)) != nil) == isWhole)
            var reader = try CaptureReader(bytes)
            var packets = 0
            while let event = try reader.next() {
                switch event {
                case .rtp, .cut: packets += 1
                default: break
                }
            }
            #expect(packets > 0 && !reader.isTruncated)

            let second = try scene.ask("POST", "/v1/rooms/test/captures", body: "{\"seconds\":600}")
            #expect(second.status == 201)
            #expect(try scene.ask("POST", "/v1/rooms/test/captures").status == 409)
            let ended = try scene.ask("DELETE", "/v1/rooms/test/captures")
            #expect(ended.status == 200 && field("reason", ended.text) == "stopped", "\(ended.text)")
            #expect(field("path", ended.text) == field("path", second.text))
        }
    }

    @Test("the flight recorder's file is there", .enabled(if: workerRecords, "the media worker does not record"))
    func flight() throws {
        try withTalk { scene, amina in
            var kept: HTTPAnswer?
            let isKept = talk(amina) {
                kept = try? scene.ask("POST", "/v1/rooms/test/flight")
                return kept?.status != 409
            }
            let answer = try #require(kept)
            #expect(isKept && answer.status == 201, "\(answer.text)")
            let path = try #require(field("path", answer.text))
            let bytes = try #require(FileBytes.read(path))
            #expect(bytes.count > 100 && bytes.firstRange(of: Array("SPOKENWORDS".utf8)) == nil)
        }
    }

    @Test(
        "a folder that cannot be written to: a sentence, and the room goes on",
        .enabled(if: workerRecords, "the media worker does not record"))
    func unwritable() throws {
        let scene = try AdminScene { $0.captures.folder = "/proc/nowhere" }
        defer { scene.stop() }
        scene.door.state.withLock { $0.mode = .through }
        let amina = try scene.person("amina")
        let answer = try scene.ask("POST", "/v1/rooms/test/captures")
        #expect([503, 507].contains(answer.status), "\(answer.text)")
        #expect(try scene.ask("GET", "/v1/rooms/test").text.contains("\"recording\":null"))
        #expect(try amina.signalling.ask(.mute(.init(mid: "0", muted: true))) == .ok(.init()))
    }

    @Test("a real room's decisions are explained", .enabled(if: workerExplains, "the media worker does not explain"))
    func explained() throws {
        try withTalk { scene, amina in
            let budi = try scene.person("budi")
            #expect(budi.waitUntilConnected())
            let isExplained = talk(amina) {
                (try? scene.ask("GET", "/v1/rooms/test/explain").text.contains("\"sentence\":")) == true
            }
            #expect(isExplained)
        }
    }
}
