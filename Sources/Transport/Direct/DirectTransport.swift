// A client's transport with one UDP socket and one host candidate: ICE without libnice (RFC 8445, RFC 7675), DTLS, SRTP. It is
// for hundreds of clients in one thread towards servers that can be reached: it gathers nothing, relays nothing and restarts
// nothing, and whoever owns it looks at its socket by the clock, many datagrams at a time.
import Glibc

/// Takes what a direct transport receives, inside of `drain`. It may close the transport.
package protocol DirectTransportDelegate: AnyObject {
    /// An RTP packet arrived; nothing but its header (RFC 3550 §5.1) can be read, and nothing has been authenticated. Answers
    /// whether it shall be decrypted.
    func wantsPayload(of packet: UnsafeRawBufferPointer, arrival: Int64) -> Bool
    /// Such a packet, decrypted.
    func receivedRTP(_ packet: UnsafeMutableRawBufferPointer, arrival: Int64)
    /// A compound RTCP packet, decrypted.
    func receivedRTCP(_ packet: UnsafeMutableRawBufferPointer, arrival: Int64)
    /// Media can flow.
    func transportConnected()
    /// It failed for good.
    func transportFailed(_ reason: String)
}

/// One client's transport. One thread at a time.
@safe package final class DirectTransport {
    /// How long ICE and DTLS may take together, in nanoseconds.
    package static let connectTimeout: Int64 = 30_000_000_000
    private static let consentInterval: Int64 = 5_000_000_000
    private static let consentTimeout: Int64 = 30_000_000_000

    package enum Failure: Error, Equatable { case noSocket(Int32), badAddress }

    package weak var delegate: (any DirectTransportDelegate)?
    package let ufrag: String
    package let password: String
    /// `candidate:…`, the one that there is.
    package let candidate: String
    package var fingerprint: Fingerprint { context.identity.fingerprint }
    package private(set) var isConnected = false
    /// Datagrams that the kernel did not take.
    package private(set) var sendsFailed = 0
    /// Packets whose authentication failed.
    package private(set) var unauthentic = 0

    private let context: DTLSContext
    private let isControlling: Bool
    private let descriptor: Int32
    private let address: IPAddress
    private let tieBreaker: [UInt8]
    private var remoteUfrag = ""
    private var remotePassword = ""
    private var checks: [(remote: SocketAddress, transaction: [UInt8])] = []
    private var selected: SocketAddress?
    private var dtls: DTLSEndpoint?
    private var srtp: SRTPSession?
    private var nextCheck: Int64 = 0
    private var checkInterval: Int64 = 20_000_000
    private var lastConsent: Int64 = 0
    private var deadline: Int64 = .max
    private var isClosed = false

    /// Opens the socket.
    /// - Parameters:
    ///   - localAddress: numeric; what the candidate says, and what the socket is bound to.
    ///   - isControlling: whether this side offered.
    package init(context: DTLSContext, localAddress: String, isControlling: Bool = true) throws(Failure) {
        guard let address = IPAddress(localAddress) else { throw .badAddress }
        self.context = context
        self.address = address
        self.isControlling = isControlling
        let descriptor = socket(
            address.isIPv4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .noSocket(errno) }
        self.descriptor = descriptor
        var room: Int32 = 4 << 20
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, 4)
        _ = DatagramTimes.want(descriptor)
        let local = SocketAddress(address, port: 0)
        var bound = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isBound = unsafe local.withPointer { unsafe bind(descriptor, $0, local.length) } == 0
        let isNamed =
            unsafe withUnsafeMutablePointer(to: &bound) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(descriptor, $0, &length)
                }
            } == 0
        guard isBound, isNamed, let name = SocketAddress(bound) else {
            let code = errno
            Glibc.close(descriptor)
            throw .noSocket(code)
        }
        func text(_ count: Int) -> String {
            let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
            return String(decoding: (0..<count).map { _ in letters[Int.random(in: 0..<64)] }, as: UTF8.self)
        }
        ufrag = text(8)
        password = text(24)
        tieBreaker = (0..<8).map { _ in UInt8.random(in: 0...255) }
        candidate = "candidate:1 1 UDP 2130706431 \(address.text) \(name.port) typ host"
    }

    deinit { if !isClosed { Glibc.close(descriptor) } }

    /// Takes the other side's description and begins. `fingerprints` as in its SDP; candidates of another family, of TCP, and
    /// names are passed over.
    package func connect(
        ufrag: String, password: String, fingerprints: [(algorithm: String, value: String)], candidates: [String],
        role: DTLSEndpoint.Role, at now: Int64
    ) throws(TransportError) {
        let usable = fingerprints.compactMap { Fingerprint(algorithm: $0.algorithm, value: $0.value) }
        dtls = try DTLSEndpoint(context: context, role: role, remoteFingerprints: usable)
        remoteUfrag = ufrag
        remotePassword = password
        deadline = now &+ Self.connectTimeout
        for candidate in candidates { add(candidate) }
        nextCheck = now
        advance(to: now)
    }

    /// One more candidate of the other side.
    package func add(_ candidate: String) {
        guard let candidate = ICECandidate(candidate), candidate.isUDP, candidate.component == 1,
            let remote = IPAddress(candidate.address), remote.isIPv4 == address.isIPv4, candidate.port != 0
        else { return }
        let at = SocketAddress(remote, port: candidate.port)
        guard !checks.contains(where: { $0.remote == at }), checks.count < 16 else { return }
        checks.append((at, Self.transaction()))
    }

    private static func transaction() -> [UInt8] { (0..<12).map { _ in UInt8.random(in: 0...255) } }

    // MARK: Time

    /// Whether its socket wants to be looked at often.
    package var isConnecting: Bool { !isConnected && dtls != nil && !isClosed }

    /// Lets time pass: checks, consent, DTLS's repetitions. Nanoseconds of the monotonic clock; best every 20 ms.
    package func advance(to now: Int64) {
        guard !isClosed, dtls != nil else { return }
        if !isConnected, now >= deadline { return fail("no connection within 30 seconds") }
        if isConnected, now &- lastConsent > Self.consentTimeout {
            return fail("the server answers no checks any more")
        }
        if now >= nextCheck {
            if let selected {
                check(selected, Self.transaction())
                nextCheck = now &+ Self.consentInterval
            } else {
                for candidate in checks { check(candidate.remote, candidate.transaction) }
                checkInterval = min(checkInterval * 2, 500_000_000)
                nextCheck = now &+ checkInterval
            }
        }
        dtls?.advance(to: now)
        afterDTLS()
    }

    private func check(_ remote: SocketAddress, _ transaction: [UInt8]) {
        var request = StunMessage(type: StunMessage.bindingRequest, transaction: transaction)
        request.append(StunMessage.username, Array("\(remoteUfrag):\(ufrag)".utf8))
        // Of a peer-reflexive candidate that this check might make.
        request.append(StunMessage.priority, [0x6E, 0x7F, 0xFF, 0xFF])
        request.append(isControlling ? StunMessage.iceControlling : StunMessage.iceControlled, tieBreaker)
        if isControlling { request.append(StunMessage.useCandidate, []) }
        send(request.encoded(password: remotePassword), to: remote)
    }

    // MARK: Receiving

    /// Takes in what has arrived, at most `limit` datagrams. `now`: nanoseconds of the monotonic clock.
    package func drain(_ batch: DatagramBatch, at now: Int64, atMost limit: Int = 1_024) {
        var taken = 0
        while taken < limit, !isClosed {
            let isOpen = selected == nil
            let count = batch.receive(descriptor, withSources: isOpen)
            for index in 0..<count where !isClosed {
                let datagram = unsafe batch.datagram(index)
                let source = isOpen ? SocketAddress(batch.source(index)) : selected
                unsafe receive(datagram, arrival: batch.arrival(index), from: source, at: now)
            }
            taken += count
            if count < DatagramBatch.capacity { return }
        }
    }

    private func receive(
        _ datagram: UnsafeMutableRawBufferPointer, arrival: Int64, from source: SocketAddress?, at now: Int64
    ) {
        guard let first = unsafe datagram.first else { return }
        switch first {
        case 128...191: unsafe receiveMedia(datagram, arrival: arrival)
        case 0...3: receiveStun(unsafe Array(datagram), from: source, at: now)
        case 20...63:
            unsafe dtls?.receive(UnsafeRawBufferPointer(datagram), at: now)
            afterDTLS()
        default: break
        }
    }

    private func receiveMedia(_ datagram: UnsafeMutableRawBufferPointer, arrival: Int64) {
        guard datagram.count >= 12, let srtp, let delegate else { return }
        let isRTCP = unsafe (192...223).contains(datagram[1])
        if !isRTCP, unsafe !delegate.wantsPayload(of: UnsafeRawBufferPointer(datagram), arrival: arrival) { return }
        do throws(SRTPFailure) {
            let length = try unsafe isRTCP ? srtp.unprotectRTCP(datagram) : srtp.unprotectRTP(datagram)
            let packet = unsafe UnsafeMutableRawBufferPointer(rebasing: datagram[..<length])
            if isRTCP {
                unsafe delegate.receivedRTCP(packet, arrival: arrival)
            } else {
                unsafe delegate.receivedRTP(packet, arrival: arrival)
            }
        } catch {
            unauthentic += 1
        }
    }

    private func receiveStun(_ bytes: [UInt8], from source: SocketAddress?, at now: Int64) {
        guard let message = StunMessage(bytes), let source else { return }
        switch message.type {
        case StunMessage.bindingRequest:
            let name = message.value(of: StunMessage.username).map { String(decoding: $0, as: UTF8.self) }
            guard message.isAuthentic(password: password), name?.hasPrefix("\(ufrag):") == true,
                let address = source.address
            else { return }
            var answer = StunMessage(type: StunMessage.bindingSuccess, transaction: message.transaction)
            answer.appendMapped(address, port: source.port)
            send(answer.encoded(password: password), to: source)
        case StunMessage.bindingSuccess:
            guard message.isAuthentic(password: remotePassword) else { return }
            lastConsent = now
            guard selected == nil, checks.contains(where: { $0.transaction == message.transaction }) else { return }
            select(source, at: now)
        default: break
        }
    }

    private func select(_ remote: SocketAddress, at now: Int64) {
        selected = remote
        nextCheck = now &+ Self.consentInterval
        // From here on the kernel itself drops what comes from elsewhere.
        _ = unsafe remote.withPointer { unsafe Glibc.connect(descriptor, $0, remote.length) }
        dtls?.start(at: now)
        afterDTLS()
    }

    private func afterDTLS() {
        guard let dtls, selected != nil else { return }
        for datagram in dtls.takeOutgoing() { if let selected { send(datagram, to: selected) } }
        switch dtls.state {
        case .connected:
            guard srtp == nil else { return }
            guard let keys = dtls.takeKeys(), let session = try? SRTPSession(keys: keys) else {
                return fail("no SRTP keys")
            }
            srtp = session
            isConnected = true
            delegate?.transportConnected()
        case .failed(let failure): fail("DTLS: \(failure)")
        case .closed: fail("the server closed DTLS")
        case .new, .handshaking: break
        }
    }

    private func fail(_ reason: String) {
        guard !isClosed else { return }
        let told = delegate
        close()
        told?.transportFailed(reason)
    }

    // MARK: Sending

    /// Protects the RTP packet in the first `count` bytes in place and sends it; the buffer needs 16 bytes more.
    @discardableResult
    package func sendRTP(_ bytes: UnsafeMutableRawBufferPointer, count: Int) -> Bool {
        guard let srtp, !isClosed, let length = try? unsafe srtp.protectRTP(bytes, count: count) else { return false }
        return unsafe sendConnected(bytes, length)
    }

    /// Protects the RTCP packet in the first `count` bytes in place and sends it; the buffer needs 20 bytes more.
    @discardableResult
    package func sendRTCP(_ bytes: UnsafeMutableRawBufferPointer, count: Int) -> Bool {
        guard let srtp, !isClosed, let length = try? unsafe srtp.protectRTCP(bytes, count: count) else { return false }
        return unsafe sendConnected(bytes, length)
    }

    private func sendConnected(_ bytes: UnsafeMutableRawBufferPointer, _ count: Int) -> Bool {
        let sent = unsafe Glibc.send(descriptor, bytes.baseAddress, count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        if sent < 0 { sendsFailed += 1 }
        return sent >= 0
    }

    private func send(_ bytes: [UInt8], to remote: SocketAddress) {
        _ = unsafe remote.withPointer { address in
            unsafe sendto(
                descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), address, remote.length)
        }
    }

    /// Ends it, with a close alert where there is an association. The delegate hears nothing more.
    package func close() {
        guard !isClosed else { return }
        delegate = nil
        dtls?.close()
        if let dtls, let selected { for datagram in dtls.takeOutgoing() { send(datagram, to: selected) } }
        isClosed = true
        isConnected = false
        dtls = nil
        srtp = nil
        Glibc.close(descriptor)
    }
}
