// What a session does with a client's messages: greeting, numbering, limits, turns. The public surface is in
// `SessionMachine`.

extension SessionMachine {
    /// The first message: `hello` or `resume`.
    mutating func greet(_ frame: ClientFrame, into actions: inout [SessionAction]) {
        switch frame.content {
        case .success(.hello(let hello)):
            state = .authenticating(frame.id)
            self.hello = hello
            actions.append(.authenticate(hello))
        case .success(.resume(let request)):
            guard let connection else { return }
            state = .resuming(frame.id)
            actions.append(.resume(SessionResumption(connection: connection, id: frame.id, request: request)))
        default: refuseEarly(frame, into: &actions)
        }
    }

    /// A message before there is a session that is neither `hello` nor `resume`.
    func refuseEarly(_ frame: ClientFrame, into actions: inout [SessionAction]) {
        switch frame.content {
        case .success(.ack): break
        case .success(.command):
            let error = ProtocolError(.notAuthenticated, "Say hello first, and wait for welcome.")
            sendUnkept(.error(error), re: frame.id, into: &actions)
        case .success(.hello), .success(.resume):
            sendUnkept(.error(Self.alreadyAuthenticated), re: frame.id, into: &actions)
        case .failure(let error): sendUnkept(.error(error), re: frame.id, into: &actions)
        }
    }

    /// A message within the session.
    mutating func take(
        _ frame: ClientFrame, bytes: Int, at now: SessionTime, into actions: inout [SessionAction]
    ) {
        if let ack = frame.ack {
            guard ack <= outbox.lastSeq else {
                let error = ProtocolError(.malformed, "The field ack is beyond the last message sent.")
                return sendUnkept(.error(error), re: frame.id, into: &actions)
            }
            outbox.acknowledge(ack)
        }
        switch frame.content {
        case .success(.ack): break
        case .success(.hello), .success(.resume):
            sendUnkept(.error(Self.alreadyAuthenticated), re: frame.id, into: &actions)
        case .success(.command(let command)):
            takeCommand(frame.id, .success(command), bytes: bytes, at: now, into: &actions)
        case .failure(let error):
            takeCommand(frame.id, .failure(error), bytes: 0, at: now, into: &actions)
        }
    }

    private mutating func takeCommand(
        _ id: CommandID?, _ command: Result<ClientCommand, ProtocolError>, bytes: Int, at now: SessionTime,
        into actions: inout [SessionAction]
    ) {
        guard let id else {
            if case .failure(let error) = command { sendUnkept(.error(error), re: nil, into: &actions) }
            return
        }
        guard id > lastCommand else { return repeatAnswer(id, at: now, into: &actions) }
        guard id.number - lastCommand.number == 1 else {
            let error = ProtocolError(
                .commandGap, "The next command is \(lastCommand.number &+ 1): send the commands in order.")
            return sendUnkept(.error(error), re: id, into: &actions)
        }
        guard hasRoom(for: bytes) else {
            let error = ProtocolError(
                .tooManyPending, "Acknowledge the answers received, then send this command again.")
            return sendUnkept(.error(error), re: id, into: &actions)
        }
        lastCommand = id
        var taken = Waiting(id: id, command: command, bytes: bytes)
        let wait = commandLimit.take(1, at: now)
        if wait > 0 {
            let error = ProtocolError.rateLimited("Too many commands in a short time.", after: wait)
            taken = Waiting(id: id, command: .failure(error), bytes: 0)
        }
        waiting.append(taken)
        waitingBytes += taken.bytes
        performNext(into: &actions)
    }

    /// Whether one more command may be taken in: its answer will have to be kept, and it may have to wait.
    private func hasRoom(for bytes: Int) -> Bool {
        let pending = waiting.count + (performing == nil ? 0 : 1)
        guard outbox.answerCount + pending < configuration.keptAnswers else { return false }
        guard outbox.answerBytes < configuration.keptAnswerBytes else { return false }
        return waiting.isEmpty || waitingBytes + bytes <= configuration.waitingCommandBytes
    }

    /// A command that was taken in before: the same answer again, or nothing while the answer is on its way.
    private mutating func repeatAnswer(
        _ id: CommandID, at now: SessionTime, into actions: inout [SessionAction]
    ) {
        if let text = outbox.answer(to: id) {
            // A few bytes must not fetch a large answer without end: it counts like bytes received.
            guard byteLimit.take(text.utf8.count, at: now) == 0 else { return fail(Self.flood, into: &actions) }
            return transmit(text, into: &actions)
        }
        if id == performing || waiting.contains(where: { $0.id == id }) { return }
        let error = ProtocolError(.staleCommand, "The answer to this command was acknowledged and forgotten.")
        sendUnkept(.error(error), re: id, into: &actions)
    }

    /// Gives out the next command, unless one is being performed; those that cannot be are answered on the way.
    mutating func performNext(into actions: inout [SessionAction]) {
        while performing == nil, !waiting.isEmpty {
            let next = waiting.removeFirst()
            waitingBytes -= next.bytes
            switch next.command {
            case .success(let command):
                guard let error = refusal(of: command) else {
                    performing = next.id
                    if case .join = command { roomState = .joining }
                    actions.append(.perform(next.id, command))
                    return
                }
                answerError(next.id, error, into: &actions)
            case .failure(let error): answerError(next.id, error, into: &actions)
            }
        }
    }

    private mutating func answerError(
        _ id: CommandID, _ error: ProtocolError, into actions: inout [SessionAction]
    ) {
        transmit(outbox.append(.error(error), re: id, isAnswer: true), into: &actions)
    }

    /// Why a command cannot be performed in this state, or nil.
    private func refusal(of command: ClientCommand) -> ProtocolError? {
        // Commands taken in while there was room for answers: those that came before may have filled it.
        if outbox.answerBytes >= configuration.keptAnswerBytes {
            return ProtocolError(.tooManyPending, "Acknowledge the answers received, then ask again.")
        }
        switch command {
        case .answer: return ProtocolError(.unexpectedAnswer, "The client always offers.")
        case .join(let join):
            if roomState != .notJoined, roomState != .waiting {
                return ProtocolError(.alreadyJoined, "Leave the room first.")
            }
            if !mayEnter(room: join.room) {
                return ProtocolError(.forbidden, "The token is not for this room.")
            }
            return nil
        case .leave where roomState == .waiting: return nil
        case .call, .account:
            return claims?.calls == true ? nil : ProtocolError(.forbidden, "The token is not good for calls.")
        // Calls need fresh credentials too.
        case .iceRestart where claims?.calls == true: return nil
        case .offer, .candidate, .iceRestart, .mute, .subscribe, .raiseHand, .lowerHand, .answerInvitation, .stepDown,
            .react, .message, .metadata, .moderate, .leave:
            return roomState == .joined ? nil : ProtocolError(.notJoined, "Join a room first.")
        }
    }

    static let flood = ProtocolError(.tooManyMessages, "too many messages", isFatal: true)
    static let alreadyAuthenticated = ProtocolError(.alreadyAuthenticated, "This socket has its session.")
}
