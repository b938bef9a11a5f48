// Packets that leave in one call: which go together, what they are padded with, that a real socket gets each of them once and
// in order, and what happens when the kernel takes only one at a time.
import Glibc
import TestSupport
import Testing

@testable import Transport

/// Packets in one buffer with room behind each, as an arena has them.
private final class Packets {
    let memory: UnsafeMutableRawBufferPointer
    private var used = 0

    init() { memory = .allocate(byteCount: 1 << 17, alignment: 16) }
    deinit { memory.deallocate() }

    func put(_ packet: [UInt8]) -> UnsafeMutableRawBufferPointer {
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + packet.count + PacketBurst.tailRoom])
        room.copyBytes(from: packet)
        used += packet.count + PacketBurst.tailRoom
        return room
    }
}

@Suite("Bursts", .serialized)
struct BurstTests {
    @Test(
        "What goes together is all of one size but the last, with padding only where it may be, and as much as can be")
    func together() {
        var chance = SeededGenerator(seed: 11)
        var taken = 0
        for _ in 0..<20_000 {
            let packets = Packets()
            let burst = PacketBurst()
            var added: [(size: Int, mayBePadded: Bool)] = []
            while true {
                let size = 100 + Int(chance.next() % 24), mayBePadded = chance.next() % 4 > 0
                let packet = rtpPacket(sequence: 1, ssrc: 1, payload: [UInt8](repeating: 1, count: size - 12))
                let all = added + [(size, mayBePadded)]
                let largest = all.map(\.size).max() ?? 0
                let isPossible =
                    all.count <= PacketBurst.maximumPackets
                    && all.dropLast().allSatisfy {
                        $0.size == largest
                            || $0.mayBePadded && largest - $0.size <= PacketBurst.maximumPadding
                    }
                #expect(burst.add(packets.put(packet), count: size, mayBePadded: mayBePadded) == isPossible)
                guard isPossible else { break }
                added = all
            }
            taken += added.count
            let largest = added.map(\.size).max() ?? 0
            #expect(burst.count == added.count && burst.bytes == added.reduce(0) { $0 + $1.size })
            burst.pad()
            for (index, before) in added.enumerated() {
                let packet = burst.packet(index)
                let isLast = index == added.count - 1
                #expect(packet.count == (isLast ? before.size : largest))
                let padding = packet.count - before.size
                #expect(packet.bytes[0] == (padding > 0 ? 0xa0 : 0x80))
                if padding > 0 { #expect(packet.bytes[packet.count - 1] == UInt8(padding)) }
            }
        }
        #expect(taken > 40_000)
    }

    @Test("A packet that has padding is given no more, and an emptied burst begins anew")
    func padded() {
        let packets = Packets()
        let burst = PacketBurst()
        var padding = rtpPacket(sequence: 1, ssrc: 1, payload: [UInt8](repeating: 0, count: 20))
        padding[0] |= 0x20
        padding[31] = 20
        let other = rtpPacket(sequence: 2, ssrc: 1, payload: [UInt8](repeating: 1, count: 24))
        #expect(burst.add(packets.put(padding), count: 32, mayBePadded: true))
        #expect(!burst.add(packets.put(other), count: 36, mayBePadded: true))
        burst.removeAll()
        #expect(burst.count == 0 && burst.bytes == 0)
        #expect(burst.add(packets.put(other), count: 36, mayBePadded: true))
        #expect(burst.add(packets.put(padding), count: 32, mayBePadded: true))
    }

    /// An RTP packet without its padding.
    private func stripped(_ packet: [UInt8]) -> [UInt8] {
        guard packet[0] & 0x20 != 0, let last = packet.last else { return packet }
        var stripped = Array(packet.dropLast(Int(last)))
        stripped[0] &= ~0x20
        return stripped
    }

    private func frame(_ sizes: [Int], from first: UInt16) -> [[UInt8]] {
        sizes.enumerated().map { index, size in
            rtpPacket(
                sequence: first + UInt16(index), ssrc: 7,
                payload: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) })
        }
    }

    /// Sends packets as the end of a turn does.
    private func send(
        _ frame: [[UInt8]], on transport: PeerTransport, _ burst: PacketBurst, mayBePadded: Bool = true
    ) -> BurstOutcome {
        let packets = Packets()
        var outcome = BurstOutcome()
        for packet in frame {
            let bytes = packets.put(packet)
            if burst.add(bytes, count: packet.count, mayBePadded: mayBePadded) { continue }
            outcome += transport.send(burst)
            #expect(burst.add(bytes, count: packet.count, mayBePadded: mayBePadded))
        }
        outcome += transport.send(burst)
        #expect(burst.count == 0)
        return outcome
    }

    @Test(
        "A frame's packets leave in one call and arrive one by one, in order and whole",
        .enabled(if: SegmentationOffload.isAvailable))
    func oneCall() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        let frames = [
            frame([1_161, 1_162, 1_162, 1_162, 900], from: 1), frame([300, 1_100, 1_100], from: 100),
            frame([700], from: 200), frame([50, 40, 30], from: 300),
            frame(Array(repeating: 1_000, count: 40), from: 400),
        ]
        let calls = [1, 2, 1, 1, 3]
        world.run {
            let burst = PacketBurst()
            for (frame, calls) in zip(frames, calls) {
                let outcome = self.send(frame, on: pair.server.transport, burst)
                #expect(outcome.sent == frame.count && outcome.dropped == 0 && outcome.calls == calls)
                #expect(outcome.bytes == frame.reduce(0) { $0 + $1.count })
            }
            #expect(pair.server.transport.statistics.segmentsRefused == 0)
            #expect(pair.server.transport.statistics.sendCalls == 8)
        }
        let all = frames.flatMap { $0 }
        #expect(world.eventually { pair.client.listener.rtp.count == all.count })
        world.run {
            #expect(pair.client.listener.rtp.map(self.stripped) == all)
            #expect(pair.client.listener.rtp[0].count == frames[0][1].count)
            #expect(pair.client.transport.statistics.authenticationFailures == 0)
            let sent = pair.server.transport.statistics, received = pair.client.transport.statistics
            #expect(sent.packetsSent == received.packetsReceived && sent.bytesSent == received.bytesReceived)
        }
    }

    @Test(
        "A socket that cannot cut datagrams apart sends one by one, and is not asked again",
        .enabled(if: SegmentationOffload.isAvailable))
    func cannot() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        let frames = [frame([1_000, 1_001, 1_001], from: 1), frame([1_000, 1_000], from: 10)]
        world.run {
            let transport = pair.server.transport
            guard let descriptor = transport.path?.descriptor else {
                Issue.record("no path is selected")
                return
            }
            // Without checksums the kernel refuses to cut: EINVAL.
            var yes: Int32 = 1
            #expect(setsockopt(descriptor, SOL_SOCKET, SO_NO_CHECK, &yes, socklen_t(MemoryLayout<Int32>.size)) == 0)
            let burst = PacketBurst()
            let first = self.send(frames[0], on: transport, burst)
            #expect(first.sent == 3 && first.dropped == 0 && first.calls == 4)
            let second = self.send(frames[1], on: transport, burst)
            #expect(second.sent == 2 && second.calls == 2)
            #expect(transport.statistics.segmentsRefused == 1)
        }
        #expect(world.eventually { pair.client.listener.rtp.count == 5 })
        world.run { #expect(pair.client.listener.rtp.map(self.stripped) == frames.flatMap { $0 }) }
    }

    @Test(
        "Whatever the kernel answers to several packets, each is sent once or counted",
        .enabled(if: SegmentationOffload.isAvailable), arguments: [EIO, EMSGSIZE, ENOBUFS, EPERM])
    func answers(_ code: Int32) throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        let isSentSingly = code == EIO || code == EMSGSIZE
        world.run {
            let transport = pair.server.transport
            let burst = PacketBurst()
            transport.segmentsError = code
            let first = self.send(self.frame([800, 800], from: 1), on: transport, burst)
            #expect(first.sent == (isSentSingly ? 2 : 0) && first.dropped == (isSentSingly ? 0 : 2))
            // Smaller packets are tried again where only the size was wrong, and where nothing was.
            let second = self.send(self.frame([200, 200], from: 10), on: transport, burst)
            #expect(second.sent == 2 && second.calls == (code == EIO ? 2 : 1))
            let third = self.send(self.frame([800, 800], from: 20), on: transport, burst)
            #expect(third.sent == 2 && third.calls == (isSentSingly ? 2 : 1))
            #expect(transport.statistics.segmentsRefused == (isSentSingly ? 1 : 0))
            #expect(transport.statistics.sendBlocked == (code == ENOBUFS ? 2 : 0))
            #expect(transport.statistics.sendErrors == (code == EPERM ? 2 : 0))
        }
        #expect(world.eventually { pair.client.listener.rtp.count == (isSentSingly ? 6 : 4) })
    }

    @Test("A packet that cannot be protected keeps none of the others back")
    func refusedWithin() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        try #require(world.connect(pair))
        var packets = frame([500, 500, 500], from: 1)
        // The first one's number with other bytes.
        packets[1][3] = packets[0][3]
        world.run {
            let outcome = self.send(packets, on: pair.server.transport, PacketBurst(), mayBePadded: false)
            #expect(outcome.sent == 2 && outcome.dropped == 1)
            // The very same bytes may be sent again.
            #expect(TransportWorld.send(packets[0], on: pair.server.transport) == .sent)
        }
        #expect(world.eventually { pair.client.listener.rtp.count == 2 })
        world.run { #expect(pair.client.listener.rtp == [packets[0], packets[2]]) }
    }

    @Test("Before there are keys a burst is counted and forgotten")
    func notConnected() throws {
        let world = try TransportWorld()
        defer { world.end() }
        let pair = try world.makePair()
        world.run {
            let outcome = self.send(self.frame([100, 100], from: 1), on: pair.server.transport, PacketBurst())
            #expect(outcome.dropped == 2 && outcome.sent == 0 && outcome.calls == 0)
            #expect(pair.server.transport.statistics.sendNotConnected == 2)
        }
    }
}
