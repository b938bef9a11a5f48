// Goals and how the runs of one scenario with many seeds met them.

/// Values of many runs.
public struct Distribution: Sendable {
    /// The values, sorted.
    public let sorted: [Double]

    /// These values.
    public init(_ values: [Double]) { sorted = values.filter { !$0.isNaN }.sorted() }

    /// A percentile by the nearest rank, 0 to 1; nothing (not a number) of no values.
    public func percentile(_ share: Double) -> Double {
        guard !sorted.isEmpty else { return .nan }
        let rank = (share * Double(sorted.count)).rounded(.up)
        return sorted[min(sorted.count - 1, max(0, Int(rank) - 1))]
    }
    /// The least value.
    public var least: Double { percentile(0) }
    /// The value in the middle.
    public var median: Double { percentile(0.5) }
    /// The greatest value.
    public var greatest: Double { percentile(1) }
}

/// What a goal asks of its value.
public enum Bound: Sendable, Hashable {
    case atMost(Double)
    case atLeast(Double)
    case within(Double, Double)
    /// Nothing: the value is only told.
    case reported

    /// Whether a value is as asked.
    public func holds(_ value: Double) -> Bool {
        switch self {
        case .atMost(let limit): value <= limit
        case .atLeast(let limit): value >= limit
        case .within(let low, let high): value >= low && value <= high
        case .reported: true
        }
    }
}

/// One measured value with its goal.
public struct Measure: Sendable {
    /// What was measured, such as "p95 of the queue, receiver 2".
    public var name: String
    /// Its unit.
    public var unit: String
    /// What is asked of it.
    public var bound: Bound
    /// The value.
    public var value: Double

    /// The names of what must hold whatever the network does.
    public static let promises = ["longest that audio was held", "broken invariants"]

    /// A value with its goal.
    public init(_ name: String, _ unit: String, _ bound: Bound, _ value: Double) {
        self.name = name
        self.unit = unit
        self.bound = bound
        self.value = value
    }
}

/// A goal over the runs of a scenario.
public struct GoalResult: Sendable {
    /// What was measured.
    public let name: String
    /// Its unit.
    public let unit: String
    /// What is asked of it.
    public let bound: Bound
    /// The values, one for each seed, in the order of the seeds.
    public let values: [Double]
    /// The values as a distribution.
    public var distribution: Distribution { Distribution(values) }
    /// How many runs met it.
    public var met: Int { values.count { bound.holds($0) } }
    /// Whether it must hold whatever the network does, and not only as well as can be.
    public var isPromise: Bool { Measure.promises.contains(name) }
    /// Whether all did.
    public var isMet: Bool { met == values.count }
}

/// The goals of a scenario over its runs, in the order of the first run.
public func collect(_ runs: [[Measure]]) -> [GoalResult] {
    (runs.first ?? []).indices.map { index in
        let first = runs[0][index]
        return GoalResult(
            name: first.name, unit: first.unit, bound: first.bound,
            values: runs.map { $0.indices.contains(index) ? $0[index].value : .nan })
    }
}
