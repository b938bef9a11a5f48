// One DTLS 1.2 association (RFC 6347, RFC 5764): datagrams in, datagrams out, SRTP keys at the end. It owns no socket and
// no timer: whoever owns it sends what it puts out and calls `advance`. It carries no application data.
import COpenSSL
import Glibc

/// Why a handshake failed or an association ended.
public enum DTLSFailure: Error, Equatable, Sendable {
    /// None of the fingerprints of the other side's description is that of its certificate.
    case fingerprintMismatch
    /// The other side showed no certificate.
    case noCertificate
    /// The two sides have no SRTP profile in common.
    case noProfile
    /// The handshake took longer than it may.
    case timedOut
    /// More datagrams came in than a handshake may need.
    case tooManyDatagrams
    /// OpenSSL or the other side ended the handshake: no common version or suite, a broken message, a fatal alert. The
    /// text is OpenSSL's reason.
    case handshake(String)
    /// Keys could not be exported.
    case keyExport
}

/// One side of a DTLS association. One thread at a time.
@safe public final class DTLSEndpoint {
    /// Which side speaks first.
    public enum Role: Sendable {
        /// Waits for a ClientHello (`a=setup:passive`).
        case server
        /// Sends the ClientHello (`a=setup:active`).
        case client
    }

    /// Where the association is.
    public enum State: Equatable, Sendable {
        /// Nothing has been sent or received.
        case new
        /// The handshake is under way.
        case handshaking
        /// Done, the fingerprint is right, the keys can be had.
        case connected
        /// The other side has closed it.
        case closed
        /// It failed and stays so.
        case failed(DTLSFailure)
    }

    /// The largest datagram sent, in bytes of UDP payload.
    public static let maximumDatagram = 1200
    /// How long a handshake may take, in nanoseconds of the clock given to `advance` and `receive`.
    public static let handshakeTimeout: Int64 = 30_000_000_000
    /// How many datagrams a handshake may take in before it counts as an attack.
    public static let maximumHandshakeDatagrams = 500
    /// How many outgoing datagrams may wait to be taken; more are dropped, as a network would.
    public static let maximumQueuedDatagrams = 64

    /// Where the association is.
    public private(set) var state = State.new
    /// The side it takes.
    public let role: Role
    private let ssl: OpaquePointer
    private let context: DTLSContext
    private let remoteFingerprints: [Fingerprint]
    private var outgoing: [[UInt8]] = []
    fileprivate var incoming: UnsafeRawBufferPointer?
    private var deadline: Int64?
    private var received = 0
    private var keys: SRTPKeys?

    /// Makes an association that waits (server) or may `start` (client). `remoteFingerprints` are those of the other
    /// side's description; one of them must match. None is a mistake of the caller's: nothing would ever connect.
    public init(
        context: DTLSContext, role: Role, remoteFingerprints: [Fingerprint]
    ) throws(TransportError) {
        guard !remoteFingerprints.isEmpty else { throw .invalidRemoteDescription("no usable fingerprint") }
        guard let ssl = unsafe SSL_new(context.context) else { throw .openSSL("SSL_new") }
        guard let method = unsafe DatagramBIO.method, let bio = unsafe BIO_new(method) else {
            unsafe SSL_free(ssl)
            throw .openSSL("BIO_new")
        }
        unsafe self.ssl = ssl
        self.context = context
        self.role = role
        self.remoteFingerprints = remoteFingerprints
        // The BIO points back without a count: it dies with the SSL, which dies with this object.
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe SSL_set_bio(ssl, bio, bio)
        _ = unsafe majlis_DTLS_set_link_mtu(ssl, Self.maximumDatagram)
        // First retransmission after 100 ms, then doubling up to 3 s: a call should not wait a second for a lost packet.
        unsafe DTLS_set_timer_cb(ssl) { _, microseconds in
            microseconds == 0 ? 100_000 : min(microseconds &* 2, 3_000_000)
        }
        switch role {
        case .server: unsafe SSL_set_accept_state(ssl)
        case .client: unsafe SSL_set_connect_state(ssl)
        }
    }

    deinit { unsafe SSL_free(ssl) }

    /// Begins a client's handshake, and the clock of a server's. `now`: nanoseconds of a monotonic clock.
    public func start(at now: Int64) {
        guard state == .new else { return }
        state = .handshaking
        deadline = now &+ Self.handshakeTimeout
        if role == .client { step() }
    }

    /// Takes in one datagram that arrived from the peer's validated address. What is not DTLS is ignored.
    public func receive(_ datagram: UnsafeRawBufferPointer, at now: Int64) {
        guard datagram.count >= 13, unsafe (20...25).contains(datagram[0]), unsafe datagram[1] == 254 else { return }
        start(at: now)
        switch state {
        case .handshaking:
            received += 1
            guard received <= Self.maximumHandshakeDatagrams else { return fail(.tooManyDatagrams) }
        case .connected: break
        case .new, .closed, .failed: return
        }
        unsafe incoming = datagram
        step()
        unsafe incoming = nil
    }

    /// Lets time pass: resends what was lost, and ends a handshake that takes too long. To be called at least each 50 ms
    /// while the handshake lasts.
    public func advance(to now: Int64) {
        guard state == .handshaking else { return }
        if let deadline, now >= deadline { return fail(.timedOut) }
        if unsafe majlis_DTLS_timeout_us(ssl) == 0 {
            ERR_clear_error()
            if unsafe majlis_DTLS_handle_timeout(ssl) < 0 { fail(.timedOut) }
        }
    }

    /// Sends a close alert, if there is an association.
    public func close() {
        if state == .connected {
            ERR_clear_error()
            _ = unsafe SSL_shutdown(ssl)
        }
        if case .failed = state { return }
        state = .closed
    }

    /// The datagrams to send, in order; they are the caller's from now on.
    public func takeOutgoing() -> [[UInt8]] {
        guard !outgoing.isEmpty else { return [] }
        defer { outgoing = [] }
        return outgoing
    }

    /// The SRTP keys; nil unless `connected`. They are handed out once.
    public func takeKeys() -> SRTPKeys? {
        defer { keys = nil }
        return state == .connected ? keys : nil
    }

    fileprivate func send(_ datagram: UnsafeRawBufferPointer) {
        guard outgoing.count < Self.maximumQueuedDatagrams else { return }
        outgoing.append(unsafe Array(datagram))
    }

    private func fail(_ failure: DTLSFailure) {
        keys = nil
        state = .failed(failure)
    }

    private func step() {
        // The error queue is the thread's: what others left there must not be taken for ours.
        ERR_clear_error()
        if state == .connected { return readRecords() }
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 { return finish() }
        let reason = unsafe SSL_get_error(ssl, result)
        if reason != SSL_ERROR_WANT_READ, reason != SSL_ERROR_WANT_WRITE { fail(.handshake(Self.lastError())) }
    }

    /// After the handshake OpenSSL answers repeated flights and alerts; data, which nobody should send, is thrown away.
    private func readRecords() {
        unsafe withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 8) { scratch in
            // A datagram holds few records; the bound is only for safety.
            for _ in 0..<64 {
                let result = unsafe SSL_read(ssl, scratch.baseAddress, Int32(scratch.count))
                guard result <= 0 else { continue }
                switch unsafe SSL_get_error(ssl, result) {
                case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
                case SSL_ERROR_ZERO_RETURN: state = .closed
                default: fail(.handshake(Self.lastError()))
                }
                return
            }
        }
    }

    private func finish() {
        guard let certificate = unsafe SSL_get1_peer_certificate(ssl) else { return fail(.noCertificate) }
        defer { unsafe X509_free(certificate) }
        let matches = remoteFingerprints.contains { expected in
            unsafe Fingerprint(certificate: certificate, algorithm: expected.algorithm)?.matches(expected) ?? false
        }
        guard matches else {
            // The handshake itself went well, so the other side has to be told.
            _ = unsafe SSL_shutdown(ssl)
            return fail(.fingerprintMismatch)
        }
        guard let selected = unsafe SSL_get_selected_srtp_profile(ssl),
            let profile = unsafe SRTPProfile(rawValue: UInt16(truncatingIfNeeded: selected.pointee.id))
        else { return fail(.noProfile) }
        guard let exported = exportKeys(profile) else { return fail(.keyExport) }
        keys = exported
        state = .connected
        deadline = nil
    }

    /// RFC 5764 §4.2: client key, server key, client salt, server salt.
    private func exportKeys(_ profile: SRTPProfile) -> SRTPKeys? {
        let keyLength = profile.keyLength, saltLength = profile.saltLength
        var material = [UInt8](repeating: 0, count: 2 * (keyLength + saltLength))
        let label = "EXTRACTOR-dtls_srtp"
        guard
            unsafe SSL_export_keying_material(
                ssl, &material, material.count, label, label.utf8.count, nil, 0, 0) == 1
        else { return nil }
        let salts = 2 * keyLength
        let client = Array(material[..<keyLength] + material[salts..<(salts + saltLength)])
        let server = Array(material[keyLength..<salts] + material[(salts + saltLength)...])
        unsafe OPENSSL_cleanse(&material, material.count)
        return role == .server
            ? SRTPKeys(profile: profile, send: server, receive: client)
            : SRTPKeys(profile: profile, send: client, receive: server)
    }

    private static func lastError() -> String {
        let code = ERR_peek_error()
        guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "ended by the other side" }
        return unsafe String(cString: reason)
    }
}

/// OpenSSL's view of an endpoint's datagrams: each write is one datagram out, each read the datagram being fed in.
/// `BIO_s_mem` would lose the borders between them.
private enum DatagramBIO {
    /// Made once, never freed, never changed afterwards.
    nonisolated(unsafe) static let method: OpaquePointer? = {
        guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams") else {
            return nil
        }
        unsafe BIO_meth_set_create(method) { bio in
            unsafe BIO_set_init(bio, 1)
            return 1
        }
        unsafe BIO_meth_set_write(method) { bio, bytes, count in
            guard let endpoint = unsafe DatagramBIO.endpoint(of: bio), count >= 0 else { return -1 }
            unsafe endpoint.send(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            return count
        }
        unsafe BIO_meth_set_read(method) { bio, bytes, count in
            unsafe BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            guard let endpoint = unsafe DatagramBIO.endpoint(of: bio), let bytes = unsafe bytes,
                let datagram = unsafe endpoint.incoming, let base = datagram.baseAddress
            else {
                unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
                return -1
            }
            let length = min(Int(max(count, 0)), datagram.count)
            unsafe memcpy(bytes, base, length)
            unsafe endpoint.incoming = nil
            return Int32(length)
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH: 1
            case BIO_CTRL_DGRAM_QUERY_MTU, BIO_CTRL_DGRAM_GET_FALLBACK_MTU: DTLSEndpoint.maximumDatagram
            // Also the MTU overhead: the BIO adds nothing to a datagram.
            default: 0
            }
        }
        return unsafe method
    }()

    private static func endpoint(of bio: OpaquePointer?) -> DTLSEndpoint? {
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<DTLSEndpoint>.fromOpaque(data).takeUnretainedValue()
    }
}
