// Has the policy fill every receiver's slots, and carries out what changed: sources aimed at, key frames asked for, the
// control plane told.

extension RoomCore {
    /// How often the speakers are chosen again while somebody speaks who is on no slot.
    static let speakersInterval = TimeDelta.milliseconds(100)

    /// Slots times tracks that count as one unit of the budget below: some 20 microseconds.
    static let workUnit: Int64 = 1_000
    /// Units of work that commands may cause at once, and in a second: a sixth of a core.
    static let assignmentWork: Int64 = 8_000
    /// The shortest time between two assignments because of who speaks: 40 ms of speech and this are less than the 60 in
    /// which a speaker is to be heard.
    static let shortestSpeakersInterval = TimeDelta.milliseconds(10)

    /// Assigns all slots anew after a command: now, as long as those who give commands leave the room the time for it, else
    /// a little later. `concerned` is the peer whose own slots are assigned in any case.
    mutating func assignSlotsSoon(concerned: Int? = nil, at now: Timestamp, into out: inout Egress) {
        let work = Int64(slots.count) * Int64(tracks.count) / Self.workUnit
        if assignmentBudget.take(work + 1, at: now) { return assignSlots(at: now, into: &out) }
        if let concerned { assignSlots(ofOnly: concerned, at: now, into: &out) } else { rebuildFanout() }
        nextSpeakers.bring(
            forwardTo: max(now + Self.shortestSpeakersInterval, (slotsAssignedAt ?? now) + Self.speakersInterval))
    }

    /// Assigns all slots anew: now, or when the last time is so long ago. For what one participant can bring about as often
    /// as it likes: the work grows with the square of the room.
    mutating func assignSlots(notWithin interval: TimeDelta, at now: Timestamp, into out: inout Egress) {
        if let last = slotsAssignedAt, now >= last, now - last < interval {
            nextSpeakers.bring(forwardTo: last + interval)
        } else {
            assignSlots(at: now, into: &out)
        }
    }

    /// Assigns all slots anew, or those of one receiver when nothing that concerns the others has changed.
    mutating func assignSlots(ofOnly receiver: Int? = nil, at now: Timestamp, into out: inout Egress) {
        let candidates = slotCandidates(at: now)
        if receiver == nil {
            choosesSpeakers = false
            slotsAssignedAt = now
        }
        var isUnheard = false
        var changed: [Int] = []
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            guard !peers[p].slots.isEmpty, receiver == nil || receiver == p else { continue }
            let id = peers[p].id
            let states = peers[p].slots.map { number in
                SlotState(plan: slots[Int(number)].plan, pin: slots[Int(number)].pin, track: slots[Int(number)].track)
            }
            let result = SlotPolicy.fill(states, from: candidates.filter { $0.id.peer != id }, at: now)
            choosesSpeakers = choosesSpeakers || result.isSelective
            isUnheard = isUnheard || result.hasUnheardSpeaker
            for (j, state) in result.slots.enumerated() {
                let s = Int(peers[p].slots[j])
                if assign(state, to: s, of: p, candidates, at: now, into: &out) { changed.append(s) }
            }
        }
        if receiver == nil { nextSpeakers = nil }
        if isUnheard { nextSpeakers.bring(forwardTo: now + Self.speakersInterval) }
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            guard changed.contains(where: { Int(slots[$0].peer) == p && slots[$0].isVideo }) else { continue }
            allocate(p, at: now, changed: &changed, into: &out)
        }
        rebuildFanout()
        for s in changed { requestForWaiting(s, cause: .sourceSwitch, at: now, into: &out) }
    }

    /// Every track that may be shown, in the order of preference, which is the same for all receivers.
    private mutating func slotCandidates(at now: Timestamp) -> [SlotCandidate] {
        var candidates: [SlotCandidate] = []
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            var voice: (isOpen: Bool, loudness: Int32, opened: Timestamp?, last: Timestamp?) = (false, 0, nil, nil)
            for number in peers[p].tracks {
                let t = Int(number)
                guard !tracks[t].isVideo, !tracks[t].isMuted else { continue }
                _ = tracks[t].gate.expire(at: now)
                guard tracks[t].plan.source == .microphone else { continue }
                voice = (
                    tracks[t].gate.isOpen, tracks[t].gate.loudness, tracks[t].gate.openedAt, tracks[t].gate.lastSpeech
                )
            }
            for number in peers[p].tracks {
                let t = Int(number)
                guard !tracks[t].isMuted else { continue }
                var candidate = SlotCandidate(
                    track: number, id: tracks[t].id, kind: tracks[t].plan.kind,
                    isScreen: tracks[t].plan.source == .screen && tracks[t].isVideo, order: tracks[t].order,
                    isSpeaking: voice.isOpen, loudness: voice.loudness, openedAt: voice.opened, lastSpeech: voice.last,
                    codec: tracks[t].currentCodec)
                if !tracks[t].isVideo {
                    candidate.isSpeaking = tracks[t].gate.isOpen
                    candidate.loudness = tracks[t].gate.loudness
                    candidate.openedAt = tracks[t].gate.openedAt
                    candidate.lastSpeech = tracks[t].gate.lastSpeech
                }
                candidates.append(candidate)
            }
        }
        return candidates.sorted { SlotPolicy.comesBefore($0, $1) }
    }

    /// Carries out what the policy says of one slot; true when its source changed.
    private mutating func assign(
        _ state: SlotState, to s: Int, of p: Int, _ candidates: [SlotCandidate], at now: Timestamp,
        into out: inout Egress
    ) -> Bool {
        let candidate = candidates.first { $0.track == state.track }
        let assignment = SlotAssignment(mid: slots[s].plan.mid, track: candidate?.id, reason: state.reason)
        let isCarried = candidate != nil && state.reason != .unsupportedCodec
        let hasMoved =
            slots[s].track != state.track
            || (slots[s].assignment.reason == .unsupportedCodec) == isCarried && candidate != nil
        if slots[s].assignment != assignment {
            slots[s].assignment = assignment
            out.events.append(.slotChanged(peer: peers[p].id, assignment))
            out.decisions.append(
                .slotAssigned(
                    peer: peers[p].id, slot: assignment.mid, track: assignment.track, reason: assignment.reason))
            if state.reason == .unsupportedCodec, let candidate, let codec = candidate.codec {
                out.decisions.append(
                    .unsupportedCodec(peer: peers[p].id, slot: assignment.mid, track: candidate.id, codec: codec))
            }
        }
        guard hasMoved else { return false }
        slots[s].track = state.track
        var target: Int32 = -1
        // A picture's layer is the allocation's to choose.
        if isCarried, !slots[s].isVideo {
            let all = tracks[Int(state.track)].encodings
            if let best = LayerSelector.highestAlive(all.map { encodings[Int($0)].monitor.isAlive }) {
                target = all[best]
            }
        }
        slots[s].aim(at: target, keepsCurrent: false, now: now)
        slots[s].keyFrames = KeyFrameBudget()
        slots[s].allocation = SlotAllocation()
        return true
    }
}
