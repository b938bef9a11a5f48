// One client's session: authentication, numbering and acknowledgement, kept answers and events, resumption, limits.
// Sans-IO: sockets, tokens, rooms and the clock are the server's. Commands are given to the server one at a time.

/// The state machine of one session.
///
/// A server makes one machine per socket and feeds it what arrives. A socket whose first message is `resume` is given to
/// the machine of the session that it names. Every function appends what is to be done to `actions`; after `ended` the
/// machine does nothing more.
public struct SessionMachine: Sendable {
    enum State: Hashable, Sendable {
        case awaitingHello(until: SessionTime)
        case authenticating(CommandID?)
        case resuming(CommandID?)
        case active
        case detached(until: SessionTime)
        case ended
    }

    /// Whether the session is in a room.
    public enum RoomState: Hashable, Sendable {
        /// In none.
        case notJoined
        /// In the lobby of one: nothing but another `join`, or `leave`, makes sense.
        case waiting
        /// A `join` is being performed.
        case joining
        /// In one.
        case joined
    }

    /// A command that waits for its turn, or the error that will be its answer.
    struct Waiting: Hashable, Sendable {
        var id: CommandID
        var command: Result<ClientCommand, ProtocolError>
        var bytes: Int
    }

    /// The session's name; told to the client.
    public let session: String
    /// The settings.
    public let configuration: SessionConfiguration
    /// The socket, or nil while detached or over.
    public internal(set) var connection: ConnectionID?
    /// What the token says; nil before `authenticated`.
    public internal(set) var claims: Claims?
    /// What the client said in `hello`.
    public internal(set) var hello: ClientMessage.Hello?
    /// Whether the session is in a room.
    public internal(set) var roomState: RoomState = .notJoined
    /// Rooms that the client may enter although its token is for another: those of its calls.
    public internal(set) var grantedRooms: [String] = []
    /// The highest command taken in.
    public internal(set) var lastCommand = CommandID(0)

    let resumeToken: [UInt8]
    var state: State
    var outbox = Outbox()
    var waiting: [Waiting] = []
    var waitingBytes = 0
    /// The command that the server performs now.
    var performing: CommandID?
    /// Messages that came before there was a session.
    var earlyMessages = 0
    var commandLimit: TokenBucket
    var messageLimit: TokenBucket
    var byteLimit: TokenBucket

    /// A machine for a socket that just opened.
    /// - Parameters:
    ///   - connection: the socket.
    ///   - session: the session's name, unique, at most `ProtocolLimits.sessionBytes`.
    ///   - resumeToken: a secret of at least 128 random bits as text; it allows taking over the session.
    ///   - now: the present.
    public init(
        configuration: SessionConfiguration, connection: ConnectionID, session: String, resumeToken: String,
        at now: SessionTime
    ) {
        self.configuration = configuration
        self.connection = connection
        self.session = session
        self.resumeToken = Array(resumeToken.utf8)
        state = .awaitingHello(until: now.adding(milliseconds: configuration.helloTimeoutMilliseconds))
        commandLimit = TokenBucket(perSecond: configuration.commandsPerSecond, burst: configuration.commandBurst)
        messageLimit = TokenBucket(perSecond: configuration.messagesPerSecond, burst: configuration.messageBurst)
        byteLimit = TokenBucket(perSecond: configuration.bytesPerSecond, burst: configuration.byteBurst)
    }

    /// When `advance` must be called next, or nil.
    public var nextDeadline: SessionTime? {
        switch state {
        case .awaitingHello(let until), .detached(let until): until
        case .authenticating, .resuming, .active, .ended: nil
        }
    }

    /// Whether there is an authenticated session, with a socket or waiting for one.
    public var isActive: Bool {
        switch state {
        case .active, .detached: true
        case .awaitingHello, .authenticating, .resuming, .ended: false
        }
    }

    /// Whether the client may enter a room of this name.
    public func mayEnter(room name: String) -> Bool {
        claims?.allows(room: name) == true || grantedRooms.contains(name)
    }

    /// Whether the socket is lost and the session waits for `resume`.
    public var isDetached: Bool { if case .detached = state { true } else { false } }

    /// The highest `seq` that was given out.
    public var sentSeq: UInt64 { outbox.lastSeq }
    /// The highest `seq` that the client has acknowledged.
    public var acknowledgedSeq: UInt64 { outbox.forgottenSeq }

    /// Whether the session is over.
    public var isEnded: Bool { state == .ended }

    // MARK: The socket

    /// A text message arrived on a socket. What comes on a socket that is not the session's own is ignored.
    public mutating func receive(
        _ bytes: [UInt8], on connection: ConnectionID, at now: SessionTime, into actions: inout [SessionAction]
    ) {
        guard connection == self.connection, state != .ended else { return }
        guard messageLimit.take(1, at: now) == 0, byteLimit.take(bytes.count, at: now) == 0 else {
            return fail(Self.flood, into: &actions)
        }
        if state != .active {
            // Whoever has not shown a token yet gets little of the server's time.
            earlyMessages += 1
            guard earlyMessages <= configuration.messagesBeforeWelcome else { return fail(Self.flood, into: &actions) }
        }
        let frame: ClientFrame
        do throws(ProtocolError) {
            frame = try ClientFrame(parsing: bytes, allowsDescriptions: state == .active)
        } catch {
            return fail(error, into: &actions)
        }
        switch state {
        case .awaitingHello: greet(frame, into: &actions)
        case .authenticating, .resuming:
            refuseEarly(frame, into: &actions)
        case .active: take(frame, bytes: bytes.count, at: now, into: &actions)
        case .detached, .ended: break
        }
    }

    /// A binary message arrived: this protocol has none.
    public mutating func receiveBinary(on connection: ConnectionID, into actions: inout [SessionAction]) {
        guard connection == self.connection, state != .ended else { return }
        fail(ProtocolError(.binaryMessage, "messages are text", isFatal: true), into: &actions)
    }

    /// A message arrived that the gateway refused for its size.
    public mutating func receiveTooLarge(on connection: ConnectionID, into actions: inout [SessionAction]) {
        guard connection == self.connection, state != .ended else { return }
        fail(ProtocolError(.tooLarge, "The message is too large.", isFatal: true), into: &actions)
    }

    /// A socket closed, or was silent for too long. Nothing happens where it is not the session's own.
    public mutating func connectionLost(
        _ connection: ConnectionID, at now: SessionTime, into actions: inout [SessionAction]
    ) {
        guard connection == self.connection, state != .ended else { return }
        self.connection = nil
        guard state == .active else { return end(.neverBegan, into: &actions) }
        let window = Int64(clamping: configuration.resumeWindowSeconds).multipliedReportingOverflow(by: 1_000)
        state = .detached(until: now.adding(milliseconds: window.overflow ? Int64.max : window.partialValue))
        actions.append(.detached)
    }

    /// Time went on.
    public mutating func advance(to now: SessionTime, into actions: inout [SessionAction]) {
        switch state {
        case .awaitingHello(let until) where until <= now:
            fail(ProtocolError(.noHello, "no hello in time", isFatal: true), into: &actions)
        case .detached(let until) where until <= now:
            end(.timedOut, into: &actions)
        default: break
        }
    }

    // MARK: The server

    /// The token is good: the session begins. Answers `hello` with `welcome`.
    public mutating func authenticated(
        as claims: Claims, iceServers: [ServerMessage.ICEServer], iceServersTTLSeconds: Int,
        into actions: inout [SessionAction]
    ) {
        guard case .authenticating(let id) = state else { return }
        state = .active
        self.claims = claims
        let welcome = ServerMessage.Welcome(
            session: session, resumeToken: String(decoding: resumeToken, as: UTF8.self),
            resumeWindowSeconds: configuration.resumeWindowSeconds, heartbeatSeconds: configuration.heartbeatSeconds,
            iceServers: iceServers, iceServersTTLSeconds: iceServersTTLSeconds, codecs: configuration.codecs,
            user: .init(id: claims.user, name: claims.name), room: claims.room)
        transmit(outbox.append(.welcome(welcome), re: id, isAnswer: false), into: &actions)
    }

    /// The token is refused, or the server takes nobody in: tells the client and closes the socket.
    /// - Parameter error: its sentence says why, and becomes the close reason.
    public mutating func refused(_ error: ProtocolError, into actions: inout [SessionAction]) {
        guard case .authenticating(let id) = state else { return }
        sendUnkept(.error(error.fatal), re: id, into: &actions)
        fail(error.fatal, into: &actions)
    }

    /// Answers the command being performed, and gives the next one out. An answer to any other command is ignored.
    public mutating func answer(
        _ id: CommandID, _ message: ServerMessage, into actions: inout [SessionAction]
    ) {
        guard isActive, performing == id else { return }
        performing = nil
        switch message {
        case .joined: roomState = .joined
        case .lobby: roomState = .waiting
        case .left: roomState = .notJoined
        default: if roomState == .joining { roomState = .notJoined }
        }
        transmit(outbox.append(message, re: id, isAnswer: true), into: &actions)
        performNext(into: &actions)
    }

    /// Sends an event; kept until acknowledged. Where too much is kept the session ends and the client starts over.
    public mutating func send(_ event: ServerMessage, into actions: inout [SessionAction]) {
        guard isActive else { return }
        transmit(outbox.append(event, re: nil, isAnswer: false), into: &actions)
        guard
            outbox.eventCount > configuration.keptEvents || outbox.eventBytes > configuration.keptEventBytes
        else { return }
        let error = ProtocolError(.resyncNeeded, "too much is not acknowledged: start over", isFatal: true)
        sendUnkept(.error(error), re: nil, into: &actions)
        fail(error, into: &actions)
    }

    /// Sends something of which only the newest matters: without a `seq`, not kept, and not at all while there is no socket.
    public mutating func inform(_ message: ServerMessage, into actions: inout [SessionAction]) {
        guard state == .active else { return }
        sendUnkept(message, re: nil, into: &actions)
    }

    /// The client may enter the room of its call.
    public mutating func grant(room name: String) {
        if !grantedRooms.contains(name) { grantedRooms.append(name) }
    }

    /// The client may enter the room no longer; where it is in it, it stays.
    public mutating func revoke(room name: String) { grantedRooms.removeAll { $0 == name } }

    /// The same with a message that many clients are sent, which is made into text once.
    public mutating func inform(text: String, into actions: inout [SessionAction]) {
        guard state == .active, let connection else { return }
        actions.append(.send(connection, text: text))
    }

    /// The server took the client out of its room; the session goes on.
    public mutating func leftRoom() { roomState = .notJoined }

    /// The server ends the session.
    public mutating func close(_ code: CloseCode, reason: String, into actions: inout [SessionAction]) {
        guard state != .ended else { return }
        if let connection { actions.append(.close(connection, code, reason: CloseCode.fitting(reason))) }
        end(.closed(code), into: &actions)
    }
}
