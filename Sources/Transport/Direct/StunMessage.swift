// STUN messages (RFC 8489) with the attributes of ICE's checks (RFC 8445 §7), for clients that do without libnice. It knows
// no TURN and no long-term credentials.
import COpenSSL

/// One STUN message.
struct StunMessage {
    static let bindingRequest: UInt16 = 0x0001
    static let bindingSuccess: UInt16 = 0x0101

    static let username: UInt16 = 0x0006
    static let messageIntegrity: UInt16 = 0x0008
    static let xorMappedAddress: UInt16 = 0x0020
    static let priority: UInt16 = 0x0024
    static let useCandidate: UInt16 = 0x0025
    static let fingerprint: UInt16 = 0x8028
    static let iceControlled: UInt16 = 0x8029
    static let iceControlling: UInt16 = 0x802A

    private static let magicCookie: UInt32 = 0x2112_A442
    private static let headerBytes = 20

    let type: UInt16
    /// 12 bytes.
    let transaction: [UInt8]
    private(set) var attributes: [(type: UInt16, value: [UInt8])] = []
    /// What MESSAGE-INTEGRITY is over, with the length field as it counts there; empty when the message has none.
    private var authenticated: [UInt8] = []

    init(type: UInt16, transaction: [UInt8]) {
        self.type = type
        self.transaction = transaction
    }

    /// Reads a message; nil for what is none, or whose FINGERPRINT is wrong.
    init?(_ bytes: [UInt8]) {
        func word(_ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }
        guard bytes.count >= Self.headerBytes, bytes[0] < 4, word(2) == bytes.count - Self.headerBytes,
            Array(bytes[4..<8]) == Self.magicCookie.networkBytes
        else { return nil }
        type = UInt16(word(0))
        transaction = Array(bytes[8..<20])
        var offset = Self.headerBytes
        while offset + 4 <= bytes.count {
            let type = UInt16(word(offset)), length = word(offset + 2)
            guard offset + 4 + length <= bytes.count else { return nil }
            let value = Array(bytes[(offset + 4)..<(offset + 4 + length)])
            switch type {
            case Self.messageIntegrity: authenticated = Self.covered(bytes[..<offset], tail: 24)
            case Self.fingerprint where value != Self.checksum(Self.covered(bytes[..<offset], tail: 8)): return nil
            default: break
            }
            attributes.append((type, value))
            offset += 4 + (length + 3) / 4 * 4
        }
    }

    mutating func append(_ type: UInt16, _ value: [UInt8]) { attributes.append((type, value)) }

    func value(of type: UInt16) -> [UInt8]? { attributes.first { $0.type == type }?.value }

    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    mutating func appendMapped(_ address: IPAddress, port: UInt16) {
        let mask = Self.magicCookie.networkBytes + transaction
        let xored = port ^ UInt16(truncatingIfNeeded: Self.magicCookie >> 16)
        append(
            Self.xorMappedAddress,
            [0, address.isIPv4 ? 1 : 2, UInt8(xored >> 8), UInt8(xored & 255)]
                + zip(address.bytes, mask).map { $0 ^ $1 })
    }

    /// Whether MESSAGE-INTEGRITY is there and made with this password (RFC 8489 §14.5, short-term credentials).
    func isAuthentic(password: String) -> Bool {
        !authenticated.isEmpty && value(of: Self.messageIntegrity) == Self.digest(authenticated, password)
    }

    /// The message with MESSAGE-INTEGRITY and FINGERPRINT behind its attributes.
    func encoded(password: String) -> [UInt8] {
        var bytes = [UInt8(type >> 8), UInt8(type & 255), 0, 0] + Self.magicCookie.networkBytes + transaction
        func append(_ type: UInt16, _ value: [UInt8]) {
            bytes += [UInt8(type >> 8), UInt8(type & 255), UInt8(value.count >> 8), UInt8(value.count & 255)] + value
            bytes += [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        }
        for attribute in attributes { append(attribute.type, attribute.value) }
        append(Self.messageIntegrity, Self.digest(Self.covered(bytes[...], tail: 24), password))
        bytes = Self.covered(bytes[...], tail: 8)
        append(Self.fingerprint, Self.checksum(bytes))
        return bytes
    }

    /// The bytes with a length field that counts `tail` bytes more than there are.
    private static func covered(_ bytes: ArraySlice<UInt8>, tail: Int) -> [UInt8] {
        var covered = Array(bytes)
        let length = covered.count - headerBytes + tail
        covered[2] = UInt8(truncatingIfNeeded: length >> 8)
        covered[3] = UInt8(truncatingIfNeeded: length)
        return covered
    }

    private static func digest(_ bytes: [UInt8], _ password: String) -> [UInt8] {
        let key = Array(password.utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 0
        let made = unsafe HMAC(EVP_sha1(), key, Int32(key.count), bytes, bytes.count, &digest, &length)
        return unsafe made == nil ? [] : digest
    }

    /// FINGERPRINT's CRC-32 (RFC 8489 §14.7).
    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        var remainder: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return (~remainder ^ 0x5354_554E).networkBytes
    }
}

extension UInt32 {
    fileprivate var networkBytes: [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self >> $0) } }
}
