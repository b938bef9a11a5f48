// One media flow of the estimator's bench: a source that follows the estimate, its pacer, and the receiver that answers with
// feedback. Owns no link and no clock.

public import MediaCore

/// How a flow's video source uses the estimate.
public enum BenchSource: Sendable, Hashable {
    /// An encoder that takes any rate between two, in bits per second; nothing below the first.
    case following(minimum: Int64, maximum: Int64)
    /// The highest of some layers' rates that fits, ascending, in bits per second.
    case layers([Int64])
}

/// A media flow's settings.
public struct BenchFlowSettings: Sendable {
    /// What is sent.
    public var source = BenchSource.following(minimum: 150_000, maximum: 1_500_000)
    /// The bytes of an audio packet; 50 are sent a second. Zero: no audio.
    public var audioBytes = 100
    /// When it begins and ends, in seconds.
    public var start = 0.0
    /// When it ends, in seconds.
    public var end = Double.infinity
    /// When it pauses, in seconds.
    public var pauses: [ClosedRange<Double>] = []
    /// The forward link's number.
    public var forward = 0
    /// The return link's number.
    public var back = 1
    /// What is added to the one-way delay of this flow alone, in milliseconds.
    public var extraDelayMilliseconds: Int64 = 0
    /// The interval of transport-wide feedback in milliseconds; zero: none is sent.
    public var feedbackMilliseconds: Int64 = 75
    /// The interval of receiver reports in milliseconds.
    public var reportMilliseconds: Int64 = 1_000
    /// Seconds in which no feedback at all comes back.
    public var deafness: [ClosedRange<Double>] = []
    /// The receiver's clock, ahead of the sender's, in milliseconds, and its drift in parts per million.
    public var clockOffsetMilliseconds: Int64 = 123_456_789
    /// The drift of the receiver's clock in parts per million.
    public var clockDriftPerMillion: Int64 = 0
    /// When the receiver's clock is set anew, in seconds, and by how many milliseconds.
    public var clockStep: (second: Double, milliseconds: Int64)?
    /// What the receiver's REMB says in bits per second, at each report; nil: nothing.
    public var maximumBitsPerSecond: Int64?
    /// Whether frames vary in size.
    public var varies = true
    /// The estimator that is told what the flow could use.
    public var tellsDemand = true

    /// The defaults.
    public init() {}
}

/// A packet on its way.
struct BenchPacket {
    var flow = 0
    /// The transport-wide number, not cut.
    var number: Int64 = 0
    var bytes = 0
    var kind = BenchPacketKind.video
    var sentAt: Int64 = 0
    var cluster: Int32 = 0
}

/// One flow.
final class BenchFlow {
    let settings: BenchFlowSettings
    let estimator: any SteeredEstimator
    var random: SeededRandom
    /// What waits in the pacer: sizes and when they were queued.
    private(set) var queue: [Int] = []
    private(set) var queueHead = 0
    private(set) var queuedBytes = 0
    var nextNumber: Int64 = 65_400
    /// When the pacer's debt is paid, in nanoseconds.
    var paidAt: Int64 = 0
    var probe: BenchProbe?
    var probePackets = 0
    var probeBytes = 0
    var probeStart: Int64 = 0
    /// The encoder's bytes above its rate, to be saved on later frames.
    private var encoderDebt = 0.0
    private var framesToKey = 60
    /// The rate that the source takes at present, audio included.
    private(set) var sourceRate: Int64 = 0
    private var layer = -1

    // The receiver
    var arrivals: [(number: Int64, at: Int64)] = []
    var highestArrival: Int64 = .min
    var nextExpected: Int64 = 65_400
    var feedbackCount: UInt8 = 250
    var received = 0
    var receivedAtReport = 0
    var highestAtReport: Int64 = 65_399
    var forwardDelay: Int64 = 0

    init(_ settings: BenchFlowSettings, estimator: any SteeredEstimator, seed: UInt64) {
        self.settings = settings
        self.estimator = estimator
        random = SeededRandom(seed: seed)
        framesToKey = 30 + random.below(300)
    }

    var audioRate: Int64 { Int64(settings.audioBytes) * 8 * 50 }
    var maximumRate: Int64 {
        switch settings.source {
        case .following(_, let maximum): maximum + audioRate
        case .layers(let rates): (rates.last ?? 0) + audioRate
        }
    }
    var waiting: Int { queue.count - queueHead }

    func isActive(at second: Double) -> Bool {
        second >= settings.start && second < settings.end && !settings.pauses.contains { $0.contains(second) }
    }

    /// The bytes of the next video frame, packet by packet, into the pacer's queue.
    func makeFrame(at now: Int64) {
        let budget = estimator.estimate.bitsPerSecond - audioRate
        var rate: Int64 = 0
        var next: Int64 = 0
        switch settings.source {
        case .following(let minimum, let maximum):
            // The least rate is kept down to four fifths of it, then the picture is paused.
            rate = budget * 5 < minimum * 4 ? 0 : min(max(budget, minimum), maximum)
            if rate < maximum { next = maximum + audioRate }
        case .layers(let rates):
            layer = -1
            for (i, r) in rates.enumerated() where r <= budget { layer = i }
            rate = layer >= 0 ? rates[layer] : 0
            if layer + 1 < rates.count { next = rates[layer + 1] + audioRate }
        }
        sourceRate = rate + audioRate
        if settings.tellsDemand {
            estimator.setDemand(
                allocated: DataRate(bitsPerSecond: sourceRate), next: DataRate(bitsPerSecond: next),
                wanted: DataRate(bitsPerSecond: maximumRate), at: Timestamp(nanoseconds: now))
        }
        guard rate > 0 else { return }
        let share = Double(rate) / 8 / 30
        var size = share
        if settings.varies {
            let normal = random.unit() + random.unit() + random.unit() + random.unit() - 2
            size *= min(max(1 + 0.4 * normal, 0.4), 1.8)
            framesToKey -= 1
            if framesToKey <= 0 {
                framesToKey = 240 + random.below(120)
                size *= 3
            }
            size -= encoderDebt * 0.1
            size = max(size, share * 0.2)
            encoderDebt += size - share
            encoderDebt = min(max(encoderDebt, -4 * share), 8 * share)
        }
        var left = max(60, Int(size))
        let packets = (left + 1_199) / 1_200
        for i in 0..<packets {
            let bytes = left / (packets - i)
            queue.append(bytes + 28)
            queuedBytes += bytes + 28
            left -= bytes
        }
    }

    func takeQueued() -> Int? {
        guard queueHead < queue.count else { return nil }
        let bytes = queue[queueHead]
        queueHead += 1
        queuedBytes -= bytes
        if queueHead > 256, queueHead * 2 > queue.count {
            queue.removeFirst(queueHead)
            queueHead = 0
        }
        return bytes
    }

    /// A frame that waited too long is thrown away, as an encoder would skip it.
    func dropQueue() {
        queue.removeAll(keepingCapacity: true)
        queueHead = 0
        queuedBytes = 0
    }

    func clock(_ moment: Int64) -> Int64 {
        var local = moment + settings.clockOffsetMilliseconds * 1_000_000
        local += moment / 1_000_000 * settings.clockDriftPerMillion
        if let step = settings.clockStep, Double(moment) / 1e9 >= step.second { local += step.milliseconds * 1_000_000 }
        return local
    }

    func noteArrival(_ packet: BenchPacket, at now: Int64) {
        arrivals.append((packet.number, clock(now)))
        highestArrival = max(highestArrival, packet.number)
        received += 1
        forwardDelay = now - packet.sentAt
    }

    /// The feedback about what arrived since the last one.
    func makeFeedback() -> [[UInt8]] {
        guard !arrivals.isEmpty else { return [] }
        arrivals.sort { ($0.number, $0.at) < ($1.number, $1.at) }
        var messages: [[UInt8]] = []
        var index = 0
        while index < arrivals.count {
            let base = min(arrivals[index].number, index == 0 ? nextExpected : arrivals[index].number)
            var builder = TransportFeedbackBuilder(
                sender: SSRC(1), media: SSRC(2), base: SequenceNumber(UInt16(truncatingIfNeeded: base)),
                feedbackCount: feedbackCount)
            feedbackCount &+= 1
            let first = index
            while index < arrivals.count {
                let arrival = arrivals[index]
                if index > 0, arrivals[index - 1].number == arrival.number {
                    index += 1
                    continue
                }
                guard
                    builder.add(
                        SequenceNumber(UInt16(truncatingIfNeeded: arrival.number)),
                        arrival: Timestamp(nanoseconds: arrival.at))
                else { break }
                index += 1
            }
            if index == first { index += 1 }
            messages.append(Self.bytes(builder))
        }
        nextExpected = max(nextExpected, highestArrival + 1)
        arrivals.removeAll(keepingCapacity: true)
        return messages
    }

    private static func bytes(_ builder: borrowing TransportFeedbackBuilder) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1_500)
        var writer = CompoundWriter(at: 0, limit: bytes.count)
        var span = bytes.mutableSpan
        _ = writer.appendTransportFeedback(builder, into: &span)
        return Array(bytes[0..<writer.end])
    }

    /// Packets lost and expected since the report before.
    func takeReport() -> (lost: Int, expected: Int) {
        guard highestArrival > highestAtReport else { return (0, 0) }
        let expected = Int(highestArrival - highestAtReport)
        let got = received - receivedAtReport
        highestAtReport = highestArrival
        receivedAtReport = received
        return (max(0, expected - got), expected)
    }
}
