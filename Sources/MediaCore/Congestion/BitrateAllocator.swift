// Divides what may be sent to one receiver over its video slots: the lowest step for all before a second one for anybody, a
// shared screen first, then by priority, pins, speakers and wanted height. A pure function; keeps nothing, aims nothing.

/// Something that can be forwarded of a track, and what it takes. The steps of a track
/// go from the least to the best.
struct LayerStep: BitwiseCopyable, Equatable {
    /// The room's number of the encoding, and the encoding's place among the track's (0 is the lowest).
    var encoding: Int32
    var layer: UInt8
    /// The highest spatial layer within the encoding (SVC) and the highest temporal one; 0xff: all that there are.
    var spatial: UInt8 = 0xff
    var temporal: UInt8 = 0xff
    /// Everything up to this step.
    var rate: DataRate
    /// The height of the picture in pixels, 0 where it is not known.
    var height: UInt16 = 0
    /// Its packets arrive. Otherwise the publisher has to be asked for it first.
    var arrives = true
}

/// One video slot that has something to show.
struct AllocationRequest {
    var steps: StepList
    /// The highest step that the receiver has use for: a place in `steps`.
    var wanted: Int
    /// The step that it was given before, -1 for none.
    var current: Int
    /// It may not get a step of this rate or more for now: such a one was given and had to be taken away a moment ago.
    var heldRate: DataRate?
    /// Nor this step, or one above it.
    var heldStep: Int?
    /// It keeps its lowest step for now even where that does not fit.
    var keepsLowest = false
    /// The fewest frames of the encoding that is shown, where these may be had for a while instead of another encoding.
    var thinnest: LayerStep?
    /// More frames of the encoding that is shown are given without a margin.
    var isTried = true
    var isScreen = false
    var isPinned = false
    var isSpeaker = false
    var priority: UInt8 = 128
    var wantedHeight: UInt16 = .max

    /// Whether a step, which it does not have, has to wait.
    func isHeld(_ step: Int) -> Bool {
        guard step > current, step < steps.count else { return false }
        if let heldStep, step >= heldStep { return true }
        return heldRate.map { steps[step].rate >= $0 } ?? false
    }
}

/// What the slots are given.
struct Allocation: Equatable {
    /// For each request the place in its steps, -1: not even the lowest fits.
    var steps: [Int] = []
    /// The requests that keep their lowest step although it does not fit.
    var short: [Int] = []
    /// The requests that are given the fewest frames of the encoding that is shown, less than the step they are given.
    var thinned: [Int] = []
    /// What is given altogether.
    var allocated = DataRate.zero
    /// What the next better step of anybody would need altogether, margins included: so much has to be allowed for it to be
    /// given. What is given where nobody wants more.
    var next = DataRate.zero
    /// What would be given if nothing limited.
    var wanted = DataRate.zero
    /// The order in which the requests were served.
    var order: [Int] = []

    /// Gives a request another step than it was given.
    mutating func give(_ step: Int, to i: Int, of steps: StepList) {
        let before = self.steps[i] < 0 ? DataRate.zero : steps[self.steps[i]].rate
        allocated = allocated + steps[step].rate - before
        self.steps[i] = step
    }
}

/// Where a room divides, receiver after receiver: the requests, their slots, and what came of it.
struct AllocationWork {
    var requests: [AllocationRequest] = []
    var slots: [Int32] = []
    var allocation = Allocation()
    /// What would be given were it not for a queue that drains, or if what is sent were measured to take a little less.
    var other = Allocation()
}

/// Divides a rate over slots.
enum BitrateAllocator {
    /// What is not given yet counts for more than it takes, and what is given for a little less, in percent: a rate that wavers
    /// about a step does not make the picture waver.
    static let marginUp: Int64 = 108
    /// More frames of the encoding that is shown need no key frame, and are given back without one: whether they fit is tried.
    static let marginTried: Int64 = 98
    /// Another encoding begins with a key frame; what had to be taken away a moment ago needs a reason to come back.
    static let marginOther: Int64 = 112
    static let marginHeld: Int64 = 140
    /// The step that was taken away, where it is measured to take less now.
    static let marginHeldStep: Int64 = 120
    static let marginKept: Int64 = 96

    /// What a step counts for in the budget.
    static func cost(_ step: Int, of request: AllocationRequest) -> Int64 {
        guard step >= 0 else { return 0 }
        let rate = request.steps[step].rate.bitsPerSecond
        guard step > request.current else { return rate / 100 * marginKept }
        if request.isHeld(step) {
            let isAsMuch = request.heldRate.map { request.steps[step].rate >= $0 } ?? false
            return rate / 100 * (isAsMuch ? marginHeld : marginHeldStep)
        }
        guard request.current >= 0 else { return rate / 100 * marginUp }
        let isOther = request.steps[step].encoding != request.steps[request.current].encoding
        return rate / 100 * (isOther ? marginOther : request.isTried ? marginTried : marginUp)
    }

    /// Whether a request is served before another.
    private static func isBefore(_ x: AllocationRequest, _ y: AllocationRequest) -> Bool {
        if x.isScreen != y.isScreen { return x.isScreen }
        if x.priority != y.priority { return x.priority > y.priority }
        if x.isPinned != y.isPinned { return x.isPinned }
        if x.isSpeaker != y.isSpeaker { return x.isSpeaker }
        return x.wantedHeight > y.wantedHeight
    }

    /// The order in which slots are served: indices of the requests; the first of equals first.
    static func order(_ requests: [AllocationRequest], into order: inout [Int]) {
        order.removeAll(keepingCapacity: true)
        for i in requests.indices {
            order.append(i)
            var place = i
            while place > 0, isBefore(requests[i], requests[order[place - 1]]) {
                order[place] = order[place - 1]
                place -= 1
            }
            order[place] = i
        }
    }

    /// Divides `budget` over the requests. Takes no memory where the result has it already.
    static func divide(_ budget: DataRate, over requests: [AllocationRequest], into result: inout Allocation) {
        order(requests, into: &result.order)
        result.steps.removeAll(keepingCapacity: true)
        result.short.removeAll(keepingCapacity: true)
        result.thinned.removeAll(keepingCapacity: true)
        for _ in requests { result.steps.append(-1) }
        var left = budget.bitsPerSecond
        // The lowest step for all. A screen goes on before the others rise: its text is what people look at.
        for i in result.order where !requests[i].steps.isEmpty {
            let cost = cost(0, of: requests[i])
            guard cost <= left || requests[i].keepsLowest else { continue }
            if cost > left { result.short.append(i) }
            result.steps[i] = 0
            left -= cost
        }
        for i in result.order where requests[i].isScreen { while raise(i, &result.steps, &left, requests) {} }
        // Then round by round one encoding's worth higher, the first in order first.
        var hasRisen = true
        while hasRisen {
            hasRisen = false
            for i in result.order where result.steps[i] >= 0 {
                let layer = requests[i].steps[result.steps[i]].layer
                var isFirst = true
                // The temporal layers of one encoding belong together; the step to the next encoding begins a new round.
                while isFirst
                    || requests[i].steps[min(result.steps[i] + 1, requests[i].steps.count - 1)].layer == layer
                {
                    guard raise(i, &result.steps, &left, requests) else { break }
                    isFirst = false
                    hasRisen = true
                }
            }
        }
        sum(requests, used: DataRate(bitsPerSecond: budget.bitsPerSecond - left), into: &result)
    }

    /// Gives whoever would have to leave its encoding, and in another allocation would not, the least of that encoding.
    static func keepEncodings(as other: Allocation, _ requests: [AllocationRequest], in result: inout Allocation) {
        for i in requests.indices {
            let (steps, current) = (requests[i].steps, requests[i].current)
            guard current >= 0, other.steps[i] >= 0 else { continue }
            let layer = steps[current].layer
            let given = result.steps[i]
            guard given < 0 || steps[given].layer < layer, steps[other.steps[i]].layer >= layer,
                let least = steps.firstIndex(where: { $0.layer == layer })
            else { continue }
            result.give(least, to: i, of: steps)
        }
        result.next = max(result.next, result.allocated)
    }

    /// Whether anybody who has something to show is given nothing.
    static func pauses(_ allocation: Allocation, _ requests: [AllocationRequest]) -> Bool {
        requests.indices.contains { allocation.steps[$0] < 0 && !requests[$0].steps.isEmpty }
    }

    /// Whether anybody has to give something back that is wanted.
    static func takesBack(_ allocation: Allocation, _ requests: [AllocationRequest]) -> Bool {
        requests.indices.contains { allocation.steps[$0] < min(requests[$0].current, requests[$0].wanted) }
    }

    /// Gives whoever would have to give something back, and in another allocation would not, what it has.
    static func keepSteps(as other: Allocation, _ requests: [AllocationRequest], in result: inout Allocation) {
        for i in requests.indices {
            let current = min(requests[i].current, requests[i].wanted)
            guard result.steps[i] < current, other.steps[i] >= current else { continue }
            result.give(current, to: i, of: requests[i].steps)
        }
        result.next = max(result.next, result.allocated)
    }

    /// Gives whoever would have to leave its encoding the fewest frames of it, where these fit into the budget.
    static func thinOut(_ budget: DataRate, _ requests: [AllocationRequest], in result: inout Allocation) {
        for i in requests.indices {
            guard let thinnest = requests[i].thinnest else { continue }
            let (steps, given) = (requests[i].steps, result.steps[i])
            guard given < 0 || steps[given].layer < thinnest.layer,
                let least = steps.firstIndex(where: { $0.layer == thinnest.layer })
            else { continue }
            let others = result.allocated - (given < 0 ? .zero : steps[given].rate)
            guard others + thinnest.rate <= budget else { continue }
            result.steps[i] = least
            result.allocated = others + thinnest.rate
            result.thinned.append(i)
        }
        result.next = max(result.next, result.allocated)
    }

    /// Gives a slot the next higher step that fits; false when there is none.
    private static func raise(
        _ i: Int, _ steps: inout [Int], _ left: inout Int64, _ requests: [AllocationRequest]
    ) -> Bool {
        let step = steps[i]
        guard step >= 0, step < requests[i].wanted, step + 1 < requests[i].steps.count else { return false }
        let difference = cost(step + 1, of: requests[i]) - cost(step, of: requests[i])
        guard difference <= left else { return false }
        steps[i] = step + 1
        left -= difference
        return true
    }

    private static func sum(_ requests: [AllocationRequest], used: DataRate, into result: inout Allocation) {
        var allocated = DataRate.zero
        var wanted = DataRate.zero
        var more: DataRate?
        for i in result.order {
            let step = result.steps[i]
            let count = requests[i].steps.count
            guard count > 0 else { continue }
            if step >= 0 { allocated = allocated + requests[i].steps[step].rate }
            wanted = wanted + requests[i].steps[max(0, min(requests[i].wanted, count - 1))].rate
            if more == nil, step < requests[i].wanted, step + 1 < count {
                more = DataRate(bitsPerSecond: cost(step + 1, of: requests[i]) - cost(step, of: requests[i]))
            }
        }
        result.allocated = allocated
        result.wanted = wanted
        result.next = more.map { max(used + $0, allocated) } ?? allocated
    }
}
