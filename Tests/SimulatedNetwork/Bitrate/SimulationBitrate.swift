// What a simulation needs for bitrate: measuring each 100 ms, transfers that compete, bottlenecks between the server and its
// clients, and what is read of the core.

public import MediaCore

extension Simulation {
    /// The core's estimate of what a participant's downlink carries, or nil when it has none.
    public func estimate(of peer: PeerID) -> DataRate? { core.estimate(of: peer) }

    /// Measures the bitrate from now on; participants must join later.
    public func measure() {
        meter = RoomMeter(at: now)
        schedule(.sample, at: now + RoomMeter.interval)
    }

    func sample() {
        guard let meter else { return }
        for client in clients where client.isPresent {
            meter.sample(
                client.id, estimate: estimate(of: client.id), assignments: core.slotAssignments(of: client.id),
                figures: client.videoFigures(at: now))
        }
        meter.finishTick()
        schedule(.sample, at: now + RoomMeter.interval)
    }

    func beginTransfer(_ growth: WindowGrowth, over bottleneck: Int, _ roundTrip: TimeDelta) {
        let flow = Bottleneck.firstCompetitor + UInt32(transfers.count)
        transfers.append(LongTransfer(growth, bottleneck: bottleneck, flow: flow, roundTrip: roundTrip, at: now))
        pump(transfers.count - 1)
        schedule(.transferTimeout(transfers.count - 1), at: now + .milliseconds(100))
    }

    func acknowledge(_ index: Int, _ number: Int) {
        transfers[index].acknowledge(number, at: now)
        pump(index)
    }

    func checkTimeout(_ index: Int) {
        if now - transfers[index].lastProgress >= transfers[index].timeout {
            transfers[index].timeOut(at: now)
            pump(index)
        }
        schedule(.transferTimeout(index), at: now + .milliseconds(100))
    }

    private func pump(_ index: Int) {
        guard let queue = bottlenecks[transfers[index].bottleneck] else { return }
        for (number, at) in transfers[index].send(into: queue, at: now) {
            schedule(.acknowledge(transfer: index, number), at: at)
        }
    }

    func want(_ layers: [Bool], of track: TrackID) {
        let client = client(track.peer.rawValue)
        guard let index = client.videoSenders.firstIndex(where: { $0.mid == track.mid.text }) else { return }
        client.videoSenders[index].want(layers, at: now)
        meter?.wanted(layers, of: track)
    }

    func carry(_ bytes: Int, over link: inout Link, flow: PeerID, _ kind: FlowKind) -> Arrivals {
        guard let number = link.conditions.bottleneck, let queue = bottlenecks[number] else {
            return link.send(byteCount: bytes + 28, at: now)
        }
        let departure = queue.enter(bytes, flow: flow.rawValue, kind: kind, at: now)
        if departure == nil, kind != .control { meter?.dropped(kind, bytes, to: flow) }
        return link.send(leaving: departure)
    }
}
