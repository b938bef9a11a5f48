// The order in which the people of a room hear of each other, when clients do several things at once.
import Bots
import EventLoop
import Server
import Signalling
import TestSupport
import Testing
import WholeServers

@Suite("Order of events under pressure", .serialized)
struct AttackTestsOrder {
    private static func version(_ message: ServerMessage) -> (String, UInt64)? {
        switch message {
        case .participantJoined(let it): ("joined", it.version)
        case .participantLeft(let it): ("left", it.version)
        case .trackMuted(let it): ("muted", it.version)
        case .trackPublished(let it): ("published", it.version)
        case .trackUnpublished(let it): ("unpublished", it.version)
        default: nil
        }
    }

    @Test("a client that joins, mutes and leaves in one breath: the others are told in this order")
    func pipelined() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        scene.watcher.signalling.acknowledge()
        try scene.attack {
            let mallory = try SignallingClient(port: scene.port)
            try mallory.hello(token: TestServer.token("mallory"))
            mallory.command(
                .join(
                    .init(
                        room: "test", offer: .init(type: .offer, sdp: BadInputTests.offer()),
                        tracks: [.init(mid: "0", source: .microphone), .init(mid: "1", source: .camera)])))
            mallory.command(.mute(.init(mid: "0", muted: true)))
            mallory.command(.mute(.init(mid: "1", muted: true)))
            let left = mallory.command(.leave)
            #expect(try mallory.answer(to: left) == .left)
        }
        var told: [(String, UInt64)] = []
        _ = try scene.watcher.signalling.wait { message -> Bool? in
            guard let (name, version) = Self.version(message) else { return nil }
            told.append((name, version))
            return name == "left" ? true : nil
        }
        #expect(told.map(\.0) == ["joined", "muted", "muted", "left"])
        let first = try #require(told.first).1
        #expect(told.map(\.1) == [first, first + 1, first + 2, first + 3])
    }

    @Test("one who never acknowledges is dropped in the middle of an announcement: the others miss no version")
    func droppedInTheMiddle() throws {
        let server = try TestServer {
            $0.sessions.commandsPerSecond = 100_000
            $0.sessions.commandBurst = 100_000
            $0.sessions.userCommandsPerSecond = 0
            $0.rooms.changesPerSecond = 100_000
        }
        defer { server.stop() }
        let people = try ["noisy", "deaf", "late"].map { user in
            let client = try SignallingClient(port: server.port)
            try client.hello(token: TestServer.token(user))
            guard
                case .joined = try client.ask(
                    .join(
                        .init(
                            room: "test", offer: .init(type: .offer, sdp: BadInputTests.offer()),
                            tracks: [.init(mid: "0", source: .microphone), .init(mid: "1", source: .camera)])))
            else { throw SignallingClient.Failure.unexpected(user) }
            return client
        }
        let (noisy, late) = (people[0], people[2])
        var versions: [UInt64] = []
        var hasLeft = false
        for step in 0..<1_500 where !hasLeft {
            _ = try noisy.ask(.mute(.init(mid: "0", muted: step % 2 == 0)))
            while let frame = try? late.next(milliseconds: 0) {
                if let (name, version) = Self.version(frame.message) {
                    versions.append(version)
                    if name == "left" { hasLeft = true }
                }
            }
            if step % 50 == 0 { late.send(ClientFrame(ack: late.lastSeq, .ack)) }
        }
        while let frame = try? late.next(milliseconds: 200) {
            if let (_, version) = Self.version(frame.message) { versions.append(version) }
        }
        #expect(hasLeft)
        let first = try #require(versions.first)
        #expect(versions == Array(first..<(first + UInt64(versions.count))))
        withExtendedLifetime(people) {}
    }

    @Test("an offer that says a track is not muted unmutes it for its media as well")
    func offerUnmutes() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        guard case .ok = try scene.speaker.signalling.ask(.mute(.init(mid: "0", muted: true))),
            case .answer = try scene.speaker.signalling.ask(
                .offer(
                    .init(
                        sdp: scene.speaker.offer,
                        tracks: [.init(mid: "0", source: .microphone), .init(mid: "1", source: .camera)])))
        else {
            Issue.record("refused")
            return
        }
        let unmuted = try scene.watcher.signalling.wait { message -> Bool? in
            if case .trackMuted(let it) = message, !it.muted { true } else { nil }
        }
        #expect(unmuted)
        // The media goes on.
        scene.watcher.received.withLock { $0.rtp = [] }
        #expect(Deadline.wait(seconds: 10) { scene.watcher.received.withLock { $0.rtp.count } > 10 })
    }
}
