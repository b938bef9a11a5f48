// Redundant audio (RFC 2198): passed through to receivers that negotiated it, its primary block alone to those that did not, and
// whatever is malformed dropped by name.
import Testing

@testable import MediaCore

@Suite("Redundant audio")
struct RedundantAudioTests {
    private static let primary = [UInt8](repeating: 0xaa, count: 50)

    /// A redundant payload: blocks of so many bytes, oldest first, behind them the primary one.
    private static func payload(_ blocks: [Int], of payloadType: UInt8 = 111, primary: [UInt8] = primary) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, length) in blocks.enumerated() {
            let offset = UInt32(blocks.count - index) * 960
            bytes += [0x80 | payloadType, UInt8(offset >> 6), UInt8(offset & 0x3f) << 2 | UInt8(length >> 8)]
            bytes.append(UInt8(length & 0xff))
        }
        bytes.append(payloadType)
        for (index, length) in blocks.enumerated() { bytes += [UInt8](repeating: UInt8(index + 1), count: length) }
        return bytes + primary
    }

    private static func packet(
        _ sequence: UInt16, _ payload: [UInt8], payloadType: UInt8 = 63, level: UInt8? = 20
    ) -> [UInt8] {
        rtpPacket(
            payloadType, sequence, UInt32(sequence) * 960, 101, extensions: level.map { [(4, [$0 | 0x80])] } ?? [],
            payload: payload)
    }

    /// 1 sends with RED as 63; 2 receives RED as 65 and Opus as 96; 3 receives Opus as 111 alone.
    private func room(secondNacks: Bool = false, rtx: Bool = false) -> TestRoom {
        let room = TestRoom()
        var microphone = TestRoom.microphone(1)
        microphone.codecs[0].redPayloadType = PayloadType(63)
        room.join(1, [microphone])
        var slot = TestRoom.slots(2, audio: 1, video: 0)[0]
        slot.codecs[0].payloadType = PayloadType(96)
        slot.codecs[0].redPayloadType = PayloadType(65)
        if rtx {
            slot.codecs[0].rtxPayloadType = PayloadType(98)
            slot.rtxSSRC = SSRC(240)
        }
        room.apply(.addParticipant(PeerID(2)))
        room.apply(.applyPlan(PeerID(2), TestRoom.plan([], [slot])))
        room.apply(.peerConnected(PeerID(2)))
        room.join(3, [], audio: 1, video: 0)
        return room
    }

    @Test("A receiver of RED gets it as it came, the blocks under its own number; another the primary block alone")
    func passedAndStripped() throws {
        let room = room()
        let sent: [[Int]] = [[], [50], [1_023, 0], [50, 50]]
        for (index, blocks) in sent.enumerated() {
            room.receive(Self.packet(UInt16(100 + index), Self.payload(blocks)), from: 1)
        }
        // A packet without redundancy, as Opus itself.
        room.receive(Self.packet(104, Self.primary, payloadType: 111), from: 1)
        let whole = room.sent(to: 2)
        let stripped = room.sent(to: 3)
        #expect(whole.map(\.payloadType) == [65, 65, 65, 65, 96])
        #expect(stripped.map(\.payloadType) == [111, 111, 111, 111, 111])
        #expect(whole.map(\.payload) == sent.map { Self.payload($0, of: 96) } + [Self.primary])
        #expect(stripped.map(\.payload) == [[UInt8]](repeating: Self.primary, count: 5))
        for packets in [whole, stripped] {
            let first = try #require(packets.first)
            #expect(packets.map { $0.sequence &- first.sequence } == [0, 1, 2, 3, 4])
            #expect(packets.map { $0.timestamp &- first.timestamp } == [0, 960, 1_920, 2_880, 3_840])
            #expect(packets.allSatisfy { $0.level == 20 && $0.source == 1 })
        }
    }

    @Test(
        "A payload whose blocks do not lie within it, or are of another codec, is dropped by name and nothing is forwarded",
        arguments: [
            [111], [0xef], [0xef, 0, 0], [0xef, 0, 0, 4, 111, 1, 2, 3, 4], [0xef, 0, 3, 0xff, 111, 1],
            [0xef, 0, 0, 1, 0xef, 0, 0, 1], [0, 1, 2], [0xef, 0, 0, 1, 13, 1, 2], [0x8d, 0, 0, 1, 111, 1, 2],
            [UInt8](repeating: 0xef, count: 1_400),
        ])
    func malformed(payload: [UInt8]) {
        let room = room()
        room.receive(Self.packet(100, payload), from: 1)
        #expect(room.drop(.malformedRedundancy) == 1)
        #expect(room.rtp.isEmpty)
        room.receive(Self.packet(101, Self.payload([2])), from: 1)
        #expect(room.sent(to: 2).count == 1 && room.sent(to: 3).count == 1)
    }

    @Test("Where nobody negotiated RED its payload type is unknown; padding alone is no fault of its blocks")
    func unknown() {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.receive(Self.packet(100, Self.payload([1])), from: 1)
        #expect(room.drop(.unknownPayloadType) == 1)
        let other = self.room()
        other.receive(rtpPacket(63, 100, 0, 101, payload: [], padding: 20), from: 1)
        #expect(other.drop(.paddingOnly) == 1 && other.drop(.malformedRedundancy) == 0)
    }

    @Test("Sent again it is the very bytes; by RTX, whose number stands for Opus, the primary block alone")
    func again() throws {
        let plain = room()
        plain.receive(Self.packet(100, Self.payload([50])), from: 1)
        for (peer, ssrc) in [(UInt32(2), UInt32(210)), (3, 310)] {
            let original = try #require(plain.sent(to: peer).last)
            plain.now = plain.now + .milliseconds(500)
            plain.control(negativeAcknowledgement(ssrc, [original.sequence]), from: peer)
            #expect(plain.sent(to: peer).map(\.bytes) == [original.bytes, original.bytes])
        }
        let repaired = room(rtx: true)
        repaired.receive(Self.packet(100, Self.payload([50])), from: 1)
        let original = try #require(repaired.sent(to: 2).last)
        repaired.now = repaired.now + .milliseconds(500)
        repaired.control(negativeAcknowledgement(210, [original.sequence]), from: 2)
        let again = try #require(repaired.sent(to: 2, ssrc: 240).last)
        #expect(again.payloadType == 98)
        #expect(again.payload == [UInt8(original.sequence >> 8), UInt8(original.sequence & 0xff)] + Self.primary)
    }

    @Test("Without a level the primary block's length tells speech, not that of what is carried beside it")
    func levels() {
        func isOpen(_ primary: Int) -> Bool {
            let room = room()
            for index in 0..<4 as Range<UInt16> {
                let payload = Self.payload([50, 50], primary: [UInt8](repeating: 1, count: primary))
                room.receive(Self.packet(100 + index, payload, level: nil), from: 1)
                room.run(milliseconds: 20)
            }
            guard let track = room.core.find(TrackID(peer: PeerID(1), mid: mid("mic"))) else { return false }
            return room.core.tracks[track].gate.isOpen
        }
        #expect(isOpen(40))
        #expect(!isOpen(3))
    }

    @Test("Of a capture without media the headers of the blocks are enough to forward alike, and to stay malformed")
    func heads() {
        for payload in [
            Self.payload([50, 50]), Self.payload([]), Self.payload([1_023]), [0xef, 0, 0, 9, 111, 1, 2], [111],
            [0xef, 1],
        ] {
            let packet = Self.packet(100, payload)
            var head: [UInt8] = []
            PayloadHead.redundantAudio.append(of: packet.span, to: &head)
            #expect(head == Array(packet.prefix(head.count)))
            let cut = head + [UInt8](repeating: 0, count: packet.count - head.count)
            let whole = room()
            let replayed = room()
            whole.receive(packet, from: 1)
            replayed.receive(cut, from: 1)
            #expect(whole.core.statistics == replayed.core.statistics)
            #expect(whole.rtp.map(\.payload.count) == replayed.rtp.map(\.payload.count))
            #expect(whole.rtp.map(\.payloadType) == replayed.rtp.map(\.payloadType))
            #expect(whole.rtp.map { $0.payload.prefix(1) }.count == replayed.rtp.count)
        }
    }

    @Test("What is kept of redundant packets is in the checkpoint: a core restored sends them again in the same shape")
    func checkpoint() throws {
        let room = room()
        room.receive(Self.packet(100, Self.payload([50])), from: 1)
        let original = try #require(room.sent(to: 3).last)
        var checkpoint = Checkpoint()
        room.core.checkpoint(into: &checkpoint)
        let other = TestRoom()
        other.core = try RoomCore(checkpoint: checkpoint)
        var second = Checkpoint()
        other.core.checkpoint(into: &second)
        #expect(second.bytes == checkpoint.bytes)
        other.now = room.now + .milliseconds(500)
        other.control(negativeAcknowledgement(310, [original.sequence]), from: 3)
        let again = try #require(other.sent(to: 3).last)
        #expect(again.payloadType == 111 && again.payload.count == Self.primary.count)
    }

    @Test("Any bytes give a shape that lies within them, or none")
    func total() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<20_000 {
            let count = Int(random.next() % 40)
            // Payload types that are often right, so that the blocks are reached.
            let bytes = (0..<count).map { _ in random.next() % 3 == 0 ? 0xef : UInt8(truncatingIfNeeded: random.next())
            }
            let start = Int(random.next() % 4) - 1
            let length = Int(random.next() % 48) - 2
            guard let red = REDPayload(bytes.span, at: start, length: length, of: PayloadType(111)) else { continue }
            #expect(red.primaryLength > 0 && red.headLength <= red.primaryOffset)
            #expect(red.primaryOffset + red.primaryLength == length && start + length <= count)
            #expect(red.headLength == red.redundantCount * 4 + 1)
            #expect(REDPayload.headLength(bytes.span, at: start, length: length) == red.headLength)
        }
        #expect(REDPayload([111, 7].span, at: 0, length: 2, of: PayloadType(111))?.primaryLength == 1)
    }
}
