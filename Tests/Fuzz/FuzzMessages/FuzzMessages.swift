// Fuzzes the client protocol. A first byte that is even: the rest is a message, for both decoders. Odd: the rest is a
// sequence of events for a session's machine; 255, for a room's; 253, for that of calls.

import Signalling

/// libFuzzer's entry (https://llvm.org/docs/LibFuzzer.html).
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMessages(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let rest = Array(bytes.dropFirst())
    if first & 1 == 0 {
        readMessage(rest)
    } else if first == 255 {
        var run = RoomRun(events: rest)
        run.play()
    } else if first == 253 {
        var run = CallRun(events: rest)
        run.play()
    } else {
        var run = MachineRun(events: rest)
        run.play()
    }
    return 0
}

/// What decodes must encode, and decode to the same again.
func readMessage(_ bytes: [UInt8]) {
    for allowsDescriptions in [false, true] {
        guard let frame = try? ClientFrame(parsing: bytes, allowsDescriptions: allowsDescriptions) else { continue }
        guard let text = frame.text else { continue }
        let again = try? ClientFrame(parsing: Array(text.utf8), allowsDescriptions: true)
        precondition(again == frame, "a client's message changed on its way through the coder")
    }
    if let frame = try? ServerFrame(parsing: bytes) {
        let again = try? ServerFrame(parsing: Array(frame.text.utf8))
        precondition(again == frame, "a server's message changed on its way through the coder")
    }
}

/// A session's machine, and the events that the bytes spell.
struct MachineRun {
    var events: EventBytes
    var now = SessionTime(nanoseconds: 0)
    var machine: SessionMachine
    var connection = ConnectionID(1)
    var sockets: UInt64 = 1
    var nextCommand: UInt64 = 1
    var actions: [SessionAction] = []
    var performing: CommandID?
    var lastPerformed = CommandID(0)
    var isOver = false
    var seq: UInt64 = 0

    init(events: [UInt8]) {
        self.events = EventBytes(events)
        var configuration = SessionConfiguration()
        // Small, so that few bytes reach every bound.
        configuration.keptAnswers = 4
        configuration.keptEvents = 6
        configuration.keptAnswerBytes = 1_000
        configuration.commandBurst = 10
        configuration.messageBurst = 40
        machine = SessionMachine(
            configuration: configuration, connection: connection, session: "s", resumeToken: "secret", at: now)
    }

    mutating func next() -> UInt8 { events.next() }

    mutating func play() {
        while !events.isOver {
            step()
            check()
        }
    }

    mutating func step() {
        let event = next()
        switch event & 0x0F {
        case 0: receiveRaw()
        case 1, 2, 3: receiveCommand(isNew: true)
        case 4: receiveCommand(isNew: false)
        case 5:
            machine.receive(Array("{\"type\":\"ack\",\"ack\":\(next())}".utf8), on: connection, at: now, into: &actions)
        case 6: machine.connectionLost(connection, at: now, into: &actions)
        case 7: resume()
        case 8: answer()
        case 9: machine.send(.mediaState(.init(state: .connected)), into: &actions)
        case 10:
            now = SessionTime(nanoseconds: now.nanoseconds &+ Int64(next()) &* 200_000_000)
            machine.advance(to: now, into: &actions)
        case 11:
            machine.authenticated(as: Claims(user: "u"), iceServers: [], iceServersTTLSeconds: 1, into: &actions)
        case 12: machine.receive(Array(#"{"type":"hello","token":"t"}"#.utf8), on: connection, at: now, into: &actions)
        case 13: machine.leftRoom()
        case 14: rarely()
        default:
            now = SessionTime(nanoseconds: now.nanoseconds &+ Int64(next()) &* 1_000_000)
            if let deadline = machine.nextDeadline, deadline <= now { machine.advance(to: now, into: &actions) }
        }
    }

    mutating func rarely() {
        switch next() {
        case 0: machine.receiveBinary(on: connection, into: &actions)
        case 1: machine.receiveTooLarge(on: connection, into: &actions)
        case 2: machine.refused(ProtocolError(.forbidden, "no"), into: &actions)
        case 3: machine.close(.goingAway, reason: "bye", into: &actions)
        case 4: machine.resumeFailed(into: &actions)
        case 5: machine.handedOver(into: &actions)
        default: break
        }
    }

    mutating func receiveRaw() {
        let length = Int(next())
        machine.receive(events.take(length), on: connection, at: now, into: &actions)
    }

    mutating func receiveCommand(isNew: Bool) {
        let id = isNew ? nextCommand : UInt64(next())
        let bodies = [
            #""type":"join","room":"r","offer":{"type":"offer","sdp":""},"tracks":[]"#, #""type":"leave""#,
            #""type":"iceRestart""#, #""type":"candidate","candidate":"""#, #""type":"x""#, #""type":"mute""#,
            #""type":"answer""#, #""type":"mute","mid":"0","muted":true"#, #""type":"raiseHand""#,
            #""type":"moderate","action":"end""#,
        ]
        let body = bodies[Int(next()) % bodies.count]
        let before = machine.lastCommand
        machine.receive(Array("{\"id\":\"\(id)\",\(body)}".utf8), on: connection, at: now, into: &actions)
        precondition(machine.lastCommand >= before)
        nextCommand = machine.lastCommand.number + 1
    }

    mutating func resume() {
        sockets += 1
        let fresh = ConnectionID(sockets)
        let isTrue = next() & 1 == 0
        let lastSeq = UInt64(next())
        let resumed = machine.resume(
            SessionResumption(
                connection: fresh, id: CommandID(0),
                request: .init(session: "s", resumeToken: isTrue ? "secret" : "guess", lastSeq: lastSeq)),
            into: &actions)
        if resumed {
            precondition(isTrue && !isOver, "a session resumed by a guess, or after its end")
            connection = fresh
            // What the client claims to have seen is not sent again, whether it was sent or not.
            seq = max(seq, lastSeq)
        }
    }

    mutating func answer() {
        guard let id = performing else { return machine.answer(CommandID(UInt64(next())), .left, into: &actions) }
        let answers: [ServerMessage] = [
            .ok(.init()), .left, .error(ProtocolError(.internal, "no")), .answer(.init(sdp: "", refused: [])),
            .answer(.init(sdp: String(repeating: "x", count: 600), refused: [])), .lobby(.init(state: .waiting)),
        ]
        performing = nil
        machine.answer(id, answers[Int(next()) % answers.count], into: &actions)
    }

    /// What must hold after every event.
    mutating func check() {
        for action in actions.dropLast() {
            switch action {
            case .send, .close: break
            default: preconditionFailure("what the server may answer at once is not the last thing asked")
            }
        }
        for action in actions {
            precondition(!isOver || !isAboutSession(action), "a session that is over does something")
            switch action {
            case .perform(let id, _):
                precondition(performing == nil && id > lastPerformed, "a command performed twice, or out of turn")
                performing = id
                lastPerformed = id
            case .send(_, let text):
                guard let frame = try? ServerFrame(parsing: Array(text.utf8)) else {
                    preconditionFailure("the server wrote what no client can read")
                }
                if let number = frame.seq {
                    precondition(number <= seq + 1, "a number left out")
                    seq = max(seq, number)
                }
            case .ended:
                isOver = true
                performing = nil
            case .close, .authenticate, .resume, .detached, .reattached: break
            }
        }
        actions.removeAll()
        precondition(machine.isEnded == isOver)
    }

    /// Refusing a stranger's socket is all that is left once a session is over.
    func isAboutSession(_ action: SessionAction) -> Bool {
        switch action {
        case .send(let to, _), .close(let to, _, _): to == connection
        default: true
        }
    }
}
