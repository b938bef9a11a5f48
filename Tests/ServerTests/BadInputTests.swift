// Clients that break the rules: each is refused by name, and nobody else notices.
import Bots
import EventLoop
import Server
import Signalling
import TestSupport
import Testing
import Tokens
import Transport
import WholeServers

@Suite("Clients that break the rules", .serialized)
struct BadInputTests {
    /// A server with a watcher in the room; `misbehave` gets a signed-in session that is not in a room.
    private func withWatcher(
        _ change: (inout Configuration) -> Void = { _ in },
        _ misbehave: (TestServer, NativeClient.Host, SignallingClient, NativeClient) throws -> Void
    ) throws {
        let server = try TestServer(change)
        defer { server.stop() }
        let host = try NativeClient.Host()
        defer { host.stop() }
        let watcher = try NativeClient(host, port: server.port, user: "amina", token: TestServer.token("amina"))
        defer { watcher.close() }
        try watcher.join()
        #expect(watcher.waitUntilConnected())
        let client = try SignallingClient(port: server.port)
        try client.hello(token: TestServer.token("mallory"))
        try misbehave(server, host, client, watcher)
        // The watcher's session answers as if nothing had been.
        guard case .ok = try watcher.signalling.ask(.iceRestart) else {
            Issue.record("the watcher's session is disturbed")
            return
        }
        #expect(watcher.received.withLock { $0.state } == .connected)
    }

    private func code(_ message: ServerMessage) -> ProtocolError.Code? {
        if case .error(let error) = message { error.code } else { nil }
    }

    static func offer(sections: Int = 4, fingerprint: String? = nil) -> String {
        var media = NativeMedia()
        media.audioSlots = sections - 2
        media.videoSlots = 0
        return NativeClient.offer(
            ufrag: "abcd", password: "abcdefghijklmnopqrstuvwx",
            fingerprint: fingerprint ?? Array(repeating: "AB", count: 32).joined(separator: ":"), candidates: [],
            media: media, audioSSRC: 1, videoSSRC: 2)
    }

    private static func join(_ sdp: String, room: String = "test") -> ClientCommand {
        .join(
            .init(
                room: room, offer: .init(type: .offer, sdp: sdp),
                tracks: [.init(mid: "0", source: .microphone), .init(mid: "1", source: .camera)]))
    }

    @Test("joining twice is refused, and the first join stands")
    func joinsTwice() throws {
        try withWatcher { _, _, client, _ in
            guard case .joined = try client.ask(Self.join(Self.offer())) else { throw Refused.unexpectedly }
            #expect(try code(client.ask(Self.join(Self.offer()))) == .alreadyJoined)
            #expect(try client.ask(.leave) == .left)
            #expect(try code(client.ask(.leave)) == .notJoined)
        }
    }

    @Test("publishing without the grant: the sections are refused by name, the slots stay")
    func publishesWithoutGrant() throws {
        try withWatcher { server, _, _, _ in
            let listener = try SignallingClient(port: server.port)
            try listener.hello(token: TestServer.token("listener") { $0.canPublish = .sources(["microphone"]) })
            guard case .joined(let joined) = try listener.ask(Self.join(Self.offer())) else {
                throw Refused.unexpectedly
            }
            #expect(joined.refused == [.init(mid: "1", reason: .notPermitted)])
            #expect(joined.participant.tracks.map(\.source) == [.microphone])
            #expect(joined.slots.count == 2)
        }
    }

    @Test("a client that sends an answer is told that the client always offers")
    func sendsAnswer() throws {
        try withWatcher { _, _, client, _ in
            client.socket.send(#"{"id":"1","type":"answer","sdp":"v=0"}"#)
            let frame = try client.next()
            #expect(code(frame.message) == .unexpectedAnswer)
        }
    }

    @Test("ten thousand messages a second end in 4429")
    func floods() throws {
        try withWatcher { _, _, client, _ in
            // Read between the messages until the server has nothing more to say: what a reset throws away cannot be
            // looked at.
            var code: UInt16?
            for id in 1...10_000 where code == nil {
                client.socket.send(#"{"id":"\#(id)","type":"iceRestart"}"#)
                if id.isMultiple(of: 100) { code = client.socket.closeCode(milliseconds: 20) }
            }
            #expect(code == 4429)
        }
    }

    @Test("five hundred media sections are refused at once; a hundred more slots than allowed too")
    func manySections() throws {
        try withWatcher { _, _, client, _ in
            #expect(try code(client.ask(Self.join(Self.offer(sections: 500)))) == .invalidOffer)
            #expect(try code(client.ask(Self.join("v=0\r\nnonsense"))) == .invalidOffer)
            let lines = String(repeating: "a=x\r\n", count: 10_001)
            #expect(try code(client.ask(Self.join(Self.offer() + lines))) == .invalidOffer)
            guard case .joined = try client.ask(Self.join(Self.offer())) else { throw Refused.unexpectedly }
        }
    }

    @Test("a token for another room, an expired one, a forged one: each with its own words")
    func tokens() throws {
        try withWatcher { server, _, client, _ in
            #expect(try code(client.ask(Self.join(Self.offer(), room: "other"))) == .forbidden)
            for (token, word) in [
                (try TestServer.token("late", seconds: -100), "expired"),
                (try TestServer.token("forged").replacingLast(), "signature"),
            ] {
                let other = try SignallingClient(port: server.port)
                #expect(throws: SignallingClient.Failure.self) { try other.hello(token: token) }
                do {
                    while true { _ = try other.socket.receive() }
                } catch WebSocketClient.Failure.closed(let code, let reason) {
                    #expect(code == 4401)
                    #expect(reason.contains(word))
                }
            }
        }
    }

    @Test("a full room says so")
    func fullRoom() throws {
        try withWatcher({ $0.rooms.maximumParticipants = 1 }) { _, _, client, _ in
            let answer = try client.ask(Self.join(Self.offer()))
            #expect(code(answer) == .roomFull)
        }
    }

    @Test("a client that never begins ICE and DTLS is let go, and the others are told")
    func neverConnects() throws {
        try withWatcher({ $0.sessions.resumeSeconds = 1 }) { server, host, client, _ in
            guard case .joined(let joined) = try client.ask(Self.join(Self.offer())) else { throw Refused.unexpectedly }
            // Its socket is lost too: the session ends with the resume window.
            client.socket.abort()
            let other = try NativeClient(host, port: server.port, user: "budi", token: TestServer.token("budi"))
            defer { other.close() }
            let budi = try other.join()
            let isThere = budi.participants.contains { $0.id == joined.participant.id }
            guard isThere else { return }
            let left = try other.signalling.wait { if case .participantLeft(let left) = $0 { left } else { nil } }
            #expect(left.participant == joined.participant.id && left.reason == .timedOut)
        }
    }

    @Test("a wrong fingerprint in the description: DTLS fails, no media flows")
    func wrongFingerprint() throws {
        try withWatcher { server, host, _, _ in
            let impostor = try NativeClient(host, port: server.port, user: "eve", token: TestServer.token("eve"))
            defer { impostor.close() }
            impostor.fingerprintToClaim = Array(repeating: "AB", count: 32).joined(separator: ":")
            try impostor.join()
            let failed = try impostor.signalling.wait {
                if case .mediaState(let state) = $0 { state.state } else { nil }
            }
            #expect(failed == .failed)
            #expect(impostor.received.withLock { $0.rtp }.isEmpty)
        }
    }

    @Test("a client that stops reading its socket is cut off, and the room goes on")
    func stopsReading() throws {
        try withWatcher { server, host, client, watcher in
            guard case .joined = try client.ask(Self.join(Self.offer())) else { throw Refused.unexpectedly }
            // It never reads again. Somebody else makes events until the server has let it go.
            let noisy = try NativeClient(host, port: server.port, user: "budi", token: TestServer.token("budi"))
            defer { noisy.close() }
            try noisy.join()
            var isMuted = false
            let wasCut = Deadline.wait(seconds: 60) {
                isMuted.toggle()
                guard let answer = try? noisy.signalling.ask(.mute(.init(mid: "0", muted: isMuted))) else {
                    return false
                }
                if code(answer) == .rateLimited { Pause.milliseconds(20) }
                watcher.signalling.acknowledge()
                return noisy.signalling.seen.contains {
                    if case .participantLeft = $0.message { true } else { false }
                }
            }
            #expect(wasCut)
        }
    }

    @Test(
        "who does not answer the server's pings is taken for lost, and whoever does is not; 30 and 90 seconds where nothing is said"
    )
    func silent() throws {
        let defaults = Configuration().sessions
        #expect(defaults.heartbeatSeconds == 30 && defaults.silenceSeconds == 90)
        let server = try TestServer { ($0.sessions.heartbeatSeconds, $0.sessions.silenceSeconds) = (1, 3) }
        defer { server.stop() }
        // Nobody reads on the one socket; on the other pings are read and answered, and nothing else is said.
        let (silent, awake) = (try SignallingClient(port: server.port), try SignallingClient(port: server.port))
        try silent.hello(token: TestServer.token("silent"))
        #expect(try awake.hello(token: TestServer.token("awake")).heartbeatSeconds == 1)
        let begin = MonotonicClock.now
        while MonotonicClock.now - begin < 6_000_000_000 {
            #expect(throws: WebSocketClient.Failure.timedOut) { _ = try awake.next(milliseconds: 300) }
        }
        #expect(throws: WebSocketClient.Failure.broken) { _ = try silent.next() }
        #expect(try code(awake.ask(.leave)) == .notJoined)
    }

    private enum Refused: Error { case unexpectedly }
}

extension String {
    /// The same text with its last character changed.
    fileprivate func replacingLast() -> String { String(dropLast(2)) + (hasSuffix("AA") ? "BB" : "AA") }
}
