// What workers measured, in the protocol's terms: the `quality` message.
import Captures
import Gateway
import MediaCore
import Signalling

extension ControlPlane {
    /// Tells a client how well it is served, unless it has not taken what was sent before: then a newer report follows.
    func tell(_ quality: PeerQuality, to id: PeerID, in room: RoomRecord?) {
        guard let room, room.roster.participant(id)?.isPresent == true, let session = room.members[id]?.session,
            let number = session.machine.connection?.number, let socket = sockets[number],
            gateway?.outputBytes(socket) == 0
        else { return }
        let message = ServerMessage.quality(.init(quality))
        change(session) { machine, actions in machine.inform(message, into: &actions) }
    }
}

extension ServerMessage.Quality {
    /// The message of a report.
    init(_ quality: PeerQuality) {
        self.init(
            mos: quality.meanOpinionScore.map(Self.tenths), rttMilliseconds: quality.roundTrip.map(Self.milliseconds),
            receiving: Direction(quality.toPeer, estimate: quality.estimate), sending: Direction(quality.fromPeer),
            slots: Array(
                quality.slots.lazy.compactMap { Slot($0, estimate: quality.estimate) }.prefix(Self.maximumSlots)))
    }

    /// With one digit behind the point.
    fileprivate static func tenths(_ value: Double) -> Double {
        guard value.isFinite else { return 0 }
        return (max(-1_000_000, min(1_000_000, value)) * 10).rounded() / 10
    }

    fileprivate static func milliseconds(_ span: TimeDelta) -> Int { Int(span.nanoseconds / 1_000_000) }
    fileprivate static func kilobits(_ rate: DataRate) -> Int { Int(rate.bitsPerSecond / 1_000) }
}

extension ServerMessage.Quality.Direction {
    fileprivate init(_ direction: PeerQuality.Direction, estimate: DataRate? = nil) {
        self.init(
            lossPercent: ServerMessage.Quality.tenths(direction.lossFraction * 100),
            jitterMilliseconds: ServerMessage.Quality.milliseconds(direction.jitter),
            kilobitsPerSecond: ServerMessage.Quality.kilobits(direction.rate),
            estimateKilobitsPerSecond: estimate.map(ServerMessage.Quality.kilobits))
    }
}

extension ServerMessage.Quality.Slot {
    /// Nil where nothing is on the slot.
    fileprivate init?(_ slot: SlotQuality, estimate: DataRate?) {
        let status: Status
        switch slot.status {
        case .empty: return nil
        case .hidden: status = .hidden
        case .unsupportedCodec: status = .unsupportedCodec
        case _ where slot.isPaused: status = .paused
        case _ where slot.isLimited(by: estimate): status = .limited
        case _ where slot.isAsWanted: status = .forwarding
        case .publisherSilent: status = .publisherSilent
        case .awaitingKeyFrame: status = .awaitingKeyFrame
        case .frozen: status = .frozen
        case .forwarding: status = .forwarding
        case .lowerLayer: status = .lowerLayer
        case .switchingLayer: status = .switchingLayer
        }
        self.init(
            mid: slot.assignment.mid.text, track: slot.assignment.track.map { RoomRoster.name(of: $0.peer, $0.mid) },
            status: status, layer: slot.layer, temporalLayer: slot.temporalLayer, height: slot.height,
            wantedHeight: slot.wantedHeight,
            neededKilobitsPerSecond: slot.neededForNext.map(ServerMessage.Quality.kilobits),
            kilobitsPerSecond: ServerMessage.Quality.kilobits(slot.rate),
            lossPercent: slot.lossFraction.map { ServerMessage.Quality.tenths($0 * 100) },
            mos: slot.meanOpinionScore.map(ServerMessage.Quality.tenths), reason: slot.sentence(estimate: estimate))
    }
}
