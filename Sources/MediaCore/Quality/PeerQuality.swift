// How well a peer is served at a moment: what its reports, its packets and its slots say, over the last period. Changes nothing
// in the room; the counters of the period before are kept by the caller.

/// The counters of a peer at a moment, from which the rates of the next report are made.
public struct PeerCounters: Hashable, Sendable {
    struct Octets: Hashable, Sendable {
        var ssrc: SSRC
        var octets: UInt32
    }
    struct Reception: Hashable, Sendable {
        var serial: UInt32
        var expected: Int64
        var arrived: Int64
    }

    /// When they were read.
    public internal(set) var at: Timestamp
    var bytesReceived: UInt64 = 0
    var bytesSent: UInt64 = 0
    var slots: [Octets] = []
    var encodings: [Reception] = []
}

/// What one slot does.
public enum SlotStatus: UInt8, Hashable, Sendable, CaseIterable {
    /// Nothing is on it.
    case empty
    /// The receiver does not show it.
    case hidden
    /// It did not negotiate the codec of what is on it.
    case unsupportedCodec
    /// The publisher of what is on it sends nothing.
    case publisherSilent
    /// It waits for a key frame.
    case awaitingKeyFrame
    /// It waits for a key frame, or for its layer, for longer than `RoomCore` has patience (2 s).
    case frozen
    /// The source on it is forwarded, at its best layer.
    case forwarding
    /// A layer of the source is forwarded below the highest that its publisher sends.
    case lowerLayer
    /// The same, until the key frame of another layer comes.
    case switchingLayer
}

/// How well one slot is served.
public struct SlotQuality: Hashable, Sendable {
    /// What is on the slot, and why.
    public var assignment: SlotAssignment
    /// Audio or video.
    public var kind: MediaKind
    /// What it does.
    public var status: SlotStatus
    /// The layer that is forwarded, 0 the lowest; nil when none is.
    public var layer: Int?
    /// How many layers its publisher offers.
    public var layers = 0
    /// The temporal layer up to which it is forwarded, 0 the lowest; nil where all are, or there is one.
    public var temporalLayer: Int?
    /// The height of the picture in pixels, where the codec told it.
    public var height: Int?
    /// The height that the receiver wants; nil where it said none.
    public var wantedHeight: Int?
    /// What the estimate would have to be for the next better step of this slot that the receiver wants, with the other slots as
    /// they are; nil where it has all that it wants, or the rate of that step is not known.
    public var neededForNext: DataRate?
    /// The height of that step, where it is known; equal to `height` where only the frame rate would rise.
    public var nextHeight: Int?
    /// That step, or as much, had to be taken away a short time ago: for now it takes more of a margin to be given again.
    public var isHeld = false
    /// Nothing is forwarded because the path would not carry even the lowest layer.
    public var isPaused = false
    /// Payload sent on it over the last period, retransmissions not counted.
    public var rate = DataRate.zero
    /// The share that the receiver lost between its last two reports, 0 to 1; nil without a report of the last seconds.
    public var lossFraction: Double?
    /// The jitter that the receiver reports; nil without a report of the last seconds.
    public var jitter: TimeDelta?
    /// For audio that is forwarded: how good it can sound (`EModel`), from its publisher to the receiver, 1 to 4.5.
    public var meanOpinionScore: Double?
}

/// How well one peer is served.
public struct PeerQuality: Hashable, Sendable {
    /// One direction of a peer's path.
    public struct Direction: Hashable, Sendable {
        /// The share of packets lost, 0 to 1, of all its streams together; retransmissions do not hide it.
        public var lossFraction = 0.0
        /// The worst interarrival jitter of its streams (RFC 3550 §A.8).
        public var jitter = TimeDelta.zero
        /// Everything sent over the last period, RTP headers included.
        public var rate = DataRate.zero
    }

    /// The smoothed round trip; nil before the first measurement.
    public var roundTrip: TimeDelta?
    /// To the peer: loss and jitter by its receiver reports.
    public var toPeer = Direction()
    /// From the peer: loss and jitter by its sequence numbers, over the last period.
    public var fromPeer = Direction()
    /// What the path to the peer would carry, everything included, by the estimate; nil where there is none.
    public var estimate: DataRate?
    /// How good a conversation over this path can sound (`EModel`): the round trip, and the worse of both directions' loss and
    /// jitter; nil before a round trip was measured.
    public var meanOpinionScore: Double?
    /// Its slots, in the order of its plan.
    public var slots: [SlotQuality] = []
    /// To be given back for the next report.
    public var counters: PeerCounters
}

extension RoomCore {
    /// How well a peer is served; nil when it is not in the room or not connected. `previous` are the counters of the report
    /// before: without them loss of what the peer sends and all rates are 0.
    public func qualityReport(of peer: PeerID, since previous: PeerCounters?, at now: Timestamp) -> PeerQuality? {
        guard let p = peerIndex.find(peer.rawValue), peers[p].isConnected else { return nil }
        var report = PeerQuality(counters: counters(of: p, at: now))
        report.roundTrip = peers[p].roundTrip.measured
        let span = previous.map { now - $0.at } ?? .zero
        if let previous, span > .zero {
            let counters = report.counters
            report.toPeer.rate = DataSize(bytes: Int64(clamping: counters.bytesSent &- previous.bytesSent)) / span
            report.fromPeer.rate =
                DataSize(bytes: Int64(clamping: counters.bytesReceived &- previous.bytesReceived)) / span
            report.fromPeer.lossFraction = Self.loss(from: previous.encodings, to: counters.encodings)
        }
        report.fromPeer.jitter = publishedJitter(of: p)
        if peers[p].hasVideoSlots { report.estimate = peers[p].bandwidth.estimate }
        var expected: Int64 = 0
        var lost: Int64 = 0
        for number in peers[p].slots {
            let s = Int(number)
            var slot = quality(ofSlot: s, at: now)
            if let previous, span > .zero, let before = previous.slots.first(where: { $0.ssrc == slots[s].plan.ssrc }) {
                slot.rate = DataSize(bytes: Int64(slots[s].octetCount &- before.octets)) / span
            }
            if slots[s].report.isFresh(at: now) {
                expected &+= Int64(slots[s].report.expected)
                lost &+= Int64(slots[s].report.lost)
                report.toPeer.jitter = max(report.toPeer.jitter, slot.jitter ?? .zero)
            }
            report.slots.append(slot)
        }
        if expected > 0 { report.toPeer.lossFraction = Double(lost) / Double(expected) }
        if let roundTrip = report.roundTrip {
            report.meanOpinionScore =
                EModel(
                    roundTripMilliseconds: roundTrip.milliseconds,
                    jitterMilliseconds: max(report.toPeer.jitter, report.fromPeer.jitter).milliseconds,
                    lossFraction: max(report.toPeer.lossFraction, report.fromPeer.lossFraction)
                ).meanOpinionScore
        }
        return report
    }

    private func counters(of p: Int, at now: Timestamp) -> PeerCounters {
        var counters = PeerCounters(at: now)
        counters.bytesReceived = peers[p].statistics.bytesReceived
        counters.bytesSent = peers[p].statistics.bytesSent
        for s in peers[p].slots {
            counters.slots.append(.init(ssrc: slots[Int(s)].plan.ssrc, octets: slots[Int(s)].octetCount))
        }
        for t in peers[p].tracks {
            for number in tracks[Int(t)].encodings {
                let e = Int(number)
                guard encodings[e].statistics.isStarted else { continue }
                counters.encodings.append(
                    .init(
                        serial: encodings[e].serial, expected: encodings[e].statistics.expected,
                        arrived: encodings[e].statistics.arrived))
            }
        }
        return counters
    }

    /// The share lost between two moments, of the streams that are in both and went on.
    private static func loss(from before: [PeerCounters.Reception], to after: [PeerCounters.Reception]) -> Double {
        var expected: Int64 = 0
        var arrived: Int64 = 0
        for one in after {
            guard let old = before.first(where: { $0.serial == one.serial }), one.expected >= old.expected,
                one.arrived >= old.arrived
            else { continue }
            expected &+= one.expected - old.expected
            arrived &+= one.arrived - old.arrived
        }
        guard expected > 0, arrived < expected else { return 0 }
        return Double(expected - arrived) / Double(expected)
    }

    private func publishedJitter(of p: Int) -> TimeDelta {
        var worst = TimeDelta.zero
        for t in peers[p].tracks {
            for number in tracks[Int(t)].encodings where encodings[Int(number)].monitor.isAlive {
                worst = max(
                    worst, Self.jitter(encodings[Int(number)].statistics.jitter, encodings[Int(number)].clockRate))
            }
        }
        return worst
    }

    private static func jitter(_ ticks: UInt32, _ clockRate: UInt32) -> TimeDelta {
        guard clockRate > 0 else { return .zero }
        return .microseconds(Int64(ticks) * 1_000_000 / Int64(clockRate))
    }

    private func quality(ofSlot s: Int, at now: Timestamp) -> SlotQuality {
        let clockRate = slots[s].plan.codecs.first?.clockRate ?? 90_000
        var slot = SlotQuality(
            assignment: slots[s].assignment, kind: slots[s].plan.kind, status: status(ofSlot: s))
        if slots[s].report.isFresh(at: now) {
            slot.jitter = Self.jitter(slots[s].report.jitter, clockRate)
            let expected = slots[s].report.expected
            if expected > 0 { slot.lossFraction = Double(slots[s].report.lost) / Double(expected) }
        }
        let t = Int(slots[s].track)
        guard t >= 0 else { return slot }
        slot.layers = tracks[t].encodings.count
        explain(s, in: &slot)
        let current = Int(slots[s].current)
        guard current >= 0, [.forwarding, .lowerLayer, .switchingLayer].contains(slot.status) else { return slot }
        slot.layer = encodings[current].layer
        if slots[s].isVideo {
            if encodings[current].height > 0 { slot.height = Int(encodings[current].height) }
        } else if encodings[current].monitor.isAlive {
            slot.meanOpinionScore = score(ofSlot: s, from: current, slot)
        }
        return slot
    }

    /// What the allocation says of a slot.
    private func explain(_ s: Int, in slot: inout SlotQuality) {
        guard slots[s].isVideo else { return }
        if slots[s].wantedHeight < .max { slot.wantedHeight = Int(slots[s].wantedHeight) }
        let given = slots[s].allocation
        slot.isPaused = given.isPaused
        if !given.isPaused, given.temporal != 0xff { slot.temporalLayer = Int(given.temporal) }
        guard given.next > .zero, given.reason == .estimate || given.reason == .held else { return }
        let demand = peers[Int(slots[s].peer)].demand
        slot.isHeld = given.reason == .held
        slot.neededForNext = demand.allocated + demand.other + given.next - given.rate
        if given.nextHeight > 0 { slot.nextHeight = Int(given.nextHeight) }
    }

    private func status(ofSlot s: Int) -> SlotStatus {
        let t = Int(slots[s].track)
        guard t >= 0 else { return .empty }
        if slots[s].assignment.reason == .unsupportedCodec { return .unsupportedCodec }
        if slots[s].isHidden { return .hidden }
        let current = Int(slots[s].current)
        if current >= 0, encodings[current].monitor.isAlive {
            let best = LayerSelector.highestAlive(tracks[t].encodings.map { encodings[Int($0)].monitor.isAlive }) ?? 0
            if encodings[current].layer < best { return slots[s].isWaiting ? .switchingLayer : .lowerLayer }
            return .forwarding
        }
        guard slots[s].isVideo, isBlocked(s) else { return .publisherSilent }
        return slots[s].isFrozen ? .frozen : .awaitingKeyFrame
    }

    /// From mouth to ear: half of both peers' round trips, the worse jitter, and the receiver's loss, in which its publisher's is:
    /// gaps of what comes are gaps of what goes.
    private func score(ofSlot s: Int, from e: Int, _ slot: SlotQuality) -> Double? {
        let receiver = Int(slots[s].peer)
        let publisher = Int(encodings[e].peer)
        guard let there = peers[receiver].roundTrip.measured else { return nil }
        let here = peers[publisher].roundTrip.measured ?? .zero
        let upstream = Self.jitter(encodings[e].statistics.jitter, encodings[e].clockRate)
        return EModel(
            roundTripMilliseconds: (there + here).milliseconds,
            jitterMilliseconds: max(slot.jitter ?? .zero, upstream).milliseconds,
            lossFraction: slot.lossFraction ?? 0
        ).meanOpinionScore
    }
}

extension TimeDelta {
    /// In milliseconds, with what is behind the point.
    var milliseconds: Double { Double(nanoseconds) / 1_000_000 }
}
