// What a run of the estimator's bench gave: series over time and the measures that are judged.

public import MediaCore

/// The series of a run and its measures.
public struct BenchResult: Sendable {
    /// The time between two samples of the estimates, in nanoseconds.
    static let sampleInterval: Int64 = 10_000_000

    /// What was run.
    public let scenario: BenchScenario
    /// Estimates every 10 ms, by flow, in bits per second.
    public private(set) var estimates: [[Int64]]
    /// What each flow could use at most, every 10 ms, in bits per second; zero while it does not send.
    public private(set) var maxima: [[Int64]]
    /// Media bytes sent in each 10 ms, by flow.
    public private(set) var media: [[Int]]
    /// Padding bytes sent in each 10 ms, by flow.
    public private(set) var padding: [[Int]]
    /// Bytes that arrived in each 10 ms, by flow.
    public private(set) var arrived: [[Int]]
    /// When packets entered each link and how long they waited there, in nanoseconds; nil: dropped.
    public private(set) var waits: [[(at: Int64, waited: Int64?)]]
    /// The probes: flow, when, bits per second.
    public var probes: [(flow: Int, at: Int64, bitsPerSecond: Int64)] = []
    /// Bytes that TCP transfers brought over.
    public var transferred = 0
    /// What the estimators told of their changes.
    public private(set) var changes: [(flow: Int, second: Double, text: String)] = []
    private var lastTexts: [String]

    init(scenario: BenchScenario) {
        self.scenario = scenario
        let bins = Int(scenario.seconds * 100) + 2
        estimates = Array(repeating: [], count: scenario.flows.count)
        maxima = estimates
        media = Array(repeating: Array(repeating: 0, count: bins), count: scenario.flows.count)
        padding = media
        arrived = media
        waits = Array(repeating: [], count: scenario.links.count)
        lastTexts = Array(repeating: "", count: scenario.flows.count)
    }

    mutating func note(sent bytes: Int, kind: BenchPacketKind, flow: Int, at now: Int64) {
        let bin = Int(now / Self.sampleInterval)
        if kind == .padding { padding[flow][bin] += bytes } else { media[flow][bin] += bytes }
    }

    mutating func note(arrived bytes: Int, flow: Int, at now: Int64) {
        let bin = Int(now / Self.sampleInterval)
        if bin < arrived[flow].count { arrived[flow][bin] += bytes }
    }

    mutating func note(waited: Int64?, link: Int, at now: Int64) { waits[link].append((now, waited)) }

    mutating func note(estimate: Int64, maximum: Int64, flow: Int) {
        estimates[flow].append(estimate)
        maxima[flow].append(maximum)
    }

    mutating func noteChange(_ text: String, flow: Int, at second: Double) {
        guard lastTexts[flow] != text else { return }
        lastTexts[flow] = text
        changes.append((flow, second, text))
    }

    // MARK: Measures

    /// The flows over the first link.
    private var forward: [Int] { scenario.flows.indices.filter { scenario.flows[$0].forward == 0 } }

    /// The capacity of the first link in a bin of 10 ms, in bits per second.
    public func capacity(bin: Int) -> Double {
        let link = scenario.links[0]
        if let trace = link.trace {
            let from = Int64(bin) * Self.sampleInterval
            let count =
                trace.firstOpportunity(notBefore: from + Self.sampleInterval) - trace.firstOpportunity(notBefore: from)
            return Double(count * CapacityTrace.opportunityBytes * 8) * 100
        }
        return link.rate(at: Double(bin) / 100).map { Double($0) } ?? .infinity
    }

    /// When something changed: capacity, flows beginning, ending, pausing.
    public var changeSeconds: [Double] {
        var seconds: [Double] = [0]
        for step in scenario.links[0].capacity { seconds.append(step.second) }
        for flow in scenario.flows {
            seconds.append(flow.start)
            if flow.end < scenario.seconds { seconds.append(flow.end) }
            for pause in flow.pauses { seconds += [pause.lowerBound, pause.upperBound] }
        }
        seconds += scenario.transfers + scenario.routeChanges
        return Array(Set(seconds.filter { $0 < scenario.seconds })).sorted()
    }

    /// The stretches between changes, without the five seconds after each.
    public var phases: [Range<Double>] {
        let changes = changeSeconds + [scenario.seconds]
        var phases: [Range<Double>] = []
        for i in 0..<(changes.count - 1) where changes[i + 1] - changes[i] > 6 {
            phases.append((changes[i] + 5)..<changes[i + 1])
        }
        return phases
    }

    private func bins(_ span: Range<Double>) -> Range<Int> {
        Int(span.lowerBound * 100)..<min(Int(span.upperBound * 100), estimates[0].count)
    }

    /// What some flows sent of media, in bits per second.
    public func sent(_ span: Range<Double>, flow: Int) -> Double {
        var total = 0
        for bin in bins(span) { total += media[flow][bin] }
        return Double(total) * 8 / (span.upperBound - span.lowerBound)
    }

    /// Media sent by all flows ÷ what the link carries of it and the sources can fill, in a span.
    public func utilisation(_ span: Range<Double>) -> Double {
        var possible = 0.0
        var total = 0
        for bin in bins(span) {
            var maximum: Int64 = 0
            for flow in forward {
                maximum += maxima[flow][bin]
                total += media[flow][bin]
            }
            possible += min(Double(maximum), capacity(bin: bin)) / 800
        }
        return possible > 0 ? Double(total) / possible : 1
    }

    /// The least utilisation of any phase.
    public var leastUtilisation: Double { phases.map { utilisation($0) }.min() ?? 0 }

    /// The longest time, in seconds, that the first flow's estimate (or, of several, their sum, each cut at what its source
    /// can use) was above 1.05 × the capacity, outside the second after a change of it.
    public var longestAbove: Double {
        var longest = 0
        var now = 0
        for bin in estimates[0].indices {
            var sum: Int64 = 0
            if forward.count == 1 {
                sum = estimates[0][bin]
            } else {
                for flow in forward { sum += min(estimates[flow][bin], maxima[flow][bin]) }
            }
            now = Double(sum) > 1.05 * capacity(bin: bin) ? now + 1 : 0
            longest = max(longest, now)
        }
        return Double(longest) / 100
    }

    /// A percentile of the time that packets wait on the first link, in milliseconds; dropped ones are left out.
    public func queue(_ percent: Int, _ span: Range<Double>? = nil) -> Double {
        var waited: [Int64] = []
        for wait in waits[0] {
            if let span, !span.contains(Double(wait.at) / 1e9) { continue }
            if let w = wait.waited { waited.append(w) }
        }
        waited.sort()
        return waited.isEmpty ? 0 : Double(waited[min(waited.count * percent / 100, waited.count - 1)]) / 1e6
    }

    /// Packets dropped at the first link's queue: all, and those within phases.
    public var drops: (all: Int, inPhases: Int) {
        var all = 0
        var inside = 0
        let phases = phases
        for wait in waits[0] where wait.waited == nil {
            all += 1
            let second = Double(wait.at) / 1e9
            if phases.contains(where: { $0.contains(second) }) { inside += 1 }
        }
        return (all, inside)
    }

    /// The largest share of a flow ÷ the smallest, in a span, among the flows that send throughout.
    public func unfairness(_ span: Range<Double>) -> Double {
        var shares: [Double] = []
        for flow in forward where !bins(span).contains(where: { maxima[flow][$0] == 0 }) {
            shares.append(sent(span, flow: flow))
        }
        guard shares.count > 1, let low = shares.min(), let high = shares.max(), low > 0 else { return 1 }
        return high / low
    }

    /// The largest ratio of shares in any phase.
    public var worstUnfairness: Double { phases.map { unfairness($0) }.max() ?? 1 }

    /// The first moment from a second on at which the first flow's estimate is at most this, in seconds after it; nil: never.
    public func timeUntil(atMost rate: Int64, from second: Double) -> Double? {
        for bin in Int(second * 100)..<estimates[0].count where estimates[0][bin] <= rate {
            return Double(bin) / 100 - second
        }
        return nil
    }

    /// The same for at least a rate.
    public func timeUntil(atLeast rate: Int64, from second: Double) -> Double? {
        for bin in Int(second * 100)..<estimates[0].count where estimates[0][bin] >= rate {
            return Double(bin) / 100 - second
        }
        return nil
    }

    /// The mean estimate of the first flow in a span, in bits per second.
    public func meanEstimate(_ span: Range<Double>, flow: Int = 0) -> Double {
        var sum = 0.0
        let bins = bins(span)
        for bin in bins { sum += Double(estimates[flow][bin]) }
        return bins.isEmpty ? 0 : sum / Double(bins.count)
    }

    /// Of each window of one second whose capacity is at least `least` bits per second, beginning every 10 ms: what the
    /// first flow sent (padding too) ÷ it.
    public func oversending(least: Double) -> [Double] { windows(least: least).map(\.ratio) }

    /// The greatest of these ratios, and when its window begins.
    public func worstOversending(least: Double) -> (ratio: Double, second: Double) {
        windows(least: least).max { $0.ratio < $1.ratio } ?? (0, 0)
    }

    private func windows(least: Double) -> [(ratio: Double, second: Double)] {
        let count = min(estimates[0].count, media[0].count)
        var capacitySum = 0.0
        var sentSum = 0.0
        var all: [(ratio: Double, second: Double)] = []
        for bin in 0..<count {
            capacitySum += capacity(bin: bin) / 100
            sentSum += Double(media[0][bin] + padding[0][bin]) * 8
            if bin >= 100 {
                capacitySum -= capacity(bin: bin - 100) / 100
                sentSum -= Double(media[0][bin - 100] + padding[0][bin - 100]) * 8
            }
            if bin >= 99, capacitySum >= least { all.append((sentSum / capacitySum, Double(bin - 99) / 100)) }
        }
        return all
    }
}
