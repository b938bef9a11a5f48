// The control plane's work on a room's life: what people and operators ask goes into the room's machine, and what that asks is
// done: people are told, tracks are silenced, those who were removed are taken out.
import EventLoop
import MediaCore
import Signalling

extension ControlPlane {
    /// The settings of a new room.
    func roomOptions(of name: String) -> RoomOptions {
        var options = RoomOptions()
        let rooms = configuration.rooms
        options.maximumParticipants = rooms.maximumParticipants
        options.defaultRole = ParticipantRole(rawValue: rooms.defaultRole) ?? .speaker
        options.hasLobby = rooms.lobby
        options.changesPerSecond = rooms.changesPerSecond
        options.changeBurst = rooms.changesPerSecond * 4
        options.successionMilliseconds =
            rooms.successionSeconds == 0 ? nil : Int64(rooms.successionSeconds) * 1_000
        if calls.rooms.contains(name) {
            // Two people who talk to each other already.
            options.hasLobby = false
            options.defaultRole = .speaker
        }
        return options
    }

    /// Lets a room's machine change, and does what it asks, in order.
    func change<Result>(
        _ room: RoomRecord,
        _ body: (inout RoomMachine, SessionTime, inout [RoomAction]) throws(ProtocolError) -> Result
    ) throws(ProtocolError) -> Result {
        var actions: [RoomAction] = []
        let result = try body(&room.roster.machine, SessionTime(nanoseconds: MonotonicClock.now), &actions)
        inOrder { for action in actions { carryOut(action, in: room) } }
        return result
    }

    /// The same for what cannot be refused.
    func settle(_ room: RoomRecord, _ body: (inout RoomMachine, SessionTime, inout [RoomAction]) -> Void) {
        var actions: [RoomAction] = []
        body(&room.roster.machine, SessionTime(nanoseconds: MonotonicClock.now), &actions)
        inOrder { for action in actions { carryOut(action, in: room) } }
    }

    private func carryOut(_ action: RoomAction, in room: RoomRecord) {
        switch action {
        case .tell(let message, let audience): announce(message, to: audience, in: room)
        case .setMuted(let number, let mid, let isMuted):
            guard let mid = Mid(mid) else { return }
            post(.setMuted(room.key, TrackID(peer: PeerID(number), mid: mid), isMuted), to: room)
        case .remove(let number, let reason): takeOut(PeerID(number), of: room, reason)
        case .forgetWaiting(let number):
            guard let session = room.waiting.removeValue(forKey: number) else { return }
            session.waiting = nil
            change(session) { machine, _ in machine.leftRoom() }
            noteEmpty(room)
        case .record(let event): record(event, in: room)
        case .end: close(room)
        }
    }

    func record(_ event: FeedEvent, in room: RoomRecord) {
        feed.append(event, room: room.name, milliseconds: WallClock.now / 1_000_000)
    }

    /// What a client asked of the room's life.
    func perform(_ request: RoomRequest, _ id: CommandID, for session: SessionRecord, _ place: SessionRecord.Place) {
        inOrder {
            do throws(ProtocolError) {
                try change(place.room) { machine, now, actions throws(ProtocolError) in
                    try machine.perform(request, by: place.id.rawValue, at: now, into: &actions)
                }
                answer(session, id, .ok(.init()))
            } catch {
                answer(session, id, .error(error))
            }
        }
        if case .moderate(let moderation) = request {
            log(
                .debug, "moderated", ("room", place.room.name), ("by", RoomRoster.name(of: place.id)),
                ("what", "\(moderation)".prefix(while: { $0 != "(" }).description))
        }
    }

    // MARK: Telling

    /// Tells those who are in the room now. What telling brings about, such as the end of a session that does not listen, is
    /// told after it: everybody hears the versions of a room in their order.
    private func announce(_ message: ServerMessage, to audience: RoomAction.Audience, in room: RoomRecord) {
        switch audience {
        case .everyone(let except):
            for member in room.roster.machine.members where member.isPresent && member.number != except {
                announce(message, to: PeerID(member.number), in: room)
            }
        case .one(let number): announce(message, to: PeerID(number), in: room)
        case .waiting(let number):
            guard let session = room.waiting[number] else { return }
            announcements.append(Announcement(session: session, room: room, id: nil, message: message))
        }
    }

    private func announce(_ message: ServerMessage, to id: PeerID, in room: RoomRecord) {
        guard let session = room.members[id]?.session else { return }
        announcements.append(Announcement(session: session, room: room, id: id, message: message))
    }

    /// Does something that may tell, and only then tells what was announced meanwhile: the answer to one command begins the
    /// next, which may tell too.
    func inOrder(_ body: () -> Void) {
        let isOutermost = !isAnnouncing
        isAnnouncing = true
        body()
        guard isOutermost else { return }
        var next = 0
        while next < announcements.count {
            let announcement = announcements[next]
            next += 1
            // Whoever has left meanwhile, perhaps for another room, hears no more of this one.
            if let id = announcement.id {
                guard let place = announcement.session.place, place.room === announcement.room, place.id == id else {
                    continue
                }
            }
            change(announcement.session) { machine, actions in machine.send(announcement.message, into: &actions) }
        }
        announcements.removeAll(keepingCapacity: true)
        isAnnouncing = false
    }

    // MARK: Out

    /// Takes somebody out who is no longer in the machine, and tells them why.
    private func takeOut(_ id: PeerID, of room: RoomRecord, _ reason: RoomEndReason) {
        guard let session = room.members[id]?.session else { return }
        let wasIn = session.isIn
        // The place is given back before anything is answered: the answer to one command begins the next.
        vacate(session, room, id, reason == .ended ? .roomEnded : .removed)
        for (request, command) in session.pending.sorted(by: { $0.key < $1.key }) {
            session.pending[request] = nil
            requests[request] = nil
            let sentence = reason == .ended ? "The room has ended." : "A host removed you."
            answer(session, command, .error(ProtocolError(reason == .ended ? .roomEnded : .removed, sentence)))
        }
        guard wasIn else { return }
        announcements.append(
            Announcement(session: session, room: room, id: nil, message: .roomEnded(.init(reason: reason))))
    }

    /// Gives a session's place back.
    func vacate(_ session: SessionRecord, _ room: RoomRecord, _ id: PeerID, _ reason: RemovalReason) {
        session.place = nil
        room.members[id] = nil
        room.roster.forget(id)
        load[room.worker] -= 1
        if session.isIn { metrics.participants.subtract(1) }
        noteOut(session, of: room.name, reason)
        session.isIn = false
        post(.remove(room.key, id, reason), to: room)
        change(session) { machine, _ in machine.leftRoom() }
        noteEmpty(room)
        log(
            .info, "left", ("room", room.name), ("participant", RoomRoster.name(of: id)), ("reason", "\(reason)"))
    }

    /// A room in which nobody is and for which nobody waits is closed after a while.
    func noteEmpty(_ room: RoomRecord) {
        guard room.roster.machine.members.isEmpty, room.waiting.isEmpty, room.emptyUntil == nil else { return }
        room.emptyUntil = MonotonicClock.now + Int64(configuration.rooms.emptySeconds) * 1_000_000_000
    }

    /// Closes a room in which nobody is.
    func close(_ room: RoomRecord) {
        guard roomByKey[room.key] != nil else { return }
        rooms[room.name] = nil
        roomByKey[room.key] = nil
        calls.stays.forget(room: room.name)
        metrics.rooms.subtract(1)
        post(.closeRoom(room.key), to: room)
        roomClosed(room)
        record(FeedEvent(.roomClosed, version: room.roster.version), in: room)
        log(.info, "room closed", ("room", room.name))
    }

    // MARK: The lobby

    /// Somebody waits no longer: of their own will, or because the session is over.
    func stopWaiting(_ session: SessionRecord) {
        guard let (room, number) = session.waiting else { return }
        session.waiting = nil
        room.waiting[number] = nil
        settle(room) { machine, _, actions in machine.cancelWaiting(number, into: &actions) }
        noteEmpty(room)
    }

    /// The session is in the lobby of a room.
    func startWaiting(_ session: SessionRecord, _ room: RoomRecord, _ number: UInt32) {
        session.waiting = (room, number)
        room.waiting[number] = session
        room.emptyUntil = nil
    }
}
