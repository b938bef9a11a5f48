// SRTP's key derivation (RFC 3711 §4.3, with AES-256 RFC 6188 §3, salts of 12 bytes RFC 7714 §11). Key derivation rates
// other than zero are not supported: WebRTC does not use them.
import COpenSSL

/// What a derived key is for; the values are RFC 3711's labels.
enum SRTPKeyLabel: UInt8 {
    case rtpCipher = 0x00
    case rtpAuthentication = 0x01
    case rtpSalt = 0x02
}

/// The key derivation of SRTP.
enum SRTPKeyDerivation {
    /// The length of HMAC-SHA1 keys in bytes.
    static let authenticationKeyLength = 20

    /// `count` bytes of AES-CM keystream for the label. `masterKey` is 16 or 32 bytes; `masterSalt` 14, or fewer (then
    /// zeros follow).
    static func derive(
        _ label: SRTPKeyLabel, count: Int, masterKey: ArraySlice<UInt8>, masterSalt: ArraySlice<UInt8>
    ) throws(TransportError) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 16)
        for (index, byte) in masterSalt.prefix(14).enumerated() { block[index] = byte }
        // The label is the eighth byte from the right of the 14-byte key id (the index part is zero).
        block[7] ^= label.rawValue
        let key = Array(masterKey)
        let zeros = [UInt8](repeating: 0, count: count)
        var stream = [UInt8](repeating: 0, count: count)
        guard let context = unsafe EVP_CIPHER_CTX_new() else { throw .openSSL("EVP_CIPHER_CTX_new") }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var written: Int32 = 0
        let cipher = key.count == 32 ? unsafe EVP_aes_256_ctr() : unsafe EVP_aes_128_ctr()
        guard key.count == 16 || key.count == 32,
            unsafe EVP_EncryptInit_ex(context, cipher, nil, key, block) == 1,
            unsafe EVP_EncryptUpdate(context, &stream, &written, zeros, Int32(count)) == 1, Int(written) == count
        else { throw .openSSL("SRTP key derivation") }
        return stream
    }
}
