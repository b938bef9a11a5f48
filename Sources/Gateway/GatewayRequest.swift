// A request that is told to the gateway's owner as a whole, with its body (RFC 9110). How it is read is in
// GatewayRequests.swift.

/// The methods that are understood (RFC 9110 section 9.3, RFC 5789). HEAD is told as GET, and its body is left out.
public enum HTTPMethod: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
}

/// One request, until it is answered.
public struct RequestID: Hashable, Sendable {
    /// The connection that it came on.
    public let connection: ConnectionID
    /// Which request of the gateway's life it is.
    public let number: UInt64

    /// Takes both, as a fake gateway in a test does.
    public init(connection: ConnectionID, number: UInt64) { (self.connection, self.number) = (connection, number) }
}

/// A whole request.
public struct GatewayRequest: Sendable {
    /// The method; GET for a HEAD too.
    public var method: HTTPMethod
    /// The path, percent-decoded, without the query: UTF-8 without control characters. Empty and dot segments are
    /// resolved, also those that were percent-encoded.
    public var path: String
    /// The query's fields, percent-decoded, in order. One without `=` has an empty value.
    public var query: [(name: String, value: String)]
    /// The value of Authorization. A secret: it belongs into no log.
    public var authorization: String?
    /// The value of Content-Type.
    public var contentType: String?
    /// The body, at most `GatewayConfiguration.maximumBodyBytes`.
    public var body: [UInt8]
    /// Where it comes from, as a key for limits.
    public var address: AddressKey

    /// Takes all, as a fake gateway in a test does.
    public init(
        method: HTTPMethod, path: String, query: [(name: String, value: String)] = [], authorization: String? = nil,
        contentType: String? = nil, body: [UInt8] = [], address: AddressKey
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.authorization = authorization
        self.contentType = contentType
        self.body = body
        self.address = address
    }
}

/// A request whose body is being read, or whose answer is waited for.
struct RequestInProgress {
    let number: UInt64
    var request: GatewayRequest
    let isHead: Bool
    /// Bytes of the body as its Content-Length says.
    let expected: Int
    /// Whether the connection is of no use after it.
    var closesAfter: Bool
    /// Whether it counts among the pending ones.
    var isPending = true
    /// What it is answered with, from then on.
    var answer: HTTPResponse?
}
