// What the core decided and by which numbers: the log that a replay compares and a person reads.

/// What asked for a key frame.
public enum KeyFrameCause: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// A slot was given a new source or layer.
    case sourceSwitch
    /// A receiver sent a picture loss indication or a full intra request.
    case receiverRequest
    /// Packets were lost on the way from the publisher: more than can be asked for again, or asked for in vain.
    case upstreamLoss
    /// A peer was connected, or connected again.
    case peerConnected
    /// The publisher's stream started anew.
    case streamRestart
    /// What the slot was to be sent next had waited too long for the receiver's pace.
    case pacerStale
}

/// Why a key-frame request was not sent at once.
public enum KeyFrameSuppression: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// One was sent to the publisher's encoding less than the configured interval ago; this one is sent when it is
    /// over.
    case coalesced
    /// The receiver asked too often; it is asked for when its budget allows, unless a key frame comes before.
    case receiverBudget
    /// A key frame was sent to the receiver less than a round trip ago.
    case onItsWay
    /// The track's media section did not negotiate key-frame requests.
    case notNegotiated
}

/// One decision, with its numbers.
public enum Decision: Hashable, Sendable {
    /// An SSRC of a peer belongs to a track's encoding (0 is the lowest layer).
    case streamBound(peer: PeerID, ssrc: SSRC, mid: Mid, layer: Int, isRetransmission: Bool)
    /// A learned SSRC was forgotten to make room for another; `idle` is the time since its last packet.
    case streamEvicted(peer: PeerID, ssrc: SSRC, idle: TimeDelta)
    /// The publisher's sequence numbers jumped by `jump` and the stream is taken as started anew.
    case streamRestarted(TrackID, layer: Int, jump: Int)
    /// Packets of an encoding arrive.
    case layerAlive(TrackID, layer: Int)
    /// No packet of an encoding arrived for `silence`.
    case layerDead(TrackID, layer: Int, silence: TimeDelta)
    /// A slot shows another track.
    case slotAssigned(peer: PeerID, slot: Mid, track: TrackID?, reason: SlotReason)
    /// A slot did not negotiate the track's codec.
    case unsupportedCodec(peer: PeerID, slot: Mid, track: TrackID, codec: Codec)
    /// A slot waits for a key frame of the encoding.
    case waitingForKeyFrame(peer: PeerID, slot: Mid, track: TrackID, layer: Int)
    /// A slot forwards the encoding from now on, `waited` after it was asked to.
    case switched(peer: PeerID, slot: Mid, track: TrackID, layer: Int, waited: TimeDelta)
    /// A key frame was asked of the publisher; `attempt` counts from 1 until one arrives.
    case keyFrameRequested(TrackID, layer: Int, cause: KeyFrameCause, attempt: Int)
    /// A key-frame request was put off or left out.
    case keyFrameSuppressed(TrackID, layer: Int, cause: KeyFrameCause, why: KeyFrameSuppression)
    /// More than `limit` packets of an encoding were missing; all were given up.
    case nackListOverflowed(TrackID, layer: Int, limit: Int)
    /// A slot's time was moved towards the line of the server's clock, by `ticks` of its RTP clock.
    case timestampCorrected(peer: PeerID, slot: Mid, ticks: Int)
    /// A video slot has shown nothing for `silence` although the track's publisher sends; told once until it shows
    /// something again.
    case receiverFrozen(peer: PeerID, slot: Mid, track: TrackID, silence: TimeDelta)
    /// Of an encoding with layers of its own a slot forwards these and all below them from now on (0 is the lowest).
    case layerSwitched(peer: PeerID, slot: Mid, track: TrackID, layer: Int, spatial: Int, temporal: Int)
    /// A spatial or temporal layer within an encoding has stopped or goes on, by its packets: so many arrive.
    case layersChanged(TrackID, layer: Int, spatial: Int, temporal: Int)
    /// The estimate of what the path to a receiver carries has changed by a tenth or more since it was told last.
    case estimateChanged(peer: PeerID, EstimateChange)
    /// A probe cluster begins: packets at `rate`, above the estimate.
    case probeStarted(peer: PeerID, rate: DataRate, estimate: DataRate)
    /// A slot may be sent a track's encoding (0 is the lowest; nil: none, the slot is paused) up to these layers of it (nil: all),
    /// which takes `rate`. `needed` is what the next better step takes, zero where none is wanted.
    case layerAllocated(
        peer: PeerID, slot: Mid, track: TrackID, layer: Int?, spatial: Int?, temporal: Int?, rate: DataRate,
        needed: DataRate, estimate: DataRate, reason: AllocationReason)
    /// The encodings of a track, lowest first, that anybody needs have changed; its publisher is told.
    case layersNeeded(TrackID, [Bool])
    /// Somebody else has the floor: is the dominant speaker.
    case dominantSpeakerChanged(FloorChange)
}
