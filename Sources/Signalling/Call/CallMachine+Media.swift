// What the two sides of a call say to each other, in order and to nobody else, and what they report. The public surface is in
// `CallMachine`.

extension CallMachine {
    /// Passes a description or a candidate on to the other side. The caller may say it before anybody has accepted: it is kept until
    /// somebody does.
    mutating func relay(
        _ told: CallLeg.Relayed, _ id: CallID, by device: CallDeviceID, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) {
        var (call, part) = try find(id, for: device)
        let side: CallSide
        switch part {
        case .side(let own): side = own
        case .ringing: throw Self.notAccepted
        case .elsewhere: throw Self.elsewhere
        }
        try spend(&call, side, bytes: told.bytes, at: now)
        var other = call[side.other]
        if let device = other.device {
            if let message = Self.message(told, isRelayOnly: call.isRelayOnly) {
                actions.append(.tell(message, to: device))
            }
        } else {
            guard other.queue.count < options.queuedPerSide,
                other.queuedBytes + told.bytes <= options.queuedBytesPerSide
            else {
                throw ProtocolError(.tooManyPending, "Too much waits for the other side; send this again later.")
            }
            other.queue.append(told)
            other.queuedBytes += told.bytes
            call[side.other] = other
        }
        calls[call.id] = call
    }

    /// Takes from what a side may say, which all lands in the other's outbox.
    mutating func spend(
        _ call: inout Call, _ side: CallSide, bytes: Int, at now: SessionTime
    ) throws(ProtocolError) {
        var leg = call[side]
        var wait = leg.relayed.take(1, at: now)
        if wait == 0 { wait = leg.relayedBytes.take(bytes, at: now) }
        guard wait == 0 else { throw .rateLimited("Too much for the other side in a short time.", after: wait) }
        call[side] = leg
    }

    /// Tells a side's device what was said while it was not there.
    func pass(_ call: inout Call, to side: CallSide, into actions: inout [CallAction]) {
        guard let device = call[side].device else { return }
        for told in call[side].queue {
            guard let message = Self.message(told, isRelayOnly: call.isRelayOnly) else { continue }
            actions.append(.tell(message, to: device))
        }
        call[side].queue = []
        call[side].queuedBytes = 0
    }

    /// What the other side is told, or nil where it may not be told.
    private static func message(_ told: CallLeg.Relayed, isRelayOnly: Bool) -> CallMessage? {
        switch told {
        case .description(var told):
            if isRelayOnly { told.description.sdp = RelayOnly.description(told.description.sdp) }
            return .description(told)
        case .candidate(var told):
            if isRelayOnly {
                guard let candidate = RelayOnly.candidate(told.candidate) else { return nil }
                told.candidate = candidate
            }
            return .candidate(told)
        }
    }

    // MARK: Reports

    /// A device has media. When both have, the call is active.
    mutating func connected(
        _ report: CallCommand.Connected, by device: CallDeviceID, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) {
        var (call, side) = try findAccepted(report.call, for: device)
        call[side].isConnected = true
        call[side].path = report.path
        if call.state == .connecting, call.caller.isConnected, call.callee.isConnected {
            call.state = .active
            call.times.connected = now
            timers.cancel(.connect(call.id), at: call.deadline)
            call.deadline = nil
            for side in CallSide.allCases { tell(.connected(call.id), call[side], into: &actions) }
            note(.callConnected, call, detail: report.path.rawValue, into: &actions)
        }
        calls[call.id] = call
    }

    /// A device says how well it is served.
    mutating func take(
        _ report: CallCommand.Quality, by device: CallDeviceID, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) {
        var (call, side) = try findAccepted(report.call, for: device)
        call[side].quality.add(report)
        if let other = call[side.other].device { actions.append(.inform(.quality(report), to: other)) }
        calls[call.id] = call
    }

    // MARK: Into a room

    /// Moves a direct call into a room, for a third person's sake alone or not. The direct connection may play on until media comes from there.
    mutating func upgrade(
        _ id: CallID, by device: CallDeviceID, forOthers: Bool = false, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) {
        var (call, side) = try findAccepted(id, for: device)
        call.isInRoomForOthers = forOthers
        calls[id] = call
        guard call.mode == .direct else { return }
        call.mode = .sfu
        if call.state == .connecting {
            timers.cancel(.connect(id), at: call.deadline)
            setDeadline(&call, after: options.connectMilliseconds, at: now)
        }
        calls[id] = call
        for side in CallSide.allCases {
            tell(.upgraded(.init(call: id, room: call.room ?? "")), call[side], into: &actions)
        }
        note(.callUpgraded, call, by: side, into: &actions)
        openRoom(of: call, into: &actions)
    }

    /// Somebody who was called into a call's room is gone. Where its two are alone, and had moved there for others only, they go on from
    /// device to device: the room plays on until media has come that way. A device that finds none moves the call again.
    mutating func leaveRoom(of id: CallID, at now: SessionTime, into actions: inout [CallAction]) {
        guard options.returnsToDirect, var call = calls[id], call.isInRoomForOthers, call.mode == .sfu,
            call.state == .active, call.caller.device != nil, call.callee.device != nil,
            !calls.hasGuests(id)
        else { return }
        if let room = call.room { actions.append(.closeRoom(room, call: id)) }
        call.mode = .direct
        call.isInRoomForOthers = false
        calls[id] = call
        for side in CallSide.allCases {
            tell(.returned(.init(call: id, offers: side == .caller)), call[side], into: &actions)
        }
        note(.callReturned, call, into: &actions)
    }

    func openRoom(of call: Call, into actions: inout [CallAction]) {
        guard let room = call.room else { return }
        actions.append(.openRoom(room, call: call.id, users: [call.caller.user, call.callee.user]))
    }

    // MARK: Devices that come back

    /// A side's device is lost, and may come back until then.
    mutating func lose(_ call: inout Call, _ side: CallSide, until: SessionTime) {
        call[side].device = nil
        call[side].lostUntil = until
        timers.set(.lost(call.id, side), at: until)
    }

    /// Whether only storage can tell if the token of a `reattach` is right, because another run of the server made it.
    public func needsProof(_ reattach: CallCommand.Reattach, by device: CallDeviceID) -> Bool {
        guard let user = owners[device], let call = calls[reattach.call] else { return false }
        return CallSide.allCases.contains { call[$0].user == user && call[$0].needsProof }
    }

    /// A new session of a user takes over one side of a call. The session that had it, if it is still there, has it no longer.
    mutating func reattach(
        _ reattach: CallCommand.Reattach, by device: CallDeviceID, _ given: CallGiven, into actions: inout [CallAction]
    ) throws(ProtocolError) -> ServerMessage {
        guard let user = owners[device] else { throw Self.unknown }
        var id = reattach.call
        if let past = memory[id], past.caller == user || past.callee == user {
            if case .became(let other) = past.outcome { id = other }
            if case .over(var ended) = memory[id]?.outcome {
                // By the name that the client knows it by.
                ended.call = reattach.call
                return .call(.ended(ended))
            }
        }
        guard var call = calls[id],
            let side = CallSide.allCases.first(where: { call[$0].user == user }),
            call[side].needsProof
                ? given.isProven : SessionMachine.areEqual(reattach.token, Array(call[side].token.utf8))
        else { throw Self.unknown }
        if call[side].device != device, isInCall(device, of: user, besides: call),
            self.device(device)?.offersWaiting != true
        {
            throw ProtocolError(.alreadyInCall, "End the call on this device first.")
        }
        if let old = call[side].device, old != device {
            actions.append(.tell(.endedElsewhere(.init(call: id, how: .moved)), to: old))
        }
        timers.cancel(.lost(id, side), at: call[side].lostUntil)
        call[side].lostUntil = nil
        call[side].device = device
        call[side].token = reattach.token
        call[side].needsProof = false
        pass(&call, to: side, into: &actions)
        calls[id] = call
        let other = call[side.other]
        return .call(
            .reattached(
                .init(
                    call: id, state: call.state, user: other.description,
                    media: call.state.isPending ? nil : other.media,
                    mode: call.mode, relayOnly: call.isRelayOnly, offers: side == .caller,
                    heldBy: call.heldBy.isEmpty ? nil : call.heldBy, onHold: onHold(besides: call), room: call.room)))
    }
}
