// The report of a peer: what its packets, its reports and its slots say of the last period, and that asking changes nothing.
import Testing

@testable import MediaCore

@Suite("How well a peer is served")
struct PeerQualityTests {
    private func checkpoint(_ room: TestRoom) -> [UInt8] {
        var checkpoint = Checkpoint()
        room.core.checkpoint(into: &checkpoint)
        return checkpoint.bytes
    }

    private func report(_ room: TestRoom, _ n: UInt32, since before: PeerQuality?) throws -> PeerQuality {
        let report = room.core.qualityReport(of: PeerID(n), since: before?.counters, at: room.now)
        return try #require(report)
    }

    /// A receiver report about one stream.
    private func receiverReport(
        _ media: UInt32, fraction: UInt8, lost: UInt32, highest: UInt32, jitter: UInt32, lastReport: UInt32 = 0,
        delay: UInt32 = 0
    ) -> [UInt8] {
        [0x81, 201, 0, 7] + big(9) + big(media) + big(UInt32(fraction) << 24 | lost) + big(highest) + big(jitter)
            + big(lastReport) + big(delay)
    }

    /// The middle 32 bits of the last sender report's NTP time to a peer about a slot.
    private func lastReport(_ room: TestRoom, to n: UInt32) throws -> UInt32 {
        let report = try #require(room.rtcp.last { $0.peer == PeerID(n) && $0.bytes[1] == 200 }).bytes
        return report[10..<14].reduce(0) { $0 << 8 | UInt32($1) }
    }

    @Test("Rates, loss and jitter of the last period, both ways, and the score of what is heard")
    func figures() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)])
        room.join(2, [TestRoom.microphone(2)])
        var sequence: UInt16 = 0
        func speak(_ count: Int, losing: Int = 0) {
            for i in 0..<count {
                sequence &+= 1
                let timestamp = UInt32(truncatingIfNeeded: room.now.nanoseconds / 1_000_000 * 48)
                if i >= losing { room.receive(audioPacket(1, sequence, timestamp), from: 1) }
                room.run(milliseconds: 20)
            }
        }
        speak(50)
        let first = try report(room, 1, since: nil)
        #expect(first.fromPeer.rate == .zero && first.fromPeer.lossFraction == 0 && first.meanOpinionScore == nil)
        let other = try report(room, 2, since: nil)
        #expect(other.slots.first?.status == .forwarding)
        speak(50, losing: 5)
        let second = try report(room, 1, since: first)
        // 45 packets of 12 + 8 + 60 bytes in a second.
        #expect(second.fromPeer.rate == DataRate(bitsPerSecond: 45 * 80 * 8))
        #expect(second.fromPeer.lossFraction == 0.1)
        let heard = try report(room, 2, since: other)
        let slot = try #require(heard.slots.first)
        #expect(slot.assignment.track == TrackID(peer: PeerID(1), mid: mid("mic")))
        #expect(slot.layer == 0 && slot.layers == 1 && slot.height == nil)
        #expect(slot.rate == DataRate(bitsPerSecond: 45 * 60 * 8))
        #expect(heard.toPeer.rate > slot.rate)
        #expect(slot.lossFraction == nil && slot.meanOpinionScore == nil)

        // The receiver reports: 100 promised, 20 lost between two reports, 40 ms there and back, 4 ms of jitter.
        let clock = UInt32(4 * 48)
        let media = slot.assignment.mid == mid("a0") ? UInt32(210) : 0
        room.control(receiverReport(media, fraction: 0, lost: 3, highest: 1_000, jitter: clock), from: 2)
        room.run(milliseconds: 1_000)
        speak(3)
        let last = try lastReport(room, to: 2)
        let sent = NTPTime(room.now, origin: NTPTime(0xe000_0000_0000_0000)).compact
        room.control(
            receiverReport(
                media, fraction: 51, lost: 23, highest: 1_100, jitter: clock, lastReport: last,
                delay: sent &- last &- 2_621), from: 2)
        let told = try report(room, 2, since: heard)
        #expect(told.toPeer.lossFraction == 0.2)
        #expect(told.toPeer.jitter == .milliseconds(4))
        let roundTrip = try #require(told.roundTrip)
        #expect(roundTrip > .milliseconds(39) && roundTrip < .milliseconds(41))
        #expect(told.slots.first?.lossFraction == 0.2)
        let score = try #require(told.slots.first?.meanOpinionScore)
        let expected = EModel(roundTripMilliseconds: 40, jitterMilliseconds: 4, lossFraction: 0.2).meanOpinionScore
        #expect(abs(score - expected) < 0.01 && score < 2.5)
        #expect(abs(try #require(told.meanOpinionScore) - expected) < 0.01)

        // A report that is long past says nothing of the present.
        room.run(milliseconds: 8_000)
        #expect(try report(room, 2, since: told).toPeer.lossFraction == 0)
    }

    @Test("Layers: what is forwarded, of how many, how high; waiting, silent, hidden, empty")
    func layers() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.simulcastCamera()], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 2)
        func slot() throws -> SlotQuality { try #require(try report(room, 2, since: nil).slots.first) }
        func send(_ rid: String, _ ssrc: UInt32, _ sequence: UInt16, key: Bool) {
            room.receive(
                videoPacket(
                    1, sequence, UInt32(sequence) * 3_000, key: key, picture: sequence, ssrc: ssrc,
                    extensions: [(1, Array("cam".utf8)), (2, Array(rid.utf8))]), from: 1)
        }
        #expect(try slot().status == .publisherSilent)
        send("q", 11, 1, key: false)
        #expect(try slot().status == .awaitingKeyFrame)
        #expect(try slot().layer == nil)
        send("q", 11, 2, key: true)
        #expect(try slot().status == .forwarding)
        #expect(try slot().layer == 0)
        #expect(try slot().height == 240)
        #expect(try slot().layers == 3)
        send("h", 12, 1, key: false)
        #expect(try slot().status == .switchingLayer)
        send("h", 12, 2, key: true)
        #expect(try slot().status == .forwarding)
        #expect(try slot().layer == 1)
        room.apply(.setSlotWishes(PeerID(2), [SlotWish(mid: mid("v0"), pin: nil, wantedHeight: 0)]))
        #expect(try slot().status == .hidden)
        #expect(try report(room, 2, since: nil).slots.last?.status == .empty)
    }

    @Test("Asking changes nothing in the room, and nobody is reported on who is not connected")
    func changesNothing() throws {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
        room.join(2, [TestRoom.microphone(2)])
        for number in 1...40 {
            room.receive(audioPacket(1, UInt16(number), UInt32(number) * 960), from: 1)
            room.receive(videoPacket(1, UInt16(number), UInt32(number) * 3_000, key: number == 1), from: 1)
            room.run(milliseconds: 20)
        }
        let before = checkpoint(room)
        var report = try report(room, 1, since: nil)
        report = try self.report(room, 1, since: report)
        // Two reports at one moment: no time went by, so there are no rates.
        #expect(report.fromPeer.rate == .zero)
        _ = try self.report(room, 2, since: report)
        #expect(checkpoint(room) == before)
        room.apply(.peerDisconnected(PeerID(1)))
        #expect(room.core.qualityReport(of: PeerID(1), since: nil, at: room.now) == nil)
        #expect(room.core.qualityReport(of: PeerID(9), since: nil, at: room.now) == nil)
    }
}
