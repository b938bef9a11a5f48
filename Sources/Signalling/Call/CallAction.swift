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
        /// The secret for `call.reattach`; empty before the side has a device.
        public var token: String
        /// How well it was served.
        public var quality: CallQualitySummary
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
    /// Whether only relayed candidates pass.
    public var isRelayOnly: Bool
    /// Whether the callee did not want to hear from the caller, and did not.
    public var isBlocked: Bool
    /// When what happened.
    public var times: CallTimes
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
}

/// What one side's quality reports come to.
public struct CallQualitySummary: Hashable, Sendable {
    /// How many there were.
    public private(set) var reports = 0
    /// The sum of their losses, in percent.
    private var losses = 0.0
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

    /// The mean loss, in percent.
    public var meanLossPercent: Double { reports == 0 ? 0 : losses / Double(reports) }

    mutating func add(_ report: CallCommand.Quality) {
        reports += 1
        losses += report.lossPercent
        worstLossPercent = max(worstLossPercent, report.lossPercent)
        worstJitterMilliseconds = max(worstJitterMilliseconds, report.jitterMilliseconds)
        if let rtt = report.rttMilliseconds { worstRTTMilliseconds = max(worstRTTMilliseconds ?? 0, rtt) }
        if let mos = report.mos { worstMOS = min(worstMOS ?? 5, mos) }
    }
}
