// What receivers are sent of silence, and of voices that come back: no gap in the numbers, true times, and the first syllable.
import Testing

@testable import MediaCore

@Suite("Silence and first syllables")
struct SilenceTests {
    private static let speech: [UInt8] = [28, 34, 26, 32, 24, 30]

    /// One publisher with a slot for each, or among so many that the loudest hold the slots.
    private func room(people: UInt32) -> TestRoom {
        let room = TestRoom()
        room.join(100, [], audio: 2, video: 0)
        for n in 1...people { room.join(n, [TestRoom.microphone(n)], audio: 0, video: 0) }
        return room
    }

    /// Sends one packet; a nil level is a packet of the codec's own silence.
    private func send(
        _ room: TestRoom, _ n: UInt32, _ frame: Int, number: UInt16? = nil, level: UInt8?, voice: Bool = true
    ) {
        let payload = level == nil ? [UInt8(8)] : [UInt8](repeating: UInt8(truncatingIfNeeded: frame), count: 60)
        room.receive(
            rtpPacket(
                111, number ?? UInt16(truncatingIfNeeded: frame), UInt32(truncatingIfNeeded: frame &* 960), n * 100 + 1,
                extensions: [(4, [(level ?? 127) | (voice && level != nil ? 0x80 : 0)])], payload: payload), from: n)
    }

    /// Frames from one to another, 20 ms each.
    private func send(
        _ room: TestRoom, _ n: UInt32, _ frames: Range<Int>, level: UInt8? = nil, speaks: Bool = false,
        voice: Bool = true
    ) {
        for frame in frames {
            let spoken = Self.speech[frame % Self.speech.count]
            send(room, n, frame, level: speaks ? spoken : level, voice: speaks || voice)
            room.run(milliseconds: 20)
        }
    }

    /// The source frames that reached a receiver, by their timestamps.
    private func frames(_ sent: [SentRTP], from first: Int) -> [Int] {
        guard let base = sent.first?.timestamp else { return [] }
        return sent.map { first + Int(($0.timestamp &- base) / 960) }
    }

    private func isWhole(_ sent: [SentRTP]) -> Bool {
        zip(sent, sent.dropFirst()).allSatisfy { $1.sequence == $0.sequence &+ 1 }
    }

    @Test(
        "Of digital silence 200 ms are forwarded, then nothing; behind it numbers go on without a gap and times are true"
    )
    func digitalSilence() throws {
        let room = room(people: 1)
        send(room, 1, 0..<20, speaks: true)
        send(room, 1, 20..<100, level: 127, voice: false)
        send(room, 1, 100..<120, speaks: true)
        let sent = room.sent(to: 100)
        #expect(isWhole(sent))
        #expect(frames(sent, from: 0) == Array(0..<30) + Array(100..<120))
        #expect(sent[30].marker && !sent[29].marker)
        #expect(room.drop(.silence) == 70)
    }

    @Test(
        "The codec's own silence: its first packet is forwarded, its repetitions are not, and what is lost among them is no gap"
    )
    func discontinuous() throws {
        let room = room(people: 1)
        send(room, 1, 0..<10, speaks: true)
        // One packet each 400 ms; the third is lost on the way.
        for (index, frame) in [10, 30, 50, 70, 90].enumerated() where index != 2 {
            send(room, 1, frame, number: UInt16(10 + index), level: nil)
            room.run(milliseconds: 400)
        }
        for frame in 95..<100 {
            send(room, 1, frame, number: UInt16(frame - 80), level: 30)
            room.run(milliseconds: 20)
        }
        let sent = room.sent(to: 100)
        #expect(isWhole(sent))
        #expect(frames(sent, from: 0) == Array(0..<11) + Array(95..<100))
    }

    @Test("What is late while a slot rests fills its place; what is late from within the silence is dropped")
    func late() throws {
        let room = room(people: 1)
        send(room, 1, 0..<9, speaks: true)
        for frame in 10..<24 { send(room, 1, frame, level: 127, voice: false) }
        #expect(room.sent(to: 100).count == 19)
        send(room, 1, 9, level: 40)
        #expect(room.sent(to: 100).count == 20)
        #expect(room.sent(to: 100).last?.sequence == (room.sent(to: 100)[8].sequence &+ 1))
        for frame in 30..<34 { send(room, 1, frame, level: 30) }
        let before = room.sent(to: 100).count
        send(room, 1, 27, level: 127, voice: false)
        #expect(room.sent(to: 100).count == before)
        #expect(Set(room.sent(to: 100).map(\.sequence)).count == before)
    }

    @Test("A packet asked for again after the slot rested and returned is the very same")
    func resent() throws {
        let room = room(people: 1)
        send(room, 1, 0..<5, speaks: true)
        send(room, 1, 5..<40, level: 127, voice: false)
        send(room, 1, 40..<45, speaks: true)
        let sent = room.sent(to: 100)
        let ssrc = sent[0].ssrc
        room.clear()
        for packet in [sent[3], sent[sent.count - 4]] {
            room.control(negativeAcknowledgement(ssrc, [packet.sequence]), from: 100)
            #expect(room.rtp.last?.bytes == packet.bytes)
            room.run(milliseconds: 50)
        }
    }

    @Test(
        "Where the loudest hold the slots, who pauses for 300 ms is not forwarded; coming back, what came before the gate opened is"
    )
    func gated() throws {
        let room = room(people: 5)
        for frame in 0..<150 {
            for n in 1...5 as ClosedRange<UInt32> {
                let speaks = n == 1 && (frame < 50 || frame >= 100)
                // The first consonant is soft.
                let level = frame == 100 ? 62 : Self.speech[frame % Self.speech.count]
                send(room, n, frame, level: speaks ? level : 90, voice: speaks)
            }
            room.run(milliseconds: 20)
        }
        let sent = room.sent(to: 100).filter { $0.source == 1 }
        #expect(isWhole(sent))
        let got = frames(sent, from: 0)
        let paused = try #require(got.firstIndex { $0 > 80 })
        // Speech to frame 49, and 300 ms of hang-over, of which the last 200 ms and more are silent.
        #expect(got[paused - 1] >= 63 && got[paused - 1] <= 65)
        #expect(got[paused...].prefix(4) == [98, 99, 100, 101])
        #expect(got.last == 149)
        #expect(room.sent(to: 100).filter { $0.source != 1 }.isEmpty)
    }

    @Test("A person just promoted comes with the time before the gate opened, on a slot that was idle")
    func promoted() throws {
        let room = room(people: 5)
        for frame in 0..<120 {
            for n in 1...5 as ClosedRange<UInt32> {
                let speaks = n == 1 || n == 5 && frame >= 100
                let level = n == 5 && frame == 100 ? 60 : Self.speech[frame % Self.speech.count]
                send(room, n, frame, level: speaks ? level : 90, voice: speaks)
            }
            room.run(milliseconds: 20)
        }
        let sent = room.sent(to: 100).filter { $0.source == 5 }
        #expect(isWhole(sent))
        #expect(sent.first?.marker == true)
        // Heard at 100, 40 ms before that, every frame from there on, and all at their own times.
        #expect(sent.map { Int($0.payload[0]) } == Array(98..<120))
        #expect(frames(sent, from: 98) == Array(98..<120))
        // The line of the slot is the server's clock: as far behind the other slot's as they were said apart.
        let other = room.sent(to: 100).filter { $0.source == 1 }
        #expect(Set(sent.map(\.ssrc)).isDisjoint(with: other.map(\.ssrc)))
    }

    @Test("On a slot that was not idle what comes before is cut at the slot's last time, and nothing goes back")
    func cut() throws {
        let room = TestRoom()
        room.join(100, [], audio: 1, video: 0)
        for n in 1...3 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 0, video: 0) }
        for frame in 0..<120 {
            for n in 1...3 as ClosedRange<UInt32> {
                // One that is soft, and one that is much louder and talks into it.
                let speaks = n == 1 && frame % 40 < 34 || n == 2 && frame >= 80
                let level = (n == 1 ? 12 : 0) + Self.speech[frame % Self.speech.count] - (n == 2 ? 14 : 0)
                send(room, n, frame, level: speaks ? level : 90, voice: speaks)
            }
            room.run(milliseconds: 20)
        }
        let sent = room.sent(to: 100)
        #expect(isWhole(sent))
        #expect(sent.last?.source == 2)
        for (a, b) in zip(sent, sent.dropFirst()) {
            #expect(Int32(bitPattern: b.timestamp &- a.timestamp) > 0)
        }
        let base = try #require(sent.first?.timestamp)
        // The newest is where it belongs on the line.
        let last = try #require(sent.last)
        #expect(abs(Int((last.timestamp &- base) / 960) - 119) <= 1)
    }

    @Test("Fewer people than slots: everybody is forwarded whole, noise and all; never to oneself")
    func everybody() {
        let room = TestRoom()
        for n in 1...3 as ClosedRange<UInt32> { room.join(n, [TestRoom.microphone(n)], audio: 2, video: 0) }
        for frame in 0..<100 {
            for n in 1...3 as ClosedRange<UInt32> { send(room, n, frame, level: n == 1 ? 30 : 75, voice: n == 1) }
            room.run(milliseconds: 20)
        }
        for n in 1...3 as ClosedRange<UInt32> {
            let heard = room.sent(to: n)
            #expect(heard.count == 200)
            #expect(Set(heard.compactMap(\.source)) == Set(1...3).subtracting([n]))
        }
    }

    @Test("A pinned slot is forwarded whatever the gate says")
    func pinned() {
        let room = room(people: 5)
        let interpreter = TrackID(peer: PeerID(4), mid: mid("mic"))
        room.apply(
            .setSlotWishes(PeerID(100), [SlotWish(mid: mid("a0"), pin: interpreter, wantedHeight: 0)]))
        for frame in 0..<100 {
            for n in 1...5 as ClosedRange<UInt32> {
                send(room, n, frame, level: n == 4 ? 85 : 30 + UInt8(frame % 2) * 4)
            }
            room.run(milliseconds: 20)
        }
        #expect(room.sent(to: 100).filter { $0.source == 4 }.count == 100)
    }
}
