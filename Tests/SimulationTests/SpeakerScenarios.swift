// Rooms of people who talk as people do, with noises, coughs and words of agreement, from fixed seeds: who is shown, whose first
// syllables are heard, and that other rules are judged by the same measure. `Benchmarks/SpeakerReport` draws many more.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("People who talk")
struct SpeakerScenarios {
    private func trace(_ seed: UInt64, people: Int, seconds: Int) -> VoiceTrace {
        var shares = TalkShares()
        shares.people = people
        shares.seconds = seconds
        return VoiceTrace(TalkSchedule(shares, seed: seed), seed: seed)
    }

    @Test("Who has the floor is shown, first syllables are heard, nothing is lost or goes back, and reports are few")
    func rooms() {
        var all = SpeakerRoomResult()
        for seed: UInt64 in 1...3 {
            all.add(SpeakerRoom(trace(seed, people: 20, seconds: 60), receivers: 4, ears: 3, seed: seed).play())
        }
        #expect(all.faultCount == 0, "\(all.faults.prefix(4))")
        #expect(all.turns >= 12)
        #expect(all.score.share >= 0.93, "\(all.score.share)")
        #expect(all.score.wrongPerMinute <= 0.7, "\(all.score.wrongPerMinute)")
        #expect(all.score.medianLatency ?? .max <= 600)
        #expect(all.begunShare >= 0.9, "\(all.turnsBegun) of \(all.turns)")
        #expect(all.mostReportsInASecond <= 5)
        #expect(all.quietPauses * 10 >= all.pauses * 9, "\(all.quietPauses) of \(all.pauses)")
        #expect(all.pauses > 0)
    }

    @Test("The judge: an all-knowing rule is right always, one that shows somebody silent never")
    func judge() {
        let trace = trace(5, people: 10, seconds: 120)
        let schedule = trace.schedule
        var last: Int?
        let perfect = (0..<schedule.frames).map { frame -> Int? in
            last = schedule.holders(at: frame).last ?? last
            return last
        }
        let best = SpeakerScore(perfect, schedule)
        #expect(best.share == 1)
        // It shows whoever began last: where two begin within two seconds, that is to and fro.
        #expect(best.wrongPerMinute <= 1)
        #expect(best.missed == 0)
        let late = SpeakerScore(perfect, schedule, from: schedule.frames / 2)
        #expect(late.share == 1)
        #expect(late.seconds * 2 == best.seconds)
        #expect(late.frames > 0 && late.frames < best.frames)
        let worst = SpeakerScore(Array(repeating: 9, count: schedule.frames), schedule)
        #expect(worst.share < 0.2)
        let flapping = SpeakerScore((0..<schedule.frames).map { $0 / 25 % 2 == 0 ? 8 : 9 }, schedule)
        #expect(flapping.wrongPerMinute > 60)
    }

    @Test("Other rules over the same levels show less, or change more")
    func others() {
        let trace = trace(2, people: 20, seconds: 120)
        func score(_ rule: some SpeakerRule) -> SpeakerScore {
            var rule = rule
            return SpeakerScore(
                (0..<trace.schedule.frames).map { frame in rule.step(trace.frames.map { $0[frame] }) }, trace.schedule)
        }
        #expect(score(LoudestInstant()).wrongPerMinute > 30)
        #expect(score(LiveKitRule()).share < 0.9)
        #expect(score(JitsiRule()).share < 0.9)
    }
}
