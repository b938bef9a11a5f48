// What can be wrong with a token or with a key.

/// Why a token was refused.
public enum TokenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not a signed token in compact form (RFC 7515 §7.1), or its JSON lacks what it must have.
    case malformed
    /// Longer than `TokenVerifier.tokenBytes`.
    case tooLarge
    /// An algorithm that no configured key has; `none` is always one.
    case unsupportedAlgorithm
    /// A `kid` that no configured key has.
    case unknownKey
    /// The signature is not that of the key.
    case badSignature
    /// The `exp` has passed.
    case expired
    /// The `nbf` has not come.
    case notYetValid
    /// The `aud` is not the configured one.
    case wrongAudience

    /// A sentence for people, without anything of the token.
    public var description: String {
        switch self {
        case .malformed: "malformed token"
        case .tooLarge: "token too large"
        case .unsupportedAlgorithm: "token algorithm not accepted"
        case .unknownKey: "token key not known"
        case .badSignature: "token signature wrong"
        case .expired: "token expired"
        case .notYetValid: "token not yet valid"
        case .wrongAudience: "token for another audience"
        }
    }
}

/// Why a key cannot be used.
public enum TokenKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A shared secret shorter than `TokenKey.secretBytes`; holds its length.
    case secretTooShort(bytes: Int)
    /// Not a key in PEM (RFC 7468).
    case notPEM
    /// A key of another kind than the algorithm needs: RSA of 2048 bits or more, EC on P-256, Ed25519.
    case wrongKind
    /// A private key is needed to sign.
    case notPrivate
    /// OpenSSL failed.
    case failed

    /// A sentence for people, without anything of the key.
    public var description: String {
        switch self {
        case .secretTooShort(let bytes):
            "The token secret has \(bytes) bytes; it must have at least \(TokenKey.secretBytes). "
                + "Make one with: openssl rand -base64 48"
        case .notPEM: "The token key is not a key in PEM."
        case .wrongKind: "The token key is not of the kind that its algorithm needs."
        case .notPrivate: "Signing tokens needs a private key."
        case .failed: "OpenSSL could not use the token key."
        }
    }
}
