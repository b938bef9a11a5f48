// Records one room at its core's door into one sink: every call as it is made, decisions as they are taken, and now and
// then the digest of everything that came out. Never waits: what the sink refuses is a gap, and a checkpoint follows.
public import MediaCore

/// Where a recorder's blocks go. Both take whole blocks or refuse them, and never wait.
public enum CaptureSink: Sendable {
    /// A file that is written in the background.
    case file(CaptureFile)
    /// The room's flight ring, which forgets its oldest quarter when a new one is begun.
    case ring(FlightRing)

    func append(_ bytes: Span<UInt8>) -> Bool {
        switch self {
        case .file(let file): file.append(bytes)
        case .ring(let ring): ring.append(bytes)
        }
    }
}

/// What a recording says of the room at its beginning, and again wherever reading may begin.
public struct CaptureOpening: Sendable {
    /// The core's configuration.
    public var configuration: RoomConfiguration
    /// The core's seed.
    public var seed: UInt64
    /// The version of the program.
    public var build: String

    /// An opening.
    public init(configuration: RoomConfiguration, seed: UInt64, build: String) {
        self.configuration = configuration
        self.seed = seed
        self.build = build
    }
}

/// A recorder of one room. Confined to the room's thread. In steady state a packet costs no allocation.
public final class RoomRecorder {
    /// What is recorded.
    public struct Options: Sendable {
        /// Whole payloads, or of a packet only what forwarding reads.
        public var keepsPayloads = false
        /// The datagrams that go out too, for looking at one's own work: everything but the payload, or everything.
        public var keepsDatagrams = false
        /// How long a section of a flight ring lasts.
        public var sectionSpan = TimeDelta.seconds(10)

        /// Headers alone, inputs alone.
        public init() {}
    }

    /// Between two digests.
    static let digestInterval = TimeDelta.seconds(1)
    /// How long after a refusal to try again at the earliest: a checkpoint is not made for a disk that stands still.
    static let retryInterval = TimeDelta.milliseconds(250)

    /// How long until the next try where a ring is too small for the room's state.
    static let hopelessInterval = TimeDelta.seconds(60)

    private let sink: CaptureSink
    private let opening: CaptureOpening
    private let payloads: PayloadTable
    private let options: Options
    private var writer = CaptureWriter()
    private var fields = FieldWriter()
    private var head: [UInt8] = []
    private var digest: OutputDigest
    /// Whether what comes is recorded; false before the beginning and behind a refusal.
    public private(set) var isRunning = false
    private var isBegun = false
    private var isUncovered = false
    /// Events that are missing since the last refusal.
    private var missing: UInt64 = 0
    private var nextDigest = Timestamp(nanoseconds: 0)
    private var sectionEnds = Timestamp(nanoseconds: 0)
    private var retryAt: Timestamp?
    private var isBehindGap = false
    /// How many events were left out in all, because the sink refused them.
    public private(set) var missingInAll: UInt64 = 0
    /// How often the sink refused.
    public private(set) var refusals = 0

    /// A recorder that has not begun. `payloads` is told of the room's commands by whoever gives them to the room.
    public init(_ sink: CaptureSink, _ opening: CaptureOpening, payloads: PayloadTable, _ options: Options = Options())
    {
        self.sink = sink
        self.opening = opening
        self.payloads = payloads
        self.options = options
        digest = OutputDigest(scope: .headers)
        head.reserveCapacity(2_048)
    }

    /// Begins, where nothing that the room gave out waits in its egress. A room that nothing was ever given to needs no
    /// checkpoint; its digests cover payloads when these are kept, which those behind a checkpoint cannot.
    public func begin(_ core: borrowing RoomCore, isNew: Bool, at now: Timestamp) {
        guard !isBegun else { return }
        isBegun = true
        digest = OutputDigest(scope: options.keepsPayloads && isNew ? .whole : .headers)
        startSection(core, hasCheckpoint: !isNew, at: now)
    }

    // MARK: Inputs

    /// The room is about to be given a packet.
    public func received(_ kind: Egress.Kind, _ packet: Span<UInt8>, from peer: PeerID, at now: Timestamp) {
        guard isRunning else { return miss() }
        if options.keepsPayloads || kind == .rtcp {
            writer.appendReceived(kind, packet, originalLength: packet.count, from: peer, at: now)
        } else {
            head.removeAll(keepingCapacity: true)
            payloads.head(of: packet, from: peer).append(of: packet, to: &head)
            writer.appendReceived(kind, head.span, originalLength: packet.count, from: peer, at: now)
        }
        handOver()
    }

    /// The room is about to be given a command.
    public func commanded(_ command: RoomCommand, at now: Timestamp) { record(.command(command, at: now)) }

    /// The room is about to be told the time.
    public func advanced(at now: Timestamp) { record(.advanced(at: now)) }

    // MARK: Outputs

    /// Datagrams of the room, in order, before they are protected.
    public func sent(_ egress: borrowing Egress, _ indices: Range<Int>) {
        guard isRunning, !indices.isEmpty else { return }
        isUncovered = true
        digest.add(egress, datagrams: indices)
        guard options.keepsDatagrams else { return }
        // What the room got before the checkpoint and sends again has lost its payload in a replay.
        let keepsPayloads = digest.scope == .whole && !isBehindGap
        for index in indices {
            let datagram = egress.datagrams[index]
            egress.withSpan(of: index) { bytes in
                guard isRunning else { return miss() }
                var kept = bytes.count
                if !keepsPayloads, datagram.kind == .rtp, let header = RTPHeader(bytes) {
                    kept = Int(header.payloadOffset)
                }
                writer.appendSent(
                    datagram.kind, bytes.extracting(..<kept), originalLength: bytes.count, to: datagram.peer)
                handOver()
            }
        }
    }

    /// Events of the room, behind all datagrams of the same flush.
    public func happened(_ events: ArraySlice<RoomEvent>) {
        guard isRunning, !events.isEmpty else { return }
        isUncovered = true
        for event in events { digest.add(event, &fields) }
    }

    /// Decisions of the room, behind all events of the same flush.
    public func decided(_ decisions: ArraySlice<Decision>) {
        guard isRunning else {
            if isBegun { missing &+= UInt64(decisions.count) }
            return
        }
        guard !decisions.isEmpty else { return }
        isUncovered = true
        for decision in decisions {
            digest.add(decision, &fields)
            record(.decision(decision))
        }
    }

    /// The room's part of the egress was taken and is empty now.
    public func flushed() { record(.flushed) }

    // MARK: Turns

    /// The end of a turn in which the room was touched, everything that it gave out taken: a digest when it is time, the next
    /// section of a ring, and behind a refusal the way back.
    public func endTurn(_ core: borrowing RoomCore, at now: Timestamp) {
        guard isBegun else { return }
        guard isRunning else {
            if retryAt.map({ now >= $0 }) ?? true { startSection(core, hasCheckpoint: true, at: now) }
            return
        }
        if now >= nextDigest { writeDigest(at: now) }
        if case .ring(let ring) = sink, now >= sectionEnds || ring.isNearlyFull, retryAt.map({ now >= $0 }) ?? true {
            writeDigest(at: now)
            startSection(core, hasCheckpoint: true, at: now)
        }
    }

    /// Writes what is needed to compare everything up to here. At the end, and before a ring is copied.
    public func settle(at now: Timestamp) { if isRunning { writeDigest(at: now) } }

    private func writeDigest(at now: Timestamp) {
        guard isRunning else { return }
        nextDigest = now + Self.digestInterval
        // Behind a gap digests would cover payloads that a replay does not have any more.
        guard isUncovered, !(isBehindGap && digest.scope == .whole) else { return }
        isUncovered = false
        record(.digest(digest))
    }

    /// Begins a section: what can be read alone. Where the sink has no place for it yet, a ring's section goes on, and a
    /// recording that is behind stays so.
    private func startSection(_ core: borrowing RoomCore, hasCheckpoint: Bool, at now: Timestamp) {
        retryAt = now + Self.retryInterval
        var section = CaptureWriter()
        if missing > 0 {
            section.append(.gap(events: missing))
            isBehindGap = true
        }
        section.append(
            .opened(opening.configuration, seed: opening.seed, build: opening.build, at: now))
        if hasCheckpoint {
            var checkpoint = Checkpoint()
            core.checkpoint(into: &checkpoint)
            section.append(.checkpoint(checkpoint.bytes))
        }
        if case .ring(let ring) = sink, !ring.beginSegment(room: section.count) {
            // The old section goes on until there is place, or until it is full.
            if !ring.canHold(section.count) { retryAt = now + Self.hopelessInterval }
            return
        }
        guard section.withBytes({ sink.append($0) }) else {
            refusals += 1
            isRunning = false
            return
        }
        section.removeAllGivingMemoryAway()
        writer = section
        missingInAll &+= missing
        missing = 0
        digest = OutputDigest(scope: digest.scope)
        isUncovered = false
        isRunning = true
        retryAt = nil
        nextDigest = now + Self.digestInterval
        sectionEnds = now + options.sectionSpan
    }

    private func record(_ event: CaptureEvent) {
        guard isRunning else { return miss() }
        writer.append(event)
        handOver()
    }

    private func miss() { if isBegun { missing &+= 1 } }

    /// Each call is in the sink before the core is entered, so that a ring holds the one that a crash is due to.
    @inline(__always) private func handOver() {
        let isTaken = writer.withBytes { sink.append($0) }
        writer.removeAll()
        guard !isTaken else { return }
        isRunning = false
        refusals += 1
        missing &+= 1
    }
}
