// What a gateway tells its owner, and the small types of that conversation.

/// One WebSocket connection. A number is used again after its connection has closed; the generation tells them apart.
public struct ConnectionID: Hashable, Sendable {
    /// The place in the gateway's table.
    public let index: UInt32
    /// How often the place had been used.
    public let generation: UInt32

    /// Takes both, as a fake gateway in a test does.
    public init(index: UInt32, generation: UInt32) { (self.index, self.generation) = (index, generation) }
}

/// Where a connection comes from, as a key for limits: an IPv4 address, or an IPv6 /64. It does not print itself, so that
/// no address comes into a log by accident.
public struct AddressKey: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64
    /// Always the same word.
    public var description: String { "address" }
}

/// How a connection ended.
public struct Closure: Sendable, Equatable {
    /// The close code of RFC 6455 section 7.4 or of the protocol; 1006 when the connection broke without one, 1005 when
    /// the client closed without saying a code.
    public let code: UInt16
    /// The reason, at most 123 bytes.
    public let reason: String
    /// Whether the client closed.
    public let isByClient: Bool

    /// Takes all three, as a fake gateway in a test does.
    public init(code: UInt16, reason: String, isByClient: Bool) {
        (self.code, self.reason, self.isByClient) = (code, reason, isByClient)
    }
}

/// The close codes that a gateway itself gives.
public enum CloseCode {
    /// The server is going away.
    public static let goingAway: UInt16 = 1001
    /// A binary frame came.
    public static let binary: UInt16 = 1003
    /// The connection broke, or was cut, without a close frame. Never sent.
    public static let broken: UInt16 = 1006
    /// A text message is not UTF-8.
    public static let notUTF8: UInt16 = 1007
    /// The client takes too long over one message.
    public static let policy: UInt16 = 1008
    /// The client sends more than is allowed at this stage, or in too many fragments.
    public static let tooLarge: UInt16 = 4413
    /// The client sends frames faster than is allowed.
    public static let tooManyMessages: UInt16 = 4429
}

/// A whole HTTP response.
public struct HTTPResponse: Sendable {
    /// The status, e.g. 200.
    public var status: Int
    /// The value of Content-Type.
    public var contentType: String
    /// The body.
    public var body: [UInt8]
    /// Further headers. One with a control character in it is left out.
    public var headers: [(name: String, value: String)]

    /// A response of bytes.
    public init(
        status: Int, contentType: String = "text/plain; charset=utf-8", body: [UInt8],
        headers: [(name: String, value: String)] = []
    ) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.headers = headers
    }

    /// A response of text.
    public init(
        status: Int, contentType: String = "text/plain; charset=utf-8", text: String,
        headers: [(name: String, value: String)] = []
    ) { self.init(status: status, contentType: contentType, body: Array(text.utf8), headers: headers) }
}

/// What a gateway tells. Every call comes on the loop's thread, so an actor that is pinned to the loop implements these
/// as `nonisolated` and enters itself by `assumeIsolated`. `send`, `close` and `setMaximumMessage` may be called inside.
public protocol GatewayDelegate: AnyObject {
    /// A client has upgraded to a WebSocket.
    func gatewayOpened(_ id: ConnectionID, address: AddressKey)
    /// A whole text message, proven to be UTF-8 and within the limits.
    func gatewayReceived(_ id: ConnectionID, message: [UInt8])
    /// A connection has ended; told exactly once for each that was opened. The id is no longer known.
    func gatewayClosed(_ id: ConnectionID, closure: Closure)
    /// A GET or HEAD of `path` (decoded, without the query): the response, or nil to have the path looked for among the
    /// web client's files. For /livez, /readyz, /metrics and the like.
    func gatewayResponse(path: String) -> HTTPResponse?
    /// The methods that a path understands (decoded, without the query), where whole requests for it are to be told; nil
    /// where it is none of those. Another method is answered 405.
    func gatewayMethods(path: String) -> [HTTPMethod]?
    /// Such a request whose body has not come: what it is answered in place of reading the body, or nil to have it read.
    func gatewayRefusal(of request: GatewayRequest) -> HTTPResponse?
    /// A whole request for such a path. It is answered, at once or later, by `Gateway.respond`; a client may have gone
    /// before, which is not told.
    func gatewayRequested(_ id: RequestID, _ request: GatewayRequest)
}

extension GatewayDelegate {
    /// No path takes whole requests.
    public func gatewayMethods(path: String) -> [HTTPMethod]? { nil }
    /// Every body is read.
    public func gatewayRefusal(of request: GatewayRequest) -> HTTPResponse? { nil }
    /// Never told where there is no such path.
    public func gatewayRequested(_ id: RequestID, _ request: GatewayRequest) {}
}
