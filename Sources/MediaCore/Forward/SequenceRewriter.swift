// Maps a source's sequence numbers onto a slot's: contiguous over switches of source and over packets left out, with the gaps
// of packets that were lost. One number of the source always gives the same number of the slot, and no two give one.
//
// A gap is only ever so long: a receiver counts its rollovers by the numbers that reach it (RFC 3711 §3.3.1), and one who
// publishes numbers that leap, or padding that is left out, must not carry a slot half way round without a packet sent.

/// The sequence numbers of one slot.
struct SequenceRewriter: BitwiseCopyable {
    /// The longest gap between two numbers that are sent: what lies further back is not asked for again.
    static let longestGap = Int64(NackTracker.limit)

    private var steps = OffsetSteps()
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
        highestSource = source - 1
        steps.begin(OffsetSteps.Step(from: source, offset: source - (highest + 1)))
    }

    /// The slot's number of a packet, or nil when it is from before the segment, from before what is remembered, or
    /// left out.
    mutating func map(_ source: Int64) -> Int64? {
        guard !steps.isEmpty else { return nil }
        if source > highestSource {
            let offset = steps.newest.offset
            let number = nearest(source - offset)
            if number != source - offset { steps.push(OffsetSteps.Step(from: source, offset: source - number)) }
            highestSource = source
            highest = number
            highestGiven = number
            return number
        }
        return steps.place(source)
    }

    /// The number itself, or the one that ends the longest gap allowed.
    private func nearest(_ number: Int64) -> Int64 { max(highest + 1, min(number, highestGiven + Self.longestGap)) }

    /// Leaves a packet out and closes the gap. False when later ones have been forwarded: then its number is taken, and
    /// the packet must be forwarded in some form.
    mutating func omit(_ source: Int64) -> Bool {
        guard !steps.isEmpty else { return true }
        guard source > highestSource else { return false }
        highestSource = source
        highest = nearest(source - steps.newest.offset) - 1
        steps.omit(source, offset: source - highest)
        return true
    }
}

extension SequenceRewriter: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&steps)
        try c.number(&highestSource)
        try c.number(&highest)
        try c.number(&highestGiven)
    }
}
