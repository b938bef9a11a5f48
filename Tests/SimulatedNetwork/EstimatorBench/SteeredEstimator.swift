// The bandwidth estimator as the bench sees it: whoever tests one wraps it in this. Knows no implementation.

public import MediaCore

/// What a packet of the bench was sent for; the numbers are those of the core.
public enum BenchPacketKind: UInt8, Sendable {
    case audio
    case video
    case retransmission
    case padding
}

/// A probe that an estimator asks for.
public struct BenchProbe: Sendable {
    /// Its number.
    public var cluster: Int32
    /// The rate in bits per second.
    public var bitsPerSecond: Int64
    /// The least packets of it.
    public var minimumPackets: Int
    /// The least bytes of it.
    public var minimumBytes: Int

    /// A probe.
    public init(cluster: Int32, bitsPerSecond: Int64, minimumPackets: Int, minimumBytes: Int) {
        self.cluster = cluster
        self.bitsPerSecond = bitsPerSecond
        self.minimumPackets = minimumPackets
        self.minimumBytes = minimumBytes
    }
}

/// A send-side bandwidth estimator that the bench feeds and follows. Rates are in bits per second.
public protocol SteeredEstimator: AnyObject {
    /// A packet was sent.
    func noteSent(_ sequence: UInt16, bytes: Int, kind: BenchPacketKind, cluster: Int32, at now: Timestamp)
    /// RTCP with transport-wide feedback came.
    func takeFeedback(_ compound: [UInt8], at now: Timestamp)
    /// Receiver reports came.
    func takeReceiverReport(lost: Int, expected: Int, at now: Timestamp)
    /// The round trip was measured.
    func noteRoundTrip(_ sample: TimeDelta)
    /// A maximum was named (REMB).
    func takeMaximumBitrate(_ rate: DataRate, at now: Timestamp)
    /// What is sent, what the next step needs, what would be sent.
    func setDemand(allocated: DataRate, next: DataRate, wanted: DataRate, at now: Timestamp)
    /// The path changed.
    func routeChanged(at now: Timestamp)
    /// Time went on.
    func advance(to now: Timestamp)
    /// When to call `advance`.
    var nextDeadline: Timestamp? { get }
    /// What may be sent.
    var estimate: DataRate { get }
    /// How fast packets may leave.
    var pacingRate: DataRate { get }
    /// A probe to be sent now.
    func takeProbe(at now: Timestamp) -> BenchProbe?
    /// The last change, for people.
    var lastChangeText: String { get }
}
