// Messages to Google's service: what is sent, what each answer means, the access token's life.
import EventLoop
import Testing
import WholeServers

@testable import Push
@testable import Tokens

struct FCMTests {
    let clock = TestClock()

    @Test func aMessageIsAsGoogleWantsIt() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        #expect(await sender.send(clock.fcm("200", seconds: 45)) == .accepted(id: "projects/test/messages/1"))
        let asked = provider.requests
        #expect(asked.map(\.path) == ["/token", "/v1/projects/test-project/messages:send"])
        struct Body: Decodable {
            struct Message: Decodable {
                struct Android: Decodable {
                    var priority: String
                    var ttl: String
                }
                var token: String
                var data: [String: String]
                var android: Android
            }
            var message: Message
        }
        let message = try #require(TokenJSON.decode(Body.self, from: Array(asked[1].body.utf8))).message
        #expect(message.token == "200" && message.data == ["call": "call-1", "caller": "Ada"])
        #expect(message.android.priority == "HIGH" && ["43s", "44s", "45s"].contains(message.android.ttl))
        #expect(asked[1].headers["authorization"] == "Bearer access-1")
        struct Claims: Decodable {
            var iss: String
            var scope: String
            var aud: String
            var iat: Int64
            var exp: Int64
        }
        let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
        #expect(asked[0].body.hasPrefix(form))
        let key = try TokenKey(pem: TestKeys.fcmPublic, algorithm: .rs256)
        let grant = try #require(claims(asked[0].body.dropFirst(form.count), Claims.self, by: key))
        #expect(grant.iss == "200#account" && grant.aud == provider.endpoint + "/token")
        #expect(grant.scope == "https://www.googleapis.com/auth/firebase.messaging" && grant.exp == grant.iat + 3_600)
        await sender.close()
        sender.stop()
    }

    @Test func eachRefusalIsWhatItMeans() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        let expected: [(String, PushOutcome)] = [
            ("404:UNREGISTERED", .tokenInvalid(since: nil)),
            ("404:NOT_FOUND:plain=1", .rejected(reason: "NOT_FOUND")),
            ("400:INVALID_ARGUMENT", .tokenInvalid(since: nil)),
            ("400:INVALID_ARGUMENT:field=message.token", .tokenInvalid(since: nil)),
            ("400:INVALID_ARGUMENT:field=message.data", .rejected(reason: "INVALID_ARGUMENT")),
            ("400:INVALID_ARGUMENT:plain=1", .rejected(reason: "INVALID_ARGUMENT")),
            ("403:SENDER_ID_MISMATCH", .rejected(reason: "SENDER_ID_MISMATCH")),
            ("401:THIRD_PARTY_AUTH_ERROR", .rejected(reason: "THIRD_PARTY_AUTH_ERROR")),
        ]
        for (steps, outcome) in expected { #expect(await sender.send(clock.fcm(steps)) == outcome, "\(steps)") }
        #expect(provider.requests(to: "/v1/").count == expected.count && provider.requests(to: "/token").count == 1)
        await sender.close()
        sender.stop()
    }

    @Test(arguments: [
        "500:INTERNAL,503:UNAVAILABLE,200", "503:UNAVAILABLE:after=1,200", "429:QUOTA_EXCEEDED:after=1,200",
        "close,200", "refuse,200", "401:plain:plain=1,200",
    ])
    func whatMayPassIsRepeated(_ steps: String) async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        let started = MonotonicClock.now
        #expect(await sender.send(clock.fcm(steps)) == .accepted(id: "projects/test/messages/1"))
        if steps.contains("after=1") { #expect(MonotonicClock.now - started >= 1_000_000_000) }
        let tokens = provider.requests(to: "/v1/").compactMap { $0.headers["authorization"] }
        // A 401 makes the access token a thing of the past, nothing else does.
        #expect(Set(tokens).count == (steps.hasPrefix("401") ? 2 : 1))
        await sender.close()
        sender.stop()
    }

    @Test func aSpentQuotaHoldsBackEveryMessage() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        // Without Retry-After a minute, which is longer than this call rings.
        let expired = PushOutcome.expired(reason: "QUOTA_EXCEEDED")
        #expect(await sender.send(clock.fcm("429:QUOTA_EXCEEDED", seconds: 50)) == expired)
        #expect(await sender.send(clock.fcm("200#other", seconds: 50)) == expired)
        #expect(provider.requests(to: "/v1/").count == 1)
        clock.advance(seconds: 61)
        #expect(await sender.send(clock.fcm("200#other", seconds: 50)) == .accepted(id: "projects/test/messages/1"))
        await sender.close()
        sender.stop()
    }

    @Test func theAccessTokenIsFetchedOnceForAllAndKept() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        func sendMany(_ round: Int) async -> Int {
            await withTaskGroup { group in
                for number in 0..<50 {
                    let message = clock.fcm("200#\(round)-\(number)")
                    group.addTask { await sender.send(message) }
                }
                return await group.reduce(into: 0) { count, outcome in
                    if case .accepted = outcome { count += 1 }
                }
            }
        }
        #expect(await sendMany(1) == 50)
        #expect(provider.requests(to: "/token").count == 1)
        clock.advance(seconds: 54 * 60)
        #expect(await sendMany(2) == 50)
        #expect(provider.requests(to: "/token").count == 1)
        // Five minutes before it expires it is old.
        clock.advance(seconds: 2 * 60)
        #expect(await sendMany(3) == 50)
        #expect(provider.requests(to: "/token").count == 2)
        await sender.close()
        sender.stop()
    }

    @Test func anAccessTokenThatCannotBeHadNowIsAskedForAgain() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        let steps = "500:internal,503:unavailable,close,200"
        try await sender.open(PushConfiguration(at: provider.endpoint, tokenSteps: steps))
        #expect(await sender.send(clock.fcm("200")) == .accepted(id: "projects/test/messages/1"))
        #expect(provider.requests(to: "/token").count == 4)
        await sender.close()
        sender.stop()
    }

    @Test func anAccountThatIsRefusedIsNotAskedForWithEveryMessage() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        let steps = "400:invalid_grant,200"
        try await sender.open(PushConfiguration(at: provider.endpoint, tokenSteps: steps))
        let refused = PushOutcome.rejected(reason: "access token: invalid_grant")
        for number in 0..<5 { #expect(await sender.send(clock.fcm("200#\(number)")) == refused) }
        #expect(provider.requests.count == 1)
        clock.advance(seconds: 31)
        #expect(await sender.send(clock.fcm("200")) == .accepted(id: "projects/test/messages/1"))
        await sender.close()
        sender.stop()
    }

    @Test func theKeyFileOfAServiceAccountIsRead() throws {
        let json = """
            {"type": "service_account", "project_id": "p-1", "private_key_id": "k", "private_key": "PEM",
             "client_email": "a@b.example", "token_uri": "https://token.example/x", "universe_domain": "example"}
            """
        let configuration = try FCMConfiguration(serviceAccount: Array(json.utf8))
        #expect(configuration.projectID == "p-1" && configuration.clientEmail == "a@b.example")
        #expect(configuration.privateKeyID == "k" && configuration.tokenEndpoint == "https://token.example/x")
        #expect(throws: PushError.malformedServiceAccount) {
            _ = try FCMConfiguration(serviceAccount: Array("{}".utf8))
        }
    }
}
