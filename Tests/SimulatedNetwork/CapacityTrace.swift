// Capacity over time in the mahimahi format: one line for each opportunity to deliver 1500 bytes, its time in
// milliseconds; the trace repeats when it ends.

/// When a link may deliver 1500 bytes, over and over.
public struct CapacityTrace: Sendable, Hashable {
    /// The bytes that one opportunity delivers.
    public static let opportunityBytes = 1_500
    /// The most lines a trace may have.
    public static let maximumOpportunities = 10_000_000

    /// The moments in nanoseconds from the trace's start, never decreasing.
    public let opportunities: [Int64]
    /// The trace's length in nanoseconds: the moment of its last opportunity, at least one millisecond.
    public let period: Int64

    /// The trace in this text, or nil when a line is not a whole number of milliseconds, when times go back, or when
    /// there is none.
    public init?(mahimahi text: String) {
        var opportunities: [Int64] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let token = line.split(whereSeparator: \.isWhitespace)
            guard let first = token.first else { continue }
            guard token.count == 1, let milliseconds = Int64(first), milliseconds >= 0,
                milliseconds < 1_000_000_000_000, opportunities.count < Self.maximumOpportunities
            else { return nil }
            let moment = milliseconds * 1_000_000
            if let last = opportunities.last, moment < last { return nil }
            opportunities.append(moment)
        }
        guard let last = opportunities.last else { return nil }
        self.opportunities = opportunities
        period = max(last, 1_000_000)
    }

    /// The number of the first opportunity that is at `moment` (nanoseconds from the trace's first start) or later.
    public func firstOpportunity(notBefore moment: Int64) -> Int {
        guard moment > 0 else { return 0 }
        let round = Int(moment / period)
        let offset = moment % period
        var low = 0
        var high = opportunities.count
        while low < high {
            let middle = (low + high) / 2
            if opportunities[middle] < offset { low = middle + 1 } else { high = middle }
        }
        return round * opportunities.count + low
    }

    /// When the opportunity of this number is, in nanoseconds from the trace's first start.
    public func moment(ofOpportunity number: Int) -> Int64 {
        let round = number / opportunities.count
        return Int64(round) * period + opportunities[number % opportunities.count]
    }

    /// The mean capacity in bits per second.
    public var meanBitsPerSecond: Double {
        Double(opportunities.count * Self.opportunityBytes * 8) / (Double(period) / 1e9)
    }
}

/// How far a link has come in a trace: which opportunity is being used, and what is left of it.
struct TraceUse: Sendable {
    private var opportunity = -1
    private var bytesLeft = 0

    /// When bytes have left that may begin to at `moment`, in nanoseconds from the trace's first start, and wait for those
    /// before them.
    mutating func departure(of bytes: Int, from moment: Int64, by trace: CapacityTrace) -> Int64 {
        var left = bytes
        let earliest = trace.firstOpportunity(notBefore: moment)
        if earliest > opportunity {
            opportunity = earliest
            bytesLeft = CapacityTrace.opportunityBytes
        }
        while left > bytesLeft {
            left -= bytesLeft
            opportunity += 1
            bytesLeft = CapacityTrace.opportunityBytes
        }
        bytesLeft -= left
        return max(moment, trace.moment(ofOpportunity: opportunity))
    }
}
