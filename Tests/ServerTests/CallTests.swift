// One-to-one calls over a whole server and real WebSockets: who rings, who has the call, what passes between the two, and what is
// refused.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import Tokens
import WholeServers

@testable import Server

@Suite("Calls on a whole server", .serialized)
struct CallTests {
    /// A server and signed-in clients whose tokens are good for calls.
    final class Scene {
        let server: TestServer
        private(set) var clients: [SignallingClient] = []

        init(_ change: (inout Configuration) -> Void = { _ in }) throws { server = try TestServer(change) }

        func client(_ user: String, calls: Bool = true) throws -> SignallingClient {
            let client = try SignallingClient(port: server.port)
            try client.hello(token: TestServer.token(user) { $0.calls = calls })
            clients.append(client)
            return client
        }

        /// A number on the page of metrics.
        func metric(_ name: String) -> Int? {
            server.metrics().split(separator: "\n").first { $0.hasPrefix("majlis_\(name) ") }
                .flatMap { Int($0.split(separator: " ").last ?? "") }
        }
    }

    private func withScene(
        _ change: (inout Configuration) -> Void = { _ in }, body: (Scene) throws -> Void
    ) throws {
        let scene = try Scene(change)
        defer { scene.server.stop() }
        try body(scene)
    }

    private func code(_ message: ServerMessage) -> ProtocolError.Code? {
        if case .error(let error) = message { error.code } else { nil }
    }

    /// The next message about calls that `choose` takes.
    private func wait<Value>(_ client: SignallingClient, _ choose: (CallMessage) -> Value?) throws -> Value {
        try client.wait { if case .call(let message) = $0 { choose(message) } else { nil } }
    }

    private func incoming(_ client: SignallingClient) throws -> CallMessage.Incoming {
        try wait(client) { if case .incoming(let told) = $0 { told } else { nil } }
    }
    private func accepted(_ client: SignallingClient) throws -> CallMessage.Accepted {
        try wait(client) { if case .accepted(let told) = $0 { told } else { nil } }
    }
    private func ended(_ client: SignallingClient) throws -> CallMessage.Ended {
        try wait(client) { if case .ended(let told) = $0 { told } else { nil } }
    }

    private func invite(_ client: SignallingClient, _ user: String, mode: CallMode? = nil) throws -> CallID {
        let answer = try client.ask(.call(.invite(.init(to: user, media: .audio, mode: mode))))
        guard case .call(.invited(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        return told.call
    }

    private func accept(_ client: SignallingClient, _ call: CallID) throws -> CallMessage.Accepted {
        let answer = try client.ask(.call(.accept(.init(call: call, media: .audio))))
        guard case .call(.accepted(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        return told
    }

    @Test("Two devices ring, one answers, the other stops, the two talk to each other alone, and one ends it")
    func wholeCall() throws {
        try withScene({
            $0.turn.urls = ["turn:turn.example:3478"]
            $0.turn.secret = "secret"
        }) { scene in
            let (ada, other) = (try scene.client("ada"), try scene.client("ada"))
            let (first, second) = (try scene.client("budi"), try scene.client("budi"))
            let call = try invite(ada, "budi")
            #expect(try wait(ada) { if case .ringing(let call) = $0 { call } else { nil } } == call)
            for device in [first, second] {
                let told = try incoming(device)
                #expect(told.call == call && told.from == .init(id: "ada", name: "ada") && !told.waiting)
            }
            let answer = try accept(second, call)
            #expect(!answer.offers && answer.iceServers?.first?.username?.hasSuffix(":budi") == true)
            #expect(
                try wait(first) { if case .endedElsewhere(let told) = $0 { told } else { nil } }
                    == CallMessage.EndedElsewhere(call: call, how: .accepted))
            let told = try accepted(ada)
            #expect(told.offers && told.user.id == "budi" && told.iceServers?.isEmpty == false)

            let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
            let description = CallCommand.Description(call: call, description: .init(type: .offer, sdp: sdp))
            #expect(try ada.ask(.call(.description(description))) == .ok(.init()))
            for number in 1...20 {
                ada.command(.call(.candidate(.init(call: call, candidate: "candidate:\(number)", mid: "0"))))
            }
            #expect(try wait(second) { if case .description(let told) = $0 { told } else { nil } } == description)
            for number in 1...20 {
                let told = try wait(second) { if case .candidate(let told) = $0 { told } else { nil } }
                #expect(told.candidate == "candidate:\(number)")
            }
            for device in [ada, second] {
                #expect(try device.ask(.call(.connected(.init(call: call, path: .direct)))) == .ok(.init()))
            }
            #expect(try wait(ada) { if case .connected(let call) = $0 { call } else { nil } } == call)
            let quality = CallCommand.Quality(call: call, rttMilliseconds: 9, lossPercent: 0, jitterMilliseconds: 1)
            ada.command(.call(.quality(quality)))
            #expect(try wait(second) { if case .quality(let told) = $0 { told } else { nil } } == quality)
            #expect(scene.metric("calls") == 1 && scene.metric("calls_connected_total") == 1)

            #expect(try second.ask(.call(.hangup(call))) == .ok(.init()))
            let end = CallMessage.Ended(call: call, reason: .hungUp, by: .callee)
            #expect(try ended(ada) == end && ended(second) == end)
            #expect(code(try ada.ask(.call(.candidate(.init(call: call, candidate: ""))))) == .callEnded)
            // Nothing of it reached the devices that were not the call's.
            for device in [other, first] {
                #expect(try device.ask(.call(.hangup(call))) == .ok(.init()))
                #expect(device.seen.allSatisfy { if case .call = $0.message { false } else { true } })
            }
            #expect(scene.metric("calls") == 0 && scene.metric("calls_ended_total{reason=\"hungUp\"}") == 1)
        }
    }

    @Test(
        "A socket that is lost while it rings is resumed, and nothing was missed; a session that is lost is told the outcome"
    )
    func resume() throws {
        try withScene({ $0.sessions.resumeSeconds = 2 }) { scene in
            let (ada, budi) = (try scene.client("ada"), try scene.client("budi"))
            let call = try invite(ada, "budi")
            _ = try incoming(budi)
            budi.socket.abort()
            #expect(try ada.ask(.call(.cancel(call))) == .ok(.init()))
            let welcome = try #require(budi.welcome)
            let back = try SignallingClient(port: scene.server.port)
            back.send(
                ClientFrame(
                    id: CommandID(0),
                    .resume(.init(session: welcome.session, resumeToken: welcome.resumeToken, lastSeq: budi.lastSeq))))
            #expect(try ended(back) == .init(call: call, reason: .cancelled, by: .caller))

            // Another call, in which the callee's session is lost: a new one takes the call over.
            let second = try invite(ada, "budi")
            _ = try incoming(back)
            back.command(.call(.accept(.init(call: second, media: .audio))))
            let token = try accepted(back).token
            back.socket.abort()
            // After two seconds the session is over, and the call waits on.
            #expect(Deadline.wait(seconds: 10) { scene.metric("sessions") == 1 })
            let fresh = try scene.client("budi")
            guard
                case .call(.reattached(let told)) = try fresh.ask(
                    .call(.reattach(.init(call: second, token: token))))
            else { return #expect(Bool(false)) }
            #expect(told.state == .connecting && told.user.id == "ada")
            #expect(try ada.ask(.call(.hangup(second))) == .ok(.init()))
            #expect(try ended(fresh) == .init(call: second, reason: .hungUp, by: .caller))
            let late = try fresh.ask(.call(.reattach(.init(call: second, token: token))))
            #expect(late == .call(.ended(.init(call: second, reason: .hungUp, by: .caller))))
        }
    }

    @Test("A call moves into a room that only its two people's tokens did not name")
    func room() throws {
        try withScene { scene in
            let (ada, budi) = (try scene.client("ada"), try scene.client("budi"))
            let stranger = try scene.client("mallory")
            let call = try invite(ada, "budi")
            _ = try incoming(budi)
            _ = try accept(budi, call)
            #expect(try budi.ask(.call(.upgrade(call))) == .ok(.init()))
            let room = try wait(ada) { if case .upgraded(let told) = $0 { told.room } else { nil } }
            #expect(room == "call-\(call)")
            func join(_ client: SignallingClient) throws -> ServerMessage {
                try client.ask(
                    .join(
                        .init(
                            room: room, offer: .init(type: .offer, sdp: BadInputTests.offer()),
                            tracks: [.init(mid: "0", source: .microphone)])))
            }
            #expect(code(try join(stranger)) == .forbidden)
            for client in [ada, budi] {
                guard case .joined(let joined) = try join(client) else { return #expect(Bool(false)) }
                #expect(joined.room == room && joined.participant.role == .speaker)
            }
            #expect(try ada.ask(.call(.hangup(call))) == .ok(.init()))
        }
    }

    @Test("What must not be: oneself, nobody, without the grant, somebody else's call, too large, and wrong in form")
    func badInput() throws {
        try withScene { scene in
            let (ada, budi) = (try scene.client("ada"), try scene.client("budi"))
            let mallory = try scene.client("mallory")
            func refusal(_ client: SignallingClient, _ command: CallCommand) throws -> ProtocolError.Code? {
                code(try client.ask(.call(command)))
            }
            func call(_ user: String) -> CallCommand { .invite(.init(to: user, media: .audio)) }
            #expect(try refusal(mallory, call("mallory")) == .forbidden)
            #expect(try refusal(mallory, call("nobody")) == .unknownUser)
            #expect(try refusal(mallory, call("")) == .malformed)
            #expect(try refusal(mallory, call(String(repeating: "u", count: 257))) == .malformed)
            let without = try scene.client("carol", calls: false)
            #expect(try refusal(without, call("ada")) == .forbidden)
            #expect(try refusal(mallory, call("carol")) == .unknownUser)

            let id = try invite(ada, "budi")
            _ = try incoming(budi)
            for command: CallCommand in [
                .accept(.init(call: id, media: .audio)), .decline(id), .cancel(id), .hangup(id), .upgrade(id),
                .candidate(.init(call: id, candidate: "")), .reattach(.init(call: id, token: "guess")),
            ] {
                #expect(try refusal(mallory, command) == .unknownCall)
            }
            let large = CallCommand.Description(
                call: id, description: .init(type: .offer, sdp: String(repeating: "x", count: 50_000)))
            #expect(try refusal(ada, .description(large)) == .malformed)
            #expect(try refusal(ada, .candidate(.init(call: id, candidate: "a\u{1}"))) == .malformed)
            // 600 KiB are no message at all: that socket is closed, and nobody else notices.
            let huge = try scene.client("mallory")
            huge.socket.send(
                "{\"id\":\"1\",\"type\":\"call.description\",\"call\":\"\(id)\",\"description\":{\"type\":\"offer\",\"sdp\":\""
                    + String(repeating: "x", count: 600 * 1_024) + "\"}}")
            #expect(throws: (any Error).self) { while true { _ = try huge.next() } }
            #expect(try accept(budi, id).call == id)
            #expect(try accepted(ada).call == id)
            #expect(try ada.ask(.call(.hangup(id))) == .ok(.init()))
            #expect(try ended(budi).reason == .hungUp)
            #expect(try refusal(budi, .candidate(.init(call: id, candidate: ""))) == .callEnded)
        }
    }

    @Test("10,000 invitations in a row from one user: an error each, and others call each other meanwhile")
    func flood() throws {
        try withScene { scene in
            let (ada, budi) = (try scene.client("ada"), try scene.client("budi"))
            var mallory = try scene.client("mallory")
            var invited: [CallID] = []
            var codes: Set<ProtocolError.Code> = []
            var sockets = 1
            var sent = 0
            while sent < 10_000 {
                do {
                    switch try mallory.ask(.call(.invite(.init(to: "ada", media: .audio)))) {
                    case .call(.invited(let told)): invited.append(told.call)
                    case .error(let error): codes.insert(error.code)
                    default: Issue.record("an answer of another kind")
                    }
                    sent += 1
                } catch {
                    // Whoever sends that fast is cut off, and comes again.
                    mallory = try scene.client("mallory")
                    sockets += 1
                }
                guard sent % 2_500 == 1_000 else { continue }
                // Ada rings for the flood's one call, and can be called.
                let call = try invite(budi, "ada")
                while try incoming(ada).call != call {}
                #expect(try budi.ask(.call(.cancel(call))) == .ok(.init()))
                sent += 1
            }
            #expect(invited.count == 1 && sockets < 100)
            #expect(codes == [.alreadyInCall, .rateLimited])
            #expect(scene.metric("calls") == 1)
            let call = try #require(invited.first)
            #expect(try accept(ada, call).call == call)
        }
    }
}
