// Takes the media out of RTP packets that go into a new capture: header and extensions stay, and of the payload its first
// bytes, where the descriptors are that forwarding reads (docs/architecture.md, "What is read of a payload").
import MediaCore

/// Cutting packets.
enum PayloadCut {
    /// Bytes of payload that stay. Every payload descriptor is shorter; of an H264 aggregation packet (RFC 6184 §5.7) the
    /// units that begin later are not seen any more.
    static let payloadBytes = 64

    /// The event without its media; whatever is no RTP packet is as it was. A packet with padding (RFC 3550 §5.1) tells its
    /// padding's length in its last byte, so it is kept whole, with zeros where the media was.
    static func cut(_ event: CaptureEvent) -> CaptureEvent {
        switch event {
        case .rtp(let peer, let bytes, let at): cut(bytes, length: bytes.count, of: peer, at: at) ?? event
        case .cut(let peer, .rtp, let bytes, let length, let at): cut(bytes, length: length, of: peer, at: at) ?? event
        default: event
        }
    }

    /// Nil where nothing is to be taken out.
    private static func cut(_ bytes: [UInt8], length: Int, of peer: PeerID, at: Timestamp) -> CaptureEvent? {
        guard let header = RTPHeader(bytes.span) else { return nil }
        let kept = min(bytes.count, Int(header.payloadOffset) + payloadBytes)
        guard kept < bytes.count else { return nil }
        guard header.paddingLength > 0 else {
            return .cut(peer, .rtp, Array(bytes[..<kept]), originalLength: length, at: at)
        }
        var blank = bytes
        for index in kept..<max(kept, bytes.count - 1) { blank[index] = 0 }
        return .rtp(peer, blank, at: at)
    }
}
