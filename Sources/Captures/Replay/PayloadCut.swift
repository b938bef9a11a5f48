// Takes the media out of RTP packets that go into a new capture: header and extensions stay, and of the payload the bytes that
// forwarding reads (docs/architecture.md, "What is read of a payload"); zeros between them, nothing behind.
import MediaCore

/// Cutting packets, as the plans of their senders tell what is in them.
struct PayloadCut {
    private struct Stream: Hashable {
        var codec: Codec
        var isRetransmission: Bool
        var isRedundant = false
    }
    /// What a payload type of a peer may stand for; what it stood for once stays known, because packets of before may come.
    private var streams: [PeerID: [UInt8: Set<Stream>]] = [:]

    /// Learns from a command that the room obeys.
    mutating func note(_ command: RoomCommand) {
        switch command {
        case .applyPlan(let peer, let plan): note(plan.published, of: peer)
        case .removeParticipant(let peer, _): streams[peer] = nil
        default: break
        }
    }

    /// Learns what a peer publishes, whom no command introduced.
    mutating func note(_ tracks: [PublishedTrackPlan], of peer: PeerID) {
        for track in tracks {
            for codec in track.codecs {
                let own = Stream(codec: codec.codec, isRetransmission: false)
                streams[peer, default: [:]][codec.payloadType.rawValue, default: []].insert(own)
                if let red = codec.redPayloadType {
                    let redundant = Stream(codec: codec.codec, isRetransmission: false, isRedundant: true)
                    streams[peer, default: [:]][red.rawValue, default: []].insert(redundant)
                }
                guard let rtx = codec.rtxPayloadType else { continue }
                let resent = Stream(codec: codec.codec, isRetransmission: true)
                streams[peer, default: [:]][rtx.rawValue, default: []].insert(resent)
            }
        }
    }

    /// The event without its media; whatever is no RTP packet is as it was. A packet with padding (RFC 3550 §5.1) tells its
    /// padding's length in its last byte, so it is kept whole, with zeros where the media was.
    func cut(_ event: CaptureEvent) -> CaptureEvent {
        switch event {
        case .rtp(let peer, let bytes, let at): cut(bytes, length: bytes.count, of: peer, at: at)
        // One with padding has lost it already, and is malformed however it ends.
        case .cut(let peer, .rtp, let bytes, let length, let at) where bytes.first.map { $0 & 0x20 == 0 } == true:
            cut(bytes, length: length, of: peer, at: at)
        default: event
        }
    }

    private func cut(_ bytes: [UInt8], length: Int, of peer: PeerID, at: Timestamp) -> CaptureEvent {
        var kept = bytes
        // What is malformed has to stay so: that is seen in the fixed header, the sources and the head of the extension.
        var end = min(bytes.count, RTPHeader.fixedLength + 15 * 4 + 4)
        if let header = RTPHeader(bytes.span) {
            let start = Int(header.payloadOffset)
            let payload = Array(bytes[start..<start + Int(header.payloadLength)])
            let read = streams[peer]?[header.payloadType.rawValue] ?? []
            let offsets = read.reduce(into: Set<Int>()) { $0.formUnion(Self.offsets(in: payload, $1)) }
            for offset in payload.indices where !offsets.contains(offset) { kept[start + offset] = 0 }
            end = start + (offsets.max().map { $0 + 1 } ?? 0)
            if header.paddingLength > 0 {
                for place in start + payload.count..<bytes.count - 1 { kept[place] = 0 }
                end = bytes.count
            }
        }
        guard end < length else { return .rtp(peer, kept, at: at) }
        return .cut(peer, .rtp, Array(kept[..<end]), originalLength: length, at: at)
    }

    /// Where in a payload the bytes are that forwarding reads.
    private static func offsets(in payload: [UInt8], _ stream: Stream) -> Set<Int> {
        if stream.isRedundant {
            return Set(0..<REDPayload.headLength(payload.span, at: 0, length: payload.count))
        }
        let base = stream.isRetransmission ? min(RTXPayload.headLength, payload.count) : 0
        let media = Array(payload[base...])
        let own = offsets(in: media, stream.codec).filter { $0 < media.count }.map { $0 + base }
        return Set(own).union(0..<base)
    }

    private static func offsets(in media: [UInt8], _ codec: Codec) -> [Int] {
        switch codec {
        case .opus: return []
        case .vp8:
            guard let descriptor = VP8Descriptor(media.span, at: 0, length: media.count) else {
                return Array(media.indices)
            }
            return Array(0..<Int(descriptor.length) + (descriptor.startsFrame ? 10 : 0))
        case .vp9:
            // What is no descriptor has to stay none.
            guard let descriptor = VP9Descriptor(media.span, at: 0, length: media.count) else {
                return Array(media.indices)
            }
            return Array(0..<Int(descriptor.length))
        case .h264: return unitHeaders(media)
        case .av1: return [0]
        }
    }

    /// The headers of H264's NAL units, with the lengths before them in an aggregation packet (RFC 6184 §5.7, §5.8).
    private static func unitHeaders(_ media: [UInt8]) -> [Int] {
        guard let first = media.first else { return [] }
        switch first & 0x1f {
        case 24, 25:
            var kept = [0]
            var position = first & 0x1f == 24 ? 1 : 3
            while position + 2 < media.count {
                kept += [position, position + 1, position + 2]
                position += 2 + (Int(media[position]) << 8 | Int(media[position + 1]))
            }
            return kept
        case 28, 29: return [0, 1]
        default: return [0]
        }
    }
}
