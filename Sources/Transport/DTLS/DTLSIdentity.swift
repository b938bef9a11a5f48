// The server's own key and self-signed certificate for DTLS (RFC 8827 §6.5). Its owner makes a new one each day; what is
// connected keeps the one it began with.
import COpenSSL

/// A key pair and its self-signed certificate.
@safe public final class DTLSIdentity: @unchecked Sendable {
    /// The kinds of key.
    public enum KeyKind: Sendable {
        /// ECDSA on P-256: what the server uses.
        case ecdsaP256
        /// RSA of 2048 bits: what some peers use; here for tests of them.
        case rsa2048
    }

    /// How long a certificate is valid: rotation is daily, connections end well before this.
    public static let validitySeconds = 30 * 86_400

    // OpenSSL counts references to both atomically, and nothing changes them after init: Sendable.
    let key: OpaquePointer
    let certificate: OpaquePointer
    /// The certificate's SHA-256 fingerprint, for SDP.
    public let fingerprint: Fingerprint

    /// Makes a new key and certificate: about 50 µs for ECDSA, some 100 ms for RSA.
    public init(_ kind: KeyKind = .ecdsaP256) throws(TransportError) {
        let key = try unsafe Self.generateKey(kind)
        guard let certificate = unsafe X509_new() else {
            unsafe EVP_PKEY_free(key)
            throw .openSSL("X509_new")
        }
        var serial: UInt64 = 0
        let name = unsafe X509_get_subject_name(certificate)
        let random = unsafe withUnsafeMutableBytes(of: &serial) { unsafe RAND_bytes($0.baseAddress, 8) }
        guard random == 1, unsafe X509_set_version(certificate, 2) == 1,
            unsafe ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1,
            // A day back: clients with a slow clock.
            unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), -86_400) != nil,
            unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), Self.validitySeconds) != nil,
            unsafe X509_set_pubkey(certificate, key) == 1,
            unsafe X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, "WebRTC", -1, -1, 0) == 1,
            unsafe X509_set_issuer_name(certificate, name) == 1,
            unsafe X509_sign(certificate, key, EVP_sha256()) > 0,
            let fingerprint = unsafe Fingerprint(certificate: certificate, algorithm: .sha256)
        else {
            unsafe X509_free(certificate)
            unsafe EVP_PKEY_free(key)
            throw .openSSL("making a certificate")
        }
        unsafe self.key = key
        unsafe self.certificate = certificate
        self.fingerprint = fingerprint
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }

    private static func generateKey(_ kind: KeyKind) throws(TransportError) -> OpaquePointer {
        let algorithm = kind == .rsa2048 ? EVP_PKEY_RSA : EVP_PKEY_EC
        guard let context = unsafe EVP_PKEY_CTX_new_id(algorithm, nil) else { throw .openSSL("EVP_PKEY_CTX_new_id") }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_keygen_init(context) == 1 else { throw .openSSL("EVP_PKEY_keygen_init") }
        let chosen =
            switch kind {
            case .ecdsaP256: unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
            case .rsa2048: unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048)
            }
        var key: OpaquePointer?
        guard chosen == 1, unsafe EVP_PKEY_keygen(context, &key) == 1, let key = unsafe key else {
            throw .openSSL("EVP_PKEY_keygen")
        }
        return unsafe key
    }
}
