// How long packets wait on the way: their delay above the least of the last 20 seconds. Of a short while the least delay is
// taken, so that jitter, and the queue that one frame makes by itself, count for little. Judges nothing.

/// The delay above the least one.
struct QueueDelay: BitwiseCopyable {
    /// Delays are compared over so many stretches of this length.
    static let baseStretch = TimeDelta.milliseconds(2_500)
    static let baseStretches = 8
    /// What stands is the least delay of one to two stretches of this length.
    static let stretch = TimeDelta.milliseconds(40)
    /// Behind a pause as long as this the last stretch says nothing.
    static let pause = TimeDelta.milliseconds(180)
    /// The base is a least delay smoothed: of each stretch's 1 ÷ this goes in.
    static let smoothing: Int64 = 4
    /// Of each wobble 1 ÷ this goes into the noise; none counts for more than the second.
    static let noiseSmoothing: Int64 = 32
    static let largestWobble = TimeDelta.milliseconds(20)
    /// The way back cannot be this much shorter than it ever was: the receiver's clock was set forward.
    static let clockStep = TimeDelta.milliseconds(50)

    private static let none = Int64.max

    /// The least smoothed delay of each long stretch, the newest first, in nanoseconds, the clocks' difference included.
    private var bases: InlineArray<8, Int64> = InlineArray(repeating: none)
    /// The least age of an arrival when feedback told of it, likewise.
    private var ages: InlineArray<8, Int64> = InlineArray(repeating: none)
    /// Which long stretch the first of these is.
    private var place: Int64 = 0
    /// The least delay of the short stretch before and of the present one, and when this began.
    private var before = none
    private var present = none
    private var since = Timestamp(nanoseconds: 0)
    private var smoothed = none
    private var lastStep: Int64 = 0
    private var wobble: Int64 = 0

    init() {}

    /// What stands in the queue at present; nil before anything is known.
    var standing: TimeDelta? {
        let least = min(before, present)
        guard least != Self.none, let base = Self.least(bases) else { return nil }
        return TimeDelta(nanoseconds: max(0, least &- base))
    }

    /// How much what stands goes to and fro from one stretch to the next; a queue that grows or drains steadily is no noise.
    var noise: TimeDelta { TimeDelta(nanoseconds: wobble) }

    private static func least(_ values: InlineArray<8, Int64>) -> Int64? {
        var least = none
        for i in 0..<baseStretches { least = min(least, values[i]) }
        return least == none ? nil : least
    }

    /// A packet arrived.
    mutating func note(sent: Timestamp, arrived: TimeDelta) {
        let delay = arrived.nanoseconds &- sent.nanoseconds
        rotate(to: sent)
        guard sent - since > Self.stretch else {
            present = min(present, delay)
            return
        }
        if present != Self.none { close(behindPause: sent - since > Self.pause) }
        before = sent - since > Self.pause ? Self.none : present
        present = delay
        since = sent
    }

    /// Takes what a short stretch showed.
    private mutating func close(behindPause: Bool) {
        if before != Self.none {
            let step = present &- before
            let turns = step < 0 && lastStep > 0 || step > 0 && lastStep < 0
            let size = turns ? Int64(clamping: min(step.magnitude, lastStep.magnitude)) : 0
            wobble = wobble &+ (min(size, Self.largestWobble.nanoseconds) &- wobble) / Self.noiseSmoothing
            lastStep = step
        }
        if smoothed == Self.none || before == Self.none {
            smoothed = present
        } else {
            smoothed = smoothed &+ (present &- smoothed) / Self.smoothing
        }
        bases[0] = min(bases[0], smoothed)
    }

    /// The packets of a message were told of now; the last of them arrived then. True when the receiver's clock was set
    /// forward: then everything begins anew.
    mutating func note(feedbackAt now: Timestamp, of arrived: TimeDelta) -> Bool {
        let age = now.nanoseconds &- arrived.nanoseconds
        rotate(to: now)
        if let least = Self.least(ages), age < least &- Self.clockStep.nanoseconds {
            self = QueueDelay()
            rotate(to: now)
            ages[0] = age
            return true
        }
        ages[0] = min(ages[0], age)
        return false
    }

    private mutating func rotate(to now: Timestamp) {
        let here = now.nanoseconds / Self.baseStretch.nanoseconds
        let steps = here &- place
        guard steps > 0 else { return }
        place = here
        for i in stride(from: Self.baseStretches - 1, through: 0, by: -1) {
            let from = Int64(i) &- steps
            bases[i] = from >= 0 ? bases[Int(from)] : Self.none
            ages[i] = from >= 0 ? ages[Int(from)] : Self.none
        }
    }
}

extension QueueDelay: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        for i in 0..<Self.baseStretches {
            try c.code(&bases[i])
            try c.code(&ages[i])
        }
        try c.code(&place)
        try c.code(&before)
        try c.code(&present)
        try c.code(&since)
        try c.code(&smoothed)
        try c.code(&lastStep)
        try c.code(&wobble)
        try c.require(wobble >= 0 && wobble <= Self.largestWobble.nanoseconds)
    }
}
