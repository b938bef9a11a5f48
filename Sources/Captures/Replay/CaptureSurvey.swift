// What a capture holds, counted in one pass without running it, so that a replay knows beforehand what it can compare.
public import MediaCore

/// What a capture holds.
public struct CaptureSurvey: Sendable {
    /// Events of every kind.
    public private(set) var events = 0
    /// RTP packets given to the core.
    public private(set) var rtpPackets = 0
    /// RTCP datagrams given to the core.
    public private(set) var rtcpDatagrams = 0
    /// Commands to the core.
    public private(set) var commands = 0
    /// Peers that were admitted.
    public private(set) var admitted = 0
    /// Datagrams that were recorded on their way out.
    public private(set) var sent = 0
    /// Decisions that were recorded.
    public private(set) var decisions = 0
    /// Digests that were recorded.
    public private(set) var digests = 0
    /// Places where events are missing.
    public private(set) var gaps = 0
    /// Checkpoints.
    public private(set) var checkpoints = 0
    /// The time of the first input, or nil when there is none.
    public private(set) var first: Timestamp?
    /// The time of the last input, or nil when there is none.
    public private(set) var last: Timestamp?
    /// The version that recorded the capture, where it says so.
    public private(set) var build: String?
    /// The room's seed, where the capture begins with the room.
    public private(set) var seed: UInt64?
    /// Blocks of other programs, passed over.
    public private(set) var foreignBlocks = 0
    /// Whether the file ends within a block: what was written last is not there.
    public private(set) var isTruncated = false
    /// What the digests of the capture cover, or nil when there are none.
    public private(set) var digestScope: OutputDigest.Scope?

    /// Nothing yet.
    public init() {}

    /// Whether there is anything that a replay can be compared with.
    public var isComparable: Bool { sent > 0 || decisions > 0 || digests > 0 }

    /// The span from the first input to the last.
    public var duration: TimeDelta {
        guard let first, let last else { return .zero }
        return last - first
    }

    /// Counts one event.
    public mutating func add(_ event: CaptureEvent) {
        events += 1
        if let at = event.moment {
            if first == nil { first = at }
            last = at
        }
        switch event {
        case .opened(_, let seed, let build, _):
            self.seed = seed
            self.build = build
        case .rtp, .cut(_, .rtp, _, _, _): rtpPackets += 1
        case .rtcp, .cut(_, .rtcp, _, _, _): rtcpDatagrams += 1
        case .command(let command, _):
            commands += 1
            if case .addParticipant = command { admitted += 1 }
        case .sent, .sentCut: sent += 1
        case .digest(let digest):
            digests += 1
            digestScope = digestScope ?? digest.scope
        case .decision: decisions += 1
        case .checkpoint: checkpoints += 1
        case .gap: gaps += 1
        case .advanced, .flushed, .comment: break
        }
    }

    /// Reads a capture to its end and counts what it holds. Throws what the reader throws.
    public static func of(_ bytes: [UInt8]) throws(CaptureError) -> CaptureSurvey {
        var reader = try CaptureReader(bytes)
        var survey = CaptureSurvey()
        while let event = try reader.next() { survey.add(event) }
        survey.foreignBlocks = reader.foreignBlocks
        survey.isTruncated = reader.isTruncated
        return survey
    }
}
