// A WebSocket's client side (RFC 6455) on a loop: many of them in one thread. It answers pings, puts fragments together, and knows
// nothing of what the messages say.
import EventLoop
import Glibc

extension [UInt8] {
    /// Where some bytes stand first; nil when they do not. The library's own search costs more than all else that a bot does
    /// with a message.
    func place(of key: [UInt8]) -> Int? {
        guard let first = key.first, count >= key.count else { return nil }
        return unsafe withUnsafeBufferPointer { bytes in
            unsafe key.withUnsafeBufferPointer { key in
                for start in 0...(bytes.count - key.count) where unsafe bytes[start] == first {
                    var length = 1
                    while length < key.count, unsafe bytes[start + length] == key[length] { length += 1 }
                    if length == key.count { return start }
                }
                return nil
            }
        }
    }
}

/// What a link tells, on the loop.
protocol WebSocketLinkDelegate: AnyObject {
    /// The upgrade is done.
    func linkOpened()
    /// A text message.
    func linkReceived(_ message: [UInt8])
    /// It is over; told once, and not after `close`.
    func linkClosed(_ reason: String)
}

/// One WebSocket. For the loop's own thread.
final class WebSocketLink {
    /// The longest message taken, in bytes.
    private static let maximumMessage = 4 << 20

    weak var delegate: (any WebSocketLinkDelegate)?
    /// Why there was no socket to be had.
    private(set) var failure = ""
    /// This machine's address of the connection, numeric.
    private(set) var localAddress = ""
    private let place: ServerPlace
    private let subprotocol: String
    private var descriptor: Int32 = -1
    private var watch: DescriptorWatch?
    private var isUpgraded = false
    private var isConnected = false
    private var incoming: [UInt8] = []
    private var outgoing: [UInt8] = []
    private var message: [UInt8] = []

    init(on loop: LoopThread, _ place: ServerPlace, subprotocol: String, from source: String? = nil) {
        self.place = place
        self.subprotocol = subprotocol
        let descriptor = place.beginConnecting(from: source)
        guard descriptor >= 0 else {
            failure = unsafe String(cString: strerror(-descriptor))
            return
        }
        self.descriptor = descriptor
        watch = try? DescriptorWatch(on: loop, descriptor: descriptor) { [weak self] ready in self?.turn(ready) }
        watch?.wait(for: [.readable, .writable])
    }

    deinit { close() }

    /// Whether there was a socket to be had.
    var isAlive: Bool { descriptor >= 0 }

    /// Sends a text message.
    func send(_ text: String) { sendFrame(opcode: 1, Array(text.utf8)) }

    /// Ends it without a word more than a close frame.
    func close() {
        guard descriptor >= 0 else { return }
        if isUpgraded { sendFrame(opcode: 8, [0x03, 0xe8]) }
        watch?.close()
        watch = nil
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func fail(_ reason: String) {
        guard descriptor >= 0 else { return }
        isUpgraded = false
        close()
        delegate?.linkClosed(reason)
    }

    private func turn(_ ready: Readiness) {
        if ready.contains(.failed) { return fail("the connection failed") }
        if !isConnected {
            guard ready.contains(.writable) else { return }
            var code: Int32 = 0
            var length = socklen_t(4)
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else { return fail(unsafe String(cString: strerror(code))) }
            isConnected = true
            nameLocalAddress()
            outgoing +=
                Array(
                    ("GET \(place.path) HTTP/1.1\r\nHost: \(place.host):\(place.port)\r\nUpgrade: websocket\r\n"
                        + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n").utf8)
        }
        flush()
        if ready.contains(.readable) { read() }
    }

    private func nameLocalAddress() {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: 64)
        unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe getsockname(descriptor, $0, &length)
                _ = unsafe getnameinfo($0, length, &text, 64, nil, 0, NI_NUMERICHOST)
            }
        }
        localAddress = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func flush() {
        while !outgoing.isEmpty {
            let count = unsafe Glibc.send(descriptor, outgoing, outgoing.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            guard count > 0 else {
                if count < 0, errno != EAGAIN, errno != EINTR { fail("the connection broke") }
                break
            }
            outgoing.removeFirst(count)
        }
        guard descriptor >= 0 else { return }
        watch?.wait(for: outgoing.isEmpty && isConnected ? .readable : [.readable, .writable])
    }

    private func sendFrame(opcode: UInt8, _ payload: [UInt8]) {
        guard descriptor >= 0 else { return }
        outgoing.append(0x80 | opcode)
        switch payload.count {
        case 0..<126: outgoing.append(0x80 | UInt8(payload.count))
        case 126..<65_536: outgoing += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            outgoing.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) { outgoing.append(UInt8(payload.count >> shift & 255)) }
        }
        let mask: [UInt8] = [0x5c, 0x21, 0x9e, 0x47]
        outgoing += mask
        for (index, byte) in payload.enumerated() { outgoing.append(byte ^ mask[index & 3]) }
        if isConnected { flush() }
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe chunk.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            return fail("the server closed the connection")
        }
        incoming += chunk[..<count]
        if !isUpgraded, !takeUpgrade() { return }
        while descriptor >= 0, takeFrame() {}
    }

    private func takeUpgrade() -> Bool {
        let end = Array("\r\n\r\n".utf8)
        guard let found = incoming.place(of: end) else {
            if incoming.count > 16_384 { fail("no HTTP answer") }
            return false
        }
        let head = String(decoding: incoming[..<found], as: UTF8.self)
        incoming.removeFirst(found + end.count)
        guard head.hasPrefix("HTTP/1.1 101") else {
            fail("the server answered \(head.prefix { $0 != "\r" && $0 != "\r\n" })")
            return false
        }
        isUpgraded = true
        delegate?.linkOpened()
        return true
    }

    private func takeFrame() -> Bool {
        guard incoming.count >= 2 else { return false }
        let opcode = incoming[0] & 15
        let isFinal = incoming[0] & 0x80 != 0
        var length = Int(incoming[1] & 127)
        var head = 2
        if length >= 126 {
            head += length == 126 ? 2 : 8
            guard incoming.count >= head else { return false }
            // Of eight bytes the lower four are enough for what is taken.
            length = incoming[max(2, head - 4)..<head].reduce(0) { $0 << 8 | Int($1) }
        }
        guard length <= Self.maximumMessage else {
            fail("a message of \(length) bytes")
            return false
        }
        guard incoming.count >= head + length else { return false }
        let payload = Array(incoming[head..<(head + length)])
        incoming.removeFirst(head + length)
        switch opcode {
        case 0, 1, 2:
            message += payload
            guard isFinal else { return true }
            let whole = message
            message = []
            delegate?.linkReceived(whole)
        case 8:
            let code = payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : 1_005
            fail("closed with \(code) \(String(decoding: payload.dropFirst(2), as: UTF8.self))")
        case 9: sendFrame(opcode: 10, payload)
        default: break
        }
        return true
    }
}
