// Users with devices, the machine of calls and everything on its way between them, as one value: every order in which
// things can happen is walked through. Time is not counted: what is due may fall due at any moment.
@testable import Signalling

/// What one client makes of what it is told, as `docs/protocol.md` has it.
struct CallClient: Hashable {
    enum Phase: Hashable {
        /// Placed by this client, and not answered.
        case calling
        /// It rings.
        case ringing
        /// Somebody calls whom this client is calling: it does not ring.
        case silent
        /// Accepted by this client; the server has not said so.
        case answering
        /// Accepted; the client has reported media, or has not.
        case connecting(Bool)
        case active
        /// This client wants it to be over.
        case leaving
        /// Asked about on a new session.
        case reattaching
    }
    struct Entry: Hashable {
        var call: CallID
        /// The other user.
        var peer: String
        var phase: Phase
        var token: String?
        /// The number of the other side's last candidate.
        var heard = 0
        /// How many candidates this client has sent.
        var said = 0
        /// Whether its media goes through a room.
        var isInRoom = false
        /// The sides that have it on hold, as far as told, and whether this client wants to be one.
        var heldBy: Set<CallSide> = []
        var holds = false
        /// Who else in its room has a call on hold, as far as told.
        var onHold: [String] = []
    }
    var entries: [Entry] = []
    /// Whom an invitation was sent to that is not answered.
    var inviting: String?
    /// Something came that may not come.
    var fault: String?

    subscript(call: CallID) -> Entry? { entries.first { $0.call == call } }
    var isIdle: Bool { entries.isEmpty && inviting == nil }

    /// Whether this client is calling a user.
    func isCalling(_ user: String) -> Bool {
        inviting == user || entries.contains { $0.phase == .calling && $0.peer == user }
    }

    mutating func set(_ call: CallID, _ phase: Phase, with peer: String, token: String? = nil) {
        if let index = entries.firstIndex(where: { $0.call == call }) {
            entries[index].phase = phase
            if let token { entries[index].token = token }
        } else {
            entries.append(Entry(call: call, peer: peer, phase: phase, token: token))
        }
    }

    mutating func change(_ call: CallID, to phase: Phase) {
        if let entry = self[call] { set(call, phase, with: entry.peer) }
    }

    mutating func move(_ call: CallID, intoRoom isInRoom: Bool) {
        guard let index = entries.firstIndex(where: { $0.call == call }) else { return }
        entries[index].isInRoom = isInRoom
    }

    mutating func hold(_ call: CallID, by side: CallSide, _ isHeld: Bool) {
        guard let index = entries.firstIndex(where: { $0.call == call }) else {
            return fault = "\(call) is on hold and not ours"
        }
        if entries[index].heldBy.contains(side) == isHeld { fault = "the \(side) of \(call) says the same twice" }
        if isHeld { entries[index].heldBy.insert(side) } else { entries[index].heldBy.remove(side) }
    }

    mutating func know(_ users: [String], onHold call: CallID) {
        guard let index = entries.firstIndex(where: { $0.call == call }) else {
            return fault = "the room of \(call), which is not ours"
        }
        entries[index].onHold = users
    }

    mutating func drop(_ call: CallID) { entries.removeAll { $0.call == call } }

    mutating func take(_ message: CallMessage) {
        switch message {
        case .invited(let told):
            guard let peer = inviting else { return fault = "an answer to no invitation" }
            inviting = nil
            set(told.call, .calling, with: peer, token: told.token)
        case .incoming(let told):
            if self[told.call] != nil { fault = "\(told.call) came twice" }
            set(told.call, .ringing, with: told.from.id)
        case .accepted(let told):
            var isLeft = self[told.call]?.phase == .leaving
            if let other = told.replaces {
                isLeft = isLeft || self[other]?.phase == .leaving
                drop(other)
            }
            // What the client no longer wants it goes on ending.
            set(told.call, isLeft ? .leaving : .connecting(false), with: told.user.id, token: told.token)
            move(told.call, intoRoom: told.mode == .sfu)
            know(told.onHold ?? [], onHold: told.call)
        case .endedElsewhere(let told): drop(told.call)
        case .ended(let told): drop(told.call)
        case .connected(let call):
            guard let entry = self[call] else { return fault = "\(call) is connected and not ours" }
            if entry.phase != .leaving { set(call, .active, with: entry.peer) }
        case .candidate(let told):
            guard let index = entries.firstIndex(where: { $0.call == told.call }) else {
                return fault = "a candidate for \(told.call), which is not ours"
            }
            let number = Int(told.candidate) ?? 0
            if number != entries[index].heard + 1 { fault = "candidate \(number) after \(entries[index].heard)" }
            entries[index].heard = number
        case .reattached(let told):
            entries.removeAll { $0.phase == .reattaching }
            let phase: Phase =
                told.state.isPending ? .calling : told.state == .active ? .active : .connecting(false)
            set(told.call, phase, with: told.user.id)
            move(told.call, intoRoom: told.mode == .sfu)
            know(told.onHold ?? [], onHold: told.call)
            for side in told.heldBy ?? [] { hold(told.call, by: side, true) }
            // What it had asked for and was not heard is not asked for again.
            if let index = entries.firstIndex(where: { $0.call == told.call }) {
                entries[index].holds = told.heldBy?.contains(told.offers ? .caller : .callee) ?? false
            }
        case .upgraded(let told):
            if self[told.call]?.isInRoom != false { fault = "\(told.call) moves into a room and is not ours to move" }
            move(told.call, intoRoom: true)
        case .returned(let told):
            if self[told.call]?.isInRoom != true { fault = "\(told.call) leaves a room that it is not in" }
            move(told.call, intoRoom: false)
        case .held(let told): hold(told.call, by: told.by, true)
        case .resumed(let told): hold(told.call, by: told.by, false)
        case .onHold(let told): know(told.users, onHold: told.call)
        case .ringing, .description, .quality, .missed, .presence:
            fault = "\(message.type) was not expected"
        }
        settle()
    }

    mutating func refused(_ command: CallCommand) {
        switch command {
        case .invite: inviting = nil
        case .accept(let accept): if self[accept.call]?.phase == .answering { drop(accept.call) }
        case .reattach(let reattach): drop(reattach.call)
        default: break
        }
        settle()
    }

    /// Who is no longer calling hears that somebody calls.
    private mutating func settle() {
        for index in entries.indices {
            let isCalling = isCalling(entries[index].peer)
            if isCalling, entries[index].phase == .ringing { entries[index].phase = .silent }
            if !isCalling, entries[index].phase == .silent { entries[index].phase = .ringing }
        }
    }
}

/// The machine, the four devices and what is on its way.
struct CallWorld: Hashable {
    /// What may still happen to a device.
    struct Budget: Hashable {
        var invites = 0
        /// Its session is lost, with all that is on its way.
        var losses = 0
        /// Its socket is lost and its session resumed.
        var reconnects = 0
        /// A command is performed twice.
        var duplicates = 0
        /// Candidates it sends.
        var candidates = 0
        /// Calls in which it is into whose room it calls C.
        var adds = 0
        /// How often it puts a call on hold, and takes that back.
        var holds = 0
    }
    enum Link: Hashable {
        case up
        /// The socket is lost, the session waits.
        case cut
        /// The server has given the session up; the client does not know.
        case gone
    }
    enum Down: Hashable {
        case told(CallMessage)
        case refused(CallCommand)
    }
    struct Device: Hashable {
        let user: String
        var id: CallDeviceID
        var budget: Budget
        var offersWaiting = false
        var link = Link.up
        var client = CallClient()
        var up: [CallCommand] = []
        var down: [Down] = []
        var placed = 0
    }

    var machine: CallMachine
    var devices: [Device]
    /// What was told to be the end of each call.
    var ends: [CallID: CallMessage.Ended] = [:]
    var fault: String?

    static let start = SessionTime(nanoseconds: 0)
    /// At most so many commands of one client are on their way.
    static let inFlight = 2

    /// - Parameter faults: how many losses, reconnects and duplicates there are at most, of those that the devices may have.
    /// - Parameter waiting: whether B's first device offers call waiting.
    init(
        a: [Budget], b: [Budget], c: [Budget] = [], faults: Int = 0, waiting: Bool = false, blocked: Bool = false
    ) {
        self.faults = faults
        var options = CallOptions()
        // Nothing is ever due by itself, and no limit is met: the world's time stands still.
        options.inviteMilliseconds = 0
        options.relayedPerSecond = 1_000_000_000
        options.relayedBytesPerSecond = 1_000_000_000
        machine = CallMachine(options: options)
        devices = []
        isBlocked = blocked
        for (user, budgets) in [("A", a), ("B", b), ("C", c)] {
            for budget in budgets {
                let device = Device(
                    user: user, id: CallDeviceID(UInt64(devices.count)), budget: budget,
                    offersWaiting: waiting && devices.count == a.count)
                devices.append(device)
                var actions: [CallAction] = []
                machine.connect(
                    device.id, of: user, name: nil, offersWaiting: device.offersWaiting, at: Self.start, into: &actions)
            }
        }
    }
    let isBlocked: Bool
    var faults: Int

    // MARK: Steps

    /// Every world that can come next.
    func successors() -> [CallWorld] {
        var next: [CallWorld] = []
        func step(_ body: (inout CallWorld) -> Void) {
            var copy = self
            body(&copy)
            next.append(copy)
        }
        // What is told to somebody who can do nothing before it is, and is not lost, concerns nobody else: it arrives at once, which
        // leaves every other order as it is.
        for index in devices.indices where devices[index].link == .up && !devices[index].down.isEmpty {
            guard faults == 0 || devices[index].budget.losses == 0, acts(of: devices[index]).isEmpty else { continue }
            step { $0.deliver(index) }
            return next
        }
        for timer in machine.timers.timers {
            step { world in
                var actions: [CallAction] = []
                world.machine.fire(timer, at: Self.start, into: &actions)
                world.carryOut(actions)
            }
        }
        for index in devices.indices {
            let device = devices[index]
            switch device.link {
            case .up:
                if !device.down.isEmpty { step { $0.deliver(index) } }
                if let command = device.up.first {
                    step { $0.serve(index, again: false) }
                    // What begins a call is told apart by its number in the session.
                    if faults > 0, device.budget.duplicates > 0, command.call != nil {
                        step { $0.serve(index, again: true) }
                    }
                }
                if device.up.count < Self.inFlight {
                    for act in acts(of: device) { step { $0.act(index, act) } }
                }
                if faults > 0, device.budget.losses + device.budget.reconnects > 0 { step { $0.cut(index) } }
            case .cut:
                if device.budget.reconnects > 0 { step { $0.resume(index) } }
                if device.budget.losses > 0 { step { $0.lose(index) } }
            case .gone: step { $0.comeBack(index) }
            }
        }
        return next
    }

    /// What a client's person, or the client itself, may do.
    private func acts(of device: Device) -> [CallCommand] {
        var acts: [CallCommand] = []
        let client = device.client
        if client.isIdle, device.budget.invites > 0 {
            acts.append(.invite(.init(to: device.user == "B" ? "A" : "B", media: .audio)))
        }
        for entry in client.entries {
            switch entry.phase {
            case .calling: acts.append(.cancel(entry.call))
            case .ringing: acts += [.accept(.init(call: entry.call, media: .audio)), .decline(entry.call)]
            case .connecting(let hasReported):
                if !hasReported { acts.append(.connected(.init(call: entry.call, path: .direct))) }
                acts.append(.hangup(entry.call))
            case .active:
                acts.append(.hangup(entry.call))
                if device.budget.adds > 0, device.user != "C", client.inviting == nil, entry.peer != "C" {
                    acts.append(.invite(.init(to: "C", media: .audio, into: entry.call)))
                }
            case .silent, .answering, .leaving, .reattaching: continue
            }
            if case .active = entry.phase, entry.holds || device.budget.holds > 0 {
                acts.append(entry.holds ? .resume(entry.call) : .hold(entry.call))
            }
            if device.budget.candidates > 0, entry.phase != .ringing {
                acts.append(.candidate(.init(call: entry.call, candidate: "\(entry.said + 1)")))
            }
        }
        return acts
    }

    private mutating func act(_ index: Int, _ command: CallCommand) {
        devices[index].up.append(command)
        switch command {
        case .invite(let invite):
            if invite.into == nil { devices[index].budget.invites -= 1 } else { devices[index].budget.adds -= 1 }
            devices[index].client.inviting = invite.to
        case .accept(let accept): devices[index].client.change(accept.call, to: .answering)
        case .connected(let report): devices[index].client.change(report.call, to: .connecting(true))
        case .cancel(let call), .hangup(let call), .decline(let call):
            devices[index].client.change(call, to: .leaving)
        case .hold(let call), .resume(let call):
            guard let place = devices[index].client.entries.firstIndex(where: { $0.call == call }) else { return }
            devices[index].client.entries[place].holds.toggle()
            if devices[index].client.entries[place].holds { devices[index].budget.holds -= 1 }
        case .candidate(let told):
            devices[index].budget.candidates -= 1
            guard let place = devices[index].client.entries.firstIndex(where: { $0.call == told.call }) else { return }
            devices[index].client.entries[place].said += 1
        default: break
        }
    }

    private mutating func serve(_ index: Int, again: Bool) {
        let command = again ? devices[index].up[0] : devices[index].up.removeFirst()
        if again {
            devices[index].budget.duplicates -= 1
            faults -= 1
        }
        let device = devices[index]
        // A device's calls have names above and below those of the others', in the order of the devices and of placing.
        let given = CallGiven(
            id: CallID("\(index)\(device.placed)"), token: "t\(device.id.number)", isBlocked: isBlocked)
        var actions: [CallAction] = []
        let before = machine
        do throws(ProtocolError) {
            let answer = try machine.perform(command, by: device.id, given: given, at: Self.start, into: &actions)
            if case .call(let message) = answer {
                devices[index].down.append(.told(message))
                if case .invited = message { devices[index].placed += 1 }
            }
        } catch {
            if !actions.isEmpty || machine != before { fault = "an error changed something: \(error)" }
            // What changes nothing for the client need not be on its way.
            switch command {
            case .invite, .accept, .reattach: devices[index].down.append(.refused(command))
            case .decline, .cancel, .hangup, .connected, .candidate, .hold, .resume: break
            default: fault = "\(command.type) was refused: \(error)"
            }
        }
        carryOut(actions)
    }

    private mutating func deliver(_ index: Int) {
        switch devices[index].down.removeFirst() {
        case .told(let message): devices[index].client.take(message)
        case .refused(let command): devices[index].client.refused(command)
        }
    }

    private mutating func carryOut(_ actions: [CallAction]) {
        for action in actions {
            switch action {
            case .tell(let message, let id):
                if case .ended(let end) = message { note(end) }
                guard let index = devices.firstIndex(where: { $0.id == id && $0.link != .gone }) else {
                    fault = "\(message.type) is told to a device that is not there"
                    continue
                }
                if case .ringing(let call) = message {
                    // It changes nothing for the client but what it shows.
                    if machine.calls[call]?.state != .ringing { fault = "\(call) is told to ring and does not" }
                } else {
                    devices[index].down.append(.told(message))
                }
            case .missed(let missed):
                if machine.calls[missed.call] != nil { fault = "missed, and not over" }
            case .inform, .wake, .stopWaking, .record, .feed, .openRoom, .closeRoom: break
            }
        }
    }

    private mutating func note(_ end: CallMessage.Ended) {
        if let before = ends[end.call], before != end { fault = "\(end.call) has two ends" }
        ends[end.call] = end
    }

    // MARK: Losing and coming back

    private mutating func cut(_ index: Int) {
        faults -= 1
        devices[index].link = .cut
        machine.socketLost(devices[index].id, at: Self.start)
    }

    /// Nothing that was on its way is lost: both ends kept it.
    private mutating func resume(_ index: Int) {
        devices[index].budget.reconnects -= 1
        devices[index].link = .up
        var actions: [CallAction] = []
        machine.socketFound(devices[index].id, at: Self.start, into: &actions)
        carryOut(actions)
    }

    private mutating func lose(_ index: Int) {
        devices[index].budget.losses -= 1
        devices[index].link = .gone
        devices[index].up = []
        devices[index].down = []
        var actions: [CallAction] = []
        machine.disconnect(devices[index].id, at: Self.start, into: &actions)
        carryOut(actions)
    }

    /// The client begins a new session. It forgets what rang, and asks about calls of which it has the secret.
    private mutating func comeBack(_ index: Int) {
        var device = devices[index]
        device.id = CallDeviceID(device.id.number + 10)
        device.link = .up
        device.client.inviting = nil
        device.client.entries.removeAll { $0.token == nil }
        for place in device.client.entries.indices {
            device.client.entries[place].phase = .reattaching
            let entry = device.client.entries[place]
            device.up.append(.reattach(.init(call: entry.call, token: entry.token ?? "")))
            // What the old session had not taken is gone.
            device.client.entries[place].heard = 0
            device.client.entries[place].heldBy = []
            device.client.entries[place].onHold = []
        }
        device.budget.candidates = 0
        devices[index] = device
        var actions: [CallAction] = []
        machine.connect(
            device.id, of: device.user, name: nil, offersWaiting: device.offersWaiting, at: Self.start, into: &actions)
        carryOut(actions)
    }
}
