// The invariants themselves: each one notices what it is there for.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("The invariants notice")
struct InvariantTests {
    private let peer = PeerID(2)
    private let slot = ClientNumbers.slotSSRC(peer: 2, slot: 0)
    private let now = Timestamp(nanoseconds: 5)

    /// A receiver with one video slot that shows the camera of 1.
    private func watching() -> Invariants {
        var invariants = Invariants()
        let plan = ParticipantProfile([], audioSlots: 0, videoSlots: 1).plan(peer: 2)
        invariants.applied(plan, to: peer)
        invariants.setConnected(true, peer)
        let track = TrackID(peer: PeerID(1), mid: Mid("v")!)
        invariants.observe(
            .slotChanged(peer: peer, SlotAssignment(mid: Mid("rv0")!, track: track, reason: .everyone)), at: now)
        return invariants
    }

    private struct Sent {
        var sequence: UInt16
        var transport: UInt16
        var timestamp: UInt32 = 1_000
        var source: UInt32? = 1
        var picture: UInt16
        var levelZero: UInt8
        var keyIndex: UInt8 = 3
        var isKey = false
        var ssrc: UInt32
        var repairs: UInt16?
    }

    private func bytes(_ sent: Sent) -> [UInt8] {
        var payload: [UInt8] = []
        if let repairs = sent.repairs { payload.append(bigEndian: repairs) }
        payload += [0x90, 0xf0, 0x80 | UInt8(sent.picture >> 8), UInt8(truncatingIfNeeded: sent.picture)]
        payload += [sent.levelZero, sent.keyIndex, sent.isKey ? 0x10 : 0x11, 2, 0, 1, 2, 3]
        let plain = OutgoingPacket(
            payloadType: sent.repairs == nil ? ClientNumbers.slotVP8 : ClientNumbers.slotVP8RTX, marker: true,
            sequence: sent.sequence, timestamp: sent.timestamp, ssrc: sent.ssrc,
            extensions: [
                (
                    ClientNumbers.transportSequence,
                    [UInt8(sent.transport >> 8), UInt8(truncatingIfNeeded: sent.transport)]
                )
            ], payload: payload
        ).bytes
        guard let source = sent.source else { return plain }
        var contributing: [UInt8] = []
        contributing.append(bigEndian: source)
        return [plain[0] | 1] + plain[1..<12] + contributing + plain[12...]
    }

    private func first() -> Sent {
        Sent(sequence: 65_535, transport: 9, picture: 0x7fff, levelZero: 255, isKey: true, ssrc: slot)
    }
    private func second() -> Sent {
        Sent(sequence: 0, transport: 10, timestamp: 4_000, picture: 0, levelZero: 0, ssrc: slot)
    }

    private func sentences(_ packets: [Sent], _ prepare: (inout Invariants) -> Void = { _ in }) -> [String] {
        var invariants = watching()
        prepare(&invariants)
        for packet in packets { _ = invariants.observeRTP(bytes(packet), to: peer, at: now) }
        return invariants.violations.map(\.sentence)
    }

    @Test("nothing where nothing is wrong, across every wrap")
    func clean() {
        #expect(sentences([first(), second()]) == [])
        #expect(sentences([first(), first(), second()]) == [])
    }

    @Test("a number sent twice with other bytes")
    func reuse() {
        var again = first()
        again.timestamp = 1_001
        #expect(sentences([first(), again]).contains { $0.contains("sent twice") })
    }

    @Test("time that goes back")
    func timestamps() {
        var back = second()
        back.timestamp = 500
        #expect(sentences([first(), back]).contains { $0.contains("goes back") })
    }

    @Test("a broken chain of picture ids, TL0PICIDX and KEYIDX")
    func chain() {
        var picture = second()
        picture.picture = 1
        #expect(sentences([first(), picture]).contains { $0.contains("picture id") })
        var level = second()
        level.levelZero = 255
        #expect(sentences([first(), level]).contains { $0.contains("TL0PICIDX") })
        var key = second()
        key.keyIndex = 4
        #expect(sentences([first(), key]).contains { $0.contains("KEYIDX") })
    }

    @Test("a slot that begins without a key frame, and a source that does")
    func keyFrames() {
        var delta = first()
        delta.isKey = false
        #expect(sentences([delta]).contains { $0.contains("does not begin with a key frame") })
        var other = second()
        other.source = 3
        let track = TrackID(peer: PeerID(3), mid: Mid("v")!)
        let found = sentences([first(), other]) {
            $0.observe(
                .slotChanged(peer: PeerID(2), SlotAssignment(mid: Mid("rv0")!, track: track, reason: .everyone)),
                at: Timestamp(nanoseconds: 5))
        }
        #expect(found.contains { $0.contains("another source without a key frame") })
    }

    @Test("a contributing source that was not announced, or none")
    func contributingSources() {
        var other = second()
        other.source = 7
        #expect(sentences([first(), other]).contains { $0.contains("was not named") })
        other.source = nil
        #expect(sentences([first(), other]).contains { $0.contains("no CSRC") })
    }

    @Test("packets to who is not connected, or has no such slot")
    func recipients() {
        #expect(sentences([first()]) { $0.removed(PeerID(2)) }.contains { $0.contains("not connected") })
        var foreign = first()
        foreign.ssrc = 5
        #expect(sentences([foreign]).contains { $0.contains("none of its slots") })
    }

    @Test("a gap in the transport-wide numbers")
    func transport() {
        var gap = second()
        gap.transport = 12
        #expect(sentences([first(), gap]).contains { $0.contains("transport-wide") })
    }

    @Test("a retransmission that differs from what was sent")
    func repairs() {
        var repair = first()
        repair.repairs = repair.sequence
        repair.ssrc = slot + 1
        repair.sequence = 77
        repair.transport = 10
        #expect(sentences([first(), repair]) == [])
        repair.levelZero = 1
        #expect(sentences([first(), repair]).contains { $0.contains("differs") })
        repair.repairs = 4
        #expect(sentences([first(), repair]).contains { $0.contains("never sent") })
    }
}
