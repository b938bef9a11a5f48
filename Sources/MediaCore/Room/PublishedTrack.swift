// One published track: what its plan says, whether it speaks and whether it lives. Its streams are its encodings.

/// The row of one published track.
struct PublishedTrack: ~Copyable {
    /// A track without a packet for this long has stalled.
    static let stallTime = TimeDelta.seconds(3)

    let id: TrackID
    /// The room's number of its publisher.
    let peer: Int32
    /// Rises with each track that is published.
    let order: UInt32
    var plan: PublishedTrackPlan
    /// The room's numbers of its encodings, lowest layer first.
    var encodings: [Int32] = []
    var isMuted: Bool
    var gate = AudioGate()
    /// What it sounded like, and what speaks for it to be given the floor.
    var voice = AudioLevelWindow()
    var evidence = SpeakerEvidence()
    /// What is told of its levels where its packets do not say them.
    var levels = DecodedLevels()
    /// The position in the plan of the codec that arrives, the preferred one before any does.
    var codec = 0
    var hasStarted = false
    var hasStalled = false
    /// Since when its packets are missed: the last one, or when it was connected or unmuted.
    var quietSince: Timestamp?

    init(id: TrackID, peer: Int, order: UInt32, plan: PublishedTrackPlan) {
        self.id = id
        self.peer = Int32(truncatingIfNeeded: peer)
        self.order = order
        self.plan = plan
        isMuted = plan.isMuted
    }

    var isVideo: Bool { plan.kind == .video }

    /// The codec that arrives.
    var currentCodec: Codec? { codec < plan.codecs.count ? plan.codecs[codec].codec : nil }
}

extension PublishedTrack: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(id)
        w.write(row: peer)
        w.write(UInt64(order))
        w.write(plan)
        w.write(rows: encodings)
        w.write(isMuted)
        w.write(gate)
        w.write(voice)
        w.write(evidence)
        w.write(levels)
        w.write(UInt64(codec))
        w.write(hasStarted)
        w.write(hasStalled)
        w.write(quietSince)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var id = TrackID.any
        try r.code(&id)
        let peer = try r.readRow()
        let order = try r.readUInt32()
        var plan = PublishedTrackPlan.any
        try r.code(&plan)
        var made = Self(id: id, peer: Int(peer), order: order, plan: plan)
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        encodings = try r.readRows()
        try r.code(&isMuted)
        try r.code(&gate)
        try r.code(&voice)
        try r.code(&evidence)
        try r.code(&levels)
        codec = try r.readUnsigned(255)
        try r.code(&hasStarted)
        try r.code(&hasStalled)
        try r.code(&quietSince)
    }
}
