// What holds in every state that a call can come to, and the walk through all of them.
@testable import Signalling

extension CallWorld {
    /// The first thing that does not hold, or nil.
    func brokenRule() -> String? {
        if let fault { return fault }
        for device in devices {
            if let fault = device.client.fault { return fault }
            if let broken = brokenRinging(device) ?? brokenLeaving(device) { return broken }
        }
        for id in Set(devices.flatMap { $0.client.entries.map(\.call) }) {
            for user in ["A", "B", "C"] {
                let talking = devices.filter { $0.user == user && $0.link != .gone && $0.isTalking(id) }
                if talking.count > 1 { return "\(user) talks in \(id) on two devices" }
            }
        }
        return brokenCall() ?? brokenRoom() ?? brokenTimer()
    }

    /// Both sides of a call look for its media in the same place, once they have heard what was told.
    private func brokenRoom() -> String? {
        for call in machine.calls.values where !call.state.isPending {
            let id = call.id
            for side in CallSide.allCases {
                guard let device = devices.first(where: { $0.id == call[side].device && $0.link == .up }),
                    let entry = device.client[id], device.down.isEmpty, entry.phase != .reattaching
                else { continue }
                let hasAnswered = entry.phase != .answering && entry.phase != .leaving && entry.phase != .calling
                if hasAnswered, entry.isInRoom != (call.mode == .sfu) {
                    return "\(device.id) has \(id) in the wrong place"
                }
                if hasAnswered, entry.heldBy != Set(call.heldBy) {
                    return "\(device.id) is wrong about who holds \(id)"
                }
                if hasAnswered, entry.onHold != machine.onHold(besides: call) ?? [] {
                    return "\(device.id) is wrong about who is on hold in the room of \(id)"
                }
            }
            if call.isInRoomForOthers, call.mode == .direct { return "\(id) is in its room and is not" }
            let sharing = machine.calls.values.filter { $0.roomCall == call.roomCall }.map(\.id).sorted()
            if machine.calls.sharing(roomOf: call.roomCall).map(\.id) != sharing {
                return "who shares the room of \(id)"
            }
        }
        return nil
    }

    /// Nobody rings for a call that is over, or is somebody else's: what will end it is on its way.
    private func brokenRinging(_ device: Device) -> String? {
        guard device.link != .gone else { return nil }
        for entry in device.client.entries where entry.phase == .ringing || entry.phase == .silent {
            if machine.calls[entry.call]?.ringing.contains(device.id) == true { continue }
            let isToldSo = device.down.contains { down in
                switch down {
                case .told(.ended(let end)): end.call == entry.call
                case .told(.endedElsewhere(let end)): end.call == entry.call
                case .told(.accepted(let told)): told.call == entry.call
                default: false
                }
            }
            if !isToldSo { return "\(device.id) rings for \(entry.call)" }
        }
        return nil
    }

    /// Who wants a call to be over, and has been heard, is not in it.
    private func brokenLeaving(_ device: Device) -> String? {
        let isHeard = !device.up.contains { command in
            switch command {
            case .decline, .cancel, .hangup: true
            default: false
            }
        }
        guard device.link == .up, isHeard else { return nil }
        for entry in device.client.entries where entry.phase == .leaving {
            var id = entry.call
            if case .became(let other) = machine.memory[id]?.outcome { id = other }
            if machine.calls[id]?.side(of: device.id) != nil { return "\(device.id) has left \(id) and is in it" }
        }
        return nil
    }

    private func brokenCall() -> String? {
        for call in machine.calls.values {
            let id = call.id
            if let end = ends[id] { return "\(id) was told to be over: \(end)" }
            if machine.memory[id] != nil { return "\(id) is over and is not" }
            if !call.state.isPending, !call.ringing.isEmpty { return "\(id) was accepted and rings" }
            if call.state == .active, !(call.caller.isConnected && call.callee.isConnected) {
                return "\(id) is active and one side has no media"
            }
            if call.isBlocked, !(call.ringing.isEmpty && call.callee.device == nil) { return "a blocked call is heard" }
            for side in CallSide.allCases {
                if let device = call[side].device, machine.owners[device] != call[side].user {
                    return "\(id) is on a device that is not its user's"
                }
                let isLost = call[side].device == nil && (side == .caller || !call.state.isPending)
                if isLost != (call[side].lostUntil != nil) { return "\(id): a lost device and no end of it" }
                let isListed = machine.users[call[side].user]?.calls.count { $0 == id } == 1
                if isListed == (call.isBlocked && side == .callee) { return "\(id) is not its user's" }
            }
            for device in call.ringing {
                let isFree = machine.device(device)?.offersWaiting == true || !machine.isInCall(call.callee.user)
                if machine.owners[device] != call.callee.user || !isFree { return "\(id) rings where it should not" }
            }
        }
        for (name, user) in machine.users {
            for id in user.calls where machine.calls[id] == nil { return "\(name) has \(id), which is over" }
            if user.devices.isEmpty, user.calls.isEmpty { return "\(name) is kept for nothing" }
            let placed = user.calls.compactMap { machine.calls[$0] }.filter { $0.caller.user == name }
            let called = placed.filter(\.state.isPending).map(\.callee.user)
            if Set(called).count < called.count { return "\(name) calls the same person twice" }
            for device in user.devices where !device.offersWaiting {
                // Invitations into the device's own call are no calls beside it.
                let own = user.calls.count { id in
                    guard let call = machine.calls[id], let side = call.side(of: device.id) else { return false }
                    return call.host == nil || side == .callee
                }
                if own > 1 { return "\(device.id) is in two calls" }
            }
        }
        return nil
    }

    /// Every call but one that is active is over when time goes on and nobody does anything.
    private func brokenTimer() -> String? {
        var expected = 0
        for call in machine.calls.values {
            let id = call.id
            let due: CallTimers.Due? =
                call.state.isPending ? .ring(id) : call.state == .connecting ? .connect(id) : nil
            if let due {
                guard machine.timers.timers.contains(where: { $0.due == due }) else { return "\(id) may last for ever" }
                expected += 1
            } else if call.deadline != nil {
                return "\(id) is active and has a deadline"
            }
            for side in CallSide.allCases where call[side].lostUntil != nil {
                guard machine.timers.timers.contains(where: { $0.due == .lost(id, side) }) else {
                    return "\(id) waits for ever for the \(side)"
                }
                expected += 1
            }
        }
        return machine.timers.timers.count == expected ? nil : "a timer for what is over"
    }

    /// Nobody is in a call, nobody believes so, and nothing is on its way.
    var isQuiet: Bool {
        machine.calls.isEmpty && machine.timers.timers.isEmpty
            && devices.allSatisfy { $0.client.isIdle && $0.up.isEmpty && $0.down.isEmpty }
    }

    /// What came of walking through every state.
    struct Exploration {
        var states = 0
        var steps = 0
        var ends = 0
        /// States from which no quiet end can be reached.
        var stuck = 0
        /// What did not hold first, and the shortest way there.
        var broken: String?
        /// What the calls of quiet ends had ended with.
        var reasons: Set<CallEndReason> = []
        /// Whether calls that crossed became one.
        var hasMerged = false
        /// Whether a call was active.
        var hasTalked = false
        /// Whether a call was in a room for a third, and whether one had left it with its two still talking.
        var hasMoved = false
        var hasReturned = false
        /// Whether somebody was told that another of the room is on hold, whose call is another.
        var hasToldOthers = false
    }

    /// Walks through every order of everything, the shortest ways first. A state is told by the 64 bits of its hash.
    static func explore(_ start: CallWorld, limit: Int = 20_000_000) -> Exploration {
        var result = Exploration()
        var numbers = [start.hashValue: 0]
        var layer = [(0, start)]
        var steps: [(from: Int32, to: Int32)] = []
        var quiet: [Int32] = []
        while !layer.isEmpty {
            var nextLayer: [(Int, CallWorld)] = []
            for (number, world) in layer {
                if let broken = world.brokenRule() {
                    result.states = numbers.count
                    result.broken = broken + "\n\(world)"
                    return result
                }
                if world.machine.calls.values.contains(where: { $0.state == .active }) { result.hasTalked = true }
                if world.machine.calls.values.contains(where: \.isInRoomForOthers) { result.hasMoved = true }
                if world.devices.contains(where: { $0.down.contains(where: \.isReturn) }) { result.hasReturned = true }
                if world.devices.contains(where: { $0.client.entries.contains { !$0.onHold.isEmpty } }) {
                    result.hasToldOthers = true
                }
                if world.isQuiet {
                    quiet.append(Int32(number))
                    result.reasons.formUnion(world.ends.values.map(\.reason))
                    if world.machine.memory.hasMerged { result.hasMerged = true }
                }
                let following = world.successors()
                if following.isEmpty, !world.isQuiet { result.broken = result.broken ?? "a dead end:\n\(world)" }
                for next in following {
                    let hash = next.hashValue
                    let known = numbers[hash]
                    let index = known ?? numbers.count
                    if known == nil {
                        numbers[hash] = index
                        nextLayer.append((index, next))
                    }
                    steps.append((Int32(number), Int32(index)))
                }
            }
            if numbers.count > limit {
                result.broken = "more than \(limit) states"
                result.states = numbers.count
                return result
            }
            layer = nextLayer
        }
        result.states = numbers.count
        result.steps = steps.count
        result.ends = quiet.count
        result.stuck = numbers.count - reaching(quiet, steps, states: numbers.count)
        return result
    }

    /// How many states lead to one of these.
    private static func reaching(_ goals: [Int32], _ steps: [(from: Int32, to: Int32)], states: Int) -> Int {
        // The steps that lead to each state, one list after the other.
        var first = [Int32](repeating: 0, count: states + 1)
        for step in steps { first[Int(step.to) + 1] += 1 }
        for index in 1...states { first[index] += first[index - 1] }
        var place = first
        var sources = [Int32](repeating: 0, count: steps.count)
        for step in steps {
            sources[Int(place[Int(step.to)])] = step.from
            place[Int(step.to)] += 1
        }
        var isReaching = [Bool](repeating: false, count: states)
        for goal in goals { isReaching[Int(goal)] = true }
        var open = goals
        var count = goals.count
        while let state = open.popLast() {
            for index in first[Int(state)]..<first[Int(state) + 1] {
                let source = sources[Int(index)]
                if isReaching[Int(source)] { continue }
                isReaching[Int(source)] = true
                count += 1
                open.append(source)
            }
        }
        return count
    }
}

extension CallWorld.Device {
    /// Whether the client is in a call that was accepted.
    func isTalking(_ call: CallID) -> Bool {
        switch client[call]?.phase {
        case .connecting, .active: true
        default: false
        }
    }
}

extension CallWorld.Down {
    /// Whether a call leaves its room.
    var isReturn: Bool { if case .told(.returned) = self { true } else { false } }
}

extension CallMemory {
    /// Whether calls that crossed became one.
    var hasMerged: Bool {
        all.contains { if case .became = $0.outcome { true } else { false } }
    }
}
