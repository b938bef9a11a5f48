// One message that wakes a device for a call, and what became of it.

/// A message that wakes a device for a call.
public struct PushNotification: Hashable, Sendable {
    /// The device.
    public enum Target: Hashable, Sendable {
        /// An iPhone's VoIP token, in hexadecimal; of Apple's development environment or not.
        case apns(token: PushSecret, isSandbox: Bool)
        /// A registration token of Firebase.
        case fcm(token: PushSecret)
    }

    /// The device.
    public var target: Target
    /// The call: a later message of the same call takes the place of one not delivered. At most 64 visible ASCII characters.
    public var call: String
    /// When nobody needs waking any more, in Unix seconds: now and the ring time-out.
    public var expiresAt: Int64
    /// What the application is told. Together with its frame at most 4,096 bytes of JSON; `aps`, `from`, and what begins
    /// with `google` or `gcm` are the providers' own keys.
    public var data: [String: String]

    /// A message.
    public init(target: Target, call: String, expiresAt: Int64, data: [String: String]) {
        self.target = target
        self.call = call
        self.expiresAt = expiresAt
        self.data = data
    }
}

/// What became of a message.
public enum PushOutcome: Hashable, Sendable {
    /// The provider took it; whether the device got it, nobody says. With the provider's name for it.
    case accepted(id: String?)
    /// The provider does not know the device's token any more: forget it.
    /// - since: only where it was registered before this, in Unix milliseconds; nil: in any case.
    case tokenInvalid(since: Int64?)
    /// The provider, or this module, refuses it for good, in the provider's word.
    case rejected(reason: String)
    /// It expired before the provider took it; with the last reason, where there was one.
    case expired(reason: String?)
    /// As many wait as may wait.
    case queueFull
    /// It was withdrawn before it left.
    case withdrawn
    /// There is no such provider.
    case notConfigured
    /// The sender was closed.
    case closed
}

/// How many messages became what, since the start.
public struct PushStatistics: Hashable, Sendable {
    /// Requests that were begun, repetitions included.
    public var requests = 0
    /// Requests that were repeated.
    public var retries = 0
    /// Messages that a provider took.
    public var accepted = 0
    /// Device tokens that a provider called invalid.
    public var invalidTokens = 0
    /// Messages refused for good.
    public var rejected = 0
    /// Messages that expired.
    public var expired = 0
    /// Messages that found the queue full.
    public var queueFull = 0
    /// Provider tokens that were signed, and access tokens that were fetched.
    public var authorizations = 0
    /// Connections that were opened.
    public var connections = 0

    /// Nothing so far.
    public init() {}

    mutating func count(_ outcome: PushOutcome) {
        switch outcome {
        case .accepted: accepted += 1
        case .tokenInvalid: invalidTokens += 1
        case .rejected: rejected += 1
        case .expired: expired += 1
        case .queueFull: queueFull += 1
        case .withdrawn, .notConfigured, .closed: break
        }
    }
}
