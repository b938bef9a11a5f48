// `majlis rooms`, `explain` and `capture start` as an operator runs them, against a server of this process.
import Bots
import EventLoop
import Glibc
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("The operators' commands", .serialized)
struct OperatorCommandTests {
    private func start(_ scene: AdminScene, _ arguments: [String], canRecord: Bool = false) throws -> ChildProcess {
        let environment = [
            "MAJLIS_SERVER=http://127.0.0.1:\(scene.server.port)",
            "MAJLIS_TOKEN=\(try AdminScene.token(canRecord: canRecord))",
        ]
        return try #require(ChildProcess(ChildProcess.command, arguments, environment: environment))
    }

    private func run(_ scene: AdminScene, _ arguments: [String], canRecord: Bool = false) throws -> (Int32?, String) {
        let child = try start(scene, arguments, canRecord: canRecord)
        let code = child.exitCode()
        return (code, child.text)
    }

    private func withScene(body: (AdminScene) throws -> Void) throws {
        let scene = try AdminScene()
        defer { scene.stop() }
        try body(scene)
    }

    @Test("rooms")
    func rooms() throws {
        try withScene { scene in
            #expect(try run(scene, ["rooms"]) == (0, "No room is open.\n"))
            try scene.person("amina")
            try scene.person("budi", in: "a/b %")
            #expect(try run(scene, ["rooms"]) == (0, "a/b %  1 person  worker 0\ntest  1 person  worker 0\n"))
        }
    }

    @Test("explain prints lines, and follows until Control-C")
    func explain() throws {
        try withScene { scene in
            try scene.person("amina", in: "a/b %")
            scene.door.state.withLock { $0.decisions = 50 }
            #expect(
                try run(scene, ["explain", "--room", "a/b %", "--limit", "2"])
                    == (0, "    12.250 s  p2: decision 49\n    12.500 s  p2: decision 50\n"))
            let child = try start(scene, ["explain", "--room", "a/b %", "--follow"])
            #expect(child.prints("decision 50\n"))
            scene.door.state.withLock { $0.decisions = 1_060 }
            #expect(child.prints("decision 1060\n"))
            scene.door.state.withLock { ($0.decisions, $0.forgotten) = (3_000, 2_000) }
            #expect(child.prints("(940 decisions are no longer there)"))
            #expect(child.prints("decision 3000\n"))
            child.signal(SIGINT)
            #expect(child.exitCode() == 0)
            #expect(child.text.components(of: "decision 1060\n") == 1)
        }
    }

    @Test("capture start waits for the end and says where the file is; Control-C ends the recording")
    func capture() throws {
        try withScene { scene in
            try scene.person("amina")
            let child = try start(scene, ["capture", "start", "--room", "test", "--seconds", "9"])
            #expect(child.prints("recording headers for 9 s into\n/captures/room-"))
            let key = try #require(scene.door.state.withLock { $0.starts.first?.room })
            #expect(try run(scene, ["capture", "start", "--room", "test"]).1.contains("recorded already"))
            scene.door.end(key, .time)
            #expect(child.exitCode() == 0)
            #expect(child.text.contains("4096 bytes in /captures/room-") && child.text.contains("its time is over"))

            let second = try start(
                scene, ["capture", "start", "--room", "test", "--payload", "whole"], canRecord: true)
            #expect(second.prints("recording everything for 60 s"))
            second.signal(SIGINT)
            #expect(second.exitCode() == 0)
            #expect(second.text.contains("it was ended"))
            #expect(scene.door.state.withLock { $0.running.isEmpty })

            let third = try start(scene, ["capture", "start", "--room", "test"])
            #expect(third.prints("recording headers"))
            scene.door.end(key, .diskFull, failure: "No space left on device")
            #expect(third.exitCode() == 1)
            #expect(third.text.contains("disk is full"))

            let fourth = try start(scene, ["capture", "start", "--room", "test"])
            #expect(fourth.prints("recording headers"))
            let (code, text) = try run(scene, ["capture", "stop", "--room", "test"])
            #expect(code == 0 && text.contains("it was ended"))
            #expect(fourth.exitCode() == 0)
            #expect(try run(scene, ["capture", "stop", "--room", "test"]).0 == 1)
            #expect(try run(scene, ["capture", "keep", "--room", "test"]) == (0, "/captures/flight.pcapng\n"))
        }
    }

    @Test("refused, unreachable and wrongly used: exit codes 1 and 2, one line each")
    func failures() throws {
        try withScene { scene in
            try scene.person("amina")
            for (arguments, code, sentence) in [
                (["capture", "start", "--room", "test", "--payload", "whole"], 1, "canRecord"),
                (["capture", "start", "--room", "nobody"], 1, "no such room"),
                (["rooms", "--token", "x"], 1, "token was refused"),
                (["rooms", "--server", "http://127.0.0.1:1"], 1, "cannot be reached"),
                (["rooms", "--server", "https://127.0.0.1:\(scene.server.port)"], 1, "cannot be reached"),
                (["rooms", "--server", "nonsense"], 2, "not the address of a server"),
                (["rooms", "--frob", "1"], 2, "unknown option --frob"),
                (["rooms", "extra"], 2, "options only"),
                (["rooms", "--token"], 2, "--token needs a value"),
                (["capture", "start"], 2, "--room ROOM is needed"),
                (["capture", "start", "--room", "test", "--seconds", "0"], 2, "from 1 to 86400"),
                (["capture", "start", "--room", "test", "--payload", "all"], 2, "headers or whole"),
                (["capture", "stop", "--room", "test", "--seconds", "3"], 2, "unknown option --seconds"),
                (["explain", "--room", "test", "more"], 2, "one word too many"),
            ] {
                let (got, text) = try run(scene, arguments)
                #expect(got == Int32(code), "\(arguments): \(text)")
                #expect(text.contains(sentence), "\(arguments): \(text)")
                #expect(text.split(separator: "\n").count == 1, "\(arguments): \(text)")
            }
            let none = try #require(ChildProcess(ChildProcess.command, ["rooms"], environment: []))
            #expect(none.exitCode() == 2 && none.text.contains("MAJLIS_TOKEN"))
            for arguments in [["rooms", "--help"], ["explain", "--help"], ["capture", "start", "--help"]] {
                let (code, text) = try run(scene, arguments)
                #expect(code == 0 && text.contains("--server URL"))
            }
        }
    }

    @Test("the line that `serve --dev` prints opens its rooms")
    func development() throws {
        let server = try #require(
            ChildProcess(ChildProcess.command, ["serve", "--dev", "--port", "0"], environment: []))
        #expect(server.prints("MAJLIS_TOKEN=ey") && server.prints("\n", seconds: 5), "\(server.text)")
        let line = try #require(server.text.split(separator: "\n").first { $0.contains("MAJLIS_TOKEN=") })
        let variables = line.split(separator: " ").dropFirst().map(String.init)
        #expect(variables.count == 2)
        let child = try #require(ChildProcess(ChildProcess.command, ["rooms"], environment: variables))
        #expect(child.exitCode() == 0 && child.text == "No room is open.\n", "\(child.text)")
        server.signal(SIGTERM)
        #expect(server.exitCode() == 0)
    }

    @Test("a token made by `majlis token --admin` lets its bearer in, to what it names")
    func token() throws {
        try withScene { scene in
            try scene.person("amina")
            func token(_ options: [String]) throws -> String {
                let child = try #require(
                    ChildProcess(
                        ChildProcess.command, ["token", "--admin"] + options,
                        environment: ["MAJLIS_TOKENS_SECRET=\(TestServer.secret)"]))
                #expect(child.exitCode() == 0)
                return String(child.text.dropLast())
            }
            func post(_ token: String, _ body: String) -> Int? {
                HTTPConversation.ask(
                    port: scene.server.port, "POST", "/v1/rooms/test/captures", token: token, body: body)?.status
            }
            #expect(post(try token([]), "{\"payload\":\"whole\"}") == 403)
            #expect(post(try token(["--room", "other", "--can-record"]), "{}") == 403)
            #expect(post(try token(["--room", "test", "--can-record"]), "{\"payload\":\"whole\"}") == 201)
            #expect(try run(scene, ["token", "--can-record", "--room", "r", "--user", "u"]).0 == 1)
        }
    }
}

extension String {
    /// How often a text appears.
    fileprivate func components(of text: String) -> Int { self.ranges(of: text).count }
}
