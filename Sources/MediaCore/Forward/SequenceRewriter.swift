// Maps a source's sequence numbers onto a slot's: contiguous over switches of source and over packets left out, with the gaps
// of packets that were lost. One number of the source always gives the same number of the slot, and no two give one.
//
// A gap is only ever so long: a receiver counts its rollovers by the numbers that reach it (RFC 3711 §3.3.1), and one who
// publishes numbers that leap, or padding that is left out, must not carry a slot half way round without a packet sent.

/// The sequence numbers of one slot.
struct SequenceRewriter: BitwiseCopyable {
    /// How many changes of the offset are remembered for packets that come late.
    static let rememberedSteps = 16
    /// The longest gap between two numbers that are sent: what lies further back is not asked for again.
    static let longestGap = Int64(NackTracker.limit)

    private struct Step: BitwiseCopyable {
        /// The first number of the source that has the offset.
        var from: Int64
        /// What is taken from the source's number.
        var offset: Int64
    }

    private var steps = InlineArray<16, Step>(repeating: Step(from: .max, offset: 0))
    /// The number of steps since the segment began; the newest is at `(count - 1) % 16`.
    private var count = 0
    private var highestSource: Int64 = 0
    /// The highest number given out, or closed up behind the last one given out.
    private(set) var highest: Int64
    /// The highest number given out to a packet.
    private var highestGiven: Int64

    /// The first number given out will be the one behind `highest`.
    init(highest: Int64) {
        self.highest = highest
        highestGiven = highest
    }

    /// Another source begins, with this number.
    mutating func begin(at source: Int64) {
        count = 0
        highestSource = source - 1
        push(Step(from: source, offset: source - (highest + 1)))
    }

    private mutating func push(_ step: Step) {
        steps[count % Self.rememberedSteps] = step
        count += 1
    }

    /// The slot's number of a packet, or nil when it is from before the segment, from before what is remembered, or
    /// left out.
    mutating func map(_ source: Int64) -> Int64? {
        guard count > 0 else { return nil }
        if source > highestSource {
            let offset = steps[(count - 1) % Self.rememberedSteps].offset
            let number = nearest(source - offset)
            if number != source - offset { push(Step(from: source, offset: source - number)) }
            highestSource = source
            highest = number
            highestGiven = number
            return number
        }
        return place(source)
    }

    /// The number itself, or the one that ends the longest gap allowed.
    private func nearest(_ number: Int64) -> Int64 { max(highest + 1, min(number, highestGiven + Self.longestGap)) }

    private func place(_ source: Int64) -> Int64? {
        // The first number of the slot that belongs to a later step: what would come to it or beyond was left out.
        var taken = Int64.max
        for back in 0..<min(count, Self.rememberedSteps) {
            let step = steps[(count - 1 - back) % Self.rememberedSteps]
            if source >= step.from { return source - step.offset < taken ? source - step.offset : nil }
            taken = step.from - step.offset
        }
        return nil
    }

    /// Leaves a packet out and closes the gap. False when later ones have been forwarded: then its number is taken, and
    /// the packet must be forwarded in some form.
    mutating func omit(_ source: Int64) -> Bool {
        guard count > 0 else { return true }
        guard source > highestSource else { return false }
        let offset = steps[(count - 1) % Self.rememberedSteps].offset
        highestSource = source
        highest = nearest(source - offset) - 1
        push(Step(from: source + 1, offset: source - highest))
        return true
    }
}

extension SequenceRewriter: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.count(&count, Int(CheckpointLimit.number))
        // Steps of earlier segments are never looked at again.
        for back in 0..<min(count, Self.rememberedSteps) {
            let place = (count - 1 - back) % Self.rememberedSteps
            try c.number(&steps[place].from)
            try c.number(&steps[place].offset)
        }
        try c.number(&highestSource)
        try c.number(&highest)
        try c.number(&highestGiven)
    }
}
