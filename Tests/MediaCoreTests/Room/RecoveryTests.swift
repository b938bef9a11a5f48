// Loss and its repair: NACKs both ways, retransmissions, key-frame requests and their limits, reports and transport
// feedback.
import MediaCore
import Testing

@Suite("Recovery")
struct RecoveryTests {
    func pair(rtx: Bool = true) -> TestRoom {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
        room.join(2, [], audio: 1, video: 1, rtx: rtx)
        room.receive(videoPacket(1, 100, 0, key: true, picture: 50), from: 1)
        return room
    }

    @Test("A NACK is answered by RTX with the original number, payload and timestamp, its own SSRC, type and sequence")
    func rtx() throws {
        let room = pair()
        room.receive(videoPacket(1, 101, 3_000, picture: 51), from: 1)
        let original = try #require(room.sent(to: 2).last)
        room.clear()
        room.now = room.now + .milliseconds(30)
        room.control(negativeAcknowledgement(220, [original.sequence]), from: 2)
        let again = try #require(room.rtp.first)
        #expect(again.ssrc == 240 && again.payloadType == 103)
        #expect(again.timestamp == original.timestamp && again.marker == original.marker)
        #expect(again.payload == [UInt8(original.sequence >> 8), UInt8(original.sequence & 0xff)] + original.payload)
        #expect(again.transportSequence == original.transportSequence.map { $0 &+ 1 })
        room.control(negativeAcknowledgement(220, [original.sequence]), from: 2)
        #expect(room.drop(.retransmissionTooSoon) == 1)
        for _ in 0..<12 {
            room.now = room.now + .milliseconds(200)
            room.control(negativeAcknowledgement(220, [original.sequence]), from: 2)
        }
        #expect(room.rtp.count == 10)
        #expect(Set(room.rtp.map(\.sequence)).count == 10)
        #expect(room.drop(.retransmissionLimit) == 3)
    }

    @Test("Without RTX a packet is sent again with every byte equal")
    func sameBytes() throws {
        let room = pair(rtx: false)
        room.receive(videoPacket(1, 101, 3_000, picture: 51, extensions: [(7, [1])]), from: 1)
        let original = try #require(room.sent(to: 2).last)
        room.clear()
        room.now = room.now + .milliseconds(500)
        room.control(negativeAcknowledgement(220, [original.sequence]), from: 2)
        #expect(room.rtp.map(\.bytes) == [original.bytes])
    }

    @Test("Only what is never sent again as the same bytes may be padded")
    func mayBePadded() throws {
        for rtx in [true, false] {
            let room = pair(rtx: rtx)
            room.receive(audioPacket(1, 100, 0), from: 1)
            room.receive(videoPacket(1, 101, 3_000, picture: 51), from: 1)
            let original = try #require(room.sent(to: 2).last)
            room.now = room.now + .milliseconds(500)
            room.control(negativeAcknowledgement(220, [original.sequence]), from: 2)
            #expect(room.rtp.map(\.ssrc) == [220, 210, 220, rtx ? 240 : 220])
            #expect(room.mayBePadded == [rtx, false, rtx, rtx])
        }
    }

    @Test("Sound whose receiver did not agree to ask for what is lost may be padded, and is never sent again")
    func soundWithoutNACK() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        var slot = TestRoom.slots(2, audio: 1, video: 0)[0]
        func hear(_ number: UInt16) throws -> SentRTP {
            room.clear()
            room.receive(audioPacket(1, number, UInt32(number) * 960, level: 20), from: 1)
            return try #require(room.sent(to: 2).last)
        }
        func negotiate(nack: Bool) {
            slot.feedback.nack = nack
            room.apply(.applyPlan(PeerID(2), TestRoom.plan([], [slot])))
        }
        room.apply(.addParticipant(PeerID(2)))
        negotiate(nack: false)
        room.apply(.peerConnected(PeerID(2)))
        for number in 0..<30 { room.receive(audioPacket(1, UInt16(number), UInt32(number) * 960, level: 20), from: 1) }
        let padded = try hear(30)
        #expect(room.mayBePadded == [true])
        // Agreed to later: what was sent before it may have been padded, and stays as it was.
        negotiate(nack: true)
        let kept = try hear(31)
        #expect(room.mayBePadded == [false])
        room.clear()
        room.now = room.now + .milliseconds(100)
        room.control(negativeAcknowledgement(210, [padded.sequence, kept.sequence]), from: 2)
        #expect(room.rtp.map(\.bytes) == [kept.bytes])
        negotiate(nack: false)
        let paddedAgain = try hear(32)
        #expect(room.mayBePadded == [true])
        room.clear()
        room.now = room.now + .milliseconds(100)
        room.control(negativeAcknowledgement(210, [padded.sequence, paddedAgain.sequence]), from: 2)
        #expect(room.rtp.isEmpty)
        #expect(room.drop(.retransmissionUnknown) == 3)
    }

    @Test("What was never sent, or is overwritten, is not sent again")
    func unknown() throws {
        let room = pair()
        let first = try #require(room.sent(to: 2).first)
        room.control(negativeAcknowledgement(220, [first.sequence &+ 5, first.sequence &- 5]), from: 2)
        #expect(room.drop(.retransmissionUnknown) == 2)
        for i in 1...1_100 as ClosedRange<UInt16> { room.receive(videoPacket(1, 100 + i, UInt32(i) * 10), from: 1) }
        room.clear()
        room.control(negativeAcknowledgement(220, [first.sequence]), from: 2)
        #expect(room.drop(.retransmissionUnknown) == 3)
        #expect(room.rtp.isEmpty)
        room.control(negativeAcknowledgement(999, [1]), from: 2)
        #expect(room.drop(.feedbackForUnknownSSRC) == 1)
    }

    @Test("A NACK storm costs no more than the budget")
    func storm() throws {
        let room = pair()
        for i in 1...400 as ClosedRange<UInt16> { room.receive(videoPacket(1, 100 + i, UInt32(i) * 10), from: 1) }
        let numbers = room.sent(to: 2).map(\.sequence)
        room.clear()
        for _ in 0..<20 {
            for chunk in stride(from: 0, to: numbers.count, by: 100) {
                room.control(
                    negativeAcknowledgement(220, Array(numbers[chunk..<min(chunk + 100, numbers.count)])), from: 2)
            }
            room.now = room.now + .milliseconds(1)
        }
        #expect(room.rtp.count <= 401)
        for _ in 0..<3 {
            room.now = room.now + .milliseconds(110)
            room.control(negativeAcknowledgement(220, Array(numbers.prefix(400))), from: 2)
        }
        // A burst of 1,000 and 1,000 a second for the 350 ms that went by.
        #expect(room.rtp.count <= 1_000 + 350)
        #expect(room.drop(.retransmissionBudget) > 0)
        #expect(room.drop(.retransmissionTooSoon) > 0)
    }

    @Test(
        "Missing packets are asked for after 20 ms, again after a round trip, ten times, and not when they were only late"
    )
    func nackUpstream() {
        let room = pair()
        room.receive(videoPacket(1, 103, 9_000, picture: 53), from: 1)
        room.run(milliseconds: 19)
        #expect(room.feedback(205, 1, to: 1) == 0)
        room.receive(videoPacket(1, 101, 3_000, picture: 51), from: 1)
        room.run(milliseconds: 2)
        #expect(room.feedback(205, 1, to: 1) == 1)
        let nack = room.rtcp.first { $0.bytes[1] == 205 && $0.bytes[0] & 0x1f == 1 }
        #expect(nack?.bytes.suffix(8) == [0, 0, 0, 102, 0, 102, 0, 0])
        // The packets go on, so that the stream is alive while it is asked ten times.
        for i in 0..<100 as Range<UInt16> {
            room.receive(videoPacket(1, 104 + i, 12_000 + UInt32(i) * 3_000, picture: 54 + i), from: 1)
            room.run(milliseconds: 33)
        }
        #expect(room.feedback(205, 1, to: 1) == 10)
        #expect(room.core.statistics.nacksSent == 10)
    }

    @Test("When too much is missing a key frame is asked for instead")
    func overflow() {
        let room = pair()
        room.run(milliseconds: 600)
        room.clear()
        room.receive(videoPacket(1, 100 + 500, 90_000), from: 1)
        #expect(room.feedback(206, 1, to: 1) == 1)
        #expect(room.decisions.contains { if case .nackListOverflowed = $0 { true } else { false } })
        room.run(milliseconds: 100)
        #expect(room.feedback(205, 1, to: 1) == 0)
    }

    @Test("A key frame that does not come is asked for again, at least 500 ms apart and ever more slowly")
    func repeatedRequests() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)])
        room.join(2, [], audio: 0, video: 1)
        for i in 0..<330 as Range<UInt16> {
            room.receive(videoPacket(1, i, UInt32(i) * 3_000), from: 1)
            room.run(milliseconds: 30)
        }
        let asked = room.feedback(206, 1, to: 1)
        #expect(asked >= 5 && asked <= 12)
        room.receive(videoPacket(1, 330, 330 * 3_000, key: true), from: 1)
        room.clear()
        for i in 331..<400 as Range<UInt16> {
            room.receive(videoPacket(1, i, UInt32(i) * 3_000), from: 1)
            room.run(milliseconds: 30)
        }
        #expect(room.feedback(206, 1, to: 1) == 0)
    }

    @Test("Requests of many receivers at once are one request")
    func coalesced() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)])
        for n in 2...20 as ClosedRange<UInt32> { room.join(n, [], audio: 0, video: 1) }
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        room.run(milliseconds: 1_000)
        room.receive(videoPacket(1, 2, 90_000), from: 1)
        room.clear()
        for n in 2...20 as ClosedRange<UInt32> { room.control(pictureLoss(n * 100 + 20), from: n) }
        #expect(room.feedback(206, 1, to: 1) == 1)
        #expect(room.core.statistics.keyFrameRequestsReceived == 19)
    }

    @Test(
        "A receiver that asks all the time gets at most one key frame in three seconds from a publisher that others watch"
    )
    func budget() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)])
        room.join(2, [], audio: 0, video: 1)
        room.join(3, [], audio: 0, video: 1)
        var sequence: UInt16 = 0
        var picture: UInt16 = 0
        var requests: [Timestamp] = []
        for i in 0..<1_000 as Range<UInt32> {
            room.clear()
            let key = i == 0 || requests.last == room.now
            room.receive(videoPacket(1, sequence, i * 2_700, key: key, picture: picture), from: 1)
            sequence += 1
            picture += 1
            if i % 10 == 5 { room.control(pictureLoss(220), from: 2) }
            room.run(milliseconds: 30)
            if i > 1, room.feedback(206, 1, to: 1) > 0 { requests.append(room.now) }
        }
        #expect(requests.count >= 8 && requests.count <= 10)
        for (a, b) in zip(requests, requests.dropFirst()) { #expect(b - a >= .seconds(3)) }
    }

    @Test(
        "Reports: loss and jitter to the publisher, the moment on both clocks to the receiver, the round trip from its answer"
    )
    func reports() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.join(2, [], audio: 1, video: 0)
        for i in 0..<100 as Range<UInt16> where i % 10 != 5 {
            room.receive(audioPacket(1, i, UInt32(i) * 960), from: 1)
            room.run(milliseconds: 20)
        }
        room.run(milliseconds: 400)
        var lost: Int32 = 0
        for datagram in room.rtcp where datagram.peer == PeerID(1) {
            let span = datagram.bytes.span
            guard var reader = CompoundReader(span) else { continue }
            while let packet = reader.next(span) {
                guard let report = ReceiverReport(span, packet) else { continue }
                var blocks = report.reportBlocks
                while let block = blocks.next(span) {
                    #expect(block.ssrc == SSRC(101))
                    lost = block.cumulativeLost
                }
            }
        }
        // The last report was written at most a second ago.
        #expect(lost >= 6 && lost <= 10)
        #expect(room.statistics(1)?.packetsLost == 10)
        let toReceiver = try #require(room.rtcp.last { $0.peer == PeerID(2) })
        let report = try #require(senderReports(in: toReceiver.bytes).first)
        #expect(report.ssrc == SSRC(210))
        #expect(report.octetCount == report.packetCount * 60)
        // Answered 80 ms later, held for 30 ms.
        let sentAt = report.ntpTime.compact
        let arrival = NTPTime(room.now, origin: NTPTime(0xe000_0000_0000_0000)).compact
        let held = UInt32(30 * 65_536 / 1_000)
        let wait = (UInt32(80 * 65_536 / 1_000) &+ held) &- (arrival &- sentAt)
        room.now = room.now + .microseconds(Int64(Int32(bitPattern: wait)) * 1_000_000 / 65_536)
        let block = big(210) + [25, 0, 0, 9] + big(0) + big(0) + big(sentAt) + big(held)
        room.control([0x81, 201, 0, 7] + big(2) + block, from: 2)
        let statistics = try #require(room.statistics(2))
        let roundTrip = try #require(statistics.roundTrip)
        #expect(abs(roundTrip.nanoseconds - 80_000_000) < 1_000_000)
        #expect(statistics.reportedLost == 9)
        #expect(statistics.reportedFractionLost == 25.0 / 256)
    }

    @Test("Transport feedback tells of every packet of the peer each 50 ms, whatever its stream")
    func transportFeedback() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
        var arrived: [UInt16] = []
        for i in 0..<200 as Range<UInt16> {
            let number = 65_500 &+ i
            if i % 9 != 4 {
                arrived.append(number)
                let extensions: [(UInt8, [UInt8])] = [(6, [UInt8(number >> 8), UInt8(number & 0xff)])]
                let packet = rtpPacket(
                    111, i, UInt32(i) * 960, i % 2 == 0 ? 101 : 424_242, extensions: extensions, payload: [1, 2, 3])
                room.receive(packet, from: 1)
            }
            room.run(milliseconds: 5)
        }
        room.run(milliseconds: 60)
        var told: [UInt16] = []
        var messages = 0
        for datagram in room.rtcp where datagram.peer == PeerID(1) {
            let span = datagram.bytes.span
            guard var reader = CompoundReader(span) else { continue }
            while let packet = reader.next(span) {
                guard var feedback = TransportFeedback(span, packet) else { continue }
                #expect(feedback.feedbackCount == UInt8(truncatingIfNeeded: messages))
                messages += 1
                while let status = feedback.next(span) {
                    if status.isReceived { told.append(status.sequence.rawValue) }
                }
            }
        }
        #expect(messages >= 18 && messages <= 21)
        #expect(Set(told) == Set(arrived))
    }

    @Test("Malformed RTCP is dropped by name")
    func malformed() {
        let room = pair()
        room.control([], from: 2)
        room.control([0x80, 200, 0, 6, 1], from: 2)
        room.control([0x81, 205, 0, 2] + big(1) + big(2), from: 2)
        room.control([0x80, 207, 0, 1] + big(1), from: 2)
        #expect(room.drop(.malformedRTCP) == 3)
        #expect(room.drop(.unusedRTCP) == 1)
    }
}
