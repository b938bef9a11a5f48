// The rows of the machine of calls: a call with its two sides, a user with devices and limits, what is remembered of calls that
// are over, and what is due when.

/// One call that is not over.
public struct Call: Hashable, Sendable {
    /// Its name.
    public let id: CallID
    /// How far it has come.
    public internal(set) var state = CallState.inviting
    /// How the media travels.
    public internal(set) var mode: CallMode
    /// The call into whose room the callee was called; nil: the call has a room of its own, where it has one.
    public internal(set) var host: CallID?
    /// Whether a direct call is in its room for a third person's sake alone.
    var isInRoomForOthers = false
    /// Who placed it.
    public internal(set) var caller: CallLeg
    /// Who is called; without a device until one has accepted.
    public internal(set) var callee: CallLeg
    /// The callee's devices that were told of it and have not been told otherwise.
    public internal(set) var ringing: [CallDeviceID] = []
    /// Whether the callee does not want to hear from the caller: nothing rings, and the caller is not told why.
    public internal(set) var isBlocked: Bool
    /// When what happened.
    public internal(set) var times: CallTimes
    /// When it is given up for not being answered, or not being connected; nil once it is active.
    var deadline: SessionTime?

    /// Whether neither side may learn an address of the other.
    public var isRelayOnly: Bool { caller.isRelayOnly || callee.isRelayOnly }
    /// The room that its media goes through, once it was accepted.
    var room: String? { mode == .sfu && !state.isPending ? roomCall.room : nil }
    /// The call that a room of this one's is named after: the one into which it is an invitation, or itself.
    var roomCall: CallID { host ?? id }

    /// The sides that have it on hold.
    var heldBy: [CallSide] { CallSide.allCases.filter { self[$0].isHolding } }

    subscript(side: CallSide) -> CallLeg {
        get { side == .caller ? caller : callee }
        set { if side == .caller { caller = newValue } else { callee = newValue } }
    }

    /// The side that a device has.
    public func side(of device: CallDeviceID) -> CallSide? {
        caller.device == device ? .caller : callee.device == device ? .callee : nil
    }

    /// How it stands, or stood when it was over.
    public func record(end: CallMessage.Ended? = nil) -> CallRecord {
        CallRecord(
            call: id, state: state, end: end, caller: caller.party, callee: callee.party, mode: mode,
            host: host, isInRoomForOthers: isInRoomForOthers, isRelayOnly: isRelayOnly, isBlocked: isBlocked,
            times: times)
    }
}

/// One side of a call.
public struct CallLeg: Hashable, Sendable {
    /// Who.
    public let user: String
    /// The name to show.
    public internal(set) var name: String?
    /// On which device; nil before the callee has accepted, and while the device is lost.
    public internal(set) var device: CallDeviceID?
    /// What it sends.
    public internal(set) var media: CallMedia?
    /// Whether it asked that neither side learns an address of the other.
    var isRelayOnly = false
    /// The secret for `call.reattach`.
    var token: String
    /// Whether another run of the server made the secret, and only storage can tell it.
    var needsProof = false
    /// Whether its device has reported media.
    var isConnected = false
    /// Whether it has put the call on hold.
    var isHolding = false
    var path: CallPath?
    /// Until when a device that is lost may come back.
    var lostUntil: SessionTime?
    var quality = CallQualitySummary()
    /// What the other side has said and this side's device, which is not there, has not been told.
    var queue: [Relayed] = []
    var queuedBytes = 0
    /// What this side may say to the other.
    var relayed: TokenBucket
    var relayedBytes: TokenBucket

    /// What travels from one side to the other.
    enum Relayed: Hashable, Sendable {
        case description(CallCommand.Description)
        case candidate(CallCommand.Candidate)

        var bytes: Int {
            switch self {
            case .description(let told): told.description.sdp.utf8.count
            case .candidate(let told):
                told.candidate.utf8.count + (told.mid?.utf8.count ?? 0) + (told.usernameFragment?.utf8.count ?? 0)
            }
        }
    }

    init(
        user: String, name: String?, device: CallDeviceID? = nil, media: CallMedia? = nil, isRelayOnly: Bool = false,
        token: String = "", options: CallOptions
    ) {
        self.user = user
        self.name = name
        self.device = device
        self.media = media
        self.isRelayOnly = isRelayOnly
        self.token = token
        relayed = TokenBucket(perSecond: options.relayedPerSecond, burst: options.relayedBurst)
        relayedBytes = TokenBucket(perSecond: options.relayedBytesPerSecond, burst: options.relayedByteBurst)
    }

    /// As the other side is told of it.
    var description: ServerMessage.User { ServerMessage.User(id: user, name: name) }

    var party: CallRecord.Party {
        CallRecord.Party(
            user: user, name: name, media: media, path: path, token: token, quality: quality, isHolding: isHolding)
    }
}

/// A user who is connected, in a call, or held to a limit.
struct CallUser: Hashable, Sendable {
    var devices: [CallDevice] = []
    /// The calls that are not over, in the order in which they were placed, but those that this user does not hear of.
    var calls: [CallID] = []
    var limit: TokenBucket?
    /// How often this user may call the people called last.
    var pairs: [Pair] = []
    /// When the limits may be forgotten, while there is nothing else.
    var forgetAt: SessionTime?

    struct Pair: Hashable, Sendable {
        let callee: String
        var limit: TokenBucket
    }
}

/// A connected device.
struct CallDevice: Hashable, Sendable {
    let id: CallDeviceID
    /// The name to show, from the device's token.
    let name: String?
    let offersWaiting: Bool
    /// When its socket was lost; nil while it has one.
    var lostAt: SessionTime?
}

/// What is remembered of the calls that were over last.
struct CallMemory: Hashable, Sendable {
    enum Outcome: Hashable, Sendable {
        case over(CallMessage.Ended)
        /// Both sides called each other: the other call counts.
        case became(CallID)
    }
    struct Entry: Hashable, Sendable {
        var caller: String
        var callee: String
        var outcome: Outcome
    }

    let capacity: Int
    private var entries: [CallID: Entry] = [:]
    /// A ring, once it is full.
    private var order: [CallID] = []
    private var oldest = 0

    init(capacity: Int) { self.capacity = max(1, capacity) }

    subscript(id: CallID) -> Entry? { entries[id] }
    /// All of them, in no order.
    var all: Dictionary<CallID, Entry>.Values { entries.values }

    mutating func remember(_ id: CallID, _ entry: Entry) {
        entries[id] = entry
        if order.count < capacity { return order.append(id) }
        entries[order[oldest]] = nil
        order[oldest] = id
        oldest = (oldest + 1) % capacity
    }

    /// Forgets who a user was in them. Nobody has an empty name.
    mutating func forget(_ user: String) {
        for id in order {
            if entries[id]?.caller == user { entries[id]?.caller = "" }
            if entries[id]?.callee == user { entries[id]?.callee = "" }
        }
    }
}

/// What is due when, the next first.
struct CallTimers: Hashable, Sendable {
    /// What is due.
    enum Due: Hashable, Sendable {
        /// Nobody has answered.
        case ring(CallID)
        /// The devices have not found each other.
        case connect(CallID)
        /// A side's device has not come back.
        case lost(CallID, CallSide)
        /// A user's limits are full again.
        case forget(String)

        /// An order among what is due at one moment, which depends on nothing else.
        fileprivate var rank: (Int, String) {
            switch self {
            case .ring(let call): (0, call.text)
            case .connect(let call): (1, call.text)
            case .lost(let call, .caller): (2, call.text)
            case .lost(let call, .callee): (3, call.text)
            case .forget(let user): (4, user)
            }
        }
    }
    struct Timer: Hashable, Sendable {
        let at: SessionTime
        let due: Due

        fileprivate func isBefore(_ other: Timer) -> Bool {
            at == other.at ? due.rank < other.due.rank : at < other.at
        }
    }

    private(set) var timers: [Timer] = []

    var next: Timer? { timers.first }

    mutating func set(_ due: Due, at time: SessionTime) {
        let timer = Timer(at: time, due: due)
        timers.insert(timer, at: place(of: timer))
    }

    /// Takes back what was set for this moment, where the moment is known.
    mutating func cancel(_ due: Due, at time: SessionTime?) {
        guard let time else { return }
        let timer = Timer(at: time, due: due)
        let place = place(of: timer)
        if place < timers.count, timers[place] == timer { timers.remove(at: place) }
    }

    private func place(of timer: Timer) -> Int {
        var (low, high) = (0, timers.count)
        while low < high {
            let middle = (low + high) / 2
            if timers[middle].isBefore(timer) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
