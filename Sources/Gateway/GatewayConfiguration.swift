// What a gateway listens on and how much it lets anybody take. It reads no file and knows no default of the server's.

/// Which `Origin` a WebSocket upgrade may carry. A client that sends none (no browser) is always let through: the token
/// in the first message is what admits.
public enum OriginPolicy: Sendable, Equatable {
    /// The origin's host and port must be those of the request's `Host`.
    case sameHost
    /// Any origin.
    case any
    /// One of these, compared without regard to case, e.g. "https://meet.example.org".
    case list([String])
}

/// What a gateway listens on, and its limits. Every limit is checked before memory is taken for what it limits.
public struct GatewayConfiguration: Sendable {
    /// The numeric addresses to listen on, e.g. "127.0.0.1", "::1". "0.0.0.0" is every IPv4 address of the machine and
    /// "::" every IPv6 address; for both name both.
    public var addresses = ["127.0.0.1"]
    /// The port; 0 lets the kernel choose one (the same for all addresses).
    public var port: UInt16 = 0
    /// The certificate chain's PEM file. With it and `tlsKeyPath` the port speaks TLS 1.2 or later only.
    public var tlsCertificatePath: String?
    /// The private key's PEM file.
    public var tlsKeyPath: String?
    /// Connections at one time, of every kind.
    public var maximumConnections = 10_000
    /// Connections at one time from one address (an IPv6 /64 counts as one); 0: no such limit. Behind a proxy every
    /// connection has the proxy's address: set 0 there.
    public var maximumConnectionsPerAddress = 256
    /// Bytes of one request's head.
    public var maximumHeaderBytes = 8_192
    /// Bytes of one message until `setMaximumMessage` says otherwise, counted over its fragments.
    public var maximumMessageBytes = 65_536
    /// Fragments of one message. (A browser sends one, or one per 128 KiB.)
    public var maximumFragments = 1_024
    /// Data frames a second from one connection in the long run; a burst may be four times as many.
    public var maximumFramesPerSecond = 500
    /// Bytes that wait for one connection to take them. One that has more waiting is closed: it does not read.
    public var outputLimitBytes = 4_194_304
    /// Seconds until a connection must have sent its whole request (and finished its TLS handshake).
    public var handshakeSeconds = 10.0
    /// Seconds that an HTTP connection may lie idle between requests.
    public var idleSeconds = 15.0
    /// Seconds after which a client that fetches a response is looked at: whether it goes on is up to the next limit.
    public var responseSeconds = 60.0
    /// A client that fetches less than this of a response, in bytes a second, is cut. One behind a slow link fetches for
    /// long after the kernel has taken the last byte: no idle time runs meanwhile.
    public var minimumFetchRate = 256
    /// Bytes of one request's body.
    public var maximumBodyBytes = 65_536
    /// Requests at one time whose body or answer is waited for; further ones are answered 503.
    public var maximumPendingRequests = 256
    /// The same from one address, answered 429; 0: no such limit.
    public var maximumPendingRequestsPerAddress = 64
    /// Seconds that a request's body may take.
    public var bodySeconds = 10.0
    /// Seconds that the owner has for an answer; then 504 is given.
    public var answerSeconds = 10.0
    /// Seconds between pings.
    public var heartbeatSeconds = 30.0
    /// Seconds without a byte of a message or a pong after which a connection is gone.
    public var silenceSeconds = 90.0
    /// Seconds that one message may take from its first fragment to its last, looked at with each ping.
    public var messageSeconds = 30.0
    /// Seconds that a closing connection has to take what waits for it and to answer the close.
    public var closingSeconds = 5.0
    /// The WebSocket's path.
    public var webSocketPath = "/v1/ws"
    /// The subprotocol that an upgrade must name.
    public var subprotocol = "majlis.v1"
    /// Which origins may open a WebSocket.
    public var origins = OriginPolicy.sameHost
    /// A folder whose files are served in place of the embedded web client, read again for each request.
    public var webRoot: String?
    /// The `Content-Security-Policy` of files.
    public var contentSecurityPolicy =
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; media-src 'self' blob: mediastream:; "
        + "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    /// The defaults.
    public init() {}
}
