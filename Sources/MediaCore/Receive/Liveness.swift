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
}
