// The estimator in a checkpoint: all of its state, of the packets only those that feedback may still tell of.

extension BandwidthEstimator: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(configuration)
        correlator.save(into: &w)
        trendline.save(into: &w)
        w.write(state)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var configuration = BitrateConfiguration()
        try r.code(&configuration)
        var made = Self(configuration)
        try r.require(made.configuration == configuration)
        made.correlator = try FeedbackCorrelator.restored(&r)
        made.trendline = try TrendlineEstimator.restored(&r)
        var state = made.state
        try r.code(&state)
        made.take(state)
        return made
    }

    private var state: EstimatorState {
        EstimatorState(
            groups: groups, queue: queue, acknowledged: acknowledged, arriving: arriving, sending: sending,
            outgoing: outgoing, controller: controller, loss: loss, reports: reports, probes: probes,
            evaluator: evaluator, watch: watch, wanted: wanted, next: next, roundTrip: roundTrip,
            feedbackAt: feedbackAt, followsReports: followsReports,
            sentAt: sentAt, lastTold: lastTold, firstOfRoute: firstOfRoute, estimate: estimate, lastChange: lastChange)
    }

    private mutating func take(_ state: EstimatorState) {
        groups = state.groups
        queue = state.queue
        acknowledged = state.acknowledged
        arriving = state.arriving
        sending = state.sending
        outgoing = state.outgoing
        controller = state.controller
        loss = state.loss
        reports = state.reports
        probes = state.probes
        evaluator = state.evaluator
        watch = state.watch
        wanted = state.wanted
        next = state.next
        roundTrip = state.roundTrip
        feedbackAt = state.feedbackAt
        followsReports = state.followsReports
        sentAt = state.sentAt
        lastTold = state.lastTold
        firstOfRoute = state.firstOfRoute
        estimate = state.estimate
        lastChange = state.lastChange
    }
}

/// Everything of an estimator that owns no memory.
private struct EstimatorState: CheckpointField {
    var groups: ArrivalGroups
    var queue: QueueDelay
    var acknowledged: AcknowledgedBitrate
    var arriving: RateMeter
    var sending: RateMeter
    var outgoing: RateMeter
    var controller: RateController
    var loss: LossEstimator
    var reports: ReportEstimator
    var probes: ProbeController
    var evaluator: ProbeEvaluator
    var watch: FeedbackWatch
    var wanted: DataRate
    var next: DataRate
    var roundTrip: TimeDelta
    var feedbackAt: Timestamp?
    var followsReports: Bool
    var sentAt: Timestamp?
    var lastTold: ToldPacket?
    var firstOfRoute: Int64
    var estimate: DataRate
    var lastChange: EstimateChange

    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&groups)
        try c.code(&queue)
        try c.code(&acknowledged)
        try c.code(&arriving)
        try c.code(&sending)
        try c.code(&outgoing)
        try c.code(&controller)
        try c.code(&loss)
        try c.code(&reports)
        try c.code(&probes)
        try c.code(&evaluator)
        try c.code(&watch)
        try c.code(&wanted)
        try c.code(&next)
        try c.code(&roundTrip.nanoseconds, 0...FeedbackWatch.longestReach.nanoseconds)
        try c.code(&feedbackAt)
        try c.code(&followsReports)
        try c.code(&sentAt)
        let none = ToldPacket(sent: Timestamp(nanoseconds: 0), arrived: .zero)
        try c.optional(&lastTold, none) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&firstOfRoute)
        try c.code(&estimate)
        try c.code(&lastChange)
    }
}
