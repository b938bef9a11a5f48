// The plain rate of the last moments: bytes in stretches of 25 ms. Smooths nothing.

/// The bytes of the last half second.
struct RateMeter: BitwiseCopyable {
    /// The length of a stretch, and how many are kept.
    static let stretch = TimeDelta.milliseconds(25)
    static let stretches = 20

    /// The bytes of each stretch, at its number modulo their count.
    private var bytes: InlineArray<20, Int32> = InlineArray(repeating: 0)
    /// The newest stretch, and which was the first of all.
    private var place: Int64 = 0
    private var first: Int64?
    /// The newest moment noted.
    private var last: Int64 = 0

    init() {}

    /// The rate of so many stretches up to the newest; nil before so much time has gone by.
    func rate(overLast count: Int) -> DataRate? {
        let wanted = min(max(count, 2), Self.stretches)
        guard let first, place &- first >= Int64(wanted) else { return nil }
        var total: Int64 = 0
        for back in 0..<wanted { total &+= Int64(bytes[index(back)]) }
        let length = Self.stretch.nanoseconds
        // Of the newest stretch only what has gone by of it.
        let open = min(max(last &- place &* length, 0), length)
        return DataSize(bytes: total) / TimeDelta(nanoseconds: length &* Int64(wanted - 1) &+ open)
    }

    /// Bytes at a moment of any clock, in nanoseconds.
    mutating func note(_ size: Int64, at now: Int64) {
        let length = Self.stretch.nanoseconds
        let here = now >= 0 ? now / length : (now &+ 1) / length &- 1
        var steps = here &- place
        if first == nil || steps <= -Int64(Self.stretches) || steps >= Int64(Self.stretches) {
            // The first, a leap of the clock, or a pause: what came before says nothing of the rate now.
            self = RateMeter()
            first = here
            place = here
            last = now
        } else {
            while steps > 0 {
                place &+= 1
                steps &-= 1
                bytes[index(0)] = 0
            }
        }
        last = max(last, now)
        let back = Int(place &- here)
        guard back >= 0, back < Self.stretches else { return }
        let at = index(back)
        bytes[at] = Int32(clamping: Int64(bytes[at]) &+ size)
    }

    /// Where the bytes of the stretch so many before the newest are.
    @inline(__always) private func index(_ back: Int) -> Int {
        let rest = Int(truncatingIfNeeded: (place &- Int64(back)) % Int64(Self.stretches))
        return rest < 0 ? rest + Self.stretches : rest
    }
}

extension RateMeter: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        // The newest first, wherever it is.
        var newestFirst = InlineArray<20, Int32>(repeating: 0)
        for back in 0..<Self.stretches { newestFirst[back] = bytes[index(back)] }
        for back in 0..<Self.stretches { try c.code(&newestFirst[back], 0...Int64(Int32.max)) }
        let places = CheckpointLimit.moment / Self.stretch.nanoseconds
        try c.code(&place, -places...places)
        try c.optional(&first, 0) { c, v throws(CheckpointError) in try c.code(&v, -places...places) }
        try c.code(&last, -CheckpointLimit.moment...CheckpointLimit.moment)
        for back in 0..<Self.stretches { bytes[index(back)] = newestFirst[back] }
    }
}
