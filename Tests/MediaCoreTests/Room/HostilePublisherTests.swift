// Publishers whose packets pass authentication and are meant to hurt: nobody's slot and nobody's turn suffers.
import MediaCore
import Testing

@Suite("Hostile publishers")
struct HostilePublisherTests {
    @Test("padding that leaps does not carry a slot round: the next packet's number is near the last one sent")
    func leapingPadding() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 1)
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        let before = try #require(room.sent(to: 2).last)
        var number: UInt16 = 1
        for _ in 0..<40 {
            number &+= 2_900
            room.receive(rtpPacket(96, number, 0, 102, payload: [], padding: 20), from: 1)
        }
        room.receive(videoPacket(1, number &+ 1, 3_000, key: true), from: 1)
        let after = try #require(room.sent(to: 2).last)
        #expect(after.sequence != before.sequence)
        #expect(after.sequence &- before.sequence <= 257)
    }

    @Test("packets that leap carry a slot at most 256 numbers on, and what comes late takes no number twice")
    func leapingPackets() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 1)
        var number: UInt16 = 1
        room.receive(videoPacket(1, number, 0, key: true), from: 1)
        var bytes: [UInt16: [UInt8]] = [:]
        for step in 0..<200 {
            number &+= [1, 2_000, 300, 7, 257, 2_999][step % 6]
            room.receive(videoPacket(1, number, UInt32(step) * 3_000, picture: UInt16(step)), from: 1)
            for late in [1, 2, 100, 255, 256, 257, 299] {
                room.receive(videoPacket(1, number &- UInt16(late), UInt32(late), picture: UInt16(late)), from: 1)
            }
        }
        var last: UInt16?
        var highest: Int64 = 0
        for packet in room.sent(to: 2) {
            if let known = bytes[packet.sequence] { #expect(known == packet.bytes) }
            bytes[packet.sequence] = packet.bytes
            let step = Int64(Int16(bitPattern: packet.sequence &- (last ?? packet.sequence)))
            #expect(step <= 256)
            if step > 0 || last == nil { last = packet.sequence }
            highest += max(0, step)
        }
        #expect(highest < 65_536, "the numbers of this test are told apart by 16 bits")
        #expect(bytes.count > 200)
    }

    @Test("two payload types of one codec in turn are no change of codec: slots are not assigned for each packet")
    func alternatingPayloadTypes() {
        let room = TestRoom()
        var plan = TestRoom.microphone(1)
        var second = opusPlan
        second.payloadType = PayloadType(112)
        plan.codecs.append(second)
        room.join(1, [plan], audio: 0, video: 0)
        for n in 2...6 { room.join(UInt32(n), [], audio: 2, video: 0) }
        room.receive(audioPacket(1, 1, 960), from: 1)
        room.clear()
        for number in 2...100 {
            let type: UInt8 = number % 2 == 0 ? 112 : 111
            room.receive(
                rtpPacket(type, UInt16(number), UInt32(number) * 960, 101, payload: [UInt8](repeating: 1, count: 60)),
                from: 1)
        }
        #expect(room.sent(to: 6).count == 99)
        #expect(room.events.isEmpty && room.decisions.isEmpty)
    }

    @Test("a codec that changes with each packet has the slots assigned at most ten times a second")
    func alternatingCodecs() {
        let room = TestRoom()
        var plan = TestRoom.camera(1)
        plan.codecs.append(
            CodecPlan(
                codec: .vp9(profile: 0), payloadType: PayloadType(98), rtxPayloadType: nil, clockRate: 90_000))
        room.join(1, [plan], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 1)
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        room.run(milliseconds: 1_000)
        room.clear()
        for number in 2...1_001 {
            let payload: [UInt8] =
                number % 2 == 0 ? [0x0c, 1, 2, 3] : vp8Payload(key: false, picture: 2, tl0: 2, keyIndex: 1)
            room.receive(
                rtpPacket(
                    number % 2 == 0 ? 98 : 96, UInt16(number), UInt32(number), 102, marker: true, payload: payload),
                from: 1)
            room.run(milliseconds: 1)
        }
        let changes = room.events.filter { if case .slotChanged = $0 { true } else { false } }
        #expect(changes.count <= 12)
        #expect(room.latePromises == 0)
    }

    @Test("transport-wide numbers that leap ask for little work at the feedback")
    func leapingTransportNumbers() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)], audio: 0, video: 0)
        var number: UInt16 = 0
        for sequence in 1...5_000 {
            number &+= 1_000
            room.receive(
                videoPacket(
                    1, UInt16(sequence), 0, key: true, extensions: [(6, [UInt8(number >> 8), UInt8(number & 255)])]),
                from: 1)
        }
        room.clear()
        room.run(milliseconds: 50)
        // Of five million numbers the newest 2,048 are told of.
        #expect((1...3).contains(room.feedback(205, 15, to: 1)))
    }
}

extension HostilePublisherTests {
    @Test("somebody who mutes a thousand times a second in a large room does not have all slots assigned each time")
    func muteStorm() {
        let room = TestRoom()
        let camera = TestRoom.camera(0)
        for n in 1...12 {
            let tracks = (0..<7).map { index in
                var track = camera
                track.mid = mid("c\(index)")
                track.encodings = [EncodingPlan(rid: nil, ssrc: SSRC(UInt32(n) * 100 + UInt32(index)), rtxSSRC: nil)]
                return track
            }
            room.join(UInt32(n), [TestRoom.microphone(UInt32(n))] + tracks, audio: 10, video: 18)
        }
        room.run(milliseconds: 2_000)
        room.clear()
        for step in 0..<601 {
            room.apply(.setMuted(TrackID(peer: PeerID(1), mid: mid("mic")), step % 2 == 0))
            room.run(milliseconds: 1)
        }
        let told = room.events.filter { event in
            if case .slotChanged(let peer, let assignment) = event {
                peer == PeerID(2) && assignment.mid == mid("a0")
            } else {
                false
            }
        }
        #expect(told.count < 500)
        room.run(milliseconds: 200)
        #expect(
            room.core.slotAssignments(of: PeerID(2)).allSatisfy {
                $0.track != TrackID(peer: PeerID(1), mid: mid("mic"))
            })
        #expect(room.latePromises == 0)
    }
}
