// HTTP/1.1 and WebSocket (RFC 6455) on one port, on libwebsockets and a LoopThread: the public face and the life of the
// connections. What libwebsockets calls back is in GatewayCallbacks.swift; the responses are in GatewayResponses.swift.
// libwebsockets 4.1 takes frames of clients that do not mask them; there is no way to ask it whether one was masked.
import CWebSockets
public import EventLoop
import Glibc

/// A port that speaks HTTP and WebSocket. All its methods are for its loop's own thread (a precondition).
@safe public final class Gateway {
    /// The loop.
    public let loop: LoopThread
    /// The configuration it was opened with.
    public let configuration: GatewayConfiguration
    /// The port that is listened on; the kernel's choice where the configuration says 0.
    public let port: UInt16
    weak var delegate: (any GatewayDelegate)?
    let files: WebFiles
    private var library: Library?
    private var listener: Listener?
    private var wheel = TimingWheel()
    private var wheelTimer: LoopTimer?
    private let tick: Int64
    private var killTimer: LoopTimer?
    private var doomed: [Connection] = []
    private var readyToClose: [Connection] = []

    private var table: [Connection?] = []
    private var generations: [UInt32] = []
    private var free: [Int] = []
    private var countsByAddress: [AddressKey: Int] = [:]
    /// The connection that libwebsockets is just taking over, and calls back for before it has told its own handle.
    var adopting: Connection?
    /// Requests whose body or answer is waited for: all, and by the address they come from.
    var pendingRequests = 0
    var pendingByAddress: [AddressKey: Int] = [:]
    var lastRequest: UInt64 = 0

    /// Connections at this moment, of every kind.
    public private(set) var connectionCount = 0
    /// Requests whose body or answer is waited for.
    public var pendingRequestCount: Int { pendingRequests }
    /// Connections refused because a limit was reached.
    public private(set) var refusedCount = 0

    /// Opens the port. To be called on the loop's thread. The delegate is not kept alive.
    public init(
        loop: LoopThread, configuration: GatewayConfiguration, delegate: any GatewayDelegate
    ) throws(GatewayError) {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        try configuration.validate()
        self.loop = loop
        self.configuration = configuration
        self.delegate = delegate
        files = try WebFiles(root: configuration.webRoot)
        let shortest = [
            configuration.handshakeSeconds, configuration.idleSeconds, configuration.heartbeatSeconds,
            configuration.silenceSeconds, configuration.closingSeconds, configuration.responseSeconds,
            configuration.bodySeconds, configuration.answerSeconds,
        ].reduce(8, min)
        tick = nanoseconds(min(max(shortest / 8, 0.01), 1))
        let box = ListenerBox()
        let listener = try Listener(
            on: loop, addresses: configuration.addresses, port: configuration.port,
            accepted: { descriptor, address in box.gateway?.accept(descriptor, from: address) })
        port = listener.port
        self.listener = listener
        do {
            library = try Library(loop: loop, configuration: configuration)
        } catch {
            listener.close()
            throw error
        }
        box.gateway = self
        library?.gateway = self
        let wheelTimer = LoopTimer(on: loop) { [unowned self] in turnWheel() }
        wheelTimer.start(after: tick / 1_000_000, repeating: max(tick / 1_000_000, 1))
        self.wheelTimer = wheelTimer
        killTimer = LoopTimer(on: loop) { [unowned self] in killDoomed() }
    }

    private final class ListenerBox { weak var gateway: Gateway? }

    // MARK: What the owner does

    /// Queues a text message. Nothing happens when the connection is gone or closing. A connection that has more waiting
    /// than the limit is cut: it does not read.
    public func send(_ id: ConnectionID, _ text: String) {
        var text = text
        text.withUTF8 { bytes in unsafe send(id, bytes.span) }
    }

    /// Queues a text message of UTF-8 bytes.
    public func send(_ id: ConnectionID, utf8 bytes: [UInt8]) { send(id, bytes.span) }

    private func send(_ id: ConnectionID, _ bytes: Span<UInt8>) {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        guard let connection = connection(id), connection.stage == .open, let wsi = unsafe connection.wsi else {
            return
        }
        let headRoom = Int(majlis_lws_head_room)
        let size = headRoom + bytes.count
        guard connection.outputBytes + connection.inFlightBytes + size <= configuration.outputLimitBytes else {
            cut(connection, reason: "the client does not read")
            return
        }
        let buffer = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            unsafe buffer[..<headRoom].initialize(repeating: 0)
            for index in bytes.indices { unsafe buffer.initializeElement(at: headRoom + index, to: bytes[index]) }
            count = size
        }
        connection.output.append(buffer)
        connection.outputBytes += size
        unsafe lws_callback_on_writable(wsi)
    }

    /// Closes a WebSocket once what is queued has been sent. The reason is cut to 123 bytes. The delegate is told when the
    /// connection has ended, after at most the configured closing time.
    public func close(_ id: ConnectionID, code: UInt16, reason: String) {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        guard let connection = connection(id), connection.stage == .open, let wsi = unsafe connection.wsi else {
            return
        }
        beginClosing(connection, code: code, reason: reason)
        unsafe lws_callback_on_writable(wsi)
    }

    /// Closes every WebSocket with one code.
    public func closeAll(code: UInt16, reason: String) {
        for connection in table { if let connection { close(connection.id, code: code, reason: reason) } }
    }

    /// From now on takes messages of up to `bytes` from this connection.
    public func setMaximumMessage(_ id: ConnectionID, bytes: Int) { connection(id)?.maximumMessage = max(bytes, 0) }

    /// Bytes that wait for the connection to take them; 0 when it is not known.
    public func outputBytes(_ id: ConnectionID) -> Int {
        guard let connection = connection(id) else { return 0 }
        return connection.outputBytes + connection.inFlightBytes
    }

    /// Listens no more; the connections stay.
    public func stopAccepting() {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        listener?.close()
        listener = nil
    }

    /// Ends everything, without close frames: `closeAll` and a moment come before it where they matter. The delegate is
    /// told of each connection. `finished` is called when the last descriptor is closed. A loop that stops calls this
    /// itself.
    public func close(_ finished: @escaping () -> Void = {}) {
        stopAccepting()
        guard library != nil else { return finished() }
        // From a timer: nothing may be ended inside libwebsockets' own callbacks, and this may be called in one.
        var timer: LoopTimer?
        timer = LoopTimer(on: loop) { [self] in
            timer?.close()
            timer = nil
            end(finished)
        }
        timer?.start(after: 0)
    }

    private func end(_ finished: @escaping () -> Void) {
        guard let library else { return finished() }
        self.library = nil
        wheelTimer?.close()
        killTimer?.close()
        (wheelTimer, killTimer) = (nil, nil)
        for connection in table { if let connection { kill(connection, reason: "the server has stopped") } }
        // The library keeps this gateway, and its own timer keeps the library, until its last callback.
        library.close(finished)
    }

    // MARK: Connections

    func connection(_ id: ConnectionID) -> Connection? {
        guard table.indices.contains(Int(id.index)), let connection = table[Int(id.index)], connection.id == id else {
            return nil
        }
        return connection
    }

    private func accept(_ descriptor: Int32, from address: AddressKey) {
        let perAddress = configuration.maximumConnectionsPerAddress
        guard let library, connectionCount < configuration.maximumConnections,
            perAddress == 0 || countsByAddress[address, default: 0] < perAddress
        else {
            refusedCount += 1
            Glibc.close(descriptor)
            return
        }
        var one: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = table.count
            table.append(nil)
            generations.append(0)
        }
        generations[index] &+= 1
        let connection = Connection(
            id: ConnectionID(index: UInt32(index), generation: generations[index]), address: address,
            descriptor: descriptor, now: MonotonicClock.now, configuration: configuration)
        table[index] = connection
        connectionCount += 1
        countsByAddress[address, default: 0] += 1
        adopting = connection
        let wsi = unsafe library.adopt(descriptor)
        adopting = nil
        guard let wsi = unsafe wsi else {
            // libwebsockets has closed the descriptor.
            forget(connection)
            return
        }
        if unsafe connection.wsi == nil { unsafe attach(connection, to: wsi) }
        schedule(connection, at: connection.deadline)
    }

    func attach(_ connection: Connection, to wsi: OpaquePointer) {
        unsafe connection.wsi = wsi
        let packed = UInt(connection.id.generation) << 32 | UInt(connection.id.index) + 1
        unsafe lws_set_opaque_user_data(wsi, UnsafeMutableRawPointer(bitPattern: packed))
    }

    func connection(of wsi: OpaquePointer) -> Connection? {
        if let packed = unsafe lws_get_opaque_user_data(wsi) {
            let number = UInt(bitPattern: packed)
            let index = UInt32(truncatingIfNeeded: number &- 1)
            return connection(ConnectionID(index: index, generation: UInt32(truncatingIfNeeded: number >> 32)))
        }
        guard let adopting else { return nil }
        unsafe attach(adopting, to: wsi)
        return adopting
    }

    /// The connection's descriptor is closed and its handle gone: its place is free.
    func forget(_ connection: Connection) {
        guard self.connection(connection.id) === connection else { return }
        ended(connection)
        table[Int(connection.id.index)] = nil
        free.append(Int(connection.id.index))
        connectionCount -= 1
        let count = countsByAddress[connection.address, default: 1] - 1
        countsByAddress[connection.address] = count > 0 ? count : nil
    }

    /// libwebsockets will do nothing more for it: tells the delegate, once.
    func ended(_ connection: Connection) {
        unsafe connection.wsi = nil
        connection.stage = .ended
        release(connection)
        connection.dropBuffers()
        guard connection.isTold else { return }
        connection.isTold = false
        let closure: Closure
        if let known = connection.closure {
            closure = known
        } else if let closing = connection.closing {
            closure = Closure(code: closing.code, reason: closing.reason, isByClient: false)
        } else {
            closure = Closure(code: CloseCode.broken, reason: "the connection broke", isByClient: true)
        }
        delegate?.gatewayClosed(connection.id, closure: closure)
    }

    func beginClosing(_ connection: Connection, code: UInt16, reason: String) {
        connection.closing = (code, reason)
        connection.stage = .closing
        connection.message = []
        setDeadline(connection, after: configuration.closingSeconds)
    }

    // MARK: Time

    /// Has the connection looked at when `moment` has come; what was scheduled before is void.
    func schedule(_ connection: Connection, at moment: Int64) {
        connection.scheduleToken &+= 1
        let ahead = max(moment - MonotonicClock.now, 0) / tick + 1
        wheel.schedule(
            WheelEntry(id: connection.id, token: connection.scheduleToken),
            after: Int(min(ahead, Int64(TimingWheel.slotCount))))
    }

    /// Gives the connection so many seconds from now for what its stage waits for.
    func setDeadline(_ connection: Connection, after seconds: Double) {
        connection.deadline = MonotonicClock.now + nanoseconds(seconds)
        schedule(connection, at: connection.deadline)
    }

    private func turnWheel() {
        for entry in wheel.advance() {
            guard let connection = connection(entry.id), connection.scheduleToken == entry.token else { continue }
            review(connection)
        }
    }

    private func review(_ connection: Connection) {
        let now = MonotonicClock.now
        switch connection.stage {
        case .waiting, .responding, .closing, .answered, .discarding:
            if now < connection.deadline { return schedule(connection, at: connection.deadline) }
            if goesOnFetching(connection) { return }
            kill(connection, reason: "too slow")
        case .reading, .asked:
            if now < connection.deadline { return schedule(connection, at: connection.deadline) }
            requestTimedOut(connection)
        case .open:
            let silentAt = connection.lastHeard + nanoseconds(configuration.silenceSeconds)
            if now >= silentAt { return kill(connection, reason: "silent") }
            if let started = connection.messageStarted, now >= started + nanoseconds(configuration.messageSeconds) {
                return close(connection.id, code: CloseCode.policy, reason: "a message took too long")
            }
            let heartbeat = nanoseconds(configuration.heartbeatSeconds)
            if now >= connection.lastPing + heartbeat {
                connection.lastPing = now
                connection.isPingDue = true
                if let wsi = unsafe connection.wsi { unsafe lws_callback_on_writable(wsi) }
            }
            schedule(connection, at: min(connection.lastPing + heartbeat, silentAt))
        case .ended: break
        }
    }

    /// Ends a connection that libwebsockets may be in the middle of: soon, outside its callbacks.
    func cut(_ connection: Connection, reason: String) {
        guard connection.stage != .ended else { return }
        if connection.closure == nil {
            connection.closure = Closure(code: CloseCode.broken, reason: reason, isByClient: false)
        }
        connection.stage = .ended
        release(connection)
        connection.dropBuffers()
        doomed.append(connection)
        killTimer?.start(after: 0)
    }

    private func killDoomed() {
        let now = doomed
        doomed = []
        for connection in now { kill(connection, reason: "cut") }
        let closing = readyToClose
        readyToClose = []
        for connection in closing {
            guard connection.stage == .closing, let wsi = unsafe connection.wsi else { continue }
            unsafe giveReason(connection, wsi)
            unsafe majlis_lws_kill(wsi)
        }
    }

    /// Sends the close frame, soon: libwebsockets takes a close asked for inside its writable callback for a failed
    /// write, and sends none.
    func closeSoon(_ connection: Connection) {
        readyToClose.append(connection)
        killTimer?.start(after: 0)
    }

    /// Tells libwebsockets what the close frame will say.
    func giveReason(_ connection: Connection, _ wsi: OpaquePointer) {
        guard let closing = connection.closing else { return }
        var reason = closeReasonBytes(closing.reason)
        unsafe reason.withUnsafeMutableBufferPointer { buffer in
            unsafe lws_close_reason(wsi, lws_close_status(UInt32(closing.code)), buffer.baseAddress, buffer.count)
        }
    }

    /// Ends a connection at once. Never inside a callback of libwebsockets.
    private func kill(_ connection: Connection, reason: String) {
        guard let wsi = unsafe connection.wsi else { return }
        if connection.closure == nil, connection.closing == nil {
            connection.closure = Closure(code: CloseCode.broken, reason: reason, isByClient: false)
        }
        connection.stage = .ended
        // Without these libwebsockets would first wait for the client to take what is buffered.
        var abort = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(
            connection.descriptor, SOL_SOCKET, SO_LINGER, &abort, socklen_t(MemoryLayout<linger>.size))
        shutdown(connection.descriptor, Int32(SHUT_RDWR))
        unsafe majlis_lws_kill(wsi)
    }
}

extension GatewayConfiguration {
    /// Finds limits that make no sense.
    func validate() throws(GatewayError) {
        guard maximumConnections > 0, maximumConnections <= 1_000_000 else { throw .invalidLimit("maximumConnections") }
        guard minimumFetchRate > 0 else { throw .invalidLimit("minimumFetchRate") }
        guard maximumConnectionsPerAddress >= 0 else { throw .invalidLimit("maximumConnectionsPerAddress") }
        guard maximumHeaderBytes >= 512, maximumHeaderBytes <= 65_535 else { throw .invalidLimit("maximumHeaderBytes") }
        guard maximumMessageBytes >= 0 else { throw .invalidLimit("maximumMessageBytes") }
        guard maximumFragments > 0 else { throw .invalidLimit("maximumFragments") }
        guard maximumFramesPerSecond > 0, maximumFramesPerSecond <= 1_000_000 else {
            throw .invalidLimit("maximumFramesPerSecond")
        }
        guard maximumBodyBytes >= 0, maximumBodyBytes <= 16_777_216 else { throw .invalidLimit("maximumBodyBytes") }
        guard maximumPendingRequests > 0 else { throw .invalidLimit("maximumPendingRequests") }
        guard maximumPendingRequestsPerAddress >= 0 else { throw .invalidLimit("maximumPendingRequestsPerAddress") }
        guard outputLimitBytes > 0 else { throw .invalidLimit("outputLimitBytes") }
        for (name, seconds) in [
            ("handshakeSeconds", handshakeSeconds), ("idleSeconds", idleSeconds), ("responseSeconds", responseSeconds),
            ("heartbeatSeconds", heartbeatSeconds), ("silenceSeconds", silenceSeconds),
            ("messageSeconds", messageSeconds),
            ("closingSeconds", closingSeconds), ("bodySeconds", bodySeconds), ("answerSeconds", answerSeconds),
        ] { guard seconds > 0, seconds <= 86_400 else { throw .invalidLimit(name) } }
        guard !addresses.isEmpty else { throw .invalidLimit("addresses") }
        guard (tlsCertificatePath == nil) == (tlsKeyPath == nil) else { throw .tlsIncomplete }
    }
}
