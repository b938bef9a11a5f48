// A WebSocket client (RFC 6455), blocking, over plain TCP to this machine. It answers pings and hides fragments; it checks
// nothing that is not asked for.
import Glibc

/// A WebSocket to a server on 127.0.0.1. Confined to the task that made it.
package final class WebSocketClient {
    /// Why nothing could be received.
    package enum Failure: Error, Equatable {
        /// The deadline passed.
        case timedOut
        /// The server closed, with this code and reason.
        case closed(code: UInt16, reason: String)
        /// The connection broke, or was never there.
        case broken
        /// The server refused the upgrade, with this status line.
        case refused(String)
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var message: [UInt8] = []

    /// Connects and upgrades.
    package init(port: Int, path: String = "/v1/ws", subprotocol: String = "majlis.v1") throws(Failure) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw .broken }
        guard Self.connect(descriptor, port: port) else {
            close(descriptor)
            throw .broken
        }
        var one: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        write(
            Array(
                ("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Protocol: \(subprotocol)\r\n\r\n").utf8))
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let index = buffer.indices.dropLast(3).first(where: { Array(buffer[$0..<$0 + 4]) == end }) {
                let head = String(decoding: buffer[..<index], as: UTF8.self)
                buffer.removeFirst(index + 4)
                guard head.hasPrefix("HTTP/1.1 101") else {
                    throw .refused(String(head.prefix { $0 != "\r" && $0 != "\r\n" }))
                }
                return
            }
            try fill(milliseconds: 5_000)
        }
    }

    /// Connects a TCP socket to a port of 127.0.0.1.
    package static func connect(_ descriptor: Int32, port: Int) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == 0
    }

    deinit { close(descriptor) }

    /// Sends a text message.
    package func send(_ text: String) { send(opcode: 1, Array(text.utf8)) }

    /// Sends one masked frame.
    package func send(opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) {
        var frame: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        switch payload.count {
        case 0..<126: frame.append(0x80 | UInt8(payload.count))
        case 126..<65_536: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            frame.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) { frame.append(UInt8(payload.count >> shift & 255)) }
        }
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        frame += mask
        for (index, byte) in payload.enumerated() { frame.append(byte ^ mask[index & 3]) }
        write(frame)
    }

    /// Sends bytes as they are; what the kernel does not take any more is lost with the connection.
    package func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(
                    descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next text message.
    package func receive(milliseconds: Int32 = 10_000) throws(Failure) -> String {
        while true {
            guard let frame = try nextFrame(milliseconds: milliseconds) else { continue }
            return String(decoding: frame, as: UTF8.self)
        }
    }

    /// Reads until the server closes and answers its code; the messages before it are dropped.
    package func closeCode(milliseconds: Int32 = 10_000) -> UInt16? {
        while true {
            do throws(Failure) {
                _ = try receive(milliseconds: milliseconds)
            } catch {
                if case .closed(let code, _) = error { return code }
                return nil
            }
        }
    }

    /// Ends the connection without a word, as a client does that is killed.
    package func abort() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func nextFrame(milliseconds: Int32) throws(Failure) -> [UInt8]? {
        while buffer.count < 2 { try fill(milliseconds: milliseconds) }
        let opcode = buffer[0] & 15
        let isFinal = buffer[0] & 0x80 != 0
        var length = Int(buffer[1] & 127)
        var head = 2
        if length >= 126 {
            let bytes = length == 126 ? 2 : 8
            head += bytes
            while buffer.count < head { try fill(milliseconds: milliseconds) }
            length = buffer[2..<head].reduce(0) { $0 << 8 | Int($1) }
        }
        while buffer.count < head + length { try fill(milliseconds: milliseconds) }
        let payload = Array(buffer[head..<head + length])
        buffer.removeFirst(head + length)
        switch opcode {
        case 0, 1, 2:
            message += payload
            guard isFinal else { return nil }
            defer { message = [] }
            return message
        case 8:
            let code = payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : 1005
            throw .closed(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self))
        case 9:
            send(opcode: 10, payload)
            return nil
        default: return nil
        }
    }

    private func fill(milliseconds: Int32) throws(Failure) {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe Glibc.poll(&poll, 1, milliseconds) > 0 else { throw .timedOut }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { throw .broken }
        buffer += chunk[..<count]
    }
}
