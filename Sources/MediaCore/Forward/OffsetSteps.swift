// How a source's running numbers become a slot's: an offset that changes in steps where something is left out. Remembers
// the newest steps, so that what comes late gets the number it would have had in time. Decides nothing about what is left
// out.

/// The steps of one running number since a source began.
struct OffsetSteps: BitwiseCopyable {
    /// How many steps are remembered: where every second frame is left out, two seconds of 30 a second.
    static let remembered = 64

    struct Step: BitwiseCopyable {
        /// The first number of the source that has the offset.
        var from: Int64
        /// What is taken from the source's number.
        var offset: Int64
    }

    private var steps = InlineArray<64, Step>(repeating: Step(from: .max, offset: 0))
    /// The number of steps since the source began; the newest is at `(count - 1) % 64`.
    private var count = 0

    /// Whether no source has begun.
    var isEmpty: Bool { count == 0 }
    /// The newest step; meaningless while empty.
    var newest: Step { steps[(max(count, 1) - 1) % Self.remembered] }

    /// A source begins with this number, which has this offset.
    mutating func begin(_ step: Step) {
        count = 0
        push(step)
    }

    mutating func push(_ step: Step) {
        steps[count % Self.remembered] = step
        count += 1
    }

    /// Leaves a number out that is higher than all before: from the one behind it on there is another offset.
    mutating func omit(_ source: Int64, offset: Int64) {
        // A step at which nothing began is not remembered: a run of numbers left out is one step.
        if count > 1, newest.from == source { count -= 1 }
        push(Step(from: source + 1, offset: offset))
    }

    /// The slot's number of one that is not higher than all before; nil when it is from before the source began or from
    /// before what is remembered, or when it was left out.
    func place(_ source: Int64) -> Int64? {
        // The first number of the slot that belongs to a later step: what would come to it or beyond was left out.
        var taken = Int64.max
        for back in 0..<min(count, Self.remembered) {
            let step = steps[(count - 1 - back) % Self.remembered]
            if source >= step.from { return source - step.offset < taken ? source - step.offset : nil }
            taken = step.from - step.offset
        }
        return nil
    }
}

extension OffsetSteps: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.count(&count, Int(CheckpointLimit.number))
        // Steps of earlier sources are never looked at again.
        for back in 0..<min(count, Self.remembered) {
            let place = (count - 1 - back) % Self.remembered
            try c.number(&steps[place].from)
            try c.number(&steps[place].offset)
        }
    }
}
