// Maps a source's sequence numbers onto a slot's: contiguous over switches of source and over packets left out, with
// the gaps of packets that were lost. One number of the source always gives the same number of the slot, and no two
// give one.

/// The sequence numbers of one slot.
struct SequenceRewriter: BitwiseCopyable {
    /// How many changes of the offset are remembered for packets that come late.
    static let rememberedSteps = 16

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
    /// The highest number given out.
    private(set) var highest: Int64

    /// The first number given out will be the one behind `highest`.
    init(highest: Int64) { self.highest = highest }

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
            highestSource = source
            highest = source - steps[(count - 1) % Self.rememberedSteps].offset
            return highest
        }
        return place(source)
    }

    private func place(_ source: Int64) -> Int64? {
        var next = Int64.max
        for back in 0..<min(count, Self.rememberedSteps) {
            let step = steps[(count - 1 - back) % Self.rememberedSteps]
            if source >= step.from {
                // The number right before a later step was the one left out.
                return source == next - 1 ? nil : source - step.offset
            }
            next = step.from
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
        highest = source - 1 - offset
        push(Step(from: source + 1, offset: offset + 1))
        return true
    }
}
