// Whether a packet begins a key frame, from the first bytes of its payload: VP8 (RFC 7741 §4), VP9 (RFC 9628 §4.2), H.264
// (RFC 6184 §5) and AV1 (AV1 RTP specification §4.4). Follows no frame over its packets.

/// Finds the packets at which a slot may switch to a stream.
enum KeyFrameDetector {
    /// Whether the payload begins a key frame. A payload too short to tell does not.
    static func beginsKeyFrame(_ codec: Codec, _ bytes: Span<UInt8>, at start: Int, length: Int) -> Bool {
        guard length > 0, bytes.holds(length, at: start) else { return false }
        switch codec {
        case .opus: return true
        case .vp8: return VP8Descriptor(bytes, at: start, length: length)?.isKeyFrame ?? false
        case .vp9: return vp9(bytes, at: start, length: length)
        case .h264: return h264(bytes, at: start, length: length)
        case .av1:
            // N: the first packet of a coded video sequence. Z: it goes on with an element of the packet before.
            return bytes.uint8(at: start) & 0x88 == 0x08
        }
    }

    /// Inter-predicted no (P), begin of frame (B), and the lowest spatial layer where layers are told (L).
    private static func vp9(_ bytes: Span<UInt8>, at start: Int, length: Int) -> Bool {
        let first = bytes.uint8(at: start)
        guard first & 0x48 == 0x08 else { return false }
        guard first & 0x20 != 0 else { return true }
        var position = 1
        if first & 0x80 != 0 {
            guard length > 1 else { return false }
            position += bytes.uint8(at: start + 1) & 0x80 != 0 ? 2 : 1
        }
        guard position < length else { return false }
        return bytes.uint8(at: start + position) & 0x0e == 0
    }

    /// A sequence parameter set, alone or in an aggregate: it comes first, and without it an intra picture cannot be decoded
    /// by somebody who has just come.
    private static func h264(_ bytes: Span<UInt8>, at start: Int, length: Int) -> Bool {
        switch bytes.uint8(at: start) & 0x1f {
        case 7: return true
        case 24:
            var position = 1
            while position + 3 <= length {
                let size = Int(bytes.uint16(at: start + position))
                let kind = bytes.uint8(at: start + position + 2) & 0x1f
                if kind == 7 { return true }
                position += 2 + size
            }
            return false
        default: return false
        }
    }
}
