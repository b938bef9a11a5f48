// Signs tokens (RFC 7519 in the compact form of RFC 7515 §7.1) with one key. Reads no clock.

/// Signs tokens.
public struct TokenSigner: Sendable {
    private let key: TokenKey

    /// A signer.
    /// - Throws: `notPrivate` for a public key.
    public init(key: TokenKey) throws(TokenKeyError) {
        guard key.canSign else { throw .notPrivate }
        self.key = key
    }

    /// A token with these claims.
    /// - Throws: `failed` when OpenSSL fails.
    public func sign(_ claims: TokenClaims) throws(TokenKeyError) -> String {
        try sign(claims: claims)
    }

    /// A token with other claims than this server's own: what other services ask for.
    /// - Throws: `failed` when the claims are no JSON, or OpenSSL fails.
    package func sign(claims: some Encodable) throws(TokenKeyError) -> String {
        let header = TokenHeader(algorithm: key.algorithm.rawValue, keyName: key.name)
        guard let header = TokenJSON.encode(header), let payload = TokenJSON.encode(claims) else { throw .failed }
        return try sign(header: header, payload: payload)
    }

    /// A token with this header and payload, as they are: for tests and fuzzing, which sign what no signer would.
    package func sign(header: [UInt8], payload: [UInt8]) throws(TokenKeyError) -> String {
        let signed = Base64URL.encode(header) + "." + Base64URL.encode(payload)
        return signed + "." + Base64URL.encode(try key.sign(Array(signed.utf8)))
    }
}
