// The settings of a session, units in their names.

/// The settings of one session.
public struct SessionConfiguration: Hashable, Sendable {
    /// How long a new socket may take to say `hello` or `resume`.
    public var helloTimeoutMilliseconds: Int64 = 10_000
    /// Messages that a socket may send until `welcome` or `resumed`; one more and it is cut off.
    public var messagesBeforeWelcome: Int = 16
    /// How long a session whose socket was lost waits for `resume`.
    public var resumeWindowSeconds: Int = 30
    /// How often the server pings; told to the client, done by the gateway.
    public var heartbeatSeconds: Int = 30
    /// The codecs of the server's rooms, the preferred first; told to the client.
    public var codecs: [String] = ["opus", "VP8"]
    /// Commands a client may send per second over a long time. Candidates count.
    public var commandsPerSecond: Int = 50
    /// Commands a client may send at once.
    public var commandBurst: Int = 200
    /// Messages of any kind per second over a long time; a client that sends more is cut off.
    public var messagesPerSecond: Int = 500
    /// Messages of any kind at once.
    public var messageBurst: Int = 2_000
    /// Bytes per second over a long time; a client that sends more is cut off.
    public var bytesPerSecond: Int = 1_048_576
    /// Bytes at once.
    public var byteBurst: Int = 8_388_608
    /// Answers kept until they are acknowledged, and commands taken in but not answered, together.
    public var keptAnswers: Int = 256
    /// Bytes of kept answers past which no new command is taken in.
    public var keptAnswerBytes: Int = 1_048_576
    /// Bytes of commands that wait for their turn past which no new command is taken in.
    public var waitingCommandBytes: Int = 1_048_576
    /// Events kept until they are acknowledged; one more and the session must start over.
    public var keptEvents: Int = 1_024
    /// Bytes of kept events past which the session must start over.
    public var keptEventBytes: Int = 262_144

    /// The defaults.
    public init() {}
}
