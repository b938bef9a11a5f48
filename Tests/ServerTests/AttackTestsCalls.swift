// Two users who say of calls whatever can be said, right and wrong, of their own calls and of others', in any order and as often as they
// like: each command is answered once, two others who talk meanwhile notice nothing, and nothing of it is left.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("Attacks on calls", .serialized)
struct CallAttackTests {
    /// One socket of an attacker, and which of its commands are to be answered.
    final class Attacker {
        let user: String
        private let port: Int
        private(set) var client: SignallingClient
        private var asked: Set<UInt64> = []
        private var next: UInt64 = 1
        /// The names and secrets of calls that it was told.
        private(set) var calls: [String] = []
        private(set) var tokens: [String] = []
        private(set) var codes: [ProtocolError.Code: Int] = [:]
        private(set) var answers = 0

        init(_ user: String, port: Int) throws {
            (self.user, self.port) = (user, port)
            client = try .forCalls(user, port: port, device: user)
        }

        /// Sends the text with the next number in place of `ID`; where `isCommand`, it is to be answered.
        func send(_ text: String, isCommand: Bool) {
            client.socket.send(text.replacing("ID", with: "\(next)"))
            guard isCommand else { return }
            asked.insert(next)
            next += 1
        }

        /// Reads until everything is answered. Where the server has closed the socket another session begins.
        func read() throws {
            client.send(ClientFrame(ack: client.lastSeq, .ack))
            do {
                while !asked.isEmpty { note(try client.next()) }
            } catch WebSocketClient.Failure.closed(let code, _) {
                // For a message that is none, for what is no text, or because the user was erased.
                #expect([1003, 4400, 4403].contains(code), "\(code)")
                try begin()
            } catch WebSocketClient.Failure.broken {
                try begin()
            }
        }

        /// A new session; the old one's socket is not closed, or goes without a word.
        func begin() throws {
            if answers % 2 == 0 { client.socket.abort() }
            client = try .forCalls(user, port: port, device: user)
            (asked, next) = ([], 1)
        }

        private func note(_ frame: ServerFrame) {
            if let id = frame.re?.number {
                #expect(frame.seq == nil || asked.contains(id), "answered twice, or never asked: \(frame.text)")
                if asked.remove(id) != nil { answers += 1 }
            }
            switch frame.message {
            case .error(let error): codes[error.code, default: 0] += 1
            case .call(.invited(let told)):
                calls.append(told.call.text)
                tokens.append(told.token)
            case .call(.incoming(let told)): calls.append(told.call.text)
            default: break
            }
        }
    }

    /// What is said: the words of the protocol, with fields that are right, wrong, or somebody else's.
    private struct Words {
        var chance: TestChance
        let victims: String

        private static let wrong = [
            "null", "true", "0", "-1", "1.5", "18446744073709551616", "1e308", "\"\"", "\"\\u0000\"", "\"\\ud800\"",
            "[]", "{}",
            "[[\"a\"]]", "\"\(String(repeating: "x", count: 1_025))\"", "\"a\\r\\nb\"", "\"👩‍👩‍👧\"",
        ]

        mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(chance.next() % UInt64(values.count))] }

        mutating func message(of attacker: Attacker, and other: Attacker) -> (text: String, isCommand: Bool) {
            let known = Array(attacker.calls.suffix(4)) + Array(other.calls.suffix(4))
            let call = chance.next() % 8 == 0 ? pick([victims, "nobody-s", ""]) : known.isEmpty ? victims : pick(known)
            let token = attacker.tokens.isEmpty ? "guess" : pick(attacker.tokens)
            let user = pick([attacker.user, other.user, other.user, other.user, "ada", "budi", "nobody", ""])
            let candidate = pick(["", "candidate:1 1 udp 1 192.0.2.7 9 typ host", "typ relay", "\\u0007"])
            let sdp = pick(["v=0\\r\\n", "", String(repeating: "a=x\\r\\n", count: 9_000)])
            var fields = pick([
                #""type":"call.invite","to":"\#(user)","media":"audio""#,
                #""type":"call.invite","to":"\#(user)","media":"video","mode":"sfu","relayOnly":true"#,
                #""type":"call.invite","to":"\#(user)","media":"audio","into":"\#(call)""#,
                #""type":"call.accept","call":"\#(call)","media":"audio""#,
                #""type":"call.accept","call":"\#(call)","media":"video","relayOnly":true"#,
                #""type":"call.decline","call":"\#(call)""#, #""type":"call.cancel","call":"\#(call)""#,
                #""type":"call.hangup","call":"\#(call)""#,
                #""type":"call.description","call":"\#(call)","description":{"type":"offer","sdp":"\#(sdp)"}"#,
                #""type":"call.candidate","call":"\#(call)","candidate":"\#(candidate)","mid":"0""#,
                #""type":"call.connected","call":"\#(call)","path":"\#(pick(["direct", "sfu", "by-pigeon"]))""#,
                #""type":"call.quality","call":"\#(call)","lossPercent":\#(pick([0, 101])),"jitterMilliseconds":65535"#,
                #""type":"call.upgrade","call":"\#(call)""#, #""type":"call.hold","call":"\#(call)""#,
                #""type":"call.resume","call":"\#(call)""#,
                #""type":"call.reattach","call":"\#(call)","token":"\#(token)""#,
                #""type":"call.presence","users":["\#(user)"]"#, #""type":"call.seen","calls":["\#(call)"]"#,
                #""type":"account.block","user":"\#(other.user)""#,
                #""type":"account.unblock","user":"\#(other.user)""#,
                #""type":"join","room":"call-\#(call)","offer":{"type":"offer","sdp":"v=0\\r\\n"},"tracks":[]"#,
                #""type":"call.ended","call":"\#(call)""#, #""type":"call.""#,
            ])
            if chance.next() % 200 == 0 { fields = #""type":"account.erase""# }
            switch chance.next() % 40 {
            case 0:
                let field = pick(["call", "to", "media", "into", "token", "users", "candidate", "description"])
                fields += ",\"\(field)\":\(pick(Self.wrong))"
            case 1:
                let parts = fields.split(separator: ",").map(String.init)
                fields = parts.dropLast().joined(separator: ",")
                if fields.isEmpty || !fields.hasSuffix("\"") { fields = #""type":"call.accept""# }
            case 2:
                fields += #","deep":"# + String(repeating: "[", count: 12) + String(repeating: "]", count: 12)
            default: break
            }
            let text = #"{"id":"ID",\#(fields)}"#
            switch chance.next() % 300 {
            case 0: return (pick(["", "{", "[]", "{}", String(repeating: "[", count: 60), text + text]), false)
            case 1: return (text.replacing("\"ID\"", with: pick(["\"99999\"", "\"x\"", "7", "null"])), false)
            default: return (text, true)
            }
        }
    }

    private static func isRelayed(_ frame: ServerFrame?) -> Bool {
        if case .call(.candidate) = frame?.message { true } else { false }
    }

    /// What one of the two is told of their call. That somebody else calls, or did, is all that they may be told beside.
    private static func told(_ frame: ServerFrame, of call: CallID) -> CallMessage? {
        guard case .call(let message) = frame.message else { return nil }
        let other: CallID? =
            switch message {
            case .incoming(let told): told.call
            case .ended(let told): told.call
            case .missed(let told): told.call
            case .endedElsewhere(let told): told.call
            default: nil
            }
        return other == nil || other == call ? message : nil
    }

    @Test(
        "Whatever two users say of calls is answered once each, disturbs nobody, and leaves nothing",
        arguments: [1, 2] as [UInt64])
    func everything(seed: UInt64) throws {
        let server = try TestServer {
            ($0.sessions.commandsPerSecond, $0.sessions.commandBurst) = (10_000, 100_000)
            $0.sessions.userCommandsPerSecond = 0
            ($0.calls.inviteSeconds, $0.calls.pairSeconds) = (0, 0)
            ($0.calls.ringSeconds, $0.calls.connectSeconds, $0.calls.graceSeconds) = (5, 5, 5)
        }
        defer { server.stop() }
        let pair = try ActivePair("ada", "budi", port: server.port)
        let attackers = try ["mallory", "mallory", "trudy", "trudy"].map { try Attacker($0, port: server.port) }
        var words = Words(chance: TestChance(state: seed), victims: pair.call.text)
        var frames: [ServerFrame] = []
        _ = try pair.caller.ask(.account(.blocked))
        let before = pair.caller.seen.count
        for round in 0..<200 {
            for (number, attacker) in attackers.enumerated() {
                for _ in 0..<10 {
                    let (text, isCommand) = words.message(of: attacker, and: attackers[(number + 2) % 4])
                    attacker.send(text, isCommand: isCommand)
                    // Once more with the same number: the same answer, or none.
                    if words.chance.next() % 50 == 0, !isCommand { attacker.send(text, isCommand: false) }
                }
            }
            for attacker in attackers {
                try attacker.read()
                if words.chance.next() % 40 == 0 { try attacker.begin() }
            }
            guard round % 20 == 0 else { continue }
            // The two go on talking to each other, and to nobody else.
            let candidate = CallCommand.Candidate(call: pair.call, candidate: "candidate:\(round)")
            #expect(try pair.caller.does(.candidate(candidate)))
            repeat { frames.append(try pair.callee.next()) } while !Self.isRelayed(frames.last)
            guard case .call(.candidate(let told)) = frames.last?.message else { continue }
            #expect(told == candidate)
        }
        #expect(try pair.callee.does(.hangup(pair.call)))
        _ = try pair.caller.ask(.account(.blocked))
        frames += pair.caller.seen.dropFirst(before) + pair.callee.seen
        let own = frames.compactMap { Self.told($0, of: pair.call) }
        #expect(own.count == 12, "10 candidates, and the end on either side")
        let end = CallMessage.ended(.init(call: pair.call, reason: .hungUp, by: .callee))
        #expect(own.suffix(2) == [end, end])
        let codes = attackers.reduce(into: [:] as [ProtocolError.Code: Int]) { $0.merge($1.codes, uniquingKeysWith: +) }
        print(
            "attack on calls: \(attackers.reduce(0) { $0 + $1.answers }) answers; "
                + codes.map { "\($0.key) \($0.value)" }.sorted().joined(separator: ", "))
        #expect(codes[.internal] == nil)
        #expect(
            Set(codes.keys).isSuperset(of: [
                .malformed, .missingField, .unknownType, .unknownCall, .unknownUser, .callEnded, .forbidden,
                .alreadyInCall, .overtaken,
            ]))
        for attacker in attackers { attacker.client.socket.abort() }
        #expect(Deadline.wait(seconds: 20) { metric("calls", port: server.port) == 0 })
        #expect(metric("store_failures_total", port: server.port) == 0)
    }
}
