// What the machine of calls asks of the server, and what the server gives it along. Carrying it out is the server's: sessions,
// push, storage and rooms are not known here.

/// One thing to do, in the order given, after the command that brought it about was answered.
public enum CallAction: Hashable, Sendable {
    /// Tell a device something that must not be lost.
    case tell(CallMessage, to: CallDeviceID)
    /// Tell a device something of which only the newest matters.
    case inform(CallMessage, to: CallDeviceID)
    /// Wake those devices of a user that are not connected, for a call that rings.
    case wake(String, CallMessage.Incoming)
    /// The call rings no longer: what would wake devices for it need not be sent.
    case stopWaking(String, CallID)
    /// Keep for a user that a call was not answered, and tell it until it was seen.
    case missed(MissedCall)
    /// Keep how a call stands. Each record of a call replaces the one before; the last one says why it was over.
    case record(CallRecord)
    /// Write an event into the feed.
    case feed(FeedEvent)
    /// The call's media goes through this room from now on, into which its two users may come.
    case openRoom(String, call: CallID, users: [String])
    /// The call that the room was opened for is over.
    case closeRoom(String, call: CallID)
}

/// What a command about calls needs that is not in it: chance, and what the server knows of people.
public struct CallGiven: Hashable, Sendable {
    /// A name for the call, at random and never used before.
    public var id: CallID
    /// A secret of at least 128 random bits as text, at most `ProtocolLimits.callTokenBytes`.
    public var token: String
    /// Whether the server knows the callee although no device of it is connected.
    public var isKnown: Bool
    /// Whether the callee does not want to hear from the caller.
    public var isBlocked: Bool
    /// Whether storage has found that the token of a `reattach` is the user's (`CallMachine.needsProof`).
    public var isProven = false
    /// Of the users that `presence` asks for, those who are not to be told of: one of the two has blocked the other.
    public var hidden: Set<String> = []

    /// What a command needs.
    public init(id: CallID, token: String, isKnown: Bool = false, isBlocked: Bool = false) {
        self.id = id
        self.token = token
        self.isKnown = isKnown
        self.isBlocked = isBlocked
    }
}

/// A call that was not answered.
public struct MissedCall: Hashable, Sendable {
    /// Who missed it.
    public var user: String
    /// The call: missed calls are told apart by it.
    public var call: CallID
    /// Who called.
    public var from: ServerMessage.User
    /// What the caller would have sent.
    public var media: CallMedia
    /// When it was placed.
    public var placed: SessionTime

    /// A missed call.
    public init(user: String, call: CallID, from: ServerMessage.User, media: CallMedia, placed: SessionTime) {
        self.user = user
        self.call = call
        self.from = from
        self.media = media
        self.placed = placed
    }
}

/// How a call stands, or stood when it was over: what storage keeps, and what `restore` takes.
public struct CallRecord: Hashable, Sendable {
    /// One side.
    public struct Party: Hashable, Sendable {
        /// The user.
        public var user: String
        /// The name to show.
        public var name: String?
        /// What it sends; nil on the callee's side before it accepted.
        public var media: CallMedia?
        /// The path that its device reported.
        public var path: CallPath?
        /// The secret for `call.reattach`; empty before the side has a device, and where only storage can tell it.
        public var token: String
        /// How well it was served.
        public var quality: CallQualitySummary
        /// Whether it has put the call on hold.
        public var isHolding: Bool

        /// A side.
        public init(
            user: String, name: String?, media: CallMedia?, path: CallPath?, token: String, quality: CallQualitySummary,
            isHolding: Bool = false
        ) {
            self.isHolding = isHolding
            self.user = user
            self.name = name
            self.media = media
            self.path = path
            self.token = token
            self.quality = quality
        }
    }
    /// The call.
    public var call: CallID
    /// How far it has come; where it is over, how far it had come.
    public var state: CallState
    /// Why it was over, and whose doing it was; nil while it is not.
    public var end: CallMessage.Ended?
    /// Who placed it.
    public var caller: Party
    /// Who was called.
    public var callee: Party
    /// How the media travels.
    public var mode: CallMode
    /// The call into whose room the callee was called; nil: none.
    public var host: CallID?
    /// Whether a direct call is in its room for a third person's sake alone.
    public var isInRoomForOthers: Bool
    /// Whether only relayed candidates pass.
    public var isRelayOnly: Bool
    /// Whether the callee did not want to hear from the caller, and did not.
    public var isBlocked: Bool
    /// When what happened.
    public var times: CallTimes

    /// How a call stands.
    public init(
        call: CallID, state: CallState, end: CallMessage.Ended?, caller: Party, callee: Party, mode: CallMode,
        host: CallID?, isInRoomForOthers: Bool, isRelayOnly: Bool, isBlocked: Bool, times: CallTimes
    ) {
        self.call = call
        self.state = state
        self.end = end
        self.caller = caller
        self.callee = callee
        self.mode = mode
        self.host = host
        self.isInRoomForOthers = isInRoomForOthers
        self.isRelayOnly = isRelayOnly
        self.isBlocked = isBlocked
        self.times = times
    }
}

/// When what happened in a call.
public struct CallTimes: Hashable, Sendable {
    /// It was placed.
    public var placed: SessionTime
    /// The first device rang.
    public var rang: SessionTime?
    /// It was accepted.
    public var accepted: SessionTime?
    /// Both devices had reported media.
    public var connected: SessionTime?
    /// It was over.
    public var ended: SessionTime?

    /// A call that was placed then.
    public init(placed: SessionTime) { self.placed = placed }
}

/// What one side's quality reports come to.
public struct CallQualitySummary: Hashable, Sendable, Codable {
    /// The mean of what was reported.
    struct Mean: Hashable, Sendable, Codable {
        private(set) var count = 0
        private var sum = 0.0

        var value: Double? { count == 0 ? nil : sum / Double(count) }

        mutating func add(_ number: Double) {
            count += 1
            sum += number
        }
    }

    private var losses = Mean()
    private var roundTrips = Mean()
    private var jitters = Mean()
    private var scores = Mean()
    /// The highest loss, in percent.
    public private(set) var worstLossPercent = 0.0
    /// The highest round trip; nil where none was reported.
    public private(set) var worstRTTMilliseconds: UInt16?
    /// The highest jitter.
    public private(set) var worstJitterMilliseconds: UInt16 = 0
    /// The lowest mean opinion score; nil where none was reported.
    public private(set) var worstMOS: Double?

    /// No report yet.
    public init() {}

    /// How many reports there were.
    public var reports: Int { losses.count }
    /// The mean loss, in percent; 0 where there was no report.
    public var meanLossPercent: Double { losses.value ?? 0 }
    /// The mean round trip; nil where none was reported.
    public var meanRTTMilliseconds: Double? { roundTrips.value }
    /// The mean jitter; nil where there was no report.
    public var meanJitterMilliseconds: Double? { jitters.value }
    /// The mean of the mean opinion scores; nil where none was reported.
    public var meanMOS: Double? { scores.value }

    mutating func add(_ report: CallCommand.Quality) {
        losses.add(report.lossPercent)
        jitters.add(Double(report.jitterMilliseconds))
        worstLossPercent = max(worstLossPercent, report.lossPercent)
        worstJitterMilliseconds = max(worstJitterMilliseconds, report.jitterMilliseconds)
        if let rtt = report.rttMilliseconds {
            roundTrips.add(Double(rtt))
            worstRTTMilliseconds = max(worstRTTMilliseconds ?? 0, rtt)
        }
        if let mos = report.mos {
            scores.add(mos)
            worstMOS = min(worstMOS ?? 5, mos)
        }
    }
}
