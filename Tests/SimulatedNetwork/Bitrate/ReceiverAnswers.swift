// How a simulated receiver tells the server what arrived: transport-wide feedback, REMB, receiver reports alone, or nothing.
// What is negotiated is the profile's `usesTransportFeedback`; this is what is done.

public import MediaCore

/// What a receiver answers with.
public struct ReceiverAnswers: Sendable, Hashable {
    /// How often transport-wide feedback is sent.
    public enum Interval: Sendable, Hashable {
        /// Always after this time; libwebrtc begins with 100 ms.
        case fixed(TimeDelta)
        /// 50 to 250 ms, so that feedback takes a twentieth of the rate that arrives.
        case adaptive
    }

    /// Whether transport-wide feedback is sent, where it was negotiated.
    public var sendsTransportFeedback = true
    /// How often.
    public var interval = Interval.fixed(.milliseconds(100))
    /// Whether REMB is sent.
    public var sendsMaximumBitrate = false
    /// Whether receiver reports are sent.
    public var sendsReports = true

    /// Transport-wide feedback each 100 ms and reports each second.
    public init() {}

    /// Transport-wide feedback as often as the rate allows.
    public static var adaptive: ReceiverAnswers {
        var answers = ReceiverAnswers()
        answers.interval = .adaptive
        return answers
    }
    /// REMB and receiver reports.
    public static var maximumBitrate: ReceiverAnswers {
        var answers = ReceiverAnswers()
        answers.sendsTransportFeedback = false
        answers.sendsMaximumBitrate = true
        return answers
    }
    /// Receiver reports alone.
    public static var reports: ReceiverAnswers {
        var answers = ReceiverAnswers()
        answers.sendsTransportFeedback = false
        return answers
    }
    /// Nothing at all, whatever was negotiated.
    public static var nothing: ReceiverAnswers {
        var answers = ReceiverAnswers()
        answers.sendsTransportFeedback = false
        answers.sendsReports = false
        return answers
    }

    /// The time between two feedback messages where this much arrives.
    func interval(receiving bitsPerSecond: Double) -> TimeDelta {
        switch interval {
        case .fixed(let span): return span
        case .adaptive:
            // A message is about 68 bytes on the wire.
            let seconds = 68 * 8 / (0.05 * max(1, bitsPerSecond))
            return max(.milliseconds(50), min(.milliseconds(250), TimeDelta(nanoseconds: Int64(seconds * 1e9))))
        }
    }
}

/// What a receiver knows of the rate that arrives, and the simple estimate that it sends as REMB: half as much again while the
/// delay of packets is low, 85 % of what arrives when it rises.
struct ReceivedRate: Sendable {
    private static let window = Int64(500_000_000)

    private var arrivals: [(at: Int64, bytes: Int)] = []
    private var head = 0
    private var sum = 0
    private var leastDelay = Int64.max
    private var delay = 0.0
    private var lastSent: UInt64 = 0
    private var lastSentAt: Timestamp?

    mutating func take(_ bytes: Int, sentAt: Timestamp, at now: Timestamp) {
        arrivals.append((now.nanoseconds, bytes))
        sum += bytes
        let took = (now - sentAt).nanoseconds
        leastDelay = min(leastDelay, took)
        delay += (Double(took - leastDelay) - delay) / 16
        forget(now)
    }

    private mutating func forget(_ now: Timestamp) {
        while head < arrivals.count, arrivals[head].at <= now.nanoseconds - Self.window {
            sum -= arrivals[head].bytes
            head += 1
        }
        if head > 1_024, head * 2 > arrivals.count {
            arrivals.removeFirst(head)
            head = 0
        }
    }

    /// The rate of the last half second.
    mutating func bitsPerSecond(at now: Timestamp) -> Double {
        forget(now)
        return Double(sum) * 8e9 / Double(Self.window)
    }

    /// The REMB to send now, if one is due: each second, and at once when it falls by more than 3 %.
    mutating func maximumBitrate(at now: Timestamp) -> UInt64? {
        let rate = bitsPerSecond(at: now)
        guard rate > 0 else { return nil }
        let estimate = UInt64(delay > 50e6 ? 0.85 * rate : 1.5 * rate + 10_000)
        let isFalling = Double(estimate) < 0.97 * Double(lastSent) && delay > 50e6
        if let last = lastSentAt {
            guard now - last >= .seconds(1) || (isFalling && now - last >= .milliseconds(200)) else { return nil }
        }
        lastSent = estimate
        lastSentAt = now
        return estimate
    }
}
