// Protection of outgoing RTP packets on OpenSSL's EVP, in place (RFC 3711 §3.3, RFC 7714 §8). Byte for byte what libsrtp
// makes, at less than half of its cost (see docs/architecture.md). It does not unprotect and knows no RTCP.
import COpenSSL
import Glibc

/// The egress protection of one session. One thread at a time.
@safe final class RTPProtector {
    /// How many SSRCs one session may send with.
    static let maximumSources = 512

    let profile: SRTPProfile
    private let cipher: OpaquePointer
    /// The session salt, in the last bytes of what will be the IV: 14 of 16 (counter mode) or 12 of 12 (GCM).
    private let salt: [UInt8]
    /// SHA-1 states with the inner and the outer pad of HMAC already taken in (counter mode only).
    private let pads: UnsafeMutablePointer<SHA_CTX>
    private let initialVector: UnsafeMutablePointer<UInt8>
    private var sources: [EgressSequence] = []
    private var rows: [UInt32: Int] = [:]
    private var lastRow = 0

    /// Derives the session keys. `master` is the profile's key and salt.
    convenience init(profile: SRTPProfile, master: [UInt8]) throws(TransportError) {
        let expected = profile.keyLength + profile.saltLength
        guard master.count == expected else { throw .wrongKeyLength(expected: expected, actual: master.count) }
        let key = master[..<profile.keyLength], salt = master[profile.keyLength...]
        try self.init(
            profile: profile,
            cipherKey: SRTPKeyDerivation.derive(
                .rtpCipher, count: profile.keyLength, masterKey: key, masterSalt: salt),
            salt: SRTPKeyDerivation.derive(.rtpSalt, count: profile.saltLength, masterKey: key, masterSalt: salt),
            authenticationKey: SRTPKeyDerivation.derive(
                .rtpAuthentication, count: SRTPKeyDerivation.authenticationKeyLength, masterKey: key,
                masterSalt: salt))
    }

    /// Takes session keys as they are: for the standards' vectors.
    init(profile: SRTPProfile, cipherKey: [UInt8], salt: [UInt8], authenticationKey: [UInt8]) throws(TransportError) {
        guard let context = unsafe EVP_CIPHER_CTX_new() else { throw .openSSL("EVP_CIPHER_CTX_new") }
        let algorithm =
            switch profile {
            case .aes128CounterModeSHA1: unsafe EVP_aes_128_ctr()
            case .aes128GCM: unsafe EVP_aes_128_gcm()
            case .aes256GCM: unsafe EVP_aes_256_gcm()
            }
        guard cipherKey.count == profile.keyLength, salt.count == profile.saltLength,
            unsafe EVP_EncryptInit_ex(context, algorithm, nil, cipherKey, nil) == 1
        else {
            unsafe EVP_CIPHER_CTX_free(context)
            throw .openSSL("SRTP cipher set-up")
        }
        self.profile = profile
        unsafe cipher = context
        self.salt = salt
        unsafe pads = .allocate(capacity: 2)
        unsafe pads.initialize(repeating: SHA_CTX(), count: 2)
        unsafe majlis_hmac_sha1_pads(authenticationKey, authenticationKey.count, pads, pads + 1)
        unsafe initialVector = .allocate(capacity: 16)
        unsafe initialVector.initialize(repeating: 0, count: 16)
    }

    deinit {
        for source in sources { source.free() }
        unsafe EVP_CIPHER_CTX_free(cipher)
        unsafe OPENSSL_cleanse(pads, 2 * MemoryLayout<SHA_CTX>.stride)
        unsafe pads.deallocate()
        unsafe initialVector.deallocate()
    }

    /// Protects the packet in the first `count` bytes; what follows is room for the tag. Answers the new length. After a
    /// failure the bytes are of no use and must not be sent.
    func protect(_ bytes: UnsafeMutableRawBufferPointer, count: Int) throws(SRTPFailure) -> Int {
        let payload = try unsafe Self.payloadOffset(UnsafeRawBufferPointer(bytes), count: count)
        guard bytes.count - count >= profile.tagLength, let base = bytes.baseAddress else { throw .noTailRoom }
        let sequence = unsafe UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        let ssrc = unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        let row = try row(of: ssrc)
        let index = try sources[row].index(of: sequence)
        let packet = unsafe base.assumingMemoryBound(to: UInt8.self)
        switch profile {
        case .aes128CounterModeSHA1:
            try unsafe counterMode(packet, payload: payload, count: count, ssrc: ssrc, index: index)
        case .aes128GCM, .aes256GCM:
            try unsafe galois(packet, payload: payload, count: count, ssrc: ssrc, index: index)
        }
        let mark = unsafe base.loadUnaligned(fromByteOffset: count, as: UInt32.self)
        guard sources[row].mark(index, tag: mark) else {
            // What was just computed must not leave: it is a second message under one nonce.
            unsafe memset(base, 0, count + profile.tagLength)
            throw .nonceReuse
        }
        return count + profile.tagLength
    }

    /// Where the encrypted part begins: after the header, its contributing sources and its extension.
    @inline(__always)
    static func payloadOffset(_ bytes: UnsafeRawBufferPointer, count: Int) throws(SRTPFailure) -> Int {
        guard count >= 12, count <= bytes.count, count <= Int(Int32.max), unsafe bytes[0] >> 6 == 2 else {
            throw .malformed
        }
        var offset = unsafe 12 + 4 * Int(bytes[0] & 15)
        if unsafe bytes[0] & 0x10 != 0 {
            guard offset + 4 <= count else { throw .malformed }
            let words = unsafe Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
            offset += 4 + 4 * words
        }
        guard offset <= count else { throw .malformed }
        return offset
    }

    private func row(of ssrc: UInt32) throws(SRTPFailure) -> Int {
        if lastRow < sources.count, sources[lastRow].ssrc == ssrc { return lastRow }
        if let row = rows[ssrc] {
            lastRow = row
            return row
        }
        guard sources.count < Self.maximumSources else { throw .tooManySources }
        lastRow = sources.count
        rows[ssrc] = lastRow
        sources.append(EgressSequence(ssrc: ssrc))
        return lastRow
    }

    /// RFC 7714 §8.1: the IV is the salt XOR (two zero bytes, SSRC, rollover counter, sequence number).
    private func galois(
        _ packet: UnsafeMutablePointer<UInt8>, payload: Int, count: Int, ssrc: UInt32, index: UInt64
    ) throws(SRTPFailure) {
        let low = UInt64(ssrc) << 48 | index
        unsafe initialVector[0] = salt[0]
        unsafe initialVector[1] = salt[1]
        unsafe initialVector[2] = salt[2] ^ UInt8(truncatingIfNeeded: ssrc >> 24)
        unsafe initialVector[3] = salt[3] ^ UInt8(truncatingIfNeeded: ssrc >> 16)
        for byte in 0..<8 {
            unsafe initialVector[4 + byte] = salt[4 + byte] ^ UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * byte))
        }
        var written: Int32 = 0
        guard unsafe EVP_EncryptInit_ex(cipher, nil, nil, nil, initialVector) == 1,
            unsafe EVP_EncryptUpdate(cipher, nil, &written, packet, Int32(payload)) == 1,
            unsafe count == payload
                || EVP_EncryptUpdate(
                    cipher, packet + payload, &written, packet + payload, Int32(count - payload)) == 1,
            unsafe EVP_EncryptFinal_ex(cipher, packet + count, &written) == 1,
            unsafe EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, packet + count) == 1
        else { throw .library }
    }

    /// RFC 3711 §4.1.1 and §4.2.1: counter mode, then HMAC-SHA1 over the packet and the rollover counter.
    private func counterMode(
        _ packet: UnsafeMutablePointer<UInt8>, payload: Int, count: Int, ssrc: UInt32, index: UInt64
    ) throws(SRTPFailure) {
        for byte in 0..<14 { unsafe initialVector[byte] = salt[byte] }
        for byte in 0..<4 {
            unsafe initialVector[4 + byte] ^= UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - 8 * byte))
        }
        for byte in 0..<6 {
            unsafe initialVector[8 + byte] ^= UInt8(truncatingIfNeeded: index >> UInt64(40 - 8 * byte))
        }
        unsafe initialVector[14] = 0
        unsafe initialVector[15] = 0
        var written: Int32 = 0
        guard unsafe EVP_EncryptInit_ex(cipher, nil, nil, nil, initialVector) == 1,
            unsafe count == payload
                || EVP_EncryptUpdate(
                    cipher, packet + payload, &written, packet + payload, Int32(count - payload)) == 1
        else { throw .library }
        let rollovers = UInt32(truncatingIfNeeded: index >> 16)
        unsafe majlis_hmac_sha1_80(pads, pads + 1, packet, count, rollovers, packet + count)
    }
}
