// Certificate fingerprints as SDP carries them (RFC 8122 §5). SHA-1 and older are not accepted (RFC 8827 §6.5).
import COpenSSL

/// The hash functions accepted in a fingerprint.
public enum FingerprintAlgorithm: String, Sendable, CaseIterable {
    /// SHA-256.
    case sha256 = "sha-256"
    /// SHA-384.
    case sha384 = "sha-384"
    /// SHA-512.
    case sha512 = "sha-512"

    /// The digest's length in bytes.
    public var length: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    var digest: OpaquePointer? {
        switch self {
        case .sha256: unsafe EVP_sha256()
        case .sha384: unsafe EVP_sha384()
        case .sha512: unsafe EVP_sha512()
        }
    }
}

/// The fingerprint of a certificate.
public struct Fingerprint: Sendable, CustomStringConvertible {
    /// The hash function.
    public let algorithm: FingerprintAlgorithm
    /// The digest.
    public let bytes: [UInt8]

    /// Reads the two parts of an `a=fingerprint` line; nil when the algorithm is not accepted or the value is not that
    /// many colon-separated hexadecimal bytes. Letters of both cases are read.
    public init?(algorithm: String, value: String) {
        guard let algorithm = FingerprintAlgorithm(rawValue: algorithm.lowercased()) else { return nil }
        let text = Array(value.utf8)
        guard text.count == algorithm.length * 3 - 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(algorithm.length)
        for index in 0..<algorithm.length {
            guard let high = Self.digit(text[3 * index]), let low = Self.digit(text[3 * index + 1]),
                index == algorithm.length - 1 || text[3 * index + 2] == UInt8(ascii: ":")
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// The fingerprint of an X.509 certificate.
    init?(certificate: OpaquePointer, algorithm: FingerprintAlgorithm) {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard unsafe X509_digest(certificate, algorithm.digest, &digest, &length) == 1,
            Int(length) == algorithm.length
        else { return nil }
        self.algorithm = algorithm
        bytes = Array(digest[..<algorithm.length])
    }

    /// The value as SDP writes it: upper-case bytes between colons.
    public var value: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            if !text.isEmpty { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Algorithm and value with a space between, as after `a=fingerprint:`.
    public var description: String { algorithm.rawValue + " " + value }

    /// Whether both are the same, in a time that does not depend on where they differ.
    func matches(_ other: Fingerprint) -> Bool {
        guard algorithm == other.algorithm, bytes.count == other.bytes.count else { return false }
        return unsafe CRYPTO_memcmp(bytes, other.bytes, bytes.count) == 0
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
