// The machine of calls under the events that bytes spell: three users with devices that come and go. Nobody is told two ends of a
// call, nor anything of one that is over, and everything ends when time goes on.

import Signalling

/// The machine of calls, and the events.
struct CallRun {
    var events: EventBytes
    var now = SessionTime(nanoseconds: 0)
    var machine: CallMachine
    var actions: [CallAction] = []
    /// Devices that are connected.
    var devices: Set<CallDeviceID> = []
    var ends: [CallID: CallMessage.Ended] = [:]
    var tokens: [String] = [""]
    var placed: [CallID] = [CallID("none")]
    var records: [CallRecord] = []

    init(events: [UInt8]) {
        self.events = EventBytes(events)
        // Small, so that few bytes reach every bound.
        var options = CallOptions()
        options.devicesPerUser = 3
        options.callsPerUser = 3
        options.inviteBurst = 5
        options.queuedPerSide = 3
        options.relayedBurst = 8
        options.rememberedCalls = 4
        machine = CallMachine(options: options)
    }

    mutating func next() -> UInt8 { events.next() }

    mutating func play() {
        while !events.isOver {
            step()
            carryOut()
        }
        // Whoever is in a call leaves it, and what is left is over in time.
        for device in devices.sorted() {
            devices.remove(device)
            machine.disconnect(device, at: now, into: &actions)
            carryOut()
        }
        now = now.adding(milliseconds: 60_000)
        machine.advance(to: now, into: &actions)
        carryOut()
        precondition(machine.calls.isEmpty, "a call that lasts for ever")
        now = now.adding(milliseconds: 1_000_000)
        machine.advance(to: now, into: &actions)
        precondition(machine.nextDeadline == nil, "a deadline of nothing")
    }

    mutating func step() {
        let event = next()
        let device = CallDeviceID(UInt64(event >> 4))
        switch event & 0x0F {
        case 0:
            guard !devices.contains(device) else { break }
            let byte = next()
            devices.insert(device)
            machine.connect(
                device, of: "u\(byte % 3)", name: nil, offersWaiting: byte & 64 != 0, at: now, into: &actions)
        case 1: if devices.remove(device) != nil { machine.disconnect(device, at: now, into: &actions) }
        case 2: machine.socketLost(device, at: now)
        case 3: machine.socketFound(device, at: now, into: &actions)
        case 4:
            now = now.adding(milliseconds: Int64(next()) * 200)
            machine.advance(to: now, into: &actions)
        case 5:
            // Storage does not give back what was over.
            if let record = records.last, ends[record.call] == nil { machine.restore(record, at: now) }
        default: command(event & 0x0F, device)
        }
    }

    mutating func command(_ kind: UInt8, _ device: CallDeviceID) {
        let byte = next()
        let call = placed[Int(byte) % placed.count]
        let sdp = "v=0\r\nc=IN IP4 192.0.2.\(byte)\na=candidate:1 1 udp 1 192.0.2.1 9 typ relay\r"
        let command: CallCommand =
            switch kind {
            case 6, 7:
                .invite(
                    .init(
                        to: "u\(byte % 4)", media: .audio, mode: byte & 16 == 0 ? nil : .sfu,
                        relayOnly: byte & 32 != 0, into: kind == 6 && byte & 128 != 0 ? call : nil))
            case 8, 9: .accept(.init(call: call, media: .video, relayOnly: byte & 64 != 0))
            case 10: byte & 64 == 0 ? .decline(call) : .cancel(call)
            case 11: .hangup(call)
            case 12: .connected(.init(call: call, path: .relayed))
            case 13:
                byte & 64 == 0
                    ? .candidate(.init(call: call, candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host"))
                    : .description(.init(call: call, description: .init(type: .offer, sdp: sdp)))
            case 14:
                switch byte >> 6 {
                case 0: .upgrade(call)
                case 1: .hold(call)
                case 2: .resume(call)
                default: .quality(.init(call: call, rttMilliseconds: 1, lossPercent: 2, jitterMilliseconds: 3))
                }
            default:
                byte & 128 == 0
                    ? .reattach(.init(call: call, token: tokens[Int(next()) % tokens.count]))
                    : .presence(.init(users: ["u0", "u1", "u\(byte % 4)"]))
            }
        // Names that go up and down: both calls of two that cross may be the one that counts.
        let number = placed.count
        let id = CallID(number & 1 == 0 ? "m\(number)" : "\(number)")
        let given = CallGiven(
            id: id, token: "t\(events.position)", isKnown: byte & 64 != 0, isBlocked: kind == 7 && byte & 128 != 0)
        do throws(ProtocolError) {
            let answer = try machine.perform(command, by: device, given: given, at: now, into: &actions)
            switch answer {
            case .call(.invited(let told)):
                placed.append(told.call)
                tokens.append(told.token)
            case .call(.accepted(let told)): tokens.append(told.token)
            default: break
            }
        } catch {
            precondition(actions.isEmpty, "what was refused changed something")
        }
    }

    mutating func carryOut() {
        for action in actions {
            switch action {
            case .tell(let message, let device):
                // A device that was given up for another is not told anything either.
                precondition(devices.contains(device), "somebody is told who is not there")
                if case .ended(let end) = message {
                    precondition(ends[end.call] == nil || ends[end.call] == end, "a call with two ends")
                    ends[end.call] = end
                }
            case .record(let record): if record.end == nil, !record.state.isPending { records.append(record) }
            case .inform, .wake, .stopWaking, .missed, .feed, .openRoom, .closeRoom: break
            }
        }
        actions.removeAll()
        for call in machine.calls.values {
            precondition(ends[call.id] == nil, "a call that was over and is not")
            precondition(call.state.isPending || call.ringing.isEmpty, "an accepted call that rings")
        }
    }
}
