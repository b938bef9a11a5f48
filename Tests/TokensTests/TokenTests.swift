// Tokens signed and verified, and every way of being refused.
import Testing

@testable import Tokens

@Suite("Tokens")
struct TokenTests {
    static let now: Int64 = 1_700_000_000
    static let full = TokenClaims(
        subject: "ada", name: "Ada Lovelace ✓", expires: now + 600, notBefore: now - 5, issuedAt: now - 5,
        audience: ["majlis"], room: "blue", canPublish: .sources(["microphone"]), canSubscribe: false,
        canModerate: true,
        hidden: true, calls: true, admin: true, canRecord: true)

    static func key(_ algorithm: TokenAlgorithm, name: String? = nil) throws -> TokenKey {
        switch algorithm {
        case .hs256: try TokenKey(secret: Array("a secret of at least thirty-two bytes".utf8), name: name)
        case .rs256: try TokenKey(pem: TestKeys.rsaPrivate, algorithm: .rs256, name: name)
        case .es256: try TokenKey(pem: TestKeys.ecPrivate, algorithm: .es256, name: name)
        case .edDSA: try TokenKey(pem: TestKeys.edPrivate, algorithm: .edDSA, name: name)
        }
    }

    /// A token with a header and payload of choice, signed by the HS256 key.
    static func token(header: String, payload: String) throws -> String {
        try TokenSigner(key: key(.hs256)).sign(header: Array(header.utf8), payload: Array(payload.utf8))
    }

    static func verify(_ token: String, audience: String? = nil, now: Int64 = now) throws(TokenError) -> TokenClaims {
        guard let key = try? key(.hs256) else { preconditionFailure("the test's own secret is long enough") }
        return try TokenVerifier(keys: [key], audience: audience).verify(token, now: now)
    }

    @Test("What is signed verifies to the same claims", arguments: TokenAlgorithm.allCases)
    func roundTrip(algorithm: TokenAlgorithm) throws {
        let key = try Self.key(algorithm, name: "k1")
        let signer = try TokenSigner(key: key)
        let verifier = TokenVerifier(keys: [key], audience: "majlis")
        // ECDSA signatures are random: often enough that r or s begins with a zero byte.
        for _ in 0..<(algorithm == .es256 ? 300 : 3) {
            #expect(try verifier.verify(signer.sign(Self.full), now: Self.now) == Self.full)
        }
    }

    @Test("A token with a subject and an end only has the defaults")
    func defaults() throws {
        let claims = try Self.verify(
            Self.token(header: #"{"alg":"HS256"}"#, payload: #"{"sub":"ada","exp":1700000600}"#))
        #expect(claims == TokenClaims(subject: "ada", expires: 1_700_000_600))
        #expect(claims.canPublish == .all(true))
        #expect(claims.canSubscribe && !claims.canModerate && !claims.hidden && !claims.calls)
        #expect(!claims.admin && !claims.canRecord)
    }

    @Test("Dates may have fractions, publishing may be false")
    func forms() throws {
        let payload = #"{"sub":"ada","exp":1700000600.75,"canPublish":false,"aud":["x","majlis"]}"#
        let token = try Self.token(header: #"{"alg":"HS256"}"#, payload: payload)
        let claims = try Self.verify(token, audience: "majlis")
        #expect(claims.expires == 1_700_000_600)
        #expect(claims.canPublish == .all(false))
    }

    @Test("A token ends and begins with 30 seconds of leeway")
    func times() throws {
        let token = try TokenSigner(key: Self.key(.hs256)).sign(
            TokenClaims(subject: "ada", expires: Self.now, notBefore: Self.now - 100))
        #expect(throws: Never.self) { try Self.verify(token, now: Self.now + 29) }
        #expect(throws: TokenError.expired) { try Self.verify(token, now: Self.now + 30) }
        #expect(throws: Never.self) { try Self.verify(token, now: Self.now - 130) }
        #expect(throws: TokenError.notYetValid) { try Self.verify(token, now: Self.now - 131) }
        #expect(throws: TokenError.expired) { try Self.verify(token, now: Int64.max) }
        #expect(throws: TokenError.notYetValid) { try Self.verify(token, now: Int64.min) }
    }

    @Test("Dates at the ends of time do not trap")
    func extremes() throws {
        let late = try TokenSigner(key: Self.key(.hs256)).sign(
            TokenClaims(subject: "ada", expires: Int64.max, notBefore: Int64.min))
        #expect(try Self.verify(late).expires == Int64.max)
        for exp in ["1e300", "-1e300", "9223372036854775808", "\"1700000600\"", "null", "true", "[]"] {
            let token = try Self.token(header: #"{"alg":"HS256"}"#, payload: "{\"sub\":\"ada\",\"exp\":\(exp)}")
            #expect(throws: TokenError.malformed, "\(exp)") { try Self.verify(token) }
        }
    }

    @Test("The audience must be the configured one, and absent where none is")
    func audiences() throws {
        let signer = try TokenSigner(key: Self.key(.hs256))
        let with = try signer.sign(TokenClaims(subject: "ada", expires: Self.now + 9, audience: ["other"]))
        let without = try signer.sign(TokenClaims(subject: "ada", expires: Self.now + 9))
        #expect(throws: TokenError.wrongAudience) { try Self.verify(with, audience: "majlis") }
        #expect(throws: TokenError.wrongAudience) { try Self.verify(without, audience: "majlis") }
        #expect(throws: TokenError.wrongAudience) { try Self.verify(with) }
        #expect(throws: Never.self) { try Self.verify(without) }
        #expect(throws: Never.self) { try Self.verify(with, audience: "other") }
    }

    @Test("alg none, in any writing, is refused", arguments: ["none", "None", "NONE", "nOnE", "", "HS512", "hs256"])
    func algorithmNone(name: String) throws {
        let header = Base64URL.encode(Array("{\"alg\":\"\(name)\"}".utf8))
        let payload = Base64URL.encode(Array(#"{"sub":"ada","exp":1700000600}"#.utf8))
        #expect(throws: TokenError.unsupportedAlgorithm) { try Self.verify("\(header).\(payload).") }
        let signed = try Self.token(header: "{\"alg\":\"\(name)\"}", payload: #"{"sub":"ada","exp":1700000600}"#)
        #expect(throws: TokenError.unsupportedAlgorithm) { try Self.verify(signed) }
    }

    @Test("A public key's text is never taken for a shared secret")
    func confusion() throws {
        let publicKey = try TokenKey(pem: TestKeys.rsaPublic, algorithm: .rs256)
        let forged = try TokenSigner(key: TokenKey(secret: Array(TestKeys.rsaPublic.utf8))).sign(Self.full)
        let verifier = TokenVerifier(keys: [publicKey], audience: "majlis")
        #expect(throws: TokenError.unsupportedAlgorithm) { try verifier.verify(forged, now: Self.now) }
        #expect(throws: TokenKeyError.wrongKind) { try TokenKey(pem: TestKeys.rsaPublic, algorithm: .hs256) }
    }

    @Test("The key is chosen by its name")
    func keyNames() throws {
        let old = try TokenKey(secret: Array(repeating: 1, count: 32), name: "old")
        let new = try TokenKey(secret: Array(repeating: 2, count: 32), name: "new")
        let unnamed = try TokenKey(secret: Array(repeating: 3, count: 32))
        let claims = TokenClaims(subject: "ada", expires: Self.now + 9)
        let both = TokenVerifier(keys: [old, new])
        for key in [old, new] {
            #expect(try both.verify(TokenSigner(key: key).sign(claims), now: Self.now) == claims)
        }
        let third = try TokenSigner(key: TokenKey(secret: Array(repeating: 1, count: 32), name: "third")).sign(claims)
        #expect(throws: TokenError.unknownKey) { try both.verify(third, now: Self.now) }
        let mixed = TokenVerifier(keys: [old, unnamed])
        #expect(throws: TokenError.badSignature) { try mixed.verify(third, now: Self.now) }
        let liar = try TokenSigner(key: TokenKey(secret: Array(repeating: 1, count: 32), name: "new")).sign(claims)
        #expect(throws: TokenError.badSignature) { try both.verify(liar, now: Self.now) }
        let plain = try TokenSigner(key: unnamed).sign(claims)
        #expect(throws: Never.self) { try mixed.verify(plain, now: Self.now) }
    }

    @Test("What is not a token is malformed and never traps")
    func malformed() throws {
        let good = try TokenSigner(key: Self.key(.hs256)).sign(TokenClaims(subject: "ada", expires: Self.now + 9))
        let parts = good.split(separator: ".").map(String.init)
        for text in [
            "", ".", "..", "...", "a.b", "a.b.c.d", good + ".", good + "=", "." + good, " " + good, good + "\n",
            "\(parts[0]).\(parts[1])", "\(parts[0])..\(parts[2])x", "é.é.é", "\(parts[0]).\(parts[1]).\(parts[2])=",
        ] {
            #expect(throws: TokenError.self, "\(text)") { try Self.verify(text) }
        }
        for index in good.utf8.indices where good.utf8[index] != UInt8(ascii: ".") {
            var bytes = Array(good.utf8)
            bytes[good.utf8.distance(from: good.utf8.startIndex, to: index)] ^= 0x80
            #expect(throws: TokenError.self) { try Self.verify(String(decoding: bytes, as: UTF8.self)) }
        }
    }

    @Test(
        "A header that is critical or no object is malformed",
        arguments: [
            #"{"alg":"HS256","crit":["b64"]}"#, #"{"alg":1}"#, "{}", "[]", "\"HS256\"", "{\u{0}}",
        ])
    func headers(header: String) throws {
        let token = try Self.token(header: header, payload: #"{"sub":"ada","exp":1700000600}"#)
        #expect(throws: TokenError.malformed) { try Self.verify(token) }
    }

    @Test("A header nested as deep as a token is long is malformed, and exhausts no stack")
    func deepHeader() throws {
        for start in ["", "{\"alg\":\"HS256\",\"a\":"] {
            let token = try Self.token(header: start + String(repeating: "[", count: 5_000), payload: "{}")
            #expect(throws: TokenError.malformed) { try Self.verify(token) }
        }
    }

    @Test(
        "Claims without a subject or an end, or of the wrong type, are malformed",
        arguments: [
            "{}", #"{"sub":"ada"}"#, #"{"exp":1700000600}"#, #"{"sub":"","exp":1700000600}"#,
            #"{"sub":7,"exp":1700000600}"#, #"{"sub":"ada","exp":1700000600,"canPublish":"yes"}"#,
            #"{"sub":"ada","exp":1700000600,"name":""# + String(repeating: "n", count: 257) + "\"}",
            #"{"sub":"ada","exp":1700000600,"room":[]}"#, #"{"sub":"ada","exp":1700000600,"hidden":1}"#, "[]", "7", "",
        ])
    func claims(payload: String) throws {
        let token = try Self.token(header: #"{"alg":"HS256"}"#, payload: payload)
        #expect(throws: TokenError.malformed) { try Self.verify(token) }
    }

    @Test("A token of 8 KiB is read, a longer one is not")
    func sizes() throws {
        let signer = try TokenSigner(key: Self.key(.hs256))
        let long = try signer.sign(
            TokenClaims(
                subject: "ada", expires: Self.now + 9, canPublish: .sources([String(repeating: "x", count: 5_900)])))
        #expect(long.utf8.count < TokenVerifier.tokenBytes)
        #expect(throws: Never.self) { try Self.verify(long) }
        #expect(throws: TokenError.tooLarge) { try Self.verify(long + String(repeating: "A", count: 400)) }
    }

    @Test("A secret shorter than 32 bytes is refused with a sentence")
    func shortSecret() {
        #expect(throws: TokenKeyError.secretTooShort(bytes: 31)) {
            try TokenKey(secret: Array(repeating: 7, count: 31))
        }
        #expect(throws: Never.self) { try TokenKey(secret: Array(repeating: 7, count: 32)) }
        #expect(TokenKeyError.secretTooShort(bytes: 5).description.hasPrefix("The token secret has 5 bytes;"))
    }

    @Test("Keys of the wrong kind, curve, size or form are refused")
    func wrongKeys() throws {
        #expect(throws: TokenKeyError.wrongKind) { try TokenKey(pem: TestKeys.ecPublic, algorithm: .rs256) }
        #expect(throws: TokenKeyError.wrongKind) { try TokenKey(pem: TestKeys.edPublic, algorithm: .es256) }
        #expect(throws: TokenKeyError.wrongKind) { try TokenKey(pem: TestKeys.rsaPublic, algorithm: .edDSA) }
        #expect(throws: TokenKeyError.wrongKind) { try TokenKey(pem: TestKeys.rsaTooSmall, algorithm: .rs256) }
        #expect(throws: TokenKeyError.wrongKind) { try TokenKey(pem: TestKeys.ecOnP384, algorithm: .es256) }
        #expect(throws: TokenKeyError.notPEM) { try TokenKey(pem: "", algorithm: .es256) }
        #expect(throws: TokenKeyError.notPEM) { try TokenKey(pem: "-----BEGIN PUBLIC KEY-----", algorithm: .es256) }
        let publicKey = try TokenKey(pem: TestKeys.ecPublic, algorithm: .es256)
        #expect(throws: TokenKeyError.notPrivate) { try TokenSigner(key: publicKey) }
    }

    @Test("An ES256 signature of another length, or in DER, is refused")
    func rawSignatures() throws {
        let key = try Self.key(.es256)
        let message = Array("message".utf8)
        let raw = try key.sign(message)
        #expect(raw.count == 64)
        #expect(key.verifies(raw, of: message))
        let der = try #require(ECDSASignature.der(fromRaw: raw))
        #expect(ECDSASignature.raw(fromDER: der) == raw)
        for wrong in [der, [], Array(raw.dropLast()), raw + [0], [UInt8](repeating: 0, count: 64)] {
            #expect(!key.verifies(wrong, of: message))
        }
        #expect(ECDSASignature.raw(fromDER: []) == nil)
        #expect(ECDSASignature.raw(fromDER: Array(der.dropLast())) == nil)
    }
}

@Suite("Base64url")
struct Base64URLTests {
    @Test("The vectors of RFC 4648 §10, without padding")
    func vectors() {
        for (plain, text) in [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            #expect(Base64URL.encode(Array(plain.utf8)) == text)
            #expect(Base64URL.decode(Array(text.utf8)) == Array(plain.utf8))
        }
    }

    @Test("Every byte at every place survives")
    func bytes() {
        for length in 0..<70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ length) }
            #expect(Base64URL.decode(Array(Base64URL.encode(bytes).utf8)) == bytes)
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
    }

    @Test("Padding, other alphabets, impossible lengths and left-over bits are refused")
    func strictness() {
        for text in ["Zg==", "Zg=", "Z", "Zm9vY", "+/8", "Zm 9", "Zm9\n", "Zh", "Zm9", "é"] {
            #expect(Base64URL.decode(Array(text.utf8)) == nil, "\(text)")
        }
    }
}
