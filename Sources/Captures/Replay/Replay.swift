// Runs the inputs of a capture through a room's core in virtual time and compares what comes out with what was recorded.
// Reads no clock and no file; the order of the events is the order, whatever their times are.
public import MediaCore

/// A replay. It takes the events of a capture one after another; `finish()` says what came of it.
public struct Replay {
    /// What a replay is to do beside running.
    public struct Options: Sendable {
        /// Other values for settings of the core; what comes out is then compared with nothing that was recorded.
        public var changes = ConfigurationChanges()
        /// How long to run, counted from the first input; nil runs to the end.
        public var until: TimeDelta?
        /// What the digest covers; a capture's own digests say what they cover.
        public var digestScope = OutputDigest.Scope.whole
        /// Whether datagrams were recorded; a capture without any is not compared by them.
        public var comparesDatagrams = false
        /// Whether decisions were recorded.
        public var comparesDecisions = false
        /// Whether digests were recorded.
        public var comparesDigests = false
        /// Whether all decisions are kept; see `decisions`.
        public var keepsDecisions = false

        /// Runs to the end and compares with nothing.
        public init() {}

        /// Compares with all that a capture holds.
        public init(comparingWith survey: CaptureSurvey) {
            digestScope = survey.digestScope ?? .whole
            comparesDatagrams = survey.sent > 0
            comparesDecisions = survey.decisions > 0
            comparesDigests = survey.digests > 0
        }
    }

    /// Memory of the core, which must not be copied.
    private final class Room {
        var core: RoomCore
        var egress = Egress()
        /// Room for a datagram of which a part was recorded.
        var datagram: [UInt8] = []

        init(_ core: consuming RoomCore) { self.core = core }
    }

    /// What is remembered of an input for the sentence about a difference behind it.
    private enum Input {
        case none
        case opened
        /// A datagram, and its length where a part of it was recorded.
        case datagram(Egress.Kind, PeerID, [UInt8], cutFrom: Int?)
        case command(String)
        case advanced
    }

    private struct Queue<Element> {
        var elements: [Element] = []
        var head = 0

        var isEmpty: Bool { head == elements.count }

        mutating func append(_ element: Element) { elements.append(element) }

        mutating func next() -> Element? {
            guard head < elements.count else { return nil }
            defer {
                head += 1
                if head == elements.count {
                    elements.removeAll(keepingCapacity: true)
                    head = 0
                }
            }
            return elements[head]
        }
    }

    /// Decisions and events of one turn: a capture that never ends its turns must not fill the memory.
    private static let turnLimit = 1_000_000
    /// Decisions kept before a difference, and taken in behind it.
    private static let nearbyBefore = 8
    private static let nearbyAfter = 4

    /// All decisions so far, where they are kept.
    public private(set) var decisions: [TimedDecision] = []
    /// The figures so far.
    public private(set) var summary = ReplaySummary()
    /// Whether the end that was asked for is reached: further events change nothing.
    public private(set) var isOver = false
    /// Whether a room was made from a checkpoint, so that not every other setting held from its beginning.
    public private(set) var usedCheckpoint = false

    private var limits = ReplayLimits()
    private let options: Options
    private let trace: ReplayTrace?
    private var room: Room?
    private var hasBegun = false
    /// The room was opened and nothing was given to it: a checkpoint that comes now is where it begins.
    private var isFresh = false
    /// Events are missing, and no checkpoint has come since.
    private var isBehindGap = false
    private var digest: OutputDigest
    private var difference: ReplayDifference?
    private var recent: [TimedDecision] = []
    private var now = Timestamp(nanoseconds: 0)
    private var lastInput = Input.none
    private var lastEqualDigest: TimeDelta?
    private var recordedDatagrams = Queue<SentDatagram>()
    private var replayedDatagrams = Queue<SentDatagram>()
    private var recordedDecisions = Queue<Decision>()
    private var replayedDecisions = Queue<Decision>()

    /// A replay at its beginning; `trace` takes in what a report shows.
    public init(_ options: Options = Options(), trace: ReplayTrace? = nil) {
        self.options = options
        self.trace = trace
        digest = OutputDigest(scope: options.digestScope)
    }

    /// Runs a capture that lies in memory. Throws what the reader throws, or a `ReplayError`.
    public static func run(
        _ bytes: [UInt8], _ options: Options? = nil, trace: ReplayTrace? = nil
    ) throws -> ReplayResult {
        let options = try options ?? Options(comparingWith: CaptureSurvey.of(bytes))
        var reader = try CaptureReader(bytes)
        var replay = Replay(options, trace: trace)
        while !replay.isOver, let event = try reader.next() { try replay.take(event) }
        return try replay.finish()
    }

    /// Takes the next event of the capture. Throws when a checkpoint that is needed cannot be used.
    public mutating func take(_ event: CaptureEvent) throws(ReplayError) {
        guard !isOver else { return }
        if let limit = limits.exceeded(by: event) { throw .beyondLimit(limit, event: summary.events) }
        if let at = event.moment, !begin(event, at: at) { return }
        switch event {
        case .opened(let configuration, let seed, _, let at):
            // Behind a gap the opening is told again for those who begin to read there; the checkpoint that follows has
            // the state.
            guard !isBehindGap else { break }
            room = Room(RoomCore(configuration: options.changes.applied(to: configuration), seed: seed))
            isFresh = true
            digest = OutputDigest(scope: options.digestScope)
            trace?.opened(configuration, at: at)
        case .rtp(let peer, let bytes, let at):
            if let room = try running() { receive(bytes, .rtp, from: peer, in: room, at: at) }
        case .rtcp(let peer, let bytes, let at):
            if let room = try running() { receive(bytes, .rtcp, from: peer, in: room, at: at) }
        case .cut(let peer, let kind, let bytes, let length, let at):
            guard let room = try running() else { break }
            room.datagram.removeAll(keepingCapacity: true)
            room.datagram.append(contentsOf: bytes)
            room.datagram.append(contentsOf: repeatElement(0, count: max(0, min(length, 65_535) - bytes.count)))
            receive(room.datagram, kind, from: peer, in: room, at: at)
        case .command(let command, let at):
            guard let room = try running() else { break }
            summary.commands += 1
            trace?.obeyed(command, index: summary.events, at: at)
            room.core.apply(command, at: at, into: &room.egress)
            called(room, at: at)
        case .advanced(let at):
            guard let room = try running() else { break }
            room.core.advance(to: at, into: &room.egress)
            called(room, at: at)
        case .flushed:
            if let room = try running() { flush(room) }
        case .sent(let peer, let kind, let bytes):
            record(SentDatagram(peer: peer, kind: kind, bytes: bytes, length: bytes.count))
        case .sentCut(let peer, let kind, let bytes, let length):
            record(SentDatagram(peer: peer, kind: kind, bytes: bytes, length: length))
        case .decision(let decision):
            guard options.comparesDecisions, room != nil, difference == nil else { break }
            recordedDecisions.append(decision)
        case .digest(let recorded): compare(recorded)
        case .checkpoint(let bytes): try resume(bytes)
        case .gap(let missing):
            settle()
            room = nil
            isBehindGap = true
            summary.gaps += 1
            trace?.noted("\(missing) events are missing here", at: now)
        case .comment(let text): trace?.noted(text, at: now)
        }
        summary.events += 1
    }

    /// Says what came of the replay so far. Throws when it never began.
    public mutating func finish() throws(ReplayError) -> ReplayResult {
        settle()
        guard hasBegun || room != nil else { throw .noBeginning(events: summary.events) }
        let verdict: ReplayVerdict
        if let difference {
            verdict = .different(difference)
        } else {
            verdict = summary.compared > 0 ? .identical : .nothingRecorded
        }
        let statistics = room?.core.statistics ?? Statistics()
        trace?.finished(verdict, summary, digest)
        return ReplayResult(verdict: verdict, summary: summary, digest: digest, statistics: statistics)
    }

    // MARK: For a rewrite

    /// Whether a room runs and nothing of a turn waits to be taken: a capture may be cut here.
    var isAtRest: Bool {
        guard let room else { return false }
        return room.egress.datagrams.isEmpty && room.egress.events.isEmpty && room.egress.decisions.isEmpty
    }

    /// Whether a room runs.
    var isRunning: Bool { room != nil }

    /// The settings of the room that runs.
    var configuration: RoomConfiguration? { room?.core.configuration }

    /// The peers of the room that runs.
    func describePeers() -> [PeerDescription] { room?.core.describePeers() ?? [] }

    /// The digest so far.
    var currentDigest: OutputDigest { digest }

    /// The state of the room that runs.
    func checkpoint() -> [UInt8]? {
        guard let room else { return nil }
        var state = Checkpoint()
        room.core.checkpoint(into: &state)
        return state.bytes
    }

    /// Goes on with a room made from the checkpoint of the one that runs, as whoever reads a capture that begins here will.
    mutating func resumeFromOwnCheckpoint() throws(ReplayError) -> [UInt8]? {
        guard let bytes = checkpoint() else { return nil }
        room = nil
        try resume(bytes)
        return bytes
    }

    /// The decisions since the last call, where they are kept.
    mutating func takeDecisions() -> [TimedDecision] {
        defer { decisions.removeAll(keepingCapacity: true) }
        return decisions
    }

    // MARK: Steps

    private mutating func running() throws(ReplayError) -> Room? {
        isFresh = false
        guard let room else {
            summary.skipped += 1
            return nil
        }
        hasBegun = true
        guard room.egress.decisions.count + room.egress.events.count <= Self.turnLimit else {
            throw .endlessTurn(event: summary.events)
        }
        return room
    }

    /// Begins an input: compares what the turn before it left, and keeps the time. False when the replay ends before it.
    private mutating func begin(_ event: CaptureEvent, at: Timestamp) -> Bool {
        settle()
        if let until = options.until, let first = summary.first, at - first > until {
            isOver = true
            return false
        }
        if summary.first == nil { summary.first = at }
        summary.last = at
        now = at
        remember(event)
        return true
    }

    private mutating func remember(_ event: CaptureEvent) {
        switch event {
        case .opened: lastInput = .opened
        case .rtp(let peer, let bytes, _): lastInput = .datagram(.rtp, peer, bytes, cutFrom: nil)
        case .rtcp(let peer, let bytes, _): lastInput = .datagram(.rtcp, peer, bytes, cutFrom: nil)
        case .cut(let peer, let kind, let bytes, let length, _):
            lastInput = .datagram(kind, peer, bytes, cutFrom: length)
        case .command(let command, _): lastInput = .command(command.sentence)
        case .advanced: lastInput = .advanced
        default: lastInput = .none
        }
    }

    private mutating func receive(
        _ bytes: [UInt8], _ kind: Egress.Kind, from peer: PeerID, in room: Room, at: Timestamp
    ) {
        summary.bytesIn += bytes.count
        switch kind {
        case .rtp:
            summary.rtpIn += 1
            room.core.receiveRTP(bytes.span, from: peer, at: at, into: &room.egress)
        case .rtcp:
            summary.rtcpIn += 1
            room.core.receiveRTCP(bytes.span, from: peer, at: at, into: &room.egress)
        }
        if let trace {
            trace.received(bytes, kind, from: peer, at: at)
            if kind == .rtcp {
                trace.measured(room.core.peerStatistics(peer), of: peer, at: at)
                trace.estimates(room.core.estimate(of: peer), to: peer, at: at)
            }
        }
        called(room, at: at)
    }

    /// A call has returned. The arena is emptied as whoever recorded it did: what shared it with other rooms was emptied
    /// there at the latest.
    private mutating func called(_ room: Room, at: Timestamp) {
        trace?.count(room.core.statistics, at: at)
        if room.egress.isNearlyFull { flush(room) }
    }

    /// A checkpoint is where the digests begin again; a room is made from it only where none runs.
    private mutating func resume(_ bytes: [UInt8]) throws(ReplayError) {
        settle()
        digest = OutputDigest(scope: options.digestScope)
        guard room == nil || isFresh else { return }
        do throws(CheckpointError) {
            let room = Room(try RoomCore(checkpoint: Checkpoint(bytes: bytes)))
            self.room = room
            isFresh = false
            isBehindGap = false
            usedCheckpoint = true
            // The checkpoint has the recorded settings in it; `RoomCore.reconfigure` says what of the others holds at once.
            if !options.changes.isEmpty {
                room.core.reconfigure(options.changes.applied(to: room.core.configuration))
            }
            if let trace {
                trace.resumed(room.core.statistics, at: now)
                for peer in room.core.describePeers() { trace.introduced(peer, at: now) }
            }
        } catch {
            throw .unusableCheckpoint(event: summary.events, reason: "\(error)")
        }
    }

    private mutating func flush(_ room: Room) {
        summary.turns += 1
        for index in room.egress.datagrams.indices { take(index, from: room) }
        for event in room.egress.events { digest.add(event) }
        for decision in room.egress.decisions {
            digest.add(decision)
            summary.decisions += 1
            note(decision)
        }
        room.egress.removeAll()
    }

    private mutating func take(_ index: Int, from room: Room) {
        let datagram = room.egress.datagrams[index]
        if datagram.kind == .rtp { summary.rtpOut += 1 } else { summary.rtcpOut += 1 }
        summary.bytesOut += datagram.count
        trace?.sent(datagram, at: now)
        unsafe room.egress.withBytes(of: index) { bytes, count in
            // Only for this call, within which the arena does not move.
            let span = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            digest.add(datagram: span, to: datagram.peer, kind: datagram.kind)
        }
        if options.comparesDatagrams, difference == nil {
            replayedDatagrams.append(
                SentDatagram(
                    peer: datagram.peer, kind: datagram.kind, bytes: room.egress.copy(of: index),
                    length: datagram.count))
        }
    }

    private mutating func record(_ datagram: SentDatagram) {
        guard options.comparesDatagrams, room != nil, difference == nil else { return }
        recordedDatagrams.append(datagram)
    }

    private mutating func note(_ decision: Decision) {
        let timed = TimedDecision(at: now, since: sinceStart, decision: decision)
        trace?.decided(timed, index: summary.events)
        if options.keepsDecisions { decisions.append(timed) }
        if options.comparesDecisions, difference == nil { replayedDecisions.append(decision) }
        if let count = difference?.nearby.count {
            if count < Self.nearbyBefore + Self.nearbyAfter { difference?.nearby.append(timed) }
            return
        }
        if recent.count == Self.nearbyBefore { recent.removeFirst() }
        recent.append(timed)
    }

    private var sinceStart: TimeDelta { summary.duration }

    // MARK: Comparing

    /// Compares what is there on both sides; called between turns, so that what one side lacks is a difference.
    private mutating func settle() {
        while difference == nil, !recordedDecisions.isEmpty || !replayedDecisions.isEmpty {
            let recorded = recordedDecisions.next()
            let replayed = replayedDecisions.next()
            summary.compared += 1
            if recorded != replayed { differ(.decision(recorded: recorded, replayed: replayed), fields: []) }
        }
        while difference == nil, !recordedDatagrams.isEmpty || !replayedDatagrams.isEmpty {
            let recorded = recordedDatagrams.next()
            let replayed = replayedDatagrams.next()
            summary.compared += 1
            guard !SentDatagram.agree(recorded, replayed) else { continue }
            var fields: [FieldDifference] = []
            if let recorded, let replayed, recorded.kind == replayed.kind {
                fields = PacketFields.differences(
                    recorded: recorded.bytes, replayed: replayed.bytes, recorded.kind)
            }
            differ(.datagram(recorded: recorded, replayed: replayed), fields: fields)
        }
    }

    private mutating func compare(_ recorded: OutputDigest) {
        guard options.comparesDigests, room != nil, difference == nil else { return }
        settle()
        guard difference == nil else { return }
        summary.compared += 1
        if recorded == digest {
            lastEqualDigest = sinceStart
        } else {
            differ(.digest(recorded: recorded, replayed: digest, lastEqual: lastEqualDigest), fields: [])
        }
    }

    private mutating func differ(_ subject: ReplayDifference.Subject, fields: [FieldDifference]) {
        difference = ReplayDifference(
            subject: subject, index: summary.events, at: now, since: sinceStart, before: Self.sentence(lastInput),
            fields: fields,
            nearby: recent)
    }

    private static func sentence(_ input: Input) -> String {
        switch input {
        case .opened: "the room's opening"
        case .datagram(_, let peer, _, let length?): "a cut datagram from peer \(peer.rawValue), \(length) bytes"
        case .datagram(.rtp, let peer, let bytes, nil):
            if let header = RTPHeader(bytes.span) {
                "RTP from peer \(peer.rawValue): SSRC \(Hexadecimal.text(header.ssrc.rawValue)), sequence number "
                    + "\(header.sequenceNumber.rawValue), \(bytes.count) bytes"
            } else {
                "malformed RTP from peer \(peer.rawValue)"
            }
        case .datagram(.rtcp, let peer, let bytes, nil): "RTCP from peer \(peer.rawValue), \(bytes.count) bytes"
        case .command(let sentence): "the command: \(sentence)"
        case .advanced: "the advance of the time"
        case .none: "the beginning"
        }
    }
}
