// TURN credentials, and coturn itself on loopback with our test configuration; the production configuration's denials.
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Transport

/// A program that runs beside the test, its output in a file.
private final class ChildProgram {
    private(set) var process: pid_t = 0
    let output: String
    private var status: Int32?

    init?(_ arguments: [String], output: String) {
        self.output = output
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        guard posix_spawnp(&process, arguments[0], &actions, nil, &words, environ) == 0 else { return nil }
    }

    /// The exit status, waited for; nil when it had to be stopped at the deadline.
    func wait(seconds: Int64) -> Int32? {
        let deadline = MonotonicClock.now + seconds * 1_000_000_000
        while status == nil {
            var raw: Int32 = 0
            if waitpid(process, &raw, WNOHANG) == process {
                status = raw
            } else if MonotonicClock.now > deadline {
                stop()
                return nil
            } else {
                Pause.milliseconds(5)
            }
        }
        return status
    }

    /// Sends SIGTERM to this one process and waits for its end.
    func stop() {
        guard status == nil else { return }
        kill(process, SIGTERM)
        var raw: Int32 = 0
        waitpid(process, &raw, 0)
        status = raw
    }

    var text: String { String(decoding: FileBytes.read(output) ?? [], as: UTF8.self) }
}

/// Whether a program is in one of the usual folders.
private func isInstalled(_ program: String) -> Bool {
    ["/usr/bin/", "/usr/local/bin/", "/usr/sbin/"].contains { access($0 + program, X_OK) == 0 }
}

@Suite("TURN", .serialized)
struct TURNTests {
    static let coturnIsInstalled = isInstalled("turnserver") && isInstalled("turnutils_uclient")
    static let secret = "majlis-test-secret"

    @Test("Credentials are the end and the user, and the HMAC-SHA1 of both in base64")
    func credentials() throws {
        let made = try #require(
            TURNCredentials(secret: "north", user: "alice", lifetimeSeconds: 3_600, nowSeconds: 1_700_000_000))
        #expect(made.username == "1700003600:alice")
        #expect(made.expiresAtSeconds == 1_700_003_600)
        // printf %s 1700003600:alice | openssl dgst -sha1 -hmac north -binary | base64
        #expect(made.credential == "wjwSXO2ch1B6VaLTLMy2Avn5O9o=")
        let longest = try #require(
            TURNCredentials(secret: "s", user: "", lifetimeSeconds: .max, nowSeconds: 0))
        #expect(longest.username == "86400:")
        #expect(TURNCredentials(secret: "s", user: "a", lifetimeSeconds: -5, nowSeconds: 10)?.username == "11:a")
        #expect(TURNCredentials(secret: "", user: "a", lifetimeSeconds: 5, nowSeconds: 10) == nil)
    }

    /// Starts the test server in a new folder, on the port.
    private func startTurn(port: UInt16, folder: String) -> ChildProgram? {
        let script = ExternalCaptures.packageRoot + "/turn-config/start-test-turn.sh"
        guard
            let server = ChildProgram(
                [
                    "/bin/sh", script, "\(port)", "\(Int(port) + 1)", "\(Int(port) + 80)", folder, "60",
                ], output: folder + "/script.log")
        else { return nil }
        // It listens when a TCP connection is taken.
        let deadline = MonotonicClock.now + 15_000_000_000
        while MonotonicClock.now < deadline {
            let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(probe) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            address.sin_port = port.bigEndian
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if connected == 0 { return server }
            Pause.milliseconds(20)
        }
        server.stop()
        return nil
    }

    @Test(
        "coturn with our test configuration takes our credentials, and neither expired nor forged ones",
        .enabled(if: coturnIsInstalled, "coturn is not installed"))
    func allocation() throws {
        var template = Array("/tmp/majlis-turn-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer {
            for name in FileBytes.list(folder) { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        let port: UInt16 = 21_000 + UInt16(getpid() % 300) * 100
        let server = try #require(startTurn(port: port, folder: folder), "coturn does not listen")
        defer { server.stop() }
        func run(_ name: String, _ arguments: [String]) -> (status: Int32?, text: String) {
            let fixed = ["-y", "-c", "-n", "5", "-m", "1", "-p", "\(port)", "127.0.0.1"]
            guard
                let client = ChildProgram(["turnutils_uclient"] + arguments + fixed, output: folder + "/\(name).log")
            else { return (nil, "") }
            let status = client.wait(seconds: 20)
            return (status, client.text)
        }
        let now = WallClock.seconds
        let good = try #require(
            TURNCredentials(secret: Self.secret, user: "alice", lifetimeSeconds: 600, nowSeconds: now))
        let ours = run("own", ["-u", good.username, "-w", good.credential])
        #expect(ours.status == 0)
        #expect(ours.text.contains("Total lost packets 0 "))
        // The same by coturn's own client from the plain secret.
        let reference = run("reference", ["-W", Self.secret, "-u", "bob"])
        #expect(reference.status == 0)

        let forged = try #require(
            TURNCredentials(secret: "not-the-secret", user: "alice", lifetimeSeconds: 600, nowSeconds: now))
        let expired = try #require(
            TURNCredentials(secret: Self.secret, user: "alice", lifetimeSeconds: 1, nowSeconds: now - 100))
        for (name, credentials) in [("forged", forged), ("expired", expired)] {
            let refused = run(name, ["-u", credentials.username, "-w", credentials.credential])
            #expect(refused.status != 0, "\(name)")
            #expect(refused.text.contains("Cannot complete Allocation"), "\(name)")
        }
        // Who ends the script ends coturn.
        let own = try #require(FileBytes.read(folder + "/turn.pid"))
        #expect(pid_t(String(decoding: own, as: UTF8.self).filter(\.isNumber)) == server.process)
        let number = try #require(FileBytes.read(folder + "/coturn.pid"))
        let process = try #require(pid_t(String(decoding: number, as: UTF8.self).filter(\.isNumber)))
        #expect(kill(process, 0) == 0)
        server.stop()
        let deadline = MonotonicClock.now + 10_000_000_000
        while kill(process, 0) == 0, MonotonicClock.now < deadline { Pause.milliseconds(10) }
        #expect(kill(process, 0) != 0)
    }

    /// The bytes of both ends of each `denied-peer-ip` line of the production configuration.
    private static func deniedRanges() throws -> [(low: [UInt8], high: [UInt8])] {
        let file = try #require(FileBytes.read(ExternalCaptures.packageRoot + "/turn-config/turnserver.conf"))
        func bytes(_ text: Substring) -> [UInt8]? {
            var raw = [UInt8](repeating: 0, count: 16)
            if inet_pton(AF_INET, String(text), &raw) == 1 { return Array(raw[..<4]) }
            return inet_pton(AF_INET6, String(text), &raw) == 1 ? raw : nil
        }
        return try String(decoding: file, as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("denied-peer-ip=") }
            .map { line in
                let ends = line.dropFirst("denied-peer-ip=".count).split(separator: "-")
                try #require(ends.count == 2)
                let low = try #require(bytes(ends[0])), high = try #require(bytes(ends[1]))
                try #require(low.count == high.count && !high.lexicographicallyPrecedes(low))
                return (low, high)
            }
    }

    @Test("The production configuration denies every address that is not a host's on the Internet, and no other")
    func deniedPeers() throws {
        let ranges = try Self.deniedRanges()
        func isDenied(_ text: String) -> Bool {
            var raw = [UInt8](repeating: 0, count: 16)
            var address: [UInt8] = []
            if inet_pton(AF_INET, text, &raw) == 1 {
                address = Array(raw[..<4])
            } else if inet_pton(AF_INET6, text, &raw) == 1 {
                address = raw
            }
            return ranges.contains { range in
                range.low.count == address.count && !address.lexicographicallyPrecedes(range.low)
                    && !range.high.lexicographicallyPrecedes(address)
            }
        }
        for address in [
            "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
            "172.31.255.255", "192.168.1.1", "198.18.0.1", "224.0.0.251", "239.255.255.255", "240.0.0.1",
            "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
            "2001::1", "2002:7f00:1::", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
            "ff0e::1",
        ] { #expect(isDenied(address), "\(address)") }
        for address in [
            "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1",
            "169.253.0.1", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2400:cb00::1",
        ] { #expect(!isDenied(address), "\(address)") }
        let lines = String(
            decoding: FileBytes.read(ExternalCaptures.packageRoot + "/turn-config/turnserver.conf") ?? [], as: UTF8.self
        ).split(separator: "\n")
        for line in [
            "use-auth-secret", "no-cli", "no-multicast-peers", "no-tcp-relay", "no-tlsv1", "no-tlsv1_1", "fingerprint",
            "listening-port=3478", "tls-listening-port=5349", "no-rfc5780",
        ] { #expect(lines.contains { $0 == line }, "\(line)") }
        // No secret that works is shipped.
        #expect(!lines.contains { $0.hasPrefix("static-auth-secret") || $0.hasPrefix("allow-loopback-peers") })
        #expect(lines.contains { $0.hasPrefix("#aux-server=") && $0.hasSuffix(":443") })
    }
}
