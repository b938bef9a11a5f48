// How a source's running numbers become a slot's: an offset that changes in steps where something is left out. Remembers
// the newest steps, so that what comes late gets the number it would have had in time. Decides nothing about what is left
// out.

/// The steps of one running number since a source began.
struct OffsetSteps: BitwiseCopyable {
    /// How many steps before the newest are remembered: where every second frame is left out, two seconds of 30 a second.
    static let remembered = 32

    struct Step: BitwiseCopyable {
        /// The first number of the source that has the offset.
        var from: Int64
        /// What is taken from the source's number.
        var offset: Int64
    }

    /// A step as what lies between it and the one behind it: a slot's hot memory is small.
    private struct Back: BitwiseCopyable {
        var from: UInt32 = 0
        var offset: Int32 = 0
    }

    /// The newest step; meaningless while empty.
    private(set) var newest = Step(from: .max, offset: 0)
    /// Whether no source has begun.
    private(set) var isEmpty = true
    /// How many steps before the newest are kept, and the place in the ring of the next.
    private var kept: UInt8 = 0
    private var next: UInt8 = 0
    private var steps = InlineArray<32, Back>(repeating: Back())

    /// A source begins with this number, which has this offset.
    mutating func begin(_ step: Step) {
        newest = step
        isEmpty = false
        kept = 0
    }

    /// From a higher number on there is another offset.
    mutating func push(_ step: Step) {
        let from = UInt32(exactly: step.from &- newest.from)
        let offset = Int32(exactly: step.offset &- newest.offset)
        if let from, let offset {
            steps[Int(next)] = Back(from: from, offset: offset)
            next = (next + 1) % UInt8(Self.remembered)
            kept = min(kept + 1, UInt8(Self.remembered))
        } else {
            // Further apart than any packet is late.
            kept = 0
        }
        newest = step
    }

    /// Leaves a number out that is higher than all before: from the one behind it on there is another offset.
    mutating func omit(_ source: Int64, offset: Int64) {
        // A step at which nothing began is not remembered: a run of numbers left out is one step.
        if kept > 0, newest.from == source { newest = takeBack() }
        push(Step(from: source + 1, offset: offset))
    }

    private mutating func takeBack() -> Step {
        next = (next + UInt8(Self.remembered) - 1) % UInt8(Self.remembered)
        kept -= 1
        return before(newest, steps[Int(next)])
    }

    private func before(_ step: Step, _ back: Back) -> Step {
        Step(from: step.from - Int64(back.from), offset: step.offset - Int64(back.offset))
    }

    /// The slot's number of one that is not higher than all before; nil when it is from before the source began or from
    /// before what is remembered, or when it was left out.
    func place(_ source: Int64) -> Int64? {
        guard !isEmpty else { return nil }
        var step = newest
        // The first number of the slot that belongs to a later step: what would come to it or beyond was left out.
        var taken = Int64.max
        var left = kept
        var at = next
        while source < step.from {
            guard left > 0 else { return nil }
            taken = step.from - step.offset
            at = (at + UInt8(Self.remembered) - 1) % UInt8(Self.remembered)
            left -= 1
            step = before(step, steps[Int(at)])
        }
        return source - step.offset < taken ? source - step.offset : nil
    }
}

extension OffsetSteps: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isEmpty)
        guard !isEmpty else { return }
        try c.number(&newest.from)
        try c.number(&newest.offset)
        // The steps in the order of the ring, wherever it begins.
        try c.code(&kept)
        try c.require(kept <= UInt8(Self.remembered))
        try c.code(&next)
        try c.require(next < UInt8(Self.remembered))
        for back in 0..<Int(kept) {
            let place = (Int(next) + Self.remembered - 1 - back) % Self.remembered
            try c.code(&steps[place].from)
            try c.code(&steps[place].offset, Int64(Int32.min)...Int64(Int32.max))
        }
    }
}
