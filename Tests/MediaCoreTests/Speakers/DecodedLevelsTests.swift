// Microphones whose packets carry no level: what is told of them by who decodes, what their lengths stand for until then, and that late,
// missing and foreign answers do no harm.
import Testing

@testable import MediaCore

@Suite("Levels found by decoding")
struct DecodedLevelsTests {
    /// How long after a packet its level is told.
    private static let answerMilliseconds: Int64 = 3

    private static func packet(_ n: UInt32, _ frame: UInt16, bytes: Int = 60) -> [UInt8] {
        rtpPacket(
            111, frame, UInt32(frame) * 960, n * 100 + 1,
            payload: [UInt8](repeating: UInt8(truncatingIfNeeded: frame), count: bytes))
    }

    private static func microphone(_ n: UInt32) -> TrackID { TrackID(peer: PeerID(n), mid: mid("mic")) }

    /// Packets of 60 bytes from `people`, and their levels a little later: those named speak, the others are silent.
    private func talk(
        _ room: TestRoom, _ people: ClosedRange<UInt32>, _ speakers: [UInt32: UInt8], milliseconds: Int,
        _ frame: inout UInt16, answers: Bool = true, silence: UInt8 = 90
    ) {
        for _ in 0..<milliseconds / 20 {
            for n in people {
                room.core.receiveRTP(Self.packet(n, frame).span, from: PeerID(n), at: room.now, into: &room.out)
                #expect(
                    room.out.unmeasured
                        == Egress.UnmeasuredSound(
                            track: Self.microphone(n), timestamp: UInt32(frame) * 960, offset: 12, count: 60))
                room.apply(.setMuted(TrackID(peer: PeerID(99), mid: mid("mic")), true))
                #expect(room.out.unmeasured == nil)
            }
            room.run(milliseconds: Self.answerMilliseconds)
            let syllable: UInt8 = [0, 3, 8, 14, 6, 2][Int(frame % 6)]
            for n in people where answers {
                let level = AudioLevel(isVoice: speakers[n] != nil, level: speakers[n].map { $0 + syllable } ?? silence)
                room.apply(.soundLevel(Self.microphone(n), timestamp: UInt32(frame) * 960, level))
            }
            frame += 1
            room.run(milliseconds: 20 - Self.answerMilliseconds)
        }
    }

    private func dominant(_ room: TestRoom) -> PeerID? {
        room.events.reversed().lazy.compactMap { event -> PeerID? in
            if case .speakersChanged(let report) = event { report.dominant } else { nil }
        }.first
    }

    @Test("Who speaks has the floor and a slot, though all packets are of one length; the silent are not forwarded")
    func speaking() {
        let room = TestRoom()
        for n in 1...5 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 1, video: 0) }
        var frame: UInt16 = 0
        talk(room, 1...5, [:], milliseconds: 1_000, &frame)
        room.clear()
        let began = UInt32(frame) * 960
        talk(room, 1...5, [3: 25], milliseconds: 600, &frame)
        #expect(dominant(room) == PeerID(3))
        let heard = room.sent(to: 1)
        #expect(heard.allSatisfy { $0.source == 3 })
        // From the first syllable on, 40 ms before it included, without a gap.
        #expect(
            (heard.first?.timestamp).map { first in
                let last = heard[heard.count - 1].timestamp
                return last &- first == UInt32(heard.count - 1) * 960
            } == true)
        #expect(heard.count >= Int(UInt32(frame) * 960 - began) / 960)
        #expect(room.latePromises == 0)
        // It passes to the next who speaks.
        talk(room, 1...5, [:], milliseconds: 1_000, &frame)
        room.clear()
        talk(room, 1...5, [5: 25], milliseconds: 1_000, &frame)
        #expect(dominant(room) == PeerID(5))
        #expect(room.sent(to: 1).last?.source == 5)
    }

    @Test("Without an answer the length stands for the level, before the first and again behind the eighth missing one")
    func unanswered() {
        let room = TestRoom()
        for n in 1...3 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 2, video: 0) }
        var frame: UInt16 = 0
        // Sixty bytes are taken for speech.
        talk(room, 2...2, [:], milliseconds: 1_000, &frame, answers: false)
        #expect(dominant(room) == PeerID(2))
        // Then somebody decodes them: noise.
        talk(room, 2...2, [:], milliseconds: 2_000, &frame)
        var reports = room.events.compactMap { event -> SpeakerReport? in
            if case .speakersChanged(let report) = event { report } else { nil }
        }
        #expect(reports.last?.active.isEmpty == true)
        room.clear()
        talk(room, 2...2, [:], milliseconds: 20 * Int(DecodedLevels.patience - 1), &frame, answers: false)
        #expect(room.events.isEmpty)
        talk(room, 2...2, [:], milliseconds: 1_000, &frame, answers: false)
        reports = room.events.compactMap { event -> SpeakerReport? in
            if case .speakersChanged(let report) = event { report } else { nil }
        }
        #expect(reports.last?.active.map(\.peer) == [PeerID(2)])
    }

    @Test("A packet is listened to once: an answer that comes behind its guess counts from the next packet on")
    func once() {
        var levels = DecodedLevels()
        func awaits(_ timestamp: UInt32) -> Bool { levels.awaitsAnswer(timestamp: timestamp) }
        func take(_ level: UInt8, timestamp: UInt32) -> Bool { levels.take(level, timestamp: timestamp) }
        #expect(levels.last == nil)
        #expect(!awaits(960) && !awaits(1_920))
        #expect(!take(30, timestamp: 960))
        #expect(levels.last == 30)
        #expect(!take(31, timestamp: 1_920))
        #expect(awaits(2_880))
        #expect(take(32, timestamp: 2_880))
        #expect(levels.last == 32)
        // A stream that begins anew, at other timestamps, is no late answer.
        for _ in 0..<Int(DecodedLevels.patience) { _ = awaits(4_000_000_000) }
        #expect(levels.last == nil)
        #expect(take(33, timestamp: 5_000))
        levels.forget()
        #expect(levels.last == nil && !awaits(7_000))
    }

    @Test("Answers half a second late are waited for: the silent are not taken for speakers by their length")
    func slow() {
        let room = TestRoom()
        for n in 1...6 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 1, video: 0) }
        let lag: UInt16 = 25
        func talk(_ frames: Range<UInt16>, _ speaker: UInt32?) {
            for frame in frames {
                for n in 1...6 as ClosedRange<UInt32> { room.receive(Self.packet(n, frame), from: n) }
                for n in 1...6 as ClosedRange<UInt32> where frame >= lag {
                    let syllable: UInt8 = [0, 3, 8, 14, 6, 2][Int(frame % 6)]
                    // Of the packet of half a second ago, when the speaker was the same but at the beginning.
                    let speaks = n == speaker && frame >= frames.lowerBound + lag
                    room.apply(
                        .soundLevel(
                            Self.microphone(n), timestamp: UInt32(frame - lag) * 960,
                            AudioLevel(isVoice: speaks, level: speaks ? 25 + syllable : 90)))
                }
                room.run(milliseconds: 20)
            }
        }
        talk(0..<200, nil)
        room.clear()
        talk(200..<400, nil)
        #expect(room.rtp.isEmpty && dominant(room) == nil)
        talk(400..<500, 4)
        #expect(dominant(room) == PeerID(4))
        #expect(room.sent(to: 1).allSatisfy { $0.source == 4 } && room.sent(to: 1).count > 50)
    }

    @Test("Answers about nobody, the muted, pictures and those whose packets say their level change nothing")
    func foreign() {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)], audio: 1, video: 1)
        room.join(2, [TestRoom.microphone(2)], audio: 1, video: 1)
        let loud = AudioLevel(isVoice: true, level: 10)
        for frame in 0..<100 as Range<UInt16> {
            room.receive(audioPacket(1, frame, UInt32(frame) * 960, level: 100, voice: false), from: 1)
            #expect(room.out.unmeasured == nil)
            for track in [
                TrackID(peer: PeerID(7), mid: mid("mic")), TrackID(peer: PeerID(1), mid: mid("cam")),
                TrackID(peer: PeerID(1), mid: mid("none")),
            ] { room.apply(.soundLevel(track, timestamp: UInt32(frame) * 960, loud)) }
            room.run(milliseconds: 20)
        }
        room.apply(.setMuted(Self.microphone(2), true))
        for frame in 0..<100 as Range<UInt16> {
            room.receive(Self.packet(2, frame), from: 2)
            #expect(room.out.unmeasured == nil)
            room.apply(.soundLevel(Self.microphone(2), timestamp: UInt32(frame) * 960, loud))
            room.run(milliseconds: 20)
        }
        #expect(room.events.allSatisfy { if case .speakersChanged = $0 { false } else { true } })
    }

    @Test("Silence that a decoder finds is not forwarded where its packets are short; a long packet ends it at once")
    func silence() {
        let room = TestRoom()
        for n in 1...2 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 1, video: 0) }
        var frame: UInt16 = 0
        func send(bytes: Int, level: UInt8) {
            room.receive(Self.packet(1, frame, bytes: bytes), from: 1)
            room.run(milliseconds: Self.answerMilliseconds)
            room.apply(
                .soundLevel(
                    Self.microphone(1), timestamp: UInt32(frame) * 960, AudioLevel(isVoice: level < 60, level: level)))
            frame += 1
            room.run(milliseconds: 20 - Self.answerMilliseconds)
        }
        for _ in 0..<20 { send(bytes: 60, level: 30) }
        room.clear()
        for _ in 0..<50 { send(bytes: 10, level: 127) }
        // 200 ms of it, and the packet that began before its level was known.
        #expect((10...12).contains(room.sent(to: 2).count))
        room.clear()
        send(bytes: 60, level: 30)
        #expect(room.sent(to: 2).count == 1)
    }
}
