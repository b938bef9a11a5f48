// The clients' transport without libnice against the server's with it: connecting, packets each way, and what it refuses.
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Transport

@Suite("Transports of one socket", .serialized)
struct DirectTransportTests {
    /// What a direct transport told.
    private final class Told: DirectTransportDelegate {
        var rtp: [[UInt8]] = []
        var rtcp: [[UInt8]] = []
        var headers = 0
        var arrivals: [Int64] = []
        var isConnected = false
        var failure: String?
        /// Which of the packets are decrypted: each so many.
        var every = 1

        func wantsPayload(of packet: UnsafeRawBufferPointer, arrival: Int64) -> Bool {
            headers += 1
            arrivals.append(arrival)
            return headers % every == 0
        }
        func receivedRTP(_ packet: UnsafeMutableRawBufferPointer, arrival: Int64) { rtp.append(Array(packet)) }
        func receivedRTCP(_ packet: UnsafeMutableRawBufferPointer, arrival: Int64) { rtcp.append(Array(packet)) }
        func transportConnected() { isConnected = true }
        func transportFailed(_ reason: String) { failure = reason }
    }

    /// A server's transport on a world's loop, and a direct client on the test's thread.
    private func pair(
        _ world: TransportWorld, claiming fingerprint: String? = nil
    ) throws -> (Side, DirectTransport, Told) {
        let told = Told()
        let context = try DTLSContext(identity: DTLSIdentity())
        let direct = try DirectTransport(context: context, localAddress: "127.0.0.1")
        direct.delegate = told
        let (ufrag, password, own, candidate) = (
            direct.ufrag, direct.password, fingerprint ?? direct.fingerprint.value, direct.candidate
        )
        let server = try world.run {
            let side = try world.makeSide(.server)
            try side.transport.setRemote(ufrag: ufrag, password: password, fingerprints: [("sha-256", own)])
            #expect(side.transport.addRemoteCandidate(candidate) == .accepted)
            return side
        }
        let described = world.run {
            (
                server.transport.localUfrag, server.transport.localPassword, server.transport.fingerprint.value,
                server.transport.localCandidates
            )
        }
        try direct.connect(
            ufrag: described.0, password: described.1, fingerprints: [("sha-256", described.2)],
            candidates: described.3 + ["candidate:2 1 TCP 1 127.0.0.1 9 typ host", "nonsense"], role: .client,
            at: MonotonicClock.now)
        return (server, direct, told)
    }

    private func turn(
        _ direct: DirectTransport, seconds: Int64 = 10, until condition: () -> Bool
    ) -> Bool {
        let batch = DatagramBatch()
        let end = MonotonicClock.now + seconds * Sanitizer.patience * 1_000_000_000
        while MonotonicClock.now < end {
            direct.drain(batch, at: MonotonicClock.now)
            direct.advance(to: MonotonicClock.now)
            if condition() { return true }
            Pause.milliseconds(1)
        }
        return false
    }

    private static func packet(_ number: UInt16) -> [UInt8] {
        [0x80, 111, UInt8(number >> 8), UInt8(number & 255), 0, 0, 0, 1, 0, 0, 0, 7] + [UInt8](repeating: 9, count: 60)
    }

    @Test("it connects, and RTP and RTCP go both ways with the kernel's arrival times")
    func bothWays() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let (server, direct, told) = try pair(world)
        defer {
            direct.close()
            world.run { server.transport.close() }
        }
        #expect(turn(direct) { told.isConnected && world.run { server.transport.state == .connected } })
        let before = WallClock.now
        world.run {
            for number in 1...50 { _ = TransportWorld.send(Self.packet(UInt16(number)), on: server.transport) }
            _ = TransportWorld.send([0x80, 201, 0, 1, 0, 0, 0, 7], on: server.transport, rtcp: true)
        }
        #expect(turn(direct) { told.rtp.count == 50 && told.rtcp.count == 1 })
        #expect(told.rtp == (1...50).map { Self.packet(UInt16($0)) })
        #expect(told.arrivals.allSatisfy { $0 >= before && $0 <= WallClock.now })
        var bytes = Self.packet(1) + [UInt8](repeating: 0, count: 16)
        let count = bytes.count - 16
        let isSent = bytes.withUnsafeMutableBytes { direct.sendRTP($0, count: count) }
        #expect(isSent)
        #expect(world.eventually { server.listener.rtp == [Self.packet(1)] })
    }

    @Test("where only some packets are to be decrypted the others are counted all the same")
    func sampled() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let (server, direct, told) = try pair(world)
        defer {
            direct.close()
            world.run { server.transport.close() }
        }
        told.every = 10
        #expect(turn(direct) { told.isConnected && world.run { server.transport.state == .connected } })
        world.run {
            for number in 1...200 { _ = TransportWorld.send(Self.packet(UInt16(number)), on: server.transport) }
        }
        #expect(turn(direct) { told.headers == 200 })
        #expect(told.rtp == stride(from: 10, through: 200, by: 10).map { Self.packet(UInt16($0)) })
        #expect(direct.unauthentic == 0)
    }

    @Test("another certificate than the one named ends it")
    func wrongCertificate() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let other = try DTLSIdentity().fingerprint.value
        let (server, direct, told) = try pair(world, claiming: other)
        defer {
            direct.close()
            world.run { server.transport.close() }
        }
        #expect(turn(direct) { world.run { server.transport.state == .failed(.dtls(.fingerprintMismatch)) } })
        #expect(turn(direct) { told.failure != nil })
    }
}
