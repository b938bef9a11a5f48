// Who talks when in a simulated room: turns, back-channels, coughs, typing and noises drawn from a seed with stated shares. Knows
// no levels (VoiceTrace) and no room.

import Glibc

/// How much of what happens in a room of people who talk.
public struct TalkShares: Sendable, Hashable {
    /// People in the room, and how long it lasts.
    public var people = 50
    /// Seconds that the room lasts.
    public var seconds = 300
    /// People among whom turns go round; the others listen, and one turn in twenty is somebody's of theirs.
    public var panel = 6
    /// The share of turns that begin before the last one has ended.
    public var overlap = 0.25
    /// The share of turns that somebody else talks into for a second or more, and gets half the time.
    public var doubleTalk = 0.05
    /// Back-channels ("mm", "yes") of the others, a minute.
    public var backChannelsPerMinute = 6.0
    /// Coughs of anybody, a minute.
    public var coughsPerMinute = 2.0
    /// The share of people who type now and then: 5 s in 40.
    public var typing = 0.1
    /// The share of people around whom there is noise now and then, 15 s in 90: half a machine, half a television.
    public var noisy = 0.15
    /// People whose microphone hears the room through their loudspeaker.
    public var echoing = 1
    /// The shares of people whose voice bit is always set, and never; that of the rest is right nine times in ten.
    public var bitAlways = 0.25
    /// The share of people whose voice bit is never set.
    public var bitNever = 0.15
    /// The share of people who send nothing while they are silent (DTX).
    public var dtx = 0.4

    /// The shares that the table is made with.
    public init() {}
}

/// One stretch of frames of one person.
public struct TalkSpan: Sendable, Hashable {
    /// Whose, counted from 0.
    public var person: Int
    /// The first frame, and the one behind the last.
    public var start: Int
    /// The one behind the last.
    public var end: Int
}

/// What happens in a room, in frames of 20 ms.
public struct TalkSchedule: Sendable {
    /// Frames a second.
    public static let framesPerSecond = 50
    /// What it was drawn with.
    public let shares: TalkShares
    /// How many frames there are.
    public let frames: Int
    /// Who has the floor, in the order in which the turns begin.
    public private(set) var turns: [TalkSpan] = []
    /// The stretches of turns in which a voice sounds.
    public private(set) var phrases: [TalkSpan] = []
    /// Words of agreement.
    public private(set) var backChannels: [TalkSpan] = []
    /// Single bursts of coughs.
    public private(set) var coughs: [TalkSpan] = []
    /// Stretches of typing.
    public private(set) var typing: [TalkSpan] = []
    /// Stretches in which a machine runs.
    public private(set) var machines: [TalkSpan] = []
    /// Stretches in which a television talks.
    public private(set) var televisions: [TalkSpan] = []
    /// Those whose microphone hears the room.
    public private(set) var echoing: Set<Int> = []

    /// A schedule; the same seed and shares give the same.
    public init(_ shares: TalkShares = TalkShares(), seed: UInt64) {
        self.shares = shares
        frames = shares.seconds * Self.framesPerSecond
        var random = SeededRandom(seed: seed ^ 0x7461_6c6b)
        drawTurns(&random)
        drawPhrases(&random)
        drawBackChannels(&random)
        drawCoughs(&random)
        drawNoises(&random)
    }

    /// A room in which nothing happens but what is added.
    public init(people: Int, seconds: Int, shares: TalkShares = TalkShares()) {
        var shares = shares
        shares.people = people
        shares.seconds = seconds
        self.shares = shares
        frames = seconds * Self.framesPerSecond
    }

    private func span(_ person: Int, _ from: Double, _ to: Double) -> TalkSpan {
        TalkSpan(
            person: person, start: Int(from * Double(Self.framesPerSecond)),
            end: min(frames, Int(to * Double(Self.framesPerSecond))))
    }

    /// Somebody has a turn without a pause, from one second to another.
    public mutating func addTurn(_ person: Int, from: Double, to: Double) {
        turns.append(span(person, from, to))
        phrases.append(span(person, from, to))
    }

    /// Somebody says a word of agreement, or calls out, without having a turn.
    public mutating func addWord(_ person: Int, from: Double, to: Double) {
        backChannels.append(span(person, from, to))
    }

    /// Somebody coughs: a burst.
    public mutating func addCough(_ person: Int, from: Double, to: Double) { coughs.append(span(person, from, to)) }

    /// Somebody types.
    public mutating func addTyping(_ person: Int, from: Double, to: Double) { typing.append(span(person, from, to)) }

    /// A machine runs beside somebody.
    public mutating func addMachine(_ person: Int, from: Double, to: Double) { machines.append(span(person, from, to)) }

    /// A television talks behind somebody.
    public mutating func addTelevision(_ person: Int, from: Double, to: Double) {
        televisions.append(span(person, from, to))
    }

    /// Somebody's microphone hears the loudspeaker.
    public mutating func addEcho(_ person: Int) { echoing.insert(person) }

    /// Who has a turn in a frame: nobody, one, or for a moment two.
    public func holders(at frame: Int) -> [Int] {
        turns.filter { $0.start <= frame && frame < $0.end }.map(\.person)
    }

    // MARK: Drawing

    /// Two thirds statements of 10 s in the middle, a quarter replies of 2 to 5 s, the rest a word or two.
    private func turnLength(_ random: inout SeededRandom) -> Int {
        let kind = random.unit()
        if kind < 0.65 { return Int(50 * min(60, max(2, 10 * exp(0.6 * random.normal())))) }
        if kind < 0.9 { return Int(50 * (2 + 3 * random.unit())) }
        return Int(50 * (0.8 + 1.2 * random.unit()))
    }

    private mutating func drawTurns(_ random: inout SeededRandom) {
        let panel = max(2, min(shares.panel, shares.people))
        var at = 50
        var last = -1
        var beforeLast = -1
        while true {
            var next = last
            while next == last || next < 0 {
                if beforeLast >= 0, random.chance(0.4) {
                    next = beforeLast
                } else {
                    next = random.chance(0.05) ? random.below(shares.people) : random.below(panel)
                }
                if next == last { next = random.below(panel) }
            }
            let length = turnLength(&random)
            guard at + length < frames else { return }
            turns.append(TalkSpan(person: next, start: at, end: at + length))
            beforeLast = last
            last = next
            at += length
            if length > 300, random.chance(shares.doubleTalk) {
                at = drawDoubleTalk(into: turns.count - 1, panel, &last, &beforeLast, &random)
            }
            if random.chance(shares.overlap) {
                at -= min(length / 2, 5 + random.below(35))
            } else {
                // A quarter of a second in the middle; now and then nobody knows what to say.
                let gap = random.chance(0.03) ? 1 + 3 * random.unit() : min(1.5, 0.25 * exp(0.7 * random.normal()))
                at += Int(50 * gap)
            }
        }
    }

    /// Somebody talks into a turn: half the time the one who had it gives way.
    private mutating func drawDoubleTalk(
        into turn: Int, _ panel: Int, _ last: inout Int, _ beforeLast: inout Int, _ random: inout SeededRandom
    ) -> Int {
        var other = random.below(panel)
        while other == last { other = random.below(panel) }
        let start = turns[turn].start + 150 + random.below(turns[turn].end - turns[turn].start - 250)
        let both = 50 + random.below(75)
        if random.chance(0.5) {
            turns[turn].end = start + both
            let end = min(frames - 1, start + both + 100 + random.below(300))
            turns.append(TalkSpan(person: other, start: start, end: end))
            beforeLast = last
            last = other
            return end
        }
        turns.append(TalkSpan(person: other, start: start, end: start + both))
        return turns[turn].end
    }

    /// Within a turn a voice pauses for breath: a third of a second, each one to four.
    private mutating func drawPhrases(_ random: inout SeededRandom) {
        for turn in turns {
            var at = turn.start
            while at < turn.end {
                let length = Int(50 * (1 + 3 * random.unit()))
                var end = min(turn.end, at + length)
                if turn.end - end < 30 { end = turn.end }
                phrases.append(TalkSpan(person: turn.person, start: at, end: end))
                let pause = min(1.2, max(0.12, 0.35 * exp(0.5 * random.normal())))
                at = end + Int(50 * pause)
            }
        }
    }

    private mutating func drawBackChannels(_ random: inout SeededRandom) {
        let count = Int(shares.backChannelsPerMinute * Double(shares.seconds) / 60)
        for _ in 0..<count {
            guard !phrases.isEmpty else { return }
            // Half of them come when the other one pauses.
            let phrase = phrases[random.below(phrases.count)]
            let at =
                random.chance(0.5)
                ? phrase.end - 5 + random.below(10) : phrase.start + random.below(max(1, phrase.end - phrase.start))
            let length = 10 + random.below(21)
            let busy = Set(turns.filter { $0.start < at + length + 50 && at < $0.end + 50 }.map(\.person))
            let person = random.chance(0.7) ? random.below(shares.panel) : random.below(shares.people)
            guard !busy.contains(person), at > 0, at + length < frames else { continue }
            backChannels.append(TalkSpan(person: person, start: at, end: at + length))
        }
    }

    private mutating func drawCoughs(_ random: inout SeededRandom) {
        let count = Int(shares.coughsPerMinute * Double(shares.seconds) / 60)
        for _ in 0..<count {
            let person = random.below(shares.people)
            var at = random.below(frames)
            for _ in 0..<(1 + random.below(3)) {
                let length = 8 + random.below(9)
                guard at + length < frames else { break }
                coughs.append(TalkSpan(person: person, start: at, end: at + length))
                at += length + 5 + random.below(6)
            }
        }
    }

    private mutating func drawNoises(_ random: inout SeededRandom) {
        func stretches(_ person: Int, on: Int, off: Int, _ random: inout SeededRandom) -> [TalkSpan] {
            var result: [TalkSpan] = []
            var at = random.below(max(1, off))
            while at < frames {
                let length = on / 2 + random.below(on)
                result.append(TalkSpan(person: person, start: at, end: min(frames, at + length)))
                at += length + off / 2 + random.below(off)
            }
            return result
        }
        for person in 0..<shares.people {
            if random.chance(shares.typing) { typing += stretches(person, on: 250, off: 1_750, &random) }
            if random.chance(shares.noisy) {
                let spans = stretches(person, on: 750, off: 3_750, &random)
                if random.chance(0.5) { machines += spans } else { televisions += spans }
            }
        }
        while echoing.count < min(shares.echoing, shares.people) { echoing.insert(random.below(shares.people)) }
    }
}

extension SeededRandom {
    /// A number of the normal distribution with mean 0 and deviation 1, near enough: the sum of twelve.
    mutating func normal() -> Double {
        var sum = -6.0
        for _ in 0..<12 { sum += unit() }
        return sum
    }
}
