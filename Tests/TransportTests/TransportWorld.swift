// A loop with a poller and transports on it, for tests: everything on the loop's thread, waiting by condition.
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Transport

/// What a transport told.
final class Listener: PeerTransportDelegate {
    var rtp: [[UInt8]] = []
    var rtcp: [[UInt8]] = []
    var states: [TransportState] = []
    var onRTP: ((PeerTransport, UnsafeMutableRawBufferPointer) -> Void)?

    func transport(_ transport: PeerTransport, receivedRTP packet: UnsafeMutableRawBufferPointer) {
        if let onRTP { onRTP(transport, packet) } else { rtp.append(Array(packet)) }
    }
    func transport(_ transport: PeerTransport, receivedRTCP packet: UnsafeMutableRawBufferPointer) {
        rtcp.append(Array(packet))
    }
    func transport(_ transport: PeerTransport, changedTo state: TransportState) { states.append(state) }
}

/// One side of a pair.
struct Side {
    let transport: PeerTransport
    let listener: Listener
}

/// A loop thread and its poller. `run` is the only way in; what it touches never leaves the thread otherwise.
final class TransportWorld: @unchecked Sendable {
    let loop: LoopThread
    private(set) var poller: ICEPoller!
    let serverContext: DTLSContext
    let clientContext: DTLSContext
    static let loopback = TransportConfiguration(localAddresses: ["127.0.0.1"], remoteAddresses: .loopback)

    init() throws {
        loop = LoopThread(name: "transport-test")
        serverContext = try DTLSContext(identity: DTLSIdentity())
        clientContext = try DTLSContext(identity: DTLSIdentity())
        let loop = loop
        poller = try run { try ICEPoller(loop: loop) }
    }

    /// Ends everything; the loop's thread is gone afterwards.
    func end() {
        run { self.poller.close() }
        loop.stop()
    }

    /// Runs `body` on the loop's thread and waits for it.
    @discardableResult
    func run<Value>(_ body: @escaping () throws -> Value) rethrows -> Value {
        let box = Box<Value>(body)
        loop.perform {
            box.run()
            sem_post(box.done)
        }
        while sem_wait(box.done) != 0 {}
        return try withoutActuallyEscaping(body) { _ in try box.result!.get() }
    }

    private final class Box<Value>: @unchecked Sendable {
        let body: () throws -> Value
        let done = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        var result: Result<Value, any Error>?
        init(_ body: @escaping () throws -> Value) {
            self.body = body
            sem_init(done, 0, 0)
        }
        func run() { result = Result { try body() } }
        deinit {
            sem_destroy(done)
            done.deallocate()
        }
    }

    /// Waits until `condition`, looked at on the loop's thread, is true; false when the time is over.
    func eventually(seconds: Int64 = 10, _ condition: @escaping () -> Bool) -> Bool {
        let deadline = MonotonicClock.now + seconds * 1_000_000_000
        while true {
            if run(condition) { return true }
            guard MonotonicClock.now < deadline else { return false }
            Pause.milliseconds(3)
        }
    }

    /// Makes one transport. On the loop's thread only.
    func makeSide(
        _ role: TransportRole, _ configuration: TransportConfiguration = loopback, token: UInt64 = 0
    ) throws -> Side {
        var configuration = configuration
        configuration.role = role
        let listener = Listener()
        let transport = try PeerTransport(
            poller: poller, configuration: configuration, context: role == .server ? serverContext : clientContext,
            delegate: listener, token: token)
        return Side(transport: transport, listener: listener)
    }

    /// Tells `a` what `b`'s description says.
    func describe(_ b: Side, to a: Side, candidates: Bool = true, fingerprint: Fingerprint? = nil) throws {
        let fingerprint = fingerprint ?? b.transport.fingerprint
        try a.transport.setRemote(
            ufrag: b.transport.localUfrag, password: b.transport.localPassword,
            fingerprints: [(fingerprint.algorithm.rawValue, fingerprint.value)])
        guard candidates else { return }
        for candidate in b.transport.localCandidates {
            #expect(a.transport.addRemoteCandidate(candidate) == .accepted)
        }
        #expect(a.transport.addRemoteCandidate("") == .endOfCandidates)
    }

    /// A server's and a client's transport that know each other.
    func makePair(
        server: TransportConfiguration = loopback, client: TransportConfiguration = loopback
    ) throws -> (server: Side, client: Side) {
        try run {
            let server = try self.makeSide(.server, server, token: 1)
            let client = try self.makeSide(.client, client, token: 2)
            try self.describe(server, to: client)
            try self.describe(client, to: server)
            return (server, client)
        }
    }

    /// Waits until both are connected.
    func connect(_ pair: (server: Side, client: Side), seconds: Int64 = 10) -> Bool {
        eventually(seconds: seconds) {
            pair.server.transport.state == .connected && pair.client.transport.state == .connected
        }
    }

    /// Sends one packet. On the loop's thread only.
    static func send(_ packet: [UInt8], on transport: PeerTransport, rtcp: Bool = false) -> SendOutcome {
        var buffer = packet + [UInt8](repeating: 0, count: 20)
        return buffer.withUnsafeMutableBytes { bytes in
            rtcp
                ? transport.sendRTCP(bytes, count: packet.count) : transport.sendRTP(bytes, count: packet.count)
        }
    }
}

/// How many descriptors this process has open.
func openDescriptors() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count
}

/// A plain UDP socket on loopback.
final class ForeignSocket {
    let descriptor: Int32
    init() {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
    deinit { close(descriptor) }

    func send(_ bytes: [UInt8], toPort port: UInt16) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == bytes.count
    }

    /// How many datagrams have come, and takes them.
    func drain() -> Int {
        var count = 0
        var buffer = [UInt8](repeating: 0, count: 2048)
        while recv(descriptor, &buffer, buffer.count, 0) >= 0 { count += 1 }
        return count
    }
}
