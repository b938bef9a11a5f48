// A long TCP transfer that competes for a bottleneck: slow start, then CUBIC (RFC 9438) or NewReno's growth (RFC 5681), losses
// found as in RFC 9002 (three later transmissions acknowledged) or by time-out. Segments are only counted.

import MediaCore

/// How a transfer's window grows and shrinks.
public enum WindowGrowth: Sendable, Hashable { case newReno, cubic }

/// One long transfer.
public final class LongTransfer {
    /// The bytes of a full segment.
    public static let segmentBytes = 1_460
    static let reordering = 3

    /// The number of its bottleneck.
    let bottleneck: Int
    /// Its flow's number there.
    let flow: UInt32
    private let growth: WindowGrowth
    /// From the bottleneck to the receiver and back to the sender.
    private let roundTrip: TimeDelta
    /// Transmissions that are neither acknowledged nor lost: number and moment.
    private var flying: [(number: Int, sentAt: Timestamp)] = []
    private var next = 0
    private var window = 10.0
    private var threshold = Double.infinity
    private var recoveryEnds = 0
    private var smoothed: Double
    private var epoch: Timestamp?
    private var windowBefore = 0.0
    private var renoWindow = 0.0
    /// When a time-out was armed last.
    private(set) var lastProgress: Timestamp

    init(_ growth: WindowGrowth, bottleneck: Int, flow: UInt32, roundTrip: TimeDelta, at now: Timestamp) {
        self.growth = growth
        self.bottleneck = bottleneck
        self.flow = flow
        self.roundTrip = roundTrip
        smoothed = Double(roundTrip.nanoseconds)
        lastProgress = now
    }

    /// How long nothing may be acknowledged before everything counts as lost.
    var timeout: TimeDelta { TimeDelta(nanoseconds: max(400_000_000, Int64(2 * smoothed))) }

    /// Sends what the window allows; gives the transmissions that will be acknowledged, and when.
    func send(into queue: Bottleneck, at now: Timestamp) -> [(number: Int, at: Timestamp)] {
        var acknowledged: [(Int, Timestamp)] = []
        while Double(flying.count) < window {
            flying.append((next, now))
            if let left = queue.enter(Self.segmentBytes, flow: flow, kind: .competitor, at: now) {
                acknowledged.append((next, left + roundTrip))
            }
            next += 1
        }
        return acknowledged
    }

    /// Takes an acknowledgement.
    func acknowledge(_ number: Int, at now: Timestamp) {
        guard let index = flying.firstIndex(where: { $0.number == number }) else { return }
        lastProgress = now
        smoothed += (Double((now - flying[index].sentAt).nanoseconds) - smoothed) / 8
        flying.remove(at: index)
        let lost = flying.filter { $0.number <= number - Self.reordering }
        flying.removeAll { $0.number <= number - Self.reordering }
        if let newest = lost.last?.number, newest >= recoveryEnds {
            shrink()
        } else if number >= recoveryEnds {
            grow(now)
        }
    }

    /// Takes note that nothing was acknowledged for the time-out.
    func timeOut(at now: Timestamp) {
        lastProgress = now
        flying = []
        threshold = max(2, window / 2)
        window = 1
        recoveryEnds = next
        epoch = nil
    }

    private func shrink() {
        recoveryEnds = next
        epoch = nil
        windowBefore = window
        window = max(2, window * (growth == .cubic ? 0.7 : 0.5))
        threshold = window
    }

    private func grow(_ now: Timestamp) {
        if window < threshold {
            window += 1
            return
        }
        guard growth == .cubic else {
            window += 1 / window
            return
        }
        if epoch == nil {
            epoch = now
            renoWindow = window
            if windowBefore < window { windowBefore = window }
        }
        let seconds = Double((now - (epoch ?? now)).nanoseconds) / 1e9 + smoothed / 1e9
        let offset = seconds - cubeRoot((windowBefore - threshold) / 0.4)
        let target = min(1.5 * window, 0.4 * offset * offset * offset + windowBefore)
        renoWindow += 3 * 0.3 / 1.7 / window
        window += max(0, max(target, renoWindow) - window) / window
    }
}

/// The cube root of a number that is not negative, by Newton's method.
private func cubeRoot(_ value: Double) -> Double {
    guard value > 0, value.isFinite else { return 0 }
    var root = max(1, value / 3)
    for _ in 0..<60 { root -= (root * root * root - value) / (3 * root * root) }
    return root
}
