// A slot's RTP time: one straight line on the server's clock over all its sources, and never backwards. A source is
// laid on the line where it begins and keeps its own steps; what it is off later is corrected in small, rare steps.

/// The timestamps of one slot.
struct TimestampLine: BitwiseCopyable {
    /// A difference to the line of more than this is corrected, in milliseconds.
    static let toleranceMilliseconds: Int64 = 5
    /// The most that one correction of video moves, in milliseconds.
    static let largestStepMilliseconds: Int64 = 10
    /// Audio that has no pause is corrected only beyond this, in milliseconds: lips are seen to be off at 45.
    static let audibleMilliseconds: Int64 = 40
    /// The shortest time between two corrections.
    static let correctionInterval = TimeDelta.seconds(2)
    /// Packets further than this from the line mean that the source's own timestamps jumped.
    static let plausibleSeconds: Int64 = 10

    /// The slot's timestamp when the server's clock is zero.
    private(set) var base: UInt32
    private var clockRate: Int64
    /// What is added to the source's timestamps.
    private(set) var offset: UInt32 = 0
    private var formerOffset: UInt32 = 0
    /// The first timestamp of the source that has `offset`; those before it have `formerOffset`.
    private var changedAt: UInt32 = 0
    private var newestSource: UInt32 = 0
    private var pending: Int64 = 0
    private var correctedAt: Timestamp?
    /// The newest timestamp given out, or nil before the first.
    private(set) var newest: UInt32?

    init(base: UInt32, clockRate: UInt32) {
        self.base = base
        self.clockRate = Int64(max(clockRate, 1))
    }

    /// The server's clock in units of an RTP clock, cut to 32 bits.
    static func ticks(_ time: Timestamp, clockRate: UInt32) -> UInt32 {
        var (seconds, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if rest < 0 {
            seconds &-= 1
            rest &+= 1_000_000_000
        }
        let ticks = seconds &* Int64(clockRate) &+ rest &* Int64(clockRate) / 1_000_000_000
        return UInt32(truncatingIfNeeded: ticks)
    }

    private static func distance(_ a: UInt32, _ b: UInt32) -> Int64 {
        Int64(Int32(truncatingIfNeeded: Int64(a) &- Int64(b)))
    }

    /// Whether a source that began with what was captured at `capture` would come behind what was given out.
    func isAhead(_ capture: UInt32) -> Bool {
        newest.map { Self.distance(base &+ capture, $0) > 0 } ?? true
    }

    /// Whether a timestamp of the source that has begun is behind all of it that were given out.
    func isAhead(ofSource timestamp: UInt32) -> Bool { Self.distance(timestamp, newestSource) > 0 }

    /// A source begins with this timestamp, captured when the server's clock stood at `capture` (in ticks).
    mutating func begin(_ source: UInt32, capture: UInt32) {
        var target = base &+ capture
        if let newest, Self.distance(target, newest) <= 0 { target = newest &+ 1 }
        offset = target &- source
        formerOffset = offset
        changedAt = source
        newestSource = source
        pending = 0
        newest = target
    }

    /// The slot's timestamp of a packet. `clock` is the server's clock, `capture` the packet's time of capture, in
    /// ticks; `isNewest` tells that no packet with a higher number has come, `mayPause` that a silence ended with it.
    mutating func map(
        _ source: UInt32, isNewest: Bool, mayPause: Bool, isVideo: Bool, clock: UInt32, capture: UInt32
    ) -> UInt32 {
        let step = Self.distance(source, newestSource)
        guard isNewest, step != 0 else {
            return source &+ (Self.distance(source, changedAt) < 0 ? formerOffset : offset)
        }
        let off = Self.distance(source &+ offset, base &+ clock)
        if step < 0 || abs(off) > Self.plausibleSeconds * clockRate {
            begin(source, capture: capture)
            return newest ?? source &+ offset
        }
        if pending != 0 { correct(at: source, step: step, mayPause: mayPause, isVideo: isVideo) }
        newestSource = source
        let target = source &+ offset
        newest = target
        return target
    }

    private mutating func correct(at source: UInt32, step: Int64, mayPause: Bool, isVideo: Bool) {
        let unit = clockRate / 1_000
        var move = pending
        if isVideo {
            move = max(-Self.largestStepMilliseconds * unit, min(Self.largestStepMilliseconds * unit, move))
        } else if !mayPause, step < clockRate / 5, abs(move) < Self.audibleMilliseconds * unit {
            return
        }
        // Half of the source's own step at most, so that time goes on.
        move = max(move, -(step / 2))
        pending = 0
        guard move != 0 else { return }
        formerOffset = offset
        changedAt = source
        offset = offset &+ UInt32(truncatingIfNeeded: move)
    }

    /// By how many ticks `map` corrected the line since its offset was `offset`; nil when it did not.
    func correction(since offset: UInt32) -> Int64? {
        guard self.offset != offset, formerOffset == offset else { return nil }
        return Self.distance(self.offset, offset)
    }

    /// A sender report tells that the source's timestamp was captured at `capture` (ticks of the server's clock). The
    /// difference to the line in ticks when it is to be corrected, else nil; `map` does so as soon as it may.
    @discardableResult
    mutating func compare(_ source: UInt32, capture: UInt32, at now: Timestamp) -> Int64? {
        guard newest != nil else { return nil }
        if let correctedAt, now - correctedAt < Self.correctionInterval { return nil }
        let error = Self.distance(base &+ capture, source &+ offset)
        guard abs(error) > Self.toleranceMilliseconds * clockRate / 1_000,
            abs(error) < Self.plausibleSeconds * clockRate
        else { return nil }
        pending = error
        correctedAt = now
        return error
    }

    /// The newest timestamp of the source, for `compare`.
    var newestOfSource: UInt32 { newestSource }
}

extension TimestampLine: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&base)
        try c.code(&clockRate, 1...Int64(UInt32.max))
        try c.code(&offset)
        try c.code(&formerOffset)
        try c.code(&changedAt)
        try c.code(&newestSource)
        try c.code(&pending, -CheckpointLimit.setting...CheckpointLimit.setting)
        try c.code(&correctedAt)
        try c.code(&newest)
    }
}
