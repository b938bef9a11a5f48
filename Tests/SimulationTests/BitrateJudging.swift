// What the suites about bitrate share: playing a scenario with many seeds and failing with the distribution of each missed goal.

import Glibc
import SimulatedNetwork
import TestSupport
import Testing

/// How many seeds each bitrate scenario is played with: `MAJLIS_SEEDS`, else 1.
let bitrateSeeds: Int = {
    guard let set = unsafe getenv("MAJLIS_SEEDS"), let number = unsafe Int(String(cString: set)), number > 0 else {
        return 1
    }
    return number
}()

/// Whether every goal is asked for; otherwise only what must always hold: `MAJLIS_BITRATE_GOALS=1`.
let judgesGoals = unsafe getenv("MAJLIS_BITRATE_GOALS") != nil

/// Plays a scenario with every seed; each goal that some run missed is a failure that tells its distribution.
func judge(_ scenario: BitrateScenario, sourceLocation: SourceLocation = #_sourceLocation) async {
    let runs = await withTaskGroup(of: BitrateRun.self) { group in
        for seed in 1...bitrateSeeds {
            group.addTask { @concurrent in scenario.run(seed: UInt64(seed), withCurves: false) }
        }
        var runs: [BitrateRun] = []
        for await run in group { runs.append(run) }
        return runs.sorted { $0.seed < $1.seed }
    }
    for goal in collect(runs.map(\.measures)) where !goal.isMet && (judgesGoals || goal.isPromise) {
        let d = goal.distribution
        let missed = zip(runs, goal.values).filter { !goal.bound.holds($0.1) }.map(\.0.seed)
        Issue.record(
            """
            \(scenario.id): \(goal.name) \(goal.bound) \(goal.unit), missed with \(missed.count) of \(runs.count) seeds (first \
            \(missed.first ?? 0)): least \(d.least), median \(d.median), p95 \(d.percentile(0.95)), greatest \(d.greatest)
            """, sourceLocation: sourceLocation)
    }
    if judgesGoals, let broken = runs.first(where: { !$0.violations.isEmpty }) {
        Issue.record(
            "\(scenario.id), seed \(broken.seed): \(broken.violations.prefix(3).joined(separator: "; "))",
            sourceLocation: sourceLocation)
    }
}

/// Two recorded mobile networks.
enum RecordedNetworks {
    /// One of them, or nil when it is not there.
    static func trace(_ name: String) -> CapacityTrace? {
        ExternalCaptures.bytes("traces/" + name).flatMap {
            CapacityTrace(mahimahi: String(decoding: $0, as: UTF8.self))
        }
    }
    /// Whether both are there.
    static let arePresent =
        FileBytes.list(ExternalCaptures.folder + "/traces").filter { $0.hasPrefix("Verizon-LTE-short.") }.count == 2
}
