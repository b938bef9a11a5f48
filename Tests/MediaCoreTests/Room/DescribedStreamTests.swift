// Streams with Dependency Descriptors through the whole core: what is missing is waited for, and nothing a publisher sends
// does harm.
import SimulatedNetwork
import Testing

@testable import MediaCore

@Suite("Described streams")
struct DescribedStreamTests {
    private static let av1Plan = CodecPlan(
        codec: .av1(profile: 0), payloadType: PayloadType(96), rtxPayloadType: PayloadType(97), clockRate: 90_000)

    /// Peer 1 publishes AV1, peer 2 receives it; both negotiated the descriptor as 9.
    private func room(rtx: Bool = true) -> TestRoom {
        let room = TestRoom()
        var track = TestRoom.camera(1)
        track.codecs = [Self.av1Plan]
        var slots = TestRoom.slots(2, audio: 0, video: 1, rtx: rtx)
        slots[0].codecs[0].codec = .av1(profile: 0)
        for (peer, tracks, slots) in [(1, [track], []), (2, [], slots)]
            as [(UInt32, [PublishedTrackPlan], [ReceiveSlotPlan])]
        {
            var plan = TestRoom.plan(tracks, slots)
            plan.headerExtensions.dependencyDescriptor = 9
            plan.headerExtensions.allowsMixed = true
            room.apply(.addParticipant(PeerID(peer)))
            room.apply(.applyPlan(PeerID(peer), plan))
            room.apply(.peerConnected(PeerID(peer)))
        }
        return room
    }

    private func packet(_ sequence: UInt16, _ descriptor: [UInt8], marker: Bool = true) -> [UInt8] {
        OutgoingPacket(
            payloadType: 96, marker: marker, sequence: sequence, timestamp: UInt32(sequence) * 3_000, ssrc: 102,
            extensions: [(9, descriptor)], payload: [0x10, 1, 2, 3, UInt8(truncatingIfNeeded: sequence)]
        ).bytes
    }

    private func descriptor(_ packet: SentRTP) -> ArraySlice<UInt8>? {
        IncomingPacket(packet.bytes)?.extensionValue(9)
    }

    @Test("A frame whose structure is missing is waited with; what overtook the structure follows it")
    func missingStructure() throws {
        let room = room()
        let structure = DependencyTests.small()
        room.receive(packet(1, [0xc0 | 62, 0, 1]), from: 1)
        #expect(room.rtp.isEmpty)
        #expect(room.feedback(206, 1, to: 1) == 1)
        // The key frame's second packet comes before its first.
        room.receive(packet(3, [0x40 | 62, 0xff, 0xfe]), from: 1)
        #expect(room.rtp.isEmpty)
        room.receive(packet(2, structure, marker: false), from: 1)
        let sent = room.sent(to: 2)
        try #require(sent.count == 2)
        #expect(sent[1].sequence == sent[0].sequence &+ 1)
        var reader = DescriptorReader()
        let first = try #require(descriptor(sent[0]).flatMap { reader.read($0) })
        let second = try #require(descriptor(sent[1]).flatMap { reader.read($0) })
        #expect(first.hasStructure && first.frameNumber == second.frameNumber)
        #expect(first.templateID == second.templateID)
    }

    @Test("A packet sent again without RTX is the same to the byte, descriptor and all; with RTX its descriptor is")
    func retransmission() throws {
        for rtx in [true, false] {
            let room = room(rtx: rtx)
            room.receive(packet(1, DependencyTests.small()), from: 1)
            room.receive(packet(2, [0xc0 | 63, 0xff, 0xff]), from: 1)
            let sent = room.sent(to: 2)
            try #require(sent.count == 2)
            room.clear()
            room.run(milliseconds: 100)
            room.control(negativeAcknowledgement(220, sent.map(\.sequence)), from: 2)
            let again = room.sent(to: 2)
            try #require(again.count == 2)
            for (a, b) in zip(sent, again) {
                #expect(descriptor(a) != nil && descriptor(a).map { Array($0) } == descriptor(b).map { Array($0) })
                #expect(rtx ? a.payload == Array(b.payload.dropFirst(2)) : a.bytes == b.bytes)
            }
        }
    }

    @Test("Whatever the descriptors, whatever the limits: no number is sent twice with other bytes")
    func hostile() throws {
        var random = TestRandom(state: 17)
        let room = room()
        var given: [UInt64: [UInt8]] = [:]
        for step in 0..<4_000 {
            var bytes = DependencyTests.small(active: step % 5 == 0 ? 0b0111 : nil)
            let kind = Int.random(in: 0..<6, using: &random)
            if kind < 2 { bytes = [0xc0 | UInt8.random(in: 60...66, using: &random) & 0x3f, 0, UInt8(step & 0xff)] }
            if kind == 2 {
                for _ in 0..<3 {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] ^=
                        1 << UInt8.random(in: 0..<8, using: &random)
                }
            }
            if kind == 3 { bytes = Array(bytes.prefix(Int.random(in: 1...bytes.count, using: &random))) }
            let number = UInt16(truncatingIfNeeded: step + Int.random(in: -3...3, using: &random) + 65_000)
            room.receive(packet(number, bytes, marker: kind % 2 == 0), from: 1)
            if step % 7 == 0 {
                let (spatial, temporal) = (
                    UInt8.random(in: 0...3, using: &random), UInt8.random(in: 0...3, using: &random)
                )
                room.core.limitLayers(
                    of: 0, spatial: spatial, temporal: temporal, at: room.now, into: &room.out)
            }
            if step % 100 == 0 {
                var checkpoint = Checkpoint()
                room.core.checkpoint(into: &checkpoint)
                var again = Checkpoint()
                try RoomCore(checkpoint: checkpoint).checkpoint(into: &again)
                #expect(again == checkpoint)
            }
            room.run(milliseconds: 5)
            for sent in room.sent(to: 2) {
                let key = UInt64(sent.ssrc) << 16 | UInt64(sent.sequence)
                if let before = given[key] { #expect(before == sent.bytes) }
                given[key] = sent.bytes
            }
            room.clear()
        }
        #expect(given.count > 500)
    }
}
