// Fuzzes tokens. A first byte that is even: the rest is a token for a verifier with a key of every kind. Odd: the rest
// is a header and claims, parted by a zero byte, signed so that the claims are read.

import Tokens

/// libFuzzer's entry (https://llvm.org/docs/LibFuzzer.html).
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTokens(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let rest = Array(bytes.dropFirst())
    if first & 1 == 0 { Bench.shared.readToken(rest) } else { Bench.shared.readSigned(rest) }
    return 0
}

/// The keys, made once.
struct Bench {
    static let shared = Bench()

    let verifier: TokenVerifier
    let signer: TokenSigner

    init() {
        do {
            let secret = try TokenKey(secret: Array(repeating: 7, count: 32))
            signer = try TokenSigner(key: secret)
            verifier = TokenVerifier(
                keys: [
                    secret, try TokenKey(pem: Self.ellipticCurve, algorithm: .es256, name: "e"),
                    try TokenKey(pem: Self.edwardsCurve, algorithm: .edDSA, name: "d"),
                ])
        } catch {
            preconditionFailure("the fuzzer's own keys: \(error)")
        }
    }

    func readToken(_ bytes: [UInt8]) {
        if let decoded = Base64URL.decode(bytes) {
            precondition(Array(Base64URL.encode(decoded).utf8) == bytes, "two texts for one value")
        }
        guard let claims = try? verifier.verify(String(decoding: bytes, as: UTF8.self), now: 1_700_000_000) else {
            return
        }
        precondition(!claims.subject.isEmpty)
    }

    func readSigned(_ bytes: [UInt8]) {
        let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        let header = parts.count == 2 ? Array(parts[0]) : Array(#"{"alg":"HS256"}"#.utf8)
        guard let payload = parts.last, let token = try? signer.sign(header: header, payload: Array(payload)),
            let claims = try? verifier.verify(token, now: 1_700_000_000)
        else { return }
        precondition(claims.expires > 1_700_000_000 - 31, "an old token was taken")
        guard let again = try? signer.sign(claims) else { preconditionFailure("claims that cannot be written") }
        guard again.utf8.count <= TokenVerifier.tokenBytes else { return }
        let read = try? verifier.verify(again, now: 1_700_000_000)
        precondition(read == claims, "claims changed on their way through the coder")
    }

    private static let ellipticCurve = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
        6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
        -----END PUBLIC KEY-----
        """

    private static let edwardsCurve = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        -----END PUBLIC KEY-----
        """
}
