// The control plane's work on push: the devices of a user who is called that are not connected are woken, and told when that is over.
// Tokens are the store's; none is logged.
import EventLoop
import Push
import Signalling
import Storage

/// A call that devices are woken for.
struct Woken {
    /// A device with a socket, and with a token for the case that it sleeps: its system may have suspended the application without a
    /// word to the server.
    struct Doubt {
        let session: SessionRecord
        /// What it will have acknowledged when it is awake.
        let seq: UInt64
        let device: StoredDevice
    }

    struct Reached {
        let device: String
        let token: String
        let doubt: Doubt?
    }

    let user: String
    let incoming: CallMessage.Incoming
    /// Until when it rings, in Unix seconds.
    let until: Int64
    /// Google's devices that a message was taken for: they can be told that it is over. Apple's rule is that each message for calls
    /// shows a call, so that a second one would ring again.
    var reached: [Reached] = []
    /// Devices that may sleep, and when that is decided, in nanoseconds of the monotonic clock.
    var doubts: [Doubt] = []
    var decidedAt: Int64 = .max
}

extension ControlPlane {
    /// The application whose tokens a service takes; nil where it is not used.
    func application(of provider: AccountCommand.Push.Provider) -> String? {
        provider == .apns ? push?.apns?.bundleID : push?.fcm?.projectID
    }

    /// How long a device with a socket has to acknowledge that it rings, in nanoseconds.
    private static let awakeNanoseconds: Int64 = 2_000_000_000

    /// Wakes the devices of a user that are not connected, and notes those that may only seem to be.
    func wake(_ user: String, _ incoming: CallMessage.Incoming) {
        guard pushSender != nil else { return }
        let call = incoming.call
        let until = WallClock.seconds + (incoming.ringMilliseconds + 999) / 1_000
        calls.woken[call] = Woken(user: user, incoming: incoming, until: until)
        // Those that were told of the call a moment ago; what each has to acknowledge is that.
        let sessions = (calls.devices[user] ?? []).compactMap { calls.sessions[$0] }
            .filter { !$0.machine.isDetached }.map { (session: $0, seq: $0.machine.sentSeq) }
        Task {
            do throws(StoreError) {
                let devices = try await store.devices(of: user)
                guard calls.woken[call] != nil else { return }
                for device in devices where !device.pushTokens.isEmpty {
                    let here = sessions.first {
                        deviceName(of: $0.session) == device.device && $0.session.callDevice != nil
                            && !$0.session.machine.isDetached
                    }
                    if let (session, seq) = here {
                        calls.woken[call]?.doubts.append(.init(session: session, seq: seq, device: device))
                    } else if !isConnected(device.device, of: user) {
                        send(call, to: device, nil)
                    }
                }
                calls.woken[call]?.decidedAt = MonotonicClock.now + Self.awakeNanoseconds
            } catch {
                storeFailed("devices to wake", error)
            }
        }
    }

    /// Wakes devices that have not acknowledged that they ring.
    func tickWaking(at now: Int64) {
        for (call, woken) in calls.woken where woken.decidedAt <= now {
            calls.woken[call]?.decidedAt = .max
            calls.woken[call]?.doubts = []
            for doubt in woken.doubts where !isAwake(doubt.device.device, of: woken.user, doubt) {
                send(call, to: doubt.device, doubt)
            }
        }
    }

    /// Whether a device of a user has a socket, and there is no doubt that it listens there.
    private func isAwake(_ device: String, of user: String, _ doubt: Woken.Doubt?) -> Bool {
        (calls.devices[user] ?? []).contains { id in
            guard let session = calls.sessions[id], !session.machine.isDetached, deviceName(of: session) == device
            else { return false }
            guard let doubt, doubt.session === session else { return true }
            return session.machine.acknowledgedSeq >= doubt.seq
        }
    }

    /// The call rings no longer.
    func stopWaking(_ call: CallID) {
        guard let woken = calls.woken.removeValue(forKey: call) else { return }
        pushSender?.withdraw(call: call.text)
        // A device that has a socket hears of it there; one of them may have the call.
        for reached in woken.reached where !isAwake(reached.device, of: woken.user, reached.doubt) {
            sendStop(of: call, to: reached.token, until: woken.until)
        }
    }

    private func send(_ call: CallID, to device: StoredDevice, _ doubt: Woken.Doubt?) {
        guard let woken = calls.woken[call] else { return }
        for token in device.pushTokens { send(woken, to: token, of: device.device, doubt) }
    }

    private func send(_ woken: Woken, to token: StoredPushToken, of device: String, _ doubt: Woken.Doubt?) {
        guard let pushSender else { return }
        let (incoming, until, user) = (woken.incoming, woken.until, woken.user)
        let target: PushNotification.Target
        switch token.provider {
        case .apns:
            guard token.application == application(of: .apns) else { return }
            target = .apns(token: PushSecret(token.token), isSandbox: token.isSandbox)
        case .fcm:
            guard token.application == application(of: .fcm) else { return }
            target = .fcm(token: PushSecret(token.token))
        }
        var data = [
            "type": "call.incoming", "call": incoming.call.text, "caller": incoming.from.id,
            "media": incoming.media.rawValue, "until": "\(until)",
        ]
        if let name = incoming.from.name { data["callerName"] = name }
        let call = incoming.call
        pushSender.send(PushNotification(target: target, call: call.text, expiresAt: until, data: data)) { outcome in
            self.pushed(outcome, token)
            guard case .accepted = outcome, token.provider == .fcm else { return }
            if self.calls.woken[call] != nil {
                self.calls.woken[call]?.reached.append(.init(device: device, token: token.token, doubt: doubt))
            } else if !self.isAwake(device, of: user, doubt) {
                // It was under way when the call stopped ringing.
                self.sendStop(of: call, to: token.token, until: until)
            }
        }
    }

    /// Google's devices stop ringing by a message of their own.
    private func sendStop(of call: CallID, to token: String, until: Int64) {
        let stop = PushNotification(
            target: .fcm(token: PushSecret(token)), call: call.text, expiresAt: until,
            data: ["type": "call.stopped", "call": call.text])
        pushSender?.send(stop) { outcome in self.count(outcome) }
    }

    private func pushed(_ outcome: PushOutcome, _ token: StoredPushToken) {
        count(outcome)
        switch outcome {
        case .tokenInvalid(let since):
            Task {
                do throws(StoreError) {
                    try await store.removePushToken(token.provider, token.token, registeredBefore: since)
                } catch {
                    storeFailed("an invalid push token", error)
                }
            }
        case .rejected(let reason):
            log(.warning, "a push message was refused", ("service", token.provider.rawValue), ("why", reason))
        case .expired(let reason?):
            log(
                .warning, "a push message was not taken in time", ("service", token.provider.rawValue), ("why", reason))
        default: break
        }
    }

    private func count(_ outcome: PushOutcome) {
        let name =
            switch outcome {
            case .accepted: "accepted"
            case .tokenInvalid: "tokenInvalid"
            case .rejected: "rejected"
            case .expired: "expired"
            case .queueFull: "queueFull"
            case .withdrawn: "withdrawn"
            case .notConfigured: "notConfigured"
            case .closed: "closed"
            }
        if let index = ServerMetrics.pushOutcomes.firstIndex(of: name) { metrics.push[index].add(1) }
    }
}
