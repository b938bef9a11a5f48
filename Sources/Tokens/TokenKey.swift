// A key and the algorithm it is for (RFC 7518 §3, RFC 8037 §3.1). Knows no claims and no JSON.

/// The signature algorithms that are implemented; `none` is not one.
public enum TokenAlgorithm: String, Hashable, Sendable, CaseIterable {
    /// HMAC with SHA-256: a shared secret.
    case hs256 = "HS256"
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
}

/// One key for one algorithm, with its name where it has one. A key is never tried for another algorithm.
public struct TokenKey: Sendable {
    /// Bytes that a shared secret has at least (RFC 7518 §3.2: as many as the hash).
    public static let secretBytes = 32
    /// Bits that an RSA key has at least (RFC 7518 §3.3).
    public static let rsaBits = 2_048

    /// The algorithm it is for.
    public let algorithm: TokenAlgorithm
    /// Its name (`kid`), or nil.
    public let name: String?

    private enum Material: Sendable {
        case secret([UInt8])
        case pair(KeyPair)
    }
    private let material: Material

    /// A shared secret for HS256.
    /// - Throws: `secretTooShort` for fewer than `secretBytes` bytes.
    public init(secret: [UInt8], name: String? = nil) throws(TokenKeyError) {
        guard secret.count >= Self.secretBytes else { throw .secretTooShort(bytes: secret.count) }
        algorithm = .hs256
        self.name = name
        material = .secret(secret)
    }

    /// A private key (which verifies as well) or a public key, in PEM.
    /// - Throws: `notPEM`, or `wrongKind` when it is not what the algorithm needs (always for HS256: a public key must
    ///   never be taken for a shared secret).
    public init(pem: String, algorithm: TokenAlgorithm, name: String? = nil) throws(TokenKeyError) {
        let pair = try KeyPair(pem: Array(pem.utf8))
        guard pair.fits(algorithm) else { throw .wrongKind }
        self.algorithm = algorithm
        self.name = name
        material = .pair(pair)
    }

    /// Whether it can sign.
    public var canSign: Bool {
        switch material {
        case .secret: true
        case .pair(let pair): pair.isPrivate
        }
    }

    /// The signature of a message, as JWS writes it (RFC 7518: an ES256 signature is r and s, 32 bytes each).
    /// - Throws: `notPrivate`, or `failed`.
    func sign(_ message: [UInt8]) throws(TokenKeyError) -> [UInt8] {
        switch material {
        case .secret(let secret):
            guard let code = MAC.sha256(secret: secret, message: message) else { throw .failed }
            return code
        case .pair(let pair):
            guard pair.isPrivate else { throw .notPrivate }
            let signature = pair.sign(message, hashed: algorithm != .edDSA)
            guard let signature else { throw .failed }
            guard algorithm == .es256 else { return signature }
            guard let raw = ECDSASignature.raw(fromDER: signature) else { throw .failed }
            return raw
        }
    }

    /// Whether a signature is this key's over a message.
    func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        switch material {
        case .secret(let secret):
            guard let code = MAC.sha256(secret: secret, message: message) else { return false }
            return MAC.areEqual(code, signature)
        case .pair(let pair):
            guard algorithm == .es256 else { return pair.verifies(signature, of: message, hashed: algorithm != .edDSA) }
            guard let der = ECDSASignature.der(fromRaw: signature) else { return false }
            return pair.verifies(der, of: message, hashed: true)
        }
    }
}
