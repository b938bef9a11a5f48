// The control plane's commands: peers come and go, plans are settled anew, tracks muted, wishes told. Each changes the
// tables, then has the slots assigned anew.

extension RoomCore {
    mutating func addParticipant(_ id: PeerID) {
        guard peerIndex.find(id.rawValue) == nil else { return }
        let first = UInt16(truncatingIfNeeded: random.next())
        let p = peers.insert(
            Participant(
                id: id, order: nextPeerOrder, firstTransportSequence: first, bitrate: configuration.bitrate))
        nextPeerOrder &+= 1
        peerIndex.set(id.rawValue, to: p)
        peerOrder.append(Int32(truncatingIfNeeded: p))
    }

    mutating func peerConnected(_ id: PeerID, at now: Timestamp, into out: inout Egress) {
        guard let p = peerIndex.find(id.rawValue), !peers[p].isConnected else { return }
        peers[p].isConnected = true
        // Spread over the interval, so that fifty peers that joined together do not report together.
        let interval = configuration.reportIntervalMilliseconds
        let phase = Int64(random.next() % UInt64(max(1, interval)))
        peers[p].nextReport = now + .milliseconds(1 + phase)
        for t in peers[p].tracks {
            tracks[Int(t)].quietSince = now
            tracks[Int(t)].hasStalled = false
        }
        peers[p].nextLiveness.bring(forwardTo: now + PublishedTrack.stallTime)
        watchForFreezes(of: p, at: now)
        peers[p].bandwidth.routeChanged(at: now)
        allocate(p, at: now, into: &out)
        rebuildFanout()
        for s in peers[p].slots { requestForWaiting(Int(s), cause: .peerConnected, at: now, into: &out) }
    }

    mutating func peerDisconnected(_ id: PeerID, at now: Timestamp) {
        guard let p = peerIndex.find(id.rawValue), peers[p].isConnected else { return }
        peers[p].isConnected = false
        peers[p].nextReport = nil
        peers[p].nextFeedback = nil
        peers[p].nextNack = nil
        peers[p].nextKeyFrame = nil
        peers[p].nextLiveness = nil
        peers[p].nextFreeze = nil
        peers[p].nextEstimate = nil
        peers[p].nextPace = nil
        peers[p].nextAllocation = nil
        peers[p].pacer.reset()
        peers[p].arrivals = ArrivalRecorder()
        for s in peers[p].slots { slots[Int(s)].stop() }
        for t in peers[p].tracks {
            tracks[Int(t)].gate.close()
            silence(Int(t), at: now)
            for e in tracks[Int(t)].encodings {
                encodings[Int(e)].monitor.reset()
                encodings[Int(e)].nacks.reset()
                encodings[Int(e)].requester.settle()
            }
        }
        rebuildFanout()
    }

    mutating func removeParticipant(_ id: PeerID, at now: Timestamp, into out: inout Egress) {
        guard let p = peerIndex.find(id.rawValue) else { return }
        for t in peers[p].tracks { removeTrack(Int(t), at: now) }
        for s in peers[p].slots { slots.remove(Int(s)) }
        peerOrder.removeAll { Int($0) == p }
        peerIndex.remove(id.rawValue)
        peers.remove(p)
        assignSlotsSoon(at: now, into: &out)
    }

    mutating func setMuted(_ id: TrackID, _ isMuted: Bool, at now: Timestamp, into out: inout Egress) {
        guard let t = find(id), tracks[t].isMuted != isMuted else { return }
        tracks[t].isMuted = isMuted
        tracks[t].gate.close()
        silence(t, at: now)
        tracks[t].hasStalled = false
        tracks[t].quietSince = now
        let p = Int(tracks[t].peer)
        if !isMuted, peers[p].isConnected {
            peers[p].nextLiveness.bring(forwardTo: now + PublishedTrack.stallTime)
        }
        assignSlotsSoon(at: now, into: &out)
    }

    mutating func setSlotWishes(_ wishes: [SlotWish], of id: PeerID, at now: Timestamp, into out: inout Egress) {
        guard let p = peerIndex.find(id.rawValue) else { return }
        for wish in wishes {
            guard let s = peers[p].slots.first(where: { slots[Int($0)].plan.mid == wish.mid }).map({ Int($0) }) else {
                continue
            }
            slots[s].pin = wish.pin
            slots[s].wantedHeight = wish.wantedHeight
            slots[s].priority = wish.priority
            // Height is of pictures: an audio slot is always heard.
            let isHidden = slots[s].isVideo && wish.wantedHeight == 0
            if isHidden { slots[s].stop() }
            if slots[s].isHidden, !isHidden { slots[s].expectPicture(at: now) }
            slots[s].isHidden = isHidden
        }
        assignSlots(ofOnly: p, at: now, into: &out)
        allocate(p, at: now, into: &out)
        for s in peers[p].slots { requestForWaiting(Int(s), cause: .sourceSwitch, at: now, into: &out) }
    }

    mutating func applyPlan(_ plan: PeerPlan, of id: PeerID, at now: Timestamp, into out: inout Egress) {
        guard let p = peerIndex.find(id.rawValue) else { return }
        let (before, sentBefore) = (peers[p].extensions, peers[p].sentExtensions)
        peers[p].extensions = plan.headerExtensions
        peers[p].hasVideoSlots = plan.slots.contains { $0.kind == .video }
        peers[p].settleSentExtensions()
        let extensionsChanged = peers[p].extensions != before || peers[p].sentExtensions != sentBefore
        peers[p].reducedSizeRTCP = plan.reducedSizeRTCP
        applySlots(plan.slots, of: p, extensionsChanged: extensionsChanged)
        applyTracks(plan.published, of: p, at: now)
        watchForFreezes(of: p, at: now)
        peers[p].usesTransportFeedback =
            plan.headerExtensions.transportSequence != 0 && plan.published.contains { $0.feedback.transportFeedback }
        if !peers[p].usesTransportFeedback { peers[p].nextFeedback = nil }
        assignSlotsSoon(concerned: p, at: now, into: &out)
    }

    private mutating func applySlots(_ plans: [ReceiveSlotPlan], of p: Int, extensionsChanged: Bool) {
        var kept: [Int32] = []
        let old = peers[p].slots
        for s in old {
            // Both ways a slot can go: its section is gone, or its SSRC changed.
            let plan = slots[Int(s)].plan
            guard !plans.contains(where: { $0.mid == plan.mid && $0.ssrc == plan.ssrc && $0.kind == plan.kind }) else {
                continue
            }
            peers[p].retired.removeAll { $0.ssrc == plan.ssrc }
            if peers[p].retired.count >= RetiredStream.limit { peers[p].retired.removeFirst() }
            peers[p].retired.append(slots[Int(s)].retired)
        }
        for plan in plans {
            let same = old.first {
                slots[Int($0)].plan.mid == plan.mid && slots[Int($0)].plan.ssrc == plan.ssrc
                    && slots[Int($0)].plan.kind == plan.kind
            }
            if let s = same, !kept.contains(s) {
                if extensionsChanged || slots[Int(s)].plan != plan { slots[Int(s)].forgetSent() }
                slots[Int(s)].plan = plan
                kept.append(s)
            } else if !kept.contains(where: {
                // Two slots under one SSRC would protect the same number twice.
                slots[Int($0)].plan.mid == plan.mid || slots[Int($0)].plan.ssrc == plan.ssrc
            }) {
                let retired = peers[p].retired.first { $0.ssrc == plan.ssrc }
                let s = slots.insert(ReceiveSlot(peer: p, plan: plan, continuing: retired, random: &random))
                kept.append(Int32(truncatingIfNeeded: s))
            }
        }
        for s in old where !kept.contains(s) { slots.remove(Int(s)) }
        peers[p].slots = kept
        peers[p].givesTransportFeedback =
            peers[p].extensions.transportSequence != 0 && plans.contains { $0.feedback.transportFeedback }
        peers[p].feedbackSSRC = kept.first.map { slots[Int($0)].plan.ssrc } ?? Participant.fallbackSSRC
    }

    private mutating func applyTracks(_ plans: [PublishedTrackPlan], of p: Int, at now: Timestamp) {
        let old = peers[p].tracks
        var kept: [Int32] = []
        for plan in plans where !kept.contains(where: { tracks[Int($0)].id.mid == plan.mid }) {
            let same = old.first { number in
                let t = Int(number)
                return tracks[t].id.mid == plan.mid && tracks[t].plan.kind == plan.kind
                    && tracks[t].plan.encodings.map(\.rid) == plan.encodings.map(\.rid)
            }
            if let same {
                updateTrack(Int(same), plan)
                kept.append(same)
            } else {
                kept.append(Int32(truncatingIfNeeded: addTrack(plan, of: p)))
                if plan.kind == .video { nextLayers.bring(forwardTo: now + Self.layersInterval) }
            }
        }
        for t in old where !kept.contains(t) { removeTrack(Int(t), at: now) }
        peers[p].tracks = kept
        for t in kept { bindDeclared(Int(t), of: p, at: now) }
        if peers[p].isConnected {
            for t in kept where tracks[Int(t)].quietSince == nil { tracks[Int(t)].quietSince = now }
            peers[p].nextLiveness.bring(forwardTo: now + PublishedTrack.stallTime)
        }
    }

    private mutating func addTrack(_ plan: PublishedTrackPlan, of p: Int) -> Int {
        let id = TrackID(peer: peers[p].id, mid: plan.mid)
        let t = tracks.insert(PublishedTrack(id: id, peer: p, order: nextTrackOrder, plan: plan))
        nextTrackOrder &+= 1
        let packets = plan.kind == .video ? configuration.videoHistoryPackets : configuration.audioHistoryPackets
        for layer in plan.encodings.indices {
            // A lower layer has a fraction of the packets; every layer's history then lasts about as long.
            let share = packets >> min(plan.encodings.count - 1 - layer, 8)
            let e = encodings.insert(
                Encoding(
                    peer: Int32(truncatingIfNeeded: p), track: Int32(truncatingIfNeeded: t), layer: layer,
                    isVideo: plan.kind == .video, serial: nextSerial, rid: plan.encodings[layer].rid,
                    clockRate: plan.codecs.first?.clockRate ?? 90_000, historyPackets: share))
            nextSerial &+= 1
            tracks[t].encodings.append(Int32(truncatingIfNeeded: e))
        }
        return t
    }

    /// A track goes on under a new plan; its mute is the control plane's to change by its own command.
    private mutating func updateTrack(_ t: Int, _ plan: PublishedTrackPlan) {
        guard tracks[t].plan != plan else { return }
        if tracks[t].plan.codecs != plan.codecs { tracks[t].codec = 0 }
        tracks[t].plan = plan
        for e in tracks[t].encodings { encodings[Int(e)].payloadType = 0xff }
    }

    /// The SSRCs that the description names.
    private mutating func bindDeclared(_ t: Int, of p: Int, at now: Timestamp) {
        for layer in tracks[t].encodings.indices where layer < tracks[t].plan.encodings.count {
            let e = Int(tracks[t].encodings[layer])
            let plan = tracks[t].plan.encodings[layer]
            var binding = StreamBinding(
                ssrc: SSRC(0), encoding: Int32(truncatingIfNeeded: e), isRetransmission: false, isLearned: false,
                lastPacket: now)
            if let ssrc = plan.ssrc {
                binding.ssrc = ssrc
                _ = bind(binding, of: p)
            }
            if let ssrc = plan.rtxSSRC {
                binding.ssrc = ssrc
                binding.isRetransmission = true
                _ = bind(binding, of: p)
            }
        }
    }

    private mutating func removeTrack(_ t: Int, at now: Timestamp) {
        let p = Int(tracks[t].peer)
        forgetSpeaker(t, at: now)
        for i in peerOrder.indices {
            for s in peers[Int(peerOrder[i])].slots where Int(slots[Int(s)].track) == t {
                slots[Int(s)].track = -1
                slots[Int(s)].aim(at: -1, keepsCurrent: false, now: now)
                slots[Int(s)].allocation = SlotAllocation()
            }
        }
        for e in tracks[t].encodings {
            peers[p].streams.removeAll(of: Int(e))
            encodings.remove(Int(e))
        }
        tracks.remove(t)
    }
}
