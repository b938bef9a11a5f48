// Whole transports over real sockets on loopback: both directions, foreign senders, restarts, loss of the other side,
// shares of a turn, and what is left when they are closed.
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Transport

@Suite("Peer transports", .serialized)
struct PeerTransportTests {
    @Test("Two transports connect and carry RTP and RTCP both ways")
    func endToEnd() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        let packets = (0..<50).map {
            rtpPacket(sequence: UInt16($0), ssrc: 7, payload: [UInt8](repeating: 1, count: 900))
        }
        world.run {
            #expect(pair.server.transport.profile == .aes128GCM)
            #expect(pair.server.listener.states == [.connected])
            for packet in packets {
                #expect(TransportWorld.send(packet, on: pair.server.transport) == .sent)
                #expect(TransportWorld.send(packet, on: pair.client.transport) == .sent)
            }
            #expect(TransportWorld.send(rtcpPacket(ssrc: 7), on: pair.server.transport, rtcp: true) == .sent)
            #expect(TransportWorld.send(rtcpPacket(ssrc: 7), on: pair.client.transport, rtcp: true) == .sent)
        }
        #expect(
            world.eventually {
                pair.server.listener.rtp.count == 50 && pair.client.listener.rtp.count == 50
                    && pair.server.listener.rtcp.count == 1 && pair.client.listener.rtcp.count == 1
            })
        world.run {
            #expect(pair.server.listener.rtp == packets)
            #expect(pair.client.listener.rtp == packets)
            #expect(pair.client.listener.rtcp == [rtcpPacket(ssrc: 7)])
            let sent = pair.server.transport.statistics, received = pair.client.transport.statistics
            #expect(sent.packetsSent == 51)
            #expect(received.packetsReceived == 51)
            #expect(sent.bytesSent == received.bytesReceived)
            #expect(received.authenticationFailures == 0)
            #expect(received.malformed == 0)
            #expect(received.readDirectly > 0)
        }
    }

    @Test("IPv6 works as IPv4 does")
    func overIPv6() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let configuration = TransportConfiguration(localAddresses: ["::1"], remoteAddresses: .loopback)
        let pair = try world.makePair(server: configuration, client: configuration)
        try #require(world.connect(pair))
        world.run {
            #expect(pair.server.transport.localCandidates.allSatisfy { $0.contains(" ::1 ") })
            _ = TransportWorld.send(rtpPacket(sequence: 1, ssrc: 7, payload: [1]), on: pair.server.transport)
        }
        #expect(world.eventually { pair.client.listener.rtp.count == 1 })
    }

    @Test("A server that checks no loopback candidate is still reached by the client's own checks")
    func peerReflexive() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let strict = TransportConfiguration(localAddresses: ["127.0.0.1"])
        let (server, client) = try world.run {
            let server = try world.makeSide(.server, strict), client = try world.makeSide(.client)
            try world.describe(server, to: client)
            try world.describe(client, to: server, candidates: false)
            for candidate in client.transport.localCandidates {
                #expect(server.transport.addRemoteCandidate(candidate) == .forbiddenAddress)
            }
            return (server, client)
        }
        #expect(world.connect((server, client)))
    }

    @Test("The port range is kept, candidates carry announced addresses, and a full range is a named failure")
    func portsAndAddresses() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let configuration = TransportConfiguration(
            localAddresses: ["127.0.0.1"], portRange: 47_310...47_312,
            announcedAddresses: [AnnouncedAddress(announced: "203.0.113.7")])
        world.run {
            for _ in 0..<3 {
                guard let side = try? world.makeSide(.server, configuration) else { break }
                let candidates = side.transport.localCandidates.compactMap { ICECandidate($0) }
                #expect(candidates.count == 1)
                #expect(candidates.allSatisfy { (47_310...47_312).contains($0.port) })
                #expect(candidates.allSatisfy { $0.address == "203.0.113.7" && $0.component == 1 && $0.isUDP })
            }
            #expect(throws: TransportError.noFreePort) { try world.makeSide(.server, configuration) }
            #expect(throws: TransportError.self) {
                try world.makeSide(.server, TransportConfiguration(localAddresses: ["203.0.113.9"]))
            }
            #expect(world.poller.count == 3)
        }
    }

    @Test("Bad descriptions are refused by name and break nothing")
    func badDescriptions() throws {
        let world = try TransportWorld()
        defer { world.end() }
        world.run {
            guard let server = try? world.makeSide(.server) else { return }
            let good = (algorithm: "sha-256", value: world.clientContext.identity.fingerprint.value)
            for (ufrag, password, fingerprints) in [
                ("", "0123456789012345678901", [good]), ("abc", "0123456789012345678901", [good]),
                ("abcd", "short", [good]), ("ab cd", "0123456789012345678901", [good]),
                ("abcd\n", "0123456789012345678901", [good]),
                (String(repeating: "a", count: 257), "0123456789012345678901", [good]),
                ("abcd", "0123456789012345678901", []), ("abcd", "0123456789012345678901", [("sha-1", "00")]),
            ] {
                #expect(throws: TransportError.self) {
                    try server.transport.setRemote(ufrag: ufrag, password: password, fingerprints: fingerprints)
                }
            }
            #expect(server.transport.addRemoteCandidate("nonsense") == .malformed)
            #expect(
                server.transport.addRemoteCandidate("candidate:1 1 udp 1 a.local 5 typ host") == .name)
            for port in 0..<ICEAgent.maximumRemoteCandidates {
                _ = server.transport.addRemoteCandidate("candidate:1 1 udp 1 127.0.0.1 \(port + 1) typ host")
            }
            #expect(
                server.transport.addRemoteCandidate("candidate:1 1 udp 1 127.0.0.1 9999 typ host") == .tooMany)
            #expect(server.transport.state == .connecting)
        }
    }

    @Test("A wrong fingerprint: no keys, no media, a named failure")
    func wrongFingerprint() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let other = try DTLSIdentity()
        let (server, client) = try world.run {
            let server = try world.makeSide(.server), client = try world.makeSide(.client)
            try world.describe(server, to: client)
            try world.describe(client, to: server, fingerprint: other.fingerprint)
            return (server, client)
        }
        #expect(world.eventually { server.transport.state == .failed(.dtls(.fingerprintMismatch)) })
        #expect(world.eventually { client.transport.state == .failed(.closedByPeer) })
        world.run {
            let packet = rtpPacket(sequence: 1, ssrc: 1, payload: [1])
            #expect(TransportWorld.send(packet, on: server.transport) == .notConnected)
            #expect(server.transport.statistics.packetsSent == 0)
            #expect(!server.listener.states.contains(.connected))
        }
    }

    @Test("DTLS and RTP from an address that ICE has not validated reach nothing and move nothing")
    func foreignSender() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let foreign = ForeignSocket()
        // Before anybody has connected: a ClientHello from anywhere.
        let hello = try {
            let client = try DTLSEndpoint(
                context: world.clientContext, role: .client,
                remoteFingerprints: [world.serverContext.identity.fingerprint])
            client.start(at: 0)
            return try #require(client.takeOutgoing().first)
        }()
        let (server, client) = try world.run {
            let server = try world.makeSide(.server), client = try world.makeSide(.client)
            try world.describe(client, to: server)
            return (server, client)
        }
        let port = try #require(world.run { ICECandidate(server.transport.localCandidates[0])?.port })
        for _ in 0..<50 { #expect(foreign.send(hello, toPort: port)) }
        try world.run { try world.describe(server, to: client) }
        try #require(world.connect((server, client)))
        let before = world.run { server.transport.statistics.dtlsReceived }
        #expect(foreign.drain() == 0)
        // And while media flows: DTLS, RTP-like and other bytes from a third address, among real packets.
        for number in 0..<100 {
            #expect(foreign.send(hello, toPort: port))
            #expect(foreign.send(rtpPacket(sequence: UInt16(number), ssrc: 7, payload: [1, 2, 3]), toPort: port))
            #expect(foreign.send([UInt8](repeating: 255, count: 30), toPort: port))
            world.run {
                let packet = rtpPacket(sequence: UInt16(number), ssrc: 7, payload: [9])
                _ = TransportWorld.send(packet, on: client.transport)
                _ = TransportWorld.send(packet, on: server.transport)
            }
            // One by one: more than a socket's buffer would be lost in the kernel.
            #expect(
                world.eventually { server.listener.rtp.count == number + 1 && client.listener.rtp.count == number + 1 })
        }
        #expect(foreign.drain() == 0)
        world.run {
            let counts = server.transport.statistics
            #expect(counts.dtlsReceived == before)
            #expect(counts.authenticationFailures == 0)
            #expect(counts.malformed == 0)
        }
    }

    @Test("A flood of wrong tags from the validated address is only counted")
    func floodFromThePeer() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        // Raw bytes on the client's own path: as one who holds its address but not its keys would send.
        for round in 0..<20 {
            world.run {
                for number in 0..<50 {
                    let forged = rtpPacket(
                        sequence: UInt16(number), ssrc: UInt32(round * 50 + number),
                        payload: [UInt8](repeating: 3, count: 60))
                    pair.client.transport.sendUnprotected(forged)
                }
            }
            #expect(world.eventually { pair.server.transport.statistics.authenticationFailures == (round + 1) * 50 })
        }
        world.run {
            for bytes in [[128], [128, 200], [200], [0xFF, 1, 2], [5, 6, 7]] as [[UInt8]] {
                pair.client.transport.sendUnprotected(bytes)
            }
            _ = TransportWorld.send(rtpPacket(sequence: 1, ssrc: 1, payload: [1]), on: pair.client.transport)
        }
        #expect(world.eventually { pair.server.listener.rtp.count == 1 })
        world.run {
            #expect(pair.server.transport.state == .connected)
            #expect(pair.server.transport.statistics.malformed == 5)
        }
    }

    @Test("An ICE restart keeps keys and connection: media flows before, during and after")
    func iceRestart() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        let before = world.run { (pair.client.transport.localUfrag, pair.server.transport.localUfrag) }
        try world.run {
            // The client restarts, as a browser does that offers again; the server notices by the new credentials.
            let new = pair.client.transport.restartICE()
            #expect(new.ufrag != before.0)
            try world.describe(pair.client, to: pair.server)
            #expect(pair.server.transport.localUfrag != before.1)
            let packet = rtpPacket(sequence: 1, ssrc: 7, payload: [1])
            #expect(TransportWorld.send(packet, on: pair.server.transport) == .sent)
            try world.describe(pair.server, to: pair.client)
        }
        #expect(world.eventually { pair.client.listener.rtp.count == 1 })
        #expect(
            world.eventually {
                !pair.client.transport.isConnecting && !pair.server.transport.isConnecting
            })
        world.run {
            let packet = rtpPacket(sequence: 2, ssrc: 7, payload: [2])
            #expect(TransportWorld.send(packet, on: pair.server.transport) == .sent)
            #expect(TransportWorld.send(packet, on: pair.client.transport) == .sent)
        }
        #expect(world.eventually { pair.client.listener.rtp.count == 2 && pair.server.listener.rtp.count == 1 })
        world.run {
            // The same description again changes nothing; other fingerprints are refused.
            let ufrag = pair.server.transport.localUfrag
            #expect(throws: Never.self) { try world.describe(pair.client, to: pair.server, candidates: false) }
            #expect(pair.server.transport.localUfrag == ufrag)
            #expect(throws: TransportError.self) {
                try world.describe(
                    pair.client, to: pair.server, candidates: false,
                    fingerprint: world.serverContext.identity.fingerprint)
            }
            #expect(pair.server.listener.states == [.connected])
        }
    }

    @Test("A close is told to the other side at once")
    func closeIsTold() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        world.run {
            pair.client.transport.close()
            pair.client.transport.close()
            #expect(pair.client.transport.state == .closed)
            #expect(pair.client.transport.addRemoteCandidate("") == .closed)
            #expect(pair.client.transport.localCandidates.isEmpty)
            let packet = rtpPacket(sequence: 1, ssrc: 1, payload: [1])
            #expect(TransportWorld.send(packet, on: pair.client.transport) == .notConnected)
            #expect(throws: TransportError.closed) {
                try world.describe(pair.server, to: pair.client, candidates: false)
            }
        }
        #expect(world.eventually(seconds: 2) { pair.server.transport.state == .failed(.closedByPeer) })
    }

    @Test("A transport may be closed from inside its own packet, and the others go on")
    func closeInside() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let one = try world.makePair(), two = try world.makePair()
        try #require(world.connect(one) && world.connect(two))
        world.run {
            one.server.listener.onRTP = { transport, _ in transport.close() }
            for sequence in 0..<10 as Range<UInt16> {
                _ = TransportWorld.send(rtpPacket(sequence: sequence, ssrc: 1, payload: [1]), on: one.client.transport)
                _ = TransportWorld.send(rtpPacket(sequence: sequence, ssrc: 1, payload: [1]), on: two.client.transport)
            }
        }
        #expect(world.eventually { one.server.transport.state == .closed && two.server.listener.rtp.count == 10 })
        #expect(world.eventually { one.client.transport.state == .failed(.closedByPeer) })
        world.run { #expect(world.poller.count == 3) }
    }

    @Test("One peer's burst is taken 64 at a time, and another peer is served in between")
    func shares() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let busy = try world.makePair(), quiet = try world.makePair()
        try #require(world.connect(busy) && world.connect(quiet))
        let order = Lock<[UInt64]>([])
        world.run {
            for side in [busy.server, quiet.server] {
                let mark: UInt64 = side.transport === busy.server.transport ? 1 : 2
                side.listener.onRTP = { _, _ in order.withLock { $0.append(mark) } }
            }
            // All in one turn: they lie in the sockets when the next one begins.
            for sequence in 0..<200 as Range<UInt16> {
                _ = TransportWorld.send(rtpPacket(sequence: sequence, ssrc: 1, payload: [1]), on: busy.client.transport)
            }
            _ = TransportWorld.send(rtpPacket(sequence: 1, ssrc: 1, payload: [1]), on: quiet.client.transport)
        }
        #expect(world.eventually { order.withLock { $0.count } == 201 })
        let seen = order.withLock { $0 }
        let place = try #require(seen.firstIndex(of: 2))
        #expect(place <= 2 * ICEAgent.datagramsPerTurn, "the quiet peer's packet came after \(place) of the busy one's")
    }

    @Test("Bursts of six peers, more than one turn takes, all arrive, each in its order")
    func turnBudget() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pairs = try (0..<6).map { _ in try world.makePair() }
        for pair in pairs { try #require(world.connect(pair)) }
        world.run {
            for sequence in 0..<120 as Range<UInt16> {
                for pair in pairs {
                    let packet = rtpPacket(sequence: sequence, ssrc: 1, payload: [1])
                    #expect(TransportWorld.send(packet, on: pair.client.transport) == .sent)
                }
            }
        }
        #expect(world.eventually { pairs.allSatisfy { $0.server.listener.rtp.count == 120 } })
        world.run {
            for pair in pairs {
                #expect(pair.server.listener.rtp.map { UInt16($0[2]) << 8 | UInt16($0[3]) } == Array(0..<120))
            }
        }
    }

    @Test("Fifty transports connected and closed leave no descriptor behind")
    func descriptors() throws {
        let world = try TransportWorld()
        defer { world.end() }
        func cycle() throws {
            let pair = try world.makePair()
            try #require(world.connect(pair))
            world.run {
                pair.client.transport.close()
                pair.server.transport.close()
            }
        }
        for _ in 0..<3 { try cycle() }
        let before = world.run { openDescriptors() }
        for _ in 0..<50 { try cycle() }
        #expect(world.run { openDescriptors() } == before)
        #expect(world.run { world.poller.count } == 0)
    }

    @Test("Sixteen pairs connect at once on one poller")
    func many() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pairs = try (0..<16).map { _ in try world.makePair() }
        for pair in pairs { #expect(world.connect(pair)) }
        world.run {
            for (index, pair) in pairs.enumerated() {
                let packet = rtpPacket(sequence: 1, ssrc: UInt32(index), payload: [UInt8(index)])
                #expect(TransportWorld.send(packet, on: pair.server.transport) == .sent)
            }
        }
        #expect(world.eventually { pairs.allSatisfy { $0.client.listener.rtp.count == 1 } })
        world.run {
            for (index, pair) in pairs.enumerated() { #expect(pair.client.listener.rtp.first?.last == UInt8(index)) }
        }
    }
}
