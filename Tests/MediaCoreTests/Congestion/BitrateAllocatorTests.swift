// What may be sent to a receiver is divided as the rules say, and never more than there is.

import SimulatedNetwork
import Testing

@testable import MediaCore

@Suite("Bitrate allocation")
struct BitrateAllocatorTests {
    /// The steps of simulcast in three layers of 100, 350 and 1,200 kb/s with three temporal layers.
    static let simulcast: StepList = [
        step(0, 0, 50, 180), step(0, 1, 75, 180), step(0, 0xff, 100, 180),
        step(1, 1, 260, 360), step(1, 0xff, 350, 360),
        step(2, 1, 900, 720), step(2, 0xff, 1_200, 720),
    ]

    static func step(_ layer: UInt8, _ temporal: UInt8, _ kilobits: Int64, _ height: UInt16) -> LayerStep {
        LayerStep(
            encoding: Int32(layer), layer: layer, temporal: temporal, rate: .kilobitsPerSecond(kilobits),
            height: height)
    }

    static func request(current: Int = -1, steps: StepList = simulcast) -> AllocationRequest {
        AllocationRequest(steps: steps, wanted: steps.count - 1, current: current)
    }

    private func divide(_ kilobits: Int64, _ requests: [AllocationRequest]) -> Allocation {
        var allocation = Allocation()
        // What was divided before leaves nothing behind.
        BitrateAllocator.divide(.kilobitsPerSecond(700), over: [Self.request()] + requests, into: &allocation)
        BitrateAllocator.divide(.kilobitsPerSecond(kilobits), over: requests, into: &allocation)
        return allocation
    }

    @Test(
        "One slot gets the highest step that fits with its margin",
        arguments: [
            (10, -1), (54, 0), (81, 1), (109, 2), (300, 3), (400, 4), (1_000, 5), (1_296, 6), (9_000, 6),
        ] as [(Int64, Int)])
    func oneSlot(_ kilobits: Int64, _ step: Int) {
        #expect(divide(kilobits, [Self.request()]).steps == [step])
    }

    @Test("What is given already is kept a little below its rate, and not given anew there")
    func hysteresis() {
        #expect(divide(1_160, [Self.request(current: 6)]).steps == [6])
        #expect(divide(1_160, [Self.request(current: 5)]).steps == [5])
        #expect(divide(1_100, [Self.request(current: 6)]).steps == [5])
    }

    @Test("More frames of the encoding that is shown are tried without a margin, where no screen stands beside it")
    func tried() {
        #expect(divide(1_180, [Self.request(current: 5)]).steps == [6])
        #expect(divide(1_180, [Self.request(current: 4)]).steps == [5])
        var careful = Self.request(current: 5)
        careful.isTried = false
        #expect(divide(1_180, [careful]).steps == [5])
        var lost = Self.request(current: 5)
        lost.heldRate = .kilobitsPerSecond(1_150)
        #expect(divide(1_600, [lost]).steps == [5])
    }

    @Test("What was given is kept where it would fit with a little more, but not above what is wanted")
    func keptSteps() {
        var requests = [Self.request(current: 6), Self.request(current: 1)]
        func kept(_ kilobits: Int64, as other: Int64) -> Allocation {
            var allocation = divide(kilobits, requests)
            BitrateAllocator.keepSteps(as: divide(other, requests), requests, in: &allocation)
            return allocation
        }
        #expect(divide(1_400, requests).steps == [5, 4])
        let all = kept(1_400, as: 1_700)
        #expect(all.steps == [6, 4])
        #expect(all.allocated == .kilobitsPerSecond(1_550) && all.next >= all.allocated)
        #expect(kept(1_400, as: 1_410).steps == [5, 4])
        #expect(kept(1_000, as: 1_700).steps == [6, 4])
        requests[0].wanted = 4
        #expect(kept(300, as: 500).steps[0] == 4)
    }

    @Test(
        "While a queue drains an encoding is kept at its fewest frames where it fits soon again, and left where it does not"
    )
    func keptEncoding() {
        let requests = [Self.request(current: 4), Self.request(current: 2)]
        func kept(_ kilobits: Int64, soon: Int64) -> Allocation {
            var allocation = divide(kilobits, requests)
            BitrateAllocator.keepEncodings(as: divide(soon, requests), requests, in: &allocation)
            return allocation
        }
        let lower = divide(250, requests)
        #expect(lower.steps == [2, 2])
        let both = kept(250, soon: 380)
        #expect(both.steps == [3, 2])
        #expect(both.allocated == lower.allocated + .kilobitsPerSecond(160) && both.next >= both.allocated)
        #expect(kept(250, soon: 300) == lower)
        // Nobody is given nothing for it.
        #expect(kept(40, soon: 380).steps == [3, 0])
        // Who never had it does not get it.
        let new = [Self.request()]
        var allocation = divide(150, new)
        BitrateAllocator.keepEncodings(as: divide(400, new), new, in: &allocation)
        #expect(allocation.steps == [2])
    }

    @Test("Who would have to leave an encoding gets its fewest frames instead where these fit, and no step of it does")
    func thinned() {
        var requests = [Self.request(current: 5), Self.request(current: 2)]
        requests[0].thinnest = Self.step(2, 0, 600, 720)
        func thin(_ kilobits: Int64, within budget: Int64) -> Allocation {
            var allocation = divide(kilobits, requests)
            BitrateAllocator.thinOut(.kilobitsPerSecond(budget), requests, in: &allocation)
            return allocation
        }
        let lower = divide(800, requests)
        #expect(lower.steps == [4, 4] && lower.thinned.isEmpty)
        let fewer = thin(800, within: 950)
        #expect(fewer.steps == [5, 4] && fewer.thinned == [0])
        #expect(fewer.allocated == .kilobitsPerSecond(950) && fewer.next >= fewer.allocated)
        #expect(thin(800, within: 949) == lower)
        // What fits is not thinned out, nor is what was not to be.
        #expect(thin(1_400, within: 1_400).thinned.isEmpty)
        requests[0].thinnest = nil
        #expect(thin(800, within: 9_000) == lower)
        // It is no excuse for nothing.
        requests[0].thinnest = Self.step(2, 0, 600, 720)
        let least = thin(10, within: 600)
        #expect(least.steps == [5, -1] && least.thinned == [0] && least.allocated == .kilobitsPerSecond(600))
    }

    @Test("Who is given nothing is told from who has nothing to show")
    func pauses() {
        let requests = [Self.request(), Self.request(steps: [])]
        #expect(BitrateAllocator.pauses(divide(10, requests), requests))
        #expect(!BitrateAllocator.pauses(divide(60, requests), requests))
    }

    @Test("Everybody has the lowest step before anybody has a second")
    func baseFirst() {
        let requests = [Self.request(), Self.request(), Self.request(), Self.request()]
        #expect(divide(220, requests).steps == [0, 0, 0, 0])
        #expect(divide(170, requests).steps == [0, 0, 0, -1])
        let more = divide(600, requests).steps
        #expect(more.allSatisfy { $0 >= 2 })
    }

    @Test("A shared screen rises before the cameras do")
    func screenFirst() {
        var screen = Self.request(steps: [Self.step(0, 0xff, 800, 1_080)])
        screen.isScreen = true
        #expect(divide(880, [Self.request(), screen]).steps == [-1, 0])
        let both = divide(1_000, [Self.request(), Self.request(), screen])
        #expect(both.steps == [1, 0, 0])
    }

    @Test("Priority, pins, speakers and size decide in this order who rises first")
    func order() {
        var requests = (0..<5).map { _ in Self.request() }
        requests[1].wantedHeight = 300
        requests[2].isSpeaker = true
        requests[3].isPinned = true
        requests[4].priority = 200
        #expect(divide(0, requests).order == [4, 3, 2, 0, 1])
        // Enough for five lowest steps and one camera in its second encoding.
        #expect(divide(900, requests).steps[4] >= 3)
    }

    @Test("What had to be given back comes again with a wide margin, what takes less does not wait")
    func held() {
        var held = Self.request(current: 2)
        held.heldRate = held.steps[4].rate
        // The step before it has its usual margin; that one itself needs 1.4 times what it takes.
        #expect(divide(held.steps[3].rate.bitsPerSecond * 13 / 10_000, [held]).steps == [3])
        #expect(divide(held.steps[4].rate.bitsPerSecond * 13 / 10_000, [held]).steps == [3])
        #expect(divide(held.steps[4].rate.bitsPerSecond * 15 / 10_000, [held]).steps == [4])
    }

    @Test("A lowest step that has ceased to fit is kept where that is asked for, and said to be short")
    func keepsLowest() {
        var request = Self.request(current: 0)
        #expect(divide(20, [request]).steps == [-1])
        request.keepsLowest = true
        let kept = divide(20, [request, Self.request()])
        #expect(kept.steps == [0, -1])
        #expect(kept.short == [0])
    }

    @Test("A small picture takes no more than it can show")
    func wantedHeight() {
        #expect(RoomCore.wantedStep(of: Self.simulcast, height: 180) == 2)
        #expect(RoomCore.wantedStep(of: Self.simulcast, height: 200) == 2)
        #expect(RoomCore.wantedStep(of: Self.simulcast, height: 240) == 4)
        #expect(RoomCore.wantedStep(of: Self.simulcast, height: .max) == 6)
        #expect(RoomCore.wantedStep(of: [], height: 100) == -1)
    }

    @Test("What the next step and everything would need is told")
    func demand() {
        let requests = [Self.request(current: 2), Self.request(current: 2)]
        let allocation = divide(220, requests)
        #expect(allocation.steps == [2, 2])
        #expect(allocation.allocated == .kilobitsPerSecond(200))
        // With the margins of both, for so much has to be allowed.
        let needed = BitrateAllocator.cost(3, of: requests[0]) + BitrateAllocator.cost(2, of: requests[1])
        #expect(allocation.next == DataRate(bitsPerSecond: needed))
        #expect(allocation.wanted == .kilobitsPerSecond(2_400))
        let all = divide(9_000, requests)
        #expect(all.next == all.allocated && all.allocated == all.wanted)
    }

    @Test("Nothing to show, no rate and no slot are no mistake")
    func nothing() {
        #expect(divide(1_000, []).steps == [])
        #expect(divide(1_000, [Self.request(steps: [])]).steps == [-1])
        #expect(divide(-5, [Self.request()]).steps == [-1])
    }

    @Test("Never more is given than there is, nor to anybody more than is wanted")
    func bounds() {
        var chance = SeededRandom(seed: 7)
        for _ in 0..<500 {
            let requests = (0..<(1 + chance.below(12))).map { _ in
                var request = Self.request(current: Int(chance.below(8)) - 1)
                request.isScreen = chance.chance(0.1)
                request.priority = UInt8(chance.below(256))
                if chance.chance(0.1) { request.heldRate = .kilobitsPerSecond(500) }
                request.wanted = Int(chance.below(7))
                return request
            }
            let budget = Int64(chance.below(6_000))
            let allocation = divide(budget, requests)
            var cost: Int64 = 0
            for (i, step) in allocation.steps.enumerated() {
                #expect(step <= requests[i].wanted)
                cost += BitrateAllocator.cost(step, of: requests[i])
            }
            #expect(cost <= budget * 1_000)
        }
    }
}
