// Once a second asks the core how well each connected peer is served, and tells the control plane what changed. Keeps the
// counters between two reports, so that asking is no input of the core. Confined to the worker's thread.
import MediaCore

/// The reports of a worker's peers.
final class PeerReports {
    /// The time between two reports of a peer, in nanoseconds.
    static let period: Int64 = 1_000_000_000
    /// A report that says nothing new is told all the same after this many periods.
    static let quietPeriods = 5
    /// A report takes no more than this part of what the path carries, in thousandths: it goes the same way as the media, and
    /// its bytes are these and those of each slot, about.
    static let shareThousandths: Int64 = 20
    static let messageBytes: Int64 = 400
    static let slotBytes: Int64 = 250
    /// So many reports in a row above the limit of loss are worth keeping.
    static let lossyPeriods = 5
    /// Reports of one turn: the peers of a worker are spread over the second, and a storm of joins must not hold media up.
    static let perTurn = 8

    struct Name: Hashable {
        let room: RoomKey
        let peer: PeerID
    }
    struct State {
        var counters: PeerCounters?
        var told: PeerQuality?
        var quietPeriods = 0
        var lossyPeriods = 0
    }

    private(set) var states: [Name: State] = [:]
    /// In the order in which they are due: all have the same period.
    private var queue: [(name: Name, due: Int64)] = []
    private var head = 0

    /// When the next report is due, in nanoseconds of the monotonic clock.
    var due: Int64? { head < queue.count ? queue[head].due : nil }

    /// A peer is connected: its first report comes a period later. Nothing where it is reported on already.
    func begin(_ room: RoomKey, _ peer: PeerID, at now: Timestamp) {
        let name = Name(room: room, peer: peer)
        guard states[name] == nil else { return }
        states[name] = State()
        queue.append((name, now.nanoseconds + Self.period))
    }

    /// The next peer whose report is due.
    func takeDue(at now: Int64) -> Name? {
        guard let due, due <= now else { return nil }
        defer {
            head += 1
            if head >= 256, head * 2 >= queue.count {
                queue.removeFirst(head)
                head = 0
            }
        }
        return queue[head].name
    }

    /// The peer is gone or not connected any more.
    func end(_ name: Name) { states[name] = nil }

    /// Takes a report in. True when it is to be told.
    func take(_ quality: PeerQuality, of name: Name, at now: Int64) -> Bool {
        guard var state = states[name] else { return false }
        queue.append((name, now + Self.period))
        // What the first period brought cannot be said: there are no counters before it.
        let isFirst = state.counters == nil
        state.counters = quality.counters
        state.quietPeriods += 1
        let isNews = state.told.map { quality.differs(from: $0) || state.quietPeriods >= Self.quietPeriods } ?? true
        let isTold = !isFirst && isNews && state.quietPeriods >= Self.leastPeriods(of: quality)
        if isTold {
            state.told = quality
            state.quietPeriods = 0
        }
        states[name] = state
        return isTold
    }

    /// How many periods lie between two reports at least, 1 to `quietPeriods`.
    static func leastPeriods(of quality: PeerQuality) -> Int {
        guard let estimate = quality.estimate else { return 1 }
        let slots = quality.slots.count { $0.status != .empty }
        let bits = (messageBytes + slotBytes * Int64(slots)) * 8_000
        let share = max(estimate.bitsPerSecond, 1_000) * shareThousandths
        return Int(min(max((bits + share - 1) / share, 1), Int64(quietPeriods)))
    }

    /// Counts a receiver's loss. True when it has been above the limit for long enough; then counts anew.
    func isLossy(_ quality: PeerQuality, of name: Name, abovePercent limit: Int) -> Bool {
        guard limit > 0, var state = states[name] else { return false }
        state.lossyPeriods = quality.toPeer.lossFraction * 100 > Double(limit) ? state.lossyPeriods + 1 : 0
        let isLong = state.lossyPeriods >= Self.lossyPeriods
        if isLong { state.lossyPeriods = 0 }
        states[name] = state
        return isLong
    }
}

extension MediaTurn {
    /// Reports on the peers that are due; when to come again.
    func reportPeers(at now: Timestamp) -> Timestamp? {
        for _ in 0..<PeerReports.perTurn {
            guard let name = peerReports.takeDue(at: now.nanoseconds) else { break }
            guard let room = rooms[name.room], room.peers[name.peer] != nil,
                let quality = room.core.qualityReport(
                    of: name.peer, since: peerReports.states[name]?.counters, at: now)
            else {
                peerReports.end(name)
                continue
            }
            if peerReports.take(quality, of: name, at: now.nanoseconds) {
                report(.quality(name.room, name.peer, quality))
            }
            if peerReports.isLossy(quality, of: name, abovePercent: settings.keepAboveLossPercent) {
                keepForLooking(room, .quality)
            }
        }
        // One that is a little late finds a turn that was there anyway.
        return peerReports.due.map { Timestamp(nanoseconds: $0 <= now.nanoseconds ? $0 : $0 + TurnModeration.patience) }
    }
}

extension PeerQuality {
    /// Whether somebody would notice the difference.
    func differs(from other: PeerQuality) -> Bool {
        if Self.differ(meanOpinionScore, other.meanOpinionScore, by: 0.1) { return true }
        if Self.differ(roundTrip, other.roundTrip) { return true }
        if Self.differ(estimate, other.estimate) { return true }
        if toPeer.differs(from: other.toPeer) || fromPeer.differs(from: other.fromPeer) { return true }
        guard slots.count == other.slots.count else { return true }
        for (one, before) in zip(slots, other.slots) where one.differs(from: before) { return true }
        return false
    }

    static func differ(_ a: Double?, _ b: Double?, by least: Double) -> Bool {
        guard let a, let b else { return a != b }
        return abs(a - b) >= least
    }

    /// By 10 ms and by a fifth.
    static func differ(_ a: TimeDelta?, _ b: TimeDelta?) -> Bool {
        guard let a, let b else { return a != b }
        let difference = a > b ? a - b : b - a
        return difference >= .milliseconds(10) && difference >= max(a, b) / 5
    }

    static func differ(_ a: DataRate?, _ b: DataRate?) -> Bool {
        guard let a, let b else { return a != b }
        return differ(a, b)
    }

    /// By 20 kb/s and by a quarter.
    static func differ(_ a: DataRate, _ b: DataRate) -> Bool {
        let difference = a > b ? a - b : b - a
        return difference >= .kilobitsPerSecond(20) && difference >= max(a, b).scaled(by: 1, over: 4)
    }
}

extension PeerQuality.Direction {
    fileprivate func differs(from other: Self) -> Bool {
        abs(lossFraction - other.lossFraction) >= 0.01 || PeerQuality.differ(jitter, other.jitter)
            || PeerQuality.differ(rate, other.rate)
    }
}

extension SlotQuality {
    fileprivate func differs(from other: SlotQuality) -> Bool {
        status != other.status || assignment != other.assignment || layer != other.layer || height != other.height
            || temporalLayer != other.temporalLayer || isPaused != other.isPaused
            || wantedHeight != other.wantedHeight || PeerQuality.differ(neededForNext, other.neededForNext)
            || PeerQuality.differ(rate, other.rate)
            || PeerQuality.differ(meanOpinionScore, other.meanOpinionScore, by: 0.1)
    }
}
