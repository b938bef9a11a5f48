// What hosts and operators do with a room and its people. Done twice it has the same end as done once; where two hosts want
// opposite things, what comes first is done and the other is told that it was overtaken, or that the last word counts.

extension RoomMachine {
    /// Does what a host or an operator wants; that a participant is a host is `perform`'s to know.
    public mutating func moderate(
        _ moderation: Moderation, by actor: RoomActor, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard !isEnded else { throw Self.ended }
        switch moderation {
        case .mute(let number, let source): try mute(number, source, by: actor, into: &actions)
        case .requestUnmute(let number, let source): try requestUnmute(number, source, by: actor, into: &actions)
        case .lowerHand(let number):
            guard let index = try find(number, orGone: true) else { return }
            lowerHand(index, by: actor, into: &actions)
        case .invite(let number): try invite(number, by: actor, at: now, into: &actions)
        case .withdrawInvitation(let number):
            guard let index = try find(number, orGone: true), members[index].isInvited else { return }
            members[index].isInvited = false
            update(index, into: &actions)
            record(.invited, of: index, by: actor, detail: "withdrawn", into: &actions)
        case .setRole(let number, let role): try setRole(number, role, by: actor, at: now, into: &actions)
        case .kick(let number): try kick(number, by: actor, at: now, into: &actions)
        case .ban(let user): try ban(user, by: actor, at: now, into: &actions)
        case .unban(let user):
            guard standing(of: user)?.isBanned == true else { return }
            know(user) { $0.isBanned = false }
            actions.append(.record(FeedEvent(.unbanned, version: version, user: user, by: name(of: actor))))
        case .lock(let isLocked): try changeSettings(by: actor, into: &actions) { $0.isLocked = isLocked }
        case .setLobby(let hasLobby): try setLobby(hasLobby, by: actor, into: &actions)
        case .admit(let number): try admit(number, by: actor, into: &actions)
        case .deny(let number): try deny(number, by: actor, into: &actions)
        case .setMetadata(let metadata): try changeSettings(by: actor, into: &actions) { $0.metadata = metadata }
        case .end: end(by: actor, into: &actions)
        }
    }

    // MARK: People

    /// The place of a participant who is present. Nil for one who was there and has left, where that is as good.
    private func find(_ number: UInt32, orGone: Bool = false) throws(ProtocolError) -> Int? {
        if let index = index(of: number), members[index].isVisible || (orGone && members[index].isPresent) {
            return index
        }
        if orGone, wasThere(number), index(of: number) == nil { return nil }
        throw ProtocolError(.unknownParticipant, "\(RoomNames.participant(number)) is not in the room.")
    }

    /// A host by right is nobody's but another's, and an operator's.
    private func checkRank(_ index: Int, _ actor: RoomActor) throws(ProtocolError) {
        guard case .participant(let number) = actor, members[index].newcomer.canModerate,
            member(number)?.newcomer.canModerate != true
        else { return }
        throw ProtocolError(.forbidden, "This host was not made a host by somebody in the room.")
    }

    private mutating func mute(
        _ number: UInt32?, _ source: TrackSourceName, by actor: RoomActor, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        var concerned: [Int] = []
        if let number {
            guard let index = try find(number, orGone: true) else { return }
            try checkRank(index, actor)
            concerned = [index]
        } else {
            concerned = members.indices.filter { members[$0].isPresent && members[$0].role != .host }
        }
        for index in concerned {
            for track in members[index].tracks.indices where members[index].tracks[track].source == source {
                mute(track, of: index, by: actor, into: &actions)
            }
        }
    }

    private mutating func requestUnmute(
        _ number: UInt32, _ source: TrackSourceName, by actor: RoomActor, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard let index = try find(number) else { return }
        guard members[index].role != .listener else {
            throw ProtocolError(.forbidden, "A listener is not heard: invite them to speak.")
        }
        guard members[index].tracks.contains(where: { $0.source == source && $0.isMuted }) else { return }
        actions.append(
            .tell(.unmuteRequested(.init(source: source, by: name(of: actor))), to: .one(number)))
        record(.unmuteRequested, of: index, by: actor, detail: source.rawValue, into: &actions)
    }

    private mutating func invite(
        _ number: UInt32, by actor: RoomActor, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard let index = try find(number), members[index].role == .listener else { return }
        guard members[index].newcomer.canSpeak else {
            throw ProtocolError(.forbidden, "Their token does not allow them to speak.")
        }
        // A raised hand is the answer before the question.
        if members[index].hand != nil {
            return changeRole(index, .speaker, by: actor, at: now, into: &actions)
        }
        guard !members[index].isInvited else { return }
        members[index].isInvited = true
        update(index, into: &actions)
        record(.invited, of: index, by: actor, detail: "invited", into: &actions)
    }

    private mutating func setRole(
        _ number: UInt32, _ role: ParticipantRole, by actor: RoomActor, at now: SessionTime,
        into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard let index = try find(number), members[index].role != role else { return }
        if actor == .participant(number) {
            throw ProtocolError(.forbidden, "To give up the own role, step down.")
        }
        try checkRank(index, actor)
        guard role == .listener || members[index].newcomer.canSpeak || role == .host else {
            throw ProtocolError(.forbidden, "Their token does not allow them to speak.")
        }
        changeRole(index, role, by: actor, at: now, into: &actions)
    }

    private mutating func kick(
        _ number: UInt32, by actor: RoomActor, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        if actor == .participant(number) { throw ProtocolError(.forbidden, "To go yourself, leave.") }
        // Also one who is still coming in.
        var place = index(of: number)
        if place == nil { place = try find(number, orGone: true) }
        guard let index = place else { return }
        try checkRank(index, actor)
        let user = members[index].newcomer.user
        takeOut(index, .removed, by: actor, into: &actions)
        actions.append(.remove(number, .kicked))
        // Who comes again comes like anybody else, but not to be heard after all.
        know(user) { ($0.isKnown, $0.role) = (false, $0.role == .listener ? .listener : nil) }
        watchHosts(at: now)
    }

    private mutating func ban(
        _ user: String, by actor: RoomActor, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        let concerned = members.filter { $0.newcomer.user == user }
        for member in concerned {
            if actor == .participant(member.number) { throw ProtocolError(.forbidden, "To go yourself, leave.") }
            if let index = index(of: member.number) { try checkRank(index, actor) }
        }
        if standing(of: user)?.isBanned != true {
            guard standings.count(where: \.isBanned) < RoomStanding.limit else {
                throw ProtocolError(.serverBusy, "Too many users are banned.")
            }
            know(user) { ($0.isBanned, $0.isKnown, $0.role) = (true, false, nil) }
            actions.append(.record(FeedEvent(.banned, version: version, user: user, by: name(of: actor))))
        }
        for member in concerned {
            guard let index = index(of: member.number) else { continue }
            takeOut(index, .removed, by: actor, into: &actions)
            actions.append(.remove(member.number, .banned))
        }
        for one in waiting where one.newcomer.user == user {
            stopWaiting(one.number, .denied, by: actor, into: &actions)
        }
        watchHosts(at: now)
    }

    // MARK: The door

    private mutating func changeSettings(
        by actor: RoomActor, into actions: inout [RoomAction], _ body: (inout RoomSettings) -> Void
    ) throws(ProtocolError) {
        var changed = settings
        body(&changed)
        guard changed != settings else { return }
        settings = changed
        change(.roomUpdated(.init(version: version + 1, settings: settings)), into: &actions)
        actions.append(.record(FeedEvent(.roomUpdated, version: version, by: name(of: actor))))
    }

    private mutating func setLobby(
        _ hasLobby: Bool, by actor: RoomActor, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        try changeSettings(by: actor, into: &actions) { $0.hasLobby = hasLobby }
        guard !hasLobby else { return }
        for one in waiting { stopWaiting(one.number, .admitted, by: actor, into: &actions) }
    }

    private mutating func admit(
        _ number: UInt32?, by actor: RoomActor, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard let number else {
            for one in waiting { stopWaiting(one.number, .admitted, by: actor, into: &actions) }
            return
        }
        guard waiting.contains(where: { $0.number == number }) else { return try confirm(number, isAdmitted: true) }
        stopWaiting(number, .admitted, by: actor, into: &actions)
    }

    private mutating func deny(
        _ number: UInt32, by actor: RoomActor, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard waiting.contains(where: { $0.number == number }) else { return try confirm(number, isAdmitted: false) }
        stopWaiting(number, .denied, by: actor, into: &actions)
    }

    /// Somebody waits no longer: it is well where the same was decided before.
    private func confirm(_ number: UInt32, isAdmitted: Bool) throws(ProtocolError) {
        guard let before = decided.first(where: { $0.number == number }) else {
            throw ProtocolError(.unknownParticipant, "\(RoomNames.waiting(number)) does not wait.")
        }
        guard before.isAdmitted != isAdmitted else { return }
        throw ProtocolError(
            .overtaken, before.isAdmitted ? "Another host has let them in." : "Another host has sent them away.")
    }

    /// Takes somebody out of the lobby and tells those who may know.
    mutating func stopWaiting(
        _ number: UInt32, _ state: ServerMessage.Waiting.State, by actor: RoomActor?,
        into actions: inout [RoomAction]
    ) {
        guard let index = waiting.firstIndex(where: { $0.number == number }) else { return }
        let one = waiting.remove(at: index)
        switch state {
        case .admitted, .denied:
            decided.append(Decided(number: number, isAdmitted: state == .admitted))
            if decided.count > Decided.limit { decided.removeFirst() }
            if state == .admitted { know(one.newcomer.user) { $0.isKnown = true } }
            let told: ServerMessage.Lobby.State = state == .admitted ? .admitted : .denied
            actions.append(.tell(.lobby(.init(state: told)), to: .waiting(number)))
            actions.append(.forgetWaiting(number))
        case .waiting, .left: break
        }
        tellHosts(.waiting(.init(person: one.description, state: state)), into: &actions)
        actions.append(
            .record(
                FeedEvent(
                    .waitingEnded, version: version, subject: one.description.id, user: one.newcomer.user,
                    by: name(of: actor), detail: state.rawValue)))
    }

    // MARK: The end

    private mutating func end(by actor: RoomActor, into actions: inout [RoomAction]) {
        isEnded = true
        actions.append(.record(FeedEvent(.roomEnded, version: version, by: name(of: actor))))
        for one in waiting {
            actions.append(.tell(.lobby(.init(state: .ended)), to: .waiting(one.number)))
            actions.append(.forgetWaiting(one.number))
        }
        waiting = []
        let all = members
        members = []
        for member in all { actions.append(.remove(member.number, .ended)) }
        actions.append(.end)
    }
}
