// One peer of the room: its connection's numbers and which tracks and slots are its own. Protocol logic is in the parts
// it is made of.

/// The row of one peer.
struct Participant: ~Copyable {
    /// Retransmissions that a peer may cause at once, and in a second.
    static let retransmissionBurst: Int64 = 1_000
    static let retransmissionsPerSecond: Int64 = 1_000
    /// The source of RTCP to a peer that has no slot (as libwebrtc's receivers use).
    static let fallbackSSRC = SSRC(1)

    let id: PeerID
    /// Rises with each peer that joins.
    let order: UInt32
    var isConnected = false
    var extensions = HeaderExtensionMap()
    /// Those that packets to it carry.
    private(set) var sentExtensions = HeaderExtensionMap()
    var reducedSizeRTCP = false
    var usesTransportFeedback = false
    /// The room's numbers of its tracks and slots, in the order of its plan.
    var tracks: [Int32] = []
    var slots: [Int32] = []
    /// Slots that a later plan left out.
    var retired: [RetiredStream] = []
    var streams = StreamTable()
    var arrivals = ArrivalRecorder()
    /// The numbers of the next transport feedback and of the last full intra request.
    var feedbackCount: UInt8 = 0
    var feedbackCommand: UInt8 = 0
    var clock = PublisherClock()
    var roundTrip = RoundTrip()
    var transportSequencer: TransportSequencer
    /// What the path to the peer carries, and the pace of what is sent on it.
    var bandwidth: BandwidthEstimator
    var pacer = Pacer()
    /// It has slots for video: without any there is nothing to adapt.
    var hasVideoSlots = false
    /// It tells when each packet arrived (transport-wide feedback on its slots).
    var givesTransportFeedback = false
    /// What the last allocation was made of, and what was told last of the estimate.
    var demand = PeerDemand()
    var retransmissionBudget = Budget(
        capacity: Participant.retransmissionBurst, perSecond: Participant.retransmissionsPerSecond)
    var statistics = PeerStatistics()
    /// What comes from the core itself: reports and feedback.
    var feedbackSSRC = Participant.fallbackSSRC
    /// The SSRC that transport feedback names: the last that sent.
    var lastMediaSSRC = SSRC(0)

    /// When something is due; early is allowed, late is not.
    var timers = PeerTimers()

    init(id: PeerID, order: UInt32, firstTransportSequence: UInt16, bitrate: BitrateConfiguration) {
        self.id = id
        self.order = order
        bandwidth = BandwidthEstimator(bitrate)
        transportSequencer = TransportSequencer(first: firstTransportSequence)
    }
}

extension Participant {
    /// Its extensions or what its slots are for have changed. Transport-wide numbers are for the estimate alone: who has no slot
    /// for video is sent none, and has no arrival times to tell ten times a second that nobody would read.
    mutating func settleSentExtensions() {
        sentExtensions = extensions
        if !hasVideoSlots { sentExtensions.transportSequence = 0 }
    }

    /// What is sent was divided anew, or what the path carries is another: bursts are wide where all that is wanted is given and
    /// as much again would fit.
    mutating func followDemand() {
        let isAll = demand.allocated > .zero && demand.wanted <= demand.allocated
        let least = (demand.allocated + demand.other).scaled(by: 2, over: 1)
        pacer.setBurst(
            pacingPercent: bandwidth.configuration.pacingPercent,
            carried: isAll && demand.carried >= least ? demand.carried : nil)
    }
}

/// When each thing that a peer may need is due.
extension Participant {
    var nextReport: Timestamp? {
        get { timers[.reports] }
        set { timers[.reports] = newValue }
    }
    var nextFeedback: Timestamp? {
        get { timers[.transportFeedback] }
        set { timers[.transportFeedback] = newValue }
    }
    var nextNack: Timestamp? {
        get { timers[.nack] }
        set { timers[.nack] = newValue }
    }
    var nextKeyFrame: Timestamp? {
        get { timers[.keyFrameRequest] }
        set { timers[.keyFrameRequest] = newValue }
    }
    var nextLiveness: Timestamp? {
        get { timers[.liveness] }
        set { timers[.liveness] = newValue }
    }
    var nextFreeze: Timestamp? {
        get { timers[.freezes] }
        set { timers[.freezes] = newValue }
    }
    var nextEstimate: Timestamp? {
        get { timers[.estimate] }
        set { timers[.estimate] = newValue }
    }
    var nextPace: Timestamp? {
        get { timers[.pacing] }
        set { timers[.pacing] = newValue }
    }
    var nextAllocation: Timestamp? {
        get { timers[.allocation] }
        set { timers[.allocation] = newValue }
    }
}

extension Timestamp? {
    /// Makes the moment this one where it is earlier or there was none.
    mutating func bring(forwardTo moment: Timestamp?) {
        guard let moment else { return }
        if let now = self, now <= moment { return }
        self = moment
    }
}

extension Participant: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(id)
        w.write(UInt64(order))
        w.write(isConnected)
        w.write(extensions)
        w.write(reducedSizeRTCP)
        w.write(usesTransportFeedback)
        w.write(rows: tracks)
        w.write(rows: slots)
        w.write(UInt64(retired.count))
        for stream in retired { w.write(stream) }
        streams.save(into: &w)
        arrivals.save(into: &w)
        w.byte(feedbackCount)
        w.byte(feedbackCommand)
        w.write(clock)
        w.write(roundTrip)
        w.write(transportSequencer)
        bandwidth.save(into: &w)
        pacer.save(into: &w)
        w.write(hasVideoSlots)
        w.write(givesTransportFeedback)
        w.write(demand)
        w.write(retransmissionBudget)
        w.write(statistics)
        w.write(feedbackSSRC)
        w.write(lastMediaSSRC)
        w.write(nextReport)
        w.write(nextFeedback)
        w.write(nextNack)
        w.write(nextKeyFrame)
        w.write(nextLiveness)
        w.write(nextFreeze)
        w.write(nextEstimate)
        w.write(nextPace)
        w.write(nextAllocation)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        let id = PeerID(try r.readUInt32())
        var made = Self(
            id: id, order: try r.readUInt32(), firstTransportSequence: 0, bitrate: BitrateConfiguration())
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        try r.code(&isConnected)
        try r.code(&extensions)
        try r.code(&reducedSizeRTCP)
        try r.code(&usesTransportFeedback)
        tracks = try r.readRows()
        slots = try r.readRows()
        let none = RetiredStream(ssrc: SSRC(0), highest: 0, rtxSequence: 0)
        try r.list(&retired, RetiredStream.limit, none) { r, v throws(CheckpointError) in try r.code(&v) }
        streams = try StreamTable.restored(&r)
        arrivals = try ArrivalRecorder.restored(&r)
        feedbackCount = try r.byte()
        feedbackCommand = try r.byte()
        try r.code(&clock)
        try r.code(&roundTrip)
        try r.code(&transportSequencer)
        bandwidth = try BandwidthEstimator.restored(&r)
        pacer = try Pacer.restored(&r)
        try r.code(&hasVideoSlots)
        settleSentExtensions()
        try r.code(&givesTransportFeedback)
        try r.code(&demand)
        followDemand()
        try r.code(&retransmissionBudget)
        try r.code(&statistics)
        try r.code(&feedbackSSRC)
        try r.code(&lastMediaSSRC)
        try r.code(&nextReport)
        try r.code(&nextFeedback)
        try r.code(&nextNack)
        try r.code(&nextKeyFrame)
        try r.code(&nextLiveness)
        try r.code(&nextFreeze)
        try r.code(&nextEstimate)
        try r.code(&nextPace)
        try r.code(&nextAllocation)
    }
}
