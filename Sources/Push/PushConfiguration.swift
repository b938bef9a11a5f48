// Whom push messages go through, with what keys, and how patiently. Reads no file.

public import Tokens

/// Text that is never printed: keys and device tokens. Its descriptions and its mirror say nothing of it.
public struct PushSecret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable,
    ExpressibleByStringLiteral
{
    let text: String

    /// Takes the text.
    public init(_ text: String) { self.text = text }
    /// Takes the text.
    public init(stringLiteral text: String) { self.text = text }
    /// Says that there is one.
    public var description: String { "(secret)" }
    /// Says that there is one.
    public var debugDescription: String { "(secret)" }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Apple's push service with token-based authentication.
public struct APNsConfiguration: Hashable, Sendable {
    /// The private key (ES256) that Apple made, in PEM: the `.p8` file.
    public var privateKey: PushSecret
    /// The key's identifier, 10 characters.
    public var keyID: String
    /// The developer team, 10 characters.
    public var teamID: String
    /// The application's bundle identifier; the topic of calls is this with `.voip`.
    public var bundleID: String
    /// Where messages for released applications go.
    public var endpoint: String
    /// Where messages for applications under development go.
    public var sandboxEndpoint: String

    /// A configuration; the endpoints are Apple's.
    public init(
        privateKey: PushSecret, keyID: String, teamID: String, bundleID: String,
        endpoint: String = "https://api.push.apple.com",
        sandboxEndpoint: String = "https://api.sandbox.push.apple.com"
    ) {
        self.privateKey = privateKey
        self.keyID = keyID
        self.teamID = teamID
        self.bundleID = bundleID
        self.endpoint = endpoint
        self.sandboxEndpoint = sandboxEndpoint
    }
}

/// Firebase Cloud Messaging, its HTTP v1 interface, with a service account.
public struct FCMConfiguration: Hashable, Sendable {
    /// The service account's address.
    public var clientEmail: String
    /// Its private key (RS256), in PEM.
    public var privateKey: PushSecret
    /// The key's identifier, or nil.
    public var privateKeyID: String?
    /// The project.
    public var projectID: String
    /// Where an access token is got.
    public var tokenEndpoint: String
    /// Where messages go.
    public var endpoint: String

    /// A configuration; the endpoints are Google's.
    public init(
        clientEmail: String, privateKey: PushSecret, privateKeyID: String? = nil, projectID: String,
        tokenEndpoint: String = "https://oauth2.googleapis.com/token",
        endpoint: String = "https://fcm.googleapis.com"
    ) {
        self.clientEmail = clientEmail
        self.privateKey = privateKey
        self.privateKeyID = privateKeyID
        self.projectID = projectID
        self.tokenEndpoint = tokenEndpoint
        self.endpoint = endpoint
    }

    /// The configuration in a service account's key file, which Google's console writes as JSON.
    /// - Throws: `malformedServiceAccount`.
    public init(serviceAccount bytes: [UInt8]) throws(PushError) {
        struct Account: Decodable {
            var email: String
            var key: String
            var keyID: String?
            var project: String
            var tokenEndpoint: String?

            enum CodingKeys: String, CodingKey {
                case email = "client_email"
                case key = "private_key"
                case keyID = "private_key_id"
                case project = "project_id"
                case tokenEndpoint = "token_uri"
            }
        }
        guard let account = TokenJSON.decode(Account.self, from: bytes) else { throw .malformedServiceAccount }
        self.init(
            clientEmail: account.email, privateKey: PushSecret(account.key), privateKeyID: account.keyID,
            projectID: account.project)
        if let endpoint = account.tokenEndpoint { tokenEndpoint = endpoint }
    }
}

/// Whom push messages go through, and how patiently.
public struct PushConfiguration: Hashable, Sendable {
    /// Apple's service, or nil: messages to it are answered with `notConfigured`.
    public var apns: APNsConfiguration?
    /// Google's service, or nil: messages to it are answered with `notConfigured`.
    public var fcm: FCMConfiguration?
    /// A file of certificates in PEM that servers are verified against, or nil for the machine's own.
    public var authorityFile: String?
    /// The URL of an HTTP proxy, or nil for none; the environment is not asked.
    public var proxy: String?
    /// Messages of one provider that may wait or be under way; beyond it the expired go first, then new ones are refused.
    public var queueLimit: Int
    /// Requests to one provider that are under way at once.
    public var concurrentRequests: Int
    /// The time of one request, in milliseconds; less when the message expires before.
    public var requestMilliseconds: Int64
    /// The wait before the first repetition, in milliseconds; it doubles each time, and half of it is chance.
    public var retryMilliseconds: Int64
    /// The longest wait before a repetition, in milliseconds, where the provider does not ask for more.
    public var longestRetryMilliseconds: Int64

    /// A configuration.
    public init(
        apns: APNsConfiguration? = nil, fcm: FCMConfiguration? = nil, authorityFile: String? = nil,
        proxy: String? = nil, queueLimit: Int = 10_000, concurrentRequests: Int = 100,
        requestMilliseconds: Int64 = 10_000, retryMilliseconds: Int64 = 500, longestRetryMilliseconds: Int64 = 15_000
    ) {
        self.apns = apns
        self.fcm = fcm
        self.authorityFile = authorityFile
        self.proxy = proxy
        self.queueLimit = queueLimit
        self.concurrentRequests = concurrentRequests
        self.requestMilliseconds = requestMilliseconds
        self.retryMilliseconds = retryMilliseconds
        self.longestRetryMilliseconds = longestRetryMilliseconds
    }
}

/// Why push cannot be used at all.
public enum PushError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A private key cannot be read, or is of the wrong kind.
    case keyUnusable(provider: String, TokenKeyError)
    /// Not the JSON of a service account.
    case malformedServiceAccount
    /// An endpoint that is no `https` URL.
    case insecureEndpoint(String)
    /// The file of certificates cannot be read.
    case unreadableAuthorityFile(path: String)
    /// A header's value is empty or has characters that no header may have.
    case malformed(field: String)
    /// This machine's libcurl does not speak HTTP/2, or cannot be started.
    case curlUnusable

    /// A sentence for people, without anything of the keys.
    public var description: String {
        switch self {
        case .keyUnusable(let provider, let error): "The push key for \(provider) cannot be used. \(error)"
        case .malformedServiceAccount: "The file is not a service account's key in JSON."
        case .insecureEndpoint(let endpoint): "The push endpoint \(endpoint) does not begin with https://."
        case .unreadableAuthorityFile(let path): "The file of certificates \(path) cannot be read."
        case .malformed(let field): "\(field) of the push configuration is empty or malformed."
        case .curlUnusable: "libcurl cannot be used, or does not speak HTTP/2."
        }
    }
}
