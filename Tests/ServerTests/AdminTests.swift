// The operators' HTTP interface over real sockets: every status, tokens without the grant, requests that are wrong, slow or
// many, and what people in the room are told.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import Tokens
import WholeServers

@testable import Server

@Suite("The operators' interface", .serialized)
struct AdminTests {
    private func withScene(
        _ change: (inout Configuration) -> Void = { _ in }, body: (AdminScene) throws -> Void
    ) throws {
        let scene = try AdminScene(change)
        defer { scene.stop() }
        try body(scene)
    }

    private func recording(_ person: NativeClient) throws -> ServerMessage.Recording {
        try person.signalling.wait { if case .recording(let recording) = $0 { recording } else { nil } }
    }

    @Test("rooms are listed and looked into; one that is not there is 404")
    func rooms() throws {
        try withScene { scene in
            #expect(try scene.ask("GET", "/v1/rooms").text == "{\"rooms\":[]}\n")
            let amina = try scene.person("amina")
            try scene.person("budi")
            try scene.person("carol", in: "a/b c%é")
            let list = try scene.ask("GET", "/v1/rooms")
            #expect(list.status == 200 && list.headers["content-type"] == "application/json")
            #expect(
                list.text
                    == "{\"rooms\":[{\"name\":\"a/b c%é\",\"people\":1,\"recording\":null,\"version\":1,\"worker\":0},"
                    + "{\"name\":\"test\",\"people\":2,\"recording\":null,\"version\":2,\"worker\":0}]}\n")
            #expect(amina.waitUntilConnected())
            let room = try scene.ask("GET", "/v1/rooms/test")
            #expect(room.status == 200)
            #expect(room.text.contains("\"user\":\"amina\"") && room.text.contains("\"transport\":\"connected\""))
            #expect(room.text.contains("\"source\":\"camera\"") && room.text.contains("\"lastRecording\":null"))
            #expect(try scene.ask("GET", "/v1/rooms/a%2Fb%20c%25%C3%A9").text.contains("\"user\":\"carol\""))
            #expect(try scene.ask("HEAD", "/v1/rooms").text == "")
            for target in [
                "/v1/rooms/nobody", "/v1/rooms/test%01", "/v1/rooms/%ff", "/v1/rooms/TEST", "/v1/rooms/test/",
                "/v1/rooms/x/y",
            ] {
                #expect([400, 404].contains(try scene.ask("GET", target).status), "\(target)")
            }
            #expect(try scene.ask("GET", "/v1/rooms/nobody").text.contains("\"code\":\"noRoom\""))
            let long = String(repeating: "x", count: 129)
            #expect(try scene.ask("GET", "/v1/rooms/" + long).status == 400)
            #expect(try scene.ask("GET", "/v1/rooms/" + String(long.dropFirst())).status == 404)
            #expect(try scene.ask("GET", "/v1/rooms?x=1").status == 400)
        }
    }

    @Test("no token, a bad one, one without the grant, one for another room")
    func tokens() throws {
        try withScene { scene in
            try scene.person("amina")
            let port = scene.server.port
            func get(_ token: String?, _ target: String = "/v1/rooms/test") throws -> HTTPAnswer {
                try #require(HTTPConversation.ask(port: port, "GET", target, token: token))
            }
            let none = try get(nil)
            #expect(none.status == 401 && none.headers["www-authenticate"] == "Bearer realm=\"majlis\"")
            let old = try get(AdminScene.token { $0.expires = WallClock.seconds - 3_600 })
            #expect(old.status == 401 && old.text.contains("token expired"))
            #expect(old.headers["www-authenticate"]?.contains("invalid_token") == true)
            #expect(try get("rubbish").status == 401)
            #expect(try get(AdminScene.token() + "x").status == 401)
            let plain = try get(TestServer.token("amina", room: "*"))
            #expect(plain.status == 403 && plain.text.contains("\"code\":\"forbidden\""))
            #expect(try get(AdminScene.token(room: "other")).status == 403)
            #expect(try get(AdminScene.token(room: "test")).status == 200)
            let list = try get(AdminScene.token(room: "other"), "/v1/rooms")
            #expect(list.status == 200 && list.text == "{\"rooms\":[]}\n")
            #expect(try get(AdminScene.token(room: "test"), "/v1/rooms").text.contains("\"name\":\"test\""))
            // Another scheme, and the scheme in other letters.
            let conversation = try #require(HTTPConversation(port: port))
            let token = try AdminScene.token()
            conversation.write("GET /v1/rooms HTTP/1.1\r\nHost: h\r\nAuthorization: Basic \(token)\r\n\r\n")
            #expect(conversation.answer()?.status == 401)
            conversation.write("GET /v1/rooms HTTP/1.1\r\nHost: h\r\nAuthorization: BEARER  \(token)\r\n\r\n")
            #expect(conversation.answer()?.status == 200)
        }
    }

    @Test("an address whose tokens are refused again and again waits a moment, and locks nobody out")
    func refusals() throws {
        try withScene { scene in
            let port = scene.server.port
            var statuses: Set<Int> = []
            for _ in 0..<40 {
                statuses.insert(HTTPConversation.ask(port: port, "GET", "/v1/rooms", token: "x.y.z")?.status ?? 0)
            }
            #expect(statuses == [401, 429])
            // A good token from the same address is taken all the same.
            let good = try scene.ask("GET", "/v1/rooms")
            #expect(good.status == 200)
            let again = HTTPConversation.ask(port: port, "GET", "/v1/rooms", token: "x.y.z")?.status
            #expect(again == 429)
            // And the failures are forgiven with time.
            let isForgiven = Deadline.wait(seconds: 15) {
                HTTPConversation.ask(port: port, "GET", "/v1/rooms", token: "x.y.z")?.status == 401
            }
            #expect(isForgiven)
        }
    }

    @Test("a recording: begun, shown to everybody, once at a time, and ended")
    func capture() throws {
        try withScene { scene in
            let amina = try scene.person("amina")
            let started = try scene.ask(
                "POST", "/v1/rooms/test/captures", body: "{\"seconds\":5,\"payload\":\"headers\"}")
            #expect(started.status == 201)
            #expect(
                started.text
                    == "{\"path\":\"/captures/room-2.pcapng\",\"payload\":\"headers\",\"seconds\":5}\n")
            #expect(try recording(amina) == .init(version: 2, state: .on, payload: .headers))
            let request = try #require(scene.door.state.withLock { $0.starts.first?.request })
            #expect(request.seconds == 5 && request.payload == .headers && request.maximumBytes == 256 << 20)
            // Whoever comes is told in the snapshot.
            let budi = try scene.person("budi")
            #expect(budi.joined?.recording == RecordingDescription(payload: .headers))
            #expect(budi.joined?.version == 3)
            #expect(try scene.ask("GET", "/v1/rooms").text.contains("\"recording\":{\"elapsedSeconds\":0,"))
            let second = try scene.ask("POST", "/v1/rooms/test/captures")
            #expect(second.status == 409 && second.text.contains("alreadyRecording"))
            let ended = try scene.ask("DELETE", "/v1/rooms/test/captures")
            #expect(ended.status == 200)
            #expect(
                ended.text
                    == "{\"bytes\":4096,\"path\":\"/captures/room-2.pcapng\",\"reason\":\"stopped\",\"refusals\":0}\n")
            #expect(try recording(amina) == .init(version: 4, state: .off, payload: .headers))
            #expect(try recording(budi).state == .off)
            #expect(try scene.ask("DELETE", "/v1/rooms/test/captures").status == 404)
            #expect(try scene.ask("GET", "/v1/rooms/test").text.contains("\"lastRecording\":{\"bytes\":4096"))
            // The defaults.
            #expect(try scene.ask("POST", "/v1/rooms/test/captures").text.contains("\"seconds\":60"))
            #expect(try recording(amina).payload == .headers)
            // One that ends by itself is told, too.
            let key = try #require(scene.door.state.withLock { $0.starts.last?.room })
            scene.door.end(key, .diskFull, failure: "No space left on device")
            #expect(try recording(amina).state == .off)
            #expect(try scene.ask("GET", "/v1/rooms/test").text.contains("No space left on device"))
        }
    }

    @Test("whole payloads need the further grant, and are shown as what they are")
    func whole() throws {
        try withScene { scene in
            let amina = try scene.person("amina")
            let refused = try scene.ask("POST", "/v1/rooms/test/captures", body: "{\"payload\":\"whole\"}")
            #expect(refused.status == 403 && refused.text.contains("canRecord"))
            let started = try scene.ask(
                "POST", "/v1/rooms/test/captures", body: "{\"payload\":\"whole\"}", canRecord: true)
            #expect(started.status == 201 && started.text.contains("\"payload\":\"whole\""))
            #expect(try recording(amina).payload == .whole)
            #expect(try scene.person("budi").joined?.recording == RecordingDescription(payload: .whole))
        }
    }

    @Test(
        "bodies that are wrong",
        arguments: [
            ("{\"seconds\":0}", 400), ("{\"seconds\":86401}", 400), ("{\"seconds\":\"60\"}", 400),
            ("{\"seconds\":1.5}", 400), ("{\"seconds\":1e99}", 400), ("{\"payload\":\"all\"}", 400),
            ("{\"payload\":7}", 400), ("{\"second\":7}", 400), ("[]", 400), ("7", 400), ("{", 400), ("{}}", 400),
            ("{\"seconds\":5,\"x\":" + String(repeating: "[", count: 30_000) + "}", 400), ("\u{0}{}", 400),
            ("nonsense", 400), (" {} ", 201), ("{\"seconds\":null}", 201),
        ])
    func bodies(_ body: String, _ status: Int) throws {
        try withScene { scene in
            try scene.person("amina")
            let answer = try scene.ask("POST", "/v1/rooms/test/captures", body: body)
            #expect(answer.status == status, "\(body.prefix(40)): \(answer.text)")
            if status == 400 { #expect(answer.text.hasPrefix("{\"code\":\"")) }
            #expect(try scene.ask("GET", "/v1/rooms").status == 200)
        }
    }

    @Test("requests that are wrong in their heads")
    func heads() throws {
        try withScene { scene in
            try scene.person("amina")
            let path = "/v1/rooms/test/captures"
            #expect(try scene.ask("POST", path, body: "{}", type: "text/plain").status == 415)
            #expect(try scene.ask("POST", path, body: "{}", type: nil).status == 415)
            #expect(try scene.ask("POST", path, body: String(repeating: " ", count: 65_537)).status == 413)
            for (method, target) in [
                ("POST", "/v1/rooms"), ("DELETE", "/v1/rooms/test"), ("GET", path), ("PUT", path), ("PATCH", path),
                ("GET", "/v1/rooms/test/flight"), ("POST", "/v1/rooms/test/explain"), ("OPTIONS", path),
            ] {
                let answer = try scene.ask(method, target)
                #expect(answer.status == 405 && answer.headers["allow"] != nil, "\(method) \(target)")
            }
            let chunked = try #require(HTTPConversation(port: scene.server.port))
            chunked.write("POST \(path) HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            #expect(chunked.answer()?.status == 411)
            #expect(scene.door.state.withLock { $0.starts.isEmpty })
        }
    }

    @Test("strangers cannot keep operators waiting by slow bodies: theirs are not read")
    func strangers() throws {
        try withScene { scene in
            try scene.person("amina")
            let head = "POST /v1/rooms/test/captures HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n"
            let plain = try TestServer.token("amina", room: "*")
            let strangers = try (0..<70).map { number in
                let stranger = try #require(HTTPConversation(port: scene.server.port))
                stranger.write(head + (number == 0 ? "Authorization: Bearer \(plain)\r\n\r\n{" : "\r\n{"))
                return stranger
            }
            for (number, stranger) in strangers.enumerated() {
                #expect(stranger.answer()?.status == (number == 0 ? 403 : 401))
            }
            #expect(try scene.ask("POST", "/v1/rooms/test/captures", body: "{}").status == 201)
        }
    }

    @Test("an operator's body that does not come is given up")
    func slowBody() throws {
        try withScene { scene in
            let slow = try #require(HTTPConversation(port: scene.server.port, seconds: 30))
            slow.write(
                "POST /v1/rooms/test/captures HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(try AdminScene.token())\r\n"
                    + "Content-Length: 10\r\n\r\n{")
            #expect(slow.answer()?.status == 408)
        }
    }

    @Test("a worker that does not answer: 504, and its answer that comes later still counts")
    func silent() throws {
        try withScene { scene in
            let amina = try scene.person("amina")
            scene.door.state.withLock { $0.mode = .silent }
            let waiting = try [
                ("POST", "/v1/rooms/test/captures"), ("POST", "/v1/rooms/test/flight"),
                ("GET", "/v1/rooms/test/explain"), ("GET", "/v1/rooms/test/explain?after=7"),
            ].map { method, target in
                let conversation = try #require(HTTPConversation(port: scene.server.port))
                conversation.ask(method, target, token: try AdminScene.token())
                return conversation
            }
            #expect(Deadline.wait(seconds: 5) { scene.door.state.withLock { $0.starts.count } == 1 })
            #expect(try scene.ask("GET", "/v1/rooms/test").text.contains("\"state\":\"starting\""))
            #expect(try scene.ask("POST", "/v1/rooms/test/captures").status == 409)
            for conversation in waiting {
                let answer = try #require(conversation.answer())
                #expect(answer.status == 504 && answer.text.contains("noAnswer"))
            }
            #expect(try scene.ask("GET", "/v1/rooms/test").text.contains("\"recording\":null"))
            let (key, request) = try #require(scene.door.state.withLock { $0.starts.first })
            scene.door.start(key, request.request)
            #expect(try recording(amina).state == .on)
            scene.door.state.withLock { $0.mode = .answers }
            #expect(try scene.ask("DELETE", "/v1/rooms/test/captures").status == 200)
        }
    }

    @Test(
        "what a worker refuses has its status",
        arguments: [
            ("alreadyRecording", 409), ("diskFull", 507), ("tooSoon", 429), ("unwritable", 503), ("unknownRoom", 404),
            ("noFlightRecorder", 409),
        ])
    func refusedByWorker(_ code: String, _ status: Int) throws {
        try withScene { scene in
            try scene.person("amina")
            scene.door.state.withLock { $0.mode = .refuses(CaptureRefusal(code: code, message: "No.")) }
            for part in ["captures", "flight"] {
                let answer = try scene.ask("POST", "/v1/rooms/test/\(part)")
                #expect(answer.status == status, "\(answer.text)")
                #expect(answer.text == "{\"code\":\"\(code)\",\"message\":\"No.\"}\n")
            }
            #expect(try scene.ask("GET", "/v1/rooms/test").text.contains("\"recording\":null"))
        }
    }

    @Test("the flight recorder is kept")
    func flight() throws {
        try withScene { scene in
            try scene.person("amina")
            let kept = try scene.ask("POST", "/v1/rooms/test/flight")
            #expect(kept.status == 201 && kept.text == "{\"path\":\"/captures/flight.pcapng\"}\n")
        }
    }

    @Test("explanations: the newest unless told, a page from a number on, and the limits")
    func explain() throws {
        try withScene { scene in
            try scene.person("amina")
            scene.door.state.withLock { ($0.decisions, $0.forgotten) = (5_000, 3_976) }
            let newest = try scene.ask("GET", "/v1/rooms/test/explain")
            #expect(newest.status == 200)
            #expect(
                scene.door.state.withLock { $0.explains.last.map { [$0.after, UInt64($0.limit)] } } == [4_800, 200])
            #expect(newest.text.contains("\"number\":4801,") && newest.text.contains("\"number\":5000,"))
            #expect(newest.text.hasSuffix("\"forgotten\":0,\"next\":5001}\n"))
            let page = try scene.ask("GET", "/v1/rooms/test/explain?after=3970&limit=2")
            #expect(
                page.text
                    == "{\"drops\":[],\"entries\":[{\"name\":\"switched\",\"number\":3977,\"peer\":\"p2\",\"seconds\":994.25,"
                    + "\"sentence\":\"decision 3977\"},{\"name\":\"switched\",\"number\":3978,\"peer\":\"p2\","
                    + "\"seconds\":994.5,\"sentence\":\"decision 3978\"}],\"forgotten\":6,\"next\":5001}\n")
            for query in [
                "limit=0", "limit=1001", "limit=x", "after=-1", "after=99999999999999999999", "other=1", "after",
            ] {
                #expect(try scene.ask("GET", "/v1/rooms/test/explain?" + query).status == 400, "\(query)")
            }
            #expect(try scene.ask("GET", "/v1/rooms/nobody/explain").status == 404)
            scene.door.state.withLock { ($0.decisions, $0.forgotten) = (0, 0) }
            #expect(
                try scene.ask("GET", "/v1/rooms/test/explain").text
                    == "{\"drops\":[],\"entries\":[],\"forgotten\":0,\"next\":1}\n")
        }
    }

    @Test("a room that closes while somebody waits for its worker: 404")
    func roomCloses() throws {
        try withScene { scene in
            let amina = try scene.person("amina")
            scene.door.state.withLock { $0.mode = .silent }
            let conversation = try #require(HTTPConversation(port: scene.server.port))
            conversation.ask("POST", "/v1/rooms/test/captures", token: try AdminScene.token())
            #expect(Deadline.wait(seconds: 5) { scene.door.state.withLock { $0.starts.count } == 1 })
            #expect(try amina.signalling.ask(.leave) == .left)
            #expect(try #require(conversation.answer()).status == 404)
        }
    }

    @Test("two hundred requests at once, each answered; clients that go before theirs leave nothing behind")
    func many() throws {
        try withScene { scene in
            try scene.person("amina")
            let token = try AdminScene.token()
            var conversations: [HTTPConversation] = []
            for number in 0..<200 {
                let conversation = try #require(HTTPConversation(port: scene.server.port))
                let target = ["/v1/rooms", "/v1/rooms/test", "/v1/rooms/test/explain", "/v1/rooms/nobody"][number % 4]
                conversation.ask("GET", target, token: token)
                conversations.append(conversation)
            }
            for (number, conversation) in conversations.enumerated() {
                let status = conversation.answer()?.status
                #expect(status == (number % 4 == 3 ? 404 : 200) || status == 429, "\(number)")
            }
            conversations = []
            scene.door.state.withLock { $0.mode = .silent }
            for _ in 0..<50 {
                let conversation = try #require(HTTPConversation(port: scene.server.port))
                conversation.ask("POST", "/v1/rooms/test/flight", token: token)
            }
            scene.door.state.withLock { $0.mode = .answers }
            let isFree = Deadline.wait(seconds: 15) { (try? scene.ask("POST", "/v1/rooms/test/flight").status) == 201 }
            #expect(isFree)
        }
    }

    @Test("a server that shuts down while operators wait ends cleanly")
    func shutdown() throws {
        let scene = try AdminScene()
        try scene.person("amina")
        scene.door.state.withLock { $0.mode = .silent }
        let conversation = try #require(HTTPConversation(port: scene.server.port))
        conversation.ask("POST", "/v1/rooms/test/captures", token: try AdminScene.token())
        #expect(Deadline.wait(seconds: 5) { scene.door.state.withLock { $0.starts.count } == 1 })
        scene.stop()
        let status = conversation.answer()?.status
        #expect(status == nil || status == 504)
    }
}
