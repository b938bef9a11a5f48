// Notices video slots that show nothing although their track's publisher sends: the key frame that they wait for does not come,
// or their layer is dead. Mends nothing; tells it once.

extension RoomCore {
    /// A slot that has shown nothing for this long is frozen.
    static let freezeTime = TimeDelta.seconds(2)

    /// Begins to look at a receiver's slots.
    mutating func watchForFreezes(of p: Int, at now: Timestamp) {
        guard peers[p].isConnected else { return }
        for s in peers[p].slots where slots[Int(s)].shownAt == nil { slots[Int(s)].expectPicture(at: now) }
        guard peers[p].slots.contains(where: { slots[Int($0)].isVideo }) else {
            peers[p].nextFreeze = nil
            return
        }
        peers[p].nextFreeze.bring(forwardTo: now + Self.freezeTime)
    }

    /// A track whose publisher was silent sends again: from now on its receivers miss pictures.
    mutating func expectPictures(of t: Int, at now: Timestamp) {
        guard tracks[t].isVideo else { return }
        var alive = 0
        for e in tracks[t].encodings where encodings[Int(e)].monitor.isAlive { alive += 1 }
        guard alive == 1 else { return }
        for i in peerOrder.indices {
            for s in peers[Int(peerOrder[i])].slots where Int(slots[Int(s)].track) == t {
                slots[Int(s)].expectPicture(at: now)
            }
        }
    }

    /// Looks at every video slot of a receiver, and notes when to look again: whatever changes meanwhile, nothing can be
    /// frozen before.
    mutating func checkForFreezes(of p: Int, at now: Timestamp, into out: inout Egress) {
        var next = now + Self.freezeTime
        var hasVideo = false
        for number in peers[p].slots {
            let s = Int(number)
            guard slots[s].isVideo else { continue }
            hasVideo = true
            guard let shown = slots[s].shownAt, isBlocked(s) else {
                slots[s].expectPicture(at: now)
                continue
            }
            if shown + Self.freezeTime > now {
                next = min(next, shown + Self.freezeTime)
            } else if slots[s].freeze() {
                let peer = peers[p].id
                let track = tracks[Int(slots[s].track)].id
                let slot = slots[s].plan.mid
                out.decisions.append(.receiverFrozen(peer: peer, slot: slot, track: track, silence: now - shown))
                out.events.append(.receiverFrozen(peer: peer, slot: slot, track: track))
            }
        }
        peers[p].nextFreeze = hasVideo ? next : nil
    }

    /// Whether a slot forwards nothing although its publisher sends something that it could.
    func isBlocked(_ s: Int) -> Bool {
        // A picture that the path does not carry is paused and said to be; nothing is missing that should come.
        guard !slots[s].allocation.isPaused else { return false }
        let t = Int(slots[s].track)
        guard t >= 0, !slots[s].isHidden, slots[s].target >= 0 else { return false }
        let current = Int(slots[s].current)
        guard current < 0 || !encodings[current].monitor.isAlive else { return false }
        for e in tracks[t].encodings where encodings[Int(e)].monitor.isAlive { return true }
        return false
    }
}
