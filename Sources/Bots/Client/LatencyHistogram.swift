// How long things took, counted in steps of 20 µs up to a second: percentiles without keeping every value.

/// A histogram of durations.
package struct LatencyHistogram: Sendable {
    private static let step: Int64 = 20_000
    private static let count = 50_001

    /// How many were counted.
    package private(set) var total = 0
    /// The longest, in nanoseconds.
    package private(set) var longest: Int64 = 0
    private var counts = [Int32](repeating: 0, count: count)

    package init() {}

    /// Counts one; below zero counts as zero.
    package mutating func note(_ nanoseconds: Int64) {
        total += 1
        longest = max(longest, nanoseconds)
        counts[min(Int(max(0, nanoseconds) / Self.step), Self.count - 1)] += 1
    }

    /// Milliseconds that this share of them (0 to 1) took at most; nil when there are none.
    package func milliseconds(_ share: Double) -> Double? {
        guard total > 0 else { return nil }
        var left = Int((Double(total) * share).rounded(.up))
        for (index, count) in counts.enumerated() {
            left -= Int(count)
            if left <= 0 {
                return index == Self.count - 1
                    ? Double(longest) / 1e6 : Double((Int64(index) + 1) * Self.step) / 1e6
            }
        }
        return Double(longest) / 1e6
    }
}
