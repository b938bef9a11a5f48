// Looks which layers and tracks of a peer have fallen silent, and moves their receivers to what is alive.

extension RoomCore {
    /// Checks every layer and track of a peer, and notes when to look again.
    mutating func checkLiveness(of p: Int, at now: Timestamp, into out: inout Egress) {
        peers[p].nextLiveness = nil
        for number in peers[p].tracks {
            let t = Int(number)
            var hasDied = false
            for e in tracks[t].encodings {
                let layer = Int(e)
                if encodings[layer].monitor.expire(at: now) {
                    hasDied = true
                    let silence = encodings[layer].monitor.lastPacket.map { now - $0 } ?? .zero
                    out.decisions.append(
                        .layerDead(tracks[t].id, layer: encodings[layer].layer, silence: silence))
                    encodings[layer].nacks.reset()
                }
                if encodings[layer].rates.expire(at: now) { layersChanged(layer, into: &out) }
                peers[p].nextLiveness.bring(forwardTo: encodings[layer].rates.deadline(at: now))
                peers[p].nextLiveness.bring(forwardTo: encodings[layer].monitor.deadline)
            }
            if hasDied { chooseLayers(of: t, requesting: true, at: now, into: &out) }
            // A publisher that was asked for nothing is not silent.
            guard tracks[t].encodings.contains(where: { encodings[Int($0)].wish.isAsked }) else { continue }
            guard peers[p].isConnected, !tracks[t].isMuted, !tracks[t].hasStalled, let quiet = tracks[t].quietSince
            else {
                continue
            }
            if now - quiet >= PublishedTrack.stallTime {
                tracks[t].hasStalled = true
                out.events.append(.trackStalled(tracks[t].id))
            } else {
                peers[p].nextLiveness.bring(forwardTo: quiet + PublishedTrack.stallTime)
            }
        }
    }

    /// Notes of which layers of an encoding a packet is.
    mutating func noteLayers(
        _ packet: HistoryPacket, bytes: Int, isRetransmission: Bool, _ e: Int, at now: Timestamp,
        into out: inout Egress
    ) {
        guard packet.length > 0 else { return }
        switch encodings[e].rates.note(
            bytes: bytes, spatial: packet.spatialLayer, temporal: packet.temporalLayer, timestamp: packet.timestamp,
            isKeyFrame: packet.isKeyFrame, isRetransmission: isRetransmission, at: now)
        {
        case .nothing: return
        case .layerSeen: break
        case .layerReturned: layersChanged(e, into: &out)
        }
        peers[Int(encodings[e].peer)].nextLiveness.bring(forwardTo: encodings[e].rates.deadline(at: now))
    }

    /// Notes the heights that a packet tells of: a VP8 key frame's, VP9's scalability structure, a Dependency Descriptor's.
    mutating func noteHeights(_ packet: HistoryPacket, _ bytes: Span<UInt8>, at start: Int, _ e: Int) {
        if let dependency = packet.dependency {
            guard dependency.isKeyFrame, let structure = encodings[e].dependencies.structure else { return }
            encodings[e].rates.declare(spatialLayers: structure.spatialLayerCount)
            for (layer, resolution) in structure.resolutions.enumerated() {
                noteHeight(UInt16(clamping: resolution.height), layer, e)
            }
        } else if let vp8 = packet.vp8 {
            if packet.isKeyFrame { noteHeight(vp8.height, 0, e) }
        } else if let vp9 = packet.vp9, vp9.spatialLayerCount > 0 {
            encodings[e].rates.declare(spatialLayers: Int(vp9.spatialLayerCount))
            for layer in 0..<Int(vp9.spatialLayerCount) {
                noteHeight(vp9.height(ofLayer: layer, bytes, at: start), layer, e)
            }
        }
    }

    private mutating func noteHeight(_ height: UInt16, _ layer: Int, _ e: Int) {
        guard height > 0 else { return }
        encodings[e].rates.setHeight(height, spatial: layer)
        encodings[e].height = height
    }

    /// A layer within an encoding has stopped, or goes on.
    private mutating func layersChanged(_ e: Int, into out: inout Egress) {
        out.decisions.append(
            .layersChanged(
                tracks[Int(encodings[e].track)].id, layer: encodings[e].layer,
                spatial: encodings[e].rates.liveSpatialLayers, temporal: encodings[e].rates.liveTemporalLayers))
    }
}
