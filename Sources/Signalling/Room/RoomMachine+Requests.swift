// What participants ask of a room: mutes, hands, roles they give up, signs and texts. Each is told to all who may know, and
// done twice has the same end as done once.

extension RoomMachine {
    /// Does what a participant asks.
    /// - Throws: why it was not done; nothing changed then.
    public mutating func perform(
        _ request: RoomRequest, by number: UInt32, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard let index = index(of: number), members[index].isPresent else {
            throw ProtocolError(.notJoined, "Join a room first.")
        }
        if case .mute(let mid, let isMuted, let seen) = request {
            return try setOwnMute(mid, isMuted, seen: seen, of: index, at: now, into: &actions)
        }
        if case .moderate(let moderation) = request {
            guard members[index].role == .host else {
                throw ProtocolError(.forbidden, "Only a host can do this.")
            }
            try spend(index, at: now)
            return try moderate(moderation, by: .participant(number), at: now, into: &actions)
        }
        guard !members[index].newcomer.isHidden else {
            throw ProtocolError(.forbidden, "You are not shown to the others.")
        }
        try spend(index, at: now)
        switch request {
        case .mute, .moderate: break
        case .raiseHand: raiseHand(index, into: &actions)
        case .lowerHand: lowerHand(index, by: .participant(number), into: &actions)
        case .answerInvitation(let accepts): try answerInvitation(accepts, index, at: now, into: &actions)
        case .stepDown: try stepDown(index, at: now, into: &actions)
        case .react(let reaction):
            actions.append(
                .tell(
                    .reaction(.init(from: members[index].id, reaction: reaction)), to: .everyone(except: nil)))
            record(.reaction, of: index, into: &actions)
        case .message(let text, let receiver): try send(text, to: receiver, index, at: now, into: &actions)
        case .setOwnMetadata(let metadata):
            guard members[index].metadata != metadata else { return }
            members[index].metadata = metadata
            update(index, into: &actions)
            record(.metadataChanged, of: index, into: &actions)
        }
    }

    /// Takes one change from what the participant may cause.
    private mutating func spend(_ index: Int, at now: SessionTime) throws(ProtocolError) {
        let wait = members[index].changes.take(1, at: now)
        guard wait == 0 else { throw Self.tooFast(wait) }
    }

    private static func tooFast(_ nanoseconds: Int64) -> ProtocolError {
        .rateLimited("Too much in a short time.", after: nanoseconds)
    }

    // MARK: Mutes

    private mutating func setOwnMute(
        _ mid: String, _ isMuted: Bool, seen: UInt64?, of index: Int, at now: SessionTime,
        into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard let track = members[index].tracks.firstIndex(where: { $0.mid == mid }) else {
            throw ProtocolError(.unknownTrack, "You publish no track \(mid).")
        }
        guard members[index].tracks[track].isMuted != isMuted else { return }
        let number = members[index].number
        // To fall silent is never too much.
        if isMuted { return mute(track, of: index, by: .participant(number), into: &actions) }
        guard members[index].role != .listener else {
            throw ProtocolError(.forbidden, "A listener is not heard: raise a hand.")
        }
        if let seen, let muted = members[index].tracks[track].mutedByHostAt, seen < muted {
            throw ProtocolError(.overtaken, "A host muted you meanwhile.")
        }
        try spend(index, at: now)
        members[index].tracks[track].isMuted = false
        members[index].tracks[track].mutedByHostAt = nil
        actions.append(.setMuted(number, mid: mid, false))
        tellTrack(
            .trackUnmuted, members[index].tracks[track], of: index, by: .participant(number), into: &actions)
    }

    /// Mutes a track that is not.
    mutating func mute(_ track: Int, of index: Int, by actor: RoomActor?, into actions: inout [RoomAction]) {
        let number = members[index].number
        guard !members[index].tracks[track].isMuted else { return }
        members[index].tracks[track].isMuted = true
        if actor != .participant(number) { members[index].tracks[track].mutedByHostAt = version + 1 }
        actions.append(.setMuted(number, mid: members[index].tracks[track].mid, true))
        tellTrack(.trackMuted, members[index].tracks[track], of: index, by: actor, into: &actions)
    }

    // MARK: Hands and roles

    private mutating func raiseHand(_ index: Int, into actions: inout [RoomAction]) {
        guard members[index].hand == nil else { return }
        lastHand += 1
        members[index].hand = lastHand
        update(index, into: &actions)
        record(.handRaised, of: index, into: &actions)
    }

    mutating func lowerHand(_ index: Int, by actor: RoomActor, into actions: inout [RoomAction]) {
        guard members[index].hand != nil else { return }
        members[index].hand = nil
        update(index, into: &actions)
        record(.handLowered, of: index, by: actor, into: &actions)
    }

    private mutating func answerInvitation(
        _ accepts: Bool, _ index: Int, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        guard members[index].isInvited else {
            // Accepted twice, or declined twice, or made a speaker meanwhile.
            if !accepts || members[index].role != .listener { return }
            throw ProtocolError(.overtaken, "The invitation was taken back.")
        }
        let actor = RoomActor.participant(members[index].number)
        guard accepts else {
            members[index].isInvited = false
            update(index, into: &actions)
            return record(.invited, of: index, by: actor, detail: "declined", into: &actions)
        }
        changeRole(index, .speaker, by: actor, at: now, into: &actions)
    }

    private mutating func stepDown(
        _ index: Int, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        let number = members[index].number
        switch members[index].role {
        case .listener: return
        case .speaker: changeRole(index, .listener, by: .participant(number), at: now, into: &actions)
        case .host:
            guard members.contains(where: { $0.number != number && $0.isPresent && $0.role == .host }) else {
                throw ProtocolError(.forbidden, "Make somebody else a host first.")
            }
            let role: ParticipantRole = members[index].newcomer.canSpeak ? .speaker : .listener
            changeRole(index, role, by: .participant(number), at: now, into: &actions)
        }
    }

    /// Gives somebody a role by a request, which is remembered for when they come again.
    mutating func changeRole(
        _ index: Int, _ role: ParticipantRole, by actor: RoomActor, at now: SessionTime,
        into actions: inout [RoomAction]
    ) {
        know(members[index].newcomer.user) { $0.role = role }
        setRole(index, role, by: actor, into: &actions)
        watchHosts(at: now)
    }

    // MARK: Texts

    private mutating func send(
        _ text: String, to receiver: UInt32?, _ index: Int, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) {
        let bytes = text.utf8.count
        if let receiver, member(receiver)?.isVisible != true {
            throw ProtocolError(.unknownParticipant, "\(RoomNames.participant(receiver)) is not in the room.")
        }
        // Both are asked before either is spent: what is refused costs nothing.
        var (own, all) = (members[index].messageBytes, messageBytes)
        let wait = max(own.take(bytes, at: now), receiver == nil ? all.take(bytes, at: now) : 0)
        guard wait == 0 else { throw Self.tooFast(wait) }
        (members[index].messageBytes, messageBytes) = (own, all)
        let from = members[index].id
        guard let receiver else {
            lastMessage += 1
            actions.append(
                .tell(
                    .message(.init(number: lastMessage, from: from, to: nil, text: text)), to: .everyone(except: nil)))
            return record(.message, of: index, detail: "\(bytes)", into: &actions)
        }
        let message = ServerMessage.message(
            .init(number: nil, from: from, to: RoomNames.participant(receiver), text: text))
        actions.append(.tell(message, to: .one(receiver)))
        if receiver != members[index].number {
            actions.append(.tell(message, to: .one(members[index].number)))
        }
    }
}
