// Tells the protocols on one port apart by a datagram's first bytes (RFC 7983 §7, and RFC 5761 §4 between RTP and
// RTCP). Looks at nothing behind them: the protocol's own parser decides whether the datagram is sound.

/// What a datagram is, judged by its first bytes (RFC 7983 §7).
public enum DatagramKind: UInt8, Hashable, Sendable {
    /// First byte 0 to 3: STUN (RFC 8489).
    case stun
    /// First byte 16 to 19: ZRTP (RFC 6189).
    case zrtp
    /// First byte 20 to 63: DTLS (RFC 6347).
    case dtls
    /// First byte 64 to 79: TURN channel data (RFC 8656).
    case turnChannel
    /// First byte 128 to 191 and the second outside of 192 to 223: RTP or SRTP.
    case rtp
    /// First byte 128 to 191 and the second 192 to 223: RTCP or SRTCP (RFC 5761 §4).
    case rtcp
    /// Empty, a single RTP byte, or a first byte that RFC 7983 leaves to nobody.
    case unknown
}

/// Sorts datagrams by protocol.
public enum Demultiplexer {
    /// What the datagram is.
    @inline(__always) public static func kind(of bytes: Span<UInt8>) -> DatagramKind {
        guard bytes.count > 0 else { return .unknown }
        switch bytes.uint8(at: 0) {
        case 0...3: return .stun
        case 16...19: return .zrtp
        case 20...63: return .dtls
        case 64...79: return .turnChannel
        case 128...191:
            guard bytes.count > 1 else { return .unknown }
            let second = bytes.uint8(at: 1)
            return second >= 192 && second <= 223 ? .rtcp : .rtp
        default: return .unknown
        }
    }
}
