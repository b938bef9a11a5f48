// One-to-one calls: who is rung, on which devices, who answered, and what becomes of it when everything happens at once. Sans-IO:
// sessions, push, storage, rooms, the clock and chance are the server's. Placing and answering, what the two sides say to each
// other, and ends are in the files beside.

/// The state machine of all one-to-one calls and the users who place and receive them.
///
/// Every function appends what is to be done to `actions`, in order; a command's answer is sent before it. An error changes
/// nothing but limits. What is asked twice has the same end as what is asked once. Both sides of a call are told one outcome.
public struct CallMachine: Hashable, Sendable {
    /// The settings.
    public let options: CallOptions
    var users: [String: CallUser] = [:]
    /// The user of each connected device.
    var owners: [CallDeviceID: String] = [:]
    /// The calls that are not over.
    public internal(set) var calls = CallTable()
    var memory: CallMemory
    var timers = CallTimers()

    /// A machine without calls.
    public init(options: CallOptions = CallOptions()) {
        self.options = options
        memory = CallMemory(capacity: options.rememberedCalls)
    }

    /// When `advance` must be called next, or nil.
    public var nextDeadline: SessionTime? { timers.next?.at }

    /// Time went on.
    public mutating func advance(to now: SessionTime, into actions: inout [CallAction]) {
        while let timer = timers.next, timer.at <= now { fire(timer, at: now, into: &actions) }
    }

    mutating func fire(_ timer: CallTimers.Timer, at now: SessionTime, into actions: inout [CallAction]) {
        timers.cancel(timer.due, at: timer.at)
        switch timer.due {
        case .ring(let id): end(id, .unanswered, at: now, into: &actions)
        case .connect(let id): end(id, .failed, at: now, into: &actions)
        case .lost(let id, let side): end(id, .lost, by: side, at: now, into: &actions)
        case .forget(let user):
            users[user]?.forgetAt = nil
            tidy(user, at: now)
        }
    }

    // MARK: Devices

    /// A device of a user is there: it rings for the calls that ring. Beyond `devicesPerUser` one whose socket is lost is given up
    /// for it.
    /// - Returns: false where the user has too many devices; this one can neither call nor be called then.
    @discardableResult
    public mutating func connect(
        _ device: CallDeviceID, of user: String, name: String?, offersWaiting: Bool, at now: SessionTime,
        into actions: inout [CallAction]
    ) -> Bool {
        guard owners[device] == nil else { return true }
        let devices = users[user]?.devices ?? []
        if devices.count >= options.devicesPerUser {
            guard let lost = devices.first(where: { $0.lostAt != nil && !isInCall($0.id, of: user) }) else {
                return false
            }
            disconnect(lost.id, at: now, into: &actions)
        }
        owners[device] = user
        timers.cancel(.forget(user), at: users[user]?.forgetAt)
        users[user, default: CallUser()].forgetAt = nil
        users[user]?.devices.append(CallDevice(id: device, name: name, offersWaiting: offersWaiting))
        for id in users[user]?.calls ?? [] {
            guard var call = calls[id], call.state.isPending, call.callee.user == user else { continue }
            ring(&call, on: device, at: now, into: &actions)
            calls[id] = call
        }
        return true
    }

    /// A device's socket is lost; its session waits for another.
    public mutating func socketLost(_ device: CallDeviceID, at now: SessionTime) {
        change(device) { if $0.lostAt == nil { $0.lostAt = now } }
    }

    /// A device's session goes on, and was told what it had missed.
    public mutating func socketFound(
        _ device: CallDeviceID, at now: SessionTime, into actions: inout [CallAction]
    ) {
        guard let user = owners[device] else { return }
        change(device) { $0.lostAt = nil }
        for id in users[user]?.calls ?? [] {
            guard var call = calls[id], call.ringing.contains(device) else { continue }
            noteRinging(&call, at: now, into: &actions)
            calls[id] = call
        }
    }

    /// A device's session is over. Its calls wait for `call.reattach` until the grace is over, counted from when the socket was lost.
    public mutating func disconnect(
        _ device: CallDeviceID, at now: SessionTime, into actions: inout [CallAction]
    ) {
        guard let user = owners.removeValue(forKey: device) else { return }
        let lostAt = users[user]?.devices.first { $0.id == device }?.lostAt ?? now
        users[user]?.devices.removeAll { $0.id == device }
        let until = lostAt.adding(milliseconds: options.graceMilliseconds)
        for id in users[user]?.calls ?? [] {
            guard var call = calls[id] else { continue }
            call.ringing.removeAll { $0 == device }
            let side = call.side(of: device)
            if let side { lose(&call, side, until: until) }
            calls[id] = call
            if let side, until <= now { end(id, .lost, by: side, at: now, into: &actions) }
        }
        tidy(user, at: now)
    }

    /// Takes a call in that was accepted and not over when another run of the server kept it: both devices have to come back.
    /// - Parameter record: its times and those given later are of one clock. A side without a token needs storage's proof.
    public mutating func restore(_ record: CallRecord, at now: SessionTime) {
        guard record.end == nil, !record.state.isPending, calls[record.call] == nil, memory[record.call] == nil
        else { return }
        func leg(_ party: CallRecord.Party) -> CallLeg {
            var leg = CallLeg(
                user: party.user, name: party.name, media: party.media, isRelayOnly: record.isRelayOnly,
                token: party.token, options: options)
            leg.path = party.path
            leg.quality = party.quality
            leg.isHolding = party.isHolding
            leg.needsProof = party.token.isEmpty
            leg.isConnected = record.state == .active
            return leg
        }
        var call = Call(
            id: record.call, mode: record.mode, caller: leg(record.caller), callee: leg(record.callee),
            isBlocked: false, times: record.times)
        call.state = record.state
        call.host = record.host
        call.isInRoomForOthers = record.isInRoomForOthers
        let until = now.adding(milliseconds: options.graceMilliseconds)
        for side in CallSide.allCases {
            lose(&call, side, until: until)
            users[call[side].user, default: CallUser()].calls.append(call.id)
        }
        if call.state == .connecting { setDeadline(&call, after: options.connectMilliseconds, at: now) }
        calls[call.id] = call
    }

    /// Ends every call of a user as if the user had, and forgets the limits: the user's devices are disconnected first. What other
    /// users' limits say of the user is forgotten with them.
    public mutating func forget(_ user: String, at now: SessionTime, into actions: inout [CallAction]) {
        let ids = calls.values.filter { $0.caller.user == user || $0.callee.user == user }.map(\.id).sorted()
        for id in ids {
            guard let call = calls[id] else { continue }
            let side = call.caller.user == user ? CallSide.caller : .callee
            let reason: CallEndReason = !call.state.isPending ? .hungUp : side == .caller ? .cancelled : .declined
            end(id, reason, by: side, at: now, into: &actions)
        }
        memory.forget(user)
        guard users[user]?.devices.isEmpty == true else { return }
        timers.cancel(.forget(user), at: users[user]?.forgetAt)
        users[user] = nil
    }

    // MARK: Commands

    /// Does what a device asks.
    /// - Parameter given: what `invite`, `accept`, `reattach` and `presence` need beside; other commands do not look at it.
    /// - Returns: the command's answer.
    /// - Throws: why it was not done.
    public mutating func perform(
        _ command: CallCommand, by device: CallDeviceID, given: CallGiven, at now: SessionTime,
        into actions: inout [CallAction]
    ) throws(ProtocolError) -> ServerMessage {
        guard owners[device] != nil else {
            throw ProtocolError(.forbidden, "You have too many devices connected; close one of them and connect again.")
        }
        switch command {
        case .invite(let invite): return try self.invite(invite, by: device, given, at: now, into: &actions)
        case .accept(let accept): return try self.accept(accept, by: device, given, at: now, into: &actions)
        case .decline(let id), .cancel(let id), .hangup(let id):
            try stop(id, command, by: device, at: now, into: &actions)
        case .description(let told): try relay(.description(told), told.call, by: device, at: now, into: &actions)
        case .candidate(let told): try relay(.candidate(told), told.call, by: device, at: now, into: &actions)
        case .connected(let report): try connected(report, by: device, at: now, into: &actions)
        case .quality(let report): try take(report, by: device, at: now, into: &actions)
        case .upgrade(let id): try upgrade(id, by: device, at: now, into: &actions)
        case .hold(let id): try hold(id, true, by: device, at: now, into: &actions)
        case .resume(let id): try hold(id, false, by: device, at: now, into: &actions)
        case .reattach(let reattach): return try self.reattach(reattach, by: device, given, into: &actions)
        case .presence(let asked):
            let present = asked.users.filter { isPresent($0) && !given.hidden.contains($0) }
            return .call(.presence(.init(present: present)))
        }
        return .ok(.init())
    }

    // MARK: Looking up

    /// Whether a user has a side in any call that is not over.
    public func isInvolved(_ user: String) -> Bool {
        calls.values.contains { $0.caller.user == user || $0.callee.user == user }
    }

    /// Whether there is such a call, or it is remembered how it ended.
    public func knows(_ call: CallID) -> Bool { calls[call] != nil || memory[call] != nil }

    /// What a device has to do with a call.
    enum Part {
        /// It is one side's.
        case side(CallSide)
        /// It rings.
        case ringing
        /// It is the same user's, and the call is not on it.
        case elsewhere
    }

    /// A call that is not over, and what the device has to do with it.
    /// - Parameter followsOther: whether a call that became another stands for that.
    func find(
        _ id: CallID, for device: CallDeviceID, followsOther: Bool = false
    ) throws(ProtocolError) -> (Call, Part) {
        guard let user = owners[device] else { throw Self.unknown }
        var id = id
        if let past = memory[id], past.caller == user || past.callee == user {
            guard case .became(let other) = past.outcome else { throw Self.over }
            guard followsOther else { throw ProtocolError(.callEnded, "This call has become another.") }
            if memory[other] != nil { throw Self.over }
            id = other
        }
        guard let call = calls[id] else { throw Self.unknown }
        if let side = call.side(of: device) { return (call, .side(side)) }
        if call.ringing.contains(device) { return (call, .ringing) }
        // Whom it is hidden from it does not exist for.
        guard call.caller.user == user || (call.callee.user == user && !call.isBlocked) else { throw Self.unknown }
        return (call, .elsewhere)
    }

    /// A call that was accepted, and the device's side of it.
    func findAccepted(_ id: CallID, for device: CallDeviceID) throws(ProtocolError) -> (Call, CallSide) {
        let (call, part) = try find(id, for: device)
        switch part {
        case .side(let side):
            if call.state.isPending { throw Self.notAccepted }
            return (call, side)
        case .ringing: throw Self.notAccepted
        case .elsewhere: throw Self.elsewhere
        }
    }

    /// Whether a user has a device that can be called now.
    public func isPresent(_ user: String) -> Bool { users[user]?.devices.contains { $0.lostAt == nil } ?? false }

    /// Whether a user is in a call: has placed one, or accepted one. Whom a call only rings for is not.
    func isInCall(_ user: String) -> Bool {
        users[user]?.calls.contains { id in
            calls[id].map { $0.caller.user == user || !$0.state.isPending } ?? false
        } ?? false
    }

    /// Whether a device is a side of a call, those left out that share a room with `call`.
    func isInCall(_ device: CallDeviceID, of user: String, besides call: Call? = nil) -> Bool {
        users[user]?.calls.contains { id in
            guard let other = calls[id], other.side(of: device) != nil else { return false }
            return call.map { other.roomCall != $0.roomCall } ?? true
        } ?? false
    }

    func device(_ id: CallDeviceID) -> CallDevice? {
        owners[id].flatMap { users[$0]?.devices.first { $0.id == id } }
    }

    private mutating func change(_ device: CallDeviceID, _ body: (inout CallDevice) -> Void) {
        guard let user = owners[device], let index = users[user]?.devices.firstIndex(where: { $0.id == device })
        else { return }
        if var changed = users[user]?.devices[index] {
            body(&changed)
            users[user]?.devices[index] = changed
        }
    }

    /// Forgets a user of whom nothing is left, or notes when that will be.
    mutating func tidy(_ name: String, at now: SessionTime) {
        guard var user = users[name], user.devices.isEmpty, user.calls.isEmpty, user.forgetAt == nil else { return }
        user.pairs.removeAll { $0.limit.full(after: now) == nil }
        let full =
            user.pairs.compactMap { $0.limit.full(after: now) } + [user.limit?.full(after: now)].compactMap { $0 }
        if let last = full.max() {
            user.forgetAt = last
            timers.set(.forget(name), at: last)
            users[name] = user
        } else {
            users[name] = nil
        }
    }

    static let unknown = ProtocolError(.unknownCall, "There is no such call.")
    static let over = ProtocolError(.callEnded, "The call is over.")
    static let elsewhere = ProtocolError(.overtaken, "The call is on another device.")
    static let notAccepted = ProtocolError(.callNotAccepted, "Nobody has accepted the call yet.")
}
