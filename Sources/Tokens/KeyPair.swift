// OpenSSL's part of the signatures: key pairs, HMAC, ECDSA's two forms, random bytes. The only file here that calls C.

internal import COpenSSL

/// A private or public key as OpenSSL holds it. It is not changed after it was read, and OpenSSL's own counting lets
/// several threads use it at once: hence `@unchecked Sendable`.
@safe final class KeyPair: @unchecked Sendable {
    private let key: OpaquePointer
    /// Whether it can sign.
    let isPrivate: Bool

    /// Reads a private or a public key in PEM. An encrypted one is refused; nobody is asked for a password.
    init(pem: [UInt8]) throws(TokenKeyError) {
        if let key = unsafe Self.read(pem, isPrivate: true) {
            unsafe self.key = key
            isPrivate = true
        } else if let key = unsafe Self.read(pem, isPrivate: false) {
            unsafe self.key = key
            isPrivate = false
        } else {
            throw .notPEM
        }
    }

    deinit { unsafe EVP_PKEY_free(key) }

    private static func read(_ pem: [UInt8], isPrivate: Bool) -> OpaquePointer? {
        // Failures leave entries in the thread's error queue, which a TLS call on the same thread would trip over.
        defer { ERR_clear_error() }
        guard let length = Int32(exactly: pem.count) else { return nil }
        return unsafe pem.withUnsafeBytes { bytes in
            guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, length) else { return nil }
            defer { unsafe BIO_free(bio) }
            let noPassword:
                @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
            unsafe noPassword = { _, _, _, _ in -1 }
            return unsafe isPrivate
                ? PEM_read_bio_PrivateKey(bio, nil, noPassword, nil) : PEM_read_bio_PUBKEY(bio, nil, noPassword, nil)
        }
    }

    /// Whether the key is what an algorithm needs.
    func fits(_ algorithm: TokenAlgorithm) -> Bool {
        let kind = unsafe EVP_PKEY_get_base_id(key)
        switch algorithm {
        case .hs256: return false
        case .rs256: return unsafe kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= Int32(TokenKey.rsaBits)
        case .edDSA: return kind == EVP_PKEY_ED25519
        case .es256:
            guard kind == EVP_PKEY_EC else { return false }
            var name = [CChar](repeating: 0, count: 64)
            var length = 0
            guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else { return false }
            let group = String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return group == "prime256v1" || group == "P-256"
        }
    }

    /// The signature of a message, in OpenSSL's form (DER for ECDSA), or nil when OpenSSL fails.
    /// - Parameter hashed: with SHA-256; Ed25519 hashes by itself.
    func sign(_ message: [UInt8], hashed: Bool) -> [UInt8]? {
        defer { ERR_clear_error() }
        guard let context = unsafe EVP_MD_CTX_new() else { return nil }
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestSignInit(context, nil, hashed ? EVP_sha256() : nil, nil, key) == 1 else { return nil }
        var length = 0
        guard unsafe EVP_DigestSign(context, nil, &length, message, message.count) == 1 else { return nil }
        var signature = [UInt8](repeating: 0, count: length)
        guard unsafe EVP_DigestSign(context, &signature, &length, message, message.count) == 1 else { return nil }
        return Array(signature.prefix(length))
    }

    /// Whether a signature in OpenSSL's form is this key's over a message.
    func verifies(_ signature: [UInt8], of message: [UInt8], hashed: Bool) -> Bool {
        defer { ERR_clear_error() }
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestVerifyInit(context, nil, hashed ? EVP_sha256() : nil, nil, key) == 1 else {
            return false
        }
        return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}

/// HMAC with SHA-256 (RFC 2104).
enum MAC {
    /// Bytes of a code.
    static let bytes = 32

    /// The code of a message, or nil when OpenSSL fails.
    static func sha256(secret: [UInt8], message: [UInt8]) -> [UInt8]? {
        guard let length = Int32(exactly: secret.count) else { return nil }
        var code = [UInt8](repeating: 0, count: bytes)
        var written: UInt32 = 0
        guard unsafe HMAC(EVP_sha256(), secret, length, message, message.count, &code, &written) != nil else {
            return nil
        }
        return written == UInt32(bytes) ? code : nil
    }

    /// Compares in a time that depends on the lengths only.
    static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return unsafe CRYPTO_memcmp(a, b, a.count) == 0
    }
}

/// The two forms of an ECDSA signature on P-256: DER (RFC 3279 §2.2.3), which OpenSSL speaks, and r and s of 32 bytes
/// each one after the other (RFC 7518 §3.4), which tokens carry.
enum ECDSASignature {
    /// Bytes of r and of s.
    static let halfBytes = 32

    /// DER from r and s, or nil for another length.
    static func der(fromRaw raw: [UInt8]) -> [UInt8]? {
        guard raw.count == 2 * halfBytes, let signature = unsafe ECDSA_SIG_new() else { return nil }
        defer { unsafe ECDSA_SIG_free(signature) }
        let r = unsafe BN_bin2bn(Array(raw[..<halfBytes]), Int32(halfBytes), nil)
        let s = unsafe BN_bin2bn(Array(raw[halfBytes...]), Int32(halfBytes), nil)
        guard unsafe r != nil, unsafe s != nil, unsafe ECDSA_SIG_set0(signature, r, s) == 1 else {
            unsafe BN_free(r)
            unsafe BN_free(s)
            return nil
        }
        let length = unsafe i2d_ECDSA_SIG(signature, nil)
        guard length > 0 else { return nil }
        var der = [UInt8](repeating: 0, count: Int(length))
        let written = unsafe der.withUnsafeMutableBufferPointer { bytes in
            var position = bytes.baseAddress
            return unsafe i2d_ECDSA_SIG(signature, &position)
        }
        return written == length ? der : nil
    }

    /// r and s from DER, or nil when it is not a signature on P-256.
    static func raw(fromDER der: [UInt8]) -> [UInt8]? {
        defer { ERR_clear_error() }
        let parsed = unsafe der.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            return unsafe d2i_ECDSA_SIG(nil, &position, bytes.count)
        }
        guard let signature = unsafe parsed else { return nil }
        defer { unsafe ECDSA_SIG_free(signature) }
        var r = [UInt8](repeating: 0, count: halfBytes)
        var s = [UInt8](repeating: 0, count: halfBytes)
        guard unsafe BN_bn2binpad(ECDSA_SIG_get0_r(signature), &r, Int32(halfBytes)) == Int32(halfBytes),
            unsafe BN_bn2binpad(ECDSA_SIG_get0_s(signature), &s, Int32(halfBytes)) == Int32(halfBytes)
        else { return nil }
        return r + s
    }
}

/// Random bytes fit for secrets.
public enum SecureRandom {
    /// So many random bytes, from OpenSSL's generator.
    public static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(0, count))
        guard unsafe RAND_bytes(&bytes, Int32(clamping: bytes.count)) == 1 else {
            preconditionFailure("OpenSSL has no random bytes: no secret can be made.")
        }
        return bytes
    }
}
