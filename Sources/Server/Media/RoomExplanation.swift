// The last decisions of a room, kept as plain values; they become sentences only when somebody asks. Confined to the worker's
// thread.
import Captures
import EventLoop
import MediaCore

/// The decisions of one room, the newest `limit` of them.
final class RoomExplanation {
    /// How many decisions are kept.
    static let limit = 1_024
    /// How many entries one answer has at most.
    static let longestAnswer = 1_024
    /// The shortest time between two moments of a room that are worth keeping, in nanoseconds.
    static let keepInterval: Int64 = 30_000_000_000

    private struct Noted {
        /// Nanoseconds of the monotonic clock, at the end of the turn that decided.
        let at: Int64
        let decision: Decision
    }

    private let openedAt: Int64
    /// A ring: decision `n` is at `n` modulo the limit.
    private var noted: [Noted] = []
    /// The number of the next decision; the first is 1.
    private(set) var next: UInt64 = 1
    private var keptAt: Int64?

    init(openedAt: Int64 = MonotonicClock.now) { self.openedAt = openedAt }

    /// Takes in what a turn decided.
    func note(_ decisions: ArraySlice<Decision>, at now: Int64) {
        for decision in decisions {
            let place = Int((next - 1) % UInt64(Self.limit))
            let one = Noted(at: now, decision: decision)
            if place < noted.count { noted[place] = one } else { noted.append(one) }
            next += 1
        }
    }

    /// The decisions with numbers above `after`, the oldest first, at most `limit` of them.
    func entries(after: UInt64, limit: Int, drops statistics: Statistics) -> Explanation {
        let oldest = next - UInt64(noted.count)
        let first = max(oldest, after == .max ? .max : after + 1)
        let count = first < next ? min(Int(next - first), max(0, min(limit, Self.longestAnswer))) : 0
        let entries = (0..<UInt64(count)).map { offset in
            let number = first + offset
            let one = noted[Int((number - 1) % UInt64(Self.limit))]
            return Explanation.Entry(
                number: number, seconds: Double(one.at - openedAt) / 1_000_000_000, name: one.decision.kindName,
                peer: one.decision.peers.first, sentence: one.decision.sentence)
        }
        let drops = DropReason.allCases.compactMap { reason in
            let count = statistics[reason]
            return count > 0 ? Explanation.Drop(name: "\(reason)", count: count) : nil
        }
        return Explanation(
            entries: entries, next: next, forgotten: after < oldest - 1 ? oldest - 1 - after : 0, drops: drops)
    }

    /// Whether something worth keeping is so at this moment too, or was a moment ago.
    func mayKeep(at now: Int64) -> Bool {
        if let keptAt, now - keptAt < Self.keepInterval { return false }
        keptAt = now
        return true
    }
}

extension MediaTurn {
    /// Answers `WorkerCommand.explain`; a room that is not there has nothing to explain.
    func explain(_ key: RoomKey, _ request: UInt64, after: UInt64, limit: Int) {
        let empty = Explanation(entries: [], next: 1, forgotten: 0)
        flush()
        let room = rooms[key]
        let explanation = room.map { $0.explanation.entries(after: after, limit: limit, drops: $0.core.statistics) }
        report(.explained(key, request: request, explanation ?? empty))
    }

    /// Something happened in a room that somebody will want to look at: what the flight recorder holds is to be kept.
    func keepForLooking(_ room: MediaRoom, _ reason: FlightReason) {
        guard room.explanation.mayKeep(at: MonotonicClock.now) else { return }
        keepFlight(room, reason)
    }
}
