// Consent to send (RFC 7675) and a network that is away for a while: what it costs, and when the path is over.
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Transport

@Suite("Consent to send", .serialized)
struct ConsentTests {
    /// A server's and a client's transport with a hop between them.
    private struct Scene {
        let world: TransportWorld
        let server: Side
        let client: Side
        let relay: CutRelay
        private let numbers = Numbers()

        /// Packets, none of which is a replay of one before. On the loop's thread only.
        private final class Numbers {
            private var last: UInt16 = 0
            func packet(ssrc: UInt32) -> [UInt8] {
                last += 1
                return rtpPacket(sequence: last, ssrc: ssrc, payload: [1])
            }
        }

        init(doubtedTime: Int64? = nil) throws {
            let world = try TransportWorld()
            self.world = world
            (server, client) = try world.run {
                var configuration = TransportWorld.loopback
                if let doubtedTime { configuration.doubtedTime = doubtedTime }
                return (try world.makeSide(.server, configuration), try world.makeSide(.client))
            }
            let server = server, client = client
            let candidate = try #require(
                world.run { server.transport.localCandidates.first.flatMap { ICECandidate($0) } })
            let relay = CutRelay(toPort: candidate.port)
            self.relay = relay
            try world.run { try Self.describe(server, client, relay, world) }
            try #require(world.connect((server, client)))
        }

        /// Each knows the other; the client by the hop, the server by what comes out of it.
        static func describe(_ server: Side, _ client: Side, _ relay: CutRelay, _ world: TransportWorld) throws {
            try world.describe(client, to: server, candidates: false)
            try world.describe(server, to: client, candidates: false)
            let hop = ICECandidate(
                foundation: "1", priority: 0x7E00_00FF, address: "127.0.0.1", port: relay.port, kind: .host)
            #expect(client.transport.addRemoteCandidate(hop.text) == .accepted)
        }

        /// Whether packets of both sides reach the other within some time.
        func flows(seconds: Int64 = 2) -> Bool {
            let server = server, client = client, numbers = numbers
            let before = world.run { (server.listener.rtp.count, client.listener.rtp.count) }
            return world.eventually(seconds: seconds) {
                _ = TransportWorld.send(numbers.packet(ssrc: 1), on: server.transport)
                _ = TransportWorld.send(numbers.packet(ssrc: 2), on: client.transport)
                return server.listener.rtp.count > before.0 && client.listener.rtp.count > before.1
            }
        }

        func finish() {
            world.end()
            relay.stop()
        }
    }

    @Test("A network that is away for longer: the path is over and stays over, and a restart brings it back")
    func longCut() throws {
        let scene = try Scene(doubtedTime: 1_500_000_000)
        defer { scene.finish() }
        let world = scene.world, server = scene.server, client = scene.client
        try #require(scene.flows())
        scene.relay.cut(true)
        #expect(world.eventually(seconds: 16) { server.transport.state == .failed(.iceFailed) })
        scene.relay.cut(false)
        #expect(!scene.flows(seconds: 1))
        world.run {
            let packet = rtpPacket(sequence: 60_000, ssrc: 1, payload: [1])
            #expect(TransportWorld.send(packet, on: server.transport) == .notConnected)
            #expect(server.listener.states == [.connected, .disconnected, .failed(.iceFailed)])
        }
        try world.run {
            client.transport.restartICE()
            try Scene.describe(server, client, scene.relay, world)
        }
        #expect(world.eventually { server.transport.state == .connected })
        #expect(scene.flows())
    }

    /// How long the network is away, in seconds: MAJLIS_CUT_SECONDS, up to 28.
    private static let cutSeconds = getenv("MAJLIS_CUT_SECONDS").flatMap { Int64(String(cString: $0)) } ?? 15

    @Test("Fifteen seconds without a network: packets go on, and arrive again as soon as it is back")
    func fifteenSeconds() throws {
        let scene = try Scene()
        defer { scene.finish() }
        let world = scene.world, server = scene.server, client = scene.client
        try #require(scene.flows())
        let ufrag = world.run { server.transport.localUfrag }
        scene.relay.cut(true)
        #expect(
            !world.eventually(seconds: Self.cutSeconds) {
                server.transport.path == nil || client.transport.path == nil
            })
        #expect(world.run { server.transport.state } == .disconnected)
        scene.relay.cut(false)
        #expect(scene.flows(seconds: 2))
        // And consent is given again, or the path would be over soon.
        #expect(
            world.eventually(seconds: 5) {
                server.transport.state == .connected && client.transport.state == .connected
            })
        world.run {
            #expect(server.listener.states == [.connected, .disconnected, .connected])
            #expect(server.transport.localUfrag == ufrag)
        }
    }

    @Test("Consent is asked for and given without packets: twelve seconds of silence mean nothing")
    func silence() throws {
        let scene = try Scene()
        defer { scene.finish() }
        let server = scene.server
        #expect(!scene.world.eventually(seconds: 12) { server.transport.state != .connected })
        #expect(scene.flows())
    }
}
