// libwebsockets' context and vhost on a loop that is not its own: creation, adoption of sockets, and the end in turns.
import CWebSockets
import EventLoop
import Glibc

/// One libwebsockets context. It keeps its gateway alive from the moment it is set until the end.
@safe final class Library {
    var gateway: Gateway?
    private let loop: LoopThread
    private var context: OpaquePointer?
    private var vhost: OpaquePointer?
    // libwebsockets keeps pointers to all of these.
    private let loops: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let protocols: UnsafeMutablePointer<lws_protocols>
    private let pings: UnsafeMutablePointer<lws_retry_bo_t>
    private let contextCell: UnsafeMutablePointer<OpaquePointer?>
    private var strings: [UnsafeMutablePointer<CChar>]
    private var isClosing = false
    private var whenClosed: [() -> Void] = []
    private var endTimer: LoopTimer?
    private var quietTurns = 0
    /// Turns of the loop from the last connection's end until libwebsockets' own handles are closed too: theirs are closed
    /// in the turn after, and reported in the one after that.
    private static let turnsUntilClosed = 4

    init(loop: LoopThread, configuration: GatewayConfiguration) throws(GatewayError) {
        self.loop = loop
        unsafe strings = []
        unsafe loops = .allocate(capacity: 2)
        unsafe loops.initialize(to: loop.foreignLoop)
        unsafe (loops + 1).initialize(to: nil)
        unsafe protocols = .allocate(capacity: 3)
        unsafe protocols.initialize(repeating: lws_protocols(), count: 3)
        unsafe pings = .allocate(capacity: 1)
        // All zero: no pings of its own, for its timers are one sorted list that a connection each makes slow.
        unsafe pings.initialize(to: lws_retry_bo_t())
        unsafe contextCell = .allocate(capacity: 1)
        unsafe contextCell.initialize(to: nil)
        // The first is HTTP's. Its name is not a token of RFC 9110, so that no client can ask for it.
        unsafe protocols[0].name = string("(http)")
        unsafe protocols[1].name = string(configuration.subprotocol)
        for index in 0..<2 {
            unsafe protocols[index].callback = gatewayCallback
            unsafe protocols[index].rx_buffer_size = 2_048
        }
        unsafe protocols[1].tx_packet_size = 65_536
        unsafe protocols[0].tx_packet_size = 65_536
        LibraryLog.redirect()
        do throws(GatewayError) {
            try create(configuration)
        } catch {
            close {}
            throw error
        }
    }

    deinit {
        unsafe loops.deallocate()
        unsafe protocols.deallocate()
        unsafe pings.deallocate()
        unsafe contextCell.deallocate()
        unsafe strings.forEach { unsafe free($0) }
    }

    private func string(_ text: String) -> UnsafePointer<CChar>? {
        guard let copy = unsafe strdup(text) else { return nil }
        unsafe strings.append(copy)
        return unsafe UnsafePointer(copy)
    }

    private func create(_ configuration: GatewayConfiguration) throws(GatewayError) {
        var info = unsafe lws_context_creation_info()
        unsafe majlis_lws_prepare(&info, loops, Unmanaged.passUnretained(self).toOpaque())
        unsafe info.protocols = UnsafePointer(protocols)
        unsafe info.retry_and_idle_policy = UnsafePointer(pings)
        unsafe info.pcontext = contextCell
        unsafe info.vhost_name = string("majlis")
        unsafe info.max_http_header_data2 = UInt32(configuration.maximumHeaderBytes)
        unsafe info.max_http_header_pool2 = UInt32(configuration.maximumConnections)
        // Its own time limits are only a second net below the gateway's wheel.
        unsafe info.timeout_secs = UInt32(configuration.handshakeSeconds) + 10
        unsafe info.keepalive_timeout = Int32(configuration.idleSeconds) + 10
        if let certificate = configuration.tlsCertificatePath, let key = configuration.tlsKeyPath {
            for path in [certificate, key] {
                let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else { throw .unreadableFile(path: path, code: errno) }
                Glibc.close(descriptor)
            }
            unsafe majlis_lws_use_tls(&info)
            unsafe info.ssl_cert_filepath = string(certificate)
            unsafe info.ssl_private_key_filepath = string(key)
            unsafe info.alpn = string("http/1.1")
        }
        guard let context = unsafe lws_create_context(&info) else { throw .libraryFailed(LibraryLog.lastLine) }
        unsafe self.context = context
        unsafe contextCell.pointee = context
        loop.atStop { [weak self] finished in
            guard let self else { return finished() }
            if let gateway = self.gateway, !isClosing { gateway.close(finished) } else { close(finished) }
        }
        guard let vhost = unsafe lws_create_vhost(context, &info) else {
            guard let certificate = configuration.tlsCertificatePath, let key = configuration.tlsKeyPath else {
                throw .libraryFailed(LibraryLog.lastLine)
            }
            throw .certificateRejected(certificatePath: certificate, keyPath: key)
        }
        unsafe self.vhost = vhost
    }

    /// Hands over an accepted socket. Nil: it could not be taken, and has been closed.
    func adopt(_ descriptor: Int32) -> OpaquePointer? {
        guard let vhost = unsafe vhost else { return nil }
        return unsafe lws_adopt_socket_vhost(vhost, descriptor)
    }

    /// Ends the context. libwebsockets on a foreign loop ends in two calls: the first begins to close what it has on the
    /// loop; the second, once all of that is closed, frees the rest and unloads the code that the loop would call back.
    func close(_ finished: @escaping () -> Void) {
        guard let context = unsafe context else { return finished() }
        whenClosed.append(finished)
        guard !isClosing else { return }
        isClosing = true
        unsafe vhost = nil
        unsafe lws_context_destroy(context)
        let timer = LoopTimer(on: loop) { [self] in finishClosing() }
        // A timer fires once in a turn at most, so it counts turns.
        timer.start(after: 0, repeating: 1)
        endTimer = timer
    }

    private func finishClosing() {
        guard gateway?.connectionCount ?? 0 == 0 else { return }
        quietTurns += 1
        guard quietTurns >= Self.turnsUntilClosed, let context = unsafe context else { return }
        unsafe lws_context_destroy(context)
        precondition(unsafe contextCell.pointee == nil, "the second call frees the context")
        unsafe self.context = nil
        endTimer?.close()
        endTimer = nil
        gateway = nil
        let told = whenClosed
        whenClosed = []
        for finished in told { finished() }
    }
}

/// What libwebsockets says while it starts: kept for an error's text, never printed, for it may name addresses.
enum LibraryLog {
    private static let line = Lock("")

    static var lastLine: String { line.withLock { $0 } }

    static func redirect() {
        unsafe lws_set_log_level(LLL_ERR | LLL_WARN) { _, text in
            guard let text = unsafe text else { return }
            let words = unsafe String(cString: text)
            LibraryLog.line.withLock { line in line = String(words.prefix(200).filter { $0 != "\n" }) }
        }
    }
}
