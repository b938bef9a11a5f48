// The standards' own examples of signed tokens.
import Testing

@testable import Tokens

@Suite("The examples of RFC 7515 and RFC 8037")
struct VectorTests {
    /// The payload of RFC 7515 A.1 to A.3.
    static let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    static let hs256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\(payload).dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    static let rs256 =
        "eyJhbGciOiJSUzI1NiJ9.\(payload)."
        + "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        + "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        + "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        + "cN_IoypGlUPQGe77Rw"
    static let es256 =
        "eyJhbGciOiJFUzI1NiJ9.\(payload)."
        + "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    static let edDSA =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        + "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

    static func secretKey() throws -> TokenKey {
        try TokenKey(secret: #require(Base64URL.decode(Array(TestKeys.sharedSecret.utf8))))
    }

    /// The token with one bit of its signature's first byte changed.
    static func spoiled(_ token: String) throws -> String {
        let dot = try #require(token.lastIndex(of: "."))
        var signature = try #require(Base64URL.decode(Array(token[token.index(after: dot)...].utf8)))
        signature[0] ^= 1
        return token[...dot] + Base64URL.encode(signature)
    }

    static func check(_ token: String, with key: TokenKey) throws {
        let verifier = TokenVerifier(keys: [key])
        let payload = try verifier.verifySignature(of: token)
        #expect(Base64URL.encode(payload) == String(token.split(separator: ".")[1]))
        #expect(throws: TokenError.badSignature) { try verifier.verifySignature(of: spoiled(token)) }
    }

    @Test("HS256: RFC 7515 A.1 verifies, and is signed to the same bytes")
    func sharedSecret() throws {
        let key = try Self.secretKey()
        try Self.check(Self.hs256, with: key)
        let parts = Self.hs256.split(separator: ".")
        let header = try #require(Base64URL.decode(parts[0].utf8))
        let payload = try #require(Base64URL.decode(parts[1].utf8))
        #expect(try TokenSigner(key: key).sign(header: header, payload: payload) == Self.hs256)
    }

    @Test("RS256: RFC 7515 A.2 verifies")
    func rsa() throws {
        try Self.check(Self.rs256, with: TokenKey(pem: TestKeys.rsaPublic, algorithm: .rs256))
    }

    @Test("ES256: RFC 7515 A.3 verifies, by the public and by the private key")
    func ellipticCurve() throws {
        try Self.check(Self.es256, with: TokenKey(pem: TestKeys.ecPublic, algorithm: .es256))
        try Self.check(Self.es256, with: TokenKey(pem: TestKeys.ecPrivate, algorithm: .es256))
    }

    @Test("EdDSA: RFC 8037 A.4 verifies, and is signed to the same bytes")
    func edwardsCurve() throws {
        try Self.check(Self.edDSA, with: TokenKey(pem: TestKeys.edPublic, algorithm: .edDSA))
        let parts = Self.edDSA.split(separator: ".")
        let header = try #require(Base64URL.decode(parts[0].utf8))
        let payload = try #require(Base64URL.decode(parts[1].utf8))
        let signer = try TokenSigner(key: TokenKey(pem: TestKeys.edPrivate, algorithm: .edDSA))
        #expect(try signer.sign(header: header, payload: payload) == Self.edDSA)
    }
}
