// HTTP requests and their responses (RFC 9110): the delegate's, the web client's files, and the answers to upgrades that
// are refused. Requests that are told to the owner are in GatewayRequests.swift.
import CWebClient
import CWebSockets
import EventLoop
import Glibc

extension Gateway {
    /// How much of a body one callback writes.
    private static let bodyChunk = 32_768

    // MARK: Upgrades

    /// Whether an upgrade goes on (0), or has been answered and the connection is to close (-1).
    func upgradeAsked(_ connection: Connection, _ wsi: OpaquePointer, to wanted: String) -> Int32 {
        func refuse(_ status: Int, _ text: String, _ headers: [(name: String, value: String)] = []) -> Int32 {
            var head = responseHead(
                HTTPResponse(status: status, body: [], headers: headers), count: text.utf8.count, closes: true)
            head += text.utf8
            _ = unsafe write(&head, to: wsi, LWS_WRITE_HTTP_HEADERS)
            return -1
        }
        guard wanted.lowercased() == "websocket", let path = unsafe header(wsi, WSI_TOKEN_GET_URI) else {
            return refuse(400, "only GET upgrades, and only to websocket\n")
        }
        guard path == configuration.webSocketPath else { return refuse(404, "no WebSocket lives here\n") }
        guard unsafe header(wsi, WSI_TOKEN_VERSION) == "13" else {
            return refuse(426, "WebSocket version 13 is spoken here\n", [("Sec-WebSocket-Version", "13")])
        }
        let offered = unsafe (header(wsi, WSI_TOKEN_PROTOCOL) ?? "").split(separator: ",").map { trimmed($0) }
        guard offered.contains(configuration.subprotocol) else {
            return refuse(400, "the subprotocol \(configuration.subprotocol) must be offered\n")
        }
        guard unsafe isOriginAllowed(wsi) else { return refuse(403, "this origin may not connect\n") }
        return 0
    }

    private func isOriginAllowed(_ wsi: OpaquePointer) -> Bool {
        guard unsafe lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0 else { return true }
        guard let origin = unsafe header(wsi, WSI_TOKEN_ORIGIN)?.lowercased() else { return false }
        switch configuration.origins {
        case .any: return true
        case .list(let allowed): return allowed.contains { $0.lowercased() == origin }
        case .sameHost:
            guard let host = unsafe header(wsi, WSI_TOKEN_HOST)?.lowercased() else { return false }
            return origin == "http://" + host || origin == "https://" + host
        }
    }

    // MARK: Requests

    /// Answers a request whose head has come.
    func requested(_ connection: Connection, _ wsi: OpaquePointer) -> Int32 {
        guard connection.stage == .waiting else { return -1 }
        connection.stage = .responding
        connection.unfetched = 0
        setDeadline(connection, after: configuration.responseSeconds)
        connection.unreadBody = 0
        connection.isBodyEnded = false
        if let (method, isHead, path) = unsafe target(of: wsi) {
            guard let path else {
                let refusal = HTTPResponse(status: 400, text: "no such path can be\n")
                return unsafe respond(connection, wsi, refusal, isHead: isHead, closes: true)
            }
            if let allowed = delegate?.gatewayMethods(path: path) {
                return unsafe take(connection, wsi, (method, isHead, path), allowed: allowed)
            }
        }
        let isHead = unsafe lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0
        guard unsafe isHead || lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0 else {
            let refusal = HTTPResponse(
                status: 405, text: "only GET and HEAD are understood\n", headers: [("Allow", "GET, HEAD")])
            return unsafe respond(connection, wsi, refusal, isHead: false, closes: true)
        }
        guard let path = unsafe header(wsi, isHead ? WSI_TOKEN_HEAD_URI : WSI_TOKEN_GET_URI), path.hasPrefix("/") else {
            return unsafe respond(
                connection, wsi, HTTPResponse(status: 400, text: "no such path can be\n"), isHead: isHead, closes: true)
        }
        // A body would be taken for the next request: the connection closes after the response.
        let length = unsafe header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) ?? "0"
        let hasBody = unsafe length != "0" || lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0
        if let response = delegate?.gatewayResponse(path: path) {
            return unsafe respond(connection, wsi, response, isHead: isHead, closes: hasBody)
        }
        if path == configuration.webSocketPath {
            let refusal = HTTPResponse(
                status: 426, text: "a WebSocket lives here\n", headers: [("Upgrade", "websocket")])
            return unsafe respond(connection, wsi, refusal, isHead: isHead, closes: hasBody)
        }
        guard let file = files.find(path) else {
            return unsafe respond(
                connection, wsi, HTTPResponse(status: 404, text: "there is nothing here\n"), isHead: isHead,
                closes: hasBody)
        }
        return unsafe respond(connection, wsi, file, isHead: isHead, closes: hasBody)
    }

    func respond(
        _ connection: Connection, _ wsi: OpaquePointer, _ response: HTTPResponse, isHead: Bool, closes: Bool
    ) -> Int32 {
        var response = response
        response.headers.append(("Cache-Control", "no-store"))
        let body = response.body
        let head = responseHead(response, count: body.count, closes: closes)
        return unsafe begin(
            connection, wsi, head: head, body: .bytes(isHead ? [] : body), count: isHead ? 0 : body.count,
            closes: closes)
    }

    private func respond(
        _ connection: Connection, _ wsi: OpaquePointer, _ file: WebFile, isHead: Bool, closes: Bool
    ) -> Int32 {
        let takesGzip = unsafe WebFiles.takesGzip(header(wsi, WSI_TOKEN_HTTP_ACCEPT_ENCODING) ?? "")
        let compressed = takesGzip ? file.compressed : nil
        // Each form has a tag of its own (RFC 9110 section 8.8.3.3).
        let ownTag = compressed == nil ? file.tag : String(file.tag.dropLast()) + "-gzip\""
        let isKnown = unsafe (header(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH) ?? "").split(separator: ",").contains {
            let tag = trimmed($0)
            return tag == "*" || tag == ownTag || tag == "W/" + ownTag
        }
        var response = HTTPResponse(status: isKnown ? 304 : 200, contentType: file.contentType, body: [])
        // Always asked again, answered by 304: a new version is seen at once.
        response.headers = [
            ("ETag", ownTag), ("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding"),
            ("Content-Security-Policy", configuration.contentSecurityPolicy), ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self)"),
        ]
        if compressed != nil, !isKnown { response.headers.append(("Content-Encoding", "gzip")) }
        let body = isHead || isKnown ? .bytes([]) : compressed.map(ResponseBody.bytes) ?? file.body
        let head = responseHead(response, count: isKnown ? nil : compressed?.count ?? file.count, closes: closes)
        return unsafe begin(connection, wsi, head: head, body: body, count: body.count, closes: closes)
    }

    private func begin(
        _ connection: Connection, _ wsi: OpaquePointer, head: [UInt8], body: ResponseBody, count: Int, closes: Bool
    ) -> Int32 {
        var head = head
        guard unsafe write(&head, to: wsi, LWS_WRITE_HTTP_HEADERS) else { return -1 }
        connection.response = ResponseInProgress(body: body, closesAfter: closes)
        connection.unfetched = count
        // The gateway's own wheel has this time in hand: libwebsockets' would cut a download behind a slow link.
        unsafe lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0)
        if count == 0, unsafe lws_partial_buffered(wsi) == 0 { return unsafe finishResponse(connection, wsi) }
        unsafe lws_callback_on_writable(wsi)
        return 0
    }

    /// Writes the next piece of the body.
    func continueResponse(_ connection: Connection, _ wsi: OpaquePointer) -> Int32 {
        if connection.stage == .answered { return unsafe writeAnswer(connection, wsi) }
        guard connection.stage == .responding, let response = connection.response else {
            return connection.stage == .ended ? -1 : 0
        }
        let headRoom = Int(majlis_lws_head_room)
        var buffer = [UInt8](repeating: 0, count: headRoom)
        let count = response.body.count
        switch response.body {
        case .bytes(let bytes):
            buffer += bytes[response.offset..<min(response.offset + Self.bodyChunk, count)]
        case .embedded(let index):
            let file = unsafe WebFiles.entry(index)
            let bytes = unsafe UnsafeBufferPointer(start: file.bytes, count: file.count)
            unsafe buffer.append(contentsOf: bytes[response.offset..<min(response.offset + Self.bodyChunk, count)])
        }
        // Called once more after the last piece when libwebsockets had to buffer a part of it: a close cuts that off.
        if response.offset == count { return unsafe finishResponse(connection, wsi) }
        let end = response.offset + buffer.count - headRoom
        guard unsafe write(&buffer, to: wsi, end == count ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) else { return -1 }
        connection.response?.offset = end
        if end == count, unsafe lws_partial_buffered(wsi) == 0 { return unsafe finishResponse(connection, wsi) }
        unsafe lws_callback_on_writable(wsi)
        return 0
    }

    private func finishResponse(_ connection: Connection, _ wsi: OpaquePointer) -> Int32 {
        let closes = connection.response?.closesAfter ?? true
        connection.response = nil
        if closes, discardsBody(connection) { return 0 }
        connection.stage = .waiting
        connection.unfetched = unfetched(of: connection)
        setDeadline(connection, after: configuration.idleSeconds)
        if closes { return -1 }
        guard unsafe lws_http_transaction_completed(wsi) == 0 else { return -1 }
        unsafe lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0)
        return 0
    }

    // MARK: Slow clients

    /// What the client has not fetched of a response, in bytes: what is still to be written, and what the kernel has and the
    /// client has not acknowledged.
    private func unfetched(of connection: Connection) -> Int {
        var queued: CInt = 0
        guard unsafe ioctl(connection.descriptor, UInt(TIOCOUTQ), &queued) == 0 else { return 0 }
        guard let response = connection.response else { return Int(queued) }
        return response.body.count - response.offset + Int(queued)
    }

    /// At the end of a deadline: whether the client has been fetching a response fast enough since it was set, and has some
    /// left to fetch. Then it has as much time again.
    func goesOnFetching(_ connection: Connection) -> Bool {
        let seconds: Double
        switch connection.stage {
        case .waiting: seconds = configuration.idleSeconds
        case .responding: seconds = configuration.responseSeconds
        default: return false
        }
        let before = connection.unfetched
        connection.unfetched = unfetched(of: connection)
        guard connection.unfetched > 0,
            Double(before - connection.unfetched) >= seconds * Double(configuration.minimumFetchRate)
        else { return false }
        setDeadline(connection, after: seconds)
        return true
    }

    // MARK: Heads

    /// A request header's value; nil when there is none, or it is not UTF-8.
    func header(_ wsi: OpaquePointer, _ token: lws_token_indexes) -> String? {
        let length = unsafe lws_hdr_total_length(wsi, token)
        guard length > 0 else { return nil }
        var value = [CChar](repeating: 0, count: Int(length) + 1)
        let copied = unsafe lws_hdr_copy(wsi, &value, length + 1, token)
        guard copied > 0 else { return nil }
        return String(validating: value.prefix(Int(copied)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The status line and the headers, behind libwebsockets' head room. A nil count has no Content-Length.
    private func responseHead(_ response: HTTPResponse, count: Int?, closes: Bool) -> [UInt8] {
        var text = "HTTP/1.1 \(response.status) \(reasonPhrase(response.status))\r\n"
        text += "Date: \(httpDate(WallClock.seconds))\r\n"
        if let count {
            text += "Content-Type: \(response.contentType)\r\nContent-Length: \(count)\r\n"
        }
        text += "X-Content-Type-Options: nosniff\r\n"
        if closes { text += "Connection: close\r\n" }
        for (name, value) in response.headers
        where !(name + value).unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            text += "\(name): \(value)\r\n"
        }
        text += "\r\n"
        return [UInt8](repeating: 0, count: Int(majlis_lws_head_room)) + Array(text.utf8)
    }
}

/// The words behind a status code.
func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 204: "No Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 411: "Length Required"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 426: "Upgrade Required"
    case 429: "Too Many Requests"
    case 500: "Internal Server Error"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 507: "Insufficient Storage"
    default: "Status"
    }
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7).
func httpDate(_ seconds: Int64) -> String {
    var moment = time_t(seconds)
    var parts = unsafe tm()
    guard unsafe gmtime_r(&moment, &parts) != nil else { return "Thu, 01 Jan 1970 00:00:00 GMT" }
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = unsafe "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)])"
    return unsafe "\(date) \(parts.tm_year + 1_900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
}

func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
}
