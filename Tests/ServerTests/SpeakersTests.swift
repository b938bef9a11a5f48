// The way of what a worker tells of speakers to everybody's `speakers` message: whole, by names, to those who come later and come back
// as well.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import MediaCore
@testable import Server

@Suite("Who speaks, told", .serialized)
struct SpeakersTests {
    private struct Scene {
        let server: RunningServer
        let host: NativeClient.Host
        let tell: @Sendable (WorkerEvent) -> Void

        init() throws {
            var configuration = Configuration()
            configuration.listen.host = "127.0.0.1"
            configuration.listen.port = 0
            configuration.tokens.secret = TestServer.secret
            configuration.media.addresses = ["127.0.0.1"]
            configuration.media.allowPrivateCandidates = true
            configuration.media.workers = 1
            let door = Lock<(@Sendable (WorkerEvent) -> Void)?>(nil)
            server = try RunningServer(configuration, log: Log(level: .error)) { worker, report in
                door.withLock { $0 = report }
                return worker
            }
            host = try NativeClient.Host()
            tell = try #require(door.withLock { $0 })
        }

        func client(_ name: String) throws -> NativeClient {
            try NativeClient(host, port: server.port, user: name, token: TestServer.token(name))
        }
    }

    private static let room = RoomKey(serial: 1)

    private func number(_ client: NativeClient) throws -> PeerID {
        PeerID(try #require(client.joined).participant.number)
    }

    private func name(_ client: NativeClient) throws -> String { try #require(client.joined).participant.id }

    private func next(_ client: SignallingClient, _ isWanted: (ServerMessage.Speakers) -> Bool) throws
        -> ServerMessage.Speakers
    {
        try client.wait { if case .speakers(let speakers) = $0, isWanted(speakers) { speakers } else { nil } }
    }

    @Test("Everybody is told by names, the speaker too; who is not there is left out, who comes later is told at once")
    func everybody() throws {
        let scene = try Scene()
        let amina = try scene.client("amina")
        let budi = try scene.client("budi")
        let carol = try scene.client("carol")
        defer {
            for client in [amina, budi, carol] { client.close() }
            scene.host.stop()
            scene.server.stop()
        }
        try amina.join()
        try budi.join()
        let gone = PeerID(77)
        scene.tell(
            .speakers(
                Self.room,
                SpeakerReport(
                    dominant: try number(budi),
                    active: [
                        .init(peer: try number(budi), level: 24), .init(peer: gone, level: 30),
                        .init(peer: try number(amina), level: 42),
                    ])))
        let expected = ServerMessage.Speakers(
            dominant: try name(budi),
            active: [
                .init(participant: try name(budi), level: 24), .init(participant: try name(amina), level: 42),
            ])
        for client in [amina, budi] { #expect(try next(client.signalling) { $0.active.count == 2 } == expected) }
        try carol.join()
        #expect(try next(carol.signalling) { $0.active.count == 2 } == expected)
        #expect(!carol.signalling.seen.contains { $0.seq != nil && $0.message.type == "speakers" })
        // One that is gone is nobody, and a room that there is not is told nothing.
        scene.tell(.speakers(RoomKey(serial: 9), SpeakerReport(dominant: try number(amina), active: [])))
        scene.tell(.speakers(Self.room, SpeakerReport(dominant: gone, active: [])))
        #expect(try next(amina.signalling) { $0.active.isEmpty }.dominant == nil)
    }

    @Test("Who comes back on another socket is told the newest")
    func resumed() throws {
        let scene = try Scene()
        let amina = try scene.client("amina")
        defer {
            amina.close()
            scene.host.stop()
            scene.server.stop()
        }
        try amina.join()
        let own = try number(amina)
        scene.tell(.speakers(Self.room, SpeakerReport(dominant: own, active: [.init(peer: own, level: 30)])))
        _ = try next(amina.signalling) { !$0.active.isEmpty }
        let welcome = try #require(amina.signalling.welcome)
        let again = try SignallingClient(port: scene.server.port)
        again.send(
            ClientFrame(
                id: CommandID(0),
                .resume(
                    .init(
                        session: welcome.session, resumeToken: welcome.resumeToken,
                        lastSeq: amina.signalling.lastSeq))))
        let told = try next(again) { _ in true }
        #expect(told.active.map(\.level) == [30])
    }
}
