// A small blocking client of HTTP and WebSocket for these tests, on plain sockets, so that it can be as rude as a test
// needs. It is no client to build on.
import COpenSSL
import Glibc

/// A frame as it came.
struct Frame: Equatable {
    var opcode: UInt8
    var isFinal = true
    var payload: [UInt8]
    var text: String { String(decoding: payload, as: UTF8.self) }
    var closeCode: Int? { opcode == 8 && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil }
    var closeReason: String { String(decoding: payload.dropFirst(2), as: UTF8.self) }
}

/// A response as it came.
struct Response {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A connection to a gateway.
final class TestClient: @unchecked Sendable {
    let descriptor: Int32
    private var tlsContext: OpaquePointer?
    private var tls: OpaquePointer?
    private var buffered: [UInt8] = []

    /// Connects to 127.0.0.1. Reads wait for `seconds` at most.
    init?(port: UInt16, receiveBuffer: Int32? = nil, seconds: Int = 10, usesTLS: Bool = false) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        if usesTLS, !startTLS() { return nil }
    }

    deinit { close() }

    private var isClosed = false
    func close() {
        guard !isClosed else { return }
        isClosed = true
        if let tls { SSL_free(tls) }
        if let tlsContext { SSL_CTX_free(tlsContext) }
        Glibc.close(descriptor)
    }

    private func startTLS() -> Bool {
        tlsContext = SSL_CTX_new(TLS_client_method())
        tls = SSL_new(tlsContext)
        SSL_set_fd(tls, descriptor)
        return SSL_connect(tls) == 1
    }

    // MARK: Bytes

    /// Writes all; false when the other side does not take it.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let n = bytes.withUnsafeBytes { buffer -> Int in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[sent...])
                if let tls { return Int(SSL_write(tls, rest.baseAddress, Int32(rest.count))) }
                return Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            guard n > 0 else { return false }
            sent += n
        }
        return true
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// Reads what is there; empty at the end, nil when the time is over or the connection was reset.
    func readSome() -> [UInt8]? {
        if !buffered.isEmpty {
            defer { buffered = [] }
            return buffered
        }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let n = tls.map { Int(SSL_read($0, &bytes, 65_536)) } ?? recv(descriptor, &bytes, bytes.count, 0)
        if tls != nil, n <= 0 { return SSL_get_error(tls, Int32(n)) == SSL_ERROR_ZERO_RETURN ? [] : nil }
        return n < 0 ? nil : Array(bytes[..<n])
    }

    /// Whether the other side ends or resets the connection before the time is over; what it sends until then is
    /// thrown away.
    func readsToEnd() -> Bool {
        while true {
            guard let bytes = readSome() else { return errno == ECONNRESET || errno == EPIPE || tls != nil }
            if bytes.isEmpty { return true }
        }
    }

    private func readExactly(_ count: Int) -> [UInt8]? {
        while buffered.count < count {
            var more = [UInt8](repeating: 0, count: 65_536)
            let n = tls.map { Int(SSL_read($0, &more, 65_536)) } ?? recv(descriptor, &more, more.count, 0)
            guard n > 0 else { return nil }
            buffered += more[..<n]
        }
        defer { buffered.removeFirst(count) }
        return Array(buffered[..<count])
    }

    private func readLine() -> String? {
        var line: [UInt8] = []
        while let byte = readExactly(1) {
            if byte[0] == 10 { return String(decoding: line.last == 13 ? line.dropLast() : line[...], as: UTF8.self) }
            line += byte
            if line.count > 65_536 { return nil }
        }
        return nil
    }

    // MARK: HTTP

    /// Sends a request and reads its response.
    func request(_ path: String, method: String = "GET", headers: [String] = []) -> Response? {
        write("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n")
        return readResponse(isHead: method == "HEAD")
    }

    /// Reads one response.
    func readResponse(isHead: Bool = false) -> Response? {
        guard let first = readLine() else { return nil }
        let parts = first.split(separator: " ")
        guard parts.count >= 2, parts[0] == "HTTP/1.1", let status = Int(parts[1]) else { return nil }
        var headers: [String: String] = [:]
        while let line = readLine(), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            var value = line[line.index(after: colon)...]
            while value.first == " " { value.removeFirst() }
            headers[line[..<colon].lowercased()] = String(value)
        }
        let count = isHead || status == 304 || status == 101 ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        guard let body = readExactly(count) else { return nil }
        return Response(status: status, headers: headers, body: body)
    }

    // MARK: WebSocket

    static let upgradeHeaders = [
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    /// Upgrades; the response, whatever it is.
    func upgrade(path: String = "/v1/ws", subprotocols: String? = "majlis.v1", headers: [String] = []) -> Response? {
        let subprotocol = subprotocols.map { ["Sec-WebSocket-Protocol: " + $0] } ?? []
        return request(path, headers: Self.upgradeHeaders + subprotocol + headers)
    }

    /// A frame's bytes, masked.
    static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, claims: Int? = nil) -> [UInt8] {
        let count = claims ?? payload.count
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        if count < 126 {
            bytes.append(0x80 | UInt8(count))
        } else if count < 65_536 {
            bytes += [0x80 | 126, UInt8(count >> 8), UInt8(count & 255)]
        } else {
            bytes.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(count >> shift & 255)) }
        }
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        bytes += mask
        for (index, byte) in payload.enumerated() { bytes.append(byte ^ mask[index & 3]) }
        return bytes
    }

    @discardableResult
    func send(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> Bool {
        write(Self.frame(opcode, payload, isFinal: isFinal))
    }

    @discardableResult
    func send(text: String) -> Bool { send(1, Array(text.utf8)) }

    /// Sends a close frame.
    func sendClose(_ code: UInt16, _ reason: String = "") {
        send(8, [UInt8(code >> 8), UInt8(code & 255)] + Array(reason.utf8))
    }

    /// The next frame; nil at the end or when the time is over.
    func readFrame() -> Frame? {
        guard let head = readExactly(2) else { return nil }
        var count = Int(head[1] & 127)
        if count == 126 || count == 127 {
            guard let longer = readExactly(count == 126 ? 2 : 8) else { return nil }
            count = longer.reduce(0) { $0 << 8 | Int($1) }
        }
        guard head[1] & 0x80 == 0, let payload = readExactly(count) else { return nil }
        return Frame(opcode: head[0] & 15, isFinal: head[0] & 0x80 != 0, payload: payload)
    }

    /// The next close frame; what comes before it is thrown away.
    func readClose() -> Frame? {
        while let frame = readFrame() { if frame.opcode == 8 { return frame } }
        return nil
    }
}
