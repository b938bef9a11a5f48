// What a session asks of the server. Carrying it out is the server's.

/// One thing to do, in the order given. All but `send` and `close` come last among what one call of the machine asks,
/// so that the server may call the machine again while it carries them out, and nothing overtakes a message.
public enum SessionAction: Hashable, Sendable {
    /// Send a text message.
    case send(ConnectionID, text: String)
    /// Close the socket, after what was sent before.
    case close(ConnectionID, CloseCode, reason: String)
    /// Verify the token, then call `authenticated` or `refused`.
    case authenticate(ClientMessage.Hello)
    /// Find the session named and call its `resume`; where there is none, call `resumeFailed` on this machine. Once the
    /// other machine has taken the socket this one is to be forgotten (`handedOver`).
    case resume(SessionResumption)
    /// Do what the client asks, then call `answer` once with the same number. The next command is given only then.
    case perform(CommandID, ClientCommand)
    /// The socket is lost; the session waits for `resume` until `nextDeadline`.
    case detached
    /// A socket has resumed the session, and what it missed was sent.
    case reattached(ConnectionID)
    /// The session is over: leave the room, forget the machine. Comes exactly once, last.
    case ended(SessionEnd)
}

/// A `resume` that arrived on a fresh socket.
public struct SessionResumption: Hashable, Sendable {
    /// The socket it came on.
    public var connection: ConnectionID
    /// The number to answer under, where it had one.
    public var id: CommandID?
    /// What the client said.
    public var request: ClientMessage.Resume

    /// A resumption.
    public init(connection: ConnectionID, id: CommandID?, request: ClientMessage.Resume) {
        self.connection = connection
        self.id = id
        self.request = request
    }
}

/// Why a session ended.
public enum SessionEnd: Hashable, Sendable {
    /// The socket closed before there was a session.
    case neverBegan
    /// A fresh socket's machine gave its socket to the session that it resumed.
    case handedOver
    /// Nobody resumed it in time.
    case timedOut
    /// The error that closed it: the client's fault, a refusal, or the server's wish.
    case failed(ProtocolError)
    /// The server closed it.
    case closed(CloseCode)
}
