// A room's tables as they stand in a checkpoint, and what must hold between the rows of a room made from one: every number of a
// row names a row that is there and that belongs to it, so that no later lookup can fail.

extension RoomCore {
    func save(into w: inout CheckpointWriter) {
        w.write(configuration)
        w.write(random)
        w.write(statistics)
        peers.save(into: &w)
        tracks.save(into: &w)
        encodings.save(into: &w)
        slots.save(into: &w)
        w.write(rows: peerOrder)
        w.write(UInt64(nextPeerOrder))
        w.write(UInt64(nextTrackOrder))
        w.write(UInt64(nextSerial))
        w.write(choosesSpeakers)
        w.write(nextSpeakers)
        w.write(speakers)
        w.write(nextLayers)
        w.write(slotsAssignedAt)
        w.write(assignmentBudget)
    }

    /// Fills a room that is empty.
    mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        try r.code(&configuration)
        try r.code(&random)
        try r.code(&statistics)
        try peers.restore(&r)
        try tracks.restore(&r)
        try encodings.restore(&r)
        try slots.restore(&r)
        peerOrder = try r.readRows()
        try r.code(&nextPeerOrder)
        try r.code(&nextTrackOrder)
        try r.code(&nextSerial)
        try r.code(&choosesSpeakers)
        try r.code(&nextSpeakers)
        try r.code(&speakers)
        try r.code(&nextLayers)
        try r.code(&slotsAssignedAt)
        try r.code(&assignmentBudget)
        for p in 0..<peers.limit where peers.contains(p) {
            try r.require(peerIndex.find(peers[p].id.rawValue) == nil)
            peerIndex.set(peers[p].id.rawValue, to: p)
        }
        try r.require(isConsistent)
    }

    /// Whether each row belongs to exactly one other, and every number names a row that it may name.
    private var isConsistent: Bool {
        var order = Owned(peers.limit)
        var ownedTracks = Owned(tracks.limit)
        var ownedEncodings = Owned(encodings.limit)
        var ownedSlots = Owned(slots.limit)
        for number in peerOrder {
            let p = Int(number)
            guard peers.contains(p), order.take(p), isConsistent(peer: p, &ownedTracks, &ownedSlots) else {
                return false
            }
        }
        for t in 0..<tracks.limit where tracks.contains(t) {
            guard isConsistent(track: t, &ownedEncodings) else { return false }
        }
        for e in 0..<encodings.limit where encodings.contains(e) {
            guard isConsistent(encoding: e) else { return false }
        }
        for s in 0..<slots.limit where slots.contains(s) {
            guard isConsistent(slot: s) else { return false }
        }
        return order.count == peers.count && ownedTracks.count == tracks.count
            && ownedEncodings.count == encodings.count && ownedSlots.count == slots.count
    }

    private func isConsistent(peer p: Int, _ ownedTracks: inout Owned, _ ownedSlots: inout Owned) -> Bool {
        for number in peers[p].tracks {
            let t = Int(number)
            guard tracks.contains(t), Int(tracks[t].peer) == p, tracks[t].id.peer == peers[p].id, ownedTracks.take(t)
            else { return false }
        }
        for number in peers[p].slots {
            let s = Int(number)
            guard slots.contains(s), Int(slots[s].peer) == p, ownedSlots.take(s) else { return false }
        }
        for binding in peers[p].streams.rows {
            let e = Int(binding.encoding)
            guard encodings.contains(e), Int(encodings[e].peer) == p else { return false }
        }
        return true
    }

    private func isConsistent(track t: Int, _ ownedEncodings: inout Owned) -> Bool {
        for number in tracks[t].encodings {
            let e = Int(number)
            guard encodings.contains(e), Int(encodings[e].track) == t, encodings[e].peer == tracks[t].peer,
                ownedEncodings.take(e)
            else { return false }
        }
        return true
    }

    private func isConsistent(encoding e: Int) -> Bool {
        let t = Int(encodings[e].track)
        guard tracks.contains(t), tracks[t].peer == encodings[e].peer,
            encodings[e].isVideo == tracks[t].isVideo,
            // The position of the codec is used as it is while packets have this payload type.
            encodings[e].payloadType > 0x7f || Int(encodings[e].codec) < tracks[t].plan.codecs.count
        else { return false }
        var forwarded = Owned(slots.limit)
        for number in encodings[e].fanout {
            let s = Int(number)
            // Nobody is sent what he sends himself: a plan may take away slots before it changes tracks.
            guard slots.contains(s), slots[s].peer != encodings[e].peer, forwarded.take(s) else { return false }
        }
        return true
    }

    private func isConsistent(slot s: Int) -> Bool {
        let t = slots[s].track
        let given = slots[s].allocation
        guard t != -1 else {
            return slots[s].current == -1 && slots[s].target == -1 && given.encoding == -1 && given.nextEncoding == -1
        }
        guard tracks.contains(Int(t)), tracks[Int(t)].peer != slots[s].peer,
            tracks[Int(t)].isVideo == slots[s].isVideo
        else { return false }
        for e in [slots[s].current, slots[s].target, given.encoding, given.nextEncoding] where e != -1 {
            guard encodings.contains(Int(e)), encodings[Int(e)].track == t else { return false }
        }
        return true
    }
}

/// Which rows of a table have been found in the list of another row.
private struct Owned {
    private var isTaken: [Bool]
    /// How many.
    private(set) var count = 0

    init(_ limit: Int) { isTaken = [Bool](repeating: false, count: limit) }

    /// False when the row has been found before.
    mutating func take(_ row: Int) -> Bool {
        guard row >= 0, row < isTaken.count, !isTaken[row] else { return false }
        isTaken[row] = true
        count += 1
        return true
    }
}
