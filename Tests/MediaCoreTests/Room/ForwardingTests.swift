// Packets from one peer to another through the whole core: what is rewritten, what waits, what is dropped and under
// which name.
import MediaCore
import Testing

@Suite("Forwarding")
struct ForwardingTests {
    func pair() -> TestRoom {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
        room.join(2, [TestRoom.microphone(2), TestRoom.camera(2)])
        return room
    }

    @Test(
        "Audio reaches the other peer on its slot, with its mid, its publisher as contributing source, and marked first"
    )
    func audio() throws {
        let room = pair()
        room.receive(audioPacket(1, 10, 1_000), from: 1)
        room.receive(audioPacket(1, 11, 1_960), from: 1)
        let sent = room.sent(to: 2)
        try #require(sent.count == 2)
        #expect(room.sent(to: 1).isEmpty)
        #expect(sent[0].ssrc == 210)
        #expect(sent[0].mid == "a0")
        #expect(sent[0].source == 1)
        #expect(sent[0].level == 30)
        #expect(sent[0].marker && !sent[1].marker)
        #expect(sent[1].sequence == sent[0].sequence &+ 1)
        #expect(sent[1].timestamp == sent[0].timestamp &+ 960)
        #expect(sent[1].transportSequence == sent[0].transportSequence.map { $0 &+ 1 })
        #expect(sent[0].payload == [UInt8](repeating: 10, count: 60))
        #expect(room.events.contains(.trackStarted(TrackID(peer: PeerID(1), mid: mid("mic")))))
    }

    @Test("Who has no slot for video is sent no transport-wide numbers; behind a change nothing older is sent again")
    func numbersForTheEstimateAlone() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.join(2, [TestRoom.microphone(2)], video: 0)
        room.receive(audioPacket(1, 10, 1_000), from: 1)
        let first = try #require(room.sent(to: 2).first)
        #expect(first.transportSequence == nil && first.mid == "a0" && first.level == 30)
        let slots = TestRoom.slots(2, audio: 4, video: 4)
        room.apply(.applyPlan(PeerID(2), TestRoom.plan([TestRoom.microphone(2)], slots)))
        room.receive(audioPacket(1, 11, 1_960), from: 1)
        let second = try #require(room.sent(to: 2).last)
        #expect(second.sequence == first.sequence &+ 1)
        #expect(second.transportSequence != nil)
        // Written with the extensions of now it would be other bytes under the same number.
        room.clear()
        room.control(negativeAcknowledgement(210, [first.sequence]), from: 2)
        #expect(room.sent(to: 2).isEmpty)
    }

    @Test("Video is forwarded from the first key frame on, under the slot's payload type")
    func video() throws {
        let room = pair()
        room.receive(videoPacket(1, 1, 0), from: 1)
        #expect(room.sent(to: 2).isEmpty)
        #expect(room.drop(.awaitingKeyFrame) == 1)
        #expect(room.feedback(206, 1, to: 1) == 1)
        room.receive(videoPacket(1, 2, 3_000, key: true, picture: 9), from: 1)
        room.receive(videoPacket(1, 3, 6_000, picture: 10), from: 1)
        let sent = room.sent(to: 2)
        try #require(sent.count == 2)
        #expect(sent.allSatisfy { $0.payloadType == 102 && $0.ssrc == 220 && $0.mid == "v0" })
        #expect(sent[1].timestamp == sent[0].timestamp &+ 3_000)
    }

    @Test("Packets of a key frame that overtook its first packet follow it")
    func overtaken() throws {
        let room = pair()
        room.receive(videoPacket(1, 6, 0, picture: 9, start: false, marker: false), from: 1)
        room.receive(videoPacket(1, 7, 0, picture: 9, start: false), from: 1)
        room.receive(videoPacket(1, 5, 0, key: true, picture: 9, marker: false), from: 1)
        let sent = room.sent(to: 2)
        try #require(sent.count == 3)
        #expect(sent.map { $0.sequence &- sent[0].sequence } == [0, 1, 2])
        #expect(sent.allSatisfy { $0.timestamp == sent[0].timestamp })
        #expect(sent[2].marker)
    }

    @Test("A lost packet leaves its gap, so that the receiver asks; it fills it when it comes late")
    func gap() throws {
        let room = pair()
        for sequence: UInt16 in [100, 101, 103, 102] {
            room.receive(audioPacket(1, sequence, UInt32(sequence) * 960), from: 1)
        }
        let sent = room.sent(to: 2)
        try #require(sent.count == 4)
        #expect(sent.map { $0.sequence &- sent[0].sequence } == [0, 1, 3, 2])
        #expect(sent.map { $0.timestamp &- sent[0].timestamp } == [0, 960, 2_880, 1_920])
    }

    @Test("Padding is closed up when it is the newest, and fills its number when it comes late")
    func padding() throws {
        let room = pair()
        room.receive(audioPacket(1, 100, 0), from: 1)
        room.receive(rtpPacket(111, 101, 0, 101, payload: [], padding: 20), from: 1)
        room.receive(audioPacket(1, 102, 960), from: 1)
        room.receive(audioPacket(1, 104, 2_880), from: 1)
        room.receive(rtpPacket(111, 103, 960, 101, payload: [], padding: 20), from: 1)
        let sent = room.sent(to: 2)
        try #require(sent.count == 4)
        #expect(sent.map { $0.sequence &- sent[0].sequence } == [0, 1, 3, 2])
        #expect(sent[3].payload.isEmpty)
        #expect(room.drop(.paddingOnly) == 1)
    }

    @Test("A duplicate is never forwarded twice")
    func duplicates() {
        let room = pair()
        for _ in 0..<3 { room.receive(audioPacket(1, 100, 0), from: 1) }
        #expect(room.sent(to: 2).count == 1)
        #expect(room.drop(.duplicate) == 2)
    }

    @Test("Sequence numbers and timestamps wrap without a seam")
    func wraps() throws {
        let room = pair()
        var timestamp: UInt32 = 0xffff_ffff - 960 * 20
        for i in 0..<70_000 {
            room.receive(audioPacket(1, UInt16(truncatingIfNeeded: 65_000 + i), timestamp), from: 1)
            timestamp &+= 960
            room.now = room.now + .milliseconds(20)
            if i % 10_000 == 9_999 { room.transcript.removeAll() }
        }
        let sent = room.sent(to: 2)
        try #require(sent.count == 70_000)
        var isSmooth = true
        for (a, b) in zip(sent, sent.dropFirst()) {
            isSmooth = isSmooth && b.sequence == a.sequence &+ 1 && b.timestamp == a.timestamp &+ 960
        }
        #expect(isSmooth)
    }

    @Test("An unknown SSRC is dropped by name; with a mid it is learned")
    func learning() {
        let room = pair()
        room.receive(rtpPacket(99, 1, 0, 9_999, payload: [1]), from: 1)
        #expect(room.drop(.unknownSSRC) == 1)
        room.receive(rtpPacket(111, 1, 0, 9_999, extensions: [(1, Array("xyz".utf8))], payload: [1]), from: 1)
        #expect(room.drop(.unknownMid) == 1)
        room.receive(rtpPacket(111, 1, 0, 9_999, extensions: [(1, Array("mic".utf8))], payload: [1, 2]), from: 1)
        #expect(room.sent(to: 2).map(\.payload) == [[1, 2]])
        room.receive(rtpPacket(111, 2, 960, 9_999, payload: [3]), from: 1)
        #expect(room.sent(to: 2).count == 2)
        let bound = Decision.streamBound(
            peer: PeerID(1), ssrc: SSRC(9_999), mid: mid("mic"), layer: 0, isRetransmission: false)
        #expect(room.decisions.contains(bound))
    }

    @Test("A flood of SSRCs is bounded: the table fills and says so")
    func flood() {
        let room = TestRoom()
        room.join(1, [TestRoom.simulcastCamera(), TestRoom.microphone(1)])
        for i in 0..<10_000 as Range<UInt32> {
            room.receive(
                rtpPacket(
                    97, 1, 0, 50_000 + i, extensions: [(1, Array("cam".utf8)), (3, Array("q".utf8))], payload: [0, 0]),
                from: 1)
        }
        // Each SSRC takes the encoding over from the one before, so the table never holds more than one of them.
        #expect(room.drop(.bandwidthProbe) == 10_000)
        #expect(room.drop(.tooManySSRCs) == 0)
    }

    @Test(
        "Retransmissions with SSRC 0 before any media are bandwidth probes: counted in transport feedback, never bound")
    func probes() throws {
        let room = pair()
        for i in 0..<5 as Range<UInt16> {
            room.receive(
                rtpPacket(97, i, 0, 0, extensions: [(6, [0, UInt8(i)])], payload: [0, 1], padding: 200), from: 1)
        }
        #expect(room.drop(.bandwidthProbe) == 5)
        room.run(milliseconds: 60)
        #expect(room.feedback(205, 15, to: 1) == 1)
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        #expect(room.sent(to: 2).count == 1)
    }

    @Test("A publisher's retransmission enters as the original that it carries")
    func retransmissionFromPublisher() throws {
        let room = pair()
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        room.receive(videoPacket(1, 3, 6_000, picture: 3), from: 1)
        room.receive(
            rtpPacket(
                97, 77, 3_000, 103, marker: true,
                payload: [0, 2] + vp8Payload(key: false, picture: 2, tl0: 1, keyIndex: 1)), from: 1)
        let sent = room.sent(to: 2, ssrc: 220)
        try #require(sent.count == 3)
        #expect(sent.map { $0.sequence &- sent[0].sequence } == [0, 2, 1])
        #expect(sent.map { $0.timestamp &- sent[0].timestamp } == [0, 6_000, 3_000])
        #expect(room.core.statistics.retransmissionsReceived == 1)
    }

    @Test("A muted track is not forwarded and leaves its slot; unmuted it begins with a key frame again")
    func mute() throws {
        let room = pair()
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        let track = TrackID(peer: PeerID(1), mid: mid("cam"))
        room.clear()
        room.apply(.setMuted(track, true))
        #expect(room.assignment(2, "v0")?.track == nil)
        room.receive(videoPacket(1, 2, 3_000), from: 1)
        #expect(room.sent(to: 2).isEmpty)
        #expect(room.drop(.trackMuted) == 1)
        room.clear()
        room.apply(.setMuted(track, false))
        #expect(room.assignment(2, "v0")?.track == track)
        #expect(room.feedback(206, 1, to: 1) == 1)
        room.receive(videoPacket(1, 3, 6_000), from: 1)
        #expect(room.sent(to: 2).isEmpty)
        room.receive(videoPacket(1, 4, 9_000, key: true), from: 1)
        #expect(room.sent(to: 2).count == 1)
    }

    @Test("Nothing goes to or from a peer that left, and its slots are given to others")
    func removal() {
        let room = pair()
        room.receive(audioPacket(1, 1, 0), from: 1)
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        room.apply(.removeParticipant(PeerID(1), .left))
        #expect(room.assignment(2, "a0")?.track == nil)
        room.clear()
        room.receive(audioPacket(1, 2, 960), from: 1)
        room.receive(audioPacket(2, 2, 960), from: 2)
        room.control(negativeAcknowledgement(220, [0, 1, 2]), from: 2)
        room.run(milliseconds: 5_000)
        #expect(room.rtp.isEmpty)
        #expect(room.rtcp.allSatisfy { $0.peer == PeerID(2) })
        #expect(room.drop(.unknownPeer) == 1)
        #expect(room.core.slotAssignments(of: PeerID(1)).isEmpty)
        room.join(3, [TestRoom.microphone(3)])
        #expect(room.assignment(2, "a0")?.track == TrackID(peer: PeerID(3), mid: mid("mic")))
    }

    @Test("Nothing is sent before the peer is connected, nor while it is not")
    func connection() {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.apply(.addParticipant(PeerID(2)))
        room.apply(.applyPlan(PeerID(2), TestRoom.plan([], TestRoom.slots(2, audio: 1, video: 0))))
        room.receive(audioPacket(1, 1, 0), from: 1)
        #expect(room.rtp.isEmpty)
        room.apply(.peerConnected(PeerID(2)))
        room.receive(audioPacket(1, 2, 960), from: 1)
        #expect(room.sent(to: 2).count == 1)
        room.apply(.peerDisconnected(PeerID(2)))
        room.receive(audioPacket(1, 3, 1_920), from: 1)
        #expect(room.sent(to: 2).count == 1)
        room.receive(audioPacket(2, 3, 1_920), from: 2)
        #expect(room.drop(.peerNotConnected) == 1)
        room.apply(.peerConnected(PeerID(2)))
        room.receive(audioPacket(1, 4, 2_880), from: 1)
        let sent = room.sent(to: 2)
        #expect(sent.count == 2)
        #expect(sent.last?.sequence == sent.first.map { $0.sequence &+ 1 })
    }

    @Test("The arena full, datagrams are dropped by name and nothing traps")
    func fullArena() {
        let room = TestRoom()
        room.out = Egress(capacity: 2_000)
        room.join(1, [TestRoom.microphone(1)])
        for n in 2..<8 as Range<UInt32> { room.join(n, []) }
        room.receive(audioPacket(1, 1, 0), from: 1)
        #expect(room.drop(.egressFull) > 0)
        #expect(room.rtp.count < 6)
    }

    @Test("A slot of another codec is told so and carries nothing")
    func unsupported() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)])
        var slots = TestRoom.slots(2, audio: 0, video: 1)
        slots[0].codecs[0].codec = .av1(profile: 0)
        room.apply(.addParticipant(PeerID(2)))
        room.apply(.applyPlan(PeerID(2), TestRoom.plan([], slots)))
        room.apply(.peerConnected(PeerID(2)))
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        let track = TrackID(peer: PeerID(1), mid: mid("cam"))
        #expect(room.assignment(2, "v0") == SlotAssignment(mid: mid("v0"), track: track, reason: .unsupportedCodec))
        #expect(room.decisions.contains(.unsupportedCodec(peer: PeerID(2), slot: mid("v0"), track: track, codec: .vp8)))
        #expect(room.rtp.isEmpty)
    }

    @Test("The same inputs give the same bytes, another seed others")
    func determinism() {
        func run(seed: UInt64) -> [UInt8] {
            let room = TestRoom(seed: seed)
            room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
            room.join(2, [TestRoom.microphone(2), TestRoom.camera(2)])
            room.join(3, [])
            for i in 0..<200 as Range<UInt16> {
                room.receive(audioPacket(1, i, UInt32(i) * 960), from: 1)
                if i % 7 != 3 {
                    room.receive(videoPacket(2, i, UInt32(i) * 1_800, key: i % 50 == 0, picture: i), from: 2)
                }
                room.run(milliseconds: 20)
                if i % 40 == 10 { room.control(pictureLoss(320), from: 3) }
                if i == 100 { room.apply(.setMuted(TrackID(peer: PeerID(1), mid: mid("mic")), true)) }
            }
            return room.transcript
        }
        let first = run(seed: 5)
        #expect(first.count > 40_000)
        #expect(first == run(seed: 5))
        #expect(first != run(seed: 6))
    }
}
