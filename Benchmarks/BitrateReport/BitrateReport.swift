// Plays every bitrate scenario over many seeds in virtual time and writes what came of it: a table, and one page with plots.
//
//     BitrateReport [--seeds N] [--only PART-OF-A-NAME] [--output FILE]

import Glibc
import SimulatedNetwork
import TestSupport

/// What the command was asked for.
struct Arguments {
    var seeds = 20
    var only: String?
    var output = ".build/bitrate-report.html"

    init?(_ words: [String]) {
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            guard let value = rest.popFirst() else { return nil }
            switch word {
            case "--seeds":
                guard let number = Int(value), number > 0 else { return nil }
                seeds = number
            case "--only": only = value
            case "--output": output = value
            default: return nil
            }
        }
    }
}

/// A scenario with its runs.
struct PlayedScenario {
    var scenario: BitrateScenario
    var runs: [BitrateRun]
    var goals: [GoalResult]

    /// The run whose mean rate is in the middle.
    var median: BitrateRun { runs.sorted { $0.meanMedia < $1.meanMedia }[(runs.count - 1) / 2] }
    var judged: [GoalResult] { goals.filter { $0.bound != .reported } }
}

@main
enum BitrateReport {
    static func main() async {
        guard let arguments = Arguments(CommandLine.arguments) else {
            tell("usage: BitrateReport [--seeds N] [--only PART-OF-A-NAME] [--output FILE]")
            exit(64)
        }
        func trace(_ name: String) -> CapacityTrace? {
            ExternalCaptures.bytes("traces/" + name).flatMap {
                CapacityTrace(mahimahi: String(decoding: $0, as: UTF8.self))
            }
        }
        let down = trace("Verizon-LTE-short.down")
        let up = trace("Verizon-LTE-short.up")
        if down == nil || up == nil { tell("The recorded networks are left out: their traces are not there.") }
        var scenarios = BitrateScenario.all(downlink: down, uplink: up)
        if let only = arguments.only { scenarios = scenarios.filter { $0.id.contains(only) } }
        var played: [PlayedScenario] = []
        for (index, scenario) in scenarios.enumerated() {
            let runs = await play(scenario, seeds: arguments.seeds, "\(index + 1)/\(scenarios.count)")
            played.append(PlayedScenario(scenario: scenario, runs: runs, goals: collect(runs.map(\.measures))))
        }
        for one in played { print(table(one)) }
        print(summary(played))
        let page = ReportPage(played, seeds: arguments.seeds).html
        guard write(page, to: arguments.output) else {
            tell("cannot write \(arguments.output)")
            exit(1)
        }
        print("The page with the plots: \(arguments.output)")
    }

    private static func play(_ scenario: BitrateScenario, seeds: Int, _ place: String) async -> [BitrateRun] {
        await withTaskGroup(of: BitrateRun.self) { group in
            for seed in 1...seeds {
                group.addTask { @concurrent in scenario.run(seed: UInt64(seed), withCurves: true) }
            }
            var runs: [BitrateRun] = []
            for await run in group {
                runs.append(run)
                tell("\r\(place) \(scenario.id): \(runs.count) of \(seeds) seeds   ", ends: false)
            }
            tell("")
            return runs.sorted { $0.seed < $1.seed }
        }
    }
}

/// Writes a line, or a part of one, to the standard error.
func tell(_ text: String, ends: Bool = true) {
    var bytes = Array(text.utf8)
    if ends { bytes.append(10) }
    _ = unsafe Glibc.write(2, bytes, bytes.count)
}

private func write(_ text: String, to path: String) -> Bool {
    guard let file = unsafe fopen(path, "wb") else { return false }
    let bytes = Array(text.utf8)
    let written = unsafe fwrite(bytes, 1, bytes.count, file)
    return unsafe fclose(file) == 0 && written == bytes.count
}
