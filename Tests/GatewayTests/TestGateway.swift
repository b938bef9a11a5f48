// A gateway on a loop of its own, with what it told its delegate.
import COpenSSL
import EventLoop
import Gateway
import Glibc
import TestSupport
import Testing

/// All suites of the gateway, one test after the other: the client blocks the thread it runs on, and tests that run at the
/// same time share as many threads as there are processors.
@Suite("The gateway", .serialized)
enum GatewaySuites {}

/// A gateway that answers each message with the same, unless a test says otherwise.
final class TestGateway: GatewayDelegate, @unchecked Sendable {
    struct Told {
        var opened: [ConnectionID] = []
        var received: [[UInt8]] = []
        var closed: [(id: ConnectionID, closure: Closure)] = []
    }

    let loop = LoopThread(name: "gateway")
    let told = Lock(Told())
    /// Called on the loop for each message.
    let answer: @Sendable (Gateway, ConnectionID, [UInt8]) -> Void
    private let opened: @Sendable (Gateway, ConnectionID) -> Void
    /// Called on the loop for each request below /api; unless a test says otherwise, answers with what came.
    let asked = Lock<@Sendable (Gateway, RequestID, GatewayRequest) -> Void>({ $0.respond($1, TestGateway.echo($2)) })
    /// The loop thread's own.
    private var gateway: Gateway?
    private(set) var port: UInt16 = 0

    init(
        _ configure: (inout GatewayConfiguration) -> Void = { _ in },
        opened: @escaping @Sendable (Gateway, ConnectionID) -> Void = { _, _ in },
        answer: @escaping @Sendable (Gateway, ConnectionID, [UInt8]) -> Void = { $0.send($1, utf8: $2) }
    ) async throws {
        self.answer = answer
        self.opened = opened
        var configuration = GatewayConfiguration()
        configuration.maximumConnectionsPerAddress = 0
        configure(&configuration)
        do {
            port = try await onLoop { [configuration] in
                // With TLS libwebsockets makes a context for clients too. It does not find it again at the end when a client
                // in the same process has begun since, which only a test does.
                let gateway = try Sanitizer.forgivingLeaks {
                    try Gateway(loop: self.loop, configuration: configuration, delegate: self)
                }
                self.gateway = gateway
                return gateway.port
            }
        } catch {
            loop.stop()
            throw error
        }
    }

    /// Stops the loop, which closes the gateway.
    func stop() async {
        loop.stop()
        gateway = nil
    }

    private func onLoop<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            loop.perform { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    func perform<Result: Sendable>(_ body: @escaping @Sendable (Gateway) -> Result) async throws -> Result {
        try await onLoop { body(try #require(self.gateway)) }
    }

    func gatewayOpened(_ id: ConnectionID, address: AddressKey) {
        told.withLock { $0.opened.append(id) }
        if let gateway { opened(gateway, id) }
    }

    func gatewayReceived(_ id: ConnectionID, message: [UInt8]) {
        told.withLock { $0.received.append(message) }
        if let gateway { answer(gateway, id, message) }
    }

    func gatewayMethods(path: String) -> [HTTPMethod]? { path.hasPrefix("/api") ? [.get, .post, .delete] : nil }

    func gatewayRefusal(of request: GatewayRequest) -> HTTPResponse? {
        request.path == "/api/closed" ? HTTPResponse(status: 403, text: "no") : nil
    }

    func gatewayRequested(_ id: RequestID, _ request: GatewayRequest) {
        if let gateway { asked.withLock { $0 }(gateway, id, request) }
    }

    /// All of a request, in words.
    static func echo(_ request: GatewayRequest) -> HTTPResponse {
        let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        return HTTPResponse(
            status: 200,
            text: "\(request.method.rawValue) \(request.path) [\(query)] \(request.authorization ?? "-") "
                + "\(request.contentType ?? "-") \(String(decoding: request.body, as: UTF8.self))")
    }

    func gatewayClosed(_ id: ConnectionID, closure: Closure) { told.withLock { $0.closed.append((id, closure)) } }

    func gatewayResponse(path: String) -> HTTPResponse? {
        switch path {
        case "/livez": HTTPResponse(status: 200, text: "ok\n")
        case "/readyz": HTTPResponse(status: 503, text: "not yet\n")
        case "/large": HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: 3_000_000))
        case "/injected": HTTPResponse(status: 200, body: [], headers: [("X-One", "a\r\nX-Two: b")])
        default: nil
        }
    }

    /// The closure of the only connection that has closed, waited for.
    func closure() async -> Closure? {
        _ = await wait { self.told.withLock { !$0.closed.isEmpty } }
        return told.withLock { $0.closed.count == 1 ? $0.closed[0].closure : nil }
    }

    /// Waits until no connection is left.
    func isEmptied(seconds: Double = 10) async -> Bool {
        await wait(seconds: seconds) { (try? await self.perform { $0.connectionCount == 0 }) ?? false }
    }

    /// A client that has upgraded.
    func client(receiveBuffer: Int32? = nil, usesTLS: Bool = false) throws -> TestClient {
        let client = try #require(TestClient(port: port, receiveBuffer: receiveBuffer, usesTLS: usesTLS))
        let response = try #require(client.upgrade())
        try #require(response.status == 101)
        return client
    }
}

/// Waits for a condition, with a deadline.
func wait(seconds: Double = 10, until condition: () async -> Bool) async -> Bool {
    let deadline = MonotonicClock.now + Int64(seconds * 1e9)
    while MonotonicClock.now < deadline {
        if await condition() { return true }
        Pause.milliseconds(2)
    }
    return await condition()
}

/// A folder that goes with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/majlis-gateway-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    func write(_ name: String, _ text: String) {
        let file = fopen(path + "/" + name, "w")
        fputs(text, file)
        fclose(file)
    }

    deinit {
        guard let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { unlink(path + "/" + name) }
        }
        closedir(folder)
        rmdir(path)
    }

    /// Writes a certificate for localhost, signed by its own key, and the key.
    func writeCertificate() throws -> (certificate: String, key: String) {
        let key = try #require(EVP_PKEY_new())
        defer { EVP_PKEY_free(key) }
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        var made: OpaquePointer? = nil
        try #require(EVP_PKEY_keygen(context, &made) == 1)
        defer { EVP_PKEY_free(made) }
        let certificate = try #require(X509_new())
        defer { X509_free(certificate) }
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1)
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3_600)
        X509_set_pubkey(certificate, made)
        let name = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, "localhost", -1, -1, 0)
        X509_set_issuer_name(certificate, name)
        try #require(X509_sign(certificate, made, EVP_sha256()) > 0)
        let paths = (path + "/certificate.pem", path + "/key.pem")
        let first = fopen(paths.0, "w")
        PEM_write_X509(first, certificate)
        fclose(first)
        let second = fopen(paths.1, "w")
        PEM_write_PrivateKey(second, made, nil, nil, 0, nil, nil)
        fclose(second)
        return paths
    }
}
