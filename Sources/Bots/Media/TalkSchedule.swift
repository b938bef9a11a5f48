// Who makes which sound when, in one room, from a seed: the same seed gives the same conversation. It plays nothing.

/// How people talk.
package enum TalkPattern: String, Sendable, CaseIterable {
    /// Those who talk do so all the time, all at once.
    case steady
    /// One after another, a few seconds each.
    case turns
    /// Everybody in the room talks all the time.
    case all
    /// A conversation with overlaps, back-channels, coughs and noise.
    case schedule
}

/// How lively a conversation of the pattern `schedule` is.
package struct Liveliness: Sendable, Equatable {
    /// The share of turns that begin before the one before is over.
    package var overlaps = 0.2
    /// The share of turns in which somebody else makes a sound of agreement.
    package var backChannels = 0.3
    /// Coughs a minute, of everybody together.
    package var coughs = 3.0
    /// Stretches of noise a minute, of everybody together; each lasts 3 to 10 seconds.
    package var noises = 1.0
    package init() {}
}

/// One person's sound for a while.
package struct TalkTurn: Equatable, Sendable {
    /// Who, from 0.
    package var person: Int
    package var sound: Sound
    /// Milliseconds from the beginning.
    package var start: Int
    /// Milliseconds.
    package var length: Int

    package var end: Int { start + length }
}

/// The turns of a room.
package struct TalkSchedule: Equatable, Sendable {
    /// By their start.
    package let turns: [TalkTurn]

    /// - Parameters:
    ///   - people: in the room.
    ///   - talkers: those of them, the first ones, who take turns.
    ///   - milliseconds: how long it lasts.
    package init(
        _ pattern: TalkPattern, people: Int, talkers: Int, seed: UInt64, milliseconds: Int,
        liveliness: Liveliness = Liveliness()
    ) {
        let talkers = min(pattern == .all ? people : talkers, people)
        guard talkers > 0, milliseconds > 0 else {
            turns = []
            return
        }
        var random = BotRandom(seed: seed)
        switch pattern {
        case .steady, .all:
            turns = (0..<talkers).map { TalkTurn(person: $0, sound: .speech, start: 0, length: milliseconds) }
        case .turns:
            var made: [TalkTurn] = []
            var at = 0
            while at < milliseconds {
                let length = Self.steps(random.between(2_000, 6_000))
                made.append(TalkTurn(person: made.count % talkers, sound: .speech, start: at, length: length))
                at += length + Self.steps(random.between(200, 800))
            }
            turns = made
        case .schedule:
            turns = Self.conversation(people, talkers, &random, milliseconds, liveliness)
        }
    }

    /// Whole packets of 20 ms.
    private static func steps(_ milliseconds: Double) -> Int { Int(milliseconds / 20) * 20 }

    private static func conversation(
        _ people: Int, _ talkers: Int, _ random: inout BotRandom, _ milliseconds: Int, _ liveliness: Liveliness
    ) -> [TalkTurn] {
        var made: [TalkTurn] = []
        // When each person has finished what they are at: nobody does two things at once.
        var free = [Int](repeating: 0, count: people)
        func add(_ person: Int, _ sound: Sound, _ start: Int, _ length: Int) {
            guard start >= free[person], start >= 0, start < milliseconds else { return }
            made.append(TalkTurn(person: person, sound: sound, start: start, length: length))
            free[person] = start + length + 100
        }
        var at = 0
        var last = -1
        var asides: [(at: Int, sound: Sound, length: Int)] = []
        for (sound, rate, low, high) in [
            (Sound.cough, liveliness.coughs, 200.0, 500.0), (.noise, liveliness.noises, 3_000, 10_000),
        ] where rate > 0 {
            var next = random.between(0, 2) * 60_000 / rate
            while next < Double(milliseconds) {
                asides.append((steps(next), sound, steps(random.between(low, high))))
                next += random.between(0.2, 1.8) * 60_000 / rate
            }
        }
        asides.sort { $0.at < $1.at }
        var asideIndex = 0
        while at < milliseconds {
            var person = random.below(talkers)
            if person == last, talkers > 1 { person = (person + 1) % talkers }
            let length = steps(random.between(1_500, 8_000))
            let start = max(at, free[person])
            add(person, .speech, start, length)
            if people > 1, random.chance(liveliness.backChannels) {
                let other = (person + 1 + random.below(people - 1)) % people
                add(other, .backChannel, start + steps(random.between(0.2, 0.9) * Double(length)), 300)
            }
            while asideIndex < asides.count, asides[asideIndex].at < start + length {
                let aside = asides[asideIndex]
                asideIndex += 1
                add(random.below(people), aside.sound, aside.at, aside.length)
            }
            last = person
            let overlaps = talkers > 1 && random.chance(liveliness.overlaps)
            at =
                start + length + (overlaps ? -steps(random.between(200, 800)) : steps(random.between(100, 1_000)))
        }
        return made.sorted { ($0.start, $0.person) < ($1.start, $1.person) }
    }

    /// The turns of one person, by their start.
    package func turns(of person: Int) -> [TalkTurn] { turns.filter { $0.person == person } }
}
