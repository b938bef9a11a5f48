// Commands, the configuration and the event that opens a capture, as fields.
import MediaCore

extension FieldWriter {
    /// The settings behind the origin of NTP time are counted: a later version appends, and a reader that knows more
    /// than were written takes the defaults for the rest.
    mutating func configuration(_ value: RoomConfiguration) {
        fixed(value.ntpAtOrigin)
        list(RoomConfiguration.settings) { $0.signed($1.get(value)) }
    }

    mutating func wish(_ value: SlotWish) {
        token(value.mid.token)
        optional(value.pin) { $0.track($1) }
        number(UInt64(value.wantedHeight))
    }

    /// Wishes that say priorities are a case of their own, so that those that do not stay what they were.
    private mutating func wishes(_ wishes: [SlotWish], of peer: PeerID) {
        let saysPriorities = wishes.contains { $0.priority != SlotWish.defaultPriority }
        byte(saysPriorities ? 7 : 6)
        self.peer(peer)
        list(wishes) {
            $0.wish($1)
            if saysPriorities { $0.byte($1.priority) }
        }
    }

    mutating func command(_ value: RoomCommand) {
        switch value {
        case .addParticipant(let peer):
            byte(0)
            self.peer(peer)
        case .applyPlan(let peer, let plan):
            byte(1)
            self.peer(peer)
            self.plan(plan)
        case .peerConnected(let peer):
            byte(2)
            self.peer(peer)
        case .peerDisconnected(let peer):
            byte(3)
            self.peer(peer)
        case .removeParticipant(let peer, let reason):
            byte(4)
            self.peer(peer)
            byte(reason.rawValue)
        case .setMuted(let track, let isMuted):
            byte(5)
            self.track(track)
            flag(isMuted)
        case .setSlotWishes(let peer, let wishes):
            self.wishes(wishes, of: peer)
        case .soundLevel(let track, let timestamp, let level):
            byte(8)
            self.track(track)
            number(UInt64(timestamp))
            byte(level.level | (level.isVoice ? 0x80 : 0))
        }
    }

    mutating func digest(_ value: OutputDigest) {
        byte(value.scope.rawValue)
        fixed(value.high)
        fixed(value.low)
        number(value.count)
    }
}

extension FieldReader {
    /// Nil too when there are more settings than this build knows: it would run another configuration.
    mutating func configuration() -> RoomConfiguration? {
        let known = RoomConfiguration.settings
        guard let ntp = fixed(), let settings = list({ $0.signed() }), settings.count <= known.count else { return nil }
        var value = RoomConfiguration()
        value.ntpAtOrigin = ntp
        for (index, setting) in settings.enumerated() { known[index].set(&value, setting) }
        return value
    }

    mutating func wish() -> SlotWish? {
        guard let mid = mid(), let pin = optional({ $0.track() }), let height = number(UInt16.self) else { return nil }
        return SlotWish(mid: mid, pin: pin, wantedHeight: height)
    }

    private mutating func wishWithPriority() -> SlotWish? {
        guard var wish = wish(), let priority = byte() else { return nil }
        wish.priority = priority
        return wish
    }

    mutating func command() -> RoomCommand? {
        guard let tag = byte() else { return nil }
        if tag == 5 {
            guard let track = track(), let isMuted = flag() else { return nil }
            return .setMuted(track, isMuted)
        }
        if tag == 8 {
            guard let track = track(), let timestamp = number(UInt32.self), let level = byte() else { return nil }
            return .soundLevel(track, timestamp: timestamp, AudioLevel(isVoice: level & 0x80 != 0, level: level))
        }
        guard let peer = peer() else { return nil }
        switch tag {
        case 0: return .addParticipant(peer)
        case 1: return plan().map { .applyPlan(peer, $0) }
        case 2: return .peerConnected(peer)
        case 3: return .peerDisconnected(peer)
        case 4: return byte().flatMap { RemovalReason(rawValue: $0) }.map { .removeParticipant(peer, $0) }
        case 6: return list { $0.wish() }.map { .setSlotWishes(peer, $0) }
        case 7:
            // All by default are written as case 6: one command has one encoding.
            guard let wishes = list({ $0.wishWithPriority() }),
                wishes.contains(where: { $0.priority != SlotWish.defaultPriority })
            else { return nil }
            return .setSlotWishes(peer, wishes)
        default: return nil
        }
    }

    mutating func digest() -> OutputDigest? {
        guard let scope = byte().flatMap({ OutputDigest.Scope(rawValue: $0) }), let high = fixed(), let low = fixed(),
            let count = number()
        else { return nil }
        return OutputDigest(scope: scope, high: high, low: low, count: count)
    }
}
