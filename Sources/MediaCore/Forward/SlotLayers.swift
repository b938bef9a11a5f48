// What of its source each slot may forward and does forward: the door for whoever allots bandwidth to slots and reports on
// them. Which frames that means is LayerFilter's to say.

/// What a slot forwards.
struct ForwardedLayers: Equatable {
    /// The room's number of the encoding.
    var encoding: Int32
    /// The highest spatial and temporal layer of it that is forwarded and arrives, from 0.
    var spatial: UInt8
    var temporal: UInt8
}

extension RoomCore {
    /// Sets the highest spatial and temporal layer that a slot forwards of its source (`LayerFilter.all`: no limit). Less
    /// takes effect with the next frame; more where a decoder can follow, and where that is at a key frame only, one is
    /// asked for.
    mutating func limitLayers(
        of s: Int, spatial: UInt8, temporal: UInt8, at now: Timestamp, into out: inout Egress
    ) {
        guard slots[s].isVideo else { return }
        slots[s].limit(spatial: spatial, temporal: temporal)
        let spatial = min(spatial, slots[s].spatialCeiling)
        let e = Int(slots[s].current)
        guard e >= 0, !slots[s].isHidden, !slots[s].isWaiting else { return }
        let present = slots[s].layers.level.spatial
        let wanted = min(min(spatial, slots[s].layers.spatialCap), top(encodings[e].rates.liveSpatialLayers))
        let targets = encodings[e].dependencies.targets
        // Layers that are streams of their own need one for the way down too.
        if present < wanted || present > wanted && targets.count > 0 && !targets.isLayered {
            requestKeyFrame(e, cause: .sourceSwitch, at: now, into: &out)
        }
    }

    /// What a slot forwards now; nil while it forwards nothing.
    func forwardedLayers(of s: Int) -> ForwardedLayers? {
        let e = Int(slots[s].current)
        return e >= 0 ? forwardedLayers(e, slots[s].layers.level) : nil
    }

    /// What there is of an encoding within a level.
    private func forwardedLayers(_ e: Int, _ level: LayerFilter.Level) -> ForwardedLayers {
        ForwardedLayers(
            encoding: Int32(truncatingIfNeeded: e),
            spatial: min(level.spatial, top(encodings[e].rates.liveSpatialLayers)),
            temporal: min(level.temporal, top(encodings[e].rates.liveTemporalLayers)))
    }

    private func top(_ layers: Int) -> UInt8 { UInt8(truncatingIfNeeded: max(1, layers) - 1) }

    /// The slot's layers changed; within one encoding that is a decision of its own.
    mutating func layersSwitched(_ s: Int, _ e: Int, from before: LayerFilter.Level, into out: inout Egress) {
        guard Int(slots[s].current) == e else { return }
        let forwarded = forwardedLayers(e, slots[s].layers.level)
        guard forwarded != forwardedLayers(e, before) else { return }
        out.decisions.append(
            .layerSwitched(
                peer: peers[Int(slots[s].peer)].id, slot: slots[s].plan.mid, track: tracks[Int(encodings[e].track)].id,
                layer: encodings[e].layer, spatial: Int(forwarded.spatial), temporal: Int(forwarded.temporal)))
    }

    /// For simulations: a ceiling for whatever a slot of a peer is limited to from now on.
    @_spi(Simulation) public mutating func limitLayers(
        of peer: PeerID, slot: Mid, spatial: UInt8, temporal: UInt8, at now: Timestamp, into out: inout Egress
    ) {
        guard let p = peerIndex.find(peer.rawValue),
            let s = peers[p].slots.first(where: { slots[Int($0)].plan.mid == slot })
        else { return }
        slots[Int(s)].spatialCeiling = spatial
        slots[Int(s)].temporalCeiling = temporal
        let given = slots[Int(s)].allocation
        limitLayers(of: Int(s), spatial: given.spatial, temporal: given.temporal, at: now, into: &out)
    }
}
