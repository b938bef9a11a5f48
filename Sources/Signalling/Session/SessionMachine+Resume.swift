// How a session goes on on another socket, how it ends, and how its messages go out. The public surface is in
// `SessionMachine`.

extension SessionMachine {
    /// Gives the session a fresh socket, when the client proves that it is its own: answers `resumed` and sends what was
    /// missed. A socket still open is closed as replaced.
    ///
    /// Where it cannot be, the fresh socket is told to start over and closed; with a wrong secret this session does not
    /// notice, with the right one it ends.
    /// - Returns: whether the socket is this session's now; the caller then calls `handedOver` on the fresh machine.
    @discardableResult
    public mutating func resume(
        _ resumption: SessionResumption, into actions: inout [SessionAction]
    ) -> Bool {
        let request = resumption.request
        let isProven = isActive && request.session == session && Self.areEqual(request.resumeToken, resumeToken)
        guard isProven, resumption.connection != connection else {
            Self.refuseResume(resumption.connection, resumption.id, into: &actions)
            return false
        }
        guard request.lastSeq <= outbox.lastSeq, request.lastSeq >= outbox.forgottenSeq else {
            Self.refuseResume(resumption.connection, resumption.id, into: &actions)
            fail(Self.resyncNeeded, into: &actions)
            return false
        }
        if let old = connection {
            actions.append(.close(old, .replaced, reason: "resumed on another socket"))
        }
        connection = resumption.connection
        state = .active
        outbox.acknowledge(request.lastSeq)
        sendUnkept(.resumed(.init(lastCommand: lastCommand)), re: resumption.id, into: &actions)
        for message in outbox.kept { transmit(message.text, into: &actions) }
        actions.append(.reattached(resumption.connection))
        return true
    }

    /// On the fresh machine: there is no session of that name. Tells the client to start over and closes the socket.
    public mutating func resumeFailed(into actions: inout [SessionAction]) {
        guard case .resuming(let id) = state, let connection else { return }
        Self.refuseResume(connection, id, into: &actions)
        end(.failed(Self.resyncNeeded), into: &actions)
    }

    /// On the fresh machine: the socket is another machine's now, or was closed by it. Ends this one without a word.
    public mutating func handedOver(into actions: inout [SessionAction]) {
        guard case .resuming = state else { return }
        end(.handedOver, into: &actions)
    }

    private static let resyncNeeded = ProtocolError(
        .resyncNeeded, "The session cannot be continued: say hello and join again.", isFatal: true)

    private static func refuseResume(
        _ connection: ConnectionID, _ id: CommandID?, into actions: inout [SessionAction]
    ) {
        actions.append(.send(connection, text: ServerFrame(re: id, .error(resyncNeeded)).text))
        actions.append(.close(connection, .resyncNeeded, reason: "resync needed"))
    }

    /// Compares a secret in a time that depends on the length of what the client sent only.
    static func areEqual(_ given: String, _ secret: [UInt8]) -> Bool {
        let given = Array(given.utf8)
        var difference: UInt8 = given.count == secret.count && !secret.isEmpty ? 0 : 1
        for index in given.indices {
            difference |= given[index] ^ (index < secret.count ? secret[index] : 0xFF)
        }
        return difference == 0
    }

    // MARK: Out and over

    func transmit(_ text: String, into actions: inout [SessionAction]) {
        if let connection { actions.append(.send(connection, text: text)) }
    }

    /// Sends a message with no `seq`: it says that nothing changed, so that nothing is lost with it.
    func sendUnkept(_ message: ServerMessage, re id: CommandID?, into actions: inout [SessionAction]) {
        transmit(ServerFrame(re: id, message).text, into: &actions)
    }

    /// Closes the socket for an error, and ends the session.
    mutating func fail(_ error: ProtocolError, into actions: inout [SessionAction]) {
        if let connection, let code = CloseCode(closingFor: error) {
            let reason = error.code == .malformed ? "malformed message: \(error.message)" : error.message
            actions.append(.close(connection, code, reason: CloseCode.fitting(reason)))
        }
        end(.failed(error), into: &actions)
    }

    mutating func end(_ reason: SessionEnd, into actions: inout [SessionAction]) {
        state = .ended
        connection = nil
        performing = nil
        waiting.removeAll()
        waitingBytes = 0
        outbox.removeAll()
        roomState = .notJoined
        actions.append(.ended(reason))
    }
}
