// The control plane's work on one-to-one calls: sessions are devices of the machine of calls, their commands go into it, and what it
// asks is done, in order. What is kept, and how devices are woken, is in the files beside.
import EventLoop
import Signalling

extension ControlPlane {
    // MARK: Devices

    /// A session whose token is good for calls can be called from now on.
    func connectForCalls(_ session: SessionRecord) {
        guard let claims = session.machine.claims, claims.calls, !session.machine.isEnded else { return }
        let device = calls.nextDevice()
        session.callDevice = device
        calls.sessions[device] = session
        calls.devices[claims.user, default: []].append(device)
        grantStays(to: session, of: claims.user)
        let offersWaiting = session.machine.hello?.callWaiting ?? false
        changeCalls { machine, now, actions in
            machine.connect(
                device, of: claims.user, name: claims.name, offersWaiting: offersWaiting, at: now, into: &actions)
        }
        noteDevice(of: session)
        tellMissed(session)
    }

    func callSocketLost(_ session: SessionRecord) {
        guard let device = session.callDevice else { return }
        changeCalls { machine, now, _ in machine.socketLost(device, at: now) }
    }

    func callSocketFound(_ session: SessionRecord) {
        guard let device = session.callDevice else { return }
        changeCalls { machine, now, actions in machine.socketFound(device, at: now, into: &actions) }
    }

    /// The session is over.
    func disconnectFromCalls(_ session: SessionRecord) {
        guard let device = session.callDevice, let user = session.machine.claims?.user else { return }
        session.callDevice = nil
        calls.sessions[device] = nil
        calls.devices[user]?.removeAll { $0 == device }
        if calls.devices[user]?.isEmpty == true { calls.devices[user] = nil }
        changeCalls { machine, now, actions in machine.disconnect(device, at: now, into: &actions) }
    }

    func tickCalls(at now: SessionTime) {
        guard let due = calls.machine.nextDeadline, due <= now else { return }
        changeCalls { machine, now, actions in machine.advance(to: now, into: &actions) }
    }

    // MARK: Commands

    func perform(_ command: CallCommand, _ id: CommandID, for session: SessionRecord) {
        guard let device = session.callDevice else {
            return answer(session, id, .error(ProtocolError(.forbidden, "The token is not good for calls.")))
        }
        if case .invite = command, isDraining {
            return answer(
                session, id,
                .error(ProtocolError(.serverShutdown, "The server is going away; try again in a moment.")))
        }
        switch command {
        case .invite(let invite):
            if let standing = calls.standings[invite.to] {
                self.invite(command, id, for: session, standing)
            } else {
                Task { self.invite(command, id, for: session, await standing(of: invite.to)) }
            }
        case .accept: perform(command, id, for: session, newCall())
        case .reattach(let reattach): self.reattach(reattach, id, for: session, device)
        case .presence(let asked): presence(asked, id, for: session)
        default: perform(command, id, for: session, CallGiven(id: CallID(""), token: ""))
        }
    }

    /// Places a call to a user of whom this is known; nil: nothing can be known now.
    private func invite(
        _ command: CallCommand, _ id: CommandID, for session: SessionRecord, _ standing: Standings.Standing?
    ) {
        var given = newCall()
        given.isKnown = standing?.isKnown ?? false
        given.isBlocked = standing?.blocked.contains(session.machine.claims?.user ?? "") ?? false
        perform(command, id, for: session, given)
    }

    /// Answers who is there.
    private func presence(_ asked: CallCommand.Presence, _ id: CommandID, for session: SessionRecord) {
        guard let user = session.machine.claims?.user else { return }
        let present = asked.users.filter { calls.machine.isPresent($0) }
        let involved = present.isEmpty ? [] : Set(present + [user])
        func answer(_ blocked: (String) -> Set<String>?) {
            var given = CallGiven(id: CallID(""), token: "")
            given.hidden = Self.hidden(asked.users, from: user, present: present, blocked)
            perform(.presence(asked), id, for: session, given)
        }
        guard involved.contains(where: { calls.standings[$0] == nil }) else {
            return answer { calls.standings[$0]?.blocked }
        }
        Task {
            var known: [String: Set<String>] = [:]
            for one in involved { known[one] = await standing(of: one)?.blocked }
            answer { known[$0] }
        }
    }

    /// Of two of whom one has blocked the other neither learns whether the other is there. Where that is not known, and of those who came
    /// since it was asked, nobody does.
    private static func hidden(
        _ users: [String], from user: String, present: [String], _ blocked: (String) -> Set<String>?
    ) -> Set<String> {
        guard let own = blocked(user) else { return Set(users) }
        return Set(users).subtracting(present.filter { !own.contains($0) && blocked($0)?.contains(user) == false })
    }

    private func newCall() -> CallGiven {
        CallGiven(id: CallID(Self.randomName(bytes: 12)), token: Self.randomName(bytes: 16))
    }

    /// Gives a command to the machine. One that ends a call is answered when the call's record is on the disk.
    func perform(_ command: CallCommand, _ id: CommandID, for session: SessionRecord, _ given: CallGiven) {
        // It may have been lost while the store was asked.
        guard let device = session.callDevice else {
            return answer(session, id, .error(ProtocolError(.forbidden, "The token is not good for calls.")))
        }
        inCallOrder {
            let now = SessionTime(nanoseconds: MonotonicClock.now)
            do throws(ProtocolError) {
                var actions: [CallAction] = []
                var told = try calls.machine.perform(command, by: device, given: given, at: now, into: &actions)
                calls.actions += actions
                if case .call(.invited(let invited)) = told { noteCaller(of: invited.call, session, actions) }
                if case .call(let message) = told { told = .call(completed(message, for: session)) }
                if let call = callEnding(by: command, actions) {
                    calls.ending[call, default: []].append(.init(session: session, id: id, message: told))
                } else {
                    answer(session, id, told)
                }
            } catch {
                answer(session, id, .error(error))
            }
        }
    }

    /// The call that a command has ended, or that is about to be written down as over.
    private func callEnding(by command: CallCommand, _ actions: [CallAction]) -> CallID? {
        switch command {
        case .decline, .cancel, .hangup: break
        default: return nil
        }
        for case .record(let record) in actions where record.end != nil { return record.call }
        return command.call.flatMap { calls.ending[$0] == nil ? nil : $0 }
    }

    // MARK: What the machine asks

    /// Lets the machine of calls change, and does what it asks.
    func changeCalls(_ body: (inout CallMachine, SessionTime, inout [CallAction]) -> Void) {
        inCallOrder {
            var actions: [CallAction] = []
            body(&calls.machine, SessionTime(nanoseconds: MonotonicClock.now), &actions)
            calls.actions += actions
        }
    }

    /// Does something that changes calls, and only then does what was asked meanwhile: the answer to one command begins the next, and
    /// what is told may end a session.
    private func inCallOrder(_ body: () -> Void) {
        let isOutermost = !calls.isActing
        calls.isActing = true
        body()
        guard isOutermost else { return }
        var next = 0
        while next < calls.actions.count {
            let action = calls.actions[next]
            next += 1
            carryOut(action)
        }
        calls.actions.removeAll(keepingCapacity: true)
        calls.isActing = false
    }

    private func carryOut(_ action: CallAction) {
        switch action {
        case .tell(let message, let device):
            guard let session = calls.sessions[device] else { return }
            let told = ServerMessage.call(completed(message, for: session))
            change(session) { machine, actions in machine.send(told, into: &actions) }
        case .inform(let message, let device):
            guard let session = calls.sessions[device] else { return }
            change(session) { machine, actions in machine.inform(.call(message), into: &actions) }
        case .missed(let missed): calls.missed[missed.call] = missed
        case .feed(let event): record(event)
        case .openRoom(let name, _, _):
            calls.rooms.insert(name)
            // It is there when the first of the two joins; where neither does it is closed like any empty room.
            if let room = room(named: name) { noteEmpty(room) }
        case .closeRoom(let name, _): calls.rooms.remove(name)
        case .record(let record):
            count(record)
            keep(record)
        case .wake(let user, let incoming): wake(user, incoming)
        case .stopWaking(_, let call): stopWaking(call)
        }
    }

    /// The message with what the machine does not know: ICE servers. Whom it names a room may enter that.
    func completed(_ message: CallMessage, for session: SessionRecord) -> CallMessage {
        switch message {
        case .accepted(var told):
            told.iceServers = iceServers(for: session)
            if let room = told.room { grant(room, of: told.call, to: session) }
            return .accepted(told)
        case .reattached(var told):
            told.iceServers = iceServers(for: session)
            if let room = told.room { grant(room, of: told.call, to: session) }
            return .reattached(told)
        case .upgraded(let told):
            grant(told.room, of: told.call, to: session)
            return message
        case .ended(let told):
            revoke(told.call, of: session, isOver: true)
            return message
        case .endedElsewhere(let told):
            revoke(told.call, of: session, isOver: false)
            return message
        default: return message
        }
    }

    private func record(_ event: FeedEvent) {
        switch event.kind {
        case .callPlaced: metrics.callsPlaced.add(1)
        case .callAccepted: metrics.callsAccepted.add(1)
        case .callConnected: metrics.callsConnected.add(1)
        default: break
        }
        feed.append(event, room: CallID(event.subject ?? "").room, milliseconds: WallClock.now / 1_000_000)
    }

    private func count(_ record: CallRecord) {
        metrics.calls.store(calls.machine.calls.count)
        guard let end = record.end else { return }
        if let index = CallEndReason.allCases.firstIndex(of: end.reason) { metrics.callsEnded[index].add(1) }
        log(
            .info, "call ended", ("call", record.call.text), ("reason", end.reason.rawValue),
            ("mode", record.mode.rawValue), ("state", record.state.rawValue))
    }
}
