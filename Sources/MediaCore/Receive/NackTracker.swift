// Which packets of a stream are missing and when to ask for them again (RFC 4585 §6.2.1). Writes no packet; gives up by
// itself, since a publisher that cannot help must not be asked for ever.

/// The missing packets of one stream.
struct NackTracker: ~Copyable {
    /// The most packets missing at a time; beyond it a key frame is the better answer.
    static let limit = 256
    /// How long a packet may be missing before it is asked for: less is reordering.
    static let reorderingWait = TimeDelta.milliseconds(20)
    /// The shortest time between two requests for the same packet.
    static let shortestInterval = TimeDelta.milliseconds(20)
    /// How often the same packet is asked for.
    static let maximumTries: UInt8 = 10

    private struct Missing: BitwiseCopyable {
        var number: Int64
        var dueAt: Timestamp
        var tries: UInt8
    }

    private var missing: [Missing] = []
    /// When `takeDue` should be called next; may be early, never late.
    private(set) var next: Timestamp?

    init() { missing.reserveCapacity(Self.limit) }

    var count: Int { missing.count }

    /// The numbers before `newest` down to `newest - count` did not come. False when that is more than can be missing:
    /// then nothing is missing any more.
    mutating func note(missing count: Int64, before newest: Int64, at now: Timestamp) -> Bool {
        guard count > 0 else { return true }
        guard Int64(missing.count) + count <= Int64(Self.limit) else {
            reset()
            return false
        }
        let due = now + Self.reorderingWait
        for number in (newest - count)..<newest { missing.append(Missing(number: number, dueAt: due, tries: 0)) }
        if let n = next, n <= due { return true }
        next = due
        return true
    }

    /// A packet came, or is not needed any more.
    mutating func remove(_ number: Int64) {
        guard !missing.isEmpty, let first = missing.first, first.number <= number else { return }
        var low = 0
        var high = missing.count
        while low < high {
            let middle = (low + high) / 2
            if missing[middle].number < number { low = middle + 1 } else { high = middle }
        }
        guard low < missing.count, missing[low].number == number else { return }
        missing.remove(at: low)
        if missing.isEmpty { next = nil }
    }

    /// Whatever is missing before a key frame is not needed any more.
    mutating func removeAll(before number: Int64) {
        missing.removeAll { $0.number < number }
        if missing.isEmpty { next = nil }
    }

    mutating func reset() {
        missing.removeAll(keepingCapacity: true)
        next = nil
    }

    /// Appends the numbers to be asked for now to `numbers`, ascending, and remembers that they were asked for. True
    /// when a number was given up: it was asked for as often as is allowed, and time enough for the last answer has
    /// gone by.
    mutating func takeDue(at now: Timestamp, roundTrip: TimeDelta, into numbers: inout [Int64]) -> Bool {
        guard let n = next, n <= now else { return false }
        let interval = max(roundTrip, Self.shortestInterval)
        var earliest: Timestamp?
        var kept = 0
        for i in missing.indices {
            var entry = missing[i]
            if entry.dueAt <= now {
                if entry.tries >= Self.maximumTries { continue }
                numbers.append(entry.number)
                entry.tries += 1
                entry.dueAt = now + interval
            }
            if earliest.map({ entry.dueAt < $0 }) ?? true { earliest = entry.dueAt }
            missing[kept] = entry
            kept += 1
        }
        let gaveUp = kept < missing.count
        missing.removeLast(missing.count - kept)
        next = earliest
        return gaveUp
    }
}

extension NackTracker {
    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(missing.count))
        for entry in missing {
            w.write(entry.number)
            w.write(entry.dueAt)
            w.byte(entry.tries)
        }
        w.write(next)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        for _ in 0..<(try r.readUnsigned(Self.limit)) {
            let number = try r.readNumber()
            let entry = Missing(number: number, dueAt: try r.readTimestamp(), tries: try r.byte())
            // They are found by halving.
            try r.require((missing.last?.number ?? .min) < number && entry.tries <= Self.maximumTries)
            missing.append(entry)
        }
        try r.code(&next)
    }
}
