// Switching a slot between sources and layers: one continuous stream to the receiver whatever is behind it.
import MediaCore
import Testing

@Suite("Switching")
struct SwitchingTests {
    /// Peers 1 and 2 publish cameras, peer 3 has one video slot, pinned to peer 1.
    func room() -> TestRoom {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)], audio: 0, video: 0)
        room.join(2, [TestRoom.camera(2)], audio: 0, video: 0)
        room.join(3, [], audio: 0, video: 1)
        return room
    }
    func pin(_ n: UInt32) -> RoomCommand {
        .setSlotWishes(
            PeerID(3),
            [SlotWish(mid: mid("v0"), pin: TrackID(peer: PeerID(n), mid: mid("cam")), wantedHeight: 360)])
    }

    @Test("A source switch waits for a key frame, asks for it, and continues every number")
    func sourceSwitch() throws {
        let room = room()
        room.apply(pin(1))
        room.receive(videoPacket(1, 500, 90_000, key: true, picture: 0x7ffe, tl0: 254, keyIndex: 31), from: 1)
        room.now = room.now + .milliseconds(33)
        room.receive(videoPacket(1, 501, 93_000, picture: 0x7fff, tl0: 255, keyIndex: 31), from: 1)
        room.now = room.now + .milliseconds(33)
        room.receive(videoPacket(1, 502, 96_000, picture: 0, tl0: 0, keyIndex: 31), from: 1)
        room.receive(videoPacket(2, 9_000, 7, key: false, picture: 77, tl0: 9, keyIndex: 3), from: 2)
        room.clear()
        room.apply(pin(2))
        #expect(room.feedback(206, 1, to: 2) == 1)
        #expect(room.assignment(3, "v0")?.reason == .pinned)
        room.now = room.now + .milliseconds(33)
        room.receive(videoPacket(1, 503, 99_000, picture: 1, tl0: 1, keyIndex: 31), from: 1)
        room.receive(videoPacket(2, 9_001, 3_007, picture: 78, tl0: 10, keyIndex: 3), from: 2)
        #expect(room.rtp.isEmpty)
        room.receive(videoPacket(2, 9_002, 6_007, key: true, picture: 79, tl0: 11, keyIndex: 4), from: 2)
        room.now = room.now + .milliseconds(33)
        room.receive(videoPacket(2, 9_003, 9_007, picture: 80, tl0: 12, keyIndex: 4), from: 2)
        // Too late: the slot has switched behind it.
        room.receive(videoPacket(2, 9_000, 7), from: 2)
        room.receive(videoPacket(2, 8_999, 7), from: 2)
        let after = room.sent(to: 3)
        try #require(after.count == 2)
        #expect(room.drop(.beforeSwitch) == 1)
        #expect(after[0].source == 2)
        let descriptors = after.map { vp8($0) }
        #expect(descriptors[1]?.pictureID == descriptors[0]?.pictureID.map { ($0 + 1) & 0x7fff })
        #expect(descriptors[1]?.tl0PictureIndex == descriptors[0]?.tl0PictureIndex.map { $0 &+ 1 })
        #expect(descriptors[1]?.keyIndex == descriptors[0]?.keyIndex)
        #expect(after[1].timestamp == after[0].timestamp &+ 3_000)
    }

    @Test("Over many switches sequence numbers, timestamps and picture ids are one chain on the server's clock")
    func manySwitches() throws {
        let room = room()
        var sequence: [UInt32: UInt16] = [1: 65_530, 2: 3]
        var picture: [UInt32: UInt16] = [1: 0x7ff0, 2: 5]
        var keyIndex: UInt8 = 0
        for i in 0..<300 {
            let now = UInt32(1 + (i / 10) % 2)
            if i % 10 == 0 { room.apply(pin(now)) }
            for n in [1, 2] as [UInt32] {
                let key = i % 10 == 2
                if key { keyIndex &+= 1 }
                let offset: UInt32 = n == 1 ? 4_000_000_000 : 17
                room.receive(
                    videoPacket(
                        n, sequence[n] ?? 0, UInt32(i) &* 3_000 &+ offset, key: key, picture: picture[n] ?? 0,
                        tl0: UInt8(truncatingIfNeeded: i), keyIndex: keyIndex & 0x1f), from: n)
                sequence[n]? &+= 1
                picture[n] = ((picture[n] ?? 0) + 1) & 0x7fff
            }
            room.run(milliseconds: 33)
        }
        let sent = room.sent(to: 3)
        try #require(sent.count > 200)
        #expect(Set(sent.map(\.source)) == [1, 2])
        for (a, b) in zip(sent, sent.dropFirst()) {
            #expect(b.sequence == a.sequence &+ 1)
            let step = Int32(truncatingIfNeeded: Int64(b.timestamp) - Int64(a.timestamp))
            #expect(step > 0 && step < 20_000)
            let x = vp8(a)
            let y = vp8(b)
            #expect(y?.pictureID == x?.pictureID.map { ($0 + 1) & 0x7fff })
            #expect(y?.tl0PictureIndex == x?.tl0PictureIndex.map { $0 &+ 1 })
        }
        // 300 frames of 33 ms passed: the timestamps went on by as much, whatever was behind them.
        let first = try #require(sent.first).timestamp
        let last = try #require(sent.last).timestamp
        #expect(abs(Int64(last &- first) - 297 * 2_970) < 4_000)
    }

    @Test("Orientation is reset when the next source sends none")
    func orientation() throws {
        let room = room()
        room.apply(pin(1))
        room.receive(videoPacket(1, 1, 0, key: true, extensions: [(7, [3])]), from: 1)
        room.apply(pin(2))
        room.receive(videoPacket(2, 1, 0, key: true), from: 2)
        room.receive(videoPacket(2, 2, 3_000), from: 2)
        #expect(room.sent(to: 3).map(\.orientation) == [3, 0, nil])
    }

    @Test("A 7-bit picture id is written anew with 15 bits")
    func shortPictureID() throws {
        let room = room()
        room.apply(pin(1))
        let payload: [UInt8] = [0x90, 0x80, 127, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0, 1, 0, 1, 42]
        room.receive(rtpPacket(96, 1, 0, 102, marker: true, payload: payload), from: 1)
        room.receive(rtpPacket(96, 2, 3_000, 102, marker: true, payload: [0x90, 0x80, 0, 0x11, 1, 2, 3]), from: 1)
        let sent = room.sent(to: 3)
        try #require(sent.count == 2)
        let descriptors = sent.map { vp8($0) }
        #expect(descriptors[0]?.hasLongPictureID == true)
        #expect(descriptors[1]?.pictureID == descriptors[0]?.pictureID.map { ($0 + 1) & 0x7fff })
        #expect(sent[0].payload.count == payload.count + 1)
        #expect(sent[0].payload.suffix(11) == payload.suffix(11))
    }

    @Test(
        "Of a simulcast track the highest layer that lives is forwarded; when it dies, the next one from its key frame on"
    )
    func simulcast() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.simulcastCamera()])
        room.join(2, [], audio: 0, video: 1)
        func send(_ rid: String, _ ssrc: UInt32, _ sequence: UInt16, key: Bool) {
            room.receive(
                videoPacket(
                    1, sequence, UInt32(sequence) * 3_000, key: key, picture: sequence, ssrc: ssrc,
                    size: 20 + Int(ssrc), extensions: [(1, Array("cam".utf8)), (2, Array(rid.utf8))]), from: 1)
        }
        send("q", 11, 1, key: true)
        send("h", 12, 1, key: true)
        send("f", 13, 1, key: true)
        #expect(room.sent(to: 2).map(\.payload.count) == [31, 32, 33])
        for i in 2..<10 as Range<UInt16> {
            for (rid, ssrc) in [("q", 11), ("h", 12), ("f", 13)] as [(String, UInt32)] {
                send(rid, ssrc, i, key: false)
            }
            room.run(milliseconds: 33)
        }
        #expect(room.sent(to: 2).dropFirst(3).allSatisfy { $0.payload.count == 33 })
        room.clear()
        var asked = false
        for i in 10..<60 as Range<UInt16> {
            asked = asked || room.feedback(206, 1, to: 1) > 0
            send("q", 11, i, key: false)
            send("h", 12, i, key: asked)
            room.run(milliseconds: 33)
        }
        let sent = room.sent(to: 2)
        #expect(asked)
        #expect(sent.count > 10)
        #expect(sent.allSatisfy { $0.payload.count == 32 })
        #expect(room.decisions.contains { if case .layerDead(_, layer: 2, _) = $0 { true } else { false } })
        for (a, b) in zip(sent, sent.dropFirst()) { #expect(b.sequence == a.sequence &+ 1) }
    }

    @Test("A hidden slot carries nothing and begins with a key frame when it is shown again")
    func hidden() {
        let room = room()
        room.apply(pin(1))
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        room.apply(.setSlotWishes(PeerID(3), [SlotWish(mid: mid("v0"), pin: nil, wantedHeight: 0)]))
        room.clear()
        room.receive(videoPacket(1, 2, 3_000, key: true), from: 1)
        #expect(room.rtp.isEmpty)
        room.run(milliseconds: 1_000)
        room.clear()
        room.apply(.setSlotWishes(PeerID(3), [SlotWish(mid: mid("v0"), pin: nil, wantedHeight: 180)]))
        #expect(room.feedback(206, 1, to: 1) == 1)
        room.receive(videoPacket(1, 3, 6_000), from: 1)
        #expect(room.rtp.isEmpty)
        room.receive(videoPacket(1, 4, 9_000, key: true), from: 1)
        #expect(room.rtp.count == 1)
    }

    @Test("A publisher whose stream begins anew is followed from its next key frame")
    func restart() {
        let room = room()
        room.apply(pin(1))
        room.receive(videoPacket(1, 100, 0, key: true), from: 1)
        room.receive(videoPacket(1, 30_000, 500_000), from: 1)
        #expect(room.drop(.sequenceJump) == 1)
        room.receive(videoPacket(1, 30_001, 503_000), from: 1)
        #expect(room.sent(to: 3).count == 1)
        #expect(room.decisions.contains { if case .streamRestarted = $0 { true } else { false } })
        room.receive(videoPacket(1, 30_002, 506_000, key: true), from: 1)
        let sent = room.sent(to: 3)
        #expect(sent.count == 2)
        #expect(sent.last?.sequence == sent.first.map { $0.sequence &+ 1 })
    }

    @Test("A publisher that goes on under another SSRC is asked for a key frame and followed from it")
    func anotherSSRC() {
        let room = room()
        room.apply(pin(1))
        room.receive(videoPacket(1, 100, 0, key: true), from: 1)
        room.run(milliseconds: 800)
        room.clear()
        let name: [(UInt8, [UInt8])] = [(1, Array("cam".utf8))]
        room.receive(videoPacket(1, 7, 5, ssrc: 777, extensions: name), from: 1)
        #expect(room.rtp.isEmpty)
        #expect(room.feedback(206, 1, to: 1) == 1)
        room.receive(videoPacket(1, 8, 3_005, key: true, ssrc: 777), from: 1)
        #expect(room.rtp.count == 1)
        room.receive(videoPacket(1, 101, 3_000), from: 1)
        #expect(room.rtp.count == 1)
    }

    @Test("Audio and video of one publisher are laid on one clock by its sender reports")
    func lipSync() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
        let ntp: UInt64 = 0xd000_0000_0000_0000
        // At this moment of the publisher's clock its RTP clocks stood at 48,000 and 90,000.
        room.receive(audioPacket(1, 1, 48_000), from: 1)
        room.receive(videoPacket(1, 1, 90_000), from: 1)
        room.control(senderReport(101, ntp: ntp, timestamp: 48_000), from: 1)
        room.control(senderReport(102, ntp: ntp, timestamp: 90_000), from: 1)
        room.join(2, [], audio: 1, video: 1)
        room.now = room.now + .milliseconds(500)
        // Captured together, but the picture takes 180 ms longer to arrive.
        room.receive(audioPacket(1, 2, 48_000 + 24_000), from: 1)
        room.now = room.now + .milliseconds(180)
        room.receive(videoPacket(1, 2, 90_000 + 45_000, key: true), from: 1)
        let audio = try #require(room.sent(to: 2, ssrc: 210).first).timestamp
        let video = try #require(room.sent(to: 2, ssrc: 220).first).timestamp
        room.clear()
        room.run(milliseconds: 1_100)
        // The server's own reports say what either timestamp is on its clock.
        func moment(_ ssrc: UInt32, _ timestamp: UInt32, rate: Double) -> Double? {
            for datagram in room.rtcp where datagram.peer == PeerID(2) {
                for report in senderReports(in: datagram.bytes) where report.ssrc == SSRC(ssrc) {
                    let ticks = Int32(bitPattern: timestamp &- report.rtpTimestamp.rawValue)
                    return Double(report.ntpTime.rawValue) / 4_294_967_296 + Double(ticks) / rate
                }
            }
            return nil
        }
        let heard = try #require(moment(210, audio, rate: 48_000))
        let seen = try #require(moment(220, video, rate: 90_000))
        #expect(abs(heard - seen) < 0.001)
    }
}
