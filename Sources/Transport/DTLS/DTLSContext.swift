// The OpenSSL context of DTLS 1.2 for one identity (RFC 8827 §6.5, RFC 5764): versions, suites, groups, SRTP profiles.
// It checks no chain: the certificate is checked against the SDP's fingerprint after the handshake.
import COpenSSL

/// Settings shared by all DTLS endpoints of an identity. May be used on several threads at once.
@safe public final class DTLSContext: @unchecked Sendable {
    /// The largest certificate message taken from a peer, in bytes.
    static let maximumCertificateBytes = 16_384

    // SSL_CTX is reference-counted and locked by OpenSSL; it is not changed after init: Sendable.
    let context: OpaquePointer
    /// The identity shown to peers.
    public let identity: DTLSIdentity

    /// Makes the context; `profiles` are offered and chosen in their order.
    public convenience init(
        identity: DTLSIdentity, profiles: [SRTPProfile] = SRTPProfile.preferred
    ) throws(TransportError) {
        try self.init(identity: identity, profiles: profiles, version: DTLS1_2_VERSION)
    }

    /// With another version only for the tests of its refusal.
    init(identity: DTLSIdentity, profiles: [SRTPProfile], version: Int32) throws(TransportError) {
        guard let context = unsafe SSL_CTX_new(DTLS_method()) else { throw .openSSL("SSL_CTX_new") }
        unsafe majlis_SSL_CTX_set_dtls_options(context)
        unsafe majlis_SSL_CTX_set_max_cert_list(context, Self.maximumCertificateBytes)
        let names = profiles.map(\.opensslName).joined(separator: ":")
        // Forward secrecy and AEAD only; ECDSA for our own certificate, RSA for peers that have such a one.
        let suites =
            version == DTLS1_2_VERSION
            ? "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
                + ":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
            : "DEFAULT:@SECLEVEL=0"
        guard unsafe majlis_SSL_CTX_set_min_proto(context, version) == 1,
            unsafe majlis_SSL_CTX_set_max_proto(context, version) == 1,
            unsafe SSL_CTX_set_cipher_list(context, suites) == 1,
            unsafe majlis_SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1,
            unsafe SSL_CTX_use_certificate(context, identity.certificate) == 1,
            unsafe SSL_CTX_use_PrivateKey(context, identity.key) == 1,
            // This one call answers 0 when it succeeds.
            unsafe SSL_CTX_set_tlsext_use_srtp(context, names) == 0
        else {
            unsafe SSL_CTX_free(context)
            throw .openSSL("setting up the DTLS context")
        }
        // A certificate is demanded; any is taken here, because a self-signed one proves itself by its fingerprint only.
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT) { _, _ in 1 }
        unsafe self.context = context
        self.identity = identity
    }

    deinit { unsafe SSL_CTX_free(context) }
}
