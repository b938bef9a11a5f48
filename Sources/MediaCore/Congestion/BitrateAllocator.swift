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
    var steps: [LayerStep]
    /// The highest step that the receiver has use for: a place in `steps`.
    var wanted: Int
    /// The step that it was given before, -1 for none.
    var current: Int
    /// It may not get a step of this rate or more for now: such a one was given and had to be taken away a moment ago.
    var heldRate: DataRate?
    /// It keeps its lowest step for now even where that does not fit.
    var keepsLowest = false
    var isScreen = false
    var isPinned = false
    var isSpeaker = false
    var priority: UInt8 = 128
    var wantedHeight: UInt16 = .max

    /// Whether a step, which it does not have, has to wait.
    func isHeld(_ step: Int) -> Bool {
        guard let heldRate, step > current, step < steps.count else { return false }
        return steps[step].rate >= heldRate
    }
}

/// What the slots are given.
struct Allocation: Equatable {
    /// For each request the place in its steps, -1: not even the lowest fits.
    var steps: [Int]
    /// The requests that keep their lowest step although it does not fit.
    var short: [Int] = []
    /// What is given altogether.
    var allocated: DataRate
    /// What the next better step of anybody would need altogether, margins included: so much has to be allowed for it to be
    /// given. What is given where nobody wants more.
    var next: DataRate
    /// What would be given if nothing limited.
    var wanted: DataRate
}

/// Divides a rate over slots.
enum BitrateAllocator {
    /// What is not given yet counts for more than it takes, and what is given for a little less, in percent: a rate that wavers
    /// about a step does not make the picture waver.
    static let marginUp: Int64 = 108
    /// Another encoding begins with a key frame; what had to be taken away a moment ago needs a reason to come back.
    static let marginOther: Int64 = 112
    static let marginHeld: Int64 = 140
    static let marginKept: Int64 = 96

    /// What a step counts for in the budget.
    static func cost(_ step: Int, of request: AllocationRequest) -> Int64 {
        guard step >= 0 else { return 0 }
        let rate = request.steps[step].rate.bitsPerSecond
        guard step > request.current else { return rate / 100 * marginKept }
        if request.isHeld(step) { return rate / 100 * marginHeld }
        let isOther = request.current >= 0 && request.steps[step].encoding != request.steps[request.current].encoding
        return rate / 100 * (isOther ? marginOther : marginUp)
    }

    /// The order in which slots are served: indices of the requests.
    static func order(_ requests: [AllocationRequest]) -> [Int] {
        requests.indices.sorted { a, b in
            let (x, y) = (requests[a], requests[b])
            if x.isScreen != y.isScreen { return x.isScreen }
            if x.priority != y.priority { return x.priority > y.priority }
            if x.isPinned != y.isPinned { return x.isPinned }
            if x.isSpeaker != y.isSpeaker { return x.isSpeaker }
            if x.wantedHeight != y.wantedHeight { return x.wantedHeight > y.wantedHeight }
            return a < b
        }
    }

    /// Divides `budget` over the requests.
    static func divide(_ budget: DataRate, over requests: [AllocationRequest]) -> Allocation {
        let order = order(requests)
        var steps = [Int](repeating: -1, count: requests.count)
        var left = budget.bitsPerSecond
        var short: [Int] = []
        // The lowest step for all. A screen goes on before the others rise: its text is what people look at.
        for i in order where !requests[i].steps.isEmpty {
            let cost = cost(0, of: requests[i])
            guard cost <= left || requests[i].keepsLowest else { continue }
            if cost > left { short.append(i) }
            steps[i] = 0
            left -= cost
        }
        for i in order where requests[i].isScreen { while raise(i, &steps, &left, requests) {} }
        // Then round by round one encoding's worth higher, the first in order first.
        var hasRisen = true
        while hasRisen {
            hasRisen = false
            for i in order where steps[i] >= 0 {
                let layer = requests[i].steps[steps[i]].layer
                var isFirst = true
                // The temporal layers of one encoding belong together; the step to the next encoding begins a new round.
                while isFirst || requests[i].steps[min(steps[i] + 1, requests[i].steps.count - 1)].layer == layer {
                    guard raise(i, &steps, &left, requests) else { break }
                    isFirst = false
                    hasRisen = true
                }
            }
        }
        return summary(steps, order, requests, used: DataRate(bitsPerSecond: budget.bitsPerSecond - left), short)
    }

    /// Gives a slot the next higher step that fits; false when there is none.
    private static func raise(
        _ i: Int, _ steps: inout [Int], _ left: inout Int64, _ requests: [AllocationRequest]
    ) -> Bool {
        let request = requests[i]
        let step = steps[i]
        guard step >= 0, step < request.wanted, step + 1 < request.steps.count else { return false }
        let difference = cost(step + 1, of: request) - cost(step, of: request)
        guard difference <= left else { return false }
        steps[i] = step + 1
        left -= difference
        return true
    }

    private static func summary(
        _ steps: [Int], _ order: [Int], _ requests: [AllocationRequest], used: DataRate, _ short: [Int]
    ) -> Allocation {
        var allocated = DataRate.zero
        var wanted = DataRate.zero
        var more: DataRate?
        for i in order {
            let request = requests[i]
            let given = steps[i] >= 0 ? request.steps[steps[i]].rate : .zero
            allocated = allocated + given
            guard !request.steps.isEmpty else { continue }
            wanted = wanted + request.steps[max(0, min(request.wanted, request.steps.count - 1))].rate
            if more == nil, steps[i] < request.wanted, steps[i] + 1 < request.steps.count {
                more = DataRate(bitsPerSecond: cost(steps[i] + 1, of: request) - cost(steps[i], of: request))
            }
        }
        return Allocation(
            steps: steps, short: short, allocated: allocated,
            next: more.map { max(used + $0, allocated) } ?? allocated, wanted: wanted)
    }
}
