// How well a rule showed who had the floor: judged against the schedule that the levels were made from.

/// What came of showing speakers by a rule.
public struct SpeakerScore: Sendable, Hashable {
    /// Frames of turns of two seconds and more, and those in which one of them who had the floor was shown.
    public var frames = 0
    /// Those in which one of them who had the floor was shown.
    public var right = 0
    /// Changes to somebody who had no turn, or away from somebody whose turn alone it was, or back within two seconds while two
    /// had one.
    public var wrongChanges = 0
    /// All changes.
    public var changes = 0
    /// Milliseconds from the first sound of a turn of two seconds and more until its speaker was shown, of those not shown before.
    public var latencies: [Int] = []
    /// Turns of two seconds and more whose speaker was never shown.
    public var missed = 0
    /// How long the room lasted, in seconds.
    public var seconds = 0

    /// Nothing judged.
    public init() {}

    /// Who was shown in every frame (nil: nobody), against the schedule; of a room that has lasted long only what begins in this
    /// frame or behind it.
    public init(_ shown: [Int?], _ schedule: TalkSchedule, from first: Int = 0) {
        seconds = (schedule.frames - first) / TalkSchedule.framesPerSecond
        let long = schedule.turns.filter { $0.end - $0.start >= 100 && $0.start >= first }
        for turn in long {
            for frame in turn.start..<turn.end {
                frames += 1
                if let person = shown[frame],
                    person == turn.person
                        || long.contains(where: { $0.person == person && $0.start <= frame && frame < $0.end })
                {
                    right += 1
                }
            }
            guard shown[turn.start] != turn.person else { continue }
            if let first = (turn.start..<turn.end).first(where: { shown[$0] == turn.person }) {
                latencies.append((first - turn.start) * 20)
            } else {
                missed += 1
            }
        }
        judgeChanges(shown, schedule, from: first)
    }

    private mutating func judgeChanges(_ shown: [Int?], _ schedule: TalkSchedule, from first: Int) {
        var lastChange = -1_000
        for frame in max(1, first)..<max(1, shown.count) where shown[frame] != shown[frame - 1] {
            guard let to = shown[frame] else { continue }
            guard let from = shown[frame - 1] else { continue }
            changes += 1
            let holders = schedule.holders(at: frame)
            // Shown when the last word has just been said is late, not wrong.
            let justEnded = schedule.turns.contains { $0.person == to && $0.end <= frame && frame - $0.end < 10 }
            if !holders.contains(to) {
                if !(justEnded && !holders.contains(from)) { wrongChanges += 1 }
            } else if holders.contains(from), frame - lastChange < 100 {
                wrongChanges += 1
            }
            lastChange = frame
        }
    }

    /// Adds what came of another room.
    public mutating func add(_ other: SpeakerScore) {
        frames += other.frames
        right += other.right
        wrongChanges += other.wrongChanges
        changes += other.changes
        latencies += other.latencies
        missed += other.missed
        seconds += other.seconds
    }

    /// The share of the time of turns of two seconds and more in which somebody who had the floor was shown.
    public var share: Double { frames == 0 ? 0 : Double(right) / Double(frames) }
    /// Wrong changes a minute.
    public var wrongPerMinute: Double { seconds == 0 ? 0 : Double(wrongChanges) * 60 / Double(seconds) }
    /// The latency in the middle, in milliseconds; nil where there is none.
    public var medianLatency: Int? { latency(0.5) }
    /// The latency that this share of the turns stays below, in milliseconds.
    public func latency(_ share: Double) -> Int? {
        guard !latencies.isEmpty else { return nil }
        let sorted = latencies.sorted()
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
}
