// What tests of calls say and hear as clients, in few words; and a folder of a test's own for a server's database.
import Bots
import FoundationEssentials
import Glibc
import Signalling
import TestSupport
import Testing
import Tokens
import WholeServers

extension SignallingClient {
    /// Signed in on a device, with a token that is good for calls.
    static func forCalls(_ user: String, port: Int, device: String? = "phone") throws -> SignallingClient {
        let client = try SignallingClient(port: port)
        try client.hello(token: TestServer.token(user) { $0.calls = true }, device: device)
        return client
    }

    /// The next message about calls that `choose` takes.
    func next<Value>(milliseconds: Int32 = 15_000, _ choose: (CallMessage) -> Value?) throws -> Value {
        try wait(milliseconds: milliseconds) { if case .call(let message) = $0 { choose(message) } else { nil } }
    }

    func incoming() throws -> CallMessage.Incoming {
        try next { if case .incoming(let told) = $0 { told } else { nil } }
    }
    func accepted() throws -> CallMessage.Accepted {
        try next { if case .accepted(let told) = $0 { told } else { nil } }
    }
    func ended() throws -> CallMessage.Ended { try next { if case .ended(let told) = $0 { told } else { nil } } }
    func missed() throws -> CallMessage.Missed { try next { if case .missed(let told) = $0 { told } else { nil } } }

    func invite(_ user: String, media: CallMedia = .audio) throws -> CallMessage.Invited {
        let answer = try ask(.call(.invite(.init(to: user, media: media))))
        guard case .call(.invited(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        return told
    }

    func accept(_ call: CallID) throws -> CallMessage.Accepted {
        let answer = try ask(.call(.accept(.init(call: call, media: .audio))))
        guard case .call(.accepted(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        return told
    }

    /// Whether a command was answered with `ok`.
    func does(_ command: CallCommand) throws -> Bool { try ask(.call(command)) == .ok(.init()) }
    func does(_ command: AccountCommand) throws -> Bool { try ask(.account(command)) == .ok(.init()) }

    func refusal(_ command: ClientCommand) throws -> ProtocolError.Code? {
        if case .error(let error) = try ask(command) { error.code } else { nil }
    }

    /// The missed calls that it was told of by now, in order: what a sign-in brings comes at the latest in the turn of the loop that
    /// answers what is asked next.
    func toldMissed() throws -> [CallMessage.Missed] {
        for _ in 0..<2 { _ = try ask(.account(.blocked)) }
        return seen.compactMap { if case .call(.missed(let told)) = $0.message { told } else { nil } }
    }
}

/// Two people in a call that is active.
struct ActivePair {
    let caller: SignallingClient
    let callee: SignallingClient
    let call: CallID
    let callerToken: String
    let calleeToken: String

    init(_ caller: String, _ callee: String, port: Int) throws {
        self.caller = try SignallingClient.forCalls(caller, port: port, device: "\(caller)-phone")
        self.callee = try SignallingClient.forCalls(callee, port: port, device: "\(callee)-phone")
        let invited = try self.caller.invite(callee)
        (call, callerToken) = (invited.call, invited.token)
        _ = try self.callee.incoming()
        calleeToken = try self.callee.accept(call).token
        for client in [self.caller, self.callee] {
            #expect(try client.does(.connected(.init(call: call, path: .relayed))))
        }
        _ = try self.callee.next { if case .connected(let call) = $0 { call } else { nil } }
    }
}

/// A folder of a test's own, gone with it.
final class ServerFolder {
    let path: String

    init() {
        var template = Array("/tmp/majlis-calls-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? ""
        }
    }

    deinit {
        for name in FileBytes.list(path) { unlink(path + "/" + name) }
        rmdir(path)
    }

    var database: String { path + "/majlis.db" }
    var options: [String] { ["--storage.path", database] }

    /// Whether the text is anywhere in the database's files.
    func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return FileBytes.list(path).filter { $0.hasPrefix("majlis.db") }.contains { file in
            FileBytes.read(path + "/" + file)?.firstRange(of: wanted) != nil
        }
    }

    func write(_ text: String, to name: String) {
        guard let file = fopen(path + "/" + name, "wb") else { return }
        fputs(text, file)
        fclose(file)
    }
}

/// What operators are told of a user, as far as tests look at it.
struct ToldUser: Decodable {
    struct Device: Decodable {
        struct Push: Decodable { var service: String }
        var device: String
        var connected: Bool
        var push: [Push]
    }
    struct Missed: Decodable {
        var call: String
        var caller: String?
    }
    var devices: [Device]
    var blocked: [String]
    var missed: [Missed]
    var calls: [String]

    /// How many push tokens there are of all devices.
    var tokens: Int { devices.reduce(0) { $0 + $1.push.count } }

    init(_ user: String, port: Int) throws {
        let answer = try #require(
            HTTPConversation.ask(port: port, "GET", "/v1/users/\(user)", token: try AdminScene.token()))
        self = try JSONDecoder().decode(ToldUser.self, from: Data(answer.text.utf8))
    }
}

/// Past calls, as far as tests look at them.
struct ToldCalls: Decodable {
    struct Call: Decodable {
        struct Leg: Decodable {
            var role: String
            var user: String?
            var device: String?
            var rttMilliseconds: Double?
            var lossPercent: Double?
            var mos: Double?
        }
        var call: String
        var reason: String
        var path: String?
        var answeredMilliseconds: Int64?
        var connectedMilliseconds: Int64?
        var legs: [Leg]
    }
    var calls: [Call]

    init(_ user: String, port: Int) throws {
        let answer = try #require(
            HTTPConversation.ask(port: port, "GET", "/v1/users/\(user)/calls", token: try AdminScene.token()))
        self = try JSONDecoder().decode(ToldCalls.self, from: Data(answer.text.utf8))
    }
}

/// A number on the page of metrics of a server.
func metric(_ name: String, port: Int) -> Int? {
    (HTTPPage.get("/metrics", port: port) ?? "").split(separator: "\n").first { $0.hasPrefix("majlis_\(name) ") }
        .flatMap { Int($0.split(separator: " ").last ?? "") }
}
