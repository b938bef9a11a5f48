// Makes a room's events of a capture that other programs made (tcpdump, Wireshark): finds the UDP flows that carry RTP
// or RTCP (RFC 7983, RFC 5761), decrypts them when it is given how, and takes each flow for a peer. It guesses no plan.
public import MediaCore

/// A flow that became a peer.
public struct ConvertedFlow: Sendable, Equatable {
    /// The two ends.
    public let flow: CaptureFlow
    /// The peer that stands for it: numbered from 1 in the order of the flows' first packets.
    public let peer: PeerID
    /// RTP packets that were taken.
    public internal(set) var rtpPackets = 0
    /// RTCP packets that were taken.
    public internal(set) var rtcpPackets = 0
    /// Packets that the decryptor refused.
    public internal(set) var refused = 0
    /// Packets that could not be decrypted because their end was not captured.
    public internal(set) var tooShort = 0
    /// The SSRCs of its RTP packets with their payload types in the order of appearance, `maximumStreams` at most.
    public internal(set) var streams: [Stream] = []

    /// One SSRC with one payload type.
    public struct Stream: Hashable, Sendable {
        /// The source.
        public let ssrc: SSRC
        /// The payload type.
        public let payloadType: PayloadType

        /// The source with the payload type.
        public init(ssrc: SSRC, payloadType: PayloadType) {
            self.ssrc = ssrc
            self.payloadType = payloadType
        }
    }
    /// Most SSRCs of one flow that are told apart.
    public static let maximumStreams = 256
}

/// What was found in a file.
public struct Conversion: Sendable {
    /// The packets, in the file's order.
    public internal(set) var events: [CaptureEvent] = []
    /// The flows that they belong to, in the order of their peers.
    public internal(set) var flows: [ConvertedFlow] = []
    /// Frames in the file.
    public internal(set) var frames = 0
    /// UDP datagrams among them.
    public internal(set) var datagrams = 0
    /// Datagrams of STUN, DTLS and TURN channels.
    public internal(set) var otherProtocols = 0
    /// What timestamp zero of the events is, as the room's configuration says it: the first frame's time.
    public internal(set) var ntpAtOrigin: UInt64 = 0
    /// Whether the file ends within a frame.
    public internal(set) var isTruncated = false
    /// Where in `flows` a flow is.
    private var places: [CaptureFlow: Int] = [:]

    /// A capture of these packets as a replay takes it: the room opened, every flow's peer added with the plan that
    /// `plan` gives it and connected, then a turn for each packet. A flow that gets no plan is left out.
    public func capture(
        configuration: RoomConfiguration, seed: UInt64, build: String, plan: (ConvertedFlow) -> PeerPlan?
    ) -> [CaptureEvent] {
        var configuration = configuration
        configuration.ntpAtOrigin = ntpAtOrigin
        let start = events.first?.moment ?? Timestamp(nanoseconds: 0)
        var result: [CaptureEvent] = [.opened(configuration, seed: seed, build: build, at: start)]
        var planned: Set<PeerID> = []
        for flow in flows {
            guard let plan = plan(flow) else { continue }
            planned.insert(flow.peer)
            result.append(.command(.addParticipant(flow.peer), at: start))
            result.append(.command(.applyPlan(flow.peer, plan), at: start))
            result.append(.command(.peerConnected(flow.peer), at: start))
        }
        result += [.advanced(at: start), .flushed]
        // A clock that goes back in the file stands still in the capture: the core's time never does.
        var latest = start
        for event in events {
            guard let peer = event.receivedFrom, planned.contains(peer), let at = event.moment else { continue }
            latest = max(latest, at)
            result += [event.moved(to: latest), .advanced(at: latest), .flushed]
        }
        return result
    }
}

extension CaptureEvent {
    /// The peer that a received packet came from.
    var receivedFrom: PeerID? {
        switch self {
        case .rtp(let peer, _, at: _), .rtcp(let peer, _, at: _), .cut(let peer, _, _, originalLength: _, at: _): peer
        default: nil
        }
    }
    /// The same packet at another moment.
    func moved(to at: Timestamp) -> CaptureEvent {
        switch self {
        case .rtp(let peer, let bytes, at: _): .rtp(peer, bytes, at: at)
        case .rtcp(let peer, let bytes, at: _): .rtcp(peer, bytes, at: at)
        case .cut(let peer, let kind, let bytes, let length, at: _):
            .cut(peer, kind, bytes, originalLength: length, at: at)
        default: self
        }
    }
}

/// Reads a foreign file.
public enum CaptureConvert {
    /// Most flows of one file that are looked at; the datagrams of further ones are passed over.
    public static let maximumFlows = 4_096

    /// Takes the RTP and RTCP out of a classic pcap or pcapng file.
    ///
    /// A flow is taken when `minimumPackets` of its packets are RTP by their first bytes with one SSRC, or RTCP: a
    /// lone datagram whose first byte happens to fit is not media. The decryptor gets the packet and whether it is
    /// RTCP, changes it in place to the plain one and says whether it could; packets it refuses are counted and left
    /// out. Throws when the file cannot be read; what came before the fault is lost with it.
    public static func convert(
        _ bytes: [UInt8], minimumPackets: Int = 2, decryptor: ((inout [UInt8], _ isRTCP: Bool) -> Bool)? = nil
    ) throws(CaptureError) -> Conversion {
        let wanted = try flows(of: bytes, minimumPackets: max(1, minimumPackets))
        var file = try FrameFile(bytes)
        var conversion = Conversion()
        var origin: UInt64?
        while let frame = try file.next() {
            conversion.frames += 1
            if origin == nil {
                origin = frame.nanoseconds
                conversion.ntpAtOrigin = ntp(frame.nanoseconds)
            }
            guard let datagram = FrameReader.datagram(bytes.span, frame) else { continue }
            conversion.datagrams += 1
            let kind = Demultiplexer.kind(of: bytes.span.extracting(datagram.payload))
            guard kind == .rtp || kind == .rtcp else {
                if [.stun, .dtls, .turnChannel].contains(kind) { conversion.otherProtocols += 1 }
                continue
            }
            guard wanted.contains(datagram.flow) else { continue }
            let at = Timestamp(nanoseconds: Int64(bitPattern: frame.nanoseconds &- (origin ?? 0)))
            conversion.add(
                Array(bytes[datagram.payload]), datagram, isRTCP: kind == .rtcp, at: at, decryptor: decryptor)
        }
        conversion.isTruncated = file.isTruncated
        return conversion
    }

    /// The flows that carry media.
    private static func flows(of bytes: [UInt8], minimumPackets: Int) throws(CaptureError) -> Set<CaptureFlow> {
        struct Evidence {
            var ssrc: UInt32?
            var packets = 0
        }
        var evidence: [CaptureFlow: Evidence] = [:]
        var wanted: Set<CaptureFlow> = []
        var file = try FrameFile(bytes)
        while let frame = try file.next() {
            guard let datagram = FrameReader.datagram(bytes.span, frame), !wanted.contains(datagram.flow) else {
                continue
            }
            let payload = bytes.span.extracting(datagram.payload)
            let kind = Demultiplexer.kind(of: payload)
            guard kind == .rtp || kind == .rtcp, payload.count >= (kind == .rtp ? 12 : 8) else { continue }
            guard evidence[datagram.flow] != nil || evidence.count < maximumFlows else { continue }
            var found = evidence[datagram.flow, default: Evidence()]
            if kind == .rtcp {
                found.packets += 1
            } else {
                // Another SSRC begins anew: a protocol that is no RTP has one by chance only.
                let ssrc = payload.uint32(at: 8)
                found.packets = found.ssrc == ssrc || found.ssrc == nil ? found.packets + 1 : 1
                found.ssrc = ssrc
            }
            evidence[datagram.flow] = found
            if found.packets >= minimumPackets { wanted.insert(datagram.flow) }
        }
        return wanted
    }

    /// Nanoseconds since 1970 as NTP time (RFC 3550 §4).
    private static func ntp(_ nanoseconds: UInt64) -> UInt64 {
        let seconds = nanoseconds / 1_000_000_000 + 2_208_988_800
        // Rounded up, so that the way back, which rounds down, gives the same nanosecond.
        let fraction = ((nanoseconds % 1_000_000_000) << 32 + 999_999_999) / 1_000_000_000
        return seconds << 32 &+ fraction
    }
}

extension Conversion {
    fileprivate mutating func add(
        _ payload: [UInt8], _ datagram: CapturedDatagram, isRTCP: Bool, at: Timestamp,
        decryptor: ((inout [UInt8], Bool) -> Bool)?
    ) {
        let index = places[datagram.flow] ?? flows.count
        if index == flows.count {
            places[datagram.flow] = index
            flows.append(ConvertedFlow(flow: datagram.flow, peer: PeerID(UInt32(index + 1))))
        }
        var packet = payload
        let isCut = packet.count < datagram.originalLength
        if let decryptor {
            guard !isCut else {
                flows[index].tooShort += 1
                return
            }
            guard decryptor(&packet, isRTCP) else {
                flows[index].refused += 1
                return
            }
        }
        let peer = flows[index].peer
        if isRTCP {
            flows[index].rtcpPackets += 1
        } else {
            flows[index].rtpPackets += 1
            let stream = ConvertedFlow.Stream(
                ssrc: SSRC(packet.span.uint32(at: 8)), payloadType: PayloadType(packet.span.uint8(at: 1)))
            if flows[index].streams.count < ConvertedFlow.maximumStreams, !flows[index].streams.contains(stream) {
                flows[index].streams.append(stream)
            }
        }
        if isCut {
            events.append(
                .cut(peer, isRTCP ? .rtcp : .rtp, packet, originalLength: datagram.originalLength, at: at))
        } else {
            events.append(isRTCP ? .rtcp(peer, packet, at: at) : .rtp(peer, packet, at: at))
        }
    }
}
