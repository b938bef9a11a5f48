// How long a slot does without what it had to give back.
import Testing

@testable import MediaCore

@Suite("What a slot had to give back")
struct SlotAllocationTests {
    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    private func given(_ temporal: UInt8) -> SlotAllocation {
        var one = SlotAllocation()
        one.encoding = 0
        one.spatial = 0
        one.temporal = temporal
        one.rate = .kilobitsPerSecond(300 + 100 * Int64(temporal))
        return one
    }

    @Test("It is held for a second, and for twice as long each time that it was given and given back within six")
    func doubles() {
        var slot = given(2)
        for seconds in [1, 2, 4, 8, 16, 16] as [Int64] {
            // The first was given long since.
            if seconds > 1 { slot.raise(at: at(100_000)) }
            slot.lower(from: given(2), at: at(101_000))
            #expect(slot.heldRate(at: at(101_000 + seconds * 1_000 - 1)) != nil)
            #expect(slot.heldRate(at: at(101_000 + seconds * 1_000)) == nil)
            slot.loweredAt = at(99_000)
        }
    }

    @Test("A fall over many steps is one fall")
    func once() {
        var slot = given(2)
        slot.raise(at: at(10_000))
        for (n, temporal) in [2, 1, 0].enumerated() as EnumeratedSequence<[UInt8]> {
            slot.lower(from: given(temporal), at: at(11_000 + Int64(n) * 50))
        }
        #expect(slot.hold == .seconds(2))
        #expect(slot.heldRate(at: at(13_099)) != nil)
        #expect(slot.heldRate(at: at(13_100)) == nil)
        // Given again and given back again: another one.
        slot.raise(at: at(14_000))
        slot.lower(from: given(1), at: at(14_500))
        #expect(slot.hold == .seconds(4))
    }

    @Test("An encoding is thinned out for a second and a half at a time, and not where nothing is shown")
    func thinned() {
        var slot = given(2)
        #expect(slot.mayBeThinned(at: at(0)))
        for _ in 0..<2 {
            slot.noteThinned(true, at: at(1_000))
            slot.noteThinned(true, at: at(2_400))
            #expect(slot.mayBeThinned(at: at(2_499)) && !slot.mayBeThinned(at: at(2_500)))
            slot.noteThinned(false, at: at(2_600))
            #expect(slot.mayBeThinned(at: at(2_600)))
        }
        slot.noteThinned(true, at: at(3_000))
        slot.withdraw()
        #expect(slot.thinnedSince == nil && !slot.mayBeThinned(at: at(3_100)))
        slot = given(1)
        slot.isPaused = true
        #expect(!slot.mayBeThinned(at: at(0)))
    }

    @Test("One that kept what it was given for twenty seconds is trusted again")
    func trusted() {
        var slot = given(2)
        slot.raise(at: at(10_000))
        slot.lower(from: given(2), at: at(11_000))
        slot.raise(at: at(31_001))
        #expect(slot.hold == .seconds(1))
    }
}
