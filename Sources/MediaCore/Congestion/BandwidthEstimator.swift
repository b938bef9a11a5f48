// The send-side estimate of what one receiving peer's path carries, from transport-wide feedback, REMB or receiver reports.
// Sends nothing, paces nothing and shares nothing out.

/// The bandwidth estimate for one receiving peer.
struct BandwidthEstimator: ~Copyable {
    private var configuration: BitrateConfiguration
    private var correlator = FeedbackCorrelator()
    private var groups = ArrivalGroups()
    private var trendline = TrendlineEstimator()
    private var queue = QueueDelay()
    private var acknowledged = AcknowledgedBitrate()
    private var controller: RateController
    private var probes = ProbeController()
    private var evaluator = ProbeEvaluator()
    private var allocated = DataRate.zero
    private var wanted = DataRate.zero
    private var roundTrip = TimeDelta.milliseconds(200)
    private var feedbackAt: Timestamp?
    private var watch = FeedbackWatch()
    private var isHeld = false
    private var heldAt: Timestamp?
    /// What may be sent, everything included.
    private(set) var estimate: DataRate
    /// The last change worth telling.
    private(set) var lastChange = EstimateChange()

    init(_ configuration: BitrateConfiguration) {
        self.configuration = configuration
        estimate = DataRate(bitsPerSecond: configuration.startBitsPerSecond)
        controller = RateController(estimate)
        lastChange.to = estimate
    }

    /// How fast the pacer may send.
    var pacingRate: DataRate {
        isHeld ? DataRate(bitsPerSecond: configuration.minimumBitsPerSecond) : estimate.scaled(by: configuration.pacingPercent, over: 100)
    }
    /// When `advance` should be called next; nil while nothing is due.
    var nextDeadline: Timestamp? {
        var next = probes.deadline
        if let oldest = correlator.sent.oldest {
            if !isHeld { next.bring(forwardTo: watch.holdsAt(oldest.sentAt)) } else if watch.halvings < FeedbackWatch.mostHalvings {
                next.bring(forwardTo: watch.fallsAt(oldest.sentAt)) }
        }
        return next
    }

    /// A packet was sent under a transport-wide sequence number, as part of a probe cluster (0: of none).
    mutating func noteSent(_ sequence: UInt16, bytes: Int, kind: SentKind, cluster: Int32, at now: Timestamp) {
        correlator.sent.note(sequence, bytes: bytes, kind: kind, cluster: cluster, at: now)
    }
    /// Transport-wide feedback came.
    mutating func takeFeedback(_ bytes: Span<UInt8>, _ feedback: TransportFeedback, at now: Timestamp) {
        var walk = feedback
        correlator.begin(walk)
        var probed: DataRate?
        var lastArrival: TimeDelta?
        var lastSent: Timestamp?
        var firstSent: Timestamp?
        var over = false
        while let outcome = correlator.next(bytes, &walk) {
            guard let arrived = outcome.arrivedAt else { continue }
            let row = outcome.packet
            lastArrival = arrived
            lastSent = row.sentAt
            if firstSent == nil { firstSent = row.sentAt }
            queue.note(sent: row.sentAt, arrived: arrived)
            acknowledged.note(Int64(row.bytes), at: arrived, isLimited: false)
            if let delta = groups.note(sent: row.sentAt, arrived: arrived) {
                trendline.take(delta)
                if trendline.use == .over { over = true }
            }
            if row.cluster != 0, let rate = evaluator.note(row, arrived: arrived, noise: queue.noise) { probed = rate }
        }
        guard let lastArrival, let lastSent, let firstSent else { return }
        feedbackAt = now
        _ = watch.take(oldestSent: firstSent, at: now)
        if isHeld { heldAt = now }
        isHeld = false
        if queue.note(feedbackAt: now, of: lastArrival) {
            groups = ArrivalGroups()
            trendline.restart()
            acknowledged.clockChanged()
        }
        let sample = now - lastSent
        roundTrip = roundTrip + (sample - roundTrip) / 8
        var input = RateInput()
        input.use = over ? .over : trendline.use
        input.queue = queue.standing
        input.wasHeld = heldAt.map { now - $0 < roundTrip + .milliseconds(200) } ?? false
        input.persistent = queue.persistent
        input.noise = queue.noise
        input.acknowledged = acknowledged.rate
        input.delivered = acknowledged.rate(overLast: 8)
        input.roundTrip = roundTrip
        input.limit = wanted > .zero ? min(ceiling, wanted.scaled(by: 125, over: 100)) : ceiling
        let isOver = controller.update(input, at: now)
        if let probed, !isOver {
            if min(probed, input.limit) > controller.rate { controller.set(min(probed, input.limit), at: now, isProbe: true) }
            probes.take(result: probed, at: now)
        }
        if isOver { probes.cancel(); quietAt = now + .seconds(1) }
        if now >= quietAt { probes.advance(estimate: controller.rate, isLimited: false, at: now) }
        settle(at: now)
    }
    private var quietAt = Timestamp(nanoseconds: 0)

    private var ceiling: DataRate {
        let most = DataRate(bitsPerSecond: configuration.maximumBitsPerSecond)
        return wanted > .zero ? min(most, wanted.scaled(by: configuration.probeLimitPercent, over: 100)) : most
    }

    private mutating func settle(at now: Timestamp) {
        var rate = controller.rate
        for _ in 0..<watch.halvings { rate = rate.scaled(by: 1, over: 2) }
        estimate = max(rate, DataRate(bitsPerSecond: configuration.minimumBitsPerSecond))
        lastChange.number = UInt32(watch.halvings)
        lastChange.to = estimate
        lastChange.acknowledged = acknowledged.rate ?? .zero
        lastChange.trendMicroseconds = Int32(clamping: Int64(trendline.trend * 1000))
        lastChange.thresholdMicroseconds = Int32(clamping: Int64(trendline.threshold * 1000))
        lastChange.roundTrip = queue.standing ?? .zero; lastChange.lossPermille = Int32(queue.noise.nanoseconds / 100_000)
    }

    /// Receiver reports came: packets lost of those expected since the reports before, all streams summed.
    mutating func takeReceiverReport(lost: Int, expected: Int, at now: Timestamp) {}
    /// The round trip was measured.
    mutating func noteRoundTrip(_ sample: TimeDelta) {}
    /// The receiver named a maximum (REMB).
    mutating func takeMaximumBitrate(_ rate: DataRate, at now: Timestamp) {}
    /// What is sent at present, what the next better step needs in all (zero: there is none), and what would be sent if
    /// nothing limited.
    mutating func setDemand(allocated: DataRate, next: DataRate, wanted: DataRate, at now: Timestamp) {
        self.allocated = allocated
        self.wanted = wanted
        probes.setDemand(next: next, ceiling: ceiling, estimate: estimate, at: now)
    }
    /// Packets take another path from now on.
    mutating func routeChanged(at now: Timestamp) {}
    /// Time went on.
    mutating func advance(to now: Timestamp) {
        if let oldest = correlator.sent.oldest {
            if now >= watch.holdsAt(oldest.sentAt) { isHeld = true }
            if watch.advance(oldestSent: oldest.sentAt, to: now) { settle(at: now) }
        } else { isHeld = false }
        if now >= quietAt { probes.advance(estimate: controller.rate, isLimited: false, at: now) }
    }
    /// A probe cluster that is to be sent now. Each is given once.
    mutating func takeProbe(at now: Timestamp) -> ProbeCluster? {
        guard let probe = probes.takeProbe(noise: queue.noise, at: now) else { return nil }
        evaluator.expect(probe)
        return probe
    }
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
