// How calls end, once and for both sides alike, and what is told and kept of them. The public surface is in `CallMachine`.

extension CallMachine {
    /// A device does not want the call, or wants it no longer. What the word means depends on how far the call has come: who cancels
    /// a call that was accepted meanwhile ends it, and both sides are told that.
    mutating func stop(
        _ id: CallID, _ command: CallCommand, by device: CallDeviceID, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) {
        let (call, part): (Call, Part)
        do throws(ProtocolError) {
            (call, part) = try find(id, for: device, followsOther: true)
        } catch {
            // What was wanted is so already.
            if error.code == .callEnded { return }
            throw error
        }
        switch part {
        case .side(let side):
            end(call.id, call.state.isPending ? .cancelled : .hungUp, by: side, at: now, into: &actions)
        case .ringing:
            if case .cancel = command { throw ProtocolError(.forbidden, "Only the caller can cancel a call.") }
            end(call.id, .declined, by: .callee, at: now, into: &actions)
        case .elsewhere: throw Self.elsewhere
        }
    }

    /// Ends a call: everybody who knows of it is told the same.
    mutating func end(
        _ id: CallID, _ reason: CallEndReason, by side: CallSide? = nil, at now: SessionTime,
        into actions: inout [CallAction]
    ) {
        guard var call = calls[id] else { return }
        calls[id] = nil
        let ended = CallMessage.Ended(call: id, reason: reason, by: side)
        forgetTimers(of: call)
        for side in CallSide.allCases { tell(.ended(ended), call[side], into: &actions) }
        for device in call.ringing { actions.append(.tell(.ended(ended), to: device)) }
        if call.state.isPending, !call.isBlocked {
            actions.append(.stopWaking(call.callee.user, id))
            if reason != .declined {
                actions.append(
                    .missed(
                        MissedCall(
                            user: call.callee.user, call: id, from: call.caller.description,
                            media: call.caller.media ?? .audio, placed: call.times.placed)))
            }
        }
        call.times.ended = now
        note(.callEnded, call, by: side, end: ended, into: &actions)
        if let room = call.room, call.host == nil { actions.append(.closeRoom(room, call: id)) }
        memory.remember(id, .init(caller: call.caller.user, callee: call.callee.user, outcome: .over(ended)))
        for user in [call.caller.user, call.callee.user] {
            users[user]?.calls.removeAll { $0 == id }
            tidy(user, at: now)
        }
        if !call.heldBy.isEmpty { tellOthers(in: call, into: &actions) }
        if let host = call.host { leaveRoom(of: host, at: now, into: &actions) }
    }

    // MARK: Telling and keeping

    /// Tells a side something, where it has a device.
    func tell(_ message: CallMessage, _ leg: CallLeg, into actions: inout [CallAction]) {
        if let device = leg.device { actions.append(.tell(message, to: device)) }
    }

    /// Keeps how a call stands, and writes what happened into the feed.
    func note(
        _ kind: FeedEvent.Kind, _ call: Call, by side: CallSide? = nil, detail: String? = nil,
        end: CallMessage.Ended? = nil, into actions: inout [CallAction]
    ) {
        actions.append(.record(call.record(end: end)))
        let event = FeedEvent(
            kind, version: 0, subject: call.id.text, user: call.caller.user, by: side.map { call[$0].user },
            detail: end?.reason.rawValue ?? detail)
        actions.append(.feed(event))
    }

    // MARK: Timers

    /// Begins the time that a call may stay as it is.
    mutating func setDeadline(_ call: inout Call, after milliseconds: Int64, at now: SessionTime) {
        let deadline = now.adding(milliseconds: milliseconds)
        call.deadline = deadline
        timers.set(call.state.isPending ? .ring(call.id) : .connect(call.id), at: deadline)
    }

    mutating func forgetTimers(of call: Call, butLost: Bool = false) {
        timers.cancel(call.state.isPending ? .ring(call.id) : .connect(call.id), at: call.deadline)
        guard !butLost else { return }
        for side in CallSide.allCases { timers.cancel(.lost(call.id, side), at: call[side].lostUntil) }
    }
}
