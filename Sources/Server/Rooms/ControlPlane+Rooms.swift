// The control plane's work on rooms: what clients command, what workers tell, and who is told of it.
import EventLoop
import MediaCore
import Negotiation
import Signalling

extension ControlPlane {
    // MARK: Commands

    func perform(_ command: ClientCommand, _ id: CommandID, for session: SessionRecord) {
        if case .join(let join) = command { return self.join(session, id, join) }
        guard let place = session.place, place.room.roster.participant(place.id)?.isPresent == true else {
            return answer(session, id, .error(ProtocolError(.notJoined, "Join a room first.")))
        }
        switch command {
        case .join, .answer: break
        case .leave:
            remove(session, .left)
            answer(session, id, .left)
        case .offer(let offer):
            ask(session, id) { request in
                .negotiate(place.room.key, place.id, Self.request(request, offer.sdp, offer.tracks))
            }
        case .candidate(let candidate):
            post(.candidate(place.room.key, place.id, candidate.candidate), to: place.room)
            answer(session, id, .ok(.init()))
        case .iceRestart:
            let servers = iceServers(for: session.machine.claims?.user ?? "")
            answer(session, id, .ok(.init(iceServers: servers)))
        case .mute(let mute): self.mute(session, place, id, mute)
        case .subscribe(let wishes): subscribe(session, place, id, wishes)
        }
    }

    private func answer(_ session: SessionRecord, _ id: CommandID, _ message: ServerMessage) {
        change(session) { machine, actions in machine.answer(id, message, into: &actions) }
    }

    func post(_ command: WorkerCommand, to room: RoomRecord) {
        guard workers.indices.contains(room.worker) else { return }
        workers[room.worker].post(command)
    }

    private static func request(_ number: UInt64, _ sdp: String, _ tracks: [ClientCommand.Track]) -> OfferRequest {
        OfferRequest(
            request: number, sdp: sdp,
            tracks: tracks.map {
                TrackDeclaration(
                    mid: $0.mid, source: RoomRoster.source(named: $0.source), isMuted: $0.muted ?? false)
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
        guard claims.allows(room: join.room) else { return refuse(.forbidden, "This link is for another room.") }
        guard !isDraining else { return refuse(.serverShutdown, "The server is going away; try again in a moment.") }
        let device = join.device ?? session.machine.hello?.device
        if let old = rooms[join.room]?.roster.participant(user: claims.user, device: device),
            let holder = rooms[join.room]?.members[old.id]?.session
        {
            change(holder) { machine, actions in
                machine.close(.replaced, reason: "the same person joined again from this device", into: &actions)
            }
        }
        guard let room = room(named: join.room) else {
            return refuse(.serverBusy, "The server has as many rooms as it may; try again later.")
        }
        guard room.roster.participants.count < configuration.rooms.maximumParticipants else {
            return refuse(.roomFull, "The room is full: \(configuration.rooms.maximumParticipants) people are in it.")
        }
        let name = claims.name ?? join.name
        guard
            let number = room.roster.admit(
                user: claims.user, name: name, device: device, isHidden: claims.hidden)
        else { return refuse(.serverBusy, "This room has seen too many people; use another.") }
        session.place = SessionRecord.Place(room: room, id: number)
        room.members[number] = RoomRecord.Member(session: session)
        room.emptyUntil = nil
        load[room.worker] += 1
        let permissions = Permissions(
            publishableSources: Set(claims.canPublish.map { RoomRoster.source(named: $0) }),
            canSubscribe: claims.canSubscribe)
        ask(session, id) { request in
            .admit(
                room.key, number, permissions, isEncrypted: join.encrypted ?? false,
                Self.request(request, join.offer.sdp, join.tracks))
        }
    }

    /// The room of this name, made on the worker with the fewest participants when it is new; nil at the limit.
    private func room(named name: String) -> RoomRecord? {
        if let room = rooms[name] { return room }
        guard rooms.count < configuration.rooms.maximumRooms else { return nil }
        let worker = load.indices.min { load[$0] < load[$1] } ?? 0
        lastRoom += 1
        let room = RoomRecord(key: RoomKey(serial: lastRoom), name: name, worker: worker)
        rooms[name] = room
        roomByKey[room.key] = room
        metrics.rooms.add(1)
        log(.info, "room opened", ("room", name), ("worker", "\(worker)"))
        var generator = SystemRandomNumberGenerator()
        post(.openRoom(room.key, name: name, seed: generator.next()), to: room)
        return room
    }

    private func mute(
        _ session: SessionRecord, _ place: SessionRecord.Place, _ id: CommandID, _ mute: ClientCommand.Mute
    ) {
        guard let mid = Mid(mute.mid), let told = place.room.roster.setMuted(place.id, mid: mid, mute.muted) else {
            return answer(session, id, .error(ProtocolError(.unknownTrack, "You publish no track \(mute.mid).")))
        }
        post(.setMuted(place.room.key, TrackID(peer: place.id, mid: mid), mute.muted), to: place.room)
        tell(place.room, told, except: place.id)
        answer(session, id, .ok(.init()))
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
            if room.roster.participant(id)?.isPresent == false { remove(session, .failed) }
            let code = ProtocolError.Code(rawValue: refusal.code) ?? .invalidOffer
            answer(session, command, .error(ProtocolError(code, refusal.message)))
        case .success(let settled):
            let refused = settled.refused.compactMap { entry in
                RefusedSection.Reason(rawValue: entry.reason).map { RefusedSection(mid: entry.mid, reason: $0) }
            }
            if room.roster.participant(id)?.isPresent == true {
                let told = room.roster.renegotiate(id, tracks: settled.tracks, slots: settled.slots)
                // The core keeps the mutes of the tracks that stay: it is told what the offer says of them.
                for track in settled.tracks {
                    post(.setMuted(key, TrackID(peer: id, mid: track.mid), track.isMuted), to: room)
                }
                inOrder {
                    tell(room, told, except: id)
                    answer(session, command, .answer(.init(sdp: settled.answer, refused: refused)))
                }
                return
            }
            let told = room.roster.enter(id, tracks: settled.tracks, slots: settled.slots)
            guard let own = room.roster.participant(id) else { return }
            metrics.participants.add(1)
            metrics.joins.add(1)
            let slots = settled.slots.map { slot in
                room.roster.describe(
                    settled.assignments.first { $0.mid == slot.mid }
                        ?? SlotAssignment(mid: slot.mid, track: nil, reason: .nothing), kind: slot.kind)
            }
            log(
                .info, "joined", ("room", room.name), ("participant", RoomRoster.name(of: id)),
                ("people", "\(room.roster.participants.count)"))
            inOrder {
                tell(room, told, except: id)
                answer(
                    session, command,
                    .joined(
                        .init(
                            room: room.name, version: room.roster.version, participant: own.description,
                            participants: room.roster.others(than: id),
                            answer: .init(type: .answer, sdp: settled.answer), refused: refused, slots: slots,
                            recording: describeRecording(of: room),
                            resumeWindowSeconds: configuration.sessions.resumeSeconds)))
            }
            tellSpeakers(to: id, in: room)
        }
    }

    private func transportChanged(_ key: RoomKey, _ id: PeerID, _ state: PeerTransportState) {
        guard let room = roomByKey[key], var member = room.members[id] else { return }
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
        guard state == .failed, let member = room.members[id] else { return }
        if member.isSocketLost {
            giveUp(member.session, "both the socket and the media transport are gone")
        } else {
            room.members[id]?.failedUntil =
                MonotonicClock.now + Int64(configuration.sessions.resumeSeconds) * 1_000_000_000
            send(
                .iceRestart(.init(iceServers: iceServers(for: member.session.machine.claims?.user ?? ""))), to: id,
                in: room)
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
        guard let until = room.emptyUntil, until <= now else { return }
        rooms[room.name] = nil
        roomByKey[room.key] = nil
        metrics.rooms.subtract(1)
        post(.closeRoom(room.key), to: room)
        roomClosed(room)
        log(.info, "room closed", ("room", room.name))
    }

    /// Takes a session's participant out of its room and tells the others.
    func remove(_ session: SessionRecord, _ reason: RemovalReason) {
        guard let place = session.place else { return }
        session.place = nil
        let room = place.room
        let wasPresent = room.roster.participant(place.id)?.isPresent == true
        let told = room.roster.leave(place.id, reason: reason)
        room.members[place.id] = nil
        load[room.worker] -= 1
        if wasPresent { metrics.participants.subtract(1) }
        post(.remove(room.key, place.id, reason), to: room)
        change(session) { machine, _ in machine.leftRoom() }
        tell(room, told, except: place.id)
        if room.roster.participants.isEmpty {
            room.emptyUntil = MonotonicClock.now + Int64(configuration.rooms.emptySeconds) * 1_000_000_000
        }
        log(
            .info, "left", ("room", room.name), ("participant", RoomRoster.name(of: place.id)),
            ("reason", "\(reason)"))
    }

    /// Tells everybody present in a room but one. What telling brings about, such as the end of a session that does not
    /// listen, is told after it: everybody hears the versions of a room in their order.
    func tell(_ room: RoomRecord, _ messages: [ServerMessage], except id: PeerID? = nil) {
        guard !messages.isEmpty else { return }
        announcements.append(Announcement(room: room, messages: messages, except: id))
        inOrder {}
    }

    /// Does something that may tell, and only then tells what was announced meanwhile: the answer to one command begins the
    /// next, which may tell too.
    private func inOrder(_ body: () -> Void) {
        let isOutermost = !isAnnouncing
        isAnnouncing = true
        body()
        guard isOutermost else { return }
        var next = 0
        while next < announcements.count {
            let (room, messages, id) = (
                announcements[next].room, announcements[next].messages, announcements[next].except
            )
            next += 1
            for participant in room.roster.participants where participant.id != id && participant.isPresent {
                for message in messages { send(message, to: participant.id, in: room) }
            }
        }
        announcements.removeAll(keepingCapacity: true)
        isAnnouncing = false
    }

    private func send(_ message: ServerMessage, to id: PeerID, in room: RoomRecord?) {
        guard let session = room?.members[id]?.session else { return }
        change(session) { machine, actions in machine.send(message, into: &actions) }
    }
}
