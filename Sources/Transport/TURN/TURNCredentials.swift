// Time-limited TURN credentials (draft-uberti-behave-turn-rest-00).
import COpenSSL

/// A user name and a password that coturn's `use-auth-secret` accepts until they expire.
public struct TURNCredentials: Sendable, Equatable {
    /// The expiry in Unix seconds, a colon, and the user.
    public let username: String
    /// Base64 of HMAC-SHA1 of the user name under the shared secret.
    public let credential: String

    /// Credentials for one user, good until `expiresAt` (Unix seconds).
    public init(user: String, secret: String, expiresAt: Int64) {
        username = "\(expiresAt):\(user)"
        var key = Array(secret.utf8)
        var text = Array(username.utf8)
        var code = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 20
        _ = unsafe HMAC(EVP_sha1(), &key, Int32(key.count), &text, text.count, &code, &length)
        var encoded = [UInt8](repeating: 0, count: 29)
        _ = unsafe EVP_EncodeBlock(&encoded, code, 20)
        credential = String(decoding: encoded.prefix(28), as: UTF8.self)
    }
}
