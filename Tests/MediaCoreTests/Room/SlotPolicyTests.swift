// Who is on which slot: pins, everybody while there is room, speakers beyond it, and nobody moved without need.
import MediaCore
import Testing

@Suite("Slot policy")
struct SlotPolicyTests {
    func mic(_ n: UInt32) -> TrackID { TrackID(peer: PeerID(n), mid: mid("mic")) }
    func cam(_ n: UInt32) -> TrackID { TrackID(peer: PeerID(n), mid: mid("cam")) }
    func shown(_ room: TestRoom, _ n: UInt32, _ prefix: String) -> [UInt32?] {
        room.core.slotAssignments(of: PeerID(n)).filter { $0.mid.text.hasPrefix(prefix) }.map {
            $0.track?.peer.rawValue
        }
    }

    @Test(
        "While there is room everybody has a slot, in the order of joining, sound and picture on slots of the same position"
    )
    func everyone() {
        let room = TestRoom()
        for n in 1...4 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n), TestRoom.camera(n)]) }
        #expect(shown(room, 1, "a") == [2, 3, 4, nil])
        #expect(shown(room, 1, "v") == [2, 3, 4, nil])
        #expect(shown(room, 3, "a") == [1, 2, 4, nil])
        #expect(room.assignment(1, "a0")?.reason == .everyone)
        #expect(room.assignment(1, "a3")?.reason == .nothing)
    }

    @Test("A change is told once, and only to those whom it concerns")
    func events() {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.join(2, [])
        #expect(room.events.count == 1)
        room.clear()
        room.join(3, [])
        #expect(room.events.count == 1)
        room.apply(.setMuted(mic(1), true))
        #expect(room.events.count == 3)
        room.apply(.setMuted(mic(1), true))
        #expect(room.events.count == 3)
    }

    @Test("A pin holds whatever the policy says and is given up when its track leaves")
    func pins() {
        let room = TestRoom()
        for n in 1...5 as ClosedRange<UInt32> { room.join(n, [TestRoom.camera(n)], audio: 0, video: 2) }
        #expect(shown(room, 1, "v") == [2, 3])
        room.apply(.setSlotWishes(PeerID(1), [SlotWish(mid: mid("v1"), pin: cam(5), wantedHeight: 720)]))
        #expect(shown(room, 1, "v") == [2, 5])
        #expect(room.assignment(1, "v1")?.reason == .pinned)
        room.apply(.setSlotWishes(PeerID(1), [SlotWish(mid: mid("v0"), pin: cam(5), wantedHeight: 720)]))
        #expect(shown(room, 1, "v").filter { $0 == 5 }.count == 1)
        room.apply(.removeParticipant(PeerID(5), .left))
        #expect(!shown(room, 1, "v").contains(5))
        #expect(!shown(room, 1, "v").contains(nil))
    }

    @Test("One's own tracks are never on one's slots, not even pinned")
    func own() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)])
        room.apply(.setSlotWishes(PeerID(1), [SlotWish(mid: mid("v0"), pin: cam(1), wantedHeight: 720)]))
        #expect(shown(room, 1, "v") == [nil, nil, nil, nil])
    }

    @Test("A shared screen comes before cameras and takes a slot when none is free")
    func screen() {
        let room = TestRoom()
        room.join(9, [], audio: 0, video: 2)
        for n in 1...3 as ClosedRange<UInt32> { room.join(n, [TestRoom.camera(n)], audio: 0, video: 0) }
        #expect(shown(room, 9, "v") == [1, 2])
        room.join(4, [TestRoom.screen(4)], audio: 0, video: 0)
        #expect(shown(room, 9, "v").contains(4))
        #expect(room.core.slotAssignments(of: PeerID(9)).contains { $0.reason == .screen })
    }

    /// Ten people, one listener with three audio slots.
    func crowd() -> TestRoom {
        let room = TestRoom()
        room.join(100, [], audio: 3, video: 3)
        for n in 1...10 as ClosedRange<UInt32> {
            room.join(n, [TestRoom.microphone(n), TestRoom.camera(n)], audio: 0, video: 0)
        }
        return room
    }
    /// Everybody sends for some time; those named speak.
    func talk(_ room: TestRoom, _ speakers: [UInt32: UInt8], milliseconds: Int, _ sequence: inout UInt16) {
        for _ in 0..<milliseconds / 20 {
            for n in 1...10 as ClosedRange<UInt32> {
                // A voice moves; what does not is a machine.
                // and pauses.
                let pauses = milliseconds >= 1_000 && sequence % 40 < 8
                let level = pauses ? nil : speakers[n].map { $0 + UInt8(sequence % 2) * 4 - 2 }
                room.receive(
                    audioPacket(n, sequence, UInt32(sequence) * 960, level: level ?? 127, voice: level != nil), from: n)
            }
            sequence += 1
            room.run(milliseconds: 20)
        }
    }

    @Test("Beyond the slots the speakers are heard within 60 ms, and nobody who speaks is moved")
    func speakers() {
        let room = crowd()
        var sequence: UInt16 = 0
        talk(room, [:], milliseconds: 500, &sequence)
        #expect(room.assignment(100, "a0")?.reason == .speaker)
        talk(room, [8: 30], milliseconds: 60, &sequence)
        #expect(shown(room, 100, "a").contains(8))
        let place = shown(room, 100, "a").firstIndex(of: 8)
        talk(room, [8: 30, 9: 20, 10: 25], milliseconds: 200, &sequence)
        #expect(Set(shown(room, 100, "a")) == [8, 9, 10])
        #expect(shown(room, 100, "a").firstIndex(of: 8) == place)
        // Their pictures follow, on the slots that belong to their voices.
        #expect(Set(shown(room, 100, "v")) == [8, 9, 10])
        // A fourth, hardly louder, has to wait; much louder, it is heard after the others had their word.
        let before = shown(room, 100, "a")
        talk(room, [8: 30, 9: 30, 10: 30, 1: 28], milliseconds: 1_000, &sequence)
        #expect(shown(room, 100, "a") == before)
        talk(room, [8: 40, 9: 30, 10: 30, 1: 10], milliseconds: 1_000, &sequence)
        #expect(shown(room, 100, "a").contains(1))
        #expect(!shown(room, 100, "a").contains(8))
    }

    @Test("A pause in speech shorter than the hang-over moves nobody")
    func pauses() {
        let room = crowd()
        var sequence: UInt16 = 0
        talk(room, [8: 30, 9: 30, 10: 30], milliseconds: 300, &sequence)
        let before = shown(room, 100, "a")
        room.clear()
        for _ in 0..<5 {
            talk(room, [4: 30], milliseconds: 200, &sequence)
            talk(room, [8: 30, 9: 30, 10: 30], milliseconds: 200, &sequence)
        }
        #expect(shown(room, 100, "a") == before)
        #expect(!room.events.contains { if case .slotChanged = $0 { true } else { false } })
        talk(room, [4: 30], milliseconds: 400, &sequence)
        #expect(shown(room, 100, "a").contains(4))
    }

    @Test("A new plan keeps the slots and tracks whose mid is the same, with their numbers")
    func replan() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.join(2, [], audio: 1, video: 0)
        room.receive(audioPacket(1, 1, 960), from: 1)
        room.apply(.applyPlan(PeerID(2), TestRoom.plan([], TestRoom.slots(2, audio: 2, video: 3))))
        room.apply(
            .applyPlan(
                PeerID(1),
                TestRoom.plan([TestRoom.microphone(1), TestRoom.camera(1)], TestRoom.slots(1, audio: 4, video: 4))))
        room.receive(audioPacket(1, 2, 1_920), from: 1)
        let sent = room.sent(to: 2)
        try #require(sent.count == 2)
        #expect(sent[1].sequence == sent[0].sequence &+ 1)
        #expect(sent[1].timestamp == sent[0].timestamp &+ 960)
        #expect(shown(room, 2, "v") == [1, nil, nil])
        room.apply(.applyPlan(PeerID(1), TestRoom.plan([], TestRoom.slots(1, audio: 4, video: 4))))
        #expect(shown(room, 2, "a") == [nil, nil])
    }

    @Test("A track that sends nothing has stalled; it is told once")
    func stalled() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)])
        room.join(2, [], audio: 0, video: 1)
        room.run(milliseconds: 10_000)
        #expect(room.events.filter { $0 == .trackStalled(cam(1)) }.count == 1)
        room.receive(videoPacket(1, 1, 0, key: true), from: 1)
        room.clear()
        room.run(milliseconds: 10_000)
        #expect(room.events.filter { $0 == .trackStalled(cam(1)) }.count == 1)
        room.apply(.setMuted(cam(1), true))
        room.clear()
        room.run(milliseconds: 10_000)
        #expect(room.events.isEmpty)
        #expect(room.latePromises == 0)
    }
}
