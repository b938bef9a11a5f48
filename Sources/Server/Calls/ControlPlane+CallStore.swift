// The control plane's work on what is kept of calls: records and missed calls are written before anybody is told that they are, active
// calls as they change, and what another run of the server left is taken over. The store does all in the order it was asked in; its
// answers may overtake each other by a turn of the loop.
import EventLoop
import Signalling
import Storage

extension ControlPlane {
    private var clocks: ClockReading { ClockReading(monotonic: MonotonicClock.now, wall: WallClock.now) }

    /// The store did not do what was asked; calls go on.
    func storeFailed(_ what: String, _ error: StoreError) {
        metrics.storeFailures.add(1)
        log(.error, "the database failed", ("at", what), ("why", "\(error)"))
    }

    /// The lasting name of a session's device.
    func deviceName(of session: SessionRecord) -> String {
        let name = session.machine.hello?.device ?? KeptNames.unnamed
        return KeptNames.fits(name, StoreLimits.deviceBytes) ? name : KeptNames.unnamed
    }

    // MARK: Calls

    /// Keeps how a call stands, or that it is over.
    func keep(_ record: Signalling.CallRecord) {
        noteSides(of: record.call)
        if let end = record.end { finish(record, end) } else { keepActive(record) }
    }

    /// Notes which devices a call is on.
    private func noteSides(of id: CallID) {
        guard let call = calls.machine.calls[id] else { return }
        var sides = calls.sides[id] ?? SideDevices()
        if let session = call.caller.device.flatMap({ calls.sessions[$0] }) { sides.caller = deviceName(of: session) }
        if let session = call.callee.device.flatMap({ calls.sessions[$0] }) { sides.callee = deviceName(of: session) }
        calls.sides[id] = sides
    }

    /// Notes which device has placed a call that may be over already; a call that became another before it was one is not noted.
    func noteCaller(of id: CallID, _ session: SessionRecord, _ actions: [CallAction]) {
        for case .record(let record) in actions where record.call == id {
            calls.sides[id, default: SideDevices()].caller = deviceName(of: session)
        }
    }

    private func keepActive(_ record: Signalling.CallRecord) {
        let clocks = self.clocks
        let sides = calls.sides[record.call] ?? SideDevices()
        guard let state = KeptCall(record, devices: sides, clocks: clocks).bytes else { return }
        let call = ActiveCall(
            call: record.call.text, startedAt: clocks.milliseconds(record.times.placed), state: state)
        var devices: [ActiveCallDevice] = []
        for (party, device) in [(record.caller, sides.caller), (record.callee, sides.callee)] {
            guard let device else { continue }
            let token = party.token.isEmpty ? nil : Array(party.token.utf8)
            devices.append(ActiveCallDevice(user: party.user, device: device, reattachToken: token))
        }
        let kept = devices
        Task {
            do throws(StoreError) {
                try await store.saveActiveCall(call, devices: kept, at: clocks.wall / 1_000_000)
            } catch {
                storeFailed("an active call", error)
            }
        }
    }

    /// A call is over: its record and the missed call are written, then the callee's devices are told of that, and whoever ended it
    /// gets the answer.
    private func finish(_ record: Signalling.CallRecord, _ end: CallMessage.Ended) {
        let sides = calls.sides.removeValue(forKey: record.call) ?? SideDevices()
        let kept = Storage.CallRecord(record, end: end, devices: sides, clocks: clocks)
        let missed = calls.missed.removeValue(forKey: record.call).map {
            Storage.MissedCall($0, endedAt: kept.endedAt, clocks: clocks)
        }
        calls.ending[record.call, default: []] += []
        Task {
            do throws(StoreError) {
                try await store.endActiveCall(kept.call, record: kept, missed: missed.map { [$0] } ?? [])
            } catch {
                storeFailed("a call's record", error)
            }
            if let missed {
                metrics.callsMissed.add(1)
                for device in calls.devices[missed.user] ?? [] {
                    if let session = calls.sessions[device] { tell([missed], to: session) }
                }
            }
            for waiting in calls.ending.removeValue(forKey: record.call) ?? [] {
                answer(waiting.session, waiting.id, waiting.message)
            }
        }
    }

    // MARK: Missed calls

    /// How many missed calls a session is told of at once; the others follow when these were seen.
    private static let missedAtOnce = 64

    /// Tells a session of the newest missed calls that were not seen and that it was not told of.
    func tellMissed(_ session: SessionRecord) {
        guard let user = session.machine.claims?.user else { return }
        Task {
            do throws(StoreError) {
                let missed = try await store.missedCalls(of: user).filter { !session.toldMissed.contains($0.call) }
                let unseen = session.toldMissed.count - session.seenMissed.count
                tell(Array(missed.suffix(max(0, Self.missedAtOnce - unseen))), to: session)
            } catch {
                storeFailed("missed calls", error)
            }
        }
    }

    /// Tells a session of missed calls, each once.
    private func tell(_ missed: [Storage.MissedCall], to session: SessionRecord) {
        for call in missed where session.toldMissed.insert(call.call).inserted {
            change(session) { machine, actions in machine.send(.call(.missed(call.message)), into: &actions) }
        }
    }

    // MARK: After a restart

    /// Takes over what another run of the server left: calls that were accepted go on, and those that rang are over. Then calls
    /// `done`.
    func restoreCalls(_ done: @escaping @Sendable (StoreError?) -> Void) {
        Task {
            do throws(StoreError) {
                for kept in try await store.activeCalls() { restore(kept) }
                done(nil)
            } catch {
                done(error)
            }
        }
    }

    private func restore(_ kept: ActiveCall) {
        let (clocks, id) = (self.clocks, CallID(kept.call))
        guard let state = KeptCall(bytes: kept.state) else {
            log(.error, "a call of another run cannot be read", ("call", kept.call))
            Task { _ = try? await store.endActiveCall(kept.call) }
            return
        }
        var record = state.record(id, clocks: clocks)
        calls.sides[id] = state.devices
        if record.state.isPending {
            // Who called has no answer any more; who was called learns that somebody did.
            record.times.ended = clocks.time(clocks.wall / 1_000_000)
            record.end = .init(call: id, reason: .lost)
            if !record.isBlocked {
                calls.missed[id] = .init(
                    user: record.callee.user, call: id, from: .init(id: record.caller.user, name: record.caller.name),
                    media: record.caller.media ?? .audio, placed: record.times.placed)
            }
            keep(record)
        } else {
            changeCalls { machine, now, _ in machine.restore(record, at: now) }
            // The room of whoever was called into another call's is that one's.
            if record.mode == .sfu, record.host == nil { calls.rooms.insert(id.room) }
            metrics.calls.store(calls.machine.calls.count)
        }
    }

    /// A session wants a call back: storage is asked where another run of the server made the secret, or knows how the call ended.
    func reattach(
        _ reattach: CallCommand.Reattach, _ id: CommandID, for session: SessionRecord, _ device: CallDeviceID
    ) {
        guard let user = session.machine.claims?.user else { return }
        let command = CallCommand.reattach(reattach)
        let name = deviceName(of: session)
        Task {
            var given = CallGiven(id: CallID(""), token: "")
            if calls.machine.needsProof(reattach, by: device) {
                let kept = try? await store.activeCall(
                    reattach.call.text, reattaching: name, of: user, token: Array(reattach.token.utf8))
                given.isProven = kept != nil
            } else if !calls.machine.knows(reattach.call), let end = await pastEnd(of: reattach.call, for: user) {
                return answer(session, id, .call(.ended(end)))
            }
            perform(command, id, for: session, given)
            // The device may be another one.
            if let call = calls.machine.calls[reattach.call], session.callDevice.flatMap({ call.side(of: $0) }) != nil {
                keep(call.record())
            }
        }
    }

    /// How a call of another run of the server ended, for who was in it.
    private func pastEnd(of call: CallID, for user: String) async -> CallMessage.Ended? {
        guard let record = try? await store.callRecord(call.text), record.legs.contains(where: { $0.user == user }),
            let reason = CallEndReason(rawValue: record.endReason)
        else { return nil }
        return .init(call: call, reason: reason)
    }

    /// Removes what is older than it may become, every hour.
    func tickHistory(at now: Int64) {
        let days = Int64(configuration.storage.historyDays)
        guard days > 0, now >= nextHistory else { return }
        nextHistory = now + 3_600_000_000_000
        let before = WallClock.now / 1_000_000 - days * 86_400_000
        Task {
            do throws(StoreError) { try await store.removeHistory(before: before) } catch {
                storeFailed("old records", error)
            }
        }
    }
}
