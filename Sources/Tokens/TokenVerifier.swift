// Verifies signed tokens (RFC 7519 in the compact form of RFC 7515 §7.1) against configured keys. Reads no clock and
// asks nobody for keys.

/// Verifies tokens.
public struct TokenVerifier: Sendable {
    /// Bytes of a token at most.
    public static let tokenBytes = 8 * 1024

    private let keys: [TokenKey]
    private let audience: String?
    private let leewaySeconds: Int64

    /// A verifier.
    /// - Parameters:
    ///   - keys: the keys accepted, each for its own algorithm only.
    ///   - audience: what `aud` must name; nil: a token must have no `aud` (RFC 7519 §4.1.3).
    ///   - leewaySeconds: how far the clocks of this server and of the token's maker may differ.
    public init(keys: [TokenKey], audience: String? = nil, leewaySeconds: Int64 = 30) {
        self.keys = keys
        self.audience = audience
        self.leewaySeconds = max(0, leewaySeconds)
    }

    /// The claims of a good token.
    /// - Parameter now: the present, in Unix seconds.
    public func verify(_ token: String, now: Int64) throws(TokenError) -> TokenClaims {
        let payload = try verifySignature(of: token)
        guard let claims = TokenJSON.decode(TokenClaims.self, from: payload) else { throw .malformed }
        let (end, neverEnds) = claims.expires.addingReportingOverflow(leewaySeconds)
        if !neverEnds, end <= now { throw .expired }
        if let begin = claims.notBefore {
            let (early, isPast) = begin.subtractingReportingOverflow(leewaySeconds)
            if !isPast, early > now { throw .notYetValid }
        }
        if let audience {
            guard claims.audience.contains(audience) else { throw .wrongAudience }
        } else if !claims.audience.isEmpty {
            throw .wrongAudience
        }
        return claims
    }

    /// The payload of a token whose signature is good.
    func verifySignature(of token: String) throws(TokenError) -> [UInt8] {
        let text = Array(token.utf8)
        guard text.count <= Self.tokenBytes else { throw .tooLarge }
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let headerBytes = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]),
            let header = TokenJSON.decode(TokenHeader.self, from: headerBytes)
        else { throw .malformed }
        // RFC 7515 §4.1.11: what is critical and not understood is refused; nothing critical is understood here.
        guard !header.hasCritical else { throw .malformed }
        guard let algorithm = TokenAlgorithm(rawValue: header.algorithm) else { throw .unsupportedAlgorithm }
        let fitting = keys.filter { $0.algorithm == algorithm }
        guard !fitting.isEmpty else { throw .unsupportedAlgorithm }
        let named = candidates(fitting, header.keyName)
        guard !named.isEmpty else { throw .unknownKey }
        let signed = Array(text[..<(parts[0].count + 1 + parts[1].count)])
        guard named.contains(where: { $0.verifies(signature, of: signed) }) else { throw .badSignature }
        return payload
    }

    /// The keys to try: those of the name given; where none has it, those without a name; with no name given, all.
    private func candidates(_ keys: [TokenKey], _ name: String?) -> [TokenKey] {
        guard let name else { return keys }
        let named = keys.filter { $0.name == name }
        return named.isEmpty ? keys.filter { $0.name == nil } : named
    }
}

/// The protected header (RFC 7515 §4.1), as far as it matters here.
struct TokenHeader: Codable {
    var algorithm: String
    var keyName: String?
    var hasCritical: Bool

    private enum Key: String, CodingKey { case alg, kid, typ, crit }

    init(algorithm: String, keyName: String?) {
        self.algorithm = algorithm
        self.keyName = keyName
        hasCritical = false
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        algorithm = try fields.decode(String.self, forKey: .alg)
        keyName = try fields.decodeIfPresent(String.self, forKey: .kid)
        hasCritical = fields.contains(.crit)
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(algorithm, forKey: .alg)
        try fields.encodeIfPresent(keyName, forKey: .kid)
        try fields.encode("JWT", forKey: .typ)
    }
}
