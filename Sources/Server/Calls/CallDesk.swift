// What the control plane holds of one-to-one calls: the machine, the sessions of its devices, what is still to be done, and what is
// known of users without asking the store.
import Signalling

/// One-to-one calls on the control loop.
struct CallDesk {
    var machine: CallMachine
    /// The sessions of connected devices.
    var sessions: [CallDeviceID: SessionRecord] = [:]
    /// The devices of each user, in the order in which they connected.
    var devices: [String: [CallDeviceID]] = [:]
    /// The rooms of calls that are not over.
    var rooms: Set<String> = []
    /// Who may come back into the room of a call that is over.
    var stays = Stays()
    /// What the machine asked for and is not done, in order.
    var actions: [CallAction] = []
    var isActing = false
    private var lastDevice: UInt64 = 0

    /// The devices of the two sides of calls that are not over, as far as they are known.
    var sides: [CallID: SideDevices] = [:]
    /// Calls that were not answered and whose record is not written yet.
    var missed: [CallID: MissedCall] = [:]
    /// Calls that are over and whose record is not on the disk yet, with the answers that wait for it.
    var ending: [CallID: [WaitingAnswer]] = [:]
    /// Calls that devices are woken for.
    var woken: [CallID: Woken] = [:]
    /// What the store said of users who were called.
    var standings = Standings()

    /// An answer to a command that is given once a record is on the disk.
    struct WaitingAnswer {
        let session: SessionRecord
        let id: CommandID
        let message: ServerMessage
    }

    init(_ settings: Configuration.Calls) {
        var options = CallOptions()
        options.ringMilliseconds = Int64(settings.ringSeconds) * 1_000
        options.connectMilliseconds = Int64(settings.connectSeconds) * 1_000
        options.graceMilliseconds = Int64(settings.graceSeconds) * 1_000
        options.returnsToDirect = settings.returnsToDirect
        options.devicesPerUser = settings.devicesPerUser
        options.callsPerUser = settings.callsPerUser
        options.inviteMilliseconds = Int64(settings.inviteSeconds) * 1_000
        options.inviteBurst = settings.inviteBurst
        options.pairMilliseconds = Int64(settings.pairSeconds) * 1_000
        options.pairBurst = settings.pairBurst
        machine = CallMachine(options: options)
    }

    mutating func nextDevice() -> CallDeviceID {
        lastDevice += 1
        return CallDeviceID(lastDevice)
    }
}

/// What is asked of the store before a user is called, remembered.
struct Standings {
    struct Standing {
        /// Whether they have a device that was registered.
        var isKnown: Bool
        /// Whom they do not want to hear from.
        var blocked: Set<String>
    }

    /// Users and blocked users together; beyond it all are forgotten, and asked for again.
    static let capacity = 200_000

    private var entries: [String: Standing] = [:]
    private var weight = 0
    /// Users whom the store is asked about now: by how many, and how often something changed meanwhile. Answers may overtake each
    /// other: what was asked before a change must not be remembered after it.
    private var asked: [String: (count: Int, changes: Int)] = [:]

    subscript(user: String) -> Standing? { entries[user] }

    /// The store is about to be asked; what is answered goes to `endAsking`.
    mutating func beginAsking(_ user: String) -> Int {
        asked[user, default: (0, 0)].count += 1
        return asked[user]?.changes ?? 0
    }

    /// Takes what the store said.
    /// - Returns: false where something changed since it was asked, so that it must be asked again.
    mutating func endAsking(_ user: String, since changes: Int, _ standing: Standing?) -> Bool {
        let isTrue = asked[user]?.changes == changes
        asked[user]?.count -= 1
        if asked[user]?.count == 0 { asked[user] = nil }
        if isTrue, let standing { remember(user, standing) }
        return isTrue
    }

    private mutating func remember(_ user: String, _ standing: Standing) {
        drop(user)
        if weight + 1 + standing.blocked.count > Self.capacity {
            entries = [:]
            weight = 0
        }
        entries[user] = standing
        weight += 1 + standing.blocked.count
    }

    private mutating func drop(_ user: String) {
        if let old = entries.removeValue(forKey: user) { weight -= 1 + old.blocked.count }
    }

    /// The store holds something else of a user now.
    mutating func forget(_ user: String) {
        asked[user]?.changes += 1
        drop(user)
    }

    /// The same, and it is known what.
    mutating func change(_ user: String, _ body: (inout Standing) -> Void) {
        asked[user]?.changes += 1
        guard var standing = entries[user] else { return }
        body(&standing)
        remember(user, standing)
    }
}
