// How calls are placed and answered: who is rung, who is busy, what happens when two people call each other, and how often one
// may ring whom. The public surface is in `CallMachine`.

extension CallMachine {
    // MARK: Placing

    mutating func invite(
        _ invite: CallCommand.Invite, by device: CallDeviceID, _ given: CallGiven, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) -> ServerMessage {
        guard let user = owners[device], let caller = self.device(device) else { throw Self.unknown }
        guard invite.to != user else { throw ProtocolError(.forbidden, "You cannot call yourself.") }
        let host = try invite.into.map { into throws(ProtocolError) in try findAccepted(into, for: device).0 }
        if host == nil, isInCall(device, of: user), !caller.offersWaiting {
            throw ProtocolError(.alreadyInCall, "End the call on this device first.")
        }
        guard (users[user]?.calls.count ?? 0) < options.callsPerUser else {
            throw ProtocolError(
                .alreadyInCall, "You have \(options.callsPerUser) calls already; end one of them first.")
        }
        guard pendingCall(from: user, to: invite.to) == nil else {
            throw ProtocolError(.alreadyInCall, "You are calling this person already.")
        }
        guard calls[given.id] == nil, memory[given.id] == nil, !given.id.text.isEmpty else {
            throw ProtocolError(.internal, "The call got no name of its own.")
        }
        try spend(user, on: invite.to, at: now)
        guard given.isKnown || users[invite.to]?.devices.isEmpty == false else {
            throw ProtocolError(.unknownUser, "Nobody of that name can be called.")
        }
        let leg = CallLeg(
            user: user, name: caller.name, device: device, media: invite.media,
            isRelayOnly: invite.relayOnly ?? false, token: given.token, options: options)
        var call = Call(
            id: given.id, mode: host == nil ? invite.mode ?? .direct : .sfu, caller: leg,
            callee: CallLeg(user: invite.to, name: nil, options: options), isBlocked: given.isBlocked,
            times: CallTimes(placed: now))
        call.host = host.map(\.roomCall)
        // Its two move into the room while the third is rung.
        if let host, host.mode == .direct {
            try upgrade(host.id, by: device, forOthers: true, at: now, into: &actions)
        }
        if let other = pendingCall(from: invite.to, to: user) {
            meet(call, other, at: now, into: &actions)
        } else {
            place(&call, at: now, into: &actions)
        }
        return .call(.invited(.init(call: given.id, token: given.token)))
    }

    /// Rings a new call's callee, or ends it where the callee is busy.
    private mutating func place(_ call: inout Call, at now: SessionTime, into actions: inout [CallAction]) {
        let (user, callee) = (call.caller.user, call.callee.user)
        let isBusy = isInCall(callee)
        setDeadline(&call, after: options.ringMilliseconds, at: now)
        users[user]?.calls.append(call.id)
        note(.callPlaced, call, into: &actions)
        if call.isBlocked {
            // It is to look like any other call to somebody who has no device connected, which presence says too.
            calls[call.id] = call
        } else {
            users[callee, default: CallUser()].calls.append(call.id)
            let devices = users[callee]?.devices ?? []
            let isFull = (users[callee]?.calls.count ?? 0) > options.callsPerUser
            calls[call.id] = call
            if isFull || (isBusy && !devices.contains { $0.offersWaiting }) {
                return end(call.id, .busy, at: now, into: &actions)
            }
            for device in devices { ring(&call, on: device.id, at: now, into: &actions) }
            if !isBusy { actions.append(.wake(callee, incoming(call, at: now))) }
            calls[call.id] = call
        }
        // Who calls somebody is in a call now.
        settleBusy(user, at: now, into: &actions)
    }

    /// Rings a device, unless its user is in a call and the device does not offer call waiting.
    mutating func ring(
        _ call: inout Call, on device: CallDeviceID, at now: SessionTime, into actions: inout [CallAction]
    ) {
        guard let device = self.device(device), !call.ringing.contains(device.id) else { return }
        guard device.offersWaiting || !isInCall(call.callee.user) else { return }
        call.ringing.append(device.id)
        actions.append(.tell(.incoming(incoming(call, at: now)), to: device.id))
        if device.lostAt == nil { noteRinging(&call, at: now, into: &actions) }
    }

    /// A device that has its socket rings.
    mutating func noteRinging(_ call: inout Call, at now: SessionTime, into actions: inout [CallAction]) {
        if call.state == .inviting { tellRinging(&call, at: now, into: &actions) }
    }

    private mutating func tellRinging(_ call: inout Call, at now: SessionTime, into actions: inout [CallAction]) {
        call.state = .ringing
        call.times.rang = now
        tell(.ringing(call.id), call.caller, into: &actions)
    }

    private func incoming(_ call: Call, at now: SessionTime) -> CallMessage.Incoming {
        let left = (call.deadline?.nanoseconds ?? 0).subtractingReportingOverflow(now.nanoseconds)
        return .init(
            call: call.id, from: call.caller.description, media: call.caller.media ?? .audio, mode: call.mode,
            waiting: isInCall(call.callee.user),
            ringMilliseconds: left.overflow ? 0 : max(0, left.partialValue / 1_000_000))
    }

    /// The call from one user to another that nobody has answered: there is never more than one.
    private func pendingCall(from caller: String, to callee: String) -> Call? {
        for id in users[caller]?.calls ?? [] {
            guard let call = calls[id], call.state.isPending else { continue }
            if call.caller.user == caller, call.callee.user == callee { return call }
        }
        return nil
    }

    // MARK: Both call each other

    /// A user calls somebody who is calling this user: the call with the smaller name counts, and is accepted by both. Who placed
    /// it offers. That somebody does not want to hear from the other is not looked at: who calls wants to talk.
    private mutating func meet(
        _ new: Call, _ old: Call, at now: SessionTime, into actions: inout [CallAction]
    ) {
        var (call, other) = new.id < old.id ? (new, old) : (old, new)
        // What the caller said early is for the callee, who has a device now.
        let early = call.callee
        stopRinging(old, except: old.id < new.id ? new.caller.device : nil, .accepted, into: &actions)
        forgetTimers(of: old)
        calls[old.id] = nil
        for user in [new.caller.user, old.caller.user] { users[user]?.calls.removeAll { $0 == old.id } }
        memory.remember(
            other.id, .init(caller: other.caller.user, callee: other.callee.user, outcome: .became(call.id)))
        call.callee = other.caller
        call.ringing = []
        call.isBlocked = false
        call.callee.queue = early.queue
        call.callee.queuedBytes = early.queuedBytes
        if other.mode == .sfu { call.mode = .sfu }
        call.host = call.host ?? other.host
        for user in [call.caller.user, call.callee.user] { users[user]?.calls.append(call.id) }
        for side in CallSide.allCases {
            if let until = call[side].lostUntil { timers.set(.lost(call.id, side), at: until) }
        }
        if call.id == new.id {
            other.times.ended = now
            note(.callEnded, other, end: .init(call: other.id, reason: .merged), into: &actions)
            note(.callPlaced, call, into: &actions)
        }
        join(&call, replaces: other.id, at: now, into: &actions)
        for side in CallSide.allCases { settleBusy(call[side].user, at: now, into: &actions) }
    }

    // MARK: Answering

    mutating func accept(
        _ accept: CallCommand.Accept, by device: CallDeviceID, _ given: CallGiven, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) -> ServerMessage {
        var (call, part) = try find(accept.call, for: device)
        switch part {
        case .elsewhere: throw Self.elsewhere
        case .side(.caller): throw ProtocolError(.forbidden, "You cannot accept a call of your own.")
        case .side(.callee): return .call(.accepted(accepted(call, .callee)))
        case .ringing: break
        }
        let user = call.callee.user
        if isInCall(device, of: user), self.device(device)?.offersWaiting != true {
            throw ProtocolError(.alreadyInCall, "End the call on this device first.")
        }
        stopRinging(call, except: device, .accepted, into: &actions)
        call.ringing = []
        call.callee.device = device
        call.callee.name = self.device(device)?.name
        call.callee.media = accept.media
        call.callee.isRelayOnly = accept.relayOnly ?? false
        call.callee.token = given.token
        forgetTimers(of: call, butLost: true)
        join(&call, answers: true, at: now, into: &actions)
        settleBusy(user, at: now, into: &actions)
        return .call(.accepted(accepted(call, .callee)))
    }

    /// The two sides have each other: they are told, and what was said early is passed on.
    /// - Parameter answers: whether the callee is told by the answer to its command.
    private mutating func join(
        _ call: inout Call, replaces other: CallID? = nil, answers: Bool = false, at now: SessionTime,
        into actions: inout [CallAction]
    ) {
        call.state = .connecting
        call.times.accepted = now
        setDeadline(&call, after: options.connectMilliseconds, at: now)
        for side in CallSide.allCases where !(answers && side == .callee) {
            let replaces = side == .callee ? other : nil
            tell(.accepted(accepted(call, side, replaces: replaces)), call[side], into: &actions)
        }
        pass(&call, to: .callee, into: &actions)
        calls[call.id] = call
        note(.callAccepted, call, into: &actions)
        openRoom(of: call, into: &actions)
    }

    private func accepted(_ call: Call, _ side: CallSide, replaces: CallID? = nil) -> CallMessage.Accepted {
        let other = call[side.other]
        return .init(
            call: call.id, replaces: replaces, user: other.description, media: other.media ?? .audio, mode: call.mode,
            relayOnly: call.isRelayOnly, offers: side == .caller, token: call[side].token,
            onHold: onHold(besides: call), room: call.room)
    }

    /// Tells the devices that ring for a call, but one, that it is not theirs, and that nobody need be woken for it.
    func stopRinging(
        _ call: Call, except kept: CallDeviceID? = nil, _ how: CallMessage.EndedElsewhere.How,
        into actions: inout [CallAction]
    ) {
        for device in call.ringing where device != kept {
            actions.append(.tell(.endedElsewhere(.init(call: call.id, how: how)), to: device))
        }
        if !call.isBlocked { actions.append(.stopWaking(call.callee.user, call.id)) }
    }

    // MARK: Busy

    /// A user is in a call now: other calls go on ringing only where a device offers call waiting; else they are over.
    private mutating func settleBusy(_ user: String, at now: SessionTime, into actions: inout [CallAction]) {
        for id in users[user]?.calls ?? [] {
            guard var call = calls[id], call.state.isPending, call.callee.user == user else { continue }
            let waiting = call.ringing.filter { device($0)?.offersWaiting == true }
            guard !waiting.isEmpty else {
                end(id, .busy, at: now, into: &actions)
                continue
            }
            for device in call.ringing where !waiting.contains(device) {
                actions.append(.tell(.endedElsewhere(.init(call: id, how: .busy)), to: device))
            }
            call.ringing = waiting
            calls[id] = call
        }
    }

    // MARK: Limits

    /// Takes one call from what a user may place, and from what it may place to one person.
    private mutating func spend(
        _ name: String, on callee: String, at now: SessionTime
    ) throws(ProtocolError) {
        guard options.inviteMilliseconds > 0, options.pairMilliseconds > 0, var user = users[name] else { return }
        var limit =
            user.limit ?? TokenBucket(milliseconds: options.inviteMilliseconds, burst: options.inviteBurst)
        // Those that are full again say nothing; the others are few, for each of them took from the user's own limit.
        user.pairs.removeAll { $0.limit.full(after: now) == nil }
        let index = user.pairs.firstIndex { $0.callee == callee }
        var pair =
            index.map { user.pairs[$0] }
            ?? .init(
                callee: callee, limit: TokenBucket(milliseconds: options.pairMilliseconds, burst: options.pairBurst))
        var wait = pair.limit.take(1, at: now)
        if wait == 0 { wait = limit.take(1, at: now) }
        guard wait == 0 else { throw .rateLimited("Too many calls in a short time.", after: wait) }
        user.limit = limit
        if let index { user.pairs[index] = pair } else { user.pairs.append(pair) }
        users[name] = user
    }
}
