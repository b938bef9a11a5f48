// A recorded call played through the core of this build, and what it sent to whom and when: what tests ask about a call.

import Captures
import MediaCore
import TestSupport
import Testing

/// One capture of Captures/, played. Moments are counted from the first input.
struct RealCall {
    /// A decision and when it was taken.
    struct Decided {
        var at: TimeDelta
        var decision: Decision
    }
    /// One receive slot of one peer.
    struct Slot: Hashable {
        var peer: PeerID
        var mid: Mid
    }
    /// A change of who is there.
    struct Commanded {
        var at: TimeDelta
        var command: RoomCommand
    }

    private(set) var decisions: [Decided] = []
    private(set) var commands: [Commanded] = []
    /// When a packet of media, retransmissions aside, was sent on each slot.
    private(set) var sent: [Slot: [TimeDelta]] = [:]
    /// How many retransmissions were sent on each slot.
    private(set) var retransmitted: [Slot: Int] = [:]
    /// When something came from each peer by RTP.
    private(set) var received: [PeerID: [TimeDelta]] = [:]
    private(set) var plans: [PeerID: PeerPlan] = [:]
    private(set) var statistics = Statistics()
    private(set) var duration = TimeDelta.zero

    /// Plays a capture that has every input from the room's beginning.
    static func play(_ name: String) throws -> RealCall {
        let path = ExternalCaptures.packageRoot + "/Captures/" + name + ".pcapng"
        let events = try events(of: try #require(FileBytes.read(path), "there is no \(name).pcapng in Captures"))
        guard case .opened(let configuration, let seed, _, let opened)? = events.first else {
            throw ReplayError.noBeginning(events: events.count)
        }
        var call = RealCall()
        call.play(events.dropFirst(), RoomCore(configuration: configuration, seed: seed), opened)
        return call
    }

    private mutating func play(_ events: ArraySlice<CaptureEvent>, _ room: consuming RoomCore, _ opened: Timestamp) {
        var out = Egress()
        var start: Timestamp?
        for event in events {
            if let moment = event.moment {
                if start == nil { start = moment }
                duration = moment - (start ?? opened)
            }
            switch event {
            case .rtp(let peer, let bytes, let at):
                received[peer, default: []].append(duration)
                room.receiveRTP(bytes.span, from: peer, at: at, into: &out)
            case .rtcp(let peer, let bytes, let at): room.receiveRTCP(bytes.span, from: peer, at: at, into: &out)
            case .cut(let peer, let kind, let bytes, let length, let at):
                let whole = bytes + [UInt8](repeating: 0, count: max(0, length - bytes.count))
                guard kind == .rtp else { continue }
                received[peer, default: []].append(duration)
                room.receiveRTP(whole.span, from: peer, at: at, into: &out)
            case .command(let command, let at):
                if case .applyPlan(let peer, let plan) = command { plans[peer] = plan }
                commands.append(Commanded(at: duration, command: command))
                room.apply(command, at: at, into: &out)
            case .advanced(let at): room.advance(to: at, into: &out)
            case .flushed: flush(&out)
            default: break
            }
        }
        statistics = room.statistics
    }

    private mutating func flush(_ out: inout Egress) {
        for (index, datagram) in out.datagrams.enumerated() where datagram.kind == .rtp {
            guard let header = RTPHeader(out.copy(of: index).span), let plan = plans[datagram.peer] else { continue }
            for slot in plan.slots {
                let key = Slot(peer: datagram.peer, mid: slot.mid)
                if slot.ssrc == header.ssrc { sent[key, default: []].append(duration) }
                if slot.rtxSSRC == header.ssrc { retransmitted[key, default: 0] += 1 }
            }
        }
        for decision in out.decisions { decisions.append(Decided(at: duration, decision: decision)) }
        out.removeAll()
    }

    // MARK: Questions

    /// The track of a source that a peer publishes by its last plan.
    func track(_ peer: UInt32, _ source: TrackSource) throws -> TrackID {
        let published = plans[PeerID(peer)]?.published.first { $0.source == source }
        return TrackID(peer: PeerID(peer), mid: try #require(published, "peer \(peer) publishes no \(source)").mid)
    }

    /// The slot of a receiver that shows a track, by the last assignment that names it.
    func slot(of receiver: UInt32, showing track: TrackID) throws -> Slot {
        var found: Slot?
        for case .slotAssigned(PeerID(receiver), let mid, track, _) in decisions.map(\.decision) {
            found = Slot(peer: PeerID(receiver), mid: mid)
        }
        return try #require(found, "peer \(receiver) is never shown \(track)")
    }

    /// The layers of a track that became alive, in the order in which they did, with when.
    func alive(_ track: TrackID) -> [(at: TimeDelta, layer: Int)] {
        decisions.compactMap { one in
            if case .layerAlive(track, let layer) = one.decision { (one.at, layer) } else { nil }
        }
    }

    /// The layers of a track that fell silent, with when.
    func dead(_ track: TrackID) -> [(at: TimeDelta, layer: Int)] {
        decisions.compactMap { one in
            if case .layerDead(track, let layer, _) = one.decision { (one.at, layer) } else { nil }
        }
    }

    /// The layers of a track that a slot was switched to, with when.
    func switches(_ slot: Slot, _ track: TrackID) -> [(at: TimeDelta, layer: Int)] {
        decisions.compactMap { one in
            if case .switched(slot.peer, slot.mid, track, let layer, _) = one.decision { (one.at, layer) } else { nil }
        }
    }

    /// The longest time without a packet on a slot between two moments, in milliseconds; the whole time when there is
    /// none.
    func longestPause(_ slot: Slot, from: TimeDelta, until: TimeDelta) -> Int64 {
        let times = (sent[slot] ?? []).filter { $0 >= from && $0 <= until }
        let pauses = zip([from] + times, times + [until]).map { $1 - $0 }
        return (pauses.max() ?? until - from).nanoseconds / 1_000_000
    }

    /// How many packets were sent on a slot between two moments.
    func packets(_ slot: Slot, from: TimeDelta, until: TimeDelta) -> Int {
        (sent[slot] ?? []).count { $0 >= from && $0 <= until }
    }

    /// How many key frames were asked for, of one track or of all.
    func keyFrameRequests(_ track: TrackID? = nil) -> Int {
        decisions.count { one in
            if case .keyFrameRequested(let of, _, _, _) = one.decision { track.map { $0 == of } ?? true } else { false }
        }
    }

    /// When a command of this name about a peer was obeyed, each time.
    func moments(_ name: String, of peer: UInt32) -> [TimeDelta] {
        commands.filter { $0.command.name == name && $0.command.peer == PeerID(peer) }.map(\.at)
    }

    /// When the last participant was still there: what follows is the leaving.
    var leaving: TimeDelta {
        commands.first { $0.command.name == "removeParticipant" || $0.command.name == "peerDisconnected" }?.at
            ?? duration
    }
}
