// Messages to Apple's service: what is sent, what each answer means, the provider token's life.
import EventLoop
import TestSupport
import Testing
import WholeServers

@testable import Push
@testable import Tokens

/// The claims of a token whose signature is right; nil otherwise.
func claims<Claims: Decodable>(_ token: some StringProtocol, _ kind: Claims.Type, by key: TokenKey) -> Claims? {
    let parts = token.split(separator: ".")
    guard parts.count == 3, let signature = Base64URL.decode(parts[2].utf8),
        key.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8))
    else { return nil }
    return Base64URL.decode(parts[1].utf8).flatMap { TokenJSON.decode(kind, from: $0) }
}

struct APNsTests {
    let clock = TestClock()

    @Test func aMessageIsAsAppleWantsIt() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        let message = clock.apns("200#first", call: "call-77", seconds: 45)
        let outcome = await sender.send(message)
        let request = try #require(provider.requests.first)
        let headers = request.headers
        #expect(outcome == .accepted(id: headers["apns-id"]))
        #expect(request.path.hasPrefix("/3/device/323030"))
        #expect(headers[":method"] == "POST")
        #expect(headers["apns-push-type"] == "voip")
        #expect(headers["apns-topic"] == "org.example.app.voip")
        #expect(headers["apns-expiration"] == "\(message.expiresAt)")
        #expect(headers["apns-priority"] == "10")
        #expect(headers["apns-collapse-id"] == "call-77")
        #expect(headers["apns-id"]?.utf8.count == 36)
        #expect(request.body == #"{"aps":{},"call":"call-77","from":"Ada"}"#)
        struct Claims: Decodable {
            var iss: String
            var iat: Int64
        }
        let token = try #require(headers["authorization"]?.dropFirst("bearer ".count))
        let key = try TokenKey(pem: TestKeys.apnsPublic, algorithm: .es256)
        let found = try #require(claims(token, Claims.self, by: key))
        #expect(found.iss == "TEAM123456" && abs(found.iat - clock.unixSeconds) < 10)
        struct Header: Decodable {
            var alg: String
            var kid: String
        }
        let header = try #require(Base64URL.decode(token.split(separator: ".")[0].utf8))
        let names = TokenJSON.decode(Header.self, from: header)
        #expect(names?.alg == "ES256" && names?.kid == "KEY1234567")
        await sender.close()
        sender.stop()
    }

    @Test func eachRefusalIsWhatItMeans() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        let expected: [(String, PushOutcome)] = [
            ("410:Unregistered:timestamp=1700000000123", .tokenInvalid(since: 1_700_000_000_123)),
            ("410:ExpiredToken:timestamp=5", .tokenInvalid(since: 5)),
            ("400:BadDeviceToken", .tokenInvalid(since: nil)),
            ("400:DeviceTokenNotForTopic", .tokenInvalid(since: nil)),
            ("400:BadTopic", .rejected(reason: "BadTopic")),
            ("403:InvalidProviderToken", .rejected(reason: "InvalidProviderToken")),
            ("413:PayloadTooLarge", .rejected(reason: "PayloadTooLarge")),
            ("404:a sentence with a <token>", .rejected(reason: "status 404")),
        ]
        for (steps, outcome) in expected { #expect(await sender.send(clock.apns(steps)) == outcome, "\(steps)") }
        #expect(provider.requests.count == expected.count)
        let statistics = await sender.statistics
        #expect(statistics.invalidTokens == 4 && statistics.rejected == 4 && statistics.retries == 0)
        await sender.close()
        sender.stop()
    }

    @Test(arguments: [
        "500:InternalServerError,503:Shutdown,200", "429:TooManyRequests,200", "503:ServiceUnavailable:after=1,200",
        "429:TooManyRequests:after=1,200", "close,200", "reset,reset,200", "refuse,200", "goaway,200", "slow,200",
    ])
    func whatMayPassIsRepeated(_ steps: String) async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        var configuration = PushConfiguration(at: provider.endpoint)
        configuration.requestMilliseconds = 400
        // A machine that is busy, or checks every access, needs longer to answer at all.
        if steps != "slow,200" { configuration.requestMilliseconds = 10_000 }
        try await sender.open(configuration)
        let started = MonotonicClock.now
        guard case .accepted = await sender.send(clock.apns(steps)) else {
            Issue.record("not accepted: \(provider.requests.map(\.step))")
            return
        }
        if steps.contains("after=1") { #expect(MonotonicClock.now - started >= 1_000_000_000) }
        if steps.hasPrefix("goaway") {
            // The connection goes after the answer; the next message needs another.
            guard case .accepted = await sender.send(clock.apns("200#next")) else {
                Issue.record("not accepted after the connection went")
                return
            }
            #expect(Set(provider.requests.map(\.connection)).count == 2)
        } else {
            let requests = provider.requests
            #expect(requests.last?.step == "200" && requests.count > 1, "\(requests.map(\.step))")
            #expect(Set(requests.map { $0.headers["apns-id"] }).count == 1)
        }
        await sender.close()
        sender.stop()
    }

    @Test func eachRepetitionWaitsLongerThanTheLast() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        var configuration = PushConfiguration(at: provider.endpoint)
        (configuration.retryMilliseconds, configuration.longestRetryMilliseconds) = (100, 60_000)
        try await sender.open(configuration)
        let started = MonotonicClock.now
        guard case .accepted = await sender.send(clock.apns("500,500,500,500,500,200")) else {
            Issue.record("not accepted")
            return
        }
        // Half of 100, 200, 400, 800 and 1,600 ms at least; were each as long as the first, half a second at most.
        #expect(MonotonicClock.now - started >= 1_550_000_000)
        #expect(provider.requests.count == 6)
        #expect(await sender.statistics.retries == 5)
        await sender.close()
        sender.stop()
    }

    @Test func whatIsNeverAnsweredExpires() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        var configuration = PushConfiguration(at: provider.endpoint)
        configuration.requestMilliseconds = 300
        try await sender.open(configuration)
        #expect(await sender.send(clock.apns("slow", seconds: 2)) == .expired(reason: "timed out"))
        #expect(await sender.send(clock.apns("200", seconds: 0)) == .expired(reason: nil))
        // Longer than the call rings: told at once, not then.
        let started = MonotonicClock.now
        let late = await sender.send(clock.apns("503:Shutdown:after=3600", seconds: 60))
        #expect(late == .expired(reason: "Shutdown") && MonotonicClock.now - started < 30_000_000_000)
        #expect(await sender.send(clock.apns("200", seconds: 60)) == .expired(reason: "Shutdown"))
        await sender.close()
        sender.stop()
    }

    @Test func nobodyAtTheEndpointIsAnExpiry() async throws {
        let endpoint = try TestProvider().endpoint  // Gone again: nobody listens there.
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: endpoint))
        #expect(await sender.send(clock.apns("200", seconds: 2)) == .expired(reason: "disconnected"))
        #expect(await sender.statistics.retries > 0)
        await sender.close()
        sender.stop()
    }

    @Test(arguments: [0, 1])
    func aWrongCertificateGetsNothing(_ which: Int) async throws {
        let pair = [TestKeys.stranger, TestKeys.otherName][which]
        let provider = try TestProvider(pair)
        let sender = TestSender(clock: clock)
        var configuration = PushConfiguration(at: provider.endpoint)
        // The one for another name is of an authority that is trusted.
        if which == 1 { configuration.authorityFile = pair.certificate }
        try await sender.open(configuration)
        let refused = PushOutcome.rejected(reason: "certificate not trusted")
        #expect(await sender.send(clock.apns("200")) == refused)
        #expect(await sender.send(clock.fcm("200")) == refused)
        #expect(provider.requests.isEmpty)
        await sender.close()
        sender.stop()
    }

    @Test func manyMessagesShareAConnection() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        var pending: [PendingOutcome] = []
        for number in 0..<300 { pending.append(await sender.begin(clock.apns("200#\(number)"))) }
        // What the server prints must be read, or it stops.
        #expect(provider.isAsked(300))
        let accepted = pending.count {
            if case .accepted = $0.value { true } else { false }
        }
        #expect(accepted == 300)
        let requests = provider.requests
        #expect(Set(requests.map(\.connection)).count == 1)
        #expect(Set(requests.compactMap { $0.headers["authorization"] }).count == 1)
        let statistics = await sender.statistics
        #expect(statistics.connections == 1 && statistics.authorizations == 1 && statistics.accepted == 300)
        await sender.close()
        sender.stop()
    }

    @Test func theProviderTokenIsRenewedBetweenTwentyAndSixtyMinutes() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        func token(_ steps: String) async -> String? {
            _ = await sender.send(clock.apns(steps))
            return provider.requests.last?.headers["authorization"]
        }
        let first = await token("200#1")
        clock.advance(seconds: 19 * 60)
        #expect(await token("200#2") == first)
        clock.advance(seconds: 20 * 60)
        #expect(await token("200#3") == first)
        clock.advance(seconds: 2 * 60)
        let second = await token("200#4")
        #expect(second != first)
        // Called expired before its time, but not before it may be renewed.
        clock.advance(seconds: 25 * 60)
        let third = await token("403:ExpiredProviderToken,200#5")
        #expect(third != second && provider.requests.last?.step == "200")
        #expect(await sender.statistics.authorizations == 3)
        // One that is as young as can be is kept: Apple refuses those who renew too often.
        #expect(
            await sender.send(clock.apns("403:ExpiredProviderToken#6", seconds: 4))
                == .expired(reason: "ExpiredProviderToken"))
        #expect(await sender.statistics.authorizations == 3)
        await sender.close()
        sender.stop()
    }
}
