// Carries one stored packet to every slot that forwards its encoding or waits for it. The list is made when assignments
// change, never per packet.

extension RoomCore {
    /// The middle 24 bits of NTP time: seconds modulo 64 in 6.18 fixed point, as abs-send-time carries them.
    func absoluteSendTime(_ now: Timestamp) -> UInt32 {
        let ntp = NTPTime(now, origin: NTPTime(configuration.ntpAtOrigin))
        return UInt32(truncatingIfNeeded: ntp.rawValue >> 14) & 0xff_ffff
    }

    /// Forwards a packet of an encoding's history.
    mutating func fanOut(
        _ e: Int, place: Int, _ codec: Codec, isNewest: Bool, at now: Timestamp, into out: inout Egress
    ) {
        guard !encodings[e].fanout.isEmpty else { return }
        guard encodings[e].isVideo else {
            return fanOutSound(e, place: place, codec, isNewest: isNewest, at: now, into: &out)
        }
        let packet = encodings[e].history[place]
        var source = context(e, packet, codec, arrived: now, at: now)
        source.isNewest = isNewest
        var hasSwitched = false
        for i in 0..<encodings[e].fanout.count {
            let s = Int(encodings[e].fanout[i])
            let beginsSwitch = packet.isKeyFrame && slots[s].beginsSwitch(to: source.encoding)
            if !queue(packet, e, source, to: s) {
                if forward(packet, place: place, e, source, to: s, into: &out) { hasSwitched = true }
            }
            guard beginsSwitch, !isNewest else { continue }
            // What overtook the first packet of the key frame follows it.
            source.isNewest = true
            follow(packet.number, e, source, to: s, into: &out)
            source.isNewest = isNewest
        }
        if hasSwitched { rebuildFanout() }
    }

    /// Forwards what came of an encoding with numbers behind one.
    mutating func follow(
        _ first: Int64, _ e: Int, _ source: SourceContext, to s: Int, into out: inout Egress
    ) {
        var number = first + 1
        let highest = encodings[e].window.highest
        guard highest - first < Int64(SequenceWindow.length) else { return }
        while number <= highest {
            if let place = encodings[e].history.find(number) {
                encodings[e].resolve(place)
                let later = encodings[e].history[place]
                if !queue(later, e, source, to: s) {
                    _ = forward(later, place: place, e, source, to: s, into: &out)
                }
            }
            number += 1
        }
    }

    /// What a packet's source says of itself. `arrived` is when it came in, `now` when it leaves: they differ where it waited.
    func context(
        _ e: Int, _ packet: HistoryPacket, _ codec: Codec, arrived: Timestamp, at now: Timestamp
    ) -> SourceContext {
        let p = Int(encodings[e].peer)
        let clockRate = encodings[e].clockRate
        let captured = encodings[e].senderReport.captureTime(
            of: packet.timestamp, clockRate: clockRate, clock: peers[p].clock, arrival: arrived)
        return SourceContext(
            encoding: Int32(truncatingIfNeeded: e), serial: encodings[e].serial,
            contributingSource: peers[p].id.rawValue, isVideo: encodings[e].isVideo, codec: codec,
            clock: TimestampLine.ticks(arrived, clockRate: clockRate),
            capture: TimestampLine.ticks(captured, clockRate: clockRate), absoluteSendTime: absoluteSendTime(now),
            now: now, isNewest: false, stoppedLayers: encodings[e].rates.stoppedSpatialLayers,
            targets: encodings[e].dependencies.targets)
    }

    /// Forwards a packet to one slot; true when the slot switched to its encoding with it.
    mutating func forward(
        _ packet: HistoryPacket, place: Int, _ e: Int, _ source: SourceContext, to s: Int, into out: inout Egress
    ) -> Bool {
        let receiver = Int(slots[s].peer)
        guard source.isVideo else {
            // Sound has no layers.
            let outcome = slots[s].forward(
                packet, place: place, from: encodings[e].history, source, to: &peers[receiver], into: &out)
            return note(outcome, packet, e, source, s, into: &out)
        }
        if packet.isKeyFrame, slots[s].isAboutToSwitch(to: source.encoding) { limitForSwitch(s) }
        let before = slots[s].layers.level
        let outcome = slots[s].forward(
            packet, place: place, from: encodings[e].history, source, to: &peers[receiver], into: &out)
        if slots[s].layers.level.differs(from: before) { layersSwitched(s, e, from: before, into: &out) }
        return note(outcome, packet, e, source, s, into: &out)
    }

    /// Notes what became of a packet on a slot; true when the slot switched to its encoding with it.
    @inline(__always) private mutating func note(
        _ outcome: ReceiveSlot.Outcome, _ packet: HistoryPacket, _ e: Int, _ source: SourceContext, _ s: Int,
        into out: inout Egress
    ) -> Bool {
        switch outcome {
        case .dropped(let reason):
            statistics.drop(reason)
            // Whatever became of the request that was made when the slot was aimed: while packets come and the slot
            // waits, one is under way.
            if reason == .awaitingKeyFrame, Int(slots[s].target) == e, !encodings[e].requester.isPending {
                requestKeyFrame(e, cause: .sourceSwitch, at: source.now, into: &out)
            }
            return false
        case .sent:
            noteSent(packet, s, source.now, out)
            return false
        case .switched(let waited):
            noteSent(packet, s, source.now, out)
            out.decisions.append(
                .switched(
                    peer: peers[Int(slots[s].peer)].id, slot: slots[s].plan.mid,
                    track: tracks[Int(encodings[e].track)].id,
                    layer: encodings[e].layer, waited: waited))
            return true
        }
    }

    private mutating func noteSent(_ packet: HistoryPacket, _ s: Int, _ now: Timestamp, _ out: borrowing Egress) {
        statistics.rtpPacketsSent &+= 1
        statistics.rtpBytesSent &+= UInt64(out.lastCount)
        if packet.isKeyFrame, slots[s].isVideo { slots[s].keyFrames.keyFrameForwarded(at: now) }
    }

    /// Makes the list of slots of every encoding anew, in the order of peers and their slots.
    mutating func rebuildFanout() {
        for e in 0..<encodings.limit where encodings.contains(e) {
            encodings[e].fanout.removeAll(keepingCapacity: true)
        }
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            guard peers[p].isConnected else { continue }
            for j in peers[p].slots.indices {
                let number = peers[p].slots[j]
                let s = Int(number)
                guard !slots[s].isHidden else { continue }
                let current = slots[s].current
                let target = slots[s].target
                if current >= 0 { encodings[Int(current)].fanout.append(number) }
                if target >= 0, target != current { encodings[Int(target)].fanout.append(number) }
            }
        }
    }

    /// An encoding's packets arrive, or arrive again: its track's slots may change to it.
    mutating func layerAlive(_ e: Int, beginsKeyFrame: Bool, at now: Timestamp, into out: inout Egress) {
        let t = Int(encodings[e].track)
        out.decisions.append(.layerAlive(tracks[t].id, layer: encodings[e].layer))
        peers[Int(encodings[e].peer)].nextLiveness.bring(forwardTo: encodings[e].monitor.deadline)
        expectPictures(of: t, at: now)
        chooseLayers(of: t, requesting: !beginsKeyFrame, at: now, into: &out)
    }

    /// Layers of a track came or went: whoever shows it is given what there is now.
    mutating func chooseLayers(of t: Int, requesting: Bool, at now: Timestamp, into out: inout Egress) {
        var changed: [Int] = []
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            guard peers[p].slots.contains(where: { Int(slots[Int($0)].track) == t }) else { continue }
            if tracks[t].isVideo {
                allocate(p, at: now, changed: &changed, into: &out)
            } else {
                aimSound(of: t, to: p, at: now, changed: &changed)
            }
        }
        guard !changed.isEmpty else { return }
        rebuildFanout()
        guard requesting else { return }
        for s in changed { requestForWaiting(s, cause: .sourceSwitch, at: now, into: &out) }
    }
}

extension RoomCore {
    /// Sound has one encoding, which is forwarded once it arrives.
    private mutating func aimSound(of t: Int, to p: Int, at now: Timestamp, changed: inout [Int]) {
        guard let best = LayerSelector.highestAlive(tracks[t].encodings.map { encodings[Int($0)].monitor.isAlive })
        else { return }
        let e = tracks[t].encodings[best]
        for number in peers[p].slots {
            let s = Int(number)
            guard Int(slots[s].track) == t, slots[s].target != e, slots[s].assignment.reason != .unsupportedCodec else {
                continue
            }
            slots[s].aim(at: e, keepsCurrent: true, now: now)
            changed.append(s)
        }
    }
}

/// Which layer of a track is forwarded.
enum LayerSelector {
    /// The position of the highest layer that is alive, or nil when none is.
    static func highestAlive(_ isAlive: [Bool]) -> Int? { isAlive.lastIndex(of: true) }
}
