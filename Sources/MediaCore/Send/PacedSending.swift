// The pace of each receiver at work: what must wait when it comes in, what leaves as time goes on, and the padding that fills a
// probe. How fast is the estimate's to say, what of it the allocation's.

extension Participant {
    /// A packet left for the peer. Audio never waits, but its bytes are counted.
    @inline(__always) mutating func noteSent(
        _ bytes: Int, _ kind: SentKind, transportSequence: UInt16?, at now: Timestamp
    ) {
        guard hasVideoSlots else { return }
        let cluster = pacer.probe?.cluster.id ?? 0
        pacer.left(bytes, at: now)
        if kind == .retransmission { demand.resent &+= Int64(bytes) }
        bandwidth.noteOutgoing(bytes, at: now)
        guard givesTransportFeedback, let transportSequence else { return }
        nextEstimate.bring(
            forwardTo: bandwidth.noteSent(
                transportSequence, bytes: bytes, kind: kind, cluster: cluster, at: now))
    }

    /// Whether a packet of so many bytes must wait: others do already, or the pace does not allow it.
    @inline(__always) func mustWait(_ bytes: Int, at now: Timestamp) -> Bool {
        guard pacer.isEmpty else { return true }
        return !pacer.mayLeave(bytes, at: now)
    }
}

extension RoomCore {
    /// The bytes that a packet has beside its payload, about.
    static let headerBytes = 40
    /// What waited so long is of no use any more: its receiver has asked for a key frame long since.
    static let longestWait = TimeDelta.seconds(2)
    /// A probe begins while no more waits than takes this long: at a low frame rate something always does, and it is sent as
    /// the first of the probe.
    static let longestBeforeProbe = TimeDelta.milliseconds(100)
    /// A repeated packet whose payload is not longer than this is no padding.
    static let shortestPadding = 200
    /// A slower probe is made of padding alone, in small packets.
    static let smallPaddingBelow = DataRate.kilobitsPerSecond(300)
    /// How many of the packets sent last are looked through for one.
    static let paddingDepth: Int64 = 8

    /// Has a packet of an encoding wait for a receiver's pace; true when it does, and the slot need not be looked at now.
    @inline(__always) mutating func queue(
        _ packet: HistoryPacket, _ e: Int, _ source: SourceContext, to s: Int
    ) -> Bool {
        guard source.isVideo else { return false }
        let receiver = Int(slots[s].peer)
        let bytes = Int(packet.length) + Self.headerBytes
        if packet.isKeyFrame, slots[s].allocation.isLeaving { slots[s].leave(source.encoding) }
        guard peers[receiver].mustWait(bytes, at: source.now) else { return false }
        guard let isSwitch = slots[s].willForward(source.encoding, isKeyFrame: packet.isKeyFrame) else { return false }
        var waiting = QueuedPacket()
        waiting.slot = Int32(truncatingIfNeeded: s)
        waiting.ssrc = slots[s].plan.ssrc
        waiting.encoding = source.encoding
        waiting.serial = source.serial
        waiting.number = packet.number
        waiting.arrived = source.now
        waiting.bytes = UInt16(truncatingIfNeeded: bytes)
        waiting.isNewest = source.isNewest
        waiting.isSwitch = isSwitch
        waiting.epoch = slots[s].queueEpoch(isSwitch: isSwitch)
        if peers[receiver].pacer.queueVideo(waiting, at: source.now) {
            slots[s].noteQueued(source.encoding, isSwitch: isSwitch)
            peers[receiver].nextPace.bring(forwardTo: peers[receiver].pacer.next(after: source.now))
        } else {
            // With a hole that nothing can fill the slot has to begin anew.
            statistics.drop(.pacerFull)
            slots[s].stop()
        }
        return true
    }

    /// Has a retransmission wait.
    mutating func queueRetransmission(_ number: Int64, bytes: Int, of s: Int, at now: Timestamp) -> DropReason? {
        let receiver = Int(slots[s].peer)
        var waiting = QueuedPacket()
        waiting.slot = Int32(truncatingIfNeeded: s)
        waiting.ssrc = slots[s].plan.ssrc
        waiting.number = number
        waiting.arrived = now
        waiting.bytes = UInt16(truncatingIfNeeded: bytes)
        guard peers[receiver].pacer.queueRetransmission(waiting, at: now) else { return .pacerFull }
        // Asked for again while it waits, it waits once.
        slots[s].sent?.noteResent(number, at: now)
        peers[receiver].nextPace.bring(forwardTo: peers[receiver].pacer.next(after: now))
        return nil
    }

    /// Lets leave what a receiver's pace allows.
    mutating func pace(_ p: Int, at now: Timestamp, into out: inout Egress) {
        peers[p].nextPace = nil
        peers[p].pacer.isCatchingUp = true
        while let first = peers[p].pacer.retransmissions.first,
            peers[p].pacer.mayLeave(Int(first.bytes), at: now)
        {
            peers[p].pacer.retransmissions.removeFirst()
            releaseRetransmission(first, of: p, at: now, into: &out)
        }
        if peers[p].pacer.retransmissions.isEmpty {
            while let first = peers[p].pacer.video.first {
                guard let place = findQueued(first, of: p, at: now, into: &out) else {
                    peers[p].pacer.video.removeFirst()
                    continue
                }
                guard peers[p].pacer.mayLeave(Int(first.bytes), at: now) else { break }
                peers[p].pacer.video.removeFirst()
                release(first, place: place, at: now, into: &out)
            }
        }
        peers[p].pacer.isCatchingUp = false
        probe(p, at: now, into: &out)
        peers[p].nextPace.bring(forwardTo: peers[p].pacer.next(after: now))
    }

    /// Where a waiting packet is, or nil when its slot has no use for it any more.
    private mutating func findQueued(
        _ waiting: QueuedPacket, of p: Int, at now: Timestamp, into out: inout Egress
    ) -> Int? {
        let s = Int(waiting.slot)
        let e = Int(waiting.encoding)
        guard slots.contains(s), slots[s].plan.ssrc == waiting.ssrc, Int(slots[s].peer) == p, !slots[s].isHidden,
            encodings.contains(e), encodings[e].serial == waiting.serial,
            waiting.epoch == slots[s].queueEpoch(isSwitch: waiting.isSwitch),
            slots[s].current == waiting.encoding || slots[s].target == waiting.encoding
        else {
            statistics.drop(.pacerStale)
            return nil
        }
        guard now - waiting.arrived < Self.longestWait, let place = encodings[e].history.find(waiting.number) else {
            statistics.drop(.pacerStale)
            slots[s].stop()
            requestForWaiting(s, cause: .pacerStale, at: now, into: &out)
            return nil
        }
        return place
    }

    private mutating func release(_ waiting: QueuedPacket, place: Int, at now: Timestamp, into out: inout Egress) {
        let e = Int(waiting.encoding)
        encodings[e].resolve(place)
        let packet = encodings[e].history[place]
        let t = Int(encodings[e].track)
        guard Int(packet.codec) < tracks[t].plan.codecs.count else { return statistics.drop(.pacerStale) }
        var source = context(
            e, packet, tracks[t].plan.codecs[Int(packet.codec)].codec, arrived: waiting.arrived, at: now)
        source.isNewest = waiting.isNewest
        if forward(packet, place: place, e, source, to: Int(waiting.slot), into: &out) { rebuildFanout() }
    }

    private mutating func releaseRetransmission(
        _ waiting: QueuedPacket, of p: Int, at now: Timestamp, into out: inout Egress
    ) {
        let s = Int(waiting.slot)
        guard slots.contains(s), slots[s].plan.ssrc == waiting.ssrc, Int(slots[s].peer) == p,
            now - waiting.arrived < Self.longestWait,
            !(slots[s].sentPacket(waiting.number).map { slots[s].isLeftBehind($0) } ?? false)
        else { return statistics.drop(.pacerStale) }
        if let reason = resendNow(waiting.number, on: s, at: now, into: &out) { statistics.drop(reason) }
    }

    // MARK: Probes

    /// Begins a probe when the estimate asks for one, and sends what the one under way is short of: packets that were sent
    /// lately, once more by RTX, which a receiver drops as duplicates; where there are none, padding alone.
    mutating func probe(_ p: Int, at now: Timestamp, into out: inout Egress) {
        if peers[p].pacer.probe == nil {
            // Receiver reports tell nothing of forty milliseconds.
            guard peers[p].isConnected, peers[p].givesTransportFeedback,
                peers[p].pacer.queueTime <= Self.longestBeforeProbe, paddingSlot(of: p) != nil,
                let cluster = peers[p].bandwidth.takeProbe(at: now)
            else { return }
            peers[p].pacer.probe = RunningProbe(cluster: cluster, startedAt: now, nextAt: now)
            out.decisions.append(
                .probeStarted(
                    peer: peers[p].id, rate: cluster.rate, estimate: peers[p].bandwidth.estimate))
        }
        // As much at once as a burst has.
        for _ in 0..<Int(Pacer.burstPackets) {
            guard let running = peers[p].pacer.probe else { return }
            if running.isComplete || now - running.startedAt > RunningProbe.longest {
                peers[p].pacer.probe = nil
                return
            }
            guard running.nextAt <= now else { return }
            guard sendPadding(to: p, at: now, into: &out) else {
                peers[p].pacer.probe = nil
                peers[p].nextEstimate.bring(forwardTo: peers[p].bandwidth.nextDeadline)
                return
            }
        }
    }

    /// A packet that may serve as padding: its slot, and its number there.
    private struct Padding {
        var slot: Int
        var number: Int64
        var place: Int
    }

    /// The largest of the packets sent last on one of a receiver's slots with RTX, or nil.
    private func findPadding(for p: Int) -> Padding? {
        var best: Padding?
        var length = Self.shortestPadding
        for number in peers[p].slots {
            let s = Int(number)
            guard slots[s].isVideo, slots[s].plan.rtxSSRC != nil, slots[s].current >= 0 else { continue }
            let highest = slots[s].highestNumber
            for back in 0..<Self.paddingDepth {
                guard let record = slots[s].sentPacket(highest - back), let place = place(of: record) else { continue }
                let found = Int(encodings[Int(record.encoding)].history[place].length)
                guard found > length else { continue }
                length = found
                best = Padding(slot: s, number: record.number, place: place)
            }
        }
        return best
    }

    /// A slot of a receiver on which padding may be sent, or nil.
    private func paddingSlot(of p: Int) -> Int? {
        peers[p].slots.first { slots[Int($0)].isVideo && slots[Int($0)].plan.rtxSSRC != nil }.map { Int($0) }
    }

    private mutating func sendPadding(to p: Int, at now: Timestamp, into out: inout Egress) -> Bool {
        // On a slow path a large packet at once is a queue by itself.
        let isSlow = peers[p].pacer.probe.map { $0.cluster.rate < Self.smallPaddingBelow } ?? false
        if !isSlow, let padding = findPadding(for: p) {
            guard repeatAsPadding(padding, at: now, into: &out) else { return false }
        } else {
            guard let s = paddingSlot(of: p),
                slots[s].pad(absoluteSendTime: absoluteSendTime(now), at: now, to: &peers[p], into: &out)
            else { return false }
        }
        statistics.rtpPacketsSent &+= 1
        statistics.rtpBytesSent &+= UInt64(out.lastCount)
        statistics.paddingSent &+= 1
        return true
    }

    private mutating func repeatAsPadding(_ padding: Padding, at now: Timestamp, into out: inout Egress) -> Bool {
        guard let record = slots[padding.slot].sentPacket(padding.number) else { return false }
        let receiver = Int(slots[padding.slot].peer)
        let e = Int(record.encoding)
        let packet = encodings[e].history[padding.place]
        let reason = slots[padding.slot].resend(
            record, packet, place: padding.place, from: encodings[e].history,
            absoluteSendTime: absoluteSendTime(now), kind: .padding, at: now, to: &peers[receiver], into: &out)
        return reason == nil
    }
}
