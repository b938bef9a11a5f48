// The send-side estimate of what one receiving peer's path carries, from transport-wide feedback, REMB or receiver reports.
// Sends nothing, paces nothing and shares nothing out.

/// The bandwidth estimate for one receiving peer.
struct BandwidthEstimator: ~Copyable {
    private var configuration: BitrateConfiguration
    /// What may be sent, everything included.
    private(set) var estimate: DataRate
    /// The last change worth telling.
    private(set) var lastChange = EstimateChange()

    init(_ configuration: BitrateConfiguration) {
        self.configuration = configuration
        estimate = DataRate(bitsPerSecond: configuration.startBitsPerSecond)
        lastChange.to = estimate
    }

    /// How fast the pacer may send.
    var pacingRate: DataRate { estimate.scaled(by: configuration.pacingPercent, over: 100) }
    /// When `advance` should be called next; nil while nothing is due.
    var nextDeadline: Timestamp? { nil }

    /// A packet was sent under a transport-wide sequence number, as part of a probe cluster (0: of none).
    mutating func noteSent(_ sequence: UInt16, bytes: Int, kind: SentKind, cluster: Int32, at now: Timestamp) {}
    /// Transport-wide feedback came.
    mutating func takeFeedback(_ bytes: Span<UInt8>, _ feedback: TransportFeedback, at now: Timestamp) {}
    /// Receiver reports came: packets lost of those expected since the reports before, all streams summed.
    mutating func takeReceiverReport(lost: Int, expected: Int, at now: Timestamp) {}
    /// The round trip was measured.
    mutating func noteRoundTrip(_ sample: TimeDelta) {}
    /// The receiver named a maximum (REMB).
    mutating func takeMaximumBitrate(_ rate: DataRate, at now: Timestamp) {}
    /// What is sent at present, what the next better step needs in all (zero: there is none), and what would be sent if
    /// nothing limited.
    mutating func setDemand(allocated: DataRate, next: DataRate, wanted: DataRate, at now: Timestamp) {}
    /// Packets take another path from now on.
    mutating func routeChanged(at now: Timestamp) {}
    /// Time went on.
    mutating func advance(to now: Timestamp) {}
    /// A probe cluster that is to be sent now. Each is given once.
    mutating func takeProbe(at now: Timestamp) -> ProbeCluster? { nil }
}

extension BandwidthEstimator: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(configuration)
        w.write(UInt64(bitPattern: estimate.bitsPerSecond))
        w.write(lastChange)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var configuration = BitrateConfiguration()
        try r.code(&configuration)
        var made = Self(configuration)
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        try r.code(&estimate)
        try r.code(&lastChange)
    }
}
