// A running server that answers as the push services do, keys and certificates made for the run, and a sender on a loop.
import EventLoop
import Glibc
import TestSupport
import Testing
import Tokens
import WholeServers

@testable import Push

/// Keys and certificates, made once by OpenSSL's command and gone with the process's folder.
enum TestKeys {
    static let folder: String = {
        var template = Array("/tmp/majlis-push-XXXXXX".utf8CString)
        let path = template.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? ""
        }
        atexit {
            for name in FileBytes.list(TestKeys.folder) { unlink(TestKeys.folder + "/" + name) }
            rmdir(TestKeys.folder)
        }
        return path
    }()

    static let apns = PushSecret(
        pem("apns.pem", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder + "/apns.pem"]))
    static let apnsPublic = pem(
        "apns.pub", ["pkey", "-in", folder + "/apns.pem", "-pubout", "-out", folder + "/apns.pub"])
    static let fcm = PushSecret(pem("fcm.pem", ["genrsa", "-out", folder + "/fcm.pem", "2048"]))
    static let fcmPublic = pem("fcm.pub", ["pkey", "-in", folder + "/fcm.pem", "-pubout", "-out", folder + "/fcm.pub"])

    /// The server's own certificate, one nobody trusts, and one for another name.
    static let certificate = certificate("server", "IP:127.0.0.1")
    static let stranger = certificate("stranger", "IP:127.0.0.1")
    static let otherName = certificate("other", "DNS:other.example")

    private static func pem(_ name: String, _ arguments: [String]) -> String {
        _ = ChildProcess("/usr/bin/openssl", arguments)?.exitCode()
        return FileBytes.read(folder + "/" + name).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private static func certificate(_ name: String, _ subject: String) -> (certificate: String, key: String) {
        let paths = (certificate: "\(folder)/\(name).crt", key: "\(folder)/\(name).key")
        _ = pem(
            "\(name).crt",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=push test", "-addext", "subjectAltName=\(subject)", "-keyout", paths.key, "-out",
                paths.certificate,
            ])
        return paths
    }
}

/// The server.
final class TestProvider {
    /// What the server was asked.
    struct Request: Decodable {
        var connection: Int
        var path: String
        var headers: [String: String]
        var body: String
        var step: String
    }

    private let process: ChildProcess
    let endpoint: String

    init(_ pair: (certificate: String, key: String) = TestKeys.certificate) throws {
        let root = ExternalCaptures.packageRoot
        let python = root + "/.build/venv/bin/python"
        try #require(access(python, X_OK) == 0, "the Python environment is missing: .ci/install test makes it")
        let script = root + "/Tests/PushTests/provider.py"
        process = try #require(ChildProcess(python, [script, pair.certificate, pair.key]))
        try #require(process.prints("port ", seconds: 30) && process.prints("\n"), "\(process.text)")
        let port = process.text.split(separator: "\n").first?.dropFirst("port ".count) ?? ""
        endpoint = "https://127.0.0.1:\(port)"
    }

    /// Every request so far.
    var requests: [Request] {
        process.read()
        return process.text.split(separator: "\n").compactMap { TokenJSON.decode(Request.self, from: Array($0.utf8)) }
    }

    func requests(to path: String) -> [Request] { requests.filter { $0.path.hasPrefix(path) } }

    /// Waits until the server was asked so often.
    func isAsked(_ count: Int) -> Bool { Deadline.wait(seconds: 15) { requests.count >= count } }
}

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
        let digits = Array("0123456789abcdef")
        let token = steps.utf8.reduce(into: "") { text, byte in
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return PushNotification(
            target: .apns(token: PushSecret(token), isSandbox: false), call: call, expiresAt: unixSeconds + seconds,
            data: ["call": call, "from": "Ada"])
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
