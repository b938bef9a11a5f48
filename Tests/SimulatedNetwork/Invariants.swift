// What must hold after every step of every scenario, whatever the network did. Looks only at what the core was given
// and gave back, with the simulated clients' own parsers.

public import MediaCore

/// One broken invariant.
public struct Violation: Sendable, CustomStringConvertible {
    /// When it was seen.
    public var at: Timestamp
    /// What is wrong.
    public var sentence: String

    /// A sentence with its moment.
    public var description: String { "at \(Double(at.nanoseconds) / 1e9) s: \(sentence)" }
}

/// What one SSRC of one peer has sent, by extended sequence number.
private struct SentPacket {
    var isPresent = false
    var digest: UInt64 = 0
    var payloadDigest: UInt64 = 0
    var timestamp: Int64 = 0
    var contributor: UInt32 = 0
    var marker = false
    var fields: VP8Fields?
    /// It is a packet of a coding with layers in one stream, and has a payload.
    var isScalable = false
}

private final class SentStream {
    let mid: Mid
    let kind: MediaKind
    /// The SSRC of the media that this stream repeats, when it is an RTX stream.
    let repairs: UInt32?
    var unwrapper = Unwrapper()
    var base: Int64 = 0
    var packets: [SentPacket] = []
    var highest: Int64 = -1
    var timestampHighest: Int64?
    var assignmentIndex = 0

    init(mid: Mid, kind: MediaKind, repairs: UInt32?) {
        self.mid = mid
        self.kind = kind
        self.repairs = repairs
    }

    func packet(_ number: Int64) -> SentPacket? {
        let index = number - base
        guard index >= 0, index < Int64(packets.count), packets[Int(index)].isPresent else { return nil }
        return packets[Int(index)]
    }

    /// The extended number of a sequence number near the newest.
    func extended(_ sequence: UInt16) -> Int64 {
        highest + Int64(Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: highest)))
    }

    func store(_ packet: SentPacket, at number: Int64) {
        if packets.isEmpty { base = number }
        if number < base {
            packets.insert(contentsOf: Array(repeating: SentPacket(), count: Int(base - number)), at: 0)
            base = number
        }
        while Int64(packets.count) <= number - base { packets.append(SentPacket()) }
        packets[Int(number - base)] = packet
    }

    func extendTimestamp(_ value: UInt32) -> Int64 {
        guard let highest = timestampHighest else {
            timestampHighest = Int64(value) + (1 << 32)
            return Int64(value) + (1 << 32)
        }
        let step = Int32(bitPattern: value &- UInt32(truncatingIfNeeded: highest))
        let extended = highest + Int64(step)
        timestampHighest = max(highest, extended)
        return extended
    }
}

/// The invariants and what they need to remember.
public struct Invariants {
    /// Violations kept; the rest is only counted.
    public static let maximumKept = 20

    private struct PeerRecord {
        var isConnected = false
        var streams: [UInt32: SentStream] = [:]
        var assignments: [Mid: [TrackID?]] = [:]
        var transportSequence: UInt16?
        var transportExtension: UInt8 = 0
        var publishedSSRCs: Set<UInt32> = []
        var hidden: Set<Mid> = []
        var paused: Set<Mid> = []
    }
    private var peers: [PeerID: PeerRecord] = [:]
    /// The slots that show each track; a slot is named as a track is.
    private var showing: [TrackID: Set<TrackID>] = [:]
    private var malicious: Set<UInt32> = []

    /// The first violations.
    public private(set) var violations: [Violation] = []
    /// The number of all violations.
    public private(set) var violationCount = 0
    /// RTP packets and RTCP datagrams that left the core, and RTP packets that entered it.
    public private(set) var rtpOut: UInt64 = 0
    /// RTCP datagrams that left the core.
    public private(set) var rtcpOut: UInt64 = 0
    /// RTP packets that entered it.
    public private(set) var rtpIn: UInt64 = 0
    /// RTCP datagrams that entered it.
    public private(set) var rtcpIn: UInt64 = 0

    /// Nothing seen yet.
    public init() {}

    /// Notes that something is wrong.
    public mutating func violate(_ sentence: @autoclosure () -> String, at now: Timestamp) {
        violationCount += 1
        if violations.count < Self.maximumKept { violations.append(Violation(at: now, sentence: sentence())) }
    }

    // MARK: What the scenario did

    /// A plan was applied.
    public mutating func applied(_ plan: PeerPlan, to peer: PeerID) {
        var record = peers[peer] ?? PeerRecord()
        // Who has no slot for video is sent no numbers.
        let hasVideo = plan.slots.contains { $0.kind == .video }
        record.transportExtension = hasVideo ? plan.headerExtensions.transportSequence : 0
        for slot in plan.slots {
            if record.streams[slot.ssrc.rawValue] == nil {
                record.streams[slot.ssrc.rawValue] = SentStream(mid: slot.mid, kind: slot.kind, repairs: nil)
            }
            if let rtx = slot.rtxSSRC, record.streams[rtx.rawValue] == nil {
                record.streams[rtx.rawValue] = SentStream(
                    mid: slot.mid, kind: slot.kind, repairs: slot.ssrc.rawValue)
            }
        }
        peers[peer] = record
    }

    /// The peer is connected, or not any more.
    public mutating func setConnected(_ connected: Bool, _ peer: PeerID) {
        peers[peer, default: PeerRecord()].isConnected = connected
    }

    /// The peer is gone for good, and its slots with it.
    public mutating func removed(_ peer: PeerID) {
        setConnected(false, peer)
        for (mid, assignments) in peers[peer]?.assignments ?? [:] {
            if let last = assignments.last, let track = last { showing[track]?.remove(TrackID(peer: peer, mid: mid)) }
        }
        peers[peer]?.assignments = [:]
    }

    /// An RTP packet was given to the core in the name of a peer.
    public mutating func receivedRTP(_ bytes: [UInt8], from peer: PeerID) {
        rtpIn += 1
        if bytes.count >= 12 { peers[peer]?.publishedSSRCs.insert(bytes.bigEndian32(at: 8)) }
    }

    /// An RTCP datagram was given to the core.
    public mutating func receivedRTCP() { rtcpIn += 1 }

    /// A receiver shows a slot, or does not any more.
    public mutating func setHidden(_ isHidden: Bool, _ peer: PeerID, _ slot: Mid) {
        if isHidden { peers[peer]?.hidden.insert(slot) } else { peers[peer]?.hidden.remove(slot) }
    }

    /// The number of shown slots of connected peers that have a track by what `slotChanged` said.
    public func slotsShowing(_ track: TrackID) -> Int {
        (showing[track] ?? []).count {
            peers[$0.peer]?.isConnected == true && peers[$0.peer]?.hidden.contains($0.mid) == false
                && peers[$0.peer]?.paused.contains($0.mid) == false
        }
    }

    // MARK: What the core did

    /// A peer sends malicious traffic from now on. Its own pictures and times may then be nonsense, which concerns only who
    /// looks at it; everything else must hold on.
    public mutating func noteMalicious(_ peer: PeerID) { malicious.insert(peer.rawValue) }

    /// Looks at a decision of the core: a slot that is paused shows nothing.
    public mutating func observe(_ decision: Decision) {
        guard case .layerAllocated(let peer, let slot, _, let layer, _, _, _, _, _, _) = decision else { return }
        if layer == nil { peers[peer]?.paused.insert(slot) } else { peers[peer]?.paused.remove(slot) }
    }

    /// Looks at an event of the core.
    public mutating func observe(_ event: RoomEvent, at now: Timestamp) {
        guard case .slotChanged(let peer, let assignment) = event else { return }
        guard peers[peer] != nil else {
            violate("slotChanged for peer \(peer.rawValue), which is not in the room", at: now)
            return
        }
        let slot = TrackID(peer: peer, mid: assignment.mid)
        if let old = peers[peer]?.assignments[assignment.mid]?.last, let old { showing[old]?.remove(slot) }
        let track = assignment.reason == .unsupportedCodec ? nil : assignment.track
        if let track { showing[track, default: []].insert(slot) }
        peers[peer]?.assignments[assignment.mid, default: []].append(track)
    }

    /// Looks at an RTP packet that leaves the core; gives its fields for the client.
    public mutating func observeRTP(_ bytes: [UInt8], to peer: PeerID, at now: Timestamp) -> IncomingPacket? {
        rtpOut += 1
        guard let packet = IncomingPacket(bytes) else {
            violate("a packet to peer \(peer.rawValue) is not RTP", at: now)
            return nil
        }
        guard let record = peers[peer], record.isConnected else {
            violate("RTP to peer \(peer.rawValue), which is not connected", at: now)
            return nil
        }
        guard let stream = record.streams[packet.ssrc] else {
            violate("RTP to peer \(peer.rawValue) with SSRC \(packet.ssrc), which is none of its slots'", at: now)
            return nil
        }
        let digest = Digest.of(bytes, bytes.indices)
        let number = stream.unwrapper.extend(packet.sequence)
        if let old = stream.packet(number) {
            if old.digest != digest {
                violate("peer \(peer.rawValue) SSRC \(packet.ssrc): number \(number) sent twice, not equal", at: now)
            }
            return packet
        }
        checkTransportSequence(packet, peer, at: now)
        if stream.repairs != nil, packet.payload.isEmpty {
            // Padding on RTX: nothing that could differ.
            stream.store(SentPacket(isPresent: true, digest: digest), at: number)
        } else if let media = stream.repairs {
            checkRepair(packet, of: media, record, peer, at: now)
            stream.store(SentPacket(isPresent: true, digest: digest), at: number)
        } else {
            checkMedia(packet, number, digest, stream, record, peer, at: now)
        }
        stream.highest = max(stream.highest, number)
        return packet
    }

    private mutating func checkTransportSequence(_ packet: IncomingPacket, _ peer: PeerID, at now: Timestamp) {
        guard let id = peers[peer]?.transportExtension, id != 0 else { return }
        guard let sequence = packet.transportSequence(id) else {
            violate("a packet to peer \(peer.rawValue) has no transport-wide number", at: now)
            return
        }
        if let last = peers[peer]?.transportSequence, sequence != last &+ 1 {
            violate("peer \(peer.rawValue): transport-wide number \(sequence) after \(last)", at: now)
        }
        peers[peer]?.transportSequence = sequence
    }

    private mutating func checkRepair(
        _ packet: IncomingPacket, of media: UInt32, _ record: PeerRecord, _ peer: PeerID, at now: Timestamp
    ) {
        let payload = packet.payload
        guard payload.count >= 2, let original = record.streams[media] else {
            violate("peer \(peer.rawValue): RTX without an original sequence number", at: now)
            return
        }
        let start = payload.startIndex
        let sequence = UInt16(payload[start]) << 8 | UInt16(payload[start + 1])
        guard let sent = original.packet(original.extended(sequence)) else {
            violate("peer \(peer.rawValue): RTX of \(sequence), which was never sent", at: now)
            return
        }
        if sent.payloadDigest != Digest.of(packet.bytes, (start + 2)..<packet.payloadRange.upperBound)
            || sent.marker != packet.marker
            || UInt32(truncatingIfNeeded: sent.timestamp) != packet.timestamp
        {
            violate("peer \(peer.rawValue): RTX of \(sequence) differs from what was sent", at: now)
        }
        if sent.contributor != packet.contributingSource ?? 0 {
            violate("peer \(peer.rawValue): RTX of \(sequence) names another participant", at: now)
        }
    }

    private mutating func checkMedia(
        _ packet: IncomingPacket, _ number: Int64, _ digest: UInt64, _ stream: SentStream, _ record: PeerRecord,
        _ peer: PeerID, at now: Timestamp
    ) {
        let isFirst = stream.packets.isEmpty
        let isVP8 = packet.payloadType == ClientNumbers.slotVP8
        let fields = stream.kind == .video && isVP8 ? VP8Fields(packet.payload) : nil
        let sent = SentPacket(
            isPresent: true, digest: digest, payloadDigest: Digest.of(packet.bytes, packet.payloadRange),
            timestamp: stream.extendTimestamp(packet.timestamp), contributor: packet.contributingSource ?? 0,
            marker: packet.marker, fields: fields,
            isScalable: [ClientNumbers.slotVP9, ClientNumbers.slotAV1].contains(packet.payloadType)
                && !packet.payload.isEmpty)
        let name = "peer \(peer.rawValue) slot \(stream.mid.text) number \(number)"
        if packet.contributingSource == nil { violate("\(name): no CSRC", at: now) }
        if number > stream.highest {
            let assignments = record.assignments[stream.mid] ?? []
            let matches = assignments.indices.first {
                $0 >= stream.assignmentIndex && assignments[$0]?.peer.rawValue == sent.contributor
            }
            if let matches {
                stream.assignmentIndex = matches
            } else {
                violate("\(name): CSRC \(sent.contributor) was not named by slotChanged", at: now)
            }
        }
        if isFirst, isVP8, stream.kind == .video, fields?.beginsKeyFrame != true {
            violate("\(name): the slot does not begin with a key frame", at: now)
        }
        stream.store(sent, at: number)
        let before = nearest(stream, number, step: -1)
        let after = nearest(stream, number, step: 1)
        if let (_, earlier) = before, earlier.timestamp > sent.timestamp, areHonest(earlier, sent) {
            violate("\(name): timestamp goes back by \(earlier.timestamp - sent.timestamp)", at: now)
        }
        if let (_, later) = after, later.timestamp < sent.timestamp, areHonest(later, sent) {
            violate("\(name): timestamp is \(sent.timestamp - later.timestamp) after its successor's", at: now)
        }
        if let (gap, earlier) = before { checkChain(earlier, sent, gap: gap, name, at: now) }
        if let (gap, later) = after { checkChain(sent, later, gap: gap, name + " (successor)", at: now) }
    }

    private func areHonest(_ a: SentPacket, _ b: SentPacket) -> Bool {
        !malicious.contains(a.contributor) && !malicious.contains(b.contributor)
    }

    private func nearest(_ stream: SentStream, _ number: Int64, step: Int64) -> (gap: Int64, SentPacket)? {
        for distance in 1...Int64(512) {
            let candidate = number + step * distance
            if step > 0 ? candidate > stream.highest : candidate < stream.base { return nil }
            if let packet = stream.packet(candidate) { return (distance, packet) }
        }
        return nil
    }

    /// Two neighbouring packets of a VP8 slot: one frame, or one after the other in a decodable chain.
    private mutating func checkChain(
        _ a: SentPacket, _ b: SentPacket, gap: Int64, _ name: String, at now: Timestamp
    ) {
        if a.isScalable, b.isScalable, gap == 1, areHonest(a, b), a.marker == (a.timestamp == b.timestamp) {
            violate("\(name): a picture \(a.marker ? "goes on behind" : "without") its marker", at: now)
        }
        guard let x = a.fields, let y = b.fields else { return }
        if a.contributor != b.contributor, gap == 1, !y.beginsKeyFrame {
            violate("\(name): another source without a key frame", at: now)
        }
        guard gap == 1, areHonest(a, b) else { return }
        if a.timestamp == b.timestamp {
            if x.pictureID != y.pictureID || x.temporalLevelZeroIndex != y.temporalLevelZeroIndex || y.beginsFrame {
                violate("\(name): one timestamp, but not one frame", at: now)
            }
            return
        }
        if !y.beginsFrame {
            violate("\(name): a frame without its beginning, at \(b.timestamp) behind \(a.timestamp)", at: now)
        }
        if !a.marker, !y.beginsKeyFrame { violate("\(name): a frame without its end", at: now) }
        if let p = x.pictureID, let q = y.pictureID {
            let mask: UInt16 = y.hasLongPictureID ? 0x7fff : 0x7f
            if q & mask != (p &+ 1) & mask { violate("\(name): picture id \(q) after \(p)", at: now) }
        }
        if let p = x.temporalLevelZeroIndex, let q = y.temporalLevelZeroIndex {
            let expected = (y.temporalLayer ?? 0) == 0 ? p &+ 1 : p
            if q != expected { violate("\(name): TL0PICIDX \(q) after \(p)", at: now) }
        }
        if let p = x.keyIndex, let q = y.keyIndex {
            let expected = y.beginsKeyFrame ? (p + 1) & 0x1f : p
            if q != expected { violate("\(name): KEYIDX \(q) after \(p)", at: now) }
        }
    }

    /// Looks at an RTCP datagram that leaves the core; gives its messages for the client.
    public mutating func observeRTCP(_ bytes: [UInt8], to peer: PeerID, at now: Timestamp) -> [ControlMessage] {
        rtcpOut += 1
        guard let record = peers[peer], record.isConnected else {
            violate("RTCP to peer \(peer.rawValue), which is not connected", at: now)
            return []
        }
        guard let messages = ControlMessage.parse(bytes), !messages.isEmpty else {
            violate("RTCP to peer \(peer.rawValue) is not well formed", at: now)
            return []
        }
        for message in messages {
            switch message {
            case .senderReport(let ssrc, _, _, _, _, _):
                if record.streams[ssrc] == nil {
                    violate("a sender report to peer \(peer.rawValue) about SSRC \(ssrc), none of its slots'", at: now)
                }
            case .nack(_, let media, let sequences):
                if !record.publishedSSRCs.contains(media) {
                    violate("a NACK to peer \(peer.rawValue) about SSRC \(media), which it never sent", at: now)
                }
                if sequences.isEmpty { violate("an empty NACK to peer \(peer.rawValue)", at: now) }
            case .pictureLossIndication(_, let media), .fullIntraRequest(_, let media, _):
                if !record.publishedSSRCs.contains(media) {
                    violate("a key-frame request to peer \(peer.rawValue) about SSRC \(media)", at: now)
                }
            default: break
            }
        }
        return messages
    }

    /// Looks at the core's counters: everything that came in or went out is counted, and a packet that came in was
    /// taken or dropped by name.
    public mutating func observe(_ statistics: Statistics, at now: Timestamp) {
        let pairs = [
            ("RTP packets in", rtpIn, statistics.rtpPacketsReceived),
            ("RTP packets out", rtpOut, statistics.rtpPacketsSent),
            ("RTCP datagrams in", rtcpIn, statistics.rtcpReceived),
            ("RTCP datagrams out", rtcpOut, statistics.rtcpSent),
        ]
        for (name, seen, counted) in pairs where seen != counted {
            violate("\(seen) \(name), \(counted) counted", at: now)
        }
    }
}
