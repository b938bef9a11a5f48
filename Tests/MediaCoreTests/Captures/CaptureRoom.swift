// A room of two for captured streams: one peer publishes what the file holds, the other receives it on one slot. The
// file's own times are the only clock; the simulated network's invariants watch what comes out.

@_spi(Simulation) import MediaCore
import SimulatedNetwork
import TestSupport

/// One captured packet: its time in microseconds since the first, and its bytes.
struct TimedPacket {
    var microseconds: Int64
    var bytes: [UInt8]
    var isRTCP: Bool { bytes.count > 1 && (192...223).contains(bytes[1]) }
}

enum Capture {
    /// The datagrams of a pcap file that look like RTP or RTCP (RFC 7983).
    static func pcap(_ path: String) -> [TimedPacket]? {
        guard let file = PcapFile.external(path), let first = file.datagrams.first else { return nil }
        return file.datagrams.filter { ($0.payload.first ?? 0) >> 6 == 2 }
            .map { TimedPacket(microseconds: $0.microseconds - first.microseconds, bytes: $0.payload) }
    }

    /// The packets at the times that their RTP timestamps tell, for files whose packets were all written at once.
    static func paced(_ packets: [TimedPacket], clockRate: Int64) -> [TimedPacket] {
        var last: UInt32?
        var elapsed: Int64 = 0
        return packets.map { packet in
            let timestamp = packet.bytes.count >= 12 ? packet.bytes.bigEndian32(at: 4) : last ?? 0
            elapsed += max(0, Int64(Int32(bitPattern: timestamp &- (last ?? timestamp))))
            last = timestamp
            return TimedPacket(microseconds: elapsed * 1_000_000 / clockRate, bytes: packet.bytes)
        }
    }

    /// The packets of an rtpdump file (rtptools): a text line, 16 bytes, then records of length, original length and
    /// milliseconds, each followed by its bytes.
    static func rtpdump(_ path: String) -> [TimedPacket]? {
        guard let bytes = ExternalCaptures.bytes(path), let line = bytes.firstIndex(of: 10) else { return nil }
        var packets: [TimedPacket] = []
        var at = line + 1 + 16
        while at + 8 <= bytes.count {
            let length = Int(bytes.bigEndian16(at: at))
            guard length >= 8, at + length <= bytes.count else { return nil }
            let milliseconds = Int64(bytes.bigEndian32(at: at + 4))
            packets.append(
                TimedPacket(microseconds: milliseconds * 1_000, bytes: Array(bytes[(at + 8)..<(at + length)])))
            at += length
        }
        return packets
    }
}

/// Feedback about many packets, put together from all reports.
struct FeedbackSummary {
    /// The numbers of packets that some report called received, and all that reports spoke of, extended.
    var received: Set<Int64> = []
    var spoken: Set<Int64> = []

    /// The first and the last number that reports spoke of.
    var first: Int64? { spoken.min() }
    var last: Int64? { spoken.max() }
    /// The numbers between them that no report called received.
    var missing: Int {
        guard let first, let last else { return 0 }
        return Int(last - first + 1) - received.count
    }
}

/// The room.
struct CaptureRoom: ~Copyable {
    static let publisher = PeerID(1)
    static let receiver = PeerID(2)

    private var core: RoomCore
    private var egress = Egress()
    private let origin = Timestamp(nanoseconds: 5_000_000_000)
    private(set) var now = Timestamp(nanoseconds: 5_000_000_000)
    private(set) var invariants = Invariants()
    /// RTP to the receiver.
    private(set) var forwarded: [IncomingPacket] = []
    /// RTCP to the publisher and to the receiver.
    private(set) var toPublisher: [ControlMessage] = []
    private(set) var toReceiver: [ControlMessage] = []
    private(set) var nackedAt: [(at: Timestamp, ssrc: UInt32, sequence: UInt16)] = []
    private(set) var keyFrameRequestsAt: [Timestamp] = []

    var statistics: Statistics { core.statistics }

    /// A room where the publisher sends one track with these codecs and encodings, and the receiver has a slot for it.
    init(
        mid: String, kind: MediaKind, codecs: [CodecPlan], encodings: [EncodingPlan], extensions: HeaderExtensionMap,
        nack: Bool = true
    ) {
        core = RoomCore(configuration: RoomConfiguration(), seed: 11)
        let feedback = FeedbackPlan(
            nack: nack, pictureLossIndication: kind == .video, fullIntraRequest: false,
            transportFeedback: extensions.transportSequence != 0)
        let track = PublishedTrackPlan(
            mid: Mid(mid)!, kind: kind, source: kind == .video ? .camera : .microphone, codecs: codecs,
            encodings: encodings, feedback: feedback, isMuted: false)
        let slot = ReceiveSlotPlan(
            mid: Mid("r")!, kind: kind, ssrc: SSRC(7_000), rtxSSRC: nil, codecs: codecs, feedback: feedback)
        command(.addParticipant(Self.publisher))
        plan(
            Self.publisher,
            PeerPlan(headerExtensions: extensions, published: [track], slots: [], reducedSizeRTCP: true))
        command(.addParticipant(Self.receiver))
        plan(
            Self.receiver,
            PeerPlan(headerExtensions: extensions, published: [], slots: [slot], reducedSizeRTCP: true))
        for peer in [Self.publisher, Self.receiver] {
            invariants.setConnected(true, peer)
            command(.peerConnected(peer))
        }
    }

    private mutating func plan(_ peer: PeerID, _ plan: PeerPlan) {
        invariants.applied(plan, to: peer)
        command(.applyPlan(peer, plan))
    }

    private mutating func command(_ command: RoomCommand) {
        core.apply(command, at: now, into: &egress)
        flush()
    }

    /// Limits what the receiver's slot is sent.
    mutating func limit(spatial: UInt8 = 255, temporal: UInt8 = 255) {
        core.limitLayers(
            of: Self.receiver, slot: Mid("r")!, spatial: spatial, temporal: temporal, at: now, into: &egress)
        flush()
    }

    /// Plays packets at their times, and then as many seconds more.
    mutating func play(_ packets: [TimedPacket], thenSeconds: Int64 = 3) {
        for packet in packets {
            advance(to: origin + .microseconds(packet.microseconds))
            if packet.isRTCP {
                invariants.receivedRTCP()
                core.receiveRTCP(packet.bytes.span, from: Self.publisher, at: now, into: &egress)
            } else {
                invariants.receivedRTP(packet.bytes, from: Self.publisher)
                core.receiveRTP(packet.bytes.span, from: Self.publisher, at: now, into: &egress)
            }
            flush()
        }
        advance(to: now + .seconds(thenSeconds))
    }

    private mutating func advance(to moment: Timestamp) {
        while let deadline = core.nextDeadline, deadline.at <= moment {
            now = max(now, deadline.at)
            core.advance(to: now, into: &egress)
            if let next = core.nextDeadline, next.at <= now {
                invariants.violate("the deadline \(next) is not later than now", at: now)
                return
            }
            flush()
        }
        now = max(now, moment)
    }

    private mutating func flush() {
        for event in egress.events { invariants.observe(event, at: now) }
        for index in egress.datagrams.indices {
            let datagram = egress.datagrams[index]
            let bytes = egress.copy(of: index)
            switch datagram.kind {
            case .rtp:
                if let packet = invariants.observeRTP(bytes, to: datagram.peer, at: now) { forwarded.append(packet) }
            case .rtcp:
                let messages = invariants.observeRTCP(bytes, to: datagram.peer, at: now)
                if datagram.peer == Self.publisher { note(messages) } else { toReceiver += messages }
            }
        }
        egress.removeAll()
        invariants.observe(core.statistics, at: now)
    }

    private mutating func note(_ messages: [ControlMessage]) {
        toPublisher += messages
        for message in messages {
            switch message {
            case .nack(_, let media, let sequences):
                for sequence in sequences { nackedAt.append((now, media, sequence)) }
            case .pictureLossIndication, .fullIntraRequest: keyFrameRequestsAt.append(now)
            default: break
            }
        }
    }

    /// The distinct sequence numbers that the publisher was asked for again.
    var nacked: Set<UInt16> { Set(nackedAt.map(\.sequence)) }

    /// What the transport-wide feedback said in all.
    var feedback: FeedbackSummary {
        var summary = FeedbackSummary()
        var unwrapper = Unwrapper()
        for case .transportFeedback(_, _, let report) in toPublisher {
            for (index, delta) in report.deltas.enumerated() {
                let number = unwrapper.extend(report.base &+ UInt16(index)) - 65_536
                summary.spoken.insert(number)
                if delta != nil { summary.received.insert(number) }
            }
        }
        return summary
    }

    /// The extended sequence numbers that were forwarded, the first as 65,536 and more.
    var forwardedNumbers: [Int64] {
        var unwrapper = Unwrapper()
        return forwarded.map { unwrapper.extend($0.sequence) }
    }
}
