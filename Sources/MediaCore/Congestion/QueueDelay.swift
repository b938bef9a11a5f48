// How long packets wait on the way: their delay above the least one of the last time. The least delay of a short while is taken,
// so that jitter, and the queue that one frame makes by itself, count for nothing. Judges nothing.

/// The delay above the least one.
struct QueueDelay: BitwiseCopyable {
    /// The delays compared are those of so many stretches of this length.
    static let baseStretch = TimeDelta.milliseconds(2_500)
    static let baseStretches = 8
    /// What stands is the least delay of one to two stretches of this length.
    static let standingStretch = TimeDelta.milliseconds(60)
    /// The way back cannot be this much shorter than it ever was: the receiver's clock was set forward.
    static let clockStep = TimeDelta.milliseconds(50)

    /// More from stretch to stretch is no wobble.
    static let largestWobble = TimeDelta.milliseconds(20)

    private static let none = Int64.max

    /// The least delay of each stretch, the newest first, in nanoseconds, the clocks' difference included.
    private var bases: InlineArray<8, Int64> = InlineArray(repeating: none)
    /// The least age of an arrival when feedback told of it, likewise.
    private var ages: InlineArray<8, Int64> = InlineArray(repeating: none)
    private var stretch: Int64 = 0
    private var standingBefore = none
    private var standingNow = none
    private var standingSince = Timestamp(nanoseconds: 0)
    /// How much what stands differs from stretch to stretch by itself, smoothed.
    private var wobble: Int64 = 0
    private var smoothed = none
    private var lastStep: Int64 = 0

    init() {}

    /// The delay above the least one that stands at present; nil before anything is known.
    var standing: TimeDelta? {
        let least = min(standingBefore, standingNow)
        guard least != Self.none, let base else { return nil }
        return TimeDelta(nanoseconds: max(0, least &- base))
    }

    /// What stood in the queue at the least for five seconds and more: something else fills it.
    var persistent: TimeDelta {
        guard let base else { return .zero }
        let recent = min(bases[0], min(bases[1], bases[2]))
        return recent == Self.none ? .zero : TimeDelta(nanoseconds: recent &- base)
    }

    /// How much the above differs by itself within a tenth of a second, on average.
    var noise: TimeDelta { TimeDelta(nanoseconds: wobble) }

    private var base: Int64? { Self.least(bases) }

    private static func least(_ values: InlineArray<8, Int64>) -> Int64? {
        var least = none
        for i in 0..<baseStretches { least = min(least, values[i]) }
        return least == none ? nil : least
    }

    /// A packet arrived.
    mutating func note(sent: Timestamp, arrived: TimeDelta) {
        let delay = arrived.nanoseconds &- sent.nanoseconds
        rotate(to: sent)
        if sent - standingSince > Self.standingStretch {
            if standingBefore != Self.none, standingNow != Self.none {
                let step = standingNow &- standingBefore
                let turns = step < 0 && lastStep > 0 || step > 0 && lastStep < 0
                let size = turns ? min(abs(step), min(abs(lastStep), Self.largestWobble.nanoseconds)) : 0
                wobble += (size - wobble) / 32
                lastStep = step
            }
            if standingNow != Self.none {
                smoothed = smoothed == Self.none || sent - standingSince > .seconds(1) ? standingNow : smoothed &+ (standingNow &- smoothed) / 4
                bases[0] = min(bases[0], smoothed)
            }
            standingBefore = sent - standingSince > Self.standingStretch * 3 ? Self.none : standingNow
            standingNow = delay
            standingSince = sent
        } else {
            standingNow = min(standingNow, delay)
        }
    }

    /// The packets of a message were told of now, the last of them arrived then. True when the receiver's clock was set
    /// forward: then everything begins anew.
    mutating func note(feedbackAt now: Timestamp, of arrived: TimeDelta) -> Bool {
        let age = now.nanoseconds &- arrived.nanoseconds
        rotate(to: now)
        if let least = Self.least(ages), age < least &- Self.clockStep.nanoseconds {
            restart()
            ages[0] = age
            return true
        }
        ages[0] = min(ages[0], age)
        return false
    }

    mutating func restart() { self = QueueDelay() }

    private mutating func rotate(to now: Timestamp) {
        let place = now.nanoseconds / Self.baseStretch.nanoseconds
        let steps = place &- stretch
        guard steps > 0 else { return }
        stretch = place
        if steps >= Int64(Self.baseStretches) {
            bases = InlineArray(repeating: Self.none)
            ages = InlineArray(repeating: Self.none)
            return
        }
        for i in stride(from: Self.baseStretches - 1, through: 0, by: -1) {
            let from = i - Int(steps)
            bases[i] = from >= 0 ? bases[from] : Self.none
            ages[i] = from >= 0 ? ages[from] : Self.none
        }
    }
}
