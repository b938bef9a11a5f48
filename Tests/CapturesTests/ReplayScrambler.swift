// Makes of a capture's packets others with the same headers and lengths, whose payload is noise wherever docs/architecture.md
// ("What is read of a payload") does not say that forwarding reads it.

import Captures
import MediaCore

/// Scrambles the RTP packets that go into a room; what a capture without media left out of them is noise, too.
struct ReplayScrambler {
    private struct Stream {
        var codec: Codec
        var isRetransmission: Bool
    }
    private var streams: [PeerID: [UInt8: Stream]] = [:]
    private var noise: UInt64 = 0x9e37_79b9_7f4a_7c15
    /// Bytes that were replaced.
    private(set) var scrambled = 0
    /// Bytes that were left.
    private(set) var left = 0

    /// The event with its payload scrambled; anything but RTP is as it was.
    mutating func scramble(_ event: CaptureEvent) -> CaptureEvent {
        switch event {
        case .command(.applyPlan(let peer, let plan), _):
            for track in plan.published {
                for codec in track.codecs {
                    streams[peer, default: [:]][codec.payloadType.rawValue] = Stream(
                        codec: codec.codec, isRetransmission: false)
                    guard let rtx = codec.rtxPayloadType else { continue }
                    streams[peer, default: [:]][rtx.rawValue] = Stream(codec: codec.codec, isRetransmission: true)
                }
            }
            return event
        case .cut(let peer, .rtp, let bytes, let length, let at):
            let missing = [UInt8](repeating: 0, count: max(0, length - bytes.count))
            return scramble(.rtp(peer, bytes + missing, at: at))
        case .rtp(let peer, var bytes, let at):
            guard let header = RTPHeader(bytes.span) else { return event }
            let start = Int(header.payloadOffset)
            let kept = keep(bytes, header, peer)
            for index in start..<start + Int(header.payloadLength) {
                if kept.contains(index - start) {
                    left += 1
                } else {
                    noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    bytes[index] ^= UInt8(truncatingIfNeeded: noise >> 33) | 1
                    scrambled += 1
                }
            }
            return .rtp(peer, bytes, at: at)
        default: return event
        }
    }

    /// The offsets in the payload that forwarding may read.
    private func keep(_ bytes: [UInt8], _ header: RTPHeader, _ peer: PeerID) -> Set<Int> {
        guard let stream = streams[peer]?[header.payloadType.rawValue] else { return [] }
        var start = Int(header.payloadOffset)
        var length = Int(header.payloadLength)
        var kept: Set<Int> = []
        var base = 0
        if stream.isRetransmission {
            guard length >= RTXPayload.headLength else { return [] }
            kept = [0, 1]
            base = RTXPayload.headLength
            start += base
            length -= base
        }
        let head: [Int]
        switch stream.codec {
        case .opus: head = []
        case .vp8:
            guard let descriptor = VP8Descriptor(bytes.span, at: start, length: length) else { return kept }
            head = Array(0..<Int(descriptor.length) + (descriptor.startsFrame ? 10 : 0))
        case .vp9:
            guard let descriptor = VP9Descriptor(bytes.span, at: start, length: length) else { return kept }
            head = Array(0..<Int(descriptor.length))
        case .h264: head = Self.unitHeaders(Array(bytes[start..<start + length]))
        case .av1: head = [0]
        }
        kept.formUnion(head.filter { $0 < length }.map { $0 + base })
        return kept
    }

    private static func unitHeaders(_ payload: [UInt8]) -> [Int] {
        guard let first = payload.first else { return [] }
        switch first & 0x1f {
        case 24, 25:
            var kept = [0]
            var position = first & 0x1f == 24 ? 1 : 3
            while position + 2 < payload.count {
                kept += [position, position + 1, position + 2]
                position += 2 + (Int(payload[position]) << 8 | Int(payload[position + 1]))
            }
            return kept
        case 28, 29: return [0, 1]
        default: return [0]
        }
    }
}
