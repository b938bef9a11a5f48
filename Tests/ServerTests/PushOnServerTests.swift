// Waking devices, on a whole server in a process of its own: the push services are a server of the test's that answers by their
// rules.
import Bots
import FoundationEssentials
import Signalling
import TestSupport
import Testing
import Tokens
import WholeServers

@testable import Server

@Suite("Push on a whole server", .serialized)
struct PushOnServerTests {
    /// The service, and a server that uses it.
    final class Scene {
        let service: PushService
        let server: ChildServer
        private let folder = ServerFolder()

        init(_ options: [String] = []) throws {
            service = try PushService()
            _ = (PushKeys.apns, PushKeys.fcm)
            let account = try JSONEncoder().encode([
                "client_email": "200#account", "private_key": PushKeys.fcm, "private_key_id": "key-1",
                "project_id": "test-project", "token_uri": service.endpoint + "/token",
            ])
            folder.write(String(decoding: account, as: UTF8.self), to: "account.json")
            server = try ChildServer(
                [
                    "--push.apnsKeyFile", PushKeys.folder + "/apns.pem", "--push.apnsKeyID", "KEY1234567",
                    "--push.apnsTeamID", "TEAM123456", "--push.apnsBundleID", "org.example.app", "--push.apnsEndpoint",
                    service.endpoint, "--push.apnsSandboxEndpoint", service.endpoint, "--push.fcmServiceAccountFile",
                    folder.path + "/account.json", "--push.fcmEndpoint", service.endpoint, "--push.authorityFile",
                    PushKeys.certificate.certificate, "--calls.pairSeconds", "0",
                ] + options)
        }

        /// Somebody whose phone is registered with a token that is answered by these steps, and is not connected.
        func sleeper(_ user: String, _ provider: AccountCommand.Push.Provider, _ steps: String) throws {
            let client = try SignallingClient.forCalls(user, port: server.port)
            let token = provider == .apns ? PushService.appleToken(steps) : steps
            #expect(try client.does(.push(.init(provider: provider, token: token))))
            client.socket.abort()
            #expect(
                Deadline.wait(seconds: 10) {
                    (try? ToldUser(user, port: server.port))?.devices.contains { $0.connected } == false
                })
        }

        func outcome(_ name: String) -> Int {
            metric("push_messages_total{outcome=\"\(name)\"}", port: server.port) ?? 0
        }
    }

    /// The fields of a message of Google's.
    private struct Message: Decodable {
        struct Body: Decodable {
            var token: String
            var data: [String: String]
        }
        var message: Body
    }

    @Test("A device that is not connected is woken, connects, finds the call that rings, and answers it")
    func wakes() throws {
        let scene = try Scene()
        defer { #expect(scene.server.stop() == 0) }
        try scene.sleeper("budi", .apns, "200#budi")
        let ada = try SignallingClient.forCalls("ada", port: scene.server.port)
        let call = try ada.invite("budi", media: .video).call
        #expect(scene.service.isAsked(1))
        let request = try #require(scene.service.requests.first)
        #expect(request.path == "/3/device/" + PushService.appleToken("200#budi"))
        #expect(request.headers["apns-topic"] == "org.example.app.voip")
        #expect(request.headers["apns-collapse-id"] == call.text)
        let data = try JSONDecoder().decode([String: Either].self, from: Data(request.body.utf8))
        #expect(data["call"]?.text == call.text && data["caller"]?.text == "ada" && data["media"]?.text == "video")
        // Nobody rings yet, as far as the caller is told.
        #expect(ada.seen.isEmpty)

        let phone = try SignallingClient.forCalls("budi", port: scene.server.port)
        let told = try phone.incoming()
        #expect(told.call == call && told.from.id == "ada" && told.ringMilliseconds > 0)
        #expect(try ada.next { if case .ringing(let call) = $0 { call } else { nil } } == call)
        #expect(try phone.accept(call).call == call)
        #expect(try ada.accepted().user.id == "budi")
        #expect(try ada.does(.hangup(call)))
        #expect(try phone.ended().reason == .hungUp)
        #expect(scene.outcome("accepted") == 1 && scene.service.requests.count == 1)
        #expect(metric("push_requests_total", port: scene.server.port) == 1)
        // Connected, it is not woken.
        _ = try ada.invite("budi")
        _ = try phone.incoming()
        #expect(try phone.does(.signOut))
        #expect(scene.service.requests.count == 1)
        #expect(try ToldUser("budi", port: scene.server.port).devices.isEmpty)
        for secret in [PushService.appleToken("200#budi"), "200#account", "PRIVATE KEY"] {
            #expect(!scene.server.logged.contains(secret))
        }
    }

    @Test(
        "A device whose application was suspended behind an open socket does not acknowledge that it rings, and is woken"
    )
    func suspended() throws {
        let scene = try Scene()
        defer { #expect(scene.server.stop() == 0) }
        let awake = try SignallingClient.forCalls("budi", port: scene.server.port, device: "tablet")
        #expect(try awake.does(.push(.init(provider: .fcm, token: "200#tablet"))))
        let suspended = try SignallingClient.forCalls("budi", port: scene.server.port)
        let token = PushService.appleToken("200#phone")
        #expect(try suspended.does(.push(.init(provider: .apns, token: token))))
        let ada = try SignallingClient.forCalls("ada", port: scene.server.port)
        let call = try ada.invite("budi").call
        #expect(try awake.incoming().call == call)
        awake.acknowledge()
        #expect(Deadline.wait(seconds: 15) { scene.outcome("accepted") == 1 })
        #expect(scene.service.requests.map(\.path) == ["/3/device/" + token])
        // It comes back on a new connection.
        let back = try SignallingClient.forCalls("budi", port: scene.server.port)
        #expect(try back.incoming().call == call && back.accept(call).call == call)
        #expect(try ada.does(.hangup(call)))
        #expect(scene.service.requests.count == 1)
    }

    /// A text, or something else.
    private struct Either: Decodable {
        var text: String?
        init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
    }

    @Test("Each answer is what it means: tokens that are none any more are forgotten, and no other")
    func answers() throws {
        let scene = try Scene(["--calls.ringSeconds", "5"])
        defer { #expect(scene.server.stop() == 0) }
        let cases: [(AccountCommand.Push.Provider, steps: String, outcome: String, isKept: Bool)] = [
            (.apns, "200", "accepted", true),
            (.apns, "410:Unregistered:timestamp=99999999999999", "tokenInvalid", false),
            // It was registered anew since.
            (.apns, "410:Unregistered:timestamp=1000", "tokenInvalid", true),
            (.apns, "400:BadDeviceToken", "tokenInvalid", false),
            (.apns, "403:InvalidProviderToken", "rejected", true),
            (.apns, "429:TooManyRequests,200", "accepted", true),
            (.apns, "500:InternalServerError,200", "accepted", true),
            (.apns, "close,200", "accepted", true),
            (.apns, "slow", "expired", true),
            (.fcm, "200", "accepted", true),
            (.fcm, "404:UNREGISTERED", "tokenInvalid", false),
            (.fcm, "403:SENDER_ID_MISMATCH", "rejected", true),
            (.fcm, "500:INTERNAL,200", "accepted", true),
            (.fcm, "401:plain:plain=1,200", "accepted", true),
            // A spent quota holds back all that follows: the last.
            (.fcm, "429:QUOTA_EXCEEDED", "expired", true),
        ]
        for (number, expected) in cases.enumerated() {
            let user = "user-\(number)"
            let token = expected.steps + "#secret-\(number)"
            try scene.sleeper(user, expected.0, token)
            #expect(try ToldUser(user, port: scene.server.port).tokens == 1)
            let before = scene.outcome(expected.outcome)
            let caller = try SignallingClient.forCalls("caller-\(number)", port: scene.server.port)
            let call = try caller.invite(user).call
            #expect(
                Deadline.wait(seconds: 15) { scene.outcome(expected.outcome) > before }, "\(expected): no such outcome")
            let isThere = expected.isKept ? 1 : 0
            #expect(
                Deadline.wait(seconds: 5) { (try? ToldUser(user, port: scene.server.port))?.tokens == isThere },
                "\(expected): kept or not")
            // The call is not the worse for it.
            #expect(try caller.does(.hangup(call)), "\(expected)")
            #expect(!scene.server.logged.contains(token), "\(expected)")
            #expect(!scene.server.logged.contains(PushService.appleToken(token)), "\(expected)")
        }
        #expect(metric("store_failures_total", port: scene.server.port) == 0)
    }

    @Test("A call that is over wakes nobody any more, and Google's devices that were woken are told")
    func stops() throws {
        let scene = try Scene()
        defer { #expect(scene.server.stop() == 0) }
        try scene.sleeper("budi", .fcm, "200#budi")
        let ada = try SignallingClient.forCalls("ada", port: scene.server.port)
        let call = try ada.invite("budi").call
        #expect(Deadline.wait(seconds: 15) { scene.outcome("accepted") == 1 })
        #expect(try ada.does(.cancel(call)))
        #expect(Deadline.wait(seconds: 15) { scene.outcome("accepted") == 2 })
        let messages = try scene.service.requests(to: "/v1/").map {
            try JSONDecoder().decode(Message.self, from: Data($0.body.utf8)).message
        }
        #expect(messages.map { $0.data["type"] } == ["call.incoming", "call.stopped"])
        #expect(messages.allSatisfy { $0.token == "200#budi" && $0.data["call"] == call.text })
        // A token is one device's: who signs in on it later takes it along.
        try scene.sleeper("carol", .fcm, "200#budi")
        #expect(try ToldUser("budi", port: scene.server.port).tokens == 0)
        // And a device has one of each service.
        try scene.sleeper("carol", .fcm, "200#newer")
        #expect(try ToldUser("carol", port: scene.server.port).tokens == 1)
        // However many tabs of browsers there were since, the phone is not forgotten for them.
        for number in 0..<40 {
            let tab = try SignallingClient.forCalls("carol", port: scene.server.port, device: "tab-\(number)")
            _ = try tab.toldMissed()
            tab.socket.abort()
        }
        // Where another device has to go for it, the last one is written down a few turns of the store later than it is signed in.
        let isKept = Deadline.wait(seconds: 10) {
            guard let carol = try? ToldUser("carol", port: scene.server.port) else { return false }
            return carol.devices.count == 32 && carol.devices.contains { $0.device == "tab-39" }
        }
        #expect(isKept)
        #expect(try ToldUser("carol", port: scene.server.port).tokens == 1)
        // Nor do many that sign in at once take each other's places.
        let tabs = try (0..<40).map { _ in try SignallingClient(port: scene.server.port) }
        for (number, tab) in tabs.enumerated() {
            let token = try TestServer.token("dora") { $0.calls = true }
            tab.send(ClientFrame(id: CommandID(0), .hello(.init(token: token, device: "tab-\(number)"))))
            tab.socket.abort()
        }
        #expect(
            Deadline.wait(seconds: 10) {
                (try? ToldUser("dora", port: scene.server.port))?.devices.count == 32
            })
        #expect(metric("store_failures_total", port: scene.server.port) == 0)
    }

    @Test("What cannot be used is said before the server starts, without a key in it")
    func refused() throws {
        let folder = ServerFolder()
        folder.write("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", to: "key.pem")
        folder.write("{}", to: "account.json")
        let apns = ["--push.apnsKeyID", "K", "--push.apnsTeamID", "T", "--push.apnsBundleID", "b"]
        for (options, sentence) in [
            (["--push.apnsKeyID", "K"], "go together"),
            (apns + ["--push.apnsKeyFile", "/nonexistent"], "cannot read /nonexistent"),
            (apns + ["--push.apnsKeyFile", folder.path + "/key.pem"], "The push key for APNs cannot be used"),
            (["--push.fcmServiceAccountFile", folder.path + "/account.json"], "not a service account's key"),
        ] {
            let child = try #require(
                ChildProcess(
                    ChildProcess.command,
                    ["serve", "--port", "0", "--host", "127.0.0.1", "--storage.path", "memory"] + options,
                    environment: ["MAJLIS_TOKENS_SECRET=\(TestServer.secret)"]))
            #expect(child.exitCode() == 1)
            #expect(child.text.contains(sentence) && !child.text.contains("c2VjcmV0"), "\(child.text)")
        }
    }
}
