// libFuzzer's entry into a whole room: the input is a sequence of packets, commands and steps of time. Whatever it is,
// the core returns, keeps its promise of the next deadline, and sends well-formed packets to connected peers only.
import MediaCore

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRoom(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let script = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    var run = Run(script)
    run.play()
    return 0
}

/// One room driven by a script.
private struct Run: ~Copyable {
    private let script: [UInt8]
    private var position = 0
    private var counters: PeerCounters?
    private var core = RoomCore(configuration: RoomConfiguration(), seed: 1)
    private var out = Egress(capacity: 1 << 18)
    private var now = Timestamp(nanoseconds: 0)
    private var present = [Bool](repeating: false, count: 4)
    private var connected = [Bool](repeating: false, count: 4)

    init(_ script: [UInt8]) { self.script = script }

    private mutating func byte() -> UInt8 {
        guard position < script.count else { return 0 }
        defer { position += 1 }
        return script[position]
    }

    private mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }

    mutating func play() {
        for n in 0..<3 {
            obey(.addParticipant(PeerID(UInt32(n))))
            obey(.applyPlan(PeerID(UInt32(n)), plan(UInt32(n), shape: 0)))
            obey(.peerConnected(PeerID(UInt32(n))))
        }
        while position < script.count { step() }
    }

    private mutating func step() {
        let operation = byte()
        let peer = PeerID(UInt32(byte() & 3))
        switch operation % 6 {
        case 0: receive(packet(peer.rawValue), from: peer)
        case 1: receive(bytes(Int(byte())), from: peer)
        case 2: control(bytes(Int(byte())), from: peer)
        case 3: control(feedback(peer.rawValue), from: peer)
        case 4: command(peer)
        default:
            now = now + .milliseconds(Int64(byte()) * 4)
            core.advance(to: now, into: &out)
            if let next = core.nextDeadline { precondition(next.at > now, "a deadline is not in the past") }
            report(peer)
        }
        check()
    }

    private mutating func report(_ peer: PeerID) {
        guard let report = core.qualityReport(of: peer, since: counters, at: now) else { return }
        counters = report.counters
        for loss in [report.toPeer.lossFraction, report.fromPeer.lossFraction] {
            precondition(loss >= 0 && loss <= 1, "a share is a share")
        }
        precondition(report.meanOpinionScore.map { $0 >= 1 && $0 <= 4.5 } ?? true, "a score has its range")
    }

    private mutating func receive(_ packet: [UInt8], from peer: PeerID) {
        core.receiveRTP(packet.span, from: peer, at: now, into: &out)
    }

    private mutating func control(_ packet: [UInt8], from peer: PeerID) {
        core.receiveRTCP(packet.span, from: peer, at: now, into: &out)
    }

    /// A well-formed packet of one of the peer's streams, its numbers from the script.
    private mutating func packet(_ n: UInt32) -> [UInt8] {
        let kind = byte()
        let isVideo = kind & 1 != 0
        let payloadType: UInt8 = isVideo ? (kind & 2 != 0 ? 97 : 96) : (kind & 2 != 0 ? 63 : 111)
        let ssrc = UInt8(n) * 10 + (isVideo ? (kind & 2 != 0 ? 3 : 2) : 1)
        var packet: [UInt8] = [
            0x90, payloadType | kind & 0x80, kind & 4 != 0 ? byte() : 0, byte(), 0, 0, byte(), byte(),
        ]
        packet += [0, 0, 0, kind & 8 != 0 ? byte() : ssrc]
        packet += [0xbe, 0xde, 0, 2, 0x40, byte(), 0x61, byte(), byte(), 0x70, byte(), 0]
        if kind & 2 != 0 { packet += isVideo ? [0, byte()] : [0xef, 0, byte() & 1, byte() & 15, 0x6f] }
        if isVideo { packet += [0x90, 0xf0, 0x80, byte(), byte(), byte(), byte() & 1, 0, 0, 0x9d, 0x01, 0x2a] }
        return packet + bytes(Int(byte() & 31))
    }

    /// A NACK, a picture loss indication or a sender report.
    private mutating func feedback(_ n: UInt32) -> [UInt8] {
        switch byte() % 3 {
        case 0:
            return [0x81, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, UInt8(n) * 10 + 5, byte(), byte(), byte(), byte()]
        case 1: return [0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, UInt8(n) * 10 + 5]
        default: return [0x80, 200, 0, 6, 0, 0, 0, UInt8(n) * 10 + 2] + bytes(20)
        }
    }

    private mutating func command(_ peer: PeerID) {
        let choice = byte()
        let track = TrackID(peer: PeerID(UInt32(choice >> 6)), mid: name(choice & 8 != 0 ? "c" : "m"))
        switch choice % 8 {
        case 0: obey(.addParticipant(peer))
        case 1: obey(.applyPlan(peer, plan(peer.rawValue, shape: byte())))
        case 2: obey(.peerConnected(peer))
        case 3: obey(.peerDisconnected(peer))
        case 4: obey(.removeParticipant(peer, .left))
        case 5: obey(.setMuted(track, choice & 16 != 0))
        case 6:
            obey(
                .soundLevel(
                    track, timestamp: UInt32(byte()) << 8,
                    AudioLevel(isVoice: choice & 16 != 0, level: byte())))
        default:
            obey(.setSlotWishes(peer, [SlotWish(mid: name("v"), pin: track, wantedHeight: UInt16(choice & 16))]))
        }
    }

    private mutating func obey(_ command: RoomCommand) {
        switch command {
        case .addParticipant(let id): present[Int(id.rawValue)] = true
        case .peerConnected(let id): connected[Int(id.rawValue)] = present[Int(id.rawValue)]
        case .peerDisconnected(let id): connected[Int(id.rawValue)] = false
        case .removeParticipant(let id, _):
            connected[Int(id.rawValue)] = false
            present[Int(id.rawValue)] = false
        default: break
        }
        core.apply(command, at: now, into: &out)
    }

    private mutating func check() {
        for i in out.datagrams.indices {
            let datagram = out.datagrams[i]
            let copy = out.copy(of: i)
            precondition(connected[Int(datagram.peer.rawValue)], "sent to a connected peer")
            switch datagram.kind {
            case .rtp:
                guard let header = RTPHeader(copy.span) else { preconditionFailure("what is sent is RTP") }
                precondition(header.ssrc.rawValue / 10 == datagram.peer.rawValue, "on a slot of its receiver")
                let source = header.contributingSource(0, in: copy.span)
                precondition(source != nil && source != datagram.peer.rawValue, "from somebody else")
            case .rtcp:
                guard CompoundReader(copy.span) != nil else { preconditionFailure("what is sent is RTCP") }
            }
        }
        out.removeAll()
    }

    private func name(_ text: String) -> Mid {
        guard let mid = Mid(text) else { preconditionFailure("a letter is a mid") }
        return mid
    }

    private func plan(_ n: UInt32, shape: UInt8) -> PeerPlan {
        let feedback = FeedbackPlan(
            nack: true, pictureLossIndication: shape & 1 == 0, fullIntraRequest: true, transportFeedback: true)
        let opus = CodecPlan(
            codec: .opus, payloadType: PayloadType(111), rtxPayloadType: nil,
            redPayloadType: shape & 1 == 0 ? PayloadType(63) : nil, clockRate: 48_000)
        let vp8 = CodecPlan(
            codec: shape & 2 == 0 ? .vp8 : .vp9(profile: 0), payloadType: PayloadType(96),
            rtxPayloadType: PayloadType(97), clockRate: 90_000)
        var camera = [EncodingPlan(rid: nil, ssrc: SSRC(n * 10 + 2), rtxSSRC: SSRC(n * 10 + 3))]
        if shape & 4 != 0 { camera = ["q", "f"].map { EncodingPlan(rid: Rid($0), ssrc: nil, rtxSSRC: nil) } }
        let tracks = [
            PublishedTrackPlan(
                mid: name("m"), kind: .audio, source: .microphone, codecs: [opus],
                encodings: [EncodingPlan(rid: nil, ssrc: SSRC(n * 10 + 1), rtxSSRC: nil)], feedback: feedback,
                isMuted: false),
            PublishedTrackPlan(
                mid: name("c"), kind: .video, source: shape & 8 == 0 ? .camera : .screen, codecs: [vp8],
                encodings: camera, feedback: feedback, isMuted: false),
        ]
        let slots = [
            ReceiveSlotPlan(
                mid: name("a"), kind: .audio, ssrc: SSRC(n * 10 + 4), rtxSSRC: nil, codecs: [opus], feedback: feedback),
            ReceiveSlotPlan(
                mid: name("v"), kind: .video, ssrc: SSRC(n * 10 + 5),
                rtxSSRC: shape & 16 == 0 ? SSRC(n * 10 + 6) : nil, codecs: [vp8], feedback: feedback),
        ]
        var map = HeaderExtensionMap()
        map.mid = 1
        map.rid = 2
        map.repairedRid = 3
        map.audioLevel = 4
        map.absoluteSendTime = 5
        map.transportSequence = 6
        map.videoOrientation = 7
        map.playoutDelay = 8
        map.dependencyDescriptor = 9
        return PeerPlan(
            headerExtensions: map, published: shape & 32 == 0 ? tracks : [],
            slots: shape & 64 == 0 ? slots : [slots[0]],
            reducedSizeRTCP: shape & 128 == 0)
    }
}
