// The control plane's work on push: the devices of a user who is called that are not connected are woken, and told when that is over.
// Tokens are the store's; none is logged.
import EventLoop
import Push
import Signalling
import Storage

/// A call that devices are woken for.
struct Woken {
    /// Until when it rings, in Unix seconds.
    let until: Int64
    /// Google's devices that a message was taken for: they can be told that it is over. Apple's rule is that each message for calls
    /// shows a call, so that a second one would ring again.
    var reached: [String] = []
}

extension ControlPlane {
    /// The application whose tokens a service takes; nil where it is not used.
    func application(of provider: AccountCommand.Push.Provider) -> String? {
        provider == .apns ? push?.apns?.bundleID : push?.fcm?.projectID
    }

    /// Wakes the devices of a user that are not connected.
    func wake(_ user: String, _ incoming: CallMessage.Incoming) {
        guard pushSender != nil else { return }
        let call = incoming.call
        let until = WallClock.seconds + (incoming.ringMilliseconds + 999) / 1_000
        calls.woken[call] = Woken(until: until)
        Task {
            do throws(StoreError) {
                let devices = try await store.devices(of: user)
                guard calls.woken[call] != nil else { return }
                for device in devices where !isConnected(device.device, of: user) {
                    for token in device.pushTokens { send(incoming, to: token, until: until) }
                }
            } catch {
                storeFailed("devices to wake", error)
            }
        }
    }

    /// The call rings no longer.
    func stopWaking(_ call: CallID) {
        guard let woken = calls.woken.removeValue(forKey: call) else { return }
        pushSender?.withdraw(call: call.text)
        for token in woken.reached { sendStop(of: call, to: token, until: woken.until) }
    }

    private func send(_ incoming: CallMessage.Incoming, to token: StoredPushToken, until: Int64) {
        guard let pushSender else { return }
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
            self.pushed(outcome, token, call, until: until)
        }
    }

    /// Google's devices stop ringing by a message of their own.
    private func sendStop(of call: CallID, to token: String, until: Int64) {
        let stop = PushNotification(
            target: .fcm(token: PushSecret(token)), call: call.text, expiresAt: until,
            data: ["type": "call.stopped", "call": call.text])
        pushSender?.send(stop) { outcome in self.count(outcome) }
    }

    private func pushed(_ outcome: PushOutcome, _ token: StoredPushToken, _ call: CallID, until: Int64) {
        count(outcome)
        switch outcome {
        case .accepted where token.provider == .fcm:
            if calls.woken[call] == nil {
                // It was under way when the call stopped ringing.
                sendStop(of: call, to: token.token, until: until)
            } else {
                calls.woken[call]?.reached.append(token.token)
            }
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
