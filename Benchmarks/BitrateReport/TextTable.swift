// Numbers and tables as text.

import SimulatedNetwork

/// A number with as many digits as say something.
func digits(_ value: Double) -> String {
    if value.isNaN { return "–" }
    if value.isInfinite { return value > 0 ? "never" : "-∞" }
    let size = abs(value)
    if size >= 100 || value == value.rounded() { return String(Int(value.rounded())) }
    let places = size >= 10 ? 1 : 2
    let scale = places == 1 ? 10.0 : 100.0
    let whole = Int((size * scale).rounded())
    var fraction = String(whole % Int(scale))
    while fraction.utf8.count < places { fraction = "0" + fraction }
    return (value < 0 ? "-" : "") + "\(whole / Int(scale)).\(fraction)"
}

extension Bound {
    /// The bound as it is written in a table.
    var text: String {
        switch self {
        case .atMost(let limit): "≤ \(digits(limit))"
        case .atLeast(let limit): "≥ \(digits(limit))"
        case .within(let low, let high): "\(digits(low)) … \(digits(high))"
        case .reported: ""
        }
    }
}

extension GoalResult {
    /// Least, median, 95th percentile and greatest; where a goal is a least value the other way round counts, so the 5th
    /// percentile stands in the place of the 95th.
    var four: [Double] {
        let d = distribution
        if case .atLeast = bound { return [d.greatest, d.median, d.percentile(0.05), d.least] }
        return [d.least, d.median, d.percentile(0.95), d.greatest]
    }
    /// The verdict as a word.
    var verdict: String {
        if bound == .reported { return "" }
        return isMet ? "met" : met == 0 ? "missed" : "missed in \(values.count - met) of \(values.count)"
    }
}

private func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
    let missing = max(0, width - text.count)
    let spaces = String(repeating: " ", count: missing)
    return right ? spaces + text : text + spaces
}

/// The table of one scenario.
func table(_ played: PlayedScenario) -> String {
    var lines = ["", "\(played.scenario.id): \(played.scenario.title)"]
    let width = played.goals.map(\.name.count).max() ?? 0
    lines.append(
        "  " + padded("", width) + padded("goal", 16, right: true)
            + ["best", "median", "p95", "worst"].map { padded($0, 10, right: true) }.joined())
    for goal in played.goals {
        let unit = goal.unit.isEmpty ? "" : " " + goal.unit
        let cells = goal.four.map { padded(digits($0), 10, right: true) }.joined()
        lines.append(
            "  " + padded(goal.name, width) + padded(goal.bound.text + unit, 16, right: true) + cells + "  "
                + goal.verdict)
    }
    for run in played.runs where !run.violations.isEmpty {
        lines.append("  seed \(run.seed): " + (run.violations.first ?? ""))
        break
    }
    return lines.joined(separator: "\n")
}

/// One line for each scenario.
func summary(_ played: [PlayedScenario]) -> String {
    let width = played.map(\.scenario.id.count).max() ?? 0
    var lines = ["", "Goals met in every run:"]
    for one in played {
        let met = one.judged.count { $0.isMet }
        lines.append("  " + padded(one.scenario.id, width) + "  \(met) of \(one.judged.count)")
    }
    let all = played.flatMap(\.judged)
    lines.append("  " + padded("together", width) + "  \(all.count { $0.isMet }) of \(all.count)")
    return lines.joined(separator: "\n")
}
