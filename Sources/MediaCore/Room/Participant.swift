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

    // When something is due; early is allowed, late is not.
    var nextReport: Timestamp?
    var nextFeedback: Timestamp?
    var nextNack: Timestamp?
    var nextKeyFrame: Timestamp?
    var nextLiveness: Timestamp?
    var nextFreeze: Timestamp?
    var nextEstimate: Timestamp?
    var nextPace: Timestamp?
    var nextAllocation: Timestamp?

    init(id: PeerID, order: UInt32, firstTransportSequence: UInt16, bitrate: BitrateConfiguration) {
        self.id = id
        self.order = order
        bandwidth = BandwidthEstimator(bitrate)
        transportSequencer = TransportSequencer(first: firstTransportSequence)
    }

    /// The earliest thing due.
    var deadline: Deadline? {
        var earliest: Deadline?
        if let at = nextReport { earliest = .earliest(earliest, Deadline(at: at, reason: .reports)) }
        if let at = nextFeedback { earliest = .earliest(earliest, Deadline(at: at, reason: .transportFeedback)) }
        if let at = nextNack { earliest = .earliest(earliest, Deadline(at: at, reason: .nack)) }
        if let at = nextKeyFrame { earliest = .earliest(earliest, Deadline(at: at, reason: .keyFrameRequest)) }
        if let at = nextLiveness { earliest = .earliest(earliest, Deadline(at: at, reason: .liveness)) }
        if let at = nextFreeze { earliest = .earliest(earliest, Deadline(at: at, reason: .freezes)) }
        if let at = nextPace { earliest = .earliest(earliest, Deadline(at: at, reason: .pacing)) }
        if let at = nextEstimate { earliest = .earliest(earliest, Deadline(at: at, reason: .estimate)) }
        if let at = nextAllocation { earliest = .earliest(earliest, Deadline(at: at, reason: .allocation)) }
        return earliest
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
        try r.code(&givesTransportFeedback)
        try r.code(&demand)
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
