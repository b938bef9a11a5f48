// One peer's SRTP (RFC 3711, RFC 7714): libsrtp for everything received and for all RTCP, EVP for outgoing RTP. It knows
// no sockets and does not negotiate keys.
//
// A packet with a wrong tag changes nothing here: libsrtp checks a source it does not know against the template and makes
// its state only after the tag was right, and this session counts sources after that too. A flood costs CPU alone.
import COpenSSL
import CSRTP

/// The SRTP of one peer, both directions. One thread at a time.
@safe public final class SRTPSession {
    /// The replay window of received packets, in packet numbers.
    public static let replayWindow = 1024
    /// How many received SSRCs one session may have. libsrtp walks them one by one, so the bound is also one of time.
    public static let maximumReceivedSources = 128

    /// The negotiated profile.
    public let profile: SRTPProfile
    private let inbound: srtp_t
    private let outbound: srtp_t
    private let protector: RTPProtector
    private var knownSources: Set<UInt32> = []
    private var lastSource: UInt32?

    /// libsrtp's one-time initialisation; the status is kept.
    private static let initialised: UInt32 = srtp_init().rawValue

    /// Makes the session from the keys of a handshake.
    public init(keys: SRTPKeys) throws(TransportError) {
        guard Self.initialised == 0 else { throw .libsrtp(step: "srtp_init", code: Self.initialised) }
        profile = keys.profile
        protector = try RTPProtector(profile: keys.profile, master: keys.send)
        let receiving = try unsafe Self.session(keys.profile, master: keys.receive, direction: ssrc_any_inbound)
        do {
            unsafe outbound = try Self.session(keys.profile, master: keys.send, direction: ssrc_any_outbound)
        } catch {
            unsafe srtp_dealloc(receiving)
            throw error
        }
        unsafe inbound = receiving
    }

    deinit {
        unsafe srtp_dealloc(inbound)
        unsafe srtp_dealloc(outbound)
    }

    private static func session(
        _ profile: SRTPProfile, master: [UInt8], direction: srtp_ssrc_type_t
    ) throws(TransportError) -> srtp_t {
        let expected = profile.keyLength + profile.saltLength
        guard master.count == expected else { throw .wrongKeyLength(expected: expected, actual: master.count) }
        var policy = unsafe srtp_policy_t()
        let identifier = srtp_profile_t(rawValue: UInt32(profile.rawValue))
        guard unsafe srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, identifier) == srtp_err_status_ok,
            unsafe srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, identifier) == srtp_err_status_ok
        else { throw .libsrtp(step: "the profile's policy", code: UInt32(profile.rawValue)) }
        unsafe policy.ssrc.type = direction
        unsafe policy.window_size = UInt(replayWindow)
        unsafe policy.allow_repeat_tx = 0
        // libsrtp copies the key; this copy is wiped.
        var key = master
        var session: srtp_t?
        let status = unsafe key.withUnsafeMutableBufferPointer { key in
            unsafe policy.key = key.baseAddress
            defer { unsafe OPENSSL_cleanse(key.baseAddress, key.count) }
            return unsafe srtp_create(&session, &policy)
        }
        guard status == srtp_err_status_ok, let session = unsafe session else {
            throw .libsrtp(step: "srtp_create", code: status.rawValue)
        }
        return unsafe session
    }

    /// Checks and decrypts a received RTP packet in place; answers the plaintext's length.
    public func unprotectRTP(_ bytes: UnsafeMutableRawBufferPointer) throws(SRTPFailure) -> Int {
        guard let base = bytes.baseAddress, bytes.count >= 12 + profile.tagLength,
            bytes.count <= Int(UInt16.max)
        else { throw .malformed }
        let source = unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        let isNew = try checkSource(source)
        var length = Int32(bytes.count)
        try Self.check(unsafe srtp_unprotect(inbound, base, &length))
        if isNew { remember(source) }
        return Int(length)
    }

    /// Checks and decrypts a received RTCP packet in place; answers the plaintext's length.
    public func unprotectRTCP(_ bytes: UnsafeMutableRawBufferPointer) throws(SRTPFailure) -> Int {
        guard let base = bytes.baseAddress, bytes.count >= 8 + profile.rtcpOverhead,
            bytes.count <= Int(UInt16.max)
        else { throw .malformed }
        let source = unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let isNew = try checkSource(source)
        var length = Int32(bytes.count)
        try Self.check(unsafe srtp_unprotect_rtcp(inbound, base, &length))
        if isNew { remember(source) }
        return Int(length)
    }

    /// Protects the RTP packet in the first `count` bytes in place; the buffer needs `profile.tagLength` bytes more.
    /// Answers the new length. After a failure the bytes must not be sent.
    public func protectRTP(_ bytes: UnsafeMutableRawBufferPointer, count: Int) throws(SRTPFailure) -> Int {
        try unsafe protector.protect(bytes, count: count)
    }

    /// Protects the RTCP packet in the first `count` bytes in place; the buffer needs `profile.rtcpOverhead` bytes more.
    /// Answers the new length.
    public func protectRTCP(_ bytes: UnsafeMutableRawBufferPointer, count: Int) throws(SRTPFailure) -> Int {
        guard count >= 8, count <= bytes.count, let base = bytes.baseAddress else { throw .malformed }
        guard bytes.count - count >= profile.rtcpOverhead else { throw .noTailRoom }
        var length = Int32(count)
        try Self.check(unsafe srtp_protect_rtcp(outbound, base, &length))
        return Int(length)
    }

    /// How many SSRCs have been received.
    public var receivedSources: Int { knownSources.count }

    /// Whether libsrtp holds state for a received SSRC: for tests.
    func hasState(ofReceived source: UInt32) -> Bool {
        var rollovers: UInt32 = 0
        return unsafe srtp_get_stream_roc(inbound, source, &rollovers) == srtp_err_status_ok
    }

    /// Whether the source is new; throws when no further one is accepted.
    private func checkSource(_ source: UInt32) throws(SRTPFailure) -> Bool {
        if source == lastSource { return false }
        if knownSources.contains(source) {
            lastSource = source
            return false
        }
        guard knownSources.count < Self.maximumReceivedSources else { throw .tooManySources }
        return true
    }

    private func remember(_ source: UInt32) {
        knownSources.insert(source)
        lastSource = source
    }

    private static func check(_ status: srtp_err_status_t) throws(SRTPFailure) {
        switch status {
        case srtp_err_status_ok: return
        // The second: an RTCP packet that says it is not encrypted, where the profile demands that it is.
        case srtp_err_status_auth_fail, srtp_err_status_cant_check: throw .authentication
        case srtp_err_status_replay_fail: throw .replayed
        case srtp_err_status_replay_old: throw .tooOld
        case srtp_err_status_parse_err, srtp_err_status_bad_param: throw .malformed
        case srtp_err_status_key_expired: throw .exhausted
        default: throw .library
        }
    }
}
