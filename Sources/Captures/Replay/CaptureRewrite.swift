// Makes of a capture another one: the same inputs, cut at two moments, with what the core of this build decides and digests
// of what it gives. So a capture is trimmed, and carried over a change that is meant to change outputs.
public import MediaCore

/// A rewrite. It takes the events of a capture one after another and gives those of the new one.
public struct CaptureRewrite {
    /// Where to cut, and what the new capture says of itself.
    public struct Options: Sendable {
        /// How long after the capture's first input the new one begins; zero begins where the capture does. It begins at the
        /// first turn from then on, with a checkpoint.
        public var from = TimeDelta.zero
        /// How long after the capture's first input the new one ends; nil is its end.
        public var until: TimeDelta?
        /// Whether packets are written without their media: their headers, extensions and payload descriptors only.
        public var cutsPayloads = false
        /// The version that the new capture names as the one that ran it.
        public var build = ""
        /// What the new capture's digests cover.
        public var digestScope = OutputDigest.Scope.whole

        /// The whole capture.
        public init() {}
    }

    /// Between two digests.
    private static let digestInterval = TimeDelta.seconds(1)

    /// Whether the end that was asked for is reached: further events change nothing.
    public private(set) var isOver = false
    /// The digest of what came out since the new capture's beginning, its last checkpoint or its last gap.
    public var digest: OutputDigest { replay.currentDigest }
    /// The figures of all that was run, what lies before the new capture's beginning included.
    public var summary: ReplaySummary { replay.summary }

    private let options: Options
    private var replay: Replay
    private var cutter = PayloadCut()
    private var isWriting: Bool
    private var wroteInput = false
    private var seed: UInt64 = 0
    private var nextDigest = Timestamp(nanoseconds: 0)

    /// A rewrite at its beginning.
    public init(_ options: Options) {
        self.options = options
        var running = Replay.Options()
        running.digestScope = options.digestScope
        running.keepsDecisions = true
        replay = Replay(running)
        isWriting = options.from <= .zero
    }

    /// Takes the next event of the capture and gives the new one's to `emit`. Throws when a checkpoint that is needed cannot
    /// be used.
    public mutating func take(_ event: CaptureEvent, _ emit: (CaptureEvent) -> Void) throws(ReplayError) {
        guard !isOver else { return }
        if let at = event.moment {
            let first = replay.summary.first ?? at
            if let until = options.until, at - first > until {
                isOver = true
                return
            }
            if !isWriting, at - first >= options.from { try begin(at, emit) }
        }
        switch event {
        case .sent, .sentCut, .decision, .digest: break
        case .opened(let configuration, let seed, _, let at): try open(event, configuration, seed, at, emit)
        case .checkpoint: try resume(event, emit)
        case .flushed: try flush(emit)
        case .gap, .comment:
            try replay.take(event)
            if isWriting { emit(event) }
        case .rtp, .rtcp, .cut, .command, .advanced:
            // What is written is what is run: a reader has nothing else.
            let input = options.cutsPayloads ? cutter.cut(event) : event
            if case .command(let command, _) = event { cutter.note(command) }
            try replay.take(input)
            guard isWriting, replay.isRunning else { return }
            wroteInput = true
            emit(input)
        }
    }

    /// Writes the last digest. Throws when the new capture is empty.
    public mutating func finish(_ emit: (CaptureEvent) -> Void) throws(ReplayError) {
        guard wroteInput else {
            // Where no room ever ran, that is what is wrong.
            _ = try replay.finish()
            throw .nothingToWrite
        }
        if replay.isRunning { emit(.digest(replay.currentDigest)) }
    }

    /// Begins in the middle, between two turns; where outputs wait for their flush it begins behind it.
    private mutating func begin(_ at: Timestamp, _ emit: (CaptureEvent) -> Void) throws(ReplayError) {
        guard replay.isAtRest, let configuration = replay.configuration,
            let state = try replay.resumeFromOwnCheckpoint()
        else { return }
        isWriting = true
        nextDigest = at + Self.digestInterval
        emit(.opened(configuration, seed: seed, build: options.build, at: at))
        emit(.checkpoint(state))
    }

    private mutating func open(
        _ event: CaptureEvent, _ configuration: RoomConfiguration, _ seed: UInt64, _ at: Timestamp,
        _ emit: (CaptureEvent) -> Void
    ) throws(ReplayError) {
        try replay.take(event)
        self.seed = seed
        nextDigest = at + Self.digestInterval
        if isWriting { emit(.opened(configuration, seed: seed, build: options.build, at: at)) }
    }

    /// The state is written in this build's form, also where the room runs already: who reads may begin here.
    private mutating func resume(_ event: CaptureEvent, _ emit: (CaptureEvent) -> Void) throws(ReplayError) {
        try replay.take(event)
        for peer in replay.describePeers() { cutter.note(peer.published, of: peer.peer) }
        guard isWriting, let state = replay.checkpoint() else { return }
        emit(.checkpoint(state))
    }

    private mutating func flush(_ emit: (CaptureEvent) -> Void) throws(ReplayError) {
        try replay.take(.flushed)
        let decisions = replay.takeDecisions()
        guard isWriting, replay.isRunning else { return }
        for timed in decisions { emit(.decision(timed.decision)) }
        emit(.flushed)
        guard let now = replay.summary.last, now >= nextDigest else { return }
        nextDigest = now + Self.digestInterval
        emit(.digest(replay.currentDigest))
    }
}
