// The keys of the service that answers as Apple's and Google's do, clocks that a test moves, and a sender on a loop.
import EventLoop
import Glibc
import TestSupport
import Testing
import Tokens
import WholeServers

@testable import Push

/// The keys and certificates, as this module takes them.
enum TestKeys {
    static let apns = PushSecret(PushKeys.apns)
    static let apnsPublic = PushKeys.apnsPublic
    static let fcm = PushSecret(PushKeys.fcm)
    static let fcmPublic = PushKeys.fcmPublic

    /// The server's own certificate, one nobody trusts, and one for another name.
    static let certificate = PushKeys.certificate
    static let stranger = PushKeys.certificate("stranger", "IP:127.0.0.1")
    static let otherName = PushKeys.certificate("other", "DNS:other.example")
}

/// The server.
typealias TestProvider = PushService

/// Clocks that a test moves on; between the moves they run as the machine's.
final class TestClock: Sendable {
    private let offset = Lock<Int64>(0)

    func advance(seconds: Int64) { offset.withLock { $0 += seconds } }

    var unixSeconds: Int64 { WallClock.seconds + offset.withLock { $0 } }

    var clock: PushClock {
        PushClock(
            unixSeconds: { [self] in unixSeconds },
            monotonic: { [self] in MonotonicClock.now + offset.withLock { $0 } * 1_000_000_000 })
    }
}

/// A sender on a loop of its own.
actor TestSender {
    private let loop: LoopThread
    private var sender: PushSender?
    private let clock: TestClock
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(clock: TestClock = TestClock()) {
        loop = LoopThread(name: "push")
        self.clock = clock
    }

    func open(_ configuration: PushConfiguration) throws(PushError) {
        sender = try PushSender(on: loop, configuration: configuration, clock: clock.clock)
    }

    func send(_ notification: PushNotification) async -> PushOutcome {
        await withCheckedContinuation { continuation in
            guard let sender else { return continuation.resume(returning: .closed) }
            sender.send(notification) { continuation.resume(returning: $0) }
        }
    }

    func withdraw(call: String) -> Int { sender?.withdraw(call: call) ?? 0 }

    var statistics: PushStatistics { sender?.statistics ?? PushStatistics() }

    func close() {
        sender?.close()
        sender = nil
    }

    nonisolated func stop() { loop.stop() }

    /// Sends without waiting: when this returns the message has its place.
    func begin(_ notification: PushNotification) -> PendingOutcome {
        let pending = PendingOutcome()
        sender?.send(notification) { pending.set($0) }
        return pending
    }
}

/// What becomes of a message, for who waits on a thread.
final class PendingOutcome: Sendable {
    private let outcome = Lock<PushOutcome?>(nil)

    func set(_ outcome: PushOutcome) { self.outcome.withLock { $0 = outcome } }

    /// What became of it so far.
    var now: PushOutcome? { outcome.withLock { $0 } }

    /// What becomes of it within some seconds.
    var value: PushOutcome? {
        _ = Deadline.wait(seconds: 15) { now != nil }
        return now
    }
}

extension TestClock {
    /// A message to Apple's service, answered by these steps.
    func apns(_ steps: String, call: String = "call-1", seconds: Int64 = 60) -> PushNotification {
        PushNotification(
            target: .apns(token: PushSecret(PushService.appleToken(steps)), isSandbox: false), call: call,
            expiresAt: unixSeconds + seconds, data: ["call": call, "from": "Ada"])
    }

    /// A message to Google's, answered by these steps.
    func fcm(_ steps: String, seconds: Int64 = 60) -> PushNotification {
        PushNotification(
            target: .fcm(token: PushSecret(steps)), call: "call-1", expiresAt: unixSeconds + seconds,
            data: ["call": "call-1", "caller": "Ada"])
    }
}

extension PushConfiguration {
    /// Both providers at the test's server, and quick repetitions.
    init(at endpoint: String, tokenSteps: String = "200#account") {
        self.init(
            apns: APNsConfiguration(
                privateKey: TestKeys.apns, keyID: "KEY1234567", teamID: "TEAM123456", bundleID: "org.example.app",
                endpoint: endpoint, sandboxEndpoint: endpoint),
            fcm: FCMConfiguration(
                clientEmail: tokenSteps, privateKey: TestKeys.fcm, privateKeyID: "key-1", projectID: "test-project",
                tokenEndpoint: endpoint + "/token", endpoint: endpoint),
            authorityFile: TestKeys.certificate.certificate, retryMilliseconds: 20, longestRetryMilliseconds: 100)
    }
}
