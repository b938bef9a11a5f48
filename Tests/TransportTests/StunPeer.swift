// A test's hand-made ICE peer: apart from libnice, so that a test says itself which check is answered, and when. It knows no
// TURN.
import EventLoop
import Glibc

@testable import Transport

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
        request.append(StunMessage.priority, [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: priority >> $0) })
        request.append(StunMessage.iceControlling, [1, 2, 3, 4, 5, 6, 7, 8])
        request.append(StunMessage.useCandidate, [])
        _ = socket.send(request.encoded(password: server.password), toPort: serverPort)
    }

    /// Answers a check of the server's with success.
    func answer(_ request: StunMessage) {
        var success = StunMessage(type: StunMessage.bindingSuccess, transaction: request.transaction)
        if let loopback = IPAddress("127.0.0.1") { success.appendMapped(loopback, port: serverPort) }
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
