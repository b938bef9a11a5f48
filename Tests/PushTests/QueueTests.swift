// The queue's bounds, what is taken back, what is refused before it leaves, and what nobody may read in a log.
import EventLoop
import Testing
import WholeServers

@testable import Push
@testable import Tokens

struct QueueTests {
    let clock = TestClock()

    @Test func aFullQueueDropsTheExpiredFirstAndThenRefuses() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        var configuration = PushConfiguration(at: provider.endpoint)
        configuration.queueLimit = 4
        configuration.concurrentRequests = 1
        try await sender.open(configuration)
        // One under way for ever, three that wait: one of them not for long.
        let first = await sender.begin(clock.apns("slow#1", call: "slow", seconds: 600))
        #expect(provider.isAsked(1))
        let short = await sender.begin(clock.apns("200#2", call: "short", seconds: 30))
        let long = await sender.begin(clock.apns("200#3", call: "long", seconds: 600))
        let longer = await sender.begin(clock.apns("200#4", call: "long", seconds: 600))
        #expect(await sender.send(clock.apns("200#5", call: "more", seconds: 600)) == .queueFull)
        #expect(short.now == nil && long.now == nil && longer.now == nil)
        clock.advance(seconds: 31)
        let taken = await sender.begin(clock.apns("200#6", call: "taken", seconds: 600))
        #expect(short.now == .expired(reason: nil) && taken.now == nil)
        #expect(await sender.send(clock.apns("200#7", call: "more", seconds: 600)) == .queueFull)
        #expect(await sender.withdraw(call: "nothing") == 0)
        #expect(await sender.withdraw(call: "long") == 2)
        #expect(long.now == .withdrawn && longer.now == .withdrawn)
        await sender.close()
        #expect(first.value == .closed && taken.value == .closed)
        #expect(await sender.send(clock.apns("200")) == .closed)
        #expect(provider.requests.count == 1)
        sender.stop()
    }

    @Test func whatIsMalformedNeverLeaves() async throws {
        let provider = try TestProvider()
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration(at: provider.endpoint))
        var message = clock.apns("200")
        for token in ["", "zz", "00/../../x", "00\r\nx: y", String(repeating: "0", count: 300)] {
            message.target = .apns(token: PushSecret(token), isSandbox: true)
            #expect(await sender.send(message) == .tokenInvalid(since: nil))
        }
        for token in ["", "with space", "new\nline", String(repeating: "x", count: 5_000)] {
            message.target = .fcm(token: PushSecret(token))
            #expect(await sender.send(message) == .tokenInvalid(since: nil))
        }
        message = clock.apns("200", call: "call\r\nauthorization: x")
        #expect(await sender.send(message) == .rejected(reason: "malformed call"))
        message = clock.apns("200", call: String(repeating: "x", count: 65))
        #expect(await sender.send(message) == .rejected(reason: "malformed call"))
        message = clock.apns("200")
        message.data["aps"] = "x"
        #expect(await sender.send(message) == .rejected(reason: "reserved key"))
        message.data = ["x": String(repeating: "x", count: 4_096)]
        #expect(await sender.send(message) == .rejected(reason: "PayloadTooLarge"))
        message.target = .fcm(token: "200")
        #expect(await sender.send(message) == .rejected(reason: "payload too large"))
        message.data = ["google.x": "y"]
        #expect(await sender.send(message) == .rejected(reason: "reserved key"))
        #expect(provider.requests.isEmpty)
        await sender.close()
        sender.stop()
    }

    @Test func aProviderThatIsNotConfiguredIsToldOf() async throws {
        let sender = TestSender(clock: clock)
        try await sender.open(PushConfiguration())
        #expect(await sender.send(clock.apns("200")) == .notConfigured)
        #expect(await sender.send(clock.fcm("200")) == .notConfigured)
        // The loop's stop closes what is open.
        sender.stop()
    }

    @Test func aConfigurationThatCannotWorkIsRefused() async throws {
        let sender = TestSender(clock: clock)
        let good = PushConfiguration(at: "https://127.0.0.1:1")
        var bad = good
        bad.apns?.endpoint = "http://127.0.0.1:1"
        await #expect(throws: PushError.insecureEndpoint("http://127.0.0.1:1")) { try await sender.open(bad) }
        bad = good
        bad.authorityFile = "/nowhere"
        await #expect(throws: PushError.unreadableAuthorityFile(path: "/nowhere")) { try await sender.open(bad) }
        bad = good
        bad.apns?.privateKey = TestKeys.fcm
        await #expect(throws: PushError.keyUnusable(provider: "APNs", .wrongKind)) { try await sender.open(bad) }
        bad = good
        bad.fcm?.privateKey = "no key"
        await #expect(throws: PushError.keyUnusable(provider: "FCM", .notPEM)) { try await sender.open(bad) }
        bad = good
        bad.fcm?.projectID = "a/b"
        await #expect(throws: PushError.malformed(field: "The FCM project")) { try await sender.open(bad) }
        bad = good
        bad.apns?.bundleID = "org example"
        await #expect(throws: PushError.malformed(field: "The APNs bundle identifier")) { try await sender.open(bad) }
        sender.stop()
    }

    @Test func nothingPrintsASecret() throws {
        let message = clock.apns("a-token-to-look-for")
        let hexadecimal = "612d746f6b656e"
        var printed = "\(message) \(String(reflecting: message))"
        dump(message, to: &printed)
        let configuration = PushConfiguration(at: "https://127.0.0.1:1")
        printed += "\(configuration) \(String(reflecting: configuration))"
        dump(configuration, to: &printed)
        #expect(printed.contains(hexadecimal) == false)
        #expect(printed.contains("PRIVATE KEY") == false)
        #expect(printed.contains("(secret)"))
    }
}
