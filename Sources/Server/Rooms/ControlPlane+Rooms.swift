// The control plane's work on rooms: what clients command, what workers tell, and who is told of it.
import EventLoop
import MediaCore
import Negotiation
import Signalling

extension ControlPlane {
    // MARK: Commands

    func perform(_ command: ClientCommand, _ id: CommandID, for session: SessionRecord) {
        switch command {
        case .join(let join): return self.join(session, id, join)
        case .call(let command): return perform(command, id, for: session)
        case .account(let command): return perform(command, id, for: session)
        case .iceRestart: return answer(session, id, .ok(.init(iceServers: iceServers(for: session))))
        default: break
        }
        if case .leave = command, session.waiting != nil {
            stopWaiting(session)
            return answer(session, id, .left)
        }
        guard let place = session.place, session.isIn else {
            return answer(session, id, .error(ProtocolError(.notJoined, "Join a room first.")))
        }
        do throws(ProtocolError) {
            if let request = try command.roomRequest() { return perform(request, id, for: session, place) }
        } catch {
            return answer(session, id, .error(error))
        }
        switch command {
        case .leave:
            inOrder {
                remove(session, .left)
                answer(session, id, .left)
            }
        case .offer(let offer):
            let member = place.room.roster.machine.member(place.id.rawValue)
            ask(session, id) { request in
                .negotiate(place.room.key, place.id, Self.request(request, offer.sdp, offer.tracks, member))
            }
        case .candidate(let candidate):
            post(.candidate(place.room.key, place.id, candidate.candidate), to: place.room)
            answer(session, id, .ok(.init()))
        case .subscribe(let wishes): subscribe(session, place, id, wishes)
        default: break
        }
    }

    func answer(_ session: SessionRecord, _ id: CommandID, _ message: ServerMessage) {
        change(session) { machine, actions in machine.answer(id, message, into: &actions) }
    }

    func post(_ command: WorkerCommand, to room: RoomRecord) {
        guard workers.indices.contains(room.worker) else { return }
        workers[room.worker].post(command)
    }

    /// What may not be heard is muted from the start: not a packet of it is forwarded before the machine has said so.
    private static func request(
        _ number: UInt64, _ sdp: String, _ tracks: [ClientCommand.Track], _ member: RoomMember?
    ) -> OfferRequest {
        func isSilenced(_ mid: String) -> Bool {
            member?.role == .listener || member?.tracks.first { $0.mid == mid }?.isMutedByHost == true
        }
        return OfferRequest(
            request: number, sdp: sdp,
            tracks: tracks.map {
                TrackDeclaration(
                    mid: $0.mid, source: RoomRoster.source(named: $0.source),
                    isMuted: $0.muted ?? false || isSilenced($0.mid))
            })
    }

    /// Sends an offer to the room's worker and remembers whose command its answer completes.
    private func ask(_ session: SessionRecord, _ id: CommandID, _ command: (UInt64) -> WorkerCommand) {
        guard let room = session.place?.room else { return }
        lastRequest += 1
        session.pending[lastRequest] = id
        requests[lastRequest] = session
        post(command(lastRequest), to: room)
    }

    private func join(_ session: SessionRecord, _ id: CommandID, _ join: ClientCommand.Join) {
        guard let claims = session.machine.claims else { return }
        func refuse(_ code: ProtocolError.Code, _ sentence: String) {
            answer(session, id, .error(ProtocolError(code, sentence)))
        }
        guard session.place == nil else { return refuse(.alreadyJoined, "You are in a room already; leave it first.") }
        guard session.machine.mayEnter(room: join.room) else {
            return refuse(.forbidden, "This link is for another room.")
        }
        guard !isDraining else { return refuse(.serverShutdown, "The server is going away; try again in a moment.") }
        if let waiting = session.waiting, waiting.room.name != join.room { stopWaiting(session) }
        let device = join.device ?? session.machine.hello?.device
        replace(claims.user, device, in: join.room, by: session)
        guard let room = room(named: join.room) else {
            return refuse(.serverBusy, "The server has as many rooms as it may; try again later.")
        }
        let newcomer = Newcomer(
            user: claims.user, name: claims.name ?? join.name, device: device, isHidden: claims.hidden,
            canModerate: claims.canModerate, canSpeak: !claims.canPublish.isEmpty, role: claims.role)
        let waiting = session.waiting?.number
        do throws(ProtocolError) {
            let admission = try change(room) { machine, now, actions throws(ProtocolError) in
                try machine.join(newcomer, waiting: waiting, at: now, into: &actions)
            }
            switch admission {
            case .waiting(let number):
                startWaiting(session, room, number)
                answer(session, id, .lobby(.init(state: .waiting)))
            case .place(let number):
                if let waiting { room.waiting[waiting] = nil }
                session.waiting = nil
                begin(session, id, join, in: room, PeerID(number), claims)
            }
        } catch {
            noteEmpty(room)
            refuse(error.code, error.message)
        }
    }

    /// The same user joins again from the same device: the old participant, or the old place in the lobby, is given up.
    private func replace(_ user: String, _ device: String?, in name: String, by session: SessionRecord) {
        guard let device, let room = rooms[name] else { return }
        var holders: [SessionRecord] = []
        if let old = room.roster.machine.member(user: user, device: device),
            let holder = room.members[PeerID(old.number)]?.session
        {
            holders.append(holder)
        }
        for one in room.roster.machine.waiting where one.newcomer.user == user && one.newcomer.device == device {
            if let holder = room.waiting[one.number], holder !== session { holders.append(holder) }
        }
        for holder in holders {
            change(holder) { machine, actions in
                machine.close(.replaced, reason: "the same person joined again from this device", into: &actions)
            }
        }
    }

    /// A place is taken: the worker answers the offer.
    private func begin(
        _ session: SessionRecord, _ id: CommandID, _ join: ClientCommand.Join, in room: RoomRecord, _ number: PeerID,
        _ claims: Claims
    ) {
        session.place = SessionRecord.Place(room: room, id: number)
        room.members[number] = RoomRecord.Member(session: session)
        room.emptyUntil = nil
        load[room.worker] += 1
        let permissions = Permissions(
            publishableSources: Set(claims.canPublish.map { RoomRoster.source(named: $0) }),
            canSubscribe: claims.canSubscribe)
        let member = room.roster.machine.member(number.rawValue)
        ask(session, id) { request in
            .admit(
                room.key, number, permissions, isEncrypted: join.encrypted ?? false,
                Self.request(request, join.offer.sdp, join.tracks, member))
        }
    }

    /// The room of this name, made on the worker with the fewest participants when it is new; nil at the limit.
    func room(named name: String) -> RoomRecord? {
        if let room = rooms[name] { return room }
        guard rooms.count < configuration.rooms.maximumRooms else { return nil }
        let worker = load.indices.min { load[$0] < load[$1] } ?? 0
        lastRoom += 1
        let room = RoomRecord(
            key: RoomKey(serial: lastRoom), name: name, worker: worker, options: roomOptions(of: name))
        rooms[name] = room
        roomByKey[room.key] = room
        metrics.rooms.add(1)
        log(.info, "room opened", ("room", name), ("worker", "\(worker)"))
        record(FeedEvent(.roomOpened, version: 0), in: room)
        var generator = SystemRandomNumberGenerator()
        post(.openRoom(room.key, name: name, seed: generator.next()), to: room)
        return room
    }

    private func subscribe(
        _ session: SessionRecord, _ place: SessionRecord.Place, _ id: CommandID, _ subscribe: ClientCommand.Subscribe
    ) {
        let slots = place.room.roster.participant(place.id)?.slots ?? []
        var wishes: [SlotWish] = []
        for wish in subscribe.slots {
            guard let mid = Mid(wish.mid), slots.contains(where: { $0.mid == mid }) else {
                return answer(session, id, .error(ProtocolError(.unknownSlot, "You have no slot \(wish.mid).")))
            }
            var pin: TrackID?
            if let name = wish.pin {
                pin = place.room.roster.track(named: name)
                guard pin != nil else {
                    return answer(session, id, .error(ProtocolError(.unknownTrack, "There is no track \(name).")))
                }
            }
            wishes.append(
                SlotWish(
                    mid: mid, pin: pin, wantedHeight: wish.wantedHeight ?? UInt16.max,
                    priority: wish.priority ?? SlotWish.defaultPriority))
        }
        post(.setSlotWishes(place.room.key, place.id, wishes), to: place.room)
        answer(session, id, .ok(.init()))
    }

    // MARK: What workers tell

    func receive(_ event: WorkerEvent) {
        switch event {
        case .negotiated(let key, let id, let request, let result): negotiated(key, id, request, result)
        case .candidate(let key, let id, let candidate, let fragment):
            send(
                .candidate(.init(candidate: candidate, mid: nil, usernameFragment: fragment)), to: id,
                in: roomByKey[key])
        case .transport(let key, let id, let state): transportChanged(key, id, state)
        case .slots(let key, let id, let assignments):
            guard let room = roomByKey[key], let own = room.roster.participant(id), own.isPresent else { return }
            let told = assignments.compactMap { assignment in
                own.slots.first { $0.mid == assignment.mid }.map { room.roster.describe(assignment, kind: $0.kind) }
            }
            if !told.isEmpty { send(.slots(told), to: id, in: room) }
        case .layers(let key, let track, let active): layersWanted(track, active, in: roomByKey[key])
        case .quality(let key, let id, let quality): tell(quality, to: id, in: roomByKey[key])
        case .speakers(let key, let report): speakersChanged(report, in: roomByKey[key])
        case .captureStarted(let key, let request, let result): captureStarted(key, request, result)
        case .captureEnded(let key, let ended): captureEnded(key, ended)
        case .flightKept(let key, let request, let reason, let result): flightKept(key, request, reason, result)
        case .explained(let key, let request, let explanation): explained(key, request, explanation)
        case .finished: workerFinished()
        }
    }

    /// Tells a publisher which encodings of a track anybody needs. What does not fit the track as it is now was about an older
    /// one, of the same media section.
    private func layersWanted(_ track: TrackID, _ active: [Bool], in room: RoomRecord?) {
        guard let room, let owner = room.roster.participant(track.peer), owner.isPresent,
            let rids = owner.tracks.first(where: { $0.mid == track.mid })?.rids, rids.count == active.count
        else { return }
        let encodings = zip(rids, active).map { ServerMessage.Layers.Encoding(rid: $0.text, active: $1) }
        send(.layers(.init(mid: track.mid.text, encodings: encodings)), to: track.peer, in: room)
    }

    private func negotiated(
        _ key: RoomKey, _ id: PeerID, _ request: UInt64, _ result: Result<Negotiated, NegotiationRefusal>
    ) {
        guard let session = requests.removeValue(forKey: request),
            let command = session.pending.removeValue(forKey: request),
            let room = roomByKey[key], session.place?.id == id
        else { return }
        switch result {
        case .failure(let refusal):
            if !session.isIn { remove(session, .failed) }
            let code = ProtocolError.Code(rawValue: refusal.code) ?? .invalidOffer
            answer(session, command, .error(ProtocolError(code, refusal.message)))
        case .success(let settled):
            let refused = settled.refused.compactMap { entry in
                RefusedSection.Reason(rawValue: entry.reason).map { RefusedSection(mid: entry.mid, reason: $0) }
            }
            room.roster.settle(id, tracks: settled.tracks, slots: settled.slots)
            let tracks = RoomRoster.tracks(settled.tracks)
            inOrder {
                if session.isIn {
                    settle(room) { machine, _, actions in
                        machine.renegotiate(id.rawValue, tracks: tracks, into: &actions)
                    }
                    answer(session, command, .answer(.init(sdp: settled.answer, refused: refused)))
                } else {
                    session.isIn = true
                    settle(room) { machine, now, actions in
                        machine.enter(id.rawValue, tracks: tracks, at: now, into: &actions)
                    }
                    answerJoin(session, command, room, id, settled, refused)
                }
            }
            tellSpeakers(to: id, in: room)
        }
    }

    private func answerJoin(
        _ session: SessionRecord, _ command: CommandID, _ room: RoomRecord, _ id: PeerID, _ settled: Negotiated,
        _ refused: [RefusedSection]
    ) {
        guard let own = room.roster.participant(id) else { return }
        metrics.participants.add(1)
        metrics.joins.add(1)
        let slots = settled.slots.map { slot in
            room.roster.describe(
                settled.assignments.first { $0.mid == slot.mid }
                    ?? SlotAssignment(mid: slot.mid, track: nil, reason: .nothing), kind: slot.kind)
        }
        let machine = room.roster.machine
        log(
            .info, "joined", ("room", room.name), ("participant", RoomRoster.name(of: id)),
            ("people", "\(machine.members.count)"))
        answer(
            session, command,
            .joined(
                .init(
                    room: room.name, version: machine.version, participant: own.description,
                    participants: machine.others(than: id.rawValue),
                    answer: .init(type: .answer, sdp: settled.answer), refused: refused, slots: slots,
                    recording: describeRecording(of: room), settings: machine.settings,
                    waiting: machine.waitingList(for: id.rawValue),
                    resumeWindowSeconds: configuration.sessions.resumeSeconds)))
    }

    private func transportChanged(_ key: RoomKey, _ id: PeerID, _ state: PeerTransportState) {
        guard let room = roomByKey[key], var member = room.members[id] else { return }
        let isDoubted = member.transport == .connected && state == .disconnected
        member.transport = state
        if state == .connected { member.failedUntil = nil }
        room.members[id] = member
        let told: ServerMessage.MediaState.State =
            switch state {
            case .connecting: .connecting
            case .connected: .connected
            case .disconnected: .disconnected
            case .failed: .failed
            }
        send(.mediaState(.init(state: told)), to: id, in: room)
        guard state == .failed || isDoubted, let member = room.members[id] else { return }
        if member.isSocketLost {
            giveUp(member.session, "both the socket and the media transport are gone")
        } else {
            if state == .failed {
                room.members[id]?.failedUntil =
                    MonotonicClock.now + Int64(configuration.sessions.resumeSeconds) * 1_000_000_000
            }
            send(
                .iceRestart(.init(iceServers: iceServers(for: member.session))), to: id, in: room)
        }
    }

    // MARK: Presence

    func socketLost(_ session: SessionRecord) {
        guard let place = session.place, var member = place.room.members[place.id] else { return }
        member.isSocketLost = true
        place.room.members[place.id] = member
        if member.transport == .failed { giveUp(session, "both the socket and the media transport are gone") }
    }

    func socketFound(_ session: SessionRecord) {
        guard let place = session.place else { return }
        place.room.members[place.id]?.isSocketLost = false
        tellSpeakers(to: place.id, in: place.room)
    }

    /// The participant can be reached neither way: gone. The client, should it come back, starts over.
    private func giveUp(_ session: SessionRecord, _ why: String) {
        remove(session, .timedOut)
        change(session) { machine, actions in machine.close(.resyncNeeded, reason: why, into: &actions) }
    }

    /// What time does to a room: transports that did not come back are given up, and a room long empty is closed.
    func tick(_ room: RoomRecord, at now: Int64) {
        for (_, member) in room.members.sorted(by: { $0.key < $1.key }) {
            if let until = member.failedUntil, until <= now {
                giveUp(member.session, "the media transport did not come back")
            }
        }
        tellOwedSpeakers(in: room)
        if let due = room.roster.machine.nextDeadline, due.nanoseconds <= now {
            settle(room) { machine, now, actions in machine.advance(to: now, into: &actions) }
        }
        if let until = room.emptyUntil, until <= now { close(room) }
    }

    /// Takes a session's participant out of its room and tells the others.
    func remove(_ session: SessionRecord, _ reason: RemovalReason) {
        guard let place = session.place else { return }
        let told: ServerMessage.ParticipantLeft.Reason =
            switch reason {
            case .left: .left
            case .timedOut: .timedOut
            case .replaced: .replaced
            case .removed: .removed
            case .failed: .failed
            case .roomEnded: .roomEnded
            }
        inOrder {
            settle(place.room) { machine, now, actions in
                machine.leave(place.id.rawValue, told, at: now, into: &actions)
            }
            vacate(session, place.room, place.id, reason)
        }
    }

    private func send(_ message: ServerMessage, to id: PeerID, in room: RoomRecord?) {
        guard let session = room?.members[id]?.session else { return }
        change(session) { machine, actions in machine.send(message, into: &actions) }
    }
}
