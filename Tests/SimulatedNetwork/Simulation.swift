// A room's core in virtual time between simulated clients: drives the core as a media worker does (packets, commands,
// advance, flush) and checks the invariants after each of its turns.

@_spi(Simulation) public import MediaCore

enum NetworkEvent {
    case arriveAtServer(PeerID, [UInt8], isRTCP: Bool)
    case arriveRTP(PeerID, IncomingPacket, sentAt: Timestamp)
    case arriveRTCP(PeerID, [ControlMessage])
    case audio(PeerID, Int)
    case video(PeerID, Int)
    case control(PeerID)
    case attack(Int, until: Timestamp, every: TimeDelta)
    case acknowledge(transfer: Int, Int)
    case transferTimeout(Int)
    case layers(TrackID, [Bool])
    case sample
}

/// One call into the core, as a recorder at its door sees it.
public enum CoreCall: Sendable {
    case receiveRTP(PeerID, [UInt8])
    case receiveRTCP(PeerID, [UInt8])
    case apply(RoomCommand)
    case advance
    /// What the core gave out is taken, and the egress emptied.
    case flush(
        datagrams: [(peer: PeerID, kind: Egress.Kind, bytes: [UInt8])], events: [RoomEvent], decisions: [Decision])
}

/// A running simulation.
public final class Simulation {
    /// The core itself.
    public private(set) var core: RoomCore
    /// What must hold, and what did not.
    public private(set) var invariants = Invariants()
    /// The digest of everything that left the core, with its time.
    public private(set) var digest = Digest()
    /// The events of the core, with their times.
    public private(set) var events: [(at: Timestamp, event: RoomEvent)] = []
    /// The decisions of the core, with their times.
    public private(set) var decisions: [(at: Timestamp, decision: Decision)] = []
    /// The participants that are in the room or were, in the order in which they came.
    public private(set) var clients: [SimulatedClient] = []

    /// Told of every call into the core, in order and with its time; nil costs nothing.
    public var onCall: ((CoreCall, Timestamp) -> Void)?
    /// Told of every flush with the room and what it gave out; must not ask the simulation for anything.
    public var onFlush: ((borrowing RoomCore, borrowing Egress, Timestamp) -> Void)?
    /// The bottlenecks by their numbers.
    public private(set) var bottlenecks: [Int: Bottleneck] = [:]
    private var busyServer: BusyServer?
    /// What is measured of the bitrate, when it is.
    public internal(set) var meter: RoomMeter?
    /// How long a `layers` message takes to its publisher.
    public var signallingDelay = TimeDelta.milliseconds(50)

    private var egress = Egress()
    private var clock = VirtualClock(startingAt: Timestamp(nanoseconds: 1_000_000_000))
    private var scheduled: [NetworkEvent?] = []
    private var free: [Int] = []
    private var random: SeededRandom
    private var indexOf: [PeerID: Int] = [:]
    private var attackers: [Attacker] = []
    private var trackOfSSRC: [UInt32: TrackID] = [:]
    private var shadow: Shadow?
    var transfers: [LongTransfer] = []

    /// An empty room with this seed, which is the core's as well as the network's.
    public init(configuration: RoomConfiguration = RoomConfiguration(), seed: UInt64) {
        core = RoomCore(configuration: configuration, seed: seed)
        random = SeededRandom(seed: seed ^ 0x6d61_6a6c_6973)
    }

    /// The present.
    public var now: Timestamp { clock.now }

    /// The violations of invariants and expectations, as sentences.
    public var violations: [String] { invariants.violations.map(\.description) }

    /// The participant with this number; one that never joined is a mistake in the scenario.
    public func client(_ number: UInt32) -> SimulatedClient {
        guard let index = indexOf[PeerID(number)] else { preconditionFailure("participant \(number) never joined") }
        return clients[index]
    }

    /// The counters of the room.
    public var statistics: Statistics { core.statistics }

    /// What the slots of a participant show.
    public func slots(of number: UInt32) -> [SlotAssignment] { core.slotAssignments(of: PeerID(number)) }

    // MARK: Checkpoints

    /// How cores that were restored from checkpoints compared to the room's own.
    public struct ShadowFigures: Sendable, Hashable {
        /// How many were restored, and how often their whole state was compared.
        public var restored = 0, states = 0
        /// Datagrams compared, and how many of them had a payload that a checkpoint does not keep.
        public var datagrams = 0, withoutPayload = 0
    }

    /// From now on a core restored from a checkpoint follows the room's, for `span` each, the next one at most `pause` behind
    /// the last. Where they differ an invariant is violated.
    public func checkpoint(seed: UInt64, pause: TimeDelta, span: TimeDelta) {
        shadow = Shadow(seed: seed, pause: pause, span: span)
    }

    /// How they compared.
    public var shadowFigures: ShadowFigures {
        guard let shadow else { return ShadowFigures() }
        return ShadowFigures(
            restored: shadow.restored, states: shadow.states, datagrams: shadow.datagrams,
            withoutPayload: shadow.zeroed)
    }

    /// The room's state as a checkpoint.
    public func checkpoint(into checkpoint: inout Checkpoint) { core.checkpoint(into: &checkpoint) }

    // MARK: Steps

    /// Performs one step.
    public func perform(_ step: Step) {
        switch step {
        case .join(let number, let profile): join(number, profile)
        case .publish(let number, let publications):
            let client = client(number)
            var profile = client.profile
            profile.publications += publications.filter { new in
                !profile.publications.contains { $0.mid == new.mid }
            }
            let audioBefore = client.audioSenders.count
            let videoBefore = client.videoSenders.count
            client.adopt(profile, now: now)
            applyPlan(client)
            startSenders(client, audioFrom: audioBefore, videoFrom: videoBefore)
        case .network(let number, let toServer, let fromServer):
            if let toServer {
                client(number).toServer.conditions = toServer
                client(number).profile.toServer = toServer
            }
            if let fromServer {
                client(number).fromServer.conditions = fromServer
                client(number).profile.fromServer = fromServer
            }
        case .run(let span): run(until: now + span)
        case .leave(let number, let reason):
            client(number).isPresent = false
            invariants.removed(PeerID(number))
            command(.removeParticipant(PeerID(number), reason))
        case .disconnect(let number):
            invariants.setConnected(false, PeerID(number))
            command(.peerDisconnected(PeerID(number)))
        case .reconnect(let number):
            invariants.setConnected(true, PeerID(number))
            command(.peerConnected(PeerID(number)))
        case .mute(let number, let mid, let isMuted): mute(client(number), mid, isMuted)
        case .talk(let number, let isTalking):
            if !client(number).audioSenders.isEmpty { client(number).audioSenders[0].shape.isTalking = isTalking }
        case .layer(let number, let rid, let isAlive): setLayer(client(number), rid, isAlive)
        case .keyFrames(let number, let areGiven):
            guard !client(number).videoSenders.isEmpty else { break }
            for index in client(number).videoSenders[0].encodings.indices {
                client(number).videoSenders[0].encodings[index].answersKeyFrameRequests = areGiven
            }
        case .wish(let number, let wishes):
            for wish in wishes
            where client(number).plan.slots.contains(where: { $0.mid == wish.mid && $0.kind == .video }) {
                invariants.setHidden(wish.wantedHeight == 0, PeerID(number), wish.mid)
                meter?.wished(wish, by: PeerID(number))
                client(number).setHidden(wish.wantedHeight == 0, wish.mid)
            }
            command(.setSlotWishes(PeerID(number), wishes))
        case .limit(let number, let slot, let spatial, let temporal):
            guard let slot = Mid(slot) else { break }
            turn(nil) { core, now, out in
                core.limitLayers(
                    of: PeerID(number), slot: slot, spatial: spatial, temporal: temporal, at: now, into: &out)
            }
        case .produce(let number, let spatial, let temporal):
            guard !client(number).videoSenders.isEmpty else { break }
            client(number).videoSenders[0].encodings[0].scalable.producedSpatial = spatial
            client(number).videoSenders[0].encodings[0].scalable.producedTemporal = temporal
        case .jumpClock(let span):
            clock.move(to: now + span)
            turn(nil)
        case .attack(let number, let attack, let rate, let span):
            invariants.noteMalicious(PeerID(number))
            attackers.append(Attacker(attack, peer: PeerID(number), random: &random))
            let every = TimeDelta.seconds(1) / Int64(max(1, rate))
            schedule(.attack(attackers.count - 1, until: now + span, every: every), at: now)
        case .bottleneck(let number, let conditions):
            bottlenecks[number] = Bottleneck(conditions, at: now)
        case .longTransfer(let bottleneck, let growth, let roundTrip):
            beginTransfer(growth, over: bottleneck, roundTrip)
        case .layersWanted(let number, let mid, let layers):
            guard let mid = Mid(mid) else { break }
            schedule(.layers(TrackID(peer: PeerID(number), mid: mid), layers), at: now + signallingDelay)
        case .answers(let number, let answers): client(number).profile.answers = answers
        case .busyServer(let machine): busyServer = machine
        case .mark: for client in clients { client.resetFigures() }
        case .expect(let sentence, let isTrue):
            if !isTrue(self) { invariants.violate("expected: \(sentence)", at: now) }
        }
    }

    private func join(_ number: UInt32, _ profile: ParticipantProfile) {
        let id = PeerID(number)
        precondition(indexOf[id] == nil, "participant \(number) joined before; numbers are never used twice")
        let client = SimulatedClient(id, profile, now: now, random: &random)
        indexOf[id] = clients.count
        clients.append(client)
        command(.addParticipant(id))
        applyPlan(client)
        invariants.setConnected(true, id)
        command(.peerConnected(id))
        startSenders(client, audioFrom: 0, videoFrom: 0)
        schedule(.control(id), at: now + .milliseconds(Int64(random.below(20))))
    }

    private func applyPlan(_ client: SimulatedClient) {
        meter?.applied(client.profile, client.plan, to: client.id)
        invariants.applied(client.plan, to: client.id)
        for (index, publication) in client.profile.publications.enumerated() {
            guard let mid = Mid(publication.mid) else { continue }
            var layers = 1
            if case .video(let shape) = publication.shape { layers = shape.layers.count }
            // Of a simulcast track the core forwards one layer; only a plain track's packets must all be accounted for.
            guard layers == 1 else { continue }
            let ssrc = ClientNumbers.publishedSSRC(peer: client.id.rawValue, track: index, encoding: 0)
            trackOfSSRC[ssrc] = TrackID(peer: client.id, mid: mid)
        }
        command(.applyPlan(client.id, client.plan))
    }

    private func startSenders(_ client: SimulatedClient, audioFrom: Int, videoFrom: Int) {
        for index in client.audioSenders.indices.dropFirst(audioFrom) {
            schedule(.audio(client.id, index), at: now + .microseconds(Int64(random.below(20_000))))
        }
        for index in client.videoSenders.indices.dropFirst(videoFrom) {
            schedule(.video(client.id, index), at: now + .microseconds(Int64(random.below(33_000))))
        }
    }

    private func mute(_ client: SimulatedClient, _ mid: String, _ isMuted: Bool) {
        if let index = client.audioSenders.firstIndex(where: { $0.mid == mid }) {
            client.audioSenders[index].isMuted = isMuted
        }
        if let index = client.videoSenders.firstIndex(where: { $0.mid == mid }) {
            client.videoSenders[index].isMuted = isMuted
        }
        if let mid = Mid(mid) { command(.setMuted(TrackID(peer: client.id, mid: mid), isMuted)) }
    }

    private func setLayer(_ client: SimulatedClient, _ rid: String, _ isAlive: Bool) {
        guard !client.videoSenders.isEmpty,
            let index = client.videoSenders[0].encodings.firstIndex(where: { $0.rid == rid })
        else { return }
        client.videoSenders[0].encodings[index].isAlive = isAlive
        if isAlive { client.videoSenders[0].encodings[index].needsKeyFrame = true }
    }

    // MARK: Time

    private func run(until end: Timestamp) {
        while true {
            let event = clock.nextEventAt
            let deadline = core.nextDeadline.map { busyServer?.done(dueAt: $0.at) ?? $0.at }
            let next = [event, deadline].compactMap { $0 }.min()
            guard let next, next <= end else { break }
            if let deadline, deadline <= next, event.map({ deadline < $0 }) ?? true {
                clock.move(to: deadline)
                turn(nil)
            } else if let number = clock.take(notAfter: next), let event = scheduled[number] {
                scheduled[number] = nil
                free.append(number)
                perform(event)
            }
        }
        clock.move(to: end)
    }

    func schedule(_ event: NetworkEvent, at moment: Timestamp) {
        if let number = free.popLast() {
            scheduled[number] = event
            clock.schedule(number, at: moment)
        } else {
            scheduled.append(event)
            clock.schedule(scheduled.count - 1, at: moment)
        }
    }

    private func perform(_ event: NetworkEvent) {
        switch event {
        case .arriveAtServer(let peer, let bytes, let isRTCP):
            if isRTCP { receiveRTCP(bytes, from: peer) } else { receiveRTP(bytes, from: peer) }
        case .arriveRTP(let peer, let packet, let sentAt):
            let client = client(peer.rawValue)
            guard client.isPresent else { return }
            let broken = client.brokenFrames
            send(client.receive(packet, sentAt: sentAt, at: now), from: client)
            if client.brokenFrames > broken {
                invariants.violate("peer \(peer.rawValue) shows a broken picture", at: now)
            }
        case .arriveRTCP(let peer, let messages):
            let client = client(peer.rawValue)
            guard client.isPresent else { return }
            send(client.receive(messages, at: now), from: client)
        case .audio(let peer, let index):
            let client = client(peer.rawValue)
            guard client.isPresent else { return }
            let (datagrams, next) = client.tickAudio(index, at: now)
            send(datagrams, from: client)
            schedule(event, at: now + next)
        case .video(let peer, let index):
            let client = client(peer.rawValue)
            guard client.isPresent else { return }
            let (datagrams, next) = client.tickVideo(index, at: now)
            send(datagrams, from: client)
            schedule(event, at: now + next)
        case .control(let peer):
            let client = client(peer.rawValue)
            guard client.isPresent else { return }
            send(client.tickControl(at: now), from: client)
            schedule(event, at: now + .milliseconds(20))
        case .attack(let index, let until, let every):
            let (bytes, isRTCP) = attackers[index].next()
            let peer = attackers[index].peer
            if isRTCP { receiveRTCP(bytes, from: peer) } else { receiveRTP(bytes, from: peer) }
            if now + every < until { schedule(event, at: now + every) }
        case .acknowledge(let index, let number): acknowledge(index, number)
        case .transferTimeout(let index): checkTimeout(index)
        case .layers(let track, let layers): want(layers, of: track)
        case .sample: sample()
        }
    }

    private func send(_ datagrams: [ClientDatagram], from client: SimulatedClient) {
        for datagram in datagrams {
            let arrivals = carry(
                datagram.bytes.count, over: &client.toServer, flow: client.id, datagram.isRTCP ? .control : .video)
            for arrival in [arrivals.first, arrivals.second].compactMap({ $0 }) {
                schedule(
                    .arriveAtServer(client.id, datagram.bytes, isRTCP: datagram.isRTCP),
                    at: busyServer?.done(dueAt: arrival) ?? arrival)
            }
        }
    }

    // MARK: The core's turns

    /// Gives an RTP packet to the core now, as if it had arrived.
    public func receiveRTP(_ bytes: [UInt8], from peer: PeerID) {
        invariants.receivedRTP(bytes, from: peer)
        meter?.received(bytes, from: peer, at: now)
        let dropsBefore = ingressDrops
        let sentBefore = core.statistics.rtpPacketsSent
        let egressDropsBefore = egressDrops
        let track = bytes.count >= 12 ? trackOfSSRC[bytes.bigEndian32(at: 8)] : nil
        let showingBefore = track.map { invariants.slotsShowing($0) } ?? 0
        turn(.receiveRTP(peer, bytes))
        let drops = ingressDrops - dropsBefore
        if drops > 1 { invariants.violate("one packet was dropped for \(drops) reasons", at: now) }
        guard drops == 0, let track, track.peer == peer else { return }
        let accounted = core.statistics.rtpPacketsSent - sentBefore + egressDrops - egressDropsBefore
        let expected = min(showingBefore, invariants.slotsShowing(track))
        // Where there is a pace, a packet may also wait.
        if accounted < UInt64(expected), meter == nil {
            invariants.violate(
                "a packet of peer \(peer.rawValue) for \(expected) slots was sent or dropped \(accounted) times",
                at: now)
        }
    }

    /// Gives an RTCP datagram to the core now, as if it had arrived.
    public func receiveRTCP(_ bytes: [UInt8], from peer: PeerID) {
        invariants.receivedRTCP()
        meter?.receivedControl(bytes, from: peer)
        turn(.receiveRTCP(peer, bytes))
    }

    private func command(_ command: RoomCommand) {
        turn(.apply(command))
    }

    private static let ingressReasons: [DropReason] = DropReason.allCases.filter { !notIngressReasons.contains($0) }
    private static let notIngressReasons: [DropReason] =
        egressReasons + [
            .malformedRTCP, .unusedRTCP, .feedbackForUnknownSSRC, .retransmissionUnknown, .retransmissionOverwritten,
            .retransmissionTooSoon, .retransmissionLimit, .retransmissionBudget, .pacerStale,
        ]
    private static let egressReasons: [DropReason] = [
        .egressFull, .awaitingKeyFrame, .beforeSwitch, .unsupportedCodec, .layerNotForwarded, .silence,
    ]
    private var ingressDrops: UInt64 { Self.ingressReasons.reduce(0) { $0 + core.statistics[$1] } }
    private var egressDrops: UInt64 { Self.egressReasons.reduce(0) { $0 + core.statistics[$1] } }

    private func turn(
        _ call: CoreCall?, _ other: ((inout RoomCore, Timestamp, inout Egress) -> Void)? = nil
    ) {
        let now = clock.now
        if let call { onCall?(call, now) }
        let body: (inout RoomCore, Timestamp, inout Egress) -> Void = { core, now, out in
            switch call {
            case .receiveRTP(let peer, let bytes): core.receiveRTP(bytes.span, from: peer, at: now, into: &out)
            case .receiveRTCP(let peer, let bytes): core.receiveRTCP(bytes.span, from: peer, at: now, into: &out)
            case .apply(let command): core.apply(command, at: now, into: &out)
            case .advance, .flush, nil: other?(&core, now, &out)
            }
        }
        shadow?.prepare(core, at: now)
        body(&core, now, &egress)
        if egress.isNearlyFull {
            invariants.violate("one call of a simulated room wrote three quarters of the arena", at: now)
        }
        if let deadline = core.nextDeadline, deadline.at <= now {
            onCall?(.advance, now)
            core.advance(to: now, into: &egress)
            if let next = core.nextDeadline, next.at <= now {
                invariants.violate("the deadline \(next) is not later than the time it was advanced to", at: now)
            }
        }
        if let onCall {
            let datagrams = egress.datagrams.indices.map { index in
                (egress.datagrams[index].peer, egress.datagrams[index].kind, egress.copy(of: index))
            }
            onCall(.flush(datagrams: datagrams, events: egress.events, decisions: egress.decisions), now)
        }
        onFlush?(core, egress, now)
        if let shadow {
            let before = shadow.differences.count
            shadow.follow(core, egress, at: now, body)
            for sentence in shadow.differences.dropFirst(before) { invariants.violate(sentence, at: now) }
        }
        flush(at: now)
    }

    private func flush(at now: Timestamp) {
        for event in egress.events {
            invariants.observe(event, at: now)
            events.append((now, event))
            if let wanted = layersWanted(in: event) {
                schedule(.layers(wanted.track, wanted.layers), at: now + signallingDelay)
            }
        }
        for decision in egress.decisions {
            decisions.append((now, decision))
            invariants.observe(decision)
        }
        for index in egress.datagrams.indices { forward(index, at: now) }
        egress.removeAll()
        invariants.observe(core.statistics, at: now)
    }

    private func forward(_ index: Int, at now: Timestamp) {
        let datagram = egress.datagrams[index]
        let bytes = unsafe egress.withBytes(of: index) { unsafe [UInt8](UnsafeRawBufferPointer($0).prefix($1)) }
        digest.add(UInt64(datagram.peer.rawValue) << 8 | UInt64(datagram.kind.rawValue))
        digest.add(UInt64(bitPattern: now.nanoseconds))
        digest.add(bytes)
        guard let clientIndex = indexOf[datagram.peer] else {
            invariants.violate("a datagram to peer \(datagram.peer.rawValue), which never joined", at: now)
            return
        }
        let event: NetworkEvent
        var kind = FlowKind.control
        switch datagram.kind {
        case .rtp:
            guard let packet = invariants.observeRTP(bytes, to: datagram.peer, at: now) else { return }
            event = .arriveRTP(datagram.peer, packet, sentAt: now)
            if let meter {
                kind = meter.sent(packet, to: datagram.peer, at: now)
                let carried = core.carriedRate(of: datagram.peer)
                let probe = core.probeRate(of: datagram.peer)
                for sentence in meter.checkBurst(kind, bytes.count, datagram.peer, carried, probe: probe, now) {
                    invariants.violate(sentence, at: now)
                }
            }
        case .rtcp: event = .arriveRTCP(datagram.peer, invariants.observeRTCP(bytes, to: datagram.peer, at: now))
        }
        let arrivals = carry(bytes.count, over: &clients[clientIndex].fromServer, flow: datagram.peer, kind)
        for arrival in [arrivals.first, arrivals.second].compactMap({ $0 }) { schedule(event, at: arrival) }
    }
}
