// The way of `layersWanted` from a worker to the publisher's `layers` message: to nobody else, after a resume too, and never about
// a track that is not that one any more.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import MediaCore
@testable import Server

@Suite("Layers that nobody needs", .serialized)
struct LayersTests {
    /// A server whose control plane can be told what a worker would tell it.
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

        func client(_ name: String, simulcast: Bool = false) throws -> NativeClient {
            let client = try NativeClient(host, port: server.port, user: name, token: TestServer.token(name))
            if simulcast { client.rewriteOffer = Self.simulcast }
            return client
        }

        /// The offer with three encodings of the camera.
        private static func simulcast(_ offer: String) -> String {
            var sections = offer.components("m=")
            sections = sections.enumerated().map { index, section in
                guard index > 0, section.hasPrefix("video"), section.contains("a=sendonly") else { return section }
                return section + "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
                    + "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;h;f\r\n"
            }
            return sections.joined(separator: "m=")
        }

        func close(_ clients: NativeClient...) {
            for client in clients { client.close() }
            host.stop()
            server.stop()
        }
    }

    private static let room = RoomKey(serial: 1)
    private static let expected: [ServerMessage.Layers.Encoding] = [
        .init(rid: "q", active: true), .init(rid: "h", active: false), .init(rid: "f", active: false),
    ]

    private static func track(_ client: NativeClient, _ mid: String) throws -> TrackID {
        TrackID(peer: PeerID(try #require(client.joined).participant.number), mid: try #require(Mid(mid)))
    }

    @Test("The publisher is told by rid, the lowest first, and nobody else is; what does not fit its track is left out")
    func publisher() throws {
        let scene = try Scene()
        let amina = try scene.client("amina", simulcast: true)
        let budi = try scene.client("budi")
        defer { scene.close(amina, budi) }
        try amina.join()
        try budi.join()
        let camera = try Self.track(amina, NativeMedia.camera)
        // Another number of layers, a track without rids, one that there is not, and a room that there is not.
        scene.tell(.layers(Self.room, camera, [true, false]))
        scene.tell(.layers(Self.room, try Self.track(amina, NativeMedia.microphone), [true]))
        scene.tell(.layers(Self.room, try Self.track(budi, NativeMedia.camera), [false]))
        scene.tell(.layers(Self.room, try Self.track(amina, "77"), [true, true, true]))
        scene.tell(.layers(RoomKey(serial: 99), camera, [true, true, true]))
        scene.tell(.layers(Self.room, camera, [true, false, false]))
        let told = try amina.signalling.wait { if case .layers(let layers) = $0 { layers } else { nil } }
        #expect(told == ServerMessage.Layers(mid: NativeMedia.camera, encodings: Self.expected))
        // An answer behind it shows that nothing came before.
        _ = try budi.signalling.ask(.mute(.init(mid: NativeMedia.microphone, muted: true)))
        #expect(!budi.signalling.seen.contains { if case .layers = $0.message { true } else { false } })
    }

    @Test("What was told while the socket was lost comes after the resume, the newest last")
    func resumed() throws {
        let scene = try Scene()
        let amina = try scene.client("amina", simulcast: true)
        defer { scene.close(amina) }
        try amina.join()
        let camera = try Self.track(amina, NativeMedia.camera)
        scene.tell(.layers(Self.room, camera, [true, true, false]))
        let first = try amina.signalling.wait { if case .layers(let layers) = $0 { layers } else { nil } }
        #expect(first.encodings.map(\.active) == [true, true, false])
        let welcome = try #require(amina.signalling.welcome)
        let again = try SignallingClient(port: scene.server.port)
        scene.tell(.layers(Self.room, camera, [false, false, false]))
        scene.tell(.layers(Self.room, camera, [true, false, false]))
        again.send(
            ClientFrame(
                id: CommandID(0),
                .resume(
                    .init(
                        session: welcome.session, resumeToken: welcome.resumeToken,
                        lastSeq: amina.signalling.lastSeq))))
        var told: [[Bool]] = []
        while told.count < 2 {
            let frame = try again.next()
            if case .layers(let layers) = frame.message { told.append(layers.encodings.map(\.active)) }
        }
        #expect(told == [[false, false, false], [true, false, false]])
    }
}

extension String {
    /// The parts between a separator that is a string.
    fileprivate func components(_ separator: String) -> [String] {
        var parts: [String] = [""]
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                parts.append("")
                rest = rest.dropFirst(separator.count)
            } else {
                parts[parts.count - 1].append(rest.removeFirst())
            }
        }
        return parts
    }
}
