// What a room tells of its speakers: when, to say what, and what becomes of it when people are muted and leave.
import MediaCore
import Testing

@Suite("Speakers of a room")
struct RoomSpeakersTests {
    private var reports: (TestRoom) -> [SpeakerReport] {
        { room in room.events.compactMap { if case .speakersChanged(let report) = $0 { report } else { nil } } }
    }

    private func room() -> TestRoom {
        let room = TestRoom()
        for n in 1...4 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 3, video: 0) }
        return room
    }

    /// Those named speak, the others send noise.
    private func talk(_ room: TestRoom, _ speakers: [UInt32: UInt8], milliseconds: Int, _ frame: inout UInt16) {
        for _ in 0..<milliseconds / 20 {
            for n in 1...4 as ClosedRange<UInt32> {
                let syllable: UInt8 = [0, 3, 8, 14, 6, 2][Int(frame % 6)]
                let level = speakers[n].map { $0 + syllable }
                room.receive(
                    audioPacket(n, frame, UInt32(frame) * 960, level: level ?? 85, voice: level != nil), from: n)
            }
            frame += 1
            room.run(milliseconds: 20)
        }
    }

    @Test("Nothing is told while nobody speaks, and the clock is not asked to tick for it")
    func quiet() {
        let room = room()
        var frame: UInt16 = 0
        talk(room, [:], milliseconds: 2_000, &frame)
        #expect(reports(room).isEmpty)
        #expect(room.core.nextDeadline?.reason != .floor)
    }

    @Test("Who speaks is told with the level, in steps of 3 dB, at most five times a second, and the silence behind it")
    func told() throws {
        let room = room()
        var frame: UInt16 = 0
        talk(room, [:], milliseconds: 1_000, &frame)
        talk(room, [2: 24], milliseconds: 1_000, &frame)
        let first = reports(room)
        #expect(first.count >= 1 && first.count <= 5)
        let last = try #require(first.last)
        #expect(last.dominant == PeerID(2))
        #expect(last.active.map(\.peer) == [PeerID(2)])
        #expect(last.active[0].level % SpeakerReport.step == 0)
        #expect(last.active[0].level >= 21 && last.active[0].level <= 33)
        room.clear()
        talk(room, [:], milliseconds: 2_000, &frame)
        let after = try #require(reports(room).last)
        #expect(after == SpeakerReport(dominant: PeerID(2), active: []))
        room.clear()
        talk(room, [:], milliseconds: 2_000, &frame)
        #expect(reports(room).isEmpty)
        #expect(room.latePromises == 0)
    }

    @Test(
        "Several are listed, the loudest first; somebody else having the floor is decided with its numbers and told at once"
    )
    func several() throws {
        let room = room()
        var frame: UInt16 = 0
        talk(room, [:], milliseconds: 1_000, &frame)
        talk(room, [2: 30], milliseconds: 2_000, &frame)
        room.clear()
        talk(room, [2: 30, 3: 15], milliseconds: 600, &frame)
        #expect(reports(room).last?.active.map(\.peer) == [PeerID(3), PeerID(2)])
        room.clear()
        var told = 0
        while told < 50, !reports(room).contains(where: { $0.dominant == PeerID(3) }) {
            told += 1
            talk(room, [3: 15], milliseconds: 20, &frame)
        }
        #expect(told < 40)
        let changes = room.decisions.compactMap {
            if case .dominantSpeakerChanged(let change) = $0 { change } else { nil }
        }
        let change = try #require(changes.first)
        #expect(changes.count == 1)
        #expect(change.from?.peer == PeerID(2) && change.to.peer == PeerID(3))
        #expect(change.evidence >= change.needed)
    }

    @Test(
        "Who is muted is no longer listed but keeps the floor until somebody speaks, who needs no more than a word for it"
    )
    func muted() {
        let room = room()
        var frame: UInt16 = 0
        talk(room, [1: 25], milliseconds: 2_000, &frame)
        #expect(reports(room).last?.dominant == PeerID(1))
        room.apply(.setMuted(TrackID(peer: PeerID(1), mid: mid("mic")), true))
        talk(room, [1: 25], milliseconds: 500, &frame)
        #expect(reports(room).last == SpeakerReport(dominant: PeerID(1), active: []))
        talk(room, [2: 25], milliseconds: 800, &frame)
        #expect(reports(room).last?.dominant == PeerID(2))
    }

    @Test("Who leaves has no floor: nobody has it then, and the next one at once")
    func left() {
        let room = room()
        var frame: UInt16 = 0
        talk(room, [1: 25], milliseconds: 2_000, &frame)
        room.clear()
        room.apply(.removeParticipant(PeerID(1), .left))
        room.run(milliseconds: 400)
        #expect(reports(room).last == SpeakerReport(dominant: nil, active: []))
        talk(room, [3: 25], milliseconds: 500, &frame)
        #expect(reports(room).last?.dominant == PeerID(3))
    }

    @Test("Sound beside a screen is nobody's voice")
    func screenSound() {
        let room = TestRoom()
        var sound = TestRoom.microphone(1)
        sound.source = .screenAudio
        room.join(1, [sound])
        room.join(2, [TestRoom.microphone(2)])
        var frame: UInt16 = 0
        talk(room, [1: 20], milliseconds: 3_000, &frame)
        #expect(reports(room).isEmpty)
    }
}
