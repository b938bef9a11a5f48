// Who may be where: races of joining, resuming, replacing and ending, and what tokens do not grant.
import Bots
import EventLoop
import Server
import Signalling
import Testing
import Tokens
import WholeServers

@Suite("Presence and grants under attack", .serialized)
struct AttackTestsPresence {
    private static func join(_ sdp: String = BadInputTests.offer(), device: String? = nil) -> ClientCommand {
        .join(
            .init(
                room: "test", device: device, offer: .init(type: .offer, sdp: sdp),
                tracks: [.init(mid: "0", source: .microphone), .init(mid: "1", source: .camera)]))
    }

    private static func code(_ message: ServerMessage) -> ProtocolError.Code? {
        if case .error(let error) = message { error.code } else { nil }
    }

    /// The ids of those that the watcher sees come and go until `user` has come and everybody else named so has gone.
    private static func people(_ client: SignallingClient) throws -> [String] {
        client.acknowledge()
        guard case .joined(let joined) = try client.ask(join()) else {
            throw SignallingClient.Failure.unexpected("join")
        }
        return joined.participants.map(\.user)
    }

    @Test("the socket is lost while the join is on its way and resumed at once: the answer comes on the new one, once")
    func resumeWhileJoining() throws {
        let server = try TestServer()
        defer { server.stop() }
        for round in 0..<20 {
            let first = try SignallingClient(port: server.port)
            let welcome = try first.hello(token: TestServer.token("ada\(round)"))
            let id = first.command(Self.join())
            if round % 2 == 0 { first.socket.abort() }
            let second = try SignallingClient(port: server.port)
            second.send(
                ClientFrame(
                    id: CommandID(0),
                    .resume(.init(session: welcome.session, resumeToken: welcome.resumeToken, lastSeq: 1))))
            var answers = 0
            var isIn = false
            while answers == 0 {
                let frame = try second.next()
                if case .resumed(let resumed) = frame.message, resumed.lastCommand.number == 0 {
                    // The command was lost with the socket: it is sent again, as the protocol has it.
                    second.send(ClientFrame(id: id, .command(Self.join())))
                }
                if frame.re == id {
                    answers += 1
                    if case .joined = frame.message { isIn = true }
                }
            }
            #expect(isIn)
            second.send(ClientFrame(id: CommandID(2), .command(.leave)))
            while true {
                let frame = try second.next()
                if frame.re == CommandID(2) {
                    #expect(frame.message == .left)
                    break
                }
                #expect(frame.re != id, "the join was answered twice")
            }
        }
    }

    @Test("the same device joins ten times at once: one of them is there at the end, and no ghost")
    func sameDeviceAtOnce() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        try scene.attack {
            let sessions = try (0..<10).map { _ in
                let client = try SignallingClient(port: scene.port)
                try client.hello(token: TestServer.token("mallory"))
                return client
            }
            for session in sessions { session.command(Self.join(device: "one")) }
            for session in sessions.dropLast() { #expect(session.socket.closeCode() == 4409) }
            let last = try #require(sessions.last)
            guard case .joined(let joined) = try last.answer(to: CommandID(1)) else {
                throw SignallingClient.Failure.unexpected("the last one is not in")
            }
            #expect(joined.participants.map(\.user).sorted() == ["amina", "budi"])
            let other = try SignallingClient(port: scene.port)
            try other.hello(token: TestServer.token("carol"))
            #expect(try Self.people(other).sorted() == ["amina", "budi", "mallory"])
        }
    }

    @Test("a wrong resume secret takes nothing over, and does not disturb the session it names")
    func wrongSecret() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        let victim = try SignallingClient(port: scene.port)
        let welcome = try victim.hello(token: TestServer.token("carol"))
        for secret in ["x", String(welcome.resumeToken.dropLast()), welcome.resumeToken + "0", welcome.session] {
            let thief = try SignallingClient(port: scene.port)
            thief.send(
                ClientFrame(
                    id: CommandID(0), .resume(.init(session: welcome.session, resumeToken: secret, lastSeq: 1))))
            #expect(thief.socket.closeCode() == 4408)
        }
        guard case .joined = try victim.ask(Self.join()) else {
            Issue.record("the victim is disturbed")
            return
        }
    }

    @Test(
        "a hidden person publishes nothing, is told to nobody and cannot be pinned; one who may not subscribe has no slot"
    )
    func grants() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        let hidden = try SignallingClient(port: scene.port)
        try hidden.hello(token: TestServer.token("ghost") { $0.hidden = true })
        guard case .joined(let ghost) = try hidden.ask(Self.join()) else {
            throw SignallingClient.Failure.unexpected("")
        }
        #expect(ghost.participant.tracks.isEmpty)
        #expect(ghost.refused.map(\.reason) == [.notPermitted, .notPermitted])
        guard case .ok = try hidden.ask(.subscribe(.init(slots: [.init(mid: "2", pin: "p1/0")]))) else {
            throw SignallingClient.Failure.unexpected("a hidden person may watch")
        }
        #expect(try Self.code(hidden.ask(.mute(.init(mid: "0", muted: true)))) == .unknownTrack)
        // A later offer brings nothing in either, by another source's name.
        guard
            case .answer(let answer) = try hidden.ask(
                .offer(
                    .init(
                        sdp: BadInputTests.offer(),
                        tracks: [.init(mid: "0", source: .screenAudio), .init(mid: "1", source: .screen)])))
        else { throw SignallingClient.Failure.unexpected("") }
        #expect(answer.refused.map(\.reason) == [.notPermitted, .notPermitted])

        let deaf = try SignallingClient(port: scene.port)
        try deaf.hello(token: TestServer.token("deaf") { $0.canSubscribe = false })
        guard case .joined(let joined) = try deaf.ask(Self.join()) else {
            throw SignallingClient.Failure.unexpected("")
        }
        #expect(joined.slots.isEmpty)
        #expect(!joined.participants.contains { $0.user == "ghost" })
        #expect(try Self.code(deaf.ask(.subscribe(.init(slots: [.init(mid: "2")])))) == .unknownSlot)
        let pin = "\(ghost.participant.id)/0"
        #expect(
            try Self.code(scene.watcher.signalling.ask(.subscribe(.init(slots: [.init(mid: "2", pin: pin)]))))
                == .unknownTrack)
        #expect(try hidden.ask(.leave) == .left)
        scene.watcher.signalling.acknowledge()
        #expect(!scene.watcher.signalling.seen.contains { $0.text.contains(ghost.participant.id + "\"") })
    }

    @Test("the server ends while joins are on their way: every socket is closed in good order")
    func drainWhileJoining() throws {
        let server = try TestServer()
        let sessions = try (0..<30).map { index in
            let client = try SignallingClient(port: server.port)
            try client.hello(token: TestServer.token("guest\(index)"))
            return client
        }
        for session in sessions { session.command(Self.join()) }
        server.stop()
        for session in sessions { #expect(session.socket.closeCode() == 1_001) }
    }
}
