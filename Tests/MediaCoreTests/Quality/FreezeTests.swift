// A video slot that shows nothing although its publisher sends is told once, two seconds after the last it showed.
import Testing

@testable import MediaCore

@Suite("Frozen receivers")
struct FreezeTests {
    private var sequence: UInt16 = 0

    /// The publisher sends 25 frames a second, the first of them a key frame where that is said.
    private mutating func send(_ room: TestRoom, milliseconds: Int, key: Bool = false) {
        for i in 0..<milliseconds / 40 {
            sequence &+= 1
            room.receive(
                videoPacket(1, sequence, UInt32(sequence) * 3_600, key: key && i == 0, picture: sequence), from: 1)
            room.run(milliseconds: 40)
        }
    }

    private func freezes(_ room: TestRoom) -> [TimeDelta] {
        room.decisions.compactMap { decision in
            guard case .receiverFrozen(let peer, let slot, let track, let silence) = decision else { return nil }
            #expect(peer == PeerID(2) && slot == mid("v0") && track == TrackID(peer: PeerID(1), mid: mid("cam")))
            return silence
        }
    }

    @Test("No key frame comes: told once after two seconds, and again only after something was shown")
    mutating func awaitingKeyFrame() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 1)
        room.run(milliseconds: 10_000)
        #expect(freezes(room) == [], "the publisher sends nothing")
        send(room, milliseconds: 1_960)
        #expect(freezes(room) == [])
        send(room, milliseconds: 80)
        #expect(freezes(room) == [.seconds(2)])
        #expect(
            room.events.contains(
                .receiverFrozen(peer: PeerID(2), slot: mid("v0"), track: TrackID(peer: PeerID(1), mid: mid("cam")))))
        send(room, milliseconds: 8_000)
        #expect(freezes(room).count == 1)
        send(room, milliseconds: 4_000, key: true)
        #expect(freezes(room).count == 1)
        // The publisher's stream starts anew, without a key frame.
        sequence &+= 20_000
        send(room, milliseconds: 4_000)
        #expect(freezes(room).count == 2)
        #expect(room.core.qualityReport(of: PeerID(2), since: nil, at: room.now)?.slots.first?.status == .frozen)
        #expect(room.latePromises == 0)
    }

    @Test("A silent, muted or hidden source freezes nobody, nor does a receiver that is not connected")
    mutating func nothingToShow() {
        let room = TestRoom()
        room.join(1, [TestRoom.camera(1)], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 1)
        send(room, milliseconds: 1_000, key: true)
        room.run(milliseconds: 30_000)
        #expect(freezes(room) == [], "silent")
        room.apply(.setMuted(TrackID(peer: PeerID(1), mid: mid("cam")), true))
        send(room, milliseconds: 5_000)
        #expect(freezes(room) == [], "muted")
        room.apply(.setMuted(TrackID(peer: PeerID(1), mid: mid("cam")), false))
        send(room, milliseconds: 1_000, key: true)
        room.apply(.setSlotWishes(PeerID(2), [SlotWish(mid: mid("v0"), pin: nil, wantedHeight: 0)]))
        send(room, milliseconds: 5_000)
        #expect(freezes(room) == [], "hidden")
        room.apply(.setSlotWishes(PeerID(2), [SlotWish(mid: mid("v0"), pin: nil, wantedHeight: 360)]))
        send(room, milliseconds: 1_960)
        #expect(freezes(room) == [], "shown again for less than two seconds")
        room.apply(.peerDisconnected(PeerID(2)))
        send(room, milliseconds: 5_000)
        #expect(freezes(room) == [], "not connected")
        room.apply(.peerConnected(PeerID(2)))
        send(room, milliseconds: 5_000)
        #expect(freezes(room).count == 1)
    }

    @Test("Its layer is dead while another lives and gives no key frame")
    func deadLayer() {
        let room = TestRoom()
        room.join(1, [TestRoom.simulcastCamera()], audio: 0, video: 0)
        room.join(2, [], audio: 0, video: 1)
        for number in 1...150 {
            let sequence = UInt16(number)
            for (rid, ssrc) in [("q", UInt32(11)), ("h", 12)] {
                // The higher layer dies after a second; the lower one never gave a key frame.
                guard rid == "q" || number <= 25 else { continue }
                room.receive(
                    videoPacket(
                        1, sequence, UInt32(number) * 3_600, key: rid == "h" && number == 1, picture: sequence,
                        ssrc: ssrc, extensions: [(1, Array("cam".utf8)), (2, Array(rid.utf8))]), from: 1)
            }
            room.run(milliseconds: 40)
        }
        let frozen = freezes(room)
        #expect(frozen.count == 1)
        #expect(frozen.allSatisfy { $0 >= .seconds(2) && $0 < .milliseconds(2_050) })
    }

    @Test("A room without video has nothing to look at")
    func audioOnly() {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1)], audio: 2, video: 0)
        room.join(2, [TestRoom.microphone(2)], audio: 2, video: 0)
        room.run(milliseconds: 5_000)
        #expect(room.core.peers[0].nextFreeze == nil && room.core.peers[1].nextFreeze == nil)
    }
}
