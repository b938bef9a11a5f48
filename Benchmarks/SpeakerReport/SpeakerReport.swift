// Plays rooms of fifty people whose talk is drawn from seeds, and writes one table: how well the core shows who has the floor, beside
// other rules over the same levels, and whether first syllables are heard. And one room that lasts an hour.
//
//     SpeakerReport [--seeds N] [--first SEED] [--seconds N] [--hour]
//
// Seeds are drawn anew for each run unless the first is given. Ends with 1 when a goal is missed.

import Glibc
import MediaCore
import SimulatedNetwork

/// What the command was asked for.
private struct Arguments {
    var seeds = 12
    var first = UInt64.random(in: 0..<1 << 48)
    var seconds = 300
    var isHour = false

    init?(_ words: [String]) {
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            if word == "--hour" {
                isHour = true
                continue
            }
            guard let value = rest.popFirst(), let number = UInt64(value) else { return nil }
            switch word {
            case "--seeds": seeds = max(1, Int(clamping: number))
            case "--first": first = number
            case "--seconds": seconds = max(60, Int(clamping: number))
            default: return nil
            }
        }
    }
}

/// One room played: the core's result, and the other rules' scores.
private struct Played: Sendable {
    var core = SpeakerRoomResult()
    var others = [SpeakerScore](repeating: SpeakerScore(), count: Rules.names.count)
}

private enum Rules {
    static let names = [LoudestInstant().name, LiveKitRule().name, JitsiRule().name]

    static func scores(_ trace: VoiceTrace) -> [SpeakerScore] {
        [score(LoudestInstant(), trace), score(LiveKitRule(), trace), score(JitsiRule(), trace)]
    }

    private static func score(_ rule: some SpeakerRule, _ trace: VoiceTrace) -> SpeakerScore {
        var rule = rule
        var shown: [Int?] = []
        shown.reserveCapacity(trace.schedule.frames)
        for frame in 0..<trace.schedule.frames { shown.append(rule.step(trace.frames.map { $0[frame] })) }
        return SpeakerScore(shown, trace.schedule)
    }
}

@main
enum SpeakerReport {
    static func main() async {
        guard let arguments = Arguments(CommandLine.arguments) else {
            print("usage: SpeakerReport [--seeds N] [--first SEED] [--seconds N] [--hour]")
            exit(64)
        }
        exit(arguments.isHour ? hour(arguments) : await table(arguments))
    }

    // MARK: The table

    private static func play(_ arguments: Arguments, _ number: Int) -> Played {
        var shares = TalkShares()
        shares.seconds = arguments.seconds
        let seed = arguments.first &+ UInt64(number)
        let trace = VoiceTrace(TalkSchedule(shares, seed: seed), seed: seed)
        var played = Played()
        played.others = Rules.scores(trace)
        played.core = SpeakerRoom(trace, receivers: shares.people, ears: 6, seed: seed).play()
        return played
    }

    private static func table(_ arguments: Arguments) async -> Int32 {
        var all = Played()
        await withTaskGroup(of: Played.self) { group in
            for number in 0..<arguments.seeds { group.addTask { @concurrent in play(arguments, number) } }
            for await one in group {
                all.core.add(one.core)
                for index in one.others.indices { all.others[index].add(one.others[index]) }
            }
        }
        let shares = TalkShares()
        print(
            "Who has the floor: \(shares.people) people, \(arguments.seeds) rooms of \(arguments.seconds) s, seeds from \(arguments.first)"
        )
        print(
            "\(all.core.turns) turns; \(percent(shares.overlap)) begin before the last has ended, \(percent(shares.doubleTalk)) are talked into; a minute "
                + "\(shares.backChannelsPerMinute) words of agreement and \(shares.coughsPerMinute) coughs; \(percent(shares.typing)) type, "
                + "\(percent(shares.noisy)) have noise, \(shares.echoing) echoes; voice bits always set \(percent(shares.bitAlways)), never \(percent(shares.bitNever))"
        )
        print(row(["rule", "shown", "wrong/min", "median", "90 %", "missed"]))
        print(row("Majlis", all.core.score))
        for (name, score) in zip(Rules.names, all.others) { print(row(name, score)) }
        print(
            "Majlis in its room, packets, network and the limit of reports included; the others on the levels alone, at once."
        )
        print(
            "First 100 ms of a turn forwarded: \(percent(all.core.begunShare)) of \(all.core.turns) turns. Silent before a pause: "
                + "\(all.core.quietPauses) of \(all.core.pauses). Out: \(all.core.packetsOut / max(1, all.core.score.seconds)) packets/s of "
                + "\(all.core.packetsIn / max(1, all.core.score.seconds)) in. Reports: \(all.core.reports * 60 / max(1, all.core.score.seconds)) a minute."
        )
        for fault in all.core.faults { print("fault: \(fault)") }
        var missed: [String] = []
        func goal(_ sentence: String, _ isMet: Bool) { if !isMet { missed.append(sentence) } }
        goal("shown in 95 % of the time", all.core.score.share >= 0.95)
        goal("0.5 wrong changes a minute at most", all.core.score.wrongPerMinute <= 0.5)
        goal("600 ms in the middle at most", all.core.score.medianLatency ?? .max <= 600)
        goal("95 % of first syllables", all.core.begunShare >= 0.95)
        goal("5 reports in a second at most", all.core.mostReportsInASecond <= 5)
        goal("no fault", all.core.faultCount == 0)
        for sentence in missed { print("MISSED: \(sentence)") }
        return missed.isEmpty ? 0 : 1
    }

    private static func row(_ name: String, _ score: SpeakerScore) -> String {
        row([
            name, percent(score.share), hundredths(score.wrongPerMinute), score.medianLatency.map { "\($0) ms" } ?? "–",
            score.latency(0.9).map { "\($0) ms" } ?? "–", "\(score.missed)",
        ])
    }

    private static func row(_ cells: [String]) -> String {
        cells.enumerated().map { index, cell in
            let room = String(repeating: " ", count: max(0, (index == 0 ? 18 : 11) - cell.count))
            return index == 0 ? cell + room : room + cell
        }.joined()
    }

    private static func hundredths(_ value: Double) -> String {
        let whole = Int((value * 100).rounded())
        return "\(whole / 100).\(whole / 10 % 10)\(whole % 10)"
    }

    private static func percent(_ share: Double) -> String {
        let whole = Int((share * 1_000).rounded())
        return "\(whole / 10).\(whole % 10) %"
    }

    // MARK: The hour

    /// An hour of a room of fifty: what the core keeps and what the process takes must not grow.
    private static func hour(_ arguments: Arguments) -> Int32 {
        var shares = TalkShares()
        shares.seconds = 3_600
        let trace = VoiceTrace(TalkSchedule(shares, seed: arguments.first), seed: arguments.first)
        let room = SpeakerRoom(trace, receivers: shares.people, ears: 4, seed: arguments.first)
        var resident: [Int] = []
        let result = room.play { _ in resident.append(residentKilobytes()) }
        let settled = result.checkpointBytes.dropFirst(5)
        let least = settled.min() ?? 0
        let most = settled.max() ?? 0
        let early = resident.dropFirst(5).first ?? 0
        let late = resident.last ?? 0
        print(
            "An hour of \(shares.people) people, seed \(arguments.first): \(result.packetsIn) packets in, \(result.packetsOut) out; shown "
                + "\(percent(result.score.share)), in the last twenty minutes \(percent(result.lateScore.share)); \(hundredths(result.score.wrongPerMinute)) wrong "
                + "changes a minute, \(hundredths(result.lateScore.wrongPerMinute)) in those; \(percent(result.begunShare)) of first syllables; state \(least) to \(most) bytes "
                + "from the sixth minute on; resident \(early) kB then, \(late) kB at the end")
        for fault in result.faults { print("fault: \(fault)") }
        // A twentieth more than at the sixth minute, and what the run itself remembers of a report a quarter second.
        var missed: [String] = []
        func goal(_ sentence: String, _ isMet: Bool) { if !isMet { missed.append(sentence) } }
        goal("what the core keeps does not grow", most <= least + least / 10)
        goal("memory does not grow", late <= early + early / 20)
        // One room is one set of people, who may be harder to tell apart than most: the goals of many rooms with room for that.
        for (part, score) in [("the hour", result.score), ("its last twenty minutes", result.lateScore)] {
            goal("shown in 93 % of \(part)", score.share >= 0.93)
            goal("a wrong change a minute at most in \(part)", score.wrongPerMinute <= 1)
            goal("600 ms in the middle at most in \(part)", score.medianLatency ?? .max <= 600)
        }
        goal("95 % of first syllables", result.begunShare >= 0.95)
        goal("5 reports in a second at most", result.mostReportsInASecond <= 5)
        goal("no fault", result.faultCount == 0)
        for sentence in missed { print("MISSED: \(sentence)") }
        return missed.isEmpty ? 0 : 1
    }

    /// The process's resident memory, by /proc.
    private static func residentKilobytes() -> Int {
        guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
        defer { unsafe fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 128)
        let count = unsafe fread(&buffer, 1, buffer.count, file)
        let words = buffer[0..<count].split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
        guard words.count > 1, let pages = Int(words[1]) else { return 0 }
        return pages * 4
    }
}
