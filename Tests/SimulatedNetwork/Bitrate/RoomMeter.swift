// Measures a simulated room each 100 ms: what publishers offer in each layer, what each receiver is sent of which kind, how
// long packets were held inside the core, and how large its bursts are. Judges nothing but bursts.

public import MediaCore

/// One encoding that a publisher offers.
public final class OfferedEncoding {
    /// The track.
    public let track: TrackID
    /// The layer, 0 the lowest.
    public let number: Int
    /// Its shape.
    public let shape: VideoShape
    /// The bytes of RTP of each temporal layer, by tick.
    public internal(set) var bytes: [[Int]] = [[], [], []]
    var present = [0, 0, 0]

    init(_ track: TrackID, _ number: Int, _ shape: VideoShape, ticks: Int) {
        self.track = track
        self.number = number
        self.shape = shape
        bytes = Array(repeating: Array(repeating: 0, count: ticks), count: 3)
    }

    func finishTick() {
        for layer in 0..<3 {
            bytes[layer].append(present[layer])
            present[layer] = 0
        }
    }
}

/// What one receiver was sent.
public final class ReceiverSeries {
    /// The first tick in which it was in the room.
    public let firstTick: Int
    /// The core's estimate at the end of each tick.
    public internal(set) var estimate: [Double?] = []
    /// The bytes of RTP by kind (`FlowKind.rawValue`), by tick.
    public internal(set) var bytes: [[Int]] = [[], [], [], []]
    /// What the video slots showed at the end of each tick, with the height wanted of it.
    public internal(set) var shown: [[ShownTrack]] = []
    /// Frames decoded so far on all slots, at the end of each tick.
    public internal(set) var framesDecoded: [Int] = []
    /// The time for which slots were frozen so far, at the end of each tick.
    public internal(set) var frozen: [TimeDelta] = []
    /// The highest encoding and temporal layer sent on the first video slot in each tick, nil when none was.
    public internal(set) var layer: [Int?] = []
    /// How long each audio packet was held inside the core, those left out that a slot begins with.
    public internal(set) var audioHeld: [TimeDelta] = []
    /// The longest that a video packet was held, by tick.
    public internal(set) var videoHeld: [TimeDelta] = []
    /// When the forwarded encoding of a slot changed.
    public internal(set) var switches: [(tick: Int, slot: Mid)] = []

    /// The bytes of audio and video that the bottleneck's queue dropped, by tick.
    public internal(set) var dropped: [Int] = []
    /// The longest freeze of any slot so far, at the end of each tick.
    public internal(set) var longestFreeze: [TimeDelta] = []

    var present = [0, 0, 0, 0]
    var presentDropped = 0
    var sentBefore: Set<UInt64> = []
    var presentLayer: Int?
    var presentHeld = TimeDelta.zero
    var slots: [UInt32: MeteredSlot] = [:]
    var wishes: [Mid: UInt16] = [:]
    var asked: Set<UInt64> = []
    // Bursts.
    var credit = 0.0
    var limit = 0.0
    var creditAt = Timestamp(nanoseconds: 0)
    var burstBytes = 0
    var burstPackets = 0
    var probedAt: Timestamp?
    var burstAt = Timestamp(nanoseconds: -1)

    init(firstTick: Int) { self.firstTick = firstTick }
}

/// A track on a slot.
public struct ShownTrack: Sendable, Hashable {
    /// The track.
    public var track: TrackID
    /// The height that the receiver wants; 0: it looks at nothing.
    public var wantedHeight: UInt16
}

struct MeteredSlot: Sendable {
    var mid: Mid
    var kind: MediaKind
    var repairs: UInt32?
    var isFirstVideo: Bool
    var encoding: UInt8?
    /// When it began to forward somebody, or somebody's voice after a silence.
    var beganAt: Timestamp?
}

private struct Origin {
    var at: Timestamp
    var encoding: UInt8
    var layer: UInt8
}

/// The meter of a room.
public final class RoomMeter {
    /// The time of one tick.
    public static let interval = TimeDelta.milliseconds(100)

    /// When the first tick began.
    public let startedAt: Timestamp
    /// Ticks that are over.
    public private(set) var ticks = 0
    /// What publishers offered, by SSRC.
    public private(set) var offered: [UInt32: OfferedEncoding] = [:]
    /// What receivers were sent.
    public private(set) var receivers: [PeerID: ReceiverSeries] = [:]
    /// What publishers were told of their layers, in order.
    public private(set) var wanted: [(tick: Int, track: TrackID, layers: [Bool])] = []

    private var audioSources: Set<UInt32> = []
    private var origins: [UInt64: Origin] = [:]

    init(at now: Timestamp) { startedAt = now }

    // MARK: What happens

    func applied(_ profile: ParticipantProfile, _ plan: PeerPlan, to peer: PeerID) {
        for (index, publication) in profile.publications.enumerated() {
            guard let mid = Mid(publication.mid) else { continue }
            switch publication.shape {
            case .audio:
                audioSources.insert(ClientNumbers.publishedSSRC(peer: peer.rawValue, track: index, encoding: 0))
            case .video(let shape):
                for number in shape.layers.indices {
                    let ssrc = ClientNumbers.publishedSSRC(peer: peer.rawValue, track: index, encoding: number)
                    guard offered[ssrc] == nil else { continue }
                    offered[ssrc] = OfferedEncoding(TrackID(peer: peer, mid: mid), number, shape, ticks: ticks)
                }
            }
        }
        if receivers[peer] == nil { receivers[peer] = ReceiverSeries(firstTick: ticks) }
        var isFirst = true
        for slot in plan.slots {
            let first = slot.kind == .video && isFirst
            if first { isFirst = false }
            guard receivers[peer]?.slots[slot.ssrc.rawValue] == nil else { continue }
            let own = MeteredSlot(mid: slot.mid, kind: slot.kind, repairs: nil, isFirstVideo: first)
            receivers[peer]?.slots[slot.ssrc.rawValue] = own
            if let rtx = slot.rtxSSRC {
                var repair = own
                repair.repairs = slot.ssrc.rawValue
                receivers[peer]?.slots[rtx.rawValue] = repair
            }
        }
    }

    func wished(_ wish: SlotWish, by peer: PeerID) { receivers[peer]?.wishes[wish.mid] = wish.wantedHeight }

    func wanted(_ layers: [Bool], of track: TrackID) { wanted.append((ticks, track, layers)) }

    func received(_ bytes: [UInt8], from peer: PeerID, at now: Timestamp) {
        guard bytes.count >= 12 else { return }
        let ssrc = bytes.bigEndian32(at: 8)
        let isAudio = audioSources.contains(ssrc)
        guard isAudio || offered[ssrc] != nil, let packet = IncomingPacket(bytes) else { return }
        var origin = Origin(at: now, encoding: 0, layer: 0)
        if !isAudio, let fields = VP8Fields(packet.payload) {
            origin.layer = min(2, fields.temporalLayer ?? 0)
            origin.encoding = UInt8(offered[ssrc]?.number ?? 0)
            offered[ssrc]?.present[Int(origin.layer)] += bytes.count
        }
        let key = Self.key(peer.rawValue, packet.payload)
        if origins[key] == nil { origins[key] = origin }
    }

    /// Names a payload by its last bytes, which nobody rewrites.
    private static func key(_ publisher: UInt32, _ payload: ArraySlice<UInt8>) -> UInt64 {
        var key = UInt64(publisher) &* 0x9e37_79b9_7f4a_7c15
        for byte in payload.suffix(10) { key = (key ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return key
    }

    func receivedControl(_ bytes: [UInt8], from peer: PeerID) {
        for case .nack(_, let media, let sequences) in ControlMessage.parse(bytes) ?? [] {
            for sequence in sequences { receivers[peer]?.asked.insert(UInt64(media) << 16 | UInt64(sequence)) }
        }
    }

    /// Takes note of a packet to a receiver; says what it carries.
    func sent(_ packet: IncomingPacket, to peer: PeerID, at now: Timestamp) -> FlowKind {
        guard let series = receivers[peer], let slot = series.slots[packet.ssrc] else { return .padding }
        let kind = kind(of: packet, slot, series)
        receivers[peer]?.present[Int(kind.rawValue)] += packet.bytes.count
        guard kind == .audio || kind == .video,
            let origin = origins[Self.key(packet.contributingSource ?? 0, packet.payload)]
        else { return kind }
        if kind == .audio {
            // What comes with the first word of somebody whose gate has just opened was not held but not wanted before.
            if packet.marker { receivers[peer]?.slots[packet.ssrc]?.beganAt = now }
            guard receivers[peer]?.slots[packet.ssrc]?.beganAt != now else { return kind }
            receivers[peer]?.audioHeld.append(now - origin.at)
            return kind
        }
        receivers[peer]?.presentHeld = max(series.presentHeld, now - origin.at)
        if slot.isFirstVideo {
            let layer = Int(origin.encoding) * 4 + Int(origin.layer)
            receivers[peer]?.presentLayer = max(series.presentLayer ?? 0, layer)
        }
        if let before = slot.encoding, before != origin.encoding {
            receivers[peer]?.switches.append((ticks, slot.mid))
        }
        receivers[peer]?.slots[packet.ssrc]?.encoding = origin.encoding
        return kind
    }

    private func kind(of packet: IncomingPacket, _ slot: MeteredSlot, _ series: ReceiverSeries) -> FlowKind {
        let payload = packet.payload
        guard let media = slot.repairs else {
            // Where there is no RTX a packet is sent again as it was.
            let isNew = series.sentBefore.insert(UInt64(packet.ssrc) << 16 | UInt64(packet.sequence)).inserted
            if !isNew { return .retransmission }
            return slot.kind == .audio ? .audio : payload.isEmpty ? .padding : .video
        }
        guard payload.count >= 2 else { return .padding }
        let sequence = UInt64(payload[payload.startIndex]) << 8 | UInt64(payload[payload.startIndex + 1])
        return series.asked.contains(UInt64(media) << 16 | sequence) ? .retransmission : .padding
    }

    /// Takes note that the bottleneck had no room for a packet to a receiver.
    func dropped(_ kind: FlowKind, _ bytes: Int, to peer: PeerID) {
        if kind == .audio || kind == .video { receivers[peer]?.presentDropped += bytes }
    }

    // MARK: Bursts

    /// What breaks the rule that a burst to one receiver is at most min(8 packets, 10 ms at 2.5 × what its path is known to
    /// carry), at least one packet, and that it is not sent to faster than that. Audio waits for nobody and is not counted.
    func checkBurst(
        _ kind: FlowKind, _ bytes: Int, _ peer: PeerID, _ carried: DataRate?, probe: DataRate?, _ now: Timestamp
    ) -> [String] {
        guard let carried, kind != .audio, let series = receivers[peer] else { return [] }
        // The last packet of a probe leaves when the core knows of none any more.
        if probe != nil || kind == .padding { series.probedAt = now }
        guard series.probedAt.map({ now - $0 > .milliseconds(50) }) ?? true else { return [] }
        let rate = 2.5 * Double(carried.bitsPerSecond) / 8e9
        let limit = min(8 * 1_500, rate * 10e6)
        if series.burstAt != now {
            series.burstAt = now
            series.burstBytes = 0
            series.burstPackets = 0
        }
        series.burstBytes += bytes
        series.burstPackets += 1
        // Where the path is known to carry more, more may leave at once.
        series.credit += max(0, limit - series.limit)
        series.limit = limit
        series.credit = min(limit, series.credit + rate * Double((now - series.creditAt).nanoseconds))
        series.creditAt = now
        var broken: [String] = []
        if series.burstPackets > 8 || series.burstPackets > 1 && Double(series.burstBytes) > limit {
            broken.append(
                "a burst of \(series.burstPackets) packets, \(series.burstBytes) bytes to peer \(peer.rawValue) whose "
                    + "path carries \(carried.bitsPerSecond) b/s")
        } else if series.credit < 0 {
            broken.append("peer \(peer.rawValue) is sent to faster than 2.5 × \(carried.bitsPerSecond) b/s")
            series.credit = 0
        }
        series.credit -= Double(bytes)
        return broken
    }

    // MARK: Ticks

    func sample(_ peer: PeerID, estimate: DataRate?, assignments: [SlotAssignment], figures: [SlotFigures]) {
        guard let series = receivers[peer] else { return }
        series.estimate.append(estimate.map { Double($0.bitsPerSecond) })
        for kind in 0..<4 {
            series.bytes[kind].append(series.present[kind])
            series.present[kind] = 0
        }
        let videoSlots = Set(series.slots.values.filter { $0.kind == .video }.map(\.mid))
        series.shown.append(
            assignments.compactMap { assignment in
                guard videoSlots.contains(assignment.mid), let track = assignment.track else { return nil }
                return ShownTrack(track: track, wantedHeight: series.wishes[assignment.mid] ?? .max)
            })
        series.dropped.append(series.presentDropped)
        series.presentDropped = 0
        series.longestFreeze.append(figures.map(\.longestFreeze).max() ?? .zero)
        series.framesDecoded.append(figures.reduce(0) { $0 + $1.framesDecoded })
        series.frozen.append(figures.reduce(.zero) { $0 + $1.frozen })
        series.layer.append(series.presentLayer)
        series.presentLayer = nil
        series.videoHeld.append(series.presentHeld)
        series.presentHeld = .zero
    }

    func finishTick() {
        for encoding in offered.values { encoding.finishTick() }
        ticks += 1
    }
}
