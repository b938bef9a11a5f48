// The SRTP protection profiles that are negotiated in DTLS (RFC 5764 §4.1.2, RFC 7714 §14.2), their sizes and order.

/// An SRTP protection profile; the raw value is the one of the DTLS `use_srtp` extension.
public enum SRTPProfile: UInt16, Sendable, CaseIterable {
    /// AES-128 in counter mode with HMAC-SHA1 cut to 80 bits (RFC 5764).
    case aes128CounterModeSHA1 = 1
    /// AES-128 in Galois counter mode (RFC 7714).
    case aes128GCM = 7
    /// AES-256 in Galois counter mode (RFC 7714).
    case aes256GCM = 8

    /// The order in which they are offered and chosen: the cheapest first.
    public static let preferred: [SRTPProfile] = [.aes128GCM, .aes256GCM, .aes128CounterModeSHA1]

    /// Bytes of the master key (and of the session's cipher key).
    public var keyLength: Int { self == .aes256GCM ? 32 : 16 }

    /// Bytes of the master salt as DTLS exports it.
    public var saltLength: Int { self == .aes128CounterModeSHA1 ? 14 : 12 }

    /// Bytes that protection adds at the end of an RTP packet.
    public var tagLength: Int { self == .aes128CounterModeSHA1 ? 10 : 16 }

    /// Bytes that protection adds at the end of an RTCP packet: the tag and the index word.
    public var rtcpOverhead: Int { tagLength + 4 }

    /// OpenSSL's name of it.
    var opensslName: String {
        switch self {
        case .aes128CounterModeSHA1: "SRTP_AES128_CM_SHA1_80"
        case .aes128GCM: "SRTP_AEAD_AES_128_GCM"
        case .aes256GCM: "SRTP_AEAD_AES_256_GCM"
        }
    }
}

/// The SRTP master keys of both directions, as exported from a DTLS handshake (RFC 5764 §4.2).
public struct SRTPKeys: Sendable {
    /// The negotiated profile.
    public let profile: SRTPProfile
    /// Master key and master salt for what is sent, one after the other.
    public let send: [UInt8]
    /// Master key and master salt for what is received, one after the other.
    public let receive: [UInt8]

    /// Takes the keys of both directions.
    public init(profile: SRTPProfile, send: [UInt8], receive: [UInt8]) {
        self.profile = profile
        self.send = send
        self.receive = receive
    }
}

/// Why a packet was not protected or unprotected.
public enum SRTPFailure: Error, Sendable, CaseIterable {
    /// The authentication tag is wrong.
    case authentication
    /// The packet's number was seen before.
    case replayed
    /// The packet's number lies behind the replay window.
    case tooOld
    /// The packet is not RTP or RTCP version 2, or ends inside its own header.
    case malformed
    /// More sources than a session may have.
    case tooManySources
    /// The packet's number was protected before with other bytes: a second nonce use that would give keys away.
    case nonceReuse
    /// All packet numbers of the key are used.
    case exhausted
    /// The buffer has no room for the tag.
    case noTailRoom
    /// The library refused for another reason.
    case library
}
