// A media worker's rooms and its turn: what transports receive goes into the cores at once; commands are obeyed; right
// before the loop polls, the rooms that are due advance and everything written is sent. Confined to the worker's thread.
import EventLoop
import MediaCore
import Negotiation
import SDP
import Transport

/// A media worker's state.
final class MediaTurn {
    let worker: Int
    let loop: LoopThread
    let settings: MediaSettings
    let metrics: WorkerMetrics
    let log: Log
    let report: @Sendable (WorkerEvent) -> Void

    var rooms: [RoomKey: MediaRoom] = [:]
    /// The same rooms, to walk over.
    var allRooms: [MediaRoom] = []
    var egress = Egress()
    var runs: [Run] = []
    var touched: [MediaRoom] = []
    /// Peers with datagrams in this turn's egress.
    var waiting: [MediaPeer] = []
    /// What one of them is sent next.
    let burst = PacketBurst()
    let peerReports = PeerReports()
    /// Decodes for levels, from the first packet on that wants it.
    var levels: LevelThread?
    /// Packets that were not decoded in time since that was said last, and when that was.
    var lateLevels = 0
    var lateLevelsToldAt: Timestamp?
    /// Rooms with a recording that was asked for, and those whose flight recording is kept at the end of this turn.
    var recorded: [MediaRoom] = []
    var keeping: [MediaRoom] = []
    /// Comes back to this thread from another one.
    let resume: @Sendable (@escaping @Sendable (MediaTurn) -> Void) -> Void

    private let poller: ICEPoller
    private var moderation: TurnModeration
    /// Packets of media that came in.
    private var received: UInt64 = 0
    private var hook: TurnHook?
    private var context: DTLSContext
    private var contextMadeAt: Int64
    private var lastToken: UInt64 = 0

    /// A stretch of the arena that one room wrote.
    struct Run {
        let room: MediaRoom
        let datagram: Int
        let event: Int
        let decision: Int
    }

    /// Commands that were not obeyed yet: those from `nextCommand` on.
    private var commands: [WorkerCommand] = []
    private var nextCommand = 0
    /// Until when commands wait for a file, so that a room which is recorded from its beginning is: by then it is there.
    var commandsWaitUntil: Timestamp?

    /// How long a turn may spend on commands before media is looked at again, in nanoseconds: the last of them may take
    /// longer.
    static let commandNanoseconds: Int64 = 1_000_000
    /// How long a DTLS certificate is used for new peers, in nanoseconds: a day.
    static let certificateLife: Int64 = 86_400 * 1_000_000_000

    init(
        worker: Int, loop: LoopThread, settings: MediaSettings, metrics: WorkerMetrics, log: Log,
        report: @escaping @Sendable (WorkerEvent) -> Void,
        resume: @escaping @Sendable (@escaping @Sendable (MediaTurn) -> Void) -> Void
    ) throws {
        self.worker = worker
        self.loop = loop
        self.settings = settings
        self.metrics = metrics
        self.log = log
        self.report = report
        self.resume = resume
        moderation = TurnModeration(longest: settings.restMilliseconds)
        poller = try ICEPoller(loop: loop)
        context = try DTLSContext(identity: DTLSIdentity())
        contextMadeAt = MonotonicClock.now
        hook = TurnHook(on: loop) { [unowned self] in self.endTurn() }
    }

    var now: Timestamp { Timestamp(nanoseconds: MonotonicClock.now) }

    // MARK: The turn

    /// Right before the loop polls: advance what is due, send everything, and say when to come again.
    private func endTurn() {
        metrics.turns.add(1)
        obeyCommands()
        let now = self.now
        for room in allRooms {
            guard let due = room.due, due <= now else { continue }
            enter(room)
            if room.taps.isInUse { room.taps.advanced(at: now) }
            room.core.advance(to: now, into: &egress)
            if egress.isNearlyFull { flush() }
        }
        flush()
        endRecordings(at: now)
        for room in touched {
            room.isTouched = false
            let next = room.core.nextDeadline
            room.due = next?.at
            room.wake = next.map { moderation.wake(for: $0, at: now.nanoseconds) }
        }
        touched.removeAll(keepingCapacity: true)
        var earliest = reportPeers(at: now)
        if let due = nextRecordingEnd { earliest = earliest.map { min($0, due) } ?? due }
        for room in allRooms {
            guard let due = room.wake else { continue }
            if earliest.map({ due < $0 }) ?? true { earliest = due }
        }
        if nextCommand < commands.count {
            // Those that wait for a file are looked at again when it is there, which wakes the loop, or when it is too late.
            let due = max(now, commandsWaitUntil ?? now)
            earliest = earliest.map { min($0, due) } ?? due
        }
        hook?.wake(at: earliest?.nanoseconds)
        if moderation.note(received: received, video: egress.videoPackets, at: now.nanoseconds) {
            poller.rest(milliseconds: moderation.rest)
        }
    }

    /// Obeys commands, in their order, for a share of the turn: those of a storm must not keep media waiting.
    private func obeyCommands() {
        let end = MonotonicClock.now + Self.commandNanoseconds
        while nextCommand < commands.count {
            if let until = commandsWaitUntil, now < until { break }
            let command = commands[nextCommand]
            nextCommand += 1
            obey(command)
            if MonotonicClock.now >= end { break }
        }
        if nextCommand == commands.count {
            commands.removeAll(keepingCapacity: commands.count < 1_024)
            nextCommand = 0
        } else if nextCommand >= 1_024 {
            commands.removeFirst(nextCommand)
            nextCommand = 0
        }
    }

    @inline(__always)
    func received(_ packet: UnsafeMutableRawBufferPointer, isRTCP: Bool, from peer: MediaPeer) {
        guard let base = packet.baseAddress else { return }
        let count = packet.count
        let span = unsafe UnsafeBufferPointer(start: base.assumingMemoryBound(to: UInt8.self), count: count).span
        let room = peer.room
        enter(room)
        let now = self.now
        if room.taps.isInUse { room.taps.received(isRTCP ? .rtcp : .rtp, span, from: peer.id, at: now) }
        if isRTCP {
            room.core.receiveRTCP(span, from: peer.id, at: now, into: &egress)
        } else {
            room.core.receiveRTP(span, from: peer.id, at: now, into: &egress)
            if let sound = egress.unmeasured { measure(sound, in: span, from: peer) }
        }
        if !isRTCP { received &+= 1 }
        metrics.receivedPackets.add(1)
        metrics.receivedBytes.add(count)
        if egress.isNearlyFull { flush() }
    }

    func apply(_ command: RoomCommand, to room: MediaRoom) {
        enter(room)
        let now = self.now
        room.taps.commanded(command, at: now)
        room.core.apply(command, at: now, into: &egress)
        if egress.isNearlyFull { flush() }
    }

    // MARK: Commands

    /// Takes a command in; it is obeyed before the loop polls again, or in one of the turns after.
    func receive(_ command: WorkerCommand) { commands.append(command) }

    private func obey(_ command: WorkerCommand) {
        switch command {
        case .openRoom(let key, let name, let seed):
            let room = MediaRoom(key: key, name: name, configuration: settings.room, seed: seed)
            rooms[key] = room
            allRooms.append(room)
            openTaps(room)
        case .closeRoom(let key): closeRoom(key)
        case .admit(let key, let id, let permissions, let isEncrypted, let offer):
            admit(key, id, permissions, isEncrypted, offer)
        case .negotiate(let key, let id, let offer):
            guard let room = rooms[key], let peer = room.peers[id] else { return }
            answer(offer, of: peer, in: room)
        case .candidate(let key, let id, let candidate):
            guard let transport = rooms[key]?.peers[id]?.transport else { return }
            transport.addRemoteCandidate(candidate)
        case .setMuted(let key, let track, let isMuted):
            if let room = rooms[key] { apply(.setMuted(track, isMuted), to: room) }
        case .setSlotWishes(let key, let id, let wishes):
            if let room = rooms[key] { apply(.setSlotWishes(id, wishes), to: room) }
        case .remove(let key, let id, let reason):
            if let room = rooms[key] { remove(id, from: room, reason) }
        case .explain(let key, let request, let after, let limit): explain(key, request, after: after, limit: limit)
        case .startCapture(let key, let request): startCapture(key, request)
        case .stopCapture(let key): stopCapture(key)
        case .keepFlight(let key, let request, let reason): keepFlight(key, request: request, reason)
        case .finish: finish()
        }
    }

    private func closeRoom(_ key: RoomKey) {
        guard let room = rooms.removeValue(forKey: key) else { return }
        flush()
        closeTaps(room)
        // The core goes as a whole: nobody is left in it whom the others would have to be taken from.
        for id in room.peers.keys.sorted() {
            room.peers[id]?.transport?.close()
            room.peers[id]?.transport = nil
        }
        room.peers = [:]
        allRooms.removeAll { $0 === room }
        touched.removeAll { $0 === room }
    }

    private func remove(_ id: PeerID, from room: MediaRoom, _ reason: RemovalReason) {
        guard let peer = room.peers[id] else { return }
        // Sent first what was for it: the arena still names it.
        flush()
        room.peers[id] = nil
        peer.transport?.close()
        peer.transport = nil
        apply(.removeParticipant(id, reason), to: room)
    }

    private func finish() {
        close()
        report(.finished(worker: worker))
    }

    /// Closes every room, transport and handle.
    func close() {
        for room in allRooms { closeRoom(room.key) }
        levels?.stop()
        levels = nil
        hook?.close()
        hook = nil
        poller.close()
    }

    // MARK: Negotiation

    private func admit(
        _ key: RoomKey, _ id: PeerID, _ permissions: Permissions, _ isEncrypted: Bool, _ offer: OfferRequest
    ) {
        guard let room = rooms[key], room.peers[id] == nil else { return }
        let peer = MediaPeer(
            id: id, room: room, turn: self, answerer: Answerer(configuration: settings.negotiation),
            permissions: permissions, isEncrypted: isEncrypted)
        room.peers[id] = peer
        apply(.addParticipant(id), to: room)
        answer(offer, of: peer, in: room)
    }

    private func refuse(_ offer: OfferRequest, _ peer: MediaPeer, _ refusal: NegotiationRefusal) {
        let room = peer.room
        // A peer whose first offer was refused is no participant.
        if !peer.isAnswered { remove(peer.id, from: room, .failed) }
        report(.negotiated(room.key, peer.id, request: offer.request, .failure(refusal)))
    }

    private func answer(_ offer: OfferRequest, of peer: MediaPeer, in room: MediaRoom) {
        let inputs = AnswerInputs(
            permissions: peer.permissions,
            tracks: offer.tracks.map { DeclaredTrack(mid: $0.mid, source: $0.source, isMuted: $0.isMuted) },
            isEncrypted: peer.isEncrypted)
        let settled: Answer
        do {
            // What the offer says of the transport comes first: a restart needs new credentials for the answer.
            let examined = try peer.answerer.examine(offer: Array(offer.sdp.utf8), inputs: inputs)
            let transport = try peer.transport ?? makeTransport(for: peer)
            if examined.isICERestart { transport.restartICE() }
            let local = LocalTransport(
                userFragment: transport.localUfrag, password: transport.localPassword,
                fingerprint: SDP.Fingerprint(
                    algorithm: transport.fingerprint.algorithm.rawValue, bytes: transport.fingerprint.bytes),
                candidates: transport.localCandidates,
                candidatesAreComplete: true)
            var random = SystemRandomNumberGenerator()
            settled = try peer.answerer.answer(offer: offer.sdp, inputs: inputs, local: local, random: &random)
            try transport.setRemote(
                ufrag: settled.remote.userFragment, password: settled.remote.password,
                fingerprints: settled.remote.fingerprints.map { ($0.algorithm, $0.value) })
            for candidate in settled.remote.candidates { transport.addRemoteCandidate(candidate) }
        } catch let error as NegotiationError {
            return refuse(offer, peer, NegotiationRefusal(code: "invalidOffer", message: error.message))
        } catch {
            log(.error, "a transport could not be made", ("why", "\(error)"))
            return refuse(
                offer, peer,
                NegotiationRefusal(code: "serverBusy", message: "The server has no room for this connection now."))
        }
        peer.isAnswered = true
        apply(.applyPlan(peer.id, settled.plan), to: room)
        let plan = settled.plan
        report(
            .negotiated(
                room.key, peer.id, request: offer.request,
                .success(
                    Negotiated(
                        answer: settled.sdp, refused: settled.refused.map { ($0.mid, $0.reason.rawValue) },
                        tracks: plan.published.map {
                            NegotiatedTrack(
                                mid: $0.mid, kind: $0.kind, source: $0.source, isMuted: $0.isMuted,
                                rids: $0.encodings.compactMap(\.rid))
                        }, slots: plan.slots.map { ($0.mid, $0.kind) },
                        assignments: room.core.slotAssignments(of: peer.id)))))
    }

    private func makeTransport(for peer: MediaPeer) throws -> PeerTransport {
        if MonotonicClock.now - contextMadeAt > Self.certificateLife {
            context = try DTLSContext(identity: DTLSIdentity())
            contextMadeAt = MonotonicClock.now
        }
        lastToken += 1
        let transport = try PeerTransport(
            poller: poller, configuration: settings.transport, context: context, delegate: peer, token: lastToken)
        peer.transport = transport
        return transport
    }

    // MARK: Transports

    func transportChanged(_ state: TransportState, of peer: MediaPeer) {
        let told: PeerTransportState
        switch state {
        case .connecting: told = .connecting
        case .connected:
            peer.hasConnected = true
            apply(.peerConnected(peer.id), to: peer.room)
            peerReports.begin(peer.room.key, peer.id, at: now)
            told = .connected
        case .disconnected: told = .disconnected
        case .failed(let failure):
            apply(.peerDisconnected(peer.id), to: peer.room)
            log(
                .info, "transport failed", ("room", peer.room.name), ("peer", "\(peer.id.rawValue)"),
                ("why", "\(failure)"))
            // A browser's tab that is closed closes its transport: that is no failure to look into.
            if peer.hasConnected, failure != .closedByPeer { keepFlight(peer.room, .transportFailed) }
            told = .failed
        case .closed: return
        }
        guard told != peer.state else { return }
        peer.state = told
        report(.transport(peer.room.key, peer.id, told))
    }
}

extension MediaPeer: PeerTransportDelegate {
    func transport(_ transport: PeerTransport, receivedRTP packet: UnsafeMutableRawBufferPointer) {
        unsafe turn.received(packet, isRTCP: false, from: self)
    }

    func transport(_ transport: PeerTransport, receivedRTCP packet: UnsafeMutableRawBufferPointer) {
        unsafe turn.received(packet, isRTCP: true, from: self)
    }

    func transport(_ transport: PeerTransport, changedTo state: TransportState) {
        turn.transportChanged(state, of: self)
    }
}
