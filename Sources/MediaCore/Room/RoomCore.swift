// The deterministic, sans-IO forwarding unit of one room: tables and calls. The protocol logic is in Receive, Forward
// and Send; time, bytes and chance are arguments.

/// One room: takes authenticated packets, commands and the time, and writes packets, events and decisions. The same
/// calls in the same order with the same arguments give the same output, byte for byte. Several rooms may write into one
/// `Egress`; it is emptied where it is nearly full (`Egress.isNearlyFull`) when a call has returned.
public struct RoomCore: ~Copyable {
    /// The settings that the room has now.
    public internal(set) var configuration: RoomConfiguration
    var random: SplitMix64
    /// The room's counters.
    public internal(set) var statistics = Statistics()

    // The tables. Rows name each other by number; a number may be used again once its row is gone.
    var peers = Slab<Participant>()
    var tracks = Slab<PublishedTrack>()
    var encodings = Slab<Encoding>(capacity: 16)
    var slots = Slab<ReceiveSlot>(capacity: 32)
    var peerIndex = IntegerIndex()
    /// The numbers of the peers in the order in which they joined: what is walked over, never an index.
    var peerOrder: [Int32] = []

    var nextPeerOrder: UInt32 = 0
    var nextTrackOrder: UInt32 = 0
    var nextSerial: UInt32 = 0
    /// Whether somebody has fewer slots than there are tracks, so that it matters who speaks.
    var choosesSpeakers = false
    /// When to choose the speakers again although nobody began to speak.
    var nextSpeakers: Timestamp?
    /// Who has the floor and who speaks.
    var speakers = SpeakerBoard()
    /// When to look for layers that nobody needs.
    var nextLayers: Timestamp?
    /// When the slots of all were assigned last.
    var slotsAssignedAt: Timestamp?
    /// The work of assigning slots because of commands.
    var assignmentBudget = Budget(capacity: RoomCore.assignmentWork, perSecond: RoomCore.assignmentWork)
    /// Room for the numbers of one NACK.
    var missed: [Int64] = []
    /// Room for dividing one receiver's estimate.
    var allocationWork = AllocationWork()
    /// Room for the reports to one peer.
    var reportBlocks: [ReportBlock] = []
    var senderReports: [SenderReport] = []

    /// An empty room. `seed` gives every number that has to be unpredictable or only different: where sequence numbers,
    /// timestamps and picture ids begin.
    public init(configuration: RoomConfiguration, seed: UInt64) {
        self.configuration = configuration
        random = SplitMix64(seed: seed)
        missed.reserveCapacity(NackTracker.limit)
    }

    /// Takes in one RTP packet of a peer, authenticated and decrypted. Whatever the bytes are, the call returns.
    public mutating func receiveRTP(
        _ bytes: Span<UInt8>, from peer: PeerID, at now: Timestamp, into out: inout Egress
    ) {
        out.beginCall()
        statistics.rtpPacketsReceived &+= 1
        statistics.rtpBytesReceived &+= UInt64(bytes.count)
        if let reason = ingest(bytes, from: peer, at: now, into: &out) { statistics.drop(reason) }
    }

    /// Takes in one RTCP datagram of a peer, authenticated and decrypted. Whatever the bytes are, the call returns.
    public mutating func receiveRTCP(
        _ bytes: Span<UInt8>, from peer: PeerID, at now: Timestamp, into out: inout Egress
    ) {
        out.beginCall()
        statistics.rtcpReceived &+= 1
        guard let p = peerIndex.find(peer.rawValue) else { return statistics.drop(.unknownPeer) }
        guard peers[p].isConnected else { return statistics.drop(.peerNotConnected) }
        ingestControl(bytes, from: p, at: now, into: &out)
    }

    /// Obeys a command; one that names what does not exist has no effect.
    public mutating func apply(_ command: RoomCommand, at now: Timestamp, into out: inout Egress) {
        out.beginCall()
        switch command {
        case .addParticipant(let id): addParticipant(id)
        case .applyPlan(let id, let plan): applyPlan(plan, of: id, at: now, into: &out)
        case .peerConnected(let id): peerConnected(id, at: now, into: &out)
        case .peerDisconnected(let id): peerDisconnected(id, at: now)
        case .removeParticipant(let id, _): removeParticipant(id, at: now, into: &out)
        case .setMuted(let track, let isMuted): setMuted(track, isMuted, at: now, into: &out)
        case .setSlotWishes(let id, let wishes): setSlotWishes(wishes, of: id, at: now, into: &out)
        case .soundLevel(let track, let timestamp, let level):
            hearDecoded(level, timestamp: timestamp, of: track, at: now, into: &out)
        }
    }

    /// Takes other settings from now on, as if the room had always had them for what begins later: intervals count from the
    /// next request, report or feedback on; the packets kept are those of tracks published later. `ntpAtOrigin` stays: it
    /// says what the moments given to this room mean. A replay with other settings asks for this behind a checkpoint.
    public mutating func reconfigure(_ changed: RoomConfiguration) {
        let origin = configuration.ntpAtOrigin
        configuration = changed
        configuration.ntpAtOrigin = origin
    }

    /// Does what is due at `now` or before. Afterwards `nextDeadline` is later than `now`.
    public mutating func advance(to now: Timestamp, into out: inout Egress) {
        out.beginCall()
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            guard peers[p].timers.due <= now else { continue }
            if let at = peers[p].nextReport, at <= now { writeReports(to: p, at: now, into: &out) }
            if let at = peers[p].nextNack, at <= now { writeNacks(to: p, at: now, into: &out) }
            if let at = peers[p].nextKeyFrame, at <= now { repeatKeyFrameRequests(of: p, at: now, into: &out) }
            if let at = peers[p].nextFeedback, at <= now { writeTransportFeedback(to: p, into: &out) }
            if let at = peers[p].nextLiveness, at <= now { checkLiveness(of: p, at: now, into: &out) }
            if let at = peers[p].nextFreeze, at <= now { checkForFreezes(of: p, at: now, into: &out) }
            if let at = peers[p].nextEstimate, at <= now { advanceEstimate(of: p, at: now, into: &out) }
            if let at = peers[p].nextAllocation, at <= now { allocate(p, at: now, into: &out) }
            if let at = peers[p].nextPace, at <= now { pace(p, at: now, into: &out) }
        }
        if let at = nextLayers, at <= now { lookForUnneededLayers(at: now, into: &out) }
        if let at = speakers.next, at <= now { chooseDominantSpeaker(at: now, into: &out) }
        if let at = nextSpeakers, at <= now { assignSlots(at: now, into: &out) }
    }

    /// When `advance(to:into:)` should be called next, or nil when nothing is going on.
    public var nextDeadline: Deadline? {
        var first = Timestamp(nanoseconds: .max)
        var busiest = -1
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            guard peers[p].timers.due < first else { continue }
            first = peers[p].timers.due
            busiest = p
        }
        var earliest = busiest >= 0 ? peers[busiest].timers.deadline : nil
        if let at = nextSpeakers { earliest = .earliest(earliest, Deadline(at: at, reason: .speakers)) }
        if let at = speakers.next { earliest = .earliest(earliest, Deadline(at: at, reason: .floor)) }
        if let at = nextLayers { earliest = .earliest(earliest, Deadline(at: at, reason: .layers)) }
        return earliest
    }

    /// The counters of a peer, or nil when it is not in the room.
    public func peerStatistics(_ peer: PeerID) -> PeerStatistics? {
        guard let p = peerIndex.find(peer.rawValue) else { return nil }
        var result = peers[p].statistics
        result.roundTrip = peers[p].roundTrip.last
        for t in peers[p].tracks {
            for e in tracks[Int(t)].encodings where encodings[Int(e)].clockRate > 0 {
                result.packetsLost &+= encodings[Int(e)].statistics.lost
                let jitter = Double(encodings[Int(e)].statistics.jitter) / Double(encodings[Int(e)].clockRate)
                result.jitterSeconds = max(result.jitterSeconds, jitter)
            }
        }
        return result
    }

    /// What each slot of a peer shows, in the order of its plan; empty when the peer is not in the room.
    public func slotAssignments(of peer: PeerID) -> [SlotAssignment] {
        guard let p = peerIndex.find(peer.rawValue) else { return [] }
        return peers[p].slots.map { slots[Int($0)].assignment }
    }

    /// The room's number of a track, or nil when there is none.
    func find(_ track: TrackID) -> Int? {
        guard let p = peerIndex.find(track.peer.rawValue) else { return nil }
        return peers[p].tracks.first { tracks[Int($0)].id.mid == track.mid }.map { Int($0) }
    }
}
