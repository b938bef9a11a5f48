// Which layers of a publisher anybody needs: those that nobody does are not to be sent, and are to be sent again before they are
// needed. Tells the control plane; the publisher's client obeys, or does not.

/// Whether an encoding is asked of its publisher.
struct EncodingWish: BitwiseCopyable {
    /// The publisher was told that somebody needs it; that holds until it is told otherwise.
    var isAsked = true
    /// Since when it has been asked for again.
    var askedAt: Timestamp?
    /// When it was needed last.
    var neededAt: Timestamp?
}

extension Encoding {
    /// It does not arrive because nobody needed it, and comes when it is asked for; or was asked for a moment ago.
    func mayBeResumed(at now: Timestamp) -> Bool {
        if !wish.isAsked { return true }
        return wish.askedAt.map { now - $0 < RoomCore.resumeTime } ?? false
    }
}

extension RoomCore {
    /// How often it is looked for layers that nobody needs.
    static let layersInterval = TimeDelta.milliseconds(500)
    /// Nobody needs a layer that was not needed for so long.
    static let unneededTime = TimeDelta.seconds(3)
    /// The next better step is needed soon where the estimate is at least so much of it, in percent.
    static let soonPercent: Int64 = 75

    /// Somebody needs an encoding: its publisher is told at once if it had been told otherwise.
    mutating func askFor(_ e: Int, at now: Timestamp, into out: inout Egress) {
        encodings[e].wish.neededAt = now
        guard !encodings[e].wish.isAsked else { return }
        encodings[e].wish.isAsked = true
        encodings[e].wish.askedAt = now
        tellLayers(of: Int(encodings[e].track), at: now, into: &out)
    }

    private mutating func tellLayers(of t: Int, at now: Timestamp, into out: inout Egress) {
        let asked = tracks[t].encodings.map { encodings[Int($0)].wish.isAsked }
        out.events.append(.layersWanted(tracks[t].id, asked))
        out.decisions.append(.layersNeeded(tracks[t].id, asked))
        // Its silence counts from now on.
        tracks[t].quietSince = now
        tracks[t].hasStalled = false
        peers[Int(tracks[t].peer)].nextLiveness.bring(forwardTo: now + PublishedTrack.stallTime)
    }

    /// Looks through all video encodings, and tells their publishers of those that nobody has needed for a while.
    mutating func lookForUnneededLayers(at now: Timestamp, into out: inout Egress) {
        nextLayers = nil
        guard !configuration.bitrate.isUnlimited else { return }
        var watchers = 0
        var watcher = -1
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            var watches = false
            for number in peers[p].slots where slots[Int(number)].isVideo && !slots[Int(number)].isHidden {
                watches = true
                noteNeeded(Int(number), of: p, at: now, into: &out)
            }
            if watches {
                watchers += 1
                watcher = p
            }
        }
        var hasVideo = false
        for t in 0..<tracks.limit where tracks.contains(t) && tracks[t].isVideo {
            hasVideo = true
            // The lowest layer goes on as long as anybody might be shown it next.
            if watchers > 1 || watchers == 1 && watcher != Int(tracks[t].peer), let lowest = tracks[t].encodings.first {
                askFor(Int(lowest), at: now, into: &out)
            }
            var hasChanged = false
            for number in tracks[t].encodings {
                let e = Int(number)
                if encodings[e].wish.neededAt == nil { encodings[e].wish.neededAt = now }
                guard encodings[e].wish.isAsked, let needed = encodings[e].wish.neededAt,
                    now - needed >= Self.unneededTime
                else { continue }
                encodings[e].wish.isAsked = false
                hasChanged = true
            }
            if hasChanged { tellLayers(of: t, at: now, into: &out) }
        }
        if hasVideo { nextLayers = now + Self.layersInterval }
    }

    /// What a slot shows, waits for, and will be given soon is needed.
    private mutating func noteNeeded(_ s: Int, of p: Int, at now: Timestamp, into out: inout Egress) {
        for e in [slots[s].current, slots[s].target, slots[s].allocation.encoding] where e >= 0 {
            askFor(Int(e), at: now, into: &out)
        }
        let next = Int(slots[s].allocation.nextEncoding)
        guard next >= 0, encodings.contains(next), Int(encodings[next].track) == Int(slots[s].track) else { return }
        let demand = peers[p].demand
        let needed = demand.allocated + demand.other + (slots[s].allocation.next - slots[s].allocation.rate)
        if demand.estimate.bitsPerSecond * 100 >= needed.bitsPerSecond * Self.soonPercent {
            askFor(next, at: now, into: &out)
        }
    }
}

extension EncodingWish: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isAsked)
        try c.code(&askedAt)
        try c.code(&neededAt)
    }
}
