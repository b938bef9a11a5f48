// A long TCP transfer that shares a bottleneck: NewReno or CUBIC (RFC 6582, RFC 9438) with selective acknowledgements, just
// enough to fill a queue as real ones do. No handshake, no flow control.

/// How the window grows.
public enum TCPKind: Sendable {
    case newReno
    case cubic
}

/// One sender and its receiver.
final class CompetingTCP {
    static let segmentBytes = 1_460
    static let wireBytes = 1_500

    let kind: TCPKind
    let startAt: Int64
    private(set) var window = 10.0
    private var threshold = Double.infinity
    private(set) var nextSegment: Int64 = 0
    private(set) var highestAcknowledged: Int64 = -1
    private(set) var inFlight: [Int64: Int64] = [:]
    private var recoverUntil: Int64 = -1
    private var smoothedRTT = 200e6
    private var largestWindow = 0.0
    private var epochAt: Int64?
    private var epochWindow = 0.0
    private(set) var deliveredBytes = 0
    private(set) var lastProgress: Int64 = 0

    init(_ kind: TCPKind, startAt: Int64) {
        self.kind = kind
        self.startAt = startAt
    }

    var mayBeSent: Bool { Double(inFlight.count) < window }
    var timeout: Int64 { max(1_000_000_000, Int64(smoothedRTT * 3)) }

    func takeSegment(at now: Int64) -> Int64 {
        let segment = nextSegment
        nextSegment += 1
        inFlight[segment] = now
        if inFlight.count == 1 { lastProgress = now }
        return segment
    }

    /// A segment was acknowledged by itself.
    func acknowledge(_ segment: Int64, at now: Int64) {
        guard let sentAt = inFlight.removeValue(forKey: segment) else { return }
        lastProgress = now
        deliveredBytes += Self.segmentBytes
        smoothedRTT += (Double(now - sentAt) - smoothedRTT) / 8
        highestAcknowledged = max(highestAcknowledged, segment)
        // What was sent three segments before the newest acknowledged one is lost; the data itself goes into new segments.
        let lost = inFlight.keys.filter { $0 < highestAcknowledged - 3 }
        if !lost.isEmpty {
            for key in lost { inFlight.removeValue(forKey: key) }
            if lost.max() ?? 0 > recoverUntil {
                recoverUntil = nextSegment
                largestWindow = window
                window = max(2, window * (kind == .cubic ? 0.7 : 0.5))
                threshold = window
                epochAt = nil
            }
            return
        }
        guard segment > recoverUntil else { return }
        if window < threshold {
            window += 1
        } else if kind == .newReno {
            window += 1 / window
        } else {
            growCubic(now)
        }
    }

    private func growCubic(_ now: Int64) {
        let began = epochAt ?? now
        if epochAt == nil {
            epochAt = now
            epochWindow = window
        }
        let t = Double(now - began) / 1e9
        // K is the cube root of (W_max − cwnd_epoch) ÷ C, by Newton's steps.
        let target = max(largestWindow - epochWindow, 0) / 0.4
        var k = target > 0 ? max(1, target / 4) : 0
        if target > 0 { for _ in 0..<40 { k = (2 * k + target / (k * k)) / 3 } }
        let cubic = 0.4 * (t - k) * (t - k) * (t - k) + largestWindow
        let reno = epochWindow + 0.53 * t / (smoothedRTT / 1e9)
        let wanted = max(cubic, reno)
        if wanted > window { window += min((wanted - window) / window, 0.5) } else { window += 0.01 / window }
    }

    /// Nothing was acknowledged for too long.
    func giveUp(at now: Int64) {
        inFlight.removeAll()
        threshold = max(2, window / 2)
        window = 1
        epochAt = nil
        lastProgress = now
    }
}
