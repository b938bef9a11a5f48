// The control plane: sessions, rooms and workers brought together. An actor on the control loop, which is also the
// gateway's, so that nothing here waits for another thread. Its work on sessions and on rooms is in the files beside.
import EventLoop
import Gateway
import Glibc
import MediaCore
import Push
import Signalling
import Storage
import Tokens
import Transport

/// Everything that is not media.
actor ControlPlane {
    nonisolated let loop: LoopThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    let configuration: Configuration
    let sessionConfiguration: SessionConfiguration
    let verifier: TokenVerifier
    let log: Log
    let metrics: ServerMetrics
    var workers: [any WorkerDoor] = []
    /// Participants on each worker: a new room goes where there are fewest.
    var load: [Int] = []
    var gateway: HTTPGateway?

    var sockets: [UInt64: SocketID] = [:]
    var socketNumbers: [SocketID: UInt64] = [:]
    /// The session of each socket.
    var sessionBySocket: [UInt64: SessionRecord] = [:]
    /// Every session that has a name a client may resume.
    var sessionByName: [String: SessionRecord] = [:]
    /// Sessions with a deadline: few, those that have not said hello and those whose socket is lost.
    var timed: [String: SessionRecord] = [:]
    /// What users and addresses may still ask for.
    var limits: CommandLimits
    var rooms: [String: RoomRecord] = [:]
    var roomByKey: [RoomKey: RoomRecord] = [:]
    /// Who waits for a worker's answer to an offer.
    var requests: [UInt64: SessionRecord] = [:]
    /// What the people of rooms are to be told, in order, while something that may tell is being done.
    var announcements: [Announcement] = []
    var isAnnouncing = false
    /// One-to-one calls.
    var calls: CallDesk
    /// What of them outlives the server.
    let store: Store
    /// When old records are looked for next, in nanoseconds of the monotonic clock.
    var nextHistory: Int64 = 0
    /// The push services; nil where none is configured.
    let push: PushConfiguration?
    var pushSender: PushSender?
    /// What operators wait for.
    var admin = AdminState()

    /// What happened in rooms.
    var feed: EventFeed
    /// The name of this run of the server in the feed: its numbers begin anew with each.
    let feedName = ControlPlane.randomName(bytes: 8)

    /// What somebody is told as long as they are in a room; in any case where `id` is nil.
    struct Announcement {
        let session: SessionRecord
        let room: RoomRecord
        let id: PeerID?
        let message: ServerMessage
    }

    var lastSocket: UInt64 = 0
    var lastRoom: UInt64 = 0
    var lastRequest: UInt64 = 0
    var isDraining = false
    var drainUntil: Int64 = 0
    var finishedWorkers = 0
    var whenFinished: (@Sendable () -> Void)?
    private var clock: LoopTimer?

    /// How long clients have to take the last messages and to answer the close, in nanoseconds.
    static let drainNanoseconds: Int64 = 3_000_000_000
    /// How often deadlines of sessions and rooms are looked at, in milliseconds.
    static let tickMilliseconds: Int64 = 250

    init(
        loop: LoopThread, configuration: Configuration, verifier: TokenVerifier, log: Log, metrics: ServerMetrics,
        store: Store, push: PushConfiguration?
    ) {
        self.loop = loop
        self.store = store
        self.push = push
        calls = CallDesk(configuration.calls)
        limits = CommandLimits(configuration.sessions)
        self.configuration = configuration
        self.verifier = verifier
        self.log = log
        self.metrics = metrics
        feed = EventFeed(capacity: configuration.rooms.keptEvents)
        var session = SessionConfiguration()
        session.helloTimeoutMilliseconds = Int64(configuration.sessions.helloSeconds) * 1_000
        session.resumeWindowSeconds = configuration.sessions.resumeSeconds
        session.heartbeatSeconds = configuration.sessions.heartbeatSeconds
        session.codecs = configuration.rooms.codecs
        session.commandsPerSecond = configuration.sessions.commandsPerSecond
        session.commandBurst = configuration.sessions.commandBurst
        sessionConfiguration = session
    }

    /// Opens the port and begins. Returns the port that is listened on.
    func start(workers: [any WorkerDoor]) throws -> Int {
        if let push {
            do throws(PushError) {
                pushSender = try PushSender(on: loop, configuration: push)
            } catch {
                throw ConfigurationError("push: \(error)")
            }
        }
        let gateway = try HTTPGateway(loop: loop, configuration: gatewayConfiguration(), delegate: self)
        self.gateway = gateway
        self.workers = workers
        load = Array(repeating: 0, count: workers.count)
        let clock = LoopTimer(on: loop) { [unowned self] in self.assumeIsolated { $0.tick() } }
        clock.start(after: Self.tickMilliseconds, repeating: Self.tickMilliseconds)
        self.clock = clock
        return Int(gateway.port)
    }

    private func gatewayConfiguration() -> GatewayConfiguration {
        var gateway = GatewayConfiguration()
        let listen = configuration.listen
        gateway.addresses = [listen.host]
        gateway.port = UInt16(clamping: listen.port)
        gateway.tlsCertificatePath = listen.tlsCertificate.isEmpty ? nil : listen.tlsCertificate
        gateway.tlsKeyPath = listen.tlsKey.isEmpty ? nil : listen.tlsKey
        gateway.maximumConnections = listen.maximumConnections
        gateway.maximumConnectionsPerAddress = listen.maximumConnectionsPerAddress
        gateway.webRoot = listen.webRoot.isEmpty ? nil : listen.webRoot
        gateway.heartbeatSeconds = Double(configuration.sessions.heartbeatSeconds)
        gateway.silenceSeconds = Double(configuration.sessions.silenceSeconds)
        if listen.allowedOrigins == ["*"] {
            gateway.origins = .any
        } else if !listen.allowedOrigins.isEmpty {
            gateway.origins = .list(listen.allowedOrigins)
        }
        return gateway
    }

    /// Takes in what a worker says, from its thread; in the order in which it was said.
    nonisolated func post(_ event: WorkerEvent) {
        loop.perform { self.assumeIsolated { $0.receive(event) } }
    }

    /// Tells everybody, closes every socket, finishes the workers; then calls `done` on the control loop.
    func drain(done: @escaping @Sendable () -> Void) {
        guard !isDraining else { return }
        isDraining = true
        drainUntil = MonotonicClock.now + Self.drainNanoseconds
        whenFinished = done
        gateway?.stopAccepting()
        log(.info, "shutting down", ("sessions", "\(sessionByName.count)"), ("rooms", "\(rooms.count)"))
        // Those that wait for a resume too; one that has ended does nothing more.
        for session in Array(sessionBySocket.values) + Array(sessionByName.values) {
            change(session) { machine, actions in
                machine.send(.serverShutdown(.init(reconnectAfterMilliseconds: 1_000)), into: &actions)
                machine.close(.goingAway, reason: "the server is going away", into: &actions)
            }
        }
        gateway?.closeAll(code: SessionCloseCode.goingAway.rawValue, reason: "the server is going away")
        for worker in workers { worker.post(.finish) }
    }

    func workerFinished() {
        finishedWorkers += 1
        finishIfDone()
    }

    /// While draining: ends when every worker has finished and every socket was closed, or the time for that is over.
    func finishIfDone() {
        guard isDraining, finishedWorkers == load.count, let whenFinished else { return }
        guard sockets.isEmpty || MonotonicClock.now >= drainUntil else { return }
        self.whenFinished = nil
        clock?.close()
        clock = nil
        // The workers report to this actor: each would keep the other.
        workers = []
        pushSender?.close()
        pushSender = nil
        guard let gateway else { return whenFinished() }
        self.gateway = nil
        gateway.close(whenFinished)
    }

    private func tick() {
        let now = MonotonicClock.now
        let time = SessionTime(nanoseconds: now)
        for session in Array(timed.values) {
            guard let due = session.machine.nextDeadline, due <= time else { continue }
            change(session) { machine, actions in machine.advance(to: time, into: &actions) }
        }
        for room in Array(rooms.values) { tick(room, at: now) }
        tickCalls(at: time)
        tickWaking(at: now)
        tickHistory(at: now)
        limits.tidy(at: now)
        tickAdmin(at: now)
        finishIfDone()
    }

    /// The ICE servers for one client, with credentials that are good for a limited time.
    func iceServers(for user: String) -> [ServerMessage.ICEServer] {
        var servers: [ServerMessage.ICEServer] = []
        if !configuration.turn.stunURLs.isEmpty { servers.append(.init(urls: configuration.turn.stunURLs)) }
        guard !configuration.turn.urls.isEmpty else { return servers }
        guard
            let credentials = TURNCredentials(
                secret: configuration.turn.secret, user: user,
                lifetimeSeconds: Int64(configuration.turn.credentialSeconds), nowSeconds: WallClock.seconds)
        else { return servers }
        servers.append(
            .init(urls: configuration.turn.urls, username: credentials.username, credential: credentials.credential))
        return servers
    }

    /// The same for a session's user.
    func iceServers(for session: SessionRecord) -> [ServerMessage.ICEServer] {
        iceServers(for: session.machine.claims?.user ?? "")
    }

    /// Random bytes as hexadecimal digits, for names and secrets.
    static func randomName(bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef")
        return String((0..<bytes * 2).map { _ in digits[Int(generator.next() & 15)] })
    }
}
