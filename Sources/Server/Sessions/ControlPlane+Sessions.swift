// The control plane's work on sessions: what the gateway tells goes into their machines, and what those ask is done.
import EventLoop
import Gateway
import MediaCore
import Signalling
import Tokens

extension ControlPlane: GatewayDelegate {
    nonisolated func gatewayOpened(_ id: SocketID, address: AddressKey) {
        assumeIsolated { $0.opened(id, address) }
    }
    nonisolated func gatewayReceived(_ id: SocketID, message: [UInt8]) {
        assumeIsolated { $0.received(id, message) }
    }
    nonisolated func gatewayClosed(_ id: SocketID, closure: SocketClosure) { assumeIsolated { $0.closed(id) } }
    nonisolated func gatewayResponse(path: String) -> HTTPResponse? { assumeIsolated { $0.response(to: path) } }

    private func opened(_ id: SocketID, _ address: AddressKey) {
        lastSocket += 1
        let number = lastSocket
        sockets[number] = id
        socketNumbers[id] = number
        let name = Self.randomName(bytes: 16)
        let session = SessionRecord(
            machine: SessionMachine(
                configuration: sessionConfiguration, connection: SessionSocket(number), session: name,
                resumeToken: Self.randomName(bytes: 32), at: SessionTime(nanoseconds: MonotonicClock.now)),
            address: address)
        sessionBySocket[number] = session
        timed[name] = session
    }

    private func received(_ id: SocketID, _ message: [UInt8]) {
        guard let number = socketNumbers[id], let session = sessionBySocket[number] else { return }
        let now = SessionTime(nanoseconds: MonotonicClock.now)
        change(session) { machine, actions in
            machine.receive(message, on: SessionSocket(number), at: now, into: &actions)
        }
    }

    private func closed(_ id: SocketID) {
        guard let number = socketNumbers.removeValue(forKey: id) else { return }
        sockets[number] = nil
        defer { finishIfDone() }
        guard let session = sessionBySocket.removeValue(forKey: number) else { return }
        let now = SessionTime(nanoseconds: MonotonicClock.now)
        change(session) { machine, actions in
            machine.connectionLost(SessionSocket(number), at: now, into: &actions)
        }
    }

    /// Lets a session's machine change, and does what it asks, in order; what that brings about comes after.
    func change(_ session: SessionRecord, _ body: (inout SessionMachine, inout [SessionAction]) -> Void) {
        var actions: [SessionAction] = []
        body(&session.machine, &actions)
        for action in actions { perform(action, for: session) }
        if session.machine.nextDeadline == nil || session.machine.isEnded {
            timed[session.machine.session] = nil
        } else {
            timed[session.machine.session] = session
        }
    }

    private func perform(_ action: SessionAction, for session: SessionRecord) {
        switch action {
        case .send(let socket, let text):
            guard let id = sockets[socket.number] else { return }
            gateway?.send(id, text)
        case .close(let socket, let code, let reason):
            guard let id = sockets[socket.number] else { return }
            gateway?.close(id, code: code.rawValue, reason: reason)
        case .authenticate(let hello): authenticate(session, hello)
        case .resume(let resumption): resume(session, resumption)
        case .perform(let id, let command):
            let now = SessionTime(nanoseconds: MonotonicClock.now)
            if let error = limits.command(of: session.machine.claims?.user ?? "", from: session.address, at: now) {
                answer(session, id, .error(error))
            } else {
                perform(command, id, for: session)
            }
        case .detached:
            socketLost(session)
            callSocketLost(session)
        case .reattached(let socket):
            sessionBySocket[socket.number] = session
            if let id = sockets[socket.number] { raiseLimit(id) }
            socketFound(session)
            callSocketFound(session)
        case .ended(let reason): ended(session, reason)
        }
    }

    private func raiseLimit(_ id: SocketID) {
        gateway?.setMaximumMessage(id, bytes: ProtocolLimits.descriptionMessageBytes)
    }

    private func authenticate(_ session: SessionRecord, _ hello: ClientMessage.Hello) {
        if isDraining {
            change(session) { machine, actions in
                machine.refused(
                    ProtocolError(.serverShutdown, "The server is going away; try again in a moment."), into: &actions)
            }
            return
        }
        if let error = limits.hello(from: session.address, at: SessionTime(nanoseconds: MonotonicClock.now)) {
            return change(session) { machine, actions in machine.refused(error, into: &actions) }
        }
        let claims: Claims
        do throws(TokenError) {
            claims = try Self.claims(verifier.verify(hello.token, now: WallClock.seconds))
        } catch {
            metrics.refusedTokens.add(1)
            log(.info, "token refused", ("why", "\(error)"))
            change(session) { machine, actions in
                machine.refused(ProtocolError(.notAuthenticated, "\(error)"), into: &actions)
            }
            return
        }
        sessionByName[session.machine.session] = session
        let servers = iceServers(for: claims.user)
        let seconds = configuration.turn.credentialSeconds
        change(session) { machine, actions in
            machine.authenticated(as: claims, iceServers: servers, iceServersTTLSeconds: seconds, into: &actions)
        }
        if let number = session.machine.connection?.number, let id = sockets[number] { raiseLimit(id) }
        connectForCalls(session)
        log(.debug, "session began", ("session", String(session.machine.session.prefix(8))))
    }

    /// The claims of a verified token in the protocol's terms.
    static func claims(_ token: TokenClaims) -> Claims {
        let sources: Set<TrackSourceName> =
            switch token.canPublish {
            case .all(let isAllowed): isAllowed ? Set(TrackSourceName.allCases) : []
            case .sources(let names): Set(names.compactMap { TrackSourceName(rawValue: $0) })
            }
        return Claims(
            user: token.subject, name: token.name, room: token.room, canPublish: token.hidden ? [] : sources,
            canSubscribe: token.canSubscribe, canModerate: token.canModerate,
            role: token.role.flatMap { ParticipantRole(rawValue: $0) }, hidden: token.hidden, calls: token.calls)
    }

    /// A fresh socket wants to go on with an older session.
    private func resume(_ fresh: SessionRecord, _ resumption: SessionResumption) {
        guard let old = sessionByName[resumption.request.session], old !== fresh else {
            change(fresh) { machine, actions in machine.resumeFailed(into: &actions) }
            return
        }
        var isTaken = false
        change(old) { machine, actions in isTaken = machine.resume(resumption, into: &actions) }
        if isTaken {
            old.address = fresh.address
            metrics.resumedSessions.add(1)
        }
        // Taken or refused, the socket was dealt with by the older session's machine.
        change(fresh) { machine, actions in machine.handedOver(into: &actions) }
    }

    private func ended(_ session: SessionRecord, _ reason: SessionEnd) {
        let name = session.machine.session
        timed[name] = nil
        if sessionByName[name] === session { sessionByName[name] = nil }
        for request in session.pending.keys { requests[request] = nil }
        session.pending = [:]
        if case .handedOver = reason { return }
        disconnectFromCalls(session)
        if let number = session.machine.connection?.number, sessionBySocket[number] === session {
            sessionBySocket[number] = nil
        }
        stopWaiting(session)
        guard session.place != nil else { return }
        let removal: RemovalReason =
            switch reason {
            case .timedOut, .neverBegan, .handedOver: .timedOut
            case .failed: .failed
            case .closed(let code): code == .replaced ? .replaced : code == .roomEnded ? .removed : .left
            }
        remove(session, removal)
    }
}
