// What the transport's tests share: hexadecimal text, a seeded generator, packets, and a capture's datagrams.
import CSRTP
import TestSupport

@testable import Transport

/// Bytes from hexadecimal text; anything that is not a digit is skipped.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { byte -> UInt8? in
        switch byte {
        case 48...57: byte - 48
        case 97...102: byte - 87
        case 65...70: byte - 55
        default: nil
        }
    }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

/// An RTP packet with the given parts.
func rtpPacket(
    sequence: UInt16, ssrc: UInt32, payloadType: UInt8 = 96, timestamp: UInt32 = 0, sources: [UInt32] = [],
    extensionWords: Int? = nil, payload: [UInt8]
) -> [UInt8] {
    var packet: [UInt8] = [0x80 | UInt8(sources.count) | (extensionWords == nil ? 0 : 0x10), payloadType]
    packet += [UInt8(sequence >> 8), UInt8(sequence & 255)]
    for word in [timestamp, ssrc] + sources {
        packet += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
    }
    if let words = extensionWords {
        packet += [0xBE, 0xDE, UInt8(words >> 8), UInt8(words & 255)]
        packet += [UInt8](repeating: 0x31, count: 4 * words)
    }
    return packet + payload
}

/// A receiver report without blocks, with `count` bytes of an application packet behind it.
func rtcpPacket(ssrc: UInt32, extra: [UInt8] = []) -> [UInt8] {
    [0x80, 201, 0, 1] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ssrc >> $0) } + extra
}

extension SRTPSession {
    /// Protects a packet; nil when it is refused.
    func protected(_ packet: [UInt8], rtcp: Bool = false) throws(SRTPFailure) -> [UInt8] {
        var buffer = packet + [UInt8](repeating: 0, count: 20)
        var failure: SRTPFailure?
        let length = buffer.withUnsafeMutableBytes { bytes -> Int in
            do throws(SRTPFailure) {
                return try rtcp
                    ? protectRTCP(bytes, count: packet.count) : protectRTP(bytes, count: packet.count)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return Array(buffer[..<length])
    }

    /// Unprotects a packet.
    func unprotected(_ packet: [UInt8], rtcp: Bool = false) throws(SRTPFailure) -> [UInt8] {
        var buffer = packet
        var failure: SRTPFailure?
        let length = buffer.withUnsafeMutableBytes { bytes -> Int in
            do throws(SRTPFailure) {
                return try rtcp ? unprotectRTCP(bytes) : unprotectRTP(bytes)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return Array(buffer[..<length])
    }
}

/// A sender made of libsrtp alone: what ours is compared with.
final class LibsrtpSender {
    private let session: srtp_t

    init(profile: srtp_profile_t, master: [UInt8], window: Int) {
        _ = srtp_init()
        var policy = srtp_policy_t()
        precondition(srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile) == srtp_err_status_ok)
        precondition(srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile) == srtp_err_status_ok)
        policy.ssrc.type = ssrc_any_outbound
        policy.window_size = UInt(window)
        policy.allow_repeat_tx = 1
        var key = master
        var made: srtp_t?
        let status = key.withUnsafeMutableBufferPointer { key in
            policy.key = key.baseAddress
            return srtp_create(&made, &policy)
        }
        precondition(status == srtp_err_status_ok)
        session = made!
    }

    deinit { srtp_dealloc(session) }

    func protect(_ packet: [UInt8]) -> [UInt8]? {
        var buffer = packet + [UInt8](repeating: 0, count: 144)
        var length = Int32(packet.count)
        guard srtp_protect(session, &buffer, &length) == srtp_err_status_ok else { return nil }
        return Array(buffer[..<Int(length)])
    }
}

/// Keys that both sides of a test share; what one sends the other receives.
func sharedKeys(_ profile: SRTPProfile, seed: UInt64) -> (here: SRTPKeys, there: SRTPKeys) {
    var random = SeededGenerator(seed: seed)
    let length = profile.keyLength + profile.saltLength
    let a = random.bytes(length), b = random.bytes(length)
    return (
        SRTPKeys(profile: profile, send: a, receive: b), SRTPKeys(profile: profile, send: b, receive: a)
    )
}

/// The UDP payloads of an Ethernet or raw-IP pcap file, in order.
func udpPayloads(ofPcap file: [UInt8]) -> [[UInt8]] {
    func little(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
    guard file.count > 24, little(0) == 0xA1B2_C3D4 else { return [] }
    let linkHeader = little(20) == 1 ? 14 : 0
    var payloads: [[UInt8]] = [], offset = 24
    while offset + 16 <= file.count {
        let length = little(offset + 8)
        let start = offset + 16 + linkHeader
        offset += 16 + length
        guard offset <= file.count, start + 28 <= offset, file[start] >> 4 == 4, file[start + 9] == 17 else { continue }
        let udp = start + Int(file[start] & 15) * 4
        guard udp + 8 <= offset else { continue }
        let end = udp + (Int(file[udp + 4]) << 8 | Int(file[udp + 5]))
        if end <= offset, end >= udp + 8 { payloads.append(Array(file[(udp + 8)..<end])) }
    }
    return payloads
}
