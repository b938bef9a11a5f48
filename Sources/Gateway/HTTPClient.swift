// A client of HTTP/1.1 for the command line (RFC 9112), on libwebsockets: one request at a time, blocking the thread that
// asks. Follows no redirection, uses no proxy, keeps no connection. It is no part of a server.
import CWebSockets
import EventLoop
import Glibc

/// Why there is no response: one sentence that a person understands, with nothing secret in it.
public struct HTTPClientError: Error, Equatable, CustomStringConvertible {
    /// The sentence.
    public let description: String
    /// An error with this sentence.
    public init(_ description: String) { self.description = description }
}

/// Asks one server.
public struct HTTPClient: Sendable {
    /// The largest body of a response that is taken in, in bytes.
    public static let maximumBodyBytes = 8_388_608

    let isSecure: Bool
    let host: String
    let port: Int32
    private let authorityFile: String?

    /// A client of the server at `http://` or `https://`, host, and perhaps a port.
    /// - Parameter authorityFile: a PEM file of the authority that signed the server's certificate; nil: those that the
    ///   system trusts. A certificate is always verified, and its name compared.
    public init(server: String, authorityFile: String? = nil) throws(HTTPClientError) {
        let wrong = HTTPClientError("\(server) is not the address of a server, such as https://meet.example.org:8480")
        var rest = Substring(server)
        if rest.hasPrefix("https://") {
            isSecure = true
            rest = rest.dropFirst(8)
        } else if rest.hasPrefix("http://") {
            isSecure = false
            rest = rest.dropFirst(7)
        } else {
            throw wrong
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var port: Int32 = isSecure ? 443 : 80
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]") {
            guard let number = Int32(rest[rest.index(after: colon)...]), (1...65_535).contains(number) else {
                throw wrong
            }
            port = number
            rest = rest[..<colon]
        }
        if rest.hasPrefix("["), rest.hasSuffix("]") { rest = rest.dropFirst().dropLast() }
        guard !rest.isEmpty, rest.utf8.count <= 253, rest.utf8.allSatisfy({ Self.isHostByte($0) }) else { throw wrong }
        host = String(rest)
        self.port = port
        self.authorityFile = authorityFile
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Percent-encodes one segment of a path, or one value of a query (RFC 3986 section 2.3).
    public static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"),
                UInt8(ascii: "."):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Sends one request and waits for its response.
    /// - Parameters:
    ///   - target: the path and query, percent-encoded.
    ///   - bearer: the token for Authorization.
    ///   - json: a body; nil: none.
    ///   - seconds: how long all of it may take.
    public func send(
        _ method: HTTPMethod, _ target: String, bearer: String? = nil, json: String? = nil, seconds: Double = 15
    ) throws(HTTPClientError) -> HTTPResponse {
        for text in [target, bearer ?? ""] where text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            throw HTTPClientError("the path or the token has characters in it that neither can have")
        }
        if let authorityFile, unsafe access(authorityFile, R_OK) != 0 {
            throw HTTPClientError("\(authorityFile) cannot be read: \(errorText(errno))")
        }
        var headers: [(String, String)] = []
        if let bearer { headers.append(("Authorization:", "Bearer \(bearer)")) }
        if json != nil { headers.append(("Content-Type:", "application/json")) }
        let body = Array((json ?? "").utf8)
        if !body.isEmpty || method != .get { headers.append(("Content-Length:", "\(body.count)")) }
        let exchange = HTTPExchange(client: self, headers: headers, body: body)
        let outcome = exchange.run(method, target, authorityFile: authorityFile, seconds: seconds)
        switch outcome {
        case .success(let response): return response
        case .failure(let error): throw error
        }
    }
}

/// One request and its response, on a context of its own.
@safe private final class HTTPExchange {
    private let client: HTTPClient
    private let headers: [(String, String)]
    private let body: [UInt8]
    private var status = 0
    private var contentType = ""
    private var received: [UInt8] = []
    private var outcome: Result<HTTPResponse, HTTPClientError>?

    init(client: HTTPClient, headers: [(String, String)], body: [UInt8]) {
        (self.client, self.headers, self.body) = (client, headers, body)
    }

    private var place: String {
        client.host.contains(":") ? "[\(client.host)]:\(client.port)" : "\(client.host):\(client.port)"
    }

    func run(
        _ method: HTTPMethod, _ target: String, authorityFile: String?, seconds: Double
    ) -> Result<HTTPResponse, HTTPClientError> {
        LibraryLog.redirect()
        // libwebsockets would use it, for this machine's own addresses too.
        unsafe unsetenv("http_proxy")
        var strings: [UnsafeMutablePointer<CChar>] = unsafe []
        func string(_ text: String) -> UnsafePointer<CChar>? {
            guard let copy = unsafe strdup(text) else { return nil }
            unsafe strings.append(copy)
            return unsafe UnsafePointer(copy)
        }
        defer { unsafe strings.forEach { unsafe free($0) } }
        let protocols = UnsafeMutablePointer<lws_protocols>.allocate(capacity: 2)
        unsafe protocols.initialize(repeating: lws_protocols(), count: 2)
        defer { unsafe protocols.deallocate() }
        unsafe protocols[0].name = string("http")
        unsafe protocols[0].callback = exchangeCallback
        unsafe protocols[0].rx_buffer_size = 16_384
        var info = unsafe lws_context_creation_info()
        unsafe majlis_lws_prepare_client(&info, Unmanaged.passUnretained(self).toOpaque())
        unsafe info.protocols = UnsafePointer(protocols)
        if let authorityFile { unsafe info.client_ssl_ca_filepath = string(authorityFile) }
        unsafe info.timeout_secs = UInt32(max(seconds, 1)) + 1
        unsafe info.connect_timeout_secs = UInt32(max(seconds, 1)) + 1
        guard let context = unsafe lws_create_context(&info) else {
            return .failure(HTTPClientError("libwebsockets could not start (\(LibraryLog.lastLine))"))
        }
        defer { unsafe lws_context_destroy(context) }
        let alarm = UnsafeMutablePointer<lws_sorted_usec_list_t>.allocate(capacity: 1)
        unsafe alarm.initialize(to: lws_sorted_usec_list_t())
        defer { unsafe alarm.deallocate() }

        var connect = unsafe lws_client_connect_info()
        unsafe connect.context = context
        unsafe connect.address = string(client.host)
        unsafe connect.host = string(place)
        unsafe connect.origin = unsafe connect.host
        unsafe connect.port = client.port
        unsafe connect.path = string(target)
        unsafe connect.method = string(method.rawValue)
        unsafe connect.protocol = unsafe protocols[0].name
        unsafe connect.alpn = string("http/1.1")
        unsafe connect.ssl_connection = Int32(
            LCCSCF_HTTP_NO_FOLLOW_REDIRECT.rawValue | (client.isSecure ? LCCSCF_USE_SSL.rawValue : 0))
        if unsafe lws_client_connect_via_info(&connect) == nil, outcome == nil { fail(LibraryLog.lastLine) }
        let end = MonotonicClock.now + nanoseconds(seconds)
        while outcome == nil {
            guard MonotonicClock.now < end else {
                outcome = .failure(HTTPClientError("\(place) did not answer in \(Int(seconds)) seconds"))
                break
            }
            // Wakes the call below, which has no limit of its own.
            unsafe lws_sul_schedule(context, 0, alarm, { _ in }, 50_000)
            if unsafe lws_service(context, 0) < 0 { fail("it gave up") }
        }
        unsafe lws_sul_schedule(context, 0, alarm, nil, Int64(LWS_SET_TIMER_USEC_CANCEL))
        return outcome ?? .failure(HTTPClientError("\(place) cannot be reached"))
    }

    private func fail(_ why: String) {
        guard outcome == nil else { return }
        let reason = why.isEmpty ? "the connection broke" : why
        outcome = .failure(HTTPClientError("\(place) cannot be reached: \(reason)"))
    }

    // MARK: What libwebsockets calls

    func happened(
        _ wsi: OpaquePointer, _ reason: lws_callback_reasons, _ bytes: UnsafeMutableRawPointer?, _ count: Int
    ) -> Int32 {
        switch reason {
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
            let words = unsafe bytes.map {
                unsafe String(decoding: UnsafeRawBufferPointer(start: $0, count: count), as: UTF8.self)
            }
            fail(words ?? "nobody listens there")
        case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return unsafe appendHeaders(wsi, bytes, count)
        case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE: return unsafe sendBody(wsi)
        case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
            status = unsafe Int(lws_http_client_http_response(wsi))
            var value = [CChar](repeating: 0, count: 256)
            let copied = unsafe lws_hdr_copy(wsi, &value, 256, WSI_TOKEN_HTTP_CONTENT_TYPE)
            contentType = String(
                decoding: value.prefix(max(Int(copied), 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
            var buffer = [CChar](repeating: 0, count: Int(majlis_lws_head_room) + 16_384)
            return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
                var start = unsafe buffer.baseAddress.map { unsafe $0 + Int(majlis_lws_head_room) }
                var length = Int32(16_384)
                return unsafe lws_http_client_read(wsi, &start, &length) < 0 ? -1 : 0
            }
        case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
            guard received.count + count <= HTTPClient.maximumBodyBytes else {
                outcome = .failure(HTTPClientError("\(place) answered with more than 8 MiB"))
                return -1
            }
            unsafe received.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count))
        case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
            if outcome == nil {
                outcome = .success(HTTPResponse(status: status, contentType: contentType, body: received))
            }
        case LWS_CALLBACK_CLOSED_CLIENT_HTTP: fail("the connection broke before the whole answer had come")
        default: break
        }
        return 0
    }

    private func appendHeaders(_ wsi: OpaquePointer, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int32 {
        guard let place = unsafe bytes?.assumingMemoryBound(to: UnsafeMutablePointer<UInt8>?.self),
            let start = unsafe place.pointee
        else { return -1 }
        let end = unsafe start + count
        for (name, value) in headers {
            let octets = Array(value.utf8)
            guard unsafe lws_add_http_header_by_name(wsi, name, octets, Int32(octets.count), place, end) == 0 else {
                outcome = .failure(HTTPClientError("the token is too long"))
                return -1
            }
        }
        if !body.isEmpty {
            unsafe lws_client_http_body_pending(wsi, 1)
            unsafe lws_callback_on_writable(wsi)
        }
        return 0
    }

    private func sendBody(_ wsi: OpaquePointer) -> Int32 {
        guard !body.isEmpty else { return 0 }
        let headRoom = Int(majlis_lws_head_room)
        var buffer = [UInt8](repeating: 0, count: headRoom) + body
        unsafe lws_client_http_body_pending(wsi, 0)
        let written = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.map { unsafe lws_write(wsi, $0 + headRoom, body.count, LWS_WRITE_HTTP_FINAL) }
                ?? -1
        }
        return written < 0 ? -1 : 0
    }
}

private func exchangeCallback(
    _ wsi: OpaquePointer?, _ reason: lws_callback_reasons, _ user: UnsafeMutableRawPointer?,
    _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int32 {
    guard let wsi = unsafe wsi, let context = unsafe lws_get_context(wsi), let data = unsafe lws_context_user(context)
    else { return 0 }
    return unsafe Unmanaged<HTTPExchange>.fromOpaque(data).takeUnretainedValue().happened(wsi, reason, bytes, count)
}
