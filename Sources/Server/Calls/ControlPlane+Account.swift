// The control plane's work on users where calls are concerned: their devices, whom they have blocked, which missed calls they have
// seen, and forgetting them.
import EventLoop
import Push
import Signalling
import Storage

extension ControlPlane {
    // MARK: Standing

    /// What is known of a user who is to be called; nil where the store fails.
    func standing(of user: String) async -> Standings.Standing? {
        while true {
            let changes = calls.standings.beginAsking(user)
            do throws(StoreError) {
                let (isKnown, blocked) = try await store.standing(of: user)
                let standing = Standings.Standing(isKnown: isKnown, blocked: blocked)
                if calls.standings.endAsking(user, since: changes, standing) { return standing }
            } catch {
                _ = calls.standings.endAsking(user, since: changes, nil)
                // With a zero in it: nobody of that name can be there.
                if case .malformed = error {} else { storeFailed("a user", error) }
                return nil
            }
        }
    }

    /// Somebody has signed in for calls: a device with a lasting name is written down, and what is asked before the user is called is known
    /// then, so that no invitation waits for the disk.
    func noteDevice(of session: SessionRecord) {
        guard let user = session.machine.claims?.user else { return }
        Task {
            if session.machine.hello?.device != nil {
                do throws(StoreError) { try await register(session, of: user) } catch {
                    storeFailed("a device", error)
                }
            }
            if calls.standings[user] == nil { _ = await standing(of: user) }
        }
    }

    /// Writes a session's device down. Where the user has as many as may be, the one that was seen longest ago goes, of those that
    /// cannot be woken first: each tab of a browser is a device.
    private func register(_ session: SessionRecord, of user: String) async throws(StoreError) {
        let (name, now) = (deviceName(of: session), WallClock.now / 1_000_000)
        let client = session.machine.hello?.client ?? ""
        let label = KeptNames.fits(client, StoreLimits.labelBytes) ? client : nil
        // Where several sign in at once, another may take the place that was made: then one more is made.
        for attempt in 1... {
            do throws(StoreError) {
                try await store.registerDevice(name, of: user, label: label, at: now)
                break
            } catch {
                guard case .tooMany = error, attempt <= StoreLimits.devicesPerUser else { throw error }
                let others = try await store.devices(of: user).filter { !isConnected($0.device, of: user) }
                let idle = others.filter(\.pushTokens.isEmpty)
                guard let oldest = (idle.isEmpty ? others : idle).min(by: { $0.seenAt < $1.seenAt }) else { return }
                try await store.removeDevice(oldest.device, of: user)
            }
        }
        calls.standings.change(user) { $0.isKnown = true }
    }

    /// Whether a device of a user has a socket.
    func isConnected(_ device: String, of user: String) -> Bool {
        (calls.devices[user] ?? []).contains { id in
            guard let session = calls.sessions[id] else { return false }
            return !session.machine.isDetached && deviceName(of: session) == device
        }
    }

    // MARK: Commands

    func perform(_ command: AccountCommand, _ id: CommandID, for session: SessionRecord) {
        guard session.callDevice != nil, let user = session.machine.claims?.user else {
            return answer(session, id, .error(ProtocolError(.forbidden, "The token is not good for calls.")))
        }
        Task {
            do throws(StoreError) {
                answer(session, id, try await carryOut(command, of: user, session))
                if case .seen = command { tellMissed(session) }
                if case .erase = command { closeSessions(of: user) }
            } catch {
                answer(session, id, .error(Self.refusal(error)))
            }
        }
    }

    private func carryOut(
        _ command: AccountCommand, of user: String, _ session: SessionRecord
    ) async throws(StoreError) -> ServerMessage {
        let now = WallClock.now / 1_000_000
        switch command {
        case .push(let push): return try await register(push, of: user, session)
        case .signOut:
            try await store.removeDevice(deviceName(of: session), of: user)
            calls.standings.forget(user)
        case .block(let other):
            try await store.block(other, for: user, at: now)
            calls.standings.change(user) { $0.blocked.insert(other) }
        case .unblock(let other):
            try await store.unblock(other, for: user)
            calls.standings.change(user) { $0.blocked.remove(other) }
        case .blocked: return .blocked(.init(users: try await store.blockedUsers(of: user)))
        case .seen(let seen):
            try await store.acknowledgeMissedCalls(seen.map(\.text), of: user, at: now)
            session.seenMissed.formUnion(session.toldMissed.intersection(seen.map(\.text)))
        case .erase: try await erase(user)
        }
        return .ok(.init())
    }

    /// Takes a push token for a session's device; it replaces the one that the device had of the same service.
    private func register(
        _ push: AccountCommand.Push, of user: String, _ session: SessionRecord
    ) async throws(StoreError) -> ServerMessage {
        guard session.machine.hello?.device != nil else {
            return .error(ProtocolError(.malformed, "Say hello with a device: a push token is of a device."))
        }
        guard let application = application(of: push.provider) else {
            return .error(ProtocolError(.forbidden, "This server does not use that push service."))
        }
        let provider: StoredPushProvider = push.provider == .apns ? .apns : .fcm
        let device = deviceName(of: session)
        try await register(session, of: user)
        let known = try await store.devices(of: user).first { $0.device == device }?.pushTokens ?? []
        for old in known where old.provider == provider && old.token != push.token {
            try await store.removePushToken(provider, old.token)
        }
        let token = StoredPushToken(
            provider: provider, token: push.token, application: application, isSandbox: push.sandbox ?? false,
            registeredAt: WallClock.now / 1_000_000)
        try await store.setPushToken(token, of: user, device: device)
        return .ok(.init())
    }

    /// The store's refusal as a client is told it.
    private static func refusal(_ error: StoreError) -> ProtocolError {
        switch error {
        case .tooLong, .malformed, .missing: ProtocolError(.malformed, "\(error)")
        case .tooMany: ProtocolError(.forbidden, "\(error)")
        default: ProtocolError(.serverBusy, "The server cannot keep this now; try again in a moment.")
        }
    }

    // MARK: Forgetting

    /// Erases a user: their calls end, their devices are no devices any more, then everything that is kept goes. Sessions are the
    /// caller's to close.
    func erase(_ user: String) async throws(StoreError) {
        repeat {
            for id in calls.devices[user] ?? [] {
                if let session = calls.sessions[id] { disconnectFromCalls(session) }
            }
            changeCalls { machine, now, actions in machine.forget(user, at: now, into: &actions) }
            calls.standings.forget(user)
            feed.forget(user)
            // In a task of its own, which comes after those that the ends of the calls have begun.
            let failure = await Task { () async -> StoreError? in
                do throws(StoreError) { try await store.eraseUser(user) } catch { return error }
                return nil
            }.value
            if let failure { throw failure }
            // Somebody who asked for the user before has placed a call meanwhile.
        } while calls.machine.isInvolved(user)
        log(.info, "a user was erased")
    }

    /// Ends every session of a user.
    func closeSessions(of user: String) {
        for session in Array(sessionByName.values) where session.machine.claims?.user == user {
            change(session) { machine, actions in
                machine.close(.forbidden, reason: "the user was erased", into: &actions)
            }
        }
        calls.stays.forget(user: user)
        feed.forget(user)
    }
}
