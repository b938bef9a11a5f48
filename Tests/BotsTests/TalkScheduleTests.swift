// Conversations from seeds: the same for the same seed, and what they are said to be.
import Bots
import Testing

@Suite("Talk schedules")
struct TalkScheduleTests {
    @Test("the same seed gives the same conversation, another seed another", arguments: [1, 2, 77, UInt64.max])
    func deterministic(seed: UInt64) {
        for pattern in TalkPattern.allCases {
            let one = TalkSchedule(pattern, people: 50, talkers: 8, seed: seed, milliseconds: 600_000)
            let two = TalkSchedule(pattern, people: 50, talkers: 8, seed: seed, milliseconds: 600_000)
            #expect(one == two)
            let other = TalkSchedule(pattern, people: 50, talkers: 8, seed: seed &+ 1, milliseconds: 600_000)
            #expect((one == other) == (pattern == .steady || pattern == .all))
        }
    }

    @Test("a seed's conversation is the same on every machine and in every build")
    func recorded() {
        let turns = TalkSchedule(.schedule, people: 10, talkers: 3, seed: 5, milliseconds: 30_000).turns.prefix(4)
        #expect(turns.map(\.start) == Self.recordedStarts)
        #expect(turns.map(\.person) == Self.recordedPeople)
    }
    static let recordedStarts = [0, 5_320, 13_440, 14_680]
    static let recordedPeople = [1, 2, 0, 6]

    @Test("turns come one after another, of those who talk alone")
    func turns() {
        let schedule = TalkSchedule(.turns, people: 10, talkers: 3, seed: 9, milliseconds: 120_000)
        #expect(schedule.turns.count > 15)
        for (one, next) in zip(schedule.turns, schedule.turns.dropFirst()) {
            #expect(next.start >= one.end + 180)
            #expect(next.person == (one.person + 1) % 3)
            #expect((2_000...6_000).contains(one.length))
        }
    }

    @Test("nobody does two things at once; everything is in whole packets", arguments: 0..<40)
    func oneAtATime(seed: UInt64) {
        var lively = Liveliness()
        lively.overlaps = 0.8
        lively.backChannels = 0.9
        lively.coughs = 30
        lively.noises = 8
        let schedule = TalkSchedule(
            .schedule, people: 6, talkers: 4, seed: seed, milliseconds: 300_000, liveliness: lively)
        for person in 0..<6 {
            let turns = schedule.turns(of: person)
            for (one, next) in zip(turns, turns.dropFirst()) { #expect(next.start >= one.end) }
        }
        #expect(schedule.turns.allSatisfy { $0.start % 20 == 0 && $0.length % 20 == 0 && $0.length > 0 })
        #expect(schedule.turns.map(\.start) == schedule.turns.map(\.start).sorted())
        #expect(schedule.turns.allSatisfy { $0.sound != .speech || $0.person < 4 })
    }

    @Test("the shares are about those asked for")
    func shares() {
        func count(_ sound: Sound, _ change: (inout Liveliness) -> Void) -> Double {
            var lively = Liveliness()
            lively.overlaps = 0
            lively.backChannels = 0
            lively.coughs = 0
            lively.noises = 0
            change(&lively)
            var found = 0
            for seed in 0..<20 {
                found +=
                    TalkSchedule(
                        .schedule, people: 30, talkers: 5, seed: UInt64(seed), milliseconds: 600_000, liveliness: lively
                    ).turns.filter { $0.sound == sound }.count
            }
            return Double(found) / 20
        }
        #expect(count(.cough) { _ in } == 0)
        // Ten minutes; a few find somebody who is at something else.
        #expect((25...65).contains(count(.cough) { $0.coughs = 6 }))
        #expect((8...25).contains(count(.noise) { $0.noises = 2 }))
        let speech = count(.speech) { _ in }
        #expect((0.2...0.4).contains(count(.backChannel) { $0.backChannels = 0.3 } / speech))
    }

    @Test("nobody, or no time, is no conversation")
    func nothing() {
        for pattern in TalkPattern.allCases {
            #expect(TalkSchedule(pattern, people: 5, talkers: 2, seed: 1, milliseconds: 0).turns.isEmpty)
            #expect(TalkSchedule(pattern, people: 0, talkers: 2, seed: 1, milliseconds: 1_000).turns.isEmpty)
        }
        #expect(TalkSchedule(.turns, people: 5, talkers: 0, seed: 1, milliseconds: 1_000).turns.isEmpty)
        #expect(!TalkSchedule(.schedule, people: 1, talkers: 1, seed: 1, milliseconds: 60_000).turns.isEmpty)
    }
}
