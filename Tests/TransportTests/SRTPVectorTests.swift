// SRTP against the standards' own vectors: RFC 3711 B.2 and B.3, RFC 6188 §7.2, RFC 7714 §16 and §17.
import COpenSSL
import CSRTP
import TestSupport
import Testing

@testable import Transport

@Suite("SRTP vectors")
struct SRTPVectorTests {
    /// RFC 7714 §16: header and "Gallia est omnis divisa in partes tres".
    static let gallia = hex(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472"
            + "6573")

    @Test("RFC 3711 B.3 and RFC 6188 §7.2: the key derivation gives the standards' session keys")
    func keyDerivation() throws {
        let cases: [(key: String, salt: String, cipher: String, sessionSalt: String, authentication: String)] = [
            (
                "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6",
                "C61E7A93744F39EE10734AFE3FF7A087", "30CBBC08863D8C85D49DB34A9AE1",
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371"
                    + "C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
            ),
            (
                "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6", "3b04803de51ee7c96423ab5b78d2",
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4", "fa31791685ca444a9e07c6c64e93",
                "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"
            ),
        ]
        for vector in cases {
            let key = hex(vector.key)[...], salt = hex(vector.salt)[...]
            for (label, expected) in [
                (SRTPKeyLabel.rtpCipher, vector.cipher), (.rtpSalt, vector.sessionSalt),
                (.rtpAuthentication, vector.authentication),
            ] {
                let derived = try SRTPKeyDerivation.derive(
                    label, count: hex(expected).count, masterKey: key, masterSalt: salt)
                #expect(derived == hex(expected))
            }
        }
    }

    @Test("RFC 3711 B.2: the counter-mode keystream, through a packet of zeros")
    func counterModeKeystream() throws {
        // The vector's IV is its salt with zeros behind; with SSRC 0 and index 0 the session's IV is the salt alone.
        let protector = try RTPProtector(
            profile: .aes128CounterModeSHA1, cipherKey: hex("2B7E151628AED2A6ABF7158809CF4F3C"),
            salt: hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"), authenticationKey: [UInt8](repeating: 0, count: 20))
        let zeros = rtpPacket(sequence: 0, ssrc: 0, payload: [UInt8](repeating: 0, count: 48))
        var buffer = zeros + [UInt8](repeating: 0, count: 10)
        let length = try buffer.withUnsafeMutableBytes { try protector.protect($0, count: zeros.count) }
        #expect(length == zeros.count + 10)
        #expect(
            Array(buffer[12..<60])
                == hex(
                    "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"
                ))
    }

    @Test("RFC 7714 §16.1.1 and §16.2.1: AEAD_AES_128_GCM and AEAD_AES_256_GCM packets, byte for byte")
    func galois() throws {
        let cases: [(SRTPProfile, String)] = [
            (
                .aes128GCM,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b"
                    + "36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce"
            ),
            (
                .aes256GCM,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f"
                    + "1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13"
            ),
        ]
        for (profile, expected) in cases {
            let protector = try RTPProtector(
                profile: profile, cipherKey: (0..<profile.keyLength).map(UInt8.init),
                salt: hex("517569642070726f2071756f"), authenticationKey: [])
            var buffer = Self.gallia + [UInt8](repeating: 0, count: 16)
            let length = try buffer.withUnsafeMutableBytes { try protector.protect($0, count: Self.gallia.count) }
            #expect(Array(buffer[..<length]) == hex(expected))
        }
    }

    /// Decrypts an SRTCP packet of the GCM profiles as RFC 7714 §9 says, on EVP alone.
    private func openRTCP(_ packet: [UInt8], key: [UInt8], salt: [UInt8]) -> [UInt8]? {
        let index = packet.suffix(4), tag = Array(packet[(packet.count - 20)..<(packet.count - 4)])
        let sealed = Array(packet[8..<(packet.count - 20)])
        var vector: [UInt8] = [0, 0] + packet[4..<8] + [0, 0] + index
        vector[8] &= 0x7F
        for byte in 0..<12 { vector[byte] ^= salt[byte] }
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        var written: Int32 = 0
        var open = [UInt8](repeating: 0, count: sealed.count), tagCopy = tag
        let associated = Array(packet[..<8]) + index
        let algorithm = key.count == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm()
        guard EVP_DecryptInit_ex(context, algorithm, nil, key, vector) == 1,
            EVP_DecryptUpdate(context, nil, &written, associated, Int32(associated.count)) == 1,
            EVP_DecryptUpdate(context, &open, &written, sealed, Int32(sealed.count)) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tagCopy) == 1,
            EVP_DecryptFinal_ex(context, nil, &written) == 1
        else { return nil }
        return packet[..<8] + open
    }

    @Test("RFC 7714 §17.1 and §17.2: the SRTCP form, and what the session makes has that form")
    func galoisControl() throws {
        let plain = hex(
            "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef")
        let salt = hex("517569642070726f2071756f")
        let sealed128 = hex(
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b"
                + "c84aa45896cf4d2fc5abf87245d9eade800005d4")
        let sealed256 = hex(
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad"
                + "1d1eb30c4446839f57ff6f6cb26ac3be800005d4")
        #expect(openRTCP(sealed128, key: (0..<16).map(UInt8.init), salt: salt) == plain)
        #expect(openRTCP(sealed256, key: (0..<32).map(UInt8.init), salt: salt) == plain)

        for profile in [SRTPProfile.aes128GCM, .aes256GCM] {
            let keys = sharedKeys(profile, seed: 17)
            let session = try SRTPSession(keys: keys.here)
            let master = keys.here.send
            // Labels 3 and 5 are SRTCP's cipher key and salt; the derivation is the one of the RTP keys.
            func derive(_ label: UInt8, _ count: Int) throws -> [UInt8] {
                var salt = Array(master[profile.keyLength...])
                salt[7] ^= label
                return try SRTPKeyDerivation.derive(
                    .rtpCipher, count: count, masterKey: master[..<profile.keyLength], masterSalt: salt[...])
            }
            let made = try session.protected(plain, rtcp: true)
            #expect(made.count == plain.count + profile.rtcpOverhead)
            let opened = try openRTCP(made, key: derive(3, profile.keyLength), salt: derive(5, 12))
            #expect(opened == plain)
        }
    }

    @Test(
        "A real capture of AES_CM_128_HMAC_SHA1_80 decrypts whole, and not at all as the _32 profile",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"))
    func capture() throws {
        let packets = udpPayloads(ofPcap: try #require(ExternalCaptures.bytes("membrane/srtp.pcap")))
        #expect(packets.count == 972)
        let master = [UInt8](repeating: 0x61, count: 30)
        let session = try SRTPSession(
            keys: SRTPKeys(profile: .aes128CounterModeSHA1, send: master, receive: master))
        var decrypted: [UInt8: Int] = [:]
        for packet in packets {
            let plain = try session.unprotected(packet)
            #expect(plain.count == packet.count - 10)
            decrypted[plain[1] & 127, default: 0] += 1
        }
        #expect(decrypted == [96: 812, 127: 160])
        #expect(session.receivedSources == 2)

        var policy = srtp_policy_t()
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp)
        srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
        policy.ssrc.type = ssrc_any_inbound
        var key = master, short: srtp_t?
        let status = key.withUnsafeMutableBufferPointer { key in
            policy.key = key.baseAddress
            return srtp_create(&short, &policy)
        }
        #expect(status == srtp_err_status_ok)
        defer { srtp_dealloc(short) }
        var failures = 0
        for packet in packets {
            var bytes = packet, length = Int32(packet.count)
            if srtp_unprotect(short, &bytes, &length) == srtp_err_status_auth_fail { failures += 1 }
        }
        #expect(failures == 972)
    }
}
