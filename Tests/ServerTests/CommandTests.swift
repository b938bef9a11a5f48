// The command as a user runs it: what it prints, how it ends, and what it says when it cannot start.
import Bots
import Glibc
import Signalling
import Testing
import WholeServers

@Suite("The command", .serialized)
struct CommandTests {
    private static let secret = "MAJLIS_TOKENS_SECRET=\(TestServer.secret)"

    private func run(_ arguments: [String], environment: [String] = [secret]) throws -> (code: Int32?, text: String) {
        let child = try #require(ChildProcess(ChildProcess.command, arguments, environment: environment))
        let code = child.exitCode()
        return (code, child.text)
    }

    /// Starts a server on a free port and waits until it serves.
    private func serve(_ arguments: [String], environment: [String] = [secret]) throws -> (ChildProcess, port: Int) {
        let child = try #require(
            ChildProcess(
                ChildProcess.command,
                ["serve", "--port", "0", "--host", "127.0.0.1", "--storage.path", "memory"] + arguments,
                environment: environment))
        #expect(child.prints("serves http"), "\(child.text)")
        let line = child.text.split(separator: "\n").first { $0.contains("serves http") } ?? ""
        let port = Int(line.split(separator: ":").last ?? "") ?? 0
        return (child, port)
    }

    @Test("SIGTERM: everybody is told, sockets are closed with 1001, exit code 0")
    func terminates() throws {
        let (child, port) = try serve([])
        let client = try SignallingClient(port: port)
        try client.hello(token: TestServer.token("amina"))
        child.signal(SIGTERM)
        let shutdown = try client.wait { if case .serverShutdown(let shutdown) = $0 { shutdown } else { nil } }
        #expect(shutdown.reconnectAfterMilliseconds > 0)
        #expect(client.socket.closeCode() == 1_001)
        #expect(child.exitCode() == 0, "\(child.text)")
    }

    @Test("a second signal ends it at once")
    func terminatesAtOnce() throws {
        let (child, port) = try serve([])
        // A client that never answers the close keeps the first shutdown waiting.
        let client = try SignallingClient(port: port)
        try client.hello(token: TestServer.token("amina"))
        child.signal(SIGTERM)
        #expect(child.prints("shutting down"))
        child.signal(SIGTERM)
        let code = child.exitCode()
        #expect(code == 1 || code == 0)
        #expect(code == 0 || child.text.contains("a second signal"))
    }

    @Test("each thing that keeps it from starting is one line, and exit code 1")
    func cannotStart() throws {
        let (holder, port) = try serve([])
        for (arguments, environment, sentence) in [
            (["--port", "\(port)", "--host", "127.0.0.1"], [Self.secret], "port \(port) is already in use"),
            (
                ["--config", "/nonexistent.json5"], [Self.secret],
                "cannot read the configuration file /nonexistent.json5"
            ),
            (["--listen.prot", "1"], [Self.secret], "unknown option --listen.prot; did you mean --listen.port?"),
            ([], ["MAJLIS_TOKENS_SECRET=short"], "tokens.secret has 5 bytes"),
            ([], [], "nobody could sign in"),
            (["--tokens.publicKeyFiles", "/etc/hostname"], [Self.secret], "is no PEM public key"),
            (["--media.addresses", "nowhere"], [Self.secret], "nowhere"),
            (["--host", "192.0.2.1"], [Self.secret], "192.0.2.1"),
            (["--logLevel", "loud"], [Self.secret], "logLevel is debug, info, warning or error"),
        ] {
            let (code, text) = try run(
                ["serve", "--storage.path", "memory"] + arguments, environment: environment)
            #expect(code == 1, "\(arguments): \(text)")
            #expect(text.contains(sentence), "\(arguments): \(text)")
            #expect(text.split(separator: "\n").count == 1, "\(arguments): \(text)")
        }
        holder.signal(SIGTERM)
        #expect(holder.exitCode() == 0)
    }

    @Test("--dev prints links that work; help and the default file go to standard output; wrong words give 2")
    func words() throws {
        let (child, _) = try serve(["--dev"], environment: [])
        #expect(child.prints("#room=majlis&token=ey"))
        child.signal(SIGINT)
        #expect(child.exitCode() == 0)
        let (code, text) = try run(["serve", "--print-config", "--port", "7"], environment: [])
        #expect(code == 0 && text.contains("port: 7,"))
        #expect(try run(["help"]).code == 0)
        #expect(try run(["serve", "--help"]).text.contains("--print-config"))
        #expect(try run(["frobnicate"]).code == 2)
        #expect(try run([]).code == 2)
        #expect(try run(["version"]).text.hasPrefix("majlis "))
    }

    @Test("a token made by the command opens the room it is for")
    func token() throws {
        let (child, port) = try serve([])
        let (code, text) = try run(["token", "--room", "test", "--user", "amina", "--name", "Amina"])
        #expect(code == 0)
        let client = try SignallingClient(port: port)
        let welcome = try client.hello(token: String(text.dropLast()))
        #expect(welcome.user == .init(id: "amina", name: "Amina"))
        #expect(welcome.room == "test")
        #expect(try run(["token", "--room", "test"]).code == 2)
        #expect(try run(["token", "--room", "r", "--user", "u"], environment: []).code == 1)
        child.signal(SIGTERM)
        #expect(child.exitCode() == 0)
    }
}
