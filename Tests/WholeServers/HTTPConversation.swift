// HTTP/1.1 over plain sockets for tests: any bytes out, responses in. As rude as a test needs; no client to build on.
import Bots
import Glibc

/// A response as it came.
package struct HTTPAnswer: Sendable {
    package var status: Int
    /// By name in small letters.
    package var headers: [String: String]
    package var text: String
}

/// One connection to a server on 127.0.0.1.
package final class HTTPConversation {
    private let descriptor: Int32
    private var buffered: [UInt8] = []

    package init?(port: Int, seconds: Int = 15) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard WebSocketClient.connect(descriptor, port: port) else { return nil }
    }

    deinit { close(descriptor) }

    /// Sends text as it is.
    package func write(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Sends a request; a body goes with its length and, unless told otherwise, as JSON.
    package func ask(
        _ method: String, _ target: String, token: String? = nil, body: String? = nil,
        type: String? = "application/json"
    ) {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        if let body {
            text += "Content-Length: \(body.utf8.count)\r\n"
            if let type { text += "Content-Type: \(type)\r\n" }
        } else if method != "GET", method != "HEAD" {
            text += "Content-Length: 0\r\n"
        }
        write(text + "\r\n" + (body ?? ""))
    }

    /// Reads one response; nil when the connection ends or the time is over before it is whole.
    package func answer(isHead: Bool = false) -> HTTPAnswer? {
        guard let head = read(until: { $0.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound }) else { return nil }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = Int(first.split(separator: " ").dropFirst().first ?? "") else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            headers[parts[0].lowercased()] = String(parts[1].drop(while: { $0 == " " }))
        }
        let count = isHead || status == 304 ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        guard let body = read(until: { $0.count >= count ? count : nil }) else { return nil }
        return HTTPAnswer(status: status, headers: headers, text: String(decoding: body, as: UTF8.self))
    }

    private func read(until end: ([UInt8]) -> Int?) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = end(buffered) {
                defer { buffered.removeFirst(end) }
                return Array(buffered[..<end])
            }
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return nil }
            buffered += chunk[..<count]
        }
    }

    /// One request on a connection of its own.
    package static func ask(
        port: Int, _ method: String, _ target: String, token: String? = nil, body: String? = nil,
        type: String? = "application/json"
    ) -> HTTPAnswer? {
        guard let conversation = HTTPConversation(port: port) else { return nil }
        conversation.ask(method, target, token: token, body: body, type: type)
        return conversation.answer(isHead: method == "HEAD")
    }
}
