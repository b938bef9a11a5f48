// The end of a turn: what the cores wrote is protected in place in the arena and sent, the packets for one peer together.
import EventLoop
import MediaCore
import Transport

extension MediaTurn {
    /// Notes that what is written to the arena from now on is `room`'s.
    @inline(__always)
    func enter(_ room: MediaRoom) {
        if !room.isTouched {
            room.isTouched = true
            touched.append(room)
        }
        guard runs.last?.room !== room else { return }
        runs.append(
            Run(
                room: room, datagram: egress.datagrams.count, event: egress.events.count,
                decision: egress.decisions.count))
    }

    /// Protects and sends everything in the arena, reports the events, and empties it. Called when no core is being
    /// entered: libnice and OpenSSL may call back.
    func flush() {
        guard !runs.isEmpty else { return }
        let started = MonotonicClock.now
        recordFlush()
        for (index, run) in runs.enumerated() {
            let isLast = index + 1 == runs.count
            let lastDatagram = isLast ? egress.datagrams.count : runs[index + 1].datagram
            for datagram in run.datagram..<lastDatagram {
                guard let peer = run.room.peers[egress.datagrams[datagram].peer] else { continue }
                if peer.pending.isEmpty { waiting.append(peer) }
                peer.pending.append(datagram)
            }
            let lastEvent = isLast ? egress.events.count : runs[index + 1].event
            let lastDecision = isLast ? egress.decisions.count : runs[index + 1].decision
            if run.decision < lastDecision {
                run.room.explanation.note(egress.decisions[run.decision..<lastDecision], at: started)
            }
            if run.event < lastEvent { report(egress.events[run.event..<lastEvent], of: run.room) }
        }
        let flushed = Self.send(waiting, from: &egress, burst)
        for peer in waiting { peer.pending.removeAll(keepingCapacity: true) }
        waiting.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        egress.removeAll()
        metrics.sentPackets.add(flushed.sent)
        metrics.sentBytes.add(flushed.bytes)
        metrics.droppedSends.add(flushed.dropped)
        metrics.sendCalls.add(flushed.calls)
        metrics.flushNanoseconds.add(Int(MonotonicClock.now - started))
    }

    /// Sends to each peer what waits for it, as many packets in one call as the kernel takes. Static, and the arena an argument,
    /// so that it is taken exclusively once for all packets and not for each.
    private static func send(
        _ waiting: [MediaPeer], from egress: inout Egress, _ burst: PacketBurst
    ) -> BurstOutcome {
        var flushed = BurstOutcome()
        for peer in waiting {
            guard let transport = peer.transport else {
                flushed.dropped += peer.pending.count
                continue
            }
            for index in peer.pending {
                let datagram = egress.datagrams[index]
                // The bytes stay where they are until the arena is emptied, behind this.
                unsafe egress.withBytes(of: index) { bytes, count in
                    switch datagram.kind {
                    case .rtp:
                        if unsafe burst.add(bytes, count: count, mayBePadded: datagram.mayBePadded) { return }
                        flushed += transport.send(burst)
                        _ = unsafe burst.add(bytes, count: count, mayBePadded: datagram.mayBePadded)
                    case .rtcp:
                        flushed += transport.send(burst)
                        flushed.calls += 1
                        if case .sent = unsafe transport.sendRTCP(bytes, count: count) {
                            flushed.sent += 1
                            flushed.bytes += count
                        } else {
                            flushed.dropped += 1
                        }
                    }
                }
            }
            flushed += transport.send(burst)
        }
        return flushed
    }

    /// Tells the control plane what slots show; several changes of one peer travel together.
    private func report(_ events: ArraySlice<RoomEvent>, of room: MediaRoom) {
        var changes: [(peer: PeerID, assignments: [SlotAssignment])] = []
        for event in events {
            switch event {
            case .slotChanged(let peer, let assignment):
                if let index = changes.firstIndex(where: { $0.peer == peer }) {
                    changes[index].assignments.removeAll { $0.mid == assignment.mid }
                    changes[index].assignments.append(assignment)
                } else {
                    changes.append((peer, [assignment]))
                }
            case .trackStarted(let track): log(.debug, "track started", ("room", room.name), ("mid", track.mid.text))
            case .receiverFrozen: keepForLooking(room, .frozen)
            case .trackStalled(let track): log(.debug, "track stalled", ("room", room.name), ("mid", track.mid.text))
            case .layersWanted(let track, let layers): report(.layers(room.key, track, layers))
            case .speakersChanged(let speakers): report(.speakers(room.key, speakers))
            }
        }
        for change in changes { report(.slots(room.key, change.peer, change.assignments)) }
    }
}
