// The send-side estimate of what one receiving peer's path carries, from transport-wide feedback, or, where none comes, REMB
// and receiver reports. Puts the parts together; sends nothing, paces nothing and shares nothing out.

/// The bandwidth estimate for one receiving peer.
struct BandwidthEstimator: ~Copyable {
    /// Receiver reports without feedback for so long: the peer sends none, or no more.
    static let feedbackAbsent = TimeDelta.seconds(3)
    /// A silence as long as this, of feedback or of ours: what was known before is believed by half.
    static let longSilence = TimeDelta.seconds(2)
    static let longPause = TimeDelta.seconds(10)
    /// Packets are waited for this long before the first feedback; `FeedbackCorrelator.patience` afterwards.
    static let firstPatience = TimeDelta.seconds(2)
    /// The stretches of 25 ms over which rates are taken.
    static let stretches = 8
    /// The estimate is not raised by time, or by a probe, above so much of what is wanted, in percent.
    static let wantedPercent: Int64 = 125
    /// A path that loses no more than this part of the packets loses next to nothing.
    static let lowLoss = 0.03
    /// A path that loses so much by itself is sent again twice what was lost, and three times from so much on.
    static let secondCopy = 0.04
    static let thirdCopy = 0.08
    /// A packet of 1,200 bytes takes 48 ms at this rate, and holds up the sound for as long.
    static let carefulRate = DataRate.kilobitsPerSecond(200)
    /// There so much of the estimate is shared out, and so fast is the pace, in percent: a packet of video waits a little longer
    /// here, so that it does not stand in the queue together with the one before it.
    static let carefulSpentPercent: Int64 = 90
    static let carefulPacingPercent: Int64 = 85
    /// How fast what waits in the pacer after a hold may leave, in percent of the estimate.
    static let recoveryPacingPercent: Int64 = 130
    /// Of what the path carries so much is counted on while a queue drains, in percent.
    static let sustainedPercent: Int64 = 90
    /// The bytes of packets that lost feedback told of are counted at so many moments.
    static let bridgeParts = 4
    /// A change of so much is worth telling, in percent.
    static let toldPercent: Int64 = 10

    var configuration: BitrateConfiguration
    var correlator = FeedbackCorrelator()
    var groups = ArrivalGroups()
    var trendline = TrendlineEstimator()
    var queue = QueueDelay()
    var acknowledged = AcknowledgedBitrate()
    var arriving = RateMeter()
    var sending = RateMeter()
    /// What goes out, by the time of sending: for a peer that sends no feedback.
    var outgoing = RateMeter()
    var controller: RateController
    var loss = LossEstimator()
    var reports: ReportEstimator
    var probes = ProbeController()
    var evaluator = ProbeEvaluator()
    var watch = FeedbackWatch()
    /// What would be sent if nothing limited; zero before it is told.
    var wanted = DataRate.zero
    /// What the next better step needs in all; zero when there is none.
    var next = DataRate.zero
    /// The time from sending to feedback of the packets told last, smoothed.
    var roundTrip = TimeDelta.milliseconds(200)
    /// When feedback came last; nil while none ever came.
    var feedbackAt: Timestamp?
    /// Receiver reports and REMB decide: no feedback comes.
    var followsReports = true
    var sentAt: Timestamp?
    /// The packet told of last that arrived.
    var lastTold: ToldPacket?
    /// Packets before this number took another path.
    var firstOfRoute = Int64.min
    /// What may be sent, everything included.
    var estimate: DataRate
    /// The last change worth telling: of another cause than the one before, or by a tenth.
    var lastChange = EstimateChange()

    init(_ configuration: BitrateConfiguration) {
        self.configuration = configuration
        let least = min(max(configuration.minimumBitsPerSecond, 1_000), CheckpointLimit.setting)
        self.configuration.minimumBitsPerSecond = least
        self.configuration.maximumBitsPerSecond = min(
            max(configuration.maximumBitsPerSecond, least), CheckpointLimit.setting)
        self.configuration.startBitsPerSecond = min(
            max(configuration.startBitsPerSecond, least), self.configuration.maximumBitsPerSecond)
        self.configuration.pacingPercent = min(max(configuration.pacingPercent, 100), 10_000)
        self.configuration.probeLimitPercent = min(max(configuration.probeLimitPercent, 100), 10_000)
        estimate = DataRate(bitsPerSecond: self.configuration.startBitsPerSecond)
        controller = RateController(estimate)
        reports = ReportEstimator(estimate)
        lastChange.to = estimate
    }

    private var minimum: DataRate { DataRate(bitsPerSecond: configuration.minimumBitsPerSecond) }
    private var maximum: DataRate { DataRate(bitsPerSecond: configuration.maximumBitsPerSecond) }
    private var start: DataRate { DataRate(bitsPerSecond: configuration.startBitsPerSecond) }

    /// The rate is not raised above this.
    private var ceiling: DataRate {
        wanted > .zero ? min(maximum, wanted.scaled(by: Self.wantedPercent, over: 100)) : maximum
    }

    /// What the path is known to carry: the estimate, which is not raised far above what is wanted, or what a look for room showed.
    var carried: DataRate { followsReports || watch.halvings > 0 ? estimate : max(estimate, probes.shown) }

    /// What stands in the queue on the way; zero where that is not known.
    var standing: TimeDelta { followsReports ? .zero : queue.standing ?? .zero }

    /// How often what was lost is sent again at once: so often that hardly anything is lost each time, on a path that loses much by
    /// itself, and did lately.
    var copies: Int {
        guard !followsReports else { return 1 }
        let part = min(loss.inherent, loss.recent)
        return part < Self.secondCopy ? 1 : part < Self.thirdCopy ? 2 : 3
    }

    /// What can be sent when the queue that drains now is empty, about; the estimate while none does.
    var sustained: DataRate {
        guard controller.refill > .zero, !followsReports, watch.halvings == 0, !watch.isHolding else { return estimate }
        var kept = controller.carries.scaled(by: Self.sustainedPercent, over: 100)
        if let limit = loss.limit { kept = min(kept, limit) }
        return max(estimate, min(kept, maximum))
    }

    /// One packet holds up the sound. Of a path of which only reports tell that is not known.
    private var isCareful: Bool { !followsReports && estimate < Self.carefulRate }

    /// What of the estimate may be shared out.
    var spendable: DataRate { isCareful ? estimate.scaled(by: Self.carefulSpentPercent, over: 100) : estimate }

    /// How fast the pacer may send: a little faster than the estimate, or as fast as the path is known to carry; little while
    /// feedback is overdue.
    var pacingRate: DataRate {
        if watch.isHolding { return minimum }
        var percent = configuration.pacingPercent
        if watch.isRecovering { percent = min(percent, Self.recoveryPacingPercent) }
        if isCareful { percent = Self.carefulPacingPercent }
        let paced = estimate.scaled(by: percent, over: 100)
        return watch.isRecovering ? paced : max(paced, carried)
    }

    /// When `advance` should be called next; nil while nothing is due.
    @inline(__always) var nextDeadline: Timestamp? {
        var next = configuration.probes ? probes.deadline(estimate: estimate) : nil
        if let oldest = correlator.sent.oldest {
            next.bring(forwardTo: oldest.sentAt + patience)
            if !followsReports { next.bring(forwardTo: watch.deadline(oldestSent: oldest.sentAt)) }
        }
        return next
    }

    private var patience: TimeDelta { followsReports ? Self.firstPatience : FeedbackCorrelator.patience }

    // MARK: What happens

    /// A packet was sent under a transport-wide sequence number, as part of a probe cluster (0: of none). Gives the next
    /// deadline where it may have changed: while others are in flight one more changes nothing unless it is a probe's.
    @discardableResult mutating func noteSent(
        _ sequence: UInt16, bytes: Int, kind: SentKind, cluster: Int32, at now: Timestamp
    ) -> Timestamp? {
        let first = correlator.sent.isEmpty ? nil : correlator.sent.firstInFlight
        var resumes = false
        if let sentAt, now - sentAt >= Self.longPause {
            resume()
            resumes = true
        }
        sentAt = now
        correlator.sent.note(sequence, bytes: bytes, kind: kind, cluster: max(cluster, 0), at: now)
        return resumes || cluster != 0 || first != correlator.sent.firstInFlight ? nextDeadline : nil
    }

    /// A packet of so many bytes leaves, whether or not feedback will tell of it.
    @inline(__always) mutating func noteOutgoing(_ bytes: Int, at now: Timestamp) {
        outgoing.note(Int64(min(max(bytes, 0), SentPackets.maximumBytes)), at: now.nanoseconds)
    }

    /// Transport-wide feedback came.
    mutating func takeFeedback(_ bytes: Span<UInt8>, _ feedback: TransportFeedback, at now: Timestamp) {
        var walk = feedback
        var news = FeedbackNews()
        news.untold = correlator.begin(feedback)
        while let outcome = correlator.next(bytes, &walk) {
            guard outcome.packet.number >= firstOfRoute else { continue }
            if let arrived = outcome.arrivedAt {
                loss.noteReceived(wasLost: outcome.wasLost)
                take(outcome.packet, arrived: arrived, &news)
            } else {
                loss.noteLost()
            }
        }
        guard let lastSent = news.lastSent, let firstSent = news.firstSent else { return }
        if followsReports { controller.cut(to: max(reports.rate, start)) }
        followsReports = false
        feedbackAt = now
        let silence = watch.take(oldestSent: firstSent, at: now)
        if let silence, silence > Self.longSilence {
            let old = controller.rate
            controller.cut(to: max(controller.rate.scaled(by: 1, over: 2), start))
            probes.noteChange(from: old, to: controller.rate, at: now)
        }
        if queue.note(feedbackAt: now, of: news.lastArrived) {
            groups = ArrivalGroups()
            trendline.restart()
            acknowledged.clockChanged()
            arriving = RateMeter()
            news.isOver = false
        }
        let sample = min(max(now - lastSent, .zero), FeedbackWatch.longestReach)
        roundTrip = roundTrip + (sample - roundTrip) / 8
        judge(news, silence == nil ? .increase : .feedbackBack, at: now)
    }

    /// A packet arrived.
    private mutating func take(_ packet: SentRow, arrived: TimeDelta, _ news: inout FeedbackNews) {
        let size = Int64(packet.bytes)
        if news.untold > 0, news.firstSent == nil { bridge(to: packet, arrived: arrived, news.untold) }
        lastTold = ToldPacket(sent: packet.sentAt, arrived: arrived)
        news.note(packet, arrived)
        queue.note(sent: packet.sentAt, arrived: arrived)
        acknowledged.note(size, at: arrived)
        arriving.note(size, at: arrived.nanoseconds)
        sending.note(size, at: packet.sentAt.nanoseconds)
        if let delta = groups.note(sent: packet.sentAt, arrived: arrived) {
            trendline.take(delta)
            if trendline.use == .over { news.isOver = true }
        }
        if packet.cluster != 0, let result = evaluator.note(packet, arrived: arrived) {
            news.probed = result
        }
    }

    /// Feedback about some packets was lost: they are counted as if they had arrived between those before and behind them.
    private mutating func bridge(to packet: SentRow, arrived: TimeDelta, _ bytes: Int64) {
        guard let before = lastTold else { return }
        let sent = packet.sentAt - before.sent
        let came = arrived - before.arrived
        guard sent > .zero, sent < .seconds(1), came > .zero, came < .seconds(2) else { return }
        for part in 1...Int64(Self.bridgeParts) {
            let share = bytes / Int64(Self.bridgeParts)
            let at = before.arrived + came * part / Int64(Self.bridgeParts + 1)
            acknowledged.note(share, at: at)
            arriving.note(share, at: at.nanoseconds)
            sending.note(share, at: (before.sent + sent * part / Int64(Self.bridgeParts + 1)).nanoseconds)
        }
    }

    /// Judges the rate by what feedback told.
    private mutating func judge(_ news: FeedbackNews, _ ordinary: EstimateCause, at now: Timestamp) {
        var input = RateInput()
        input.use = news.isOver ? .over : trendline.use
        input.queue = queue.standing
        input.noise = queue.noise
        input.acknowledged = acknowledged.rate
        input.arriving = arriving.rate(overLast: Self.stretches)
        input.sending = sending.rate(overLast: Self.stretches)
        input.sendingLong = sending.rate(overLast: RateMeter.stretches)
        input.roundTrip = roundTrip
        input.limit = ceiling
        if let limit = loss.limit { input.limit = min(input.limit, limit + limit.scaled(by: 1, over: 10)) }
        input.wasHeld = watch.heldAt.map { now - $0 < roundTrip + .milliseconds(200) } ?? false
        let old = controller.rate
        var cause = ordinary
        var probed = news.probed
        // Where next to nothing is lost, few packets are enough.
        if loss.recent < Self.lowLoss { probed?.isSure = true }
        // What stands in the queue is the probe's own where that found more than was known.
        let isProbes = probed.map { $0.isSure && $0.rate > controller.rate } ?? false
        if !isProbes, controller.update(input, at: now) {
            cause = .overuse
            probes.noteOveruse(at: now)
        } else if let probed {
            if !probes.takeRoom(probed) {
                probes.take(probed, before: controller.rate)
                controller.probed(probed, limit: ceiling, acknowledged: input.acknowledged, at: now)
                if controller.rate != old { cause = .probe }
            }
        }
        probes.noteChange(from: old, to: controller.rate, at: now)
        let isExplained = controller.decreasedAt.map { now - $0 < .seconds(1) } ?? false
        let isLowered = loss.update(
            rate: controller.rate, arriving: input.arriving, sending: input.sending, isExplained: isExplained,
            roundTrip: roundTrip, at: now)
        if isLowered {
            cause = .loss
            probes.forgetRoom()
        }
        if configuration.probes {
            probes.advance(estimate: min(controller.rate, loss.limit ?? controller.rate), at: now)
        }
        settle(cause, measured: news.probed?.rate ?? .zero, at: now)
    }

    /// Receiver reports came: packets lost of those expected since the reports before, all streams summed.
    mutating func takeReceiverReport(lost: Int, expected: Int, at now: Timestamp) {
        guard turnsToReports(at: now) else { return }
        let judged = reports.take(
            lost: Int64(lost), expected: Int64(expected), sending: outgoing.rate(overLast: RateMeter.stretches),
            next: next, limit: ceiling, at: now)
        if judged { settle(reports.lossPermille > ReportEstimator.lowLoss ? .loss : .increase, at: now) }
    }

    /// The round trip was measured.
    mutating func noteRoundTrip(_ sample: TimeDelta) { reports.noteRoundTrip(sample) }

    /// The receiver named a maximum (REMB).
    mutating func takeMaximumBitrate(_ rate: DataRate, at now: Timestamp) {
        let named = min(max(rate, minimum), maximum)
        reports.takeMaximum(
            min(named, max(ceiling, reports.rate)), sending: outgoing.rate(overLast: RateMeter.stretches),
            follows: turnsToReports(at: now), at: now)
        settle(.receiverMaximum, measured: named, at: now)
    }

    /// What is sent at present, what the next better step needs in all (zero: there is none), and what would be sent if
    /// nothing limited.
    mutating func setDemand(allocated: DataRate, next: DataRate, wanted: DataRate, at now: Timestamp) {
        self.wanted = min(max(wanted, max(allocated, .zero)), DataRate(bitsPerSecond: CheckpointLimit.setting))
        self.next = min(max(next, .zero), DataRate(bitsPerSecond: CheckpointLimit.setting))
        let most = min(maximum, self.wanted.scaled(by: configuration.probeLimitPercent, over: 100))
        guard configuration.probes else { return }
        let room = next > allocated ? .zero : self.wanted.scaled(by: ProbeController.roomPercent, over: 100)
        probes.setDemand(next: min(max(next, .zero), most), room: min(room, maximum), ceiling: most, estimate: estimate)
        probes.advance(estimate: estimate, at: now)
    }

    /// Packets take another path from now on.
    mutating func routeChanged(at now: Timestamp) {
        firstOfRoute = correlator.sent.newest.map { $0 &+ 1 } ?? .min
        correlator.sent.giveUp(before: firstOfRoute)
        forgetPath()
        controller.restart(min(controller.rate, max(start, controller.rate.scaled(by: 1, over: 2))))
        reports.restart(controller.rate)
        settle(.routeChange, at: now)
    }

    /// Time went on.
    mutating func advance(to now: Timestamp) {
        correlator.sent.giveUp(sentBefore: now - patience + TimeDelta(nanoseconds: 1))
        if !followsReports {
            if let oldest = correlator.sent.oldest {
                if watch.advance(oldestSent: oldest.sentAt, to: now) { settle(.feedbackMissing, at: now) }
            } else if watch.halvings > 0 || watch.isHolding {
                watch.relax()
                settle(.feedbackBack, at: now)
            }
        }
        if configuration.probes { probes.advance(estimate: estimate, at: now) }
    }

    /// A probe cluster that is to be sent now. Each is given once.
    mutating func takeProbe(at now: Timestamp) -> ProbeCluster? {
        guard let probe = probes.takeProbe(noise: queue.noise, at: now) else { return nil }
        evaluator.expect(probe)
        return probe
    }

    // MARK: What follows

    /// Sending begins again after a long pause: the path may be another.
    private mutating func resume() {
        forgetPath()
        controller.restart(min(controller.rate, max(start, controller.rate.scaled(by: 1, over: 2))))
    }

    private mutating func forgetPath() {
        groups = ArrivalGroups()
        trendline.restart()
        queue = QueueDelay()
        acknowledged = AcknowledgedBitrate()
        arriving = RateMeter()
        sending = RateMeter()
        lastTold = nil
        loss = LossEstimator()
        probes.begin()
        watch.relax()
    }

    /// Whether receiver reports decide: no feedback came at all, or none for long while they do.
    private mutating func turnsToReports(at now: Timestamp) -> Bool {
        if !followsReports, let feedbackAt, now - feedbackAt > Self.feedbackAbsent {
            followsReports = true
            watch.relax()
            reports.restart(estimate)
        }
        return followsReports
    }

    /// Puts the estimate together and notes the change when it is worth telling.
    private mutating func settle(_ cause: EstimateCause, measured: DataRate = .zero, at now: Timestamp) {
        var rate = reports.rate
        if !followsReports {
            rate = controller.rate
            if let limit = loss.limit { rate = min(rate, limit) }
            rate = rate.scaled(by: 1, over: Int64(1) << Int64(watch.halvings))
        }
        if let named = reports.maximum(at: now) { rate = min(rate, named) }
        let old = estimate
        estimate = min(max(rate, minimum), maximum)
        let isFar =
            abs(estimate.bitsPerSecond - lastChange.to.bitsPerSecond) * 100
            >= lastChange.to.bitsPerSecond * Self.toldPercent
        guard estimate != old, cause != lastChange.cause || isFar else { return }
        lastChange.number &+= 1
        lastChange.cause = cause
        lastChange.at = now
        lastChange.from = old
        lastChange.to = estimate
        lastChange.acknowledged = acknowledged.rate ?? .zero
        lastChange.measured = measured
        lastChange.trendMicroseconds = Self.microseconds(trendline.trend)
        lastChange.thresholdMicroseconds = Self.microseconds(trendline.threshold)
        lastChange.queue = queue.standing ?? .zero
        lastChange.lossPermille = Int32(min(max(loss.recent, 0), 1) * 1_000)
        lastChange.roundTrip = roundTrip
    }

    private static func microseconds(_ milliseconds: Double) -> Int32 {
        Int32(min(max(milliseconds * 1_000, -1e9), 1e9))
    }
}

/// When a packet was sent and, on the receiver's clock, arrived.
struct ToldPacket: CheckpointField, BitwiseCopyable {
    var sent: Timestamp
    var arrived: TimeDelta

    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&sent)
        try c.code(&arrived)
    }
}

/// What one feedback message told.
private struct FeedbackNews: BitwiseCopyable {
    /// The bytes of packets before it that none told of.
    var untold: Int64 = 0
    var firstSent: Timestamp?
    var lastSent: Timestamp?
    var lastArrived = TimeDelta.zero
    var probed: ProbeResult?
    var isOver = false

    mutating func note(_ packet: SentRow, _ arrived: TimeDelta) {
        if firstSent == nil { firstSent = packet.sentAt }
        lastSent = packet.sentAt
        lastArrived = arrived
    }
}
