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
        var sent = 0
        var bytes = 0
        var dropped = 0
        for (index, run) in runs.enumerated() {
            let isLast = index + 1 == runs.count
            let lastDatagram = isLast ? egress.datagrams.count : runs[index + 1].datagram
            for datagram in run.datagram..<lastDatagram {
                guard let peer = run.room.peers[egress.datagrams[datagram].peer] else { continue }
                if peer.pending.isEmpty { waiting.append(peer) }
                peer.pending.append(datagram)
            }
            let lastEvent = isLast ? egress.events.count : runs[index + 1].event
            if run.event < lastEvent { report(egress.events[run.event..<lastEvent], of: run.room) }
        }
        for peer in waiting {
            for datagram in peer.pending {
                let count = egress.datagrams[datagram].count
                if send(datagram, to: peer) {
                    sent += 1
                    bytes += count
                } else {
                    dropped += 1
                }
            }
            peer.pending.removeAll(keepingCapacity: true)
        }
        waiting.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        egress.removeAll()
        metrics.sentPackets.add(sent)
        metrics.sentBytes.add(bytes)
        metrics.droppedSends.add(dropped)
        metrics.flushNanoseconds.add(Int(MonotonicClock.now - started))
    }

    private func send(_ index: Int, to peer: MediaPeer) -> Bool {
        guard let transport = peer.transport else { return false }
        let kind = egress.datagrams[index].kind
        return unsafe egress.withBytes(of: index) { bytes, count in
            switch kind {
            case .rtp: unsafe transport.sendRTP(bytes, count: count) == .sent
            case .rtcp: unsafe transport.sendRTCP(bytes, count: count) == .sent
            }
        }
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
            case .trackStalled(let track): log(.debug, "track stalled", ("room", room.name), ("mid", track.mid.text))
            }
        }
        for change in changes { report(.slots(room.key, change.peer, change.assignments)) }
    }
}
