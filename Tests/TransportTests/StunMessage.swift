// STUN messages (RFC 8489) and the attributes of ICE's checks (RFC 8445 §7), as a test's hand-made peer writes and reads
// them: apart from libnice, so that a test says itself which check is answered, and when. It knows no TURN.
import COpenSSL
import EventLoop
import Glibc

/// One STUN message.
struct StunMessage {
    static let bindingRequest: UInt16 = 0x0001
    static let bindingSuccess: UInt16 = 0x0101

    static let username: UInt16 = 0x0006
    static let messageIntegrity: UInt16 = 0x0008
    static let xorMappedAddress: UInt16 = 0x0020
    static let priority: UInt16 = 0x0024
    static let useCandidate: UInt16 = 0x0025
    static let fingerprint: UInt16 = 0x8028
    static let iceControlling: UInt16 = 0x802A

    private static let magicCookie: UInt32 = 0x2112_A442
    private static let headerBytes = 20

    let type: UInt16
    /// 12 bytes.
    let transaction: [UInt8]
    private(set) var attributes: [(type: UInt16, value: [UInt8])] = []
    /// What MESSAGE-INTEGRITY is over, with the length field as it counts there; empty when the message has none.
    private var authenticated: [UInt8] = []

    init(type: UInt16, transaction: [UInt8]) {
        self.type = type
        self.transaction = transaction
    }

    /// Reads a message; nil for what is none, or whose FINGERPRINT is wrong.
    init?(_ bytes: [UInt8]) {
        func word(_ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }
        guard bytes.count >= Self.headerBytes, bytes[0] < 4, word(2) == bytes.count - Self.headerBytes,
            Array(bytes[4..<8]) == Self.magicCookie.networkBytes
        else { return nil }
        type = UInt16(word(0))
        transaction = Array(bytes[8..<20])
        var offset = Self.headerBytes
        while offset + 4 <= bytes.count {
            let type = UInt16(word(offset)), length = word(offset + 2)
            guard offset + 4 + length <= bytes.count else { return nil }
            let value = Array(bytes[(offset + 4)..<(offset + 4 + length)])
            switch type {
            case Self.messageIntegrity: authenticated = Self.covered(bytes[..<offset], tail: 24)
            case Self.fingerprint where value != Self.checksum(Self.covered(bytes[..<offset], tail: 8)): return nil
            default: break
            }
            attributes.append((type, value))
            offset += 4 + (length + 3) / 4 * 4
        }
    }

    mutating func append(_ type: UInt16, _ value: [UInt8]) { attributes.append((type, value)) }

    func value(of type: UInt16) -> [UInt8]? { attributes.first { $0.type == type }?.value }

    /// XOR-MAPPED-ADDRESS for a port of 127.0.0.1 (RFC 8489 §14.2).
    mutating func appendMappedLoopback(port: UInt16) {
        let xored = UInt16(truncatingIfNeeded: Self.magicCookie >> 16) ^ port
        append(
            Self.xorMappedAddress,
            [0, 1, UInt8(xored >> 8), UInt8(xored & 255)] + (0x7F00_0001 ^ Self.magicCookie).networkBytes)
    }

    /// Whether MESSAGE-INTEGRITY is there and made with this password (RFC 8489 §14.5, short-term credentials).
    func isAuthentic(password: String) -> Bool {
        !authenticated.isEmpty && value(of: Self.messageIntegrity) == Self.digest(authenticated, password)
    }

    /// The message with MESSAGE-INTEGRITY and FINGERPRINT behind its attributes.
    func encoded(password: String) -> [UInt8] {
        var bytes = [UInt8(type >> 8), UInt8(type & 255), 0, 0] + Self.magicCookie.networkBytes + transaction
        func append(_ type: UInt16, _ value: [UInt8]) {
            bytes += [UInt8(type >> 8), UInt8(type & 255), UInt8(value.count >> 8), UInt8(value.count & 255)] + value
            bytes += [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        }
        for attribute in attributes { append(attribute.type, attribute.value) }
        append(Self.messageIntegrity, Self.digest(Self.covered(bytes[...], tail: 24), password))
        bytes = Self.covered(bytes[...], tail: 8)
        append(Self.fingerprint, Self.checksum(bytes))
        return bytes
    }

    /// The bytes with a length field that counts `tail` bytes more than there are.
    private static func covered(_ bytes: ArraySlice<UInt8>, tail: Int) -> [UInt8] {
        var covered = Array(bytes)
        let length = covered.count - headerBytes + tail
        covered[2] = UInt8(length >> 8)
        covered[3] = UInt8(length & 255)
        return covered
    }

    private static func digest(_ bytes: [UInt8], _ password: String) -> [UInt8] {
        let key = Array(password.utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 0
        precondition(HMAC(EVP_sha1(), key, Int32(key.count), bytes, bytes.count, &digest, &length) != nil)
        return digest
    }

    /// FINGERPRINT's CRC-32 (RFC 8489 §14.7).
    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        var remainder: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return (~remainder ^ 0x5354_554E).networkBytes
    }
}

extension UInt32 {
    fileprivate var networkBytes: [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self >> $0) } }
}

/// A controlling ICE peer on one UDP socket of loopback. It does nothing by itself: the test says when it reads, checks
/// and answers.
final class StunPeer {
    typealias Credentials = (ufrag: String, password: String)

    private let socket = ForeignSocket()
    private let own: Credentials
    private let server: Credentials
    private let serverPort: UInt16
    private var random: SeededGenerator
    /// Whether the server's checks are answered as they come.
    var answers: Bool
    /// The server's checks that have no answer yet, retransmissions not counted.
    private(set) var unanswered: [StunMessage] = []
    /// How many of its own checks the server has answered with success.
    private(set) var successes = 0
    /// When it last answered, in nanoseconds.
    private(set) var lastAnswer: Int64 = 0
    /// What came that was not STUN.
    private(set) var datagrams: [[UInt8]] = []

    init(own: Credentials, server: Credentials, serverPort: UInt16, answers: Bool, seed: UInt64) {
        self.own = own
        self.server = server
        self.serverPort = serverPort
        self.answers = answers
        random = SeededGenerator(seed: seed)
    }

    var port: UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket.descriptor, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Sends a check that nominates its pair.
    func nominate(priority: UInt32) {
        var request = StunMessage(type: StunMessage.bindingRequest, transaction: random.bytes(12))
        request.append(StunMessage.username, Array("\(server.ufrag):\(own.ufrag)".utf8))
        request.append(StunMessage.priority, priority.networkBytes)
        request.append(StunMessage.iceControlling, [1, 2, 3, 4, 5, 6, 7, 8])
        request.append(StunMessage.useCandidate, [])
        _ = socket.send(request.encoded(password: server.password), toPort: serverPort)
    }

    /// Answers a check of the server's with success.
    func answer(_ request: StunMessage) {
        var success = StunMessage(type: StunMessage.bindingSuccess, transaction: request.transaction)
        success.appendMappedLoopback(port: serverPort)
        unanswered.removeAll { $0.transaction == request.transaction }
        lastAnswer = MonotonicClock.now
        _ = socket.send(success.encoded(password: own.password), toPort: serverPort)
    }

    /// Takes in what has come.
    func read() {
        var buffer = [UInt8](repeating: 0, count: 2048)
        while true {
            let count = recv(socket.descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { break }
            let datagram = Array(buffer[..<count])
            if let message = StunMessage(datagram) { take(message) } else { datagrams.append(datagram) }
        }
        if answers { for request in unanswered { answer(request) } }
    }

    private func take(_ message: StunMessage) {
        switch message.type {
        case StunMessage.bindingSuccess where message.isAuthentic(password: server.password): successes += 1
        case StunMessage.bindingRequest where message.isAuthentic(password: own.password):
            guard message.value(of: StunMessage.username) == Array("\(own.ufrag):\(server.ufrag)".utf8),
                !unanswered.contains(where: { $0.transaction == message.transaction })
            else { return }
            unanswered.append(message)
        default: break
        }
    }
}
