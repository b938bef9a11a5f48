// Requests that are told to the owner (RFC 9110, RFC 9112 section 6): their limits, their bodies, their answers, which may
// come later. A body that nobody wants is thrown away for a while, so that its client gets to read why.
import CWebSockets
import EventLoop
import Glibc

extension Gateway {
    /// The largest unwanted body that is read and thrown away, in bytes; beyond it the connection is closed at once.
    private static let discardedBytes = 1_048_576

    /// Answers a request that `gatewayRequested` told. Nothing happens when its client has gone, or when it was answered.
    public func respond(_ id: RequestID, _ response: HTTPResponse) {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        guard let connection = connection(id.connection), connection.stage == .asked,
            connection.request?.number == id.number
        else { return }
        answer(connection, response)
    }

    /// The method of a request and whether it is a HEAD, and its path, nil where that is none; nil where the method is not
    /// known.
    func target(of wsi: OpaquePointer) -> (method: HTTPMethod, isHead: Bool, path: String?)? {
        let tokens: [(lws_token_indexes, HTTPMethod, Bool)] = [
            (WSI_TOKEN_GET_URI, .get, false), (WSI_TOKEN_HEAD_URI, .get, true), (WSI_TOKEN_POST_URI, .post, false),
            (WSI_TOKEN_PUT_URI, .put, false), (WSI_TOKEN_PATCH_URI, .patch, false),
            (WSI_TOKEN_DELETE_URI, .delete, false),
        ]
        for (token, method, isHead) in tokens where unsafe lws_hdr_total_length(wsi, token) > 0 {
            let path = unsafe header(wsi, token)
            return (method, isHead, path?.hasPrefix("/") == true ? path : nil)
        }
        return nil
    }

    /// Takes a request whose head has come, for a path that the owner knows by these methods.
    func take(
        _ connection: Connection, _ wsi: OpaquePointer,
        _ target: (method: HTTPMethod, isHead: Bool, path: String), allowed: [HTTPMethod]
    ) -> Int32 {
        let length = unsafe bodyLength(wsi, of: target.method)
        connection.unreadBody = length.declared
        func refuse(_ refusal: HTTPResponse) -> Int32 {
            unsafe respond(
                connection, wsi, refusal, isHead: target.isHead, closes: length.declared > 0 || !length.isCertain)
        }
        guard allowed.contains(target.method) else {
            var names = allowed.map(\.rawValue)
            if allowed.contains(.get) { names.insert("HEAD", at: 0) }
            let list = names.sorted().joined(separator: ", ")
            return refuse(refusal(405, "this path understands \(list)", [("Allow", list)]))
        }
        if let fault = length.fault { return refuse(fault) }
        if length.declared > configuration.maximumBodyBytes {
            return refuse(refusal(413, "a body may have \(configuration.maximumBodyBytes) bytes"))
        }
        guard let query = unsafe query(of: wsi), !hasControls(target.path) else {
            return refuse(refusal(400, "the path or the query is not readable text"))
        }
        guard pendingRequests < configuration.maximumPendingRequests else {
            return refuse(refusal(503, "too many requests wait for their answer", [("Retry-After", "1")]))
        }
        let perAddress = configuration.maximumPendingRequestsPerAddress
        guard perAddress == 0 || pendingByAddress[connection.address, default: 0] < perAddress else {
            return refuse(refusal(429, "too many of your requests wait for their answer", [("Retry-After", "1")]))
        }
        let request = unsafe GatewayRequest(
            method: target.method, path: target.path, query: query,
            authorization: header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION),
            contentType: header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE), body: [], address: connection.address)
        // Before a place is taken for long: strangers must not keep others waiting by slow bodies.
        if length.declared > 0, let response = delegate?.gatewayRefusal(of: request) { return refuse(response) }
        lastRequest += 1
        connection.request = RequestInProgress(
            number: lastRequest, request: request, isHead: target.isHead, expected: length.declared,
            closesAfter: !length.isCertain)
        pendingRequests += 1
        pendingByAddress[connection.address, default: 0] += 1
        if length.declared == 0 {
            unsafe ask(connection, wsi)
        } else {
            connection.stage = .reading
            setDeadline(connection, after: configuration.bodySeconds)
        }
        return 0
    }

    /// What the head says of the body. Not certain: libwebsockets takes all that follows for the body, so that the
    /// connection is of no use afterwards.
    private func bodyLength(
        _ wsi: OpaquePointer, of method: HTTPMethod
    ) -> (declared: Int, isCertain: Bool, fault: HTTPResponse?) {
        guard unsafe lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) == 0 else {
            return (0, false, refusal(411, "a body is taken with its Content-Length only"))
        }
        guard unsafe lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 else {
            return (0, method == .get || method == .delete, nil)
        }
        // Digits alone: a sign, and lengths given twice and joined by a comma, are refused (RFC 9112 section 6.3).
        guard let text = unsafe header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH), text.utf8.count <= 18,
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let length = Int(text)
        else { return (0, false, refusal(400, "the Content-Length is no length")) }
        return (length, true, nil)
    }

    /// The query's fields; nil when one of them is not text.
    private func query(of wsi: OpaquePointer) -> [(name: String, value: String)]? {
        var fields: [(name: String, value: String)] = []
        guard unsafe lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS) > 0 else { return [] }
        var buffer = [CChar](repeating: 0, count: configuration.maximumHeaderBytes + 1)
        while true {
            let count = unsafe lws_hdr_copy_fragment(
                wsi, &buffer, Int32(buffer.count), WSI_TOKEN_HTTP_URI_ARGS, Int32(fields.count))
            guard count >= 0 else { return fields }
            let bytes = buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }
            guard let text = String(validating: bytes, as: UTF8.self), !hasControls(text) else { return nil }
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields.append((String(parts[0]), parts.count == 2 ? String(parts[1]) : ""))
        }
    }

    private func hasControls(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) }
    }

    // MARK: The body

    /// A piece of a body has come.
    func bodyCame(_ connection: Connection, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard connection.stage != .ended else { return -1 }
        connection.unreadBody = max(connection.unreadBody - bytes.count, 0)
        guard connection.stage == .reading, let request = connection.request else { return 0 }
        guard request.request.body.count + bytes.count <= request.expected else { return -1 }
        unsafe connection.request?.request.body.append(contentsOf: bytes)
        return 0
    }

    /// The whole body has come. Said once more it means that the client sent more behind the body, without waiting for the
    /// response: libwebsockets cannot keep that for later, and would say so for ever inside one call. The connection ends,
    /// as it may (RFC 9112 section 9.3.2).
    func bodyEnded(_ connection: Connection, _ wsi: OpaquePointer) -> Int32 {
        guard !connection.isBodyEnded, connection.stage != .ended, connection.stage != .discarding else { return -1 }
        connection.isBodyEnded = true
        connection.unreadBody = 0
        if connection.stage == .reading { unsafe ask(connection, wsi) }
        return 0
    }

    private func ask(_ connection: Connection, _ wsi: OpaquePointer) {
        guard let request = connection.request else { return }
        connection.stage = .asked
        setDeadline(connection, after: configuration.answerSeconds)
        // The gateway's own wheel has this time in hand.
        unsafe lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0)
        // What the client sends behind this request waits: libwebsockets would offer it again and again, without a rest.
        unsafe lws_rx_flow_control(wsi, 0)
        connection.request?.request.body = []
        guard let delegate else { return answer(connection, refusal(503, "the server is going away")) }
        delegate.gatewayRequested(RequestID(connection: connection.id, number: request.number), request.request)
    }

    // MARK: The answer

    /// Has a response written as soon as libwebsockets takes it.
    private func answer(_ connection: Connection, _ response: HTTPResponse) {
        release(connection)
        connection.request?.answer = response
        connection.stage = .answered
        setDeadline(connection, after: configuration.responseSeconds)
        guard let wsi = unsafe connection.wsi else { return }
        // Before, for libwebsockets tells of no write while reading rests.
        unsafe lws_rx_flow_control(wsi, 1)
        unsafe lws_callback_on_writable(wsi)
    }

    /// The time for a body, or for an answer, is over.
    func requestTimedOut(_ connection: Connection) {
        if connection.stage == .reading {
            connection.request?.closesAfter = true
            answer(connection, refusal(408, "the body took too long"))
        } else {
            answer(connection, refusal(504, "no answer came in time"))
        }
    }

    /// Writes the answer that was given. Called when the connection takes it.
    func writeAnswer(_ connection: Connection, _ wsi: OpaquePointer) -> Int32 {
        guard let request = connection.request, let answer = request.answer else { return 0 }
        connection.request = nil
        connection.stage = .responding
        return unsafe respond(
            connection, wsi, answer, isHead: request.isHead,
            closes: request.closesAfter || connection.unreadBody > 0)
    }

    /// The request counts no longer among the pending ones.
    func release(_ connection: Connection) {
        guard connection.request?.isPending == true else { return }
        connection.request?.isPending = false
        pendingRequests -= 1
        let count = pendingByAddress[connection.address, default: 1] - 1
        pendingByAddress[connection.address] = count > 0 ? count : nil
    }

    /// After a response that ends the connection: whether what is still to come of the body is read and thrown away
    /// first. A close with bytes unread would take the response from its client.
    func discardsBody(_ connection: Connection) -> Bool {
        guard connection.unreadBody > 0, connection.unreadBody <= Self.discardedBytes else { return false }
        connection.stage = .discarding
        setDeadline(connection, after: configuration.closingSeconds)
        return true
    }

    /// A refusal in the form of the interface: a code for programs and a sentence for people.
    private func refusal(
        _ status: Int, _ sentence: String, _ headers: [(name: String, value: String)] = []
    ) -> HTTPResponse {
        let code: String =
            switch status {
            case 400: "badRequest"
            case 405: "methodNotAllowed"
            case 408: "tooSlow"
            case 411: "lengthRequired"
            case 413: "tooLarge"
            case 429: "tooManyRequests"
            case 504: "noAnswer"
            default: "serverBusy"
            }
        // Sentences of this file have nothing in them that JSON escapes.
        return HTTPResponse(
            status: status, contentType: "application/json",
            text: "{\"code\":\"\(code)\",\"message\":\"\(sentence)\"}\n", headers: headers)
    }
}
