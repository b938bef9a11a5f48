// What people are told of a slot that the path holds back: one sentence, with the numbers it was taken on.
import Captures
import Testing

@testable import MediaCore

@Suite struct SlotSentenceTests {
    private static func slot(_ change: (inout SlotQuality) -> Void) throws -> SlotQuality {
        let mid = try #require(Mid("3"))
        let assignment = SlotAssignment(mid: mid, track: TrackID(peer: PeerID(1), mid: mid), reason: .everyone)
        var slot = SlotQuality(assignment: assignment, kind: .video, status: .lowerLayer)
        slot.layer = 1
        slot.layers = 3
        slot.height = 360
        slot.wantedHeight = 720
        slot.neededForNext = .kilobitsPerSecond(912)
        slot.nextHeight = 720
        change(&slot)
        return slot
    }

    private static let estimate = DataRate.kilobitsPerSecond(640)

    @Test("A lower layer that the estimate enforces says so, with both rates")
    func limited() throws {
        let slot = try Self.slot { _ in }
        #expect(slot.isLimited(by: Self.estimate) && !slot.isAsWanted)
        #expect(
            slot.sentence(estimate: Self.estimate)
                == "360p because the estimate of 640 kb/s is less than the 912 kb/s that 720p needs; "
                + "on this slot: there is a slot for everybody")
        let slower = try Self.slot {
            $0.temporalLayer = 0
            $0.nextHeight = 360
        }
        #expect(
            slower.sentence(estimate: Self.estimate)
                .hasPrefix(
                    "360p at a lower frame rate because the estimate of 640 kb/s is less than the 912 kb/s that "
                        + "a higher frame rate needs;"))
        let unknown = try Self.slot {
            $0.height = nil
            $0.nextHeight = nil
        }
        #expect(unknown.sentence(estimate: Self.estimate).hasPrefix("layer 2 of 3 because"))
        #expect(unknown.sentence(estimate: Self.estimate).contains(" that the next layer needs;"))
    }

    @Test("An estimate of just what the next step takes is too little, the more where that was lost lately")
    func margin() throws {
        var slot = try Self.slot { _ in }
        let estimate = DataRate.kilobitsPerSecond(950)
        #expect(slot.isLimited(by: estimate))
        #expect(
            slot.sentence(estimate: estimate)
                .hasPrefix(
                    "360p because 720p takes 912 kb/s of the estimate of 950 kb/s, which leaves too little to spare;"))
        slot.isHeld = true
        #expect(
            slot.sentence(estimate: estimate)
                .hasPrefix(
                    "360p because 720p takes 912 kb/s of the estimate of 950 kb/s, and as much had to be taken away a "
                        + "short time ago;"))
    }

    @Test("Where nothing better is wanted, or no estimate is known, nothing is limited; what is hidden is not limited")
    func free() throws {
        let unknown = try Self.slot { _ in }
        let all = try Self.slot { $0.neededForNext = nil }
        for (slot, estimate) in [(unknown, nil), (all, Self.estimate)] {
            #expect(!slot.isLimited(by: estimate))
        }
        #expect(unknown.sentence().hasPrefix("layer 2 of 3, below the highest that its publisher sends"))
        let hidden = try Self.slot { $0.status = .hidden }
        #expect(!hidden.isLimited(by: .zero))
        let wanted = try Self.slot {
            $0.wantedHeight = 300
            $0.neededForNext = nil
        }
        #expect(wanted.isAsWanted)
        #expect(wanted.sentence(estimate: Self.estimate).hasPrefix("360p, as much as the receiver wants;"))
    }

    @Test("A paused slot says what it would take, where that is known")
    func paused() throws {
        var slot = try Self.slot {
            $0.isPaused = true
            $0.layer = nil
            $0.height = nil
            $0.nextHeight = 180
            $0.status = .awaitingKeyFrame
        }
        #expect(
            slot.sentence(estimate: Self.estimate)
                == "paused because the estimate of 640 kb/s is less than the 912 kb/s that 180p needs; "
                + "on this slot: there is a slot for everybody")
        slot.neededForNext = nil
        #expect(slot.sentence(estimate: Self.estimate).hasPrefix("paused because the path would not carry more;"))
    }
}
