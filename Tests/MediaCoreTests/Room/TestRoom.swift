// A room under test: builds plans and packets by hand, keeps the time, and reads back what the core sent.
import MediaCore

/// One packet that the core sent, read back.
struct SentRTP: Equatable {
    var peer: PeerID
    var ssrc: UInt32
    var payloadType: UInt8
    var sequence: UInt16
    var timestamp: UInt32
    var marker: Bool
    var source: UInt32?
    var mid: String?
    var transportSequence: UInt16?
    var absoluteSendTime: UInt32?
    var orientation: UInt8?
    var level: UInt8?
    var payload: [UInt8]
    var bytes: [UInt8]
}

/// One RTCP datagram that the core sent.
struct SentRTCP: Equatable {
    var peer: PeerID
    var bytes: [UInt8]
}

/// The identifiers that all test peers negotiated.
let testExtensions: HeaderExtensionMap = {
    var map = HeaderExtensionMap()
    map.mid = 1
    map.rid = 2
    map.repairedRid = 3
    map.audioLevel = 4
    map.absoluteSendTime = 5
    map.transportSequence = 6
    map.videoOrientation = 7
    map.playoutDelay = 8
    return map
}()

let opusPlan = CodecPlan(codec: .opus, payloadType: PayloadType(111), rtxPayloadType: nil, clockRate: 48_000)
let vp8Plan = CodecPlan(
    codec: .vp8, payloadType: PayloadType(96), rtxPayloadType: PayloadType(97), clockRate: 90_000)
let audioFeedback = FeedbackPlan(
    nack: true, pictureLossIndication: false, fullIntraRequest: false, transportFeedback: true)
let videoFeedback = FeedbackPlan(
    nack: true, pictureLossIndication: true, fullIntraRequest: true, transportFeedback: true)

func mid(_ text: String) -> Mid { Mid(text) ?? Mid("invalid")! }

final class TestRoom {
    var core: RoomCore
    var out = Egress(capacity: 8 << 20)
    var now = Timestamp(nanoseconds: 1_000_000_000_000)
    var rtp: [SentRTP] = []
    /// Which of them may be padded.
    var mayBePadded: [Bool] = []
    var rtcp: [SentRTCP] = []
    var events: [RoomEvent] = []
    var decisions: [Decision] = []
    /// Every datagram so far, for comparing two runs.
    var transcript: [UInt8] = []
    var latePromises = 0

    init(seed: UInt64 = 1, configuration: RoomConfiguration? = nil) {
        var settings = configuration ?? RoomConfiguration()
        if configuration == nil { settings.ntpAtOrigin = 0xe000_0000_0000_0000 }
        core = RoomCore(configuration: settings, seed: seed)
    }

    // What peers send. SSRCs: number * 100 + 1 microphone, + 2 camera, + 3 camera's RTX, + 4 screen.
    static func microphone(_ n: UInt32, muted: Bool = false) -> PublishedTrackPlan {
        PublishedTrackPlan(
            mid: mid("mic"), kind: .audio, source: .microphone, codecs: [opusPlan],
            encodings: [EncodingPlan(rid: nil, ssrc: SSRC(n * 100 + 1), rtxSSRC: nil)], feedback: audioFeedback,
            isMuted: muted)
    }
    static func camera(_ n: UInt32, muted: Bool = false) -> PublishedTrackPlan {
        PublishedTrackPlan(
            mid: mid("cam"), kind: .video, source: .camera, codecs: [vp8Plan],
            encodings: [EncodingPlan(rid: nil, ssrc: SSRC(n * 100 + 2), rtxSSRC: SSRC(n * 100 + 3))],
            feedback: videoFeedback, isMuted: muted)
    }
    static func screen(_ n: UInt32) -> PublishedTrackPlan {
        PublishedTrackPlan(
            mid: mid("scr"), kind: .video, source: .screen, codecs: [vp8Plan],
            encodings: [EncodingPlan(rid: nil, ssrc: SSRC(n * 100 + 4), rtxSSRC: nil)], feedback: videoFeedback,
            isMuted: false)
    }
    static func simulcastCamera() -> PublishedTrackPlan {
        PublishedTrackPlan(
            mid: mid("cam"), kind: .video, source: .camera, codecs: [vp8Plan],
            encodings: ["q", "h", "f"].map { EncodingPlan(rid: Rid($0), ssrc: nil, rtxSSRC: nil) },
            feedback: videoFeedback, isMuted: false)
    }
    /// Slots: SSRC number * 100 + 10 and on for audio, + 20 and on for video, + 40 and on for RTX.
    static func slots(_ n: UInt32, audio: Int, video: Int, rtx: Bool = true) -> [ReceiveSlotPlan] {
        (0..<audio).map { i in
            ReceiveSlotPlan(
                mid: mid("a\(i)"), kind: .audio, ssrc: SSRC(n * 100 + 10 + UInt32(i)), rtxSSRC: nil,
                codecs: [opusPlan], feedback: audioFeedback)
        }
            + (0..<video).map { i in
                var codec = vp8Plan
                codec.payloadType = PayloadType(102)
                codec.rtxPayloadType = rtx ? PayloadType(103) : nil
                return ReceiveSlotPlan(
                    mid: mid("v\(i)"), kind: .video, ssrc: SSRC(n * 100 + 20 + UInt32(i)),
                    rtxSSRC: rtx ? SSRC(n * 100 + 40 + UInt32(i)) : nil, codecs: [codec], feedback: videoFeedback)
            }
    }
    static func plan(_ tracks: [PublishedTrackPlan], _ slots: [ReceiveSlotPlan]) -> PeerPlan {
        PeerPlan(headerExtensions: testExtensions, published: tracks, slots: slots, reducedSizeRTCP: true)
    }

    func join(_ n: UInt32, _ tracks: [PublishedTrackPlan], audio: Int = 4, video: Int = 4, rtx: Bool = true) {
        apply(.addParticipant(PeerID(n)))
        apply(.applyPlan(PeerID(n), Self.plan(tracks, Self.slots(n, audio: audio, video: video, rtx: rtx))))
        apply(.peerConnected(PeerID(n)))
    }

    func apply(_ command: RoomCommand) {
        core.apply(command, at: now, into: &out)
        drain()
    }
    func receive(_ bytes: [UInt8], from n: UInt32) {
        core.receiveRTP(bytes.span, from: PeerID(n), at: now, into: &out)
        drain()
    }
    func control(_ bytes: [UInt8], from n: UInt32) {
        core.receiveRTCP(bytes.span, from: PeerID(n), at: now, into: &out)
        drain()
    }
    /// Lets time pass, deadline by deadline.
    func run(milliseconds: Int64) {
        let end = now + .milliseconds(milliseconds)
        while let next = core.nextDeadline, next.at <= end {
            now = max(now, next.at)
            core.advance(to: now, into: &out)
            if let promised = core.nextDeadline, promised.at <= now { latePromises += 1 }
            drain()
        }
        now = end
    }
    func clear() {
        rtp.removeAll()
        mayBePadded.removeAll()
        rtcp.removeAll()
        events.removeAll()
        decisions.removeAll()
    }
    func sent(to n: UInt32, ssrc: UInt32? = nil) -> [SentRTP] {
        rtp.filter { $0.peer == PeerID(n) && (ssrc == nil || $0.ssrc == ssrc) }
    }
    /// How many feedback messages of a type and format went to a peer.
    func feedback(_ type: UInt8, _ format: UInt8, to n: UInt32) -> Int {
        rtcp.filter { $0.peer == PeerID(n) && $0.bytes[0] & 0x1f == format && $0.bytes[1] == type }.count
    }
    func assignment(_ n: UInt32, _ slot: String) -> SlotAssignment? {
        core.slotAssignments(of: PeerID(n)).first { $0.mid == mid(slot) }
    }
    func statistics(_ n: UInt32) -> PeerStatistics? { core.peerStatistics(PeerID(n)) }
    func drop(_ reason: DropReason) -> UInt64 { core.statistics[reason] }

    private func drain() {
        for i in out.datagrams.indices {
            let datagram = out.datagrams[i]
            let bytes = out.copy(of: i)
            transcript += [UInt8(truncatingIfNeeded: datagram.peer.rawValue)] + bytes
            if datagram.kind == .rtcp {
                rtcp.append(SentRTCP(peer: datagram.peer, bytes: bytes))
            } else if let packet = Self.read(bytes, to: datagram.peer) {
                rtp.append(packet)
                mayBePadded.append(datagram.mayBePadded)
            }
        }
        events += out.events
        decisions += out.decisions
        out.removeAll()
    }

    static func read(_ bytes: [UInt8], to peer: PeerID) -> SentRTP? {
        let span = bytes.span
        guard let header = RTPHeader(span), let found = HeaderExtensionOffsets(span, header, testExtensions) else {
            return nil
        }
        let from = Int(header.payloadOffset)
        return SentRTP(
            peer: peer, ssrc: header.ssrc.rawValue, payloadType: header.payloadType.rawValue,
            sequence: header.sequenceNumber.rawValue, timestamp: header.timestamp.rawValue, marker: header.marker,
            source: header.contributingSource(0, in: span), mid: found.readMid(span)?.text,
            transportSequence: found.readTransportSequence(span)?.rawValue,
            absoluteSendTime: found.readAbsoluteSendTime(span), orientation: found.readVideoOrientation(span),
            level: found.readAudioLevel(span)?.level, payload: Array(bytes[from..<from + Int(header.payloadLength)]),
            bytes: bytes)
    }
}

// Packets by hand.

/// An RTP packet with one-byte extensions.
func rtpPacket(
    _ payloadType: UInt8, _ sequence: UInt16, _ timestamp: UInt32, _ ssrc: UInt32, marker: Bool = false,
    extensions: [(UInt8, [UInt8])] = [], payload: [UInt8], padding: UInt8 = 0
) -> [UInt8] {
    var bytes: [UInt8] = [
        0x80 | (extensions.isEmpty ? 0 : 0x10) | (padding > 0 ? 0x20 : 0), payloadType | (marker ? 0x80 : 0),
    ]
    bytes += [UInt8(sequence >> 8), UInt8(sequence & 0xff)] + big(timestamp) + big(ssrc)
    if !extensions.isEmpty {
        var block: [UInt8] = []
        for (id, data) in extensions { block += [id << 4 | UInt8(data.count - 1)] + data }
        while block.count % 4 != 0 { block.append(0) }
        bytes += [0xbe, 0xde, 0, UInt8(block.count / 4)] + block
    }
    bytes += payload
    if padding > 0 { bytes += [UInt8](repeating: 0, count: Int(padding) - 1) + [padding] }
    return bytes
}

func big(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
}

func audioPacket(_ n: UInt32, _ sequence: UInt16, _ timestamp: UInt32, level: UInt8 = 30, voice: Bool = true) -> [UInt8]
{
    rtpPacket(
        111, sequence, timestamp, n * 100 + 1, extensions: [(4, [level | (voice ? 0x80 : 0)])],
        payload: [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 60))
}

/// The start of a VP8 frame in one packet: 15-bit picture id, TL0PICIDX, TID and KEYIDX.
func vp8Payload(key: Bool, picture: UInt16, tl0: UInt8, keyIndex: UInt8, start: Bool = true, size: Int = 40) -> [UInt8]
{
    var bytes: [UInt8] = [0x80 | (start ? 0x10 : 0), 0xf0, 0x80 | UInt8(picture >> 8 & 0x7f), UInt8(picture & 0xff)]
    bytes += [tl0, keyIndex & 0x1f]
    bytes += key ? [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00] : [0x11, 0, 0]
    while bytes.count < size { bytes.append(UInt8(truncatingIfNeeded: bytes.count)) }
    return bytes
}

func videoPacket(
    _ n: UInt32, _ sequence: UInt16, _ timestamp: UInt32, key: Bool = false, picture: UInt16 = 1, tl0: UInt8 = 1,
    keyIndex: UInt8 = 1, start: Bool = true, marker: Bool = true, ssrc: UInt32? = nil, size: Int = 40,
    extensions: [(UInt8, [UInt8])] = []
) -> [UInt8] {
    rtpPacket(
        96, sequence, timestamp, ssrc ?? (n * 100 + 2), marker: marker, extensions: extensions,
        payload: vp8Payload(key: key, picture: picture, tl0: tl0, keyIndex: keyIndex, start: start, size: size))
}

/// A picture loss indication about a slot.
func pictureLoss(_ media: UInt32) -> [UInt8] { [0x81, 206, 0, 2] + big(7) + big(media) }

/// A generic NACK of some sequence numbers.
func negativeAcknowledgement(_ media: UInt32, _ lost: [UInt16]) -> [UInt8] {
    let words = 2 + lost.count
    var bytes: [UInt8] = [0x81, 205, UInt8(words >> 8), UInt8(words & 0xff)] + big(7) + big(media)
    for number in lost { bytes += [UInt8(number >> 8), UInt8(number & 0xff), 0, 0] }
    return bytes
}

func senderReport(_ ssrc: UInt32, ntp: UInt64, timestamp: UInt32) -> [UInt8] {
    [0x80, 200, 0, 6] + big(ssrc) + big(UInt32(ntp >> 32)) + big(UInt32(ntp & 0xffff_ffff)) + big(timestamp) + big(1)
        + big(100)
}

/// The sender reports of a datagram.
func senderReports(in bytes: [UInt8]) -> [SenderReport] {
    let span = bytes.span
    guard var reader = CompoundReader(span) else { return [] }
    var reports: [SenderReport] = []
    while let packet = reader.next(span) {
        if let report = SenderReport(span, packet) { reports.append(report) }
    }
    return reports
}

/// The VP8 descriptor of a packet that was sent.
func vp8(_ packet: SentRTP) -> VP8Descriptor? {
    VP8Descriptor(packet.payload.span, at: 0, length: packet.payload.count)
}
