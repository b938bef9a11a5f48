// Time-limited credentials for a TURN server that shares a secret with this server (draft-uberti-behave-turn-rest, what
// coturn calls `use-auth-secret`). It talks to no TURN server.
import COpenSSL

/// A user name and a password that a TURN server takes until a given time.
public struct TURNCredentials: Sendable, Equatable {
    /// How long credentials may live at most, in seconds: a day.
    public static let maximumLifetimeSeconds: Int64 = 86_400

    /// The time of the end, a colon, and the user: `1735689600:alice`.
    public let username: String
    /// The base64 HMAC-SHA1 of the user name under the shared secret.
    public let credential: String
    /// When they end, in seconds since 1970.
    public let expiresAtSeconds: Int64

    /// Makes credentials for `user` that end `lifetimeSeconds` (bounded to 1…86,400) after `nowSeconds` since 1970. Nil
    /// when the secret is empty: credentials of an empty secret are no secret.
    public init?(secret: String, user: String, lifetimeSeconds: Int64, nowSeconds: Int64) {
        guard !secret.isEmpty else { return nil }
        expiresAtSeconds = nowSeconds &+ min(max(lifetimeSeconds, 1), Self.maximumLifetimeSeconds)
        username = "\(expiresAtSeconds):\(user)"
        let key = Array(secret.utf8), message = Array(username.utf8)
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard
            unsafe HMAC(EVP_sha1(), key, Int32(key.count), message, message.count, &digest, &length) != nil,
            length == 20
        else { return nil }
        // 20 bytes are 28 characters of base64, and OpenSSL ends them with a zero.
        var text = [UInt8](repeating: 0, count: 29)
        let written = unsafe EVP_EncodeBlock(&text, digest, 20)
        credential = String(decoding: text.prefix(Int(written)), as: UTF8.self)
    }
}
