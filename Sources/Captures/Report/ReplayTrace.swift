// What a report shows of a replay, gathered while it runs: who was heard, what each slot showed, rates, losses, drops and
// decisions over time. Knows nothing of pages; bounded by its number of buckets and `decisionLimit`.
public import MediaCore

/// Gathers what a report shows. Given to one replay, from which it takes everything.
public final class ReplayTrace {
    /// The most lines that the list of decisions keeps; of a longer one the middle is left out and counted.
    public static let decisionLimit = 20_000
    /// Lines at the beginning of a list that is too long, which are always kept.
    static let firstLines = 2_000
    /// The most letters of a line; hostile captures have long ones.
    static let lineLimit = 400
    /// The most peers that are followed; those that come later are only in the list.
    public static let peerLimit = 1_000
    /// The most buckets of time: a page is not much wider.
    static let bucketLimit = 600
    /// Buckets of all peers together; the more peers, the coarser the time, down to `fewestBuckets`.
    static let bucketsOfAll = 60_000
    static let fewestBuckets = 60
    /// The most stretches of time that are kept of one slot, and of all slots.
    static let spanLimit = 4_000
    static let spansOfAll = 60_000
    /// The most slots and published tracks of one peer that are shown.
    static let slotLimit = 128
    /// The shortest bucket.
    static let shortestBucket = TimeDelta.milliseconds(100)

    /// One stretch of time in which a slot showed one thing.
    struct Span {
        var from: Int64
        var to: Int64?
        var track: TrackID?
        var reason: String
        /// The layer that is forwarded, nil before the first packet.
        var layer: Int?
        var isWaiting = false
    }

    /// One receive slot.
    struct Slot {
        var mid: Mid
        var kind: MediaKind
        var spans: [Span] = []
        /// The layer that the room would send if it had the key frame, -1 for none; empty where nobody said.
        var wantedLayer: [Int8] = []
    }

    /// One line of the list.
    struct Line {
        var at: Int64
        var index: Int
        var kind: String
        var peers: [PeerID]
        var text: String
    }

    /// One peer.
    struct Peer {
        var id: PeerID
        var joined: Int64
        var left: Int64?
        var extensions = HeaderExtensionMap()
        var published: [PublishedTrackPlan] = []
        var slots: [Slot] = []
        var bytesTo: [Int] = []
        var bytesFrom: [Int] = []
        /// -dBov, 255 for no packet with a level.
        var levels: [UInt8] = []
        /// Thousandths, -1 for no report.
        var loss: [Int32] = []
        /// Tenths of a millisecond, -1 for none.
        var roundTrip: [Int32] = []
        /// The estimated capacity towards the peer in bit/s, -1 for none; empty where nobody estimates.
        var estimate: [Int64] = []
    }

    /// One reason for drops.
    struct Drops {
        var total: UInt64 = 0
        var buckets: [Int] = []
    }

    let bucket: TimeDelta
    private(set) var start: Timestamp?
    private(set) var end = Timestamp(nanoseconds: 0)
    private(set) var peers: [Peer] = []
    private(set) var lines: [Line] = []
    private(set) var linesLeftOut = 0
    private var spanCount = 0
    private(set) var drops = [Drops](repeating: Drops(), count: DropReason.allCases.count)
    private(set) var kindCounts = [Int](repeating: 0, count: Decision.kindNames.count)
    private(set) var verdict = ReplayVerdict.nothingRecorded
    private(set) var summary = ReplaySummary()
    private(set) var digest = OutputDigest()
    private var indexOf: [PeerID: Int] = [:]
    private var counted = [UInt64](repeating: 0, count: DropReason.allCases.count)

    /// A trace for a capture of this length with so many peers; they decide how fine the time is drawn.
    public init(duration: TimeDelta, peers: Int = 0) {
        let limit = max(Self.fewestBuckets, min(Self.bucketLimit, Self.bucketsOfAll / max(1, peers)))
        let least = duration.nanoseconds / Int64(limit)
        let step = Self.shortestBucket.nanoseconds
        bucket = TimeDelta(nanoseconds: max(step, (least + step - 1) / step * step))
    }

    // MARK: From the replay

    func opened(_ configuration: RoomConfiguration, at: Timestamp) {
        note(at, index: 0, kind: "opened", peers: [], "the room is opened")
        counted = [UInt64](repeating: 0, count: counted.count)
    }

    /// A room made from a checkpoint counts on where it was.
    func resumed(_ statistics: Statistics, at: Timestamp) {
        note(at, index: 0, kind: "checkpoint", peers: [], "the replay goes on from a checkpoint")
        for reason in DropReason.allCases { counted[Int(reason.rawValue)] = statistics[reason] }
    }

    /// A peer of a room made from a checkpoint, whose commands are not in the capture.
    func introduced(_ peer: PeerDescription, at: Timestamp) {
        guard let p = row(peer.peer, at) else { return }
        peers[p].extensions = peer.headerExtensions
        peers[p].published = Array(peer.published.prefix(Self.slotLimit))
        add(peer.slots.map(\.plan), to: p)
        for slot in peer.slots {
            let reason = slot.isWaiting ? "waits for a key frame" : slot.assignment.reason.sentence
            show(peer.peer, slot.plan.mid, at) {
                Span(
                    from: $0, track: slot.assignment.track, reason: reason, layer: slot.layer,
                    isWaiting: slot.isWaiting)
            }
        }
    }

    /// What a slot would be sent if nothing were waited for.
    func wanted(layer: Int?, on mid: Mid, of peer: PeerID, at: Timestamp) {
        guard let p = indexOf[peer], let s = peers[p].slots.firstIndex(where: { $0.mid == mid }) else { return }
        Self.hold(Int8(clamping: layer ?? -1), in: &peers[p].slots[s].wantedLayer, at: bucketNumber(at), none: -1)
    }

    /// What is believed to fit on the way to a peer, in bit/s.
    func estimated(_ bitsPerSecond: Int64, to peer: PeerID, at: Timestamp) {
        guard let p = indexOf[peer] else { return }
        Self.hold(bitsPerSecond, in: &peers[p].estimate, at: bucketNumber(at), none: -1)
    }

    /// The same between the changes that are told, once one was.
    func estimates(_ rate: DataRate?, to peer: PeerID, at: Timestamp) {
        guard let rate, let p = indexOf[peer], !peers[p].estimate.isEmpty else { return }
        estimated(rate.bitsPerSecond, to: peer, at: at)
    }

    func received(_ bytes: [UInt8], _ kind: Egress.Kind, from peer: PeerID, at: Timestamp) {
        see(at)
        guard let p = row(peer, at) else { return }
        let b = bucketNumber(at)
        Self.add(bytes.count, to: &peers[p].bytesFrom, at: b)
        guard kind == .rtp, peers[p].extensions.audioLevel != 0, let header = RTPHeader(bytes.span),
            let offsets = HeaderExtensionOffsets(bytes.span, header, peers[p].extensions),
            let level = offsets.readAudioLevel(bytes.span)
        else { return }
        Self.grow(&peers[p].levels, to: b, with: 255)
        peers[p].levels[b] = min(peers[p].levels[b], level.level)
    }

    func measured(_ statistics: PeerStatistics?, of peer: PeerID, at: Timestamp) {
        guard let statistics, let p = indexOf[peer] else { return }
        let b = bucketNumber(at)
        Self.grow(&peers[p].loss, to: b, with: -1)
        peers[p].loss[b] = max(peers[p].loss[b], Int32(statistics.reportedFractionLost * 1_000))
        guard let roundTrip = statistics.roundTrip else { return }
        Self.grow(&peers[p].roundTrip, to: b, with: -1)
        peers[p].roundTrip[b] = Int32(clamping: roundTrip.nanoseconds / 100_000)
    }

    func obeyed(_ command: RoomCommand, index: Int, at: Timestamp) {
        see(at)
        // One for each packet of somebody who sends no levels: not worth a line.
        if case .soundLevel = command { return }
        note(at, index: index, kind: command.name, peers: [command.peer], command.sentence)
        switch command {
        case .addParticipant(let peer): _ = row(peer, at)
        case .applyPlan(let peer, let plan):
            guard let p = row(peer, at) else { return }
            peers[p].extensions = plan.headerExtensions
            peers[p].published = Array(plan.published.prefix(Self.slotLimit))
            add(plan.slots, to: p)
        case .removeParticipant(let peer, _):
            guard let p = indexOf[peer] else { return }
            peers[p].left = since(at)
            for s in peers[p].slots.indices { close(p, s, at) }
        case .peerConnected, .peerDisconnected, .setMuted, .setSlotWishes, .soundLevel: break
        }
    }

    func count(_ statistics: Statistics, at: Timestamp) {
        see(at)
        let b = bucketNumber(at)
        for reason in DropReason.allCases {
            let number = Int(reason.rawValue)
            let value = statistics[reason]
            guard value > counted[number] else {
                counted[number] = value
                continue
            }
            let more = value - counted[number]
            counted[number] = value
            drops[number].total += more
            Self.add(Int(clamping: more), to: &drops[number].buckets, at: b)
        }
    }

    func sent(_ datagram: Egress.Datagram, at: Timestamp) {
        guard let p = row(datagram.peer, at) else { return }
        Self.add(datagram.count, to: &peers[p].bytesTo, at: bucketNumber(at))
    }

    func decided(_ timed: TimedDecision, index: Int) {
        let decision = timed.decision
        kindCounts[decision.kindNumber] += 1
        note(timed.at, index: index, kind: decision.kindName, peers: decision.peers, decision.sentence)
        switch decision {
        case .slotAssigned(let peer, let mid, let track, let reason):
            show(peer, mid, timed.at) { Span(from: $0, track: track, reason: reason.sentence) }
        case .waitingForKeyFrame(let peer, let mid, let track, let layer):
            show(peer, mid, timed.at) {
                Span(from: $0, track: track, reason: "waits for a key frame", layer: layer, isWaiting: true)
            }
        case .switched(let peer, let mid, let track, let layer, let waited):
            show(peer, mid, timed.at) {
                Span(from: $0, track: track, reason: "forwarded after \(waited.millisecondsText)", layer: layer)
            }
        case .layerAllocated(let peer, let mid, _, let layer, _, _, _, _, _, _):
            wanted(layer: layer, on: mid, of: peer, at: timed.at)
        case .estimateChanged(let peer, let change):
            estimated(change.to.bitsPerSecond, to: peer, at: timed.at)
        default: break
        }
    }

    func noted(_ text: String, at: Timestamp) { note(at, index: 0, kind: "comment", peers: [], text) }

    func finished(_ verdict: ReplayVerdict, _ summary: ReplaySummary, _ digest: OutputDigest) {
        self.verdict = verdict
        self.summary = summary
        self.digest = digest
    }

    // MARK: Time

    /// Nanoseconds since the capture's first input.
    func since(_ at: Timestamp) -> Int64 { start.map { (at - $0).nanoseconds } ?? 0 }

    private func see(_ at: Timestamp) {
        if start == nil { start = at }
        if at > end { end = at }
    }

    private func bucketNumber(_ at: Timestamp) -> Int {
        // A capture whose times jump has its last bucket hold the rest.
        Int(min(Int64(Self.bucketLimit), max(0, since(at) / bucket.nanoseconds)))
    }

    private static func grow<T>(_ list: inout [T], to index: Int, with empty: T) {
        while list.count <= index { list.append(empty) }
    }

    private static func add(_ value: Int, to list: inout [Int], at index: Int) {
        grow(&list, to: index, with: 0)
        list[index] += value
    }

    /// A value that holds until the next one comes.
    private static func hold<T>(_ value: T, in list: inout [T], at index: Int, none: T) {
        grow(&list, to: index, with: list.last ?? none)
        list[index] = value
    }

    // MARK: Lines and slots

    /// The row of a peer, which a capture that begins at a checkpoint does not introduce.
    private func row(_ peer: PeerID, _ at: Timestamp) -> Int? {
        if let p = indexOf[peer] { return p }
        guard peers.count < Self.peerLimit else { return nil }
        indexOf[peer] = peers.count
        peers.append(Peer(id: peer, joined: since(at)))
        return peers.count - 1
    }

    private func note(_ at: Timestamp, index: Int, kind: String, peers: [PeerID], _ text: String) {
        see(at)
        if lines.count == Self.decisionLimit {
            // Half at a time, so that a long list costs no more than its length. How it ended matters more than its middle.
            let middle = Self.firstLines..<Self.firstLines + (Self.decisionLimit - Self.firstLines) / 2
            lines.removeSubrange(middle)
            linesLeftOut += middle.count
        }
        let cut = text.utf8.count > Self.lineLimit ? String(text.prefix(Self.lineLimit)) + "…" : text
        lines.append(Line(at: since(at), index: index, kind: kind, peers: peers, text: cut))
    }

    private func add(_ slots: [ReceiveSlotPlan], to p: Int) {
        for slot in slots.prefix(Self.slotLimit)
        where peers[p].slots.count < Self.slotLimit && !peers[p].slots.contains(where: { $0.mid == slot.mid }) {
            peers[p].slots.append(Slot(mid: slot.mid, kind: slot.kind))
        }
    }

    private func close(_ p: Int, _ s: Int, _ at: Timestamp) {
        let last = peers[p].slots[s].spans.count - 1
        guard last >= 0, peers[p].slots[s].spans[last].to == nil else { return }
        peers[p].slots[s].spans[last].to = since(at)
    }

    private func show(_ peer: PeerID, _ mid: Mid, _ at: Timestamp, _ span: (Int64) -> Span) {
        guard let p = indexOf[peer], let s = peers[p].slots.firstIndex(where: { $0.mid == mid }),
            peers[p].slots[s].spans.count < Self.spanLimit, spanCount < Self.spansOfAll
        else { return }
        spanCount += 1
        close(p, s, at)
        peers[p].slots[s].spans.append(span(since(at)))
    }
}
