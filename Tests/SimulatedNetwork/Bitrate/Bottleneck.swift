// A bottleneck that several links share: one drop-tail queue, drained at a capacity that changes on a schedule or by a trace.
// Decides at the moment of entering when a packet leaves, and keeps how long each one waited. Adds no delay of its own.

public import MediaCore

/// A capacity from a moment on.
public struct CapacityStep: Sendable, Hashable {
    /// When it begins, counted from the moment at which the bottleneck was made.
    public var from: TimeDelta
    /// The capacity in bits per second; 0 is an outage.
    public var bitsPerSecond: Int64

    /// A capacity from this moment on.
    public init(from: TimeDelta, bitsPerSecond: Int64) {
        self.from = from
        self.bitsPerSecond = bitsPerSecond
    }
}

/// How a bottleneck's capacity changes.
public enum CapacityPlan: Sendable, Hashable {
    /// Rates, the first from zero on, in order.
    case steps([CapacityStep])
    /// Delivery opportunities of a recorded network.
    case trace(CapacityTrace)

    /// One rate for ever.
    public static func constant(_ bitsPerSecond: Int64) -> CapacityPlan {
        .steps([CapacityStep(from: .zero, bitsPerSecond: bitsPerSecond)])
    }

    /// Rates in kilobits per second, each from a second on.
    public static func kilobits(_ steps: [(second: Double, rate: Int64)]) -> CapacityPlan {
        .steps(
            steps.map {
                CapacityStep(
                    from: TimeDelta(nanoseconds: Int64($0.second * 1e9)), bitsPerSecond: $0.rate * 1_000)
            })
    }
}

/// What a bottleneck is.
public struct BottleneckConditions: Sendable, Hashable {
    /// How fast its queue drains. Bytes are those of RTP and RTCP, without the headers of IP and UDP.
    public var capacity: CapacityPlan
    /// The bytes that may wait; what comes beyond is dropped.
    public var queueBytes: Int

    /// A bottleneck of this capacity whose queue holds these bytes.
    public init(_ capacity: CapacityPlan, queueBytes: Int) {
        self.capacity = capacity
        self.queueBytes = queueBytes
    }
}

/// What a packet carries, as who looks at the network tells it.
public enum FlowKind: UInt8, Sendable, Hashable, CaseIterable {
    case audio, video, retransmission, padding, control, competitor
}

/// One packet's way through a bottleneck.
public struct Passage: Sendable {
    /// When it came.
    public var enteredAt: Timestamp
    /// Whose it is: the number of the participant, or of a competitor from `Bottleneck.firstCompetitor` on.
    public var flow: UInt32
    /// What it carries.
    public var kind: FlowKind
    /// Its size in bytes.
    public var bytes: Int32
    /// How long it took to leave, its own transmission included; nil when the queue had no room.
    public var waited: TimeDelta?
}

/// A queue that several links lead through.
public final class Bottleneck {
    /// The first number of flows that are no participant's.
    public static let firstCompetitor: UInt32 = 0x8000_0000

    /// What it is.
    public let conditions: BottleneckConditions
    /// When it was made.
    public let origin: Timestamp
    /// Every packet that came, in order.
    public private(set) var passages: [Passage] = []

    private struct Queued {
        var leavesAt: Int64
        var bytes: Int
    }
    private var queue: [Queued] = []
    private var head = 0
    private var queuedBytes = 0
    private var lastDeparture = Int64.min
    private var traceUse = TraceUse()

    /// A bottleneck that begins now.
    public init(_ conditions: BottleneckConditions, at now: Timestamp) {
        self.conditions = conditions
        origin = now
    }

    /// Takes a packet; gives when it has left, or nil when the queue has no room for it.
    public func enter(_ bytes: Int, flow: UInt32, kind: FlowKind, at now: Timestamp) -> Timestamp? {
        while head < queue.count, queue[head].leavesAt <= now.nanoseconds {
            queuedBytes -= queue[head].bytes
            head += 1
        }
        if head > 1_024, head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
        var passage = Passage(enteredAt: now, flow: flow, kind: kind, bytes: Int32(clamping: bytes), waited: nil)
        defer { passages.append(passage) }
        guard queuedBytes + bytes <= conditions.queueBytes,
            let departure = departure(of: bytes, from: max(now.nanoseconds, lastDeparture))
        else { return nil }
        lastDeparture = departure
        queue.append(Queued(leavesAt: departure, bytes: bytes))
        queuedBytes += bytes
        let left = Timestamp(nanoseconds: departure)
        passage.waited = left - now
        return left
    }

    private func departure(of bytes: Int, from start: Int64) -> Int64? {
        switch conditions.capacity {
        case .trace(let trace):
            let from = start - origin.nanoseconds
            return origin.nanoseconds + traceUse.departure(of: bytes, from: from, by: trace)
        case .steps(let steps):
            var at = start
            var bits = Double(bytes) * 8
            for (index, step) in steps.enumerated() {
                let end = index + 1 < steps.count ? origin.nanoseconds + steps[index + 1].from.nanoseconds : Int64.max
                guard at < end else { continue }
                guard step.bitsPerSecond > 0 else {
                    at = end
                    continue
                }
                let rate = Double(step.bitsPerSecond) / 1e9
                if end == .max || Double(end - at) * rate >= bits { return at + Int64(bits / rate) }
                bits -= Double(end - at) * rate
                at = end
            }
            return nil
        }
    }

    /// The mean capacity in bits per second from a moment on, for a span.
    public func capacity(from start: Timestamp, span: TimeDelta) -> Double {
        guard span > .zero else { return 0 }
        let begin = (start - origin).nanoseconds
        let end = begin + span.nanoseconds
        switch conditions.capacity {
        case .trace(let trace):
            let count = trace.firstOpportunity(notBefore: end) - trace.firstOpportunity(notBefore: begin)
            return Double(count * CapacityTrace.opportunityBytes * 8) * 1e9 / Double(span.nanoseconds)
        case .steps(let steps):
            var bits = 0.0
            for (index, step) in steps.enumerated() {
                let from = max(begin, index == 0 ? .min : step.from.nanoseconds)
                let until = min(end, index + 1 < steps.count ? steps[index + 1].from.nanoseconds : .max)
                if from < until { bits += Double(step.bitsPerSecond) * Double(until - from) / 1e9 }
            }
            return bits * 1e9 / Double(span.nanoseconds)
        }
    }
}
