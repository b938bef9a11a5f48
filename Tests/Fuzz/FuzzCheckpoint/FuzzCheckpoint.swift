// libFuzzer's entry into checkpoints: the input is a whole checkpoint, or changes to a real one. Either it is refused, or the
// room made from it gives the same checkpoint again and survives whatever comes next.
import MediaCore

/// Tries one input: with a first byte that is even the rest is a checkpoint; else each four bytes that follow change one byte
/// of a real checkpoint (three of offset, one of change).
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCheckpoint(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    guard let first = input.first else { return 0 }
    var bytes = Array(input.dropFirst())
    if first & 1 != 0 {
        let changes = bytes
        bytes = real
        for i in stride(from: 0, to: changes.count - 3, by: 4) {
            let offset = Int(changes[i]) << 16 | Int(changes[i + 1]) << 8 | Int(changes[i + 2])
            bytes[offset % bytes.count] ^= changes[i + 3]
        }
    }
    guard var core = try? RoomCore(checkpoint: Checkpoint(bytes: bytes)) else { return 0 }
    var once = Checkpoint()
    core.checkpoint(into: &once)
    guard let again = try? RoomCore(checkpoint: once) else { preconditionFailure("what was read can be written") }
    var twice = Checkpoint()
    again.checkpoint(into: &twice)
    precondition(once == twice, "what is written is what was read")
    var traffic = Traffic(seed: input.reduce(UInt64(count)) { $0 &* 31 &+ UInt64($1) })
    traffic.play(300, &core)
    return 0
}

/// The checkpoint of a room after some traffic.
private let real: [UInt8] = {
    var core = RoomCore(configuration: RoomConfiguration(), seed: 1)
    var out = Egress(capacity: 1 << 18)
    for n in 0..<3 {
        for command: RoomCommand in [
            .addParticipant(PeerID(UInt32(n))), .applyPlan(PeerID(UInt32(n)), plan(UInt32(n), vp9: n == 2)),
            .peerConnected(PeerID(UInt32(n))),
        ] { core.apply(command, at: Timestamp(nanoseconds: 0), into: &out) }
    }
    var traffic = Traffic(seed: 7)
    traffic.commands = false
    traffic.play(600, &core)
    var checkpoint = Checkpoint()
    core.checkpoint(into: &checkpoint)
    return checkpoint.bytes
}()

private func mid(_ text: String) -> Mid {
    guard let mid = Mid(text) else { preconditionFailure("a letter is a mid") }
    return mid
}

private func plan(_ n: UInt32, vp9: Bool) -> PeerPlan {
    let feedback = FeedbackPlan(
        nack: true, pictureLossIndication: true, fullIntraRequest: true, transportFeedback: true)
    let opus = CodecPlan(
        codec: .opus, payloadType: PayloadType(111), rtxPayloadType: nil, redPayloadType: PayloadType(63),
        clockRate: 48_000)
    let video = [
        CodecPlan(
            codec: .vp8, payloadType: PayloadType(96), rtxPayloadType: PayloadType(97), clockRate: 90_000),
        CodecPlan(
            codec: .vp9(profile: 0), payloadType: PayloadType(98), rtxPayloadType: PayloadType(99),
            clockRate: 90_000),
    ]
    var map = HeaderExtensionMap()
    map.mid = 1
    map.audioLevel = 4
    map.absoluteSendTime = 5
    map.transportSequence = 6
    map.videoOrientation = 7
    map.playoutDelay = 8
    map.dependencyDescriptor = 9
    return PeerPlan(
        headerExtensions: map,
        published: [
            PublishedTrackPlan(
                mid: mid("m"), kind: .audio, source: .microphone, codecs: [opus],
                encodings: [EncodingPlan(rid: nil, ssrc: SSRC(n * 10 + 1), rtxSSRC: nil)], feedback: feedback,
                isMuted: false),
            PublishedTrackPlan(
                mid: mid("c"), kind: .video, source: .camera, codecs: vp9 ? video.reversed() : video,
                encodings: [EncodingPlan(rid: nil, ssrc: SSRC(n * 10 + 2), rtxSSRC: SSRC(n * 10 + 3))],
                feedback: feedback, isMuted: false),
        ],
        slots: [
            ReceiveSlotPlan(
                mid: mid("a"), kind: .audio, ssrc: SSRC(n * 10 + 4), rtxSSRC: nil, codecs: [opus],
                feedback: feedback),
            ReceiveSlotPlan(
                mid: mid("v"), kind: .video, ssrc: SSRC(n * 10 + 5), rtxSSRC: SSRC(n * 10 + 6), codecs: video,
                feedback: feedback),
        ], reducedSizeRTCP: true)
}

/// Packets, reports and commands in an order that a seed gives.
private struct Traffic: ~Copyable {
    private var state: UInt64
    private var now = Timestamp(nanoseconds: 1_000_000_000)
    private var sequence: UInt16 = 100
    private var out = Egress(capacity: 1 << 18)
    var commands = true

    init(seed: UInt64) { state = seed | 1 }

    private mutating func byte() -> UInt8 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }

    mutating func play(_ count: Int, _ core: inout RoomCore) {
        for _ in 0..<count {
            now = now + .milliseconds(Int64(byte() & 15))
            let n = byte() & 3
            let peer = PeerID(UInt32(n))
            switch byte() % 8 {
            case 0, 1, 2: core.receiveRTP(video(n).span, from: peer, at: now, into: &out)
            case 3: core.receiveRTP(audio(n).span, from: peer, at: now, into: &out)
            case 4:
                let nack: [UInt8] = [0x81, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, n * 10 + 4 + (byte() & 1)]
                core.receiveRTCP((nack + [byte(), byte(), byte(), byte()]).span, from: peer, at: now, into: &out)
            case 5:
                let loss: [UInt8] = [0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, n * 10 + 5]
                core.receiveRTCP(loss.span, from: peer, at: now, into: &out)
            case 6:
                if commands, byte() & 3 == 0 { command(n, &core) }
                core.advance(to: now, into: &out)
                _ = core.qualityReport(of: peer, since: nil, at: now)
            default:
                var report: [UInt8] = [0x80, 200, 0, 6, 0, 0, 0, n * 10 + 2]
                for _ in 0..<20 { report.append(byte()) }
                core.receiveRTCP(report.span, from: peer, at: now, into: &out)
            }
            for i in out.datagrams.indices where out.datagrams[i].kind == .rtp {
                precondition(RTPHeader(out.copy(of: i).span) != nil, "what is sent is RTP")
            }
            out.removeAll()
        }
    }

    private mutating func head(_ payloadType: UInt8, _ ssrc: UInt8) -> [UInt8] {
        sequence &+= UInt16(byte() & 3)
        let time = UInt32(truncatingIfNeeded: now.nanoseconds / 11_111)
        return [0x90, payloadType | byte() & 0x80, UInt8(sequence >> 8), UInt8(truncatingIfNeeded: sequence)]
            + (0..<4).map { UInt8(truncatingIfNeeded: time >> UInt32(24 - 8 * $0)) }
            + [0, 0, 0, ssrc, 0xbe, 0xde, 0, 2, 0x40, byte(), 0x61, 0, byte(), 0x70, byte(), 0]
    }

    private mutating func audio(_ n: UInt8) -> [UInt8] { head(111, n * 10 + 1) + [byte(), byte(), byte()] }

    private mutating func video(_ n: UInt8) -> [UInt8] {
        let isRetransmission = byte() & 7 == 0
        var packet = head((byte() & 3 == 0 ? 98 : 96) + (isRetransmission ? 1 : 0), n * 10 + (isRetransmission ? 3 : 2))
        if isRetransmission { packet += [UInt8(sequence >> 8), byte()] }
        packet += [
            0x90 | byte() & 0x20, byte(), 0x80 & byte(), byte(), byte(), byte(), byte() & 1, 0, 0, 0x9d, 1, 0x2a,
        ]
        return packet + [1, 0, 1, 0, byte()]
    }

    private mutating func command(_ n: UInt8, _ core: inout RoomCore) {
        let peer = PeerID(UInt32(n))
        let track = TrackID(peer: PeerID(UInt32(byte() & 3)), mid: mid(byte() & 1 == 0 ? "m" : "c"))
        let command: RoomCommand
        switch byte() % 8 {
        case 0: command = .addParticipant(peer)
        case 1: command = .applyPlan(peer, plan(UInt32(n), vp9: byte() & 1 == 0))
        case 2: command = .peerConnected(peer)
        case 3: command = .peerDisconnected(peer)
        case 4: command = .removeParticipant(peer, .left)
        case 5: command = .setMuted(track, byte() & 1 == 0)
        case 6:
            command = .soundLevel(
                track, timestamp: UInt32(byte()) << 8, AudioLevel(isVoice: byte() & 1 == 0, level: byte()))
        default:
            command = .setSlotWishes(peer, [SlotWish(mid: mid("v"), pin: track, wantedHeight: UInt16(byte() & 1))])
        }
        core.apply(command, at: now, into: &out)
    }
}
