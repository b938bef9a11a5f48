// Decisions and events of the room as fields. The first byte tells the case; a case keeps its number for ever and a new
// one takes the next.
import MediaCore

extension FieldWriter {
    mutating func track(_ value: TrackID) {
        peer(value.peer)
        token(value.mid.token)
    }
    private mutating func layer(_ track: TrackID, _ layer: Int) {
        self.track(track)
        signed(Int64(layer))
    }
    mutating func slotReason(_ value: SlotReason) { byte(value.rawValue) }

    mutating func event(_ value: RoomEvent) {
        switch value {
        case .slotChanged(let peer, let assignment):
            byte(0)
            self.peer(peer)
            token(assignment.mid.token)
            optional(assignment.track) { $0.track($1) }
            slotReason(assignment.reason)
        case .trackStarted(let track):
            byte(1)
            self.track(track)
        case .trackStalled(let track):
            byte(2)
            self.track(track)
        case .receiverFrozen(let peer, let slot, let track):
            byte(3)
            self.peer(peer)
            token(slot.token)
            self.track(track)
        case .layersWanted(let track, let layers):
            byte(4)
            self.track(track)
            list(layers) { $0.flag($1) }
        case .speakersChanged(let report):
            byte(5)
            speakers(report)
        }
    }

    mutating func decision(_ value: Decision) {
        switch value {
        case .streamBound(let peer, let ssrc, let mid, let layer, let isRetransmission):
            byte(0)
            self.peer(peer)
            number(UInt64(ssrc.rawValue))
            token(mid.token)
            signed(Int64(layer))
            flag(isRetransmission)
        case .streamEvicted(let peer, let ssrc, let idle):
            byte(1)
            self.peer(peer)
            number(UInt64(ssrc.rawValue))
            signed(idle.nanoseconds)
        case .streamRestarted(let track, let layer, let jump):
            byte(2)
            self.layer(track, layer)
            signed(Int64(jump))
        case .layerAlive(let track, let layer):
            byte(3)
            self.layer(track, layer)
        case .layerDead(let track, let layer, let silence):
            byte(4)
            self.layer(track, layer)
            signed(silence.nanoseconds)
        case .slotAssigned(let peer, let slot, let track, let reason):
            byte(5)
            self.peer(peer)
            token(slot.token)
            optional(track) { $0.track($1) }
            slotReason(reason)
        case .unsupportedCodec(let peer, let slot, let track, let codec):
            byte(6)
            self.peer(peer)
            token(slot.token)
            self.track(track)
            self.codec(codec)
        default: laterDecision(value)
        }
    }

    private mutating func laterDecision(_ value: Decision) {
        switch value {
        case .waitingForKeyFrame(let peer, let slot, let track, let layer):
            byte(7)
            self.peer(peer)
            token(slot.token)
            self.layer(track, layer)
        case .switched(let peer, let slot, let track, let layer, let waited):
            byte(8)
            self.peer(peer)
            token(slot.token)
            self.layer(track, layer)
            signed(waited.nanoseconds)
        case .keyFrameRequested(let track, let layer, let cause, let attempt):
            byte(9)
            self.layer(track, layer)
            byte(cause.rawValue)
            signed(Int64(attempt))
        case .keyFrameSuppressed(let track, let layer, let cause, let why):
            byte(10)
            self.layer(track, layer)
            byte(cause.rawValue)
            byte(why.rawValue)
        case .nackListOverflowed(let track, let layer, let limit):
            byte(11)
            self.layer(track, layer)
            signed(Int64(limit))
        case .timestampCorrected(let peer, let slot, let ticks):
            byte(12)
            self.peer(peer)
            token(slot.token)
            signed(Int64(ticks))
        case .receiverFrozen(let peer, let slot, let track, let silence):
            byte(13)
            self.peer(peer)
            token(slot.token)
            self.track(track)
            signed(silence.nanoseconds)
        case .layerSwitched(let peer, let slot, let track, let layer, let spatial, let temporal):
            byte(14)
            self.peer(peer)
            token(slot.token)
            self.layer(track, layer)
            signed(Int64(spatial))
            signed(Int64(temporal))
        case .layersChanged(let track, let layer, let spatial, let temporal):
            byte(15)
            self.layer(track, layer)
            signed(Int64(spatial))
            signed(Int64(temporal))
        case .estimateChanged, .probeStarted, .layerAllocated, .layersNeeded: bitrateDecision(value)
        case .dominantSpeakerChanged(let change): floor(change)
        case .streamBound, .streamEvicted, .streamRestarted, .layerAlive, .layerDead, .slotAssigned, .unsupportedCodec:
            preconditionFailure("the first seven cases are written by decision(_:)")
        }
    }
}

extension FieldReader {
    mutating func track() -> TrackID? {
        guard let peer = peer(), let mid = mid() else { return nil }
        return TrackID(peer: peer, mid: mid)
    }
    private mutating func layer() -> (TrackID, Int)? {
        guard let track = track(), let layer = integer() else { return nil }
        return (track, layer)
    }
    private mutating func slot() -> (PeerID, Mid)? {
        guard let peer = peer(), let mid = mid() else { return nil }
        return (peer, mid)
    }

    mutating func decision() -> Decision? {
        switch byte() {
        case 0:
            guard let (peer, ssrc, mid) = stream(), let layer = integer(), let again = flag() else { return nil }
            return .streamBound(peer: peer, ssrc: ssrc, mid: mid, layer: layer, isRetransmission: again)
        case 1:
            guard let peer = peer(), let ssrc = ssrc(), let idle = span() else { return nil }
            return .streamEvicted(peer: peer, ssrc: ssrc, idle: idle)
        case 2:
            guard let (track, layer) = layer(), let jump = integer() else { return nil }
            return .streamRestarted(track, layer: layer, jump: jump)
        case 3: return layer().map { .layerAlive($0.0, layer: $0.1) }
        case 4:
            guard let (track, layer) = layer(), let silence = span() else { return nil }
            return .layerDead(track, layer: layer, silence: silence)
        case 5:
            guard let (peer, slot) = slot(), let track = optional({ $0.track() }),
                let reason = byte().flatMap({ SlotReason(rawValue: $0) })
            else { return nil }
            return .slotAssigned(peer: peer, slot: slot, track: track, reason: reason)
        case 6:
            guard let (peer, slot) = slot(), let track = track(), let codec = codec() else { return nil }
            return .unsupportedCodec(peer: peer, slot: slot, track: track, codec: codec)
        case let tag?: return laterDecision(tag)
        case nil: return nil
        }
    }

    private mutating func stream() -> (PeerID, SSRC, Mid)? {
        guard let peer = peer(), let ssrc = ssrc(), let mid = mid() else { return nil }
        return (peer, ssrc, mid)
    }

    private mutating func laterDecision(_ tag: UInt8) -> Decision? {
        switch tag {
        case 7:
            guard let (peer, slot) = slot(), let (track, layer) = layer() else { return nil }
            return .waitingForKeyFrame(peer: peer, slot: slot, track: track, layer: layer)
        case 8:
            guard let (peer, slot) = slot(), let (track, layer) = layer(), let waited = span() else { return nil }
            return .switched(peer: peer, slot: slot, track: track, layer: layer, waited: waited)
        case 9:
            guard let (track, layer) = layer(), let cause = cause(), let attempt = integer() else { return nil }
            return .keyFrameRequested(track, layer: layer, cause: cause, attempt: attempt)
        case 10:
            guard let (track, layer) = layer(), let cause = cause(),
                let why = byte().flatMap({ KeyFrameSuppression(rawValue: $0) })
            else { return nil }
            return .keyFrameSuppressed(track, layer: layer, cause: cause, why: why)
        case 11:
            guard let (track, layer) = layer(), let limit = integer() else { return nil }
            return .nackListOverflowed(track, layer: layer, limit: limit)
        case 12:
            guard let (peer, slot) = slot(), let ticks = integer() else { return nil }
            return .timestampCorrected(peer: peer, slot: slot, ticks: ticks)
        case 13:
            guard let (peer, slot) = slot(), let track = track(), let silence = span() else { return nil }
            return .receiverFrozen(peer: peer, slot: slot, track: track, silence: silence)
        case 14:
            guard let (peer, slot) = slot(), let (track, layer) = layer(), let spatial = integer(),
                let temporal = integer()
            else { return nil }
            return .layerSwitched(
                peer: peer, slot: slot, track: track, layer: layer, spatial: spatial, temporal: temporal)
        case 15:
            guard let (track, layer) = layer(), let spatial = integer(), let temporal = integer() else { return nil }
            return .layersChanged(track, layer: layer, spatial: spatial, temporal: temporal)
        case 20: return floor()
        default: return bitrateDecision(tag)
        }
    }
    private mutating func cause() -> KeyFrameCause? { byte().flatMap { KeyFrameCause(rawValue: $0) } }
}
