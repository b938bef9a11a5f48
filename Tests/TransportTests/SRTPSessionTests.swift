// SRTP sessions: the egress protection against libsrtp's, the rule "no nonce twice", replay, floods and bounds.
import CSRTP
import TestSupport
import Testing

@testable import Transport

@Suite("SRTP sessions")
struct SRTPSessionTests {
    private static func libsrtp(_ profile: SRTPProfile, _ master: [UInt8]) -> LibsrtpSender {
        LibsrtpSender(profile: .init(rawValue: UInt32(profile.rawValue)), master: master, window: EgressSequence.window)
    }

    @Test(
        "Egress protection is libsrtp's byte for byte: random packets, losses, reordering, jumps, rollovers, repeats",
        arguments: SRTPProfile.allCases, [1 as UInt64, 2, 3])
    func differential(profile: SRTPProfile, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 977 &+ UInt64(profile.rawValue))
        let keys = sharedKeys(profile, seed: seed)
        let ours = try SRTPSession(keys: keys.here)
        let theirs = Self.libsrtp(profile, keys.here.send)
        let ssrcs: [UInt32] = [1, 0xFFFF_FFFF, 0x8000_0000, UInt32(truncatingIfNeeded: random.next())]
        var next = ssrcs.map { _ in Int.random(in: 0..<65_536, using: &random) }
        var sent: [[Int: [UInt8]]] = ssrcs.map { _ in [:] }
        var outcomes = (equal: 0, refused: 0, repeated: 0, rollovers: 0)
        for _ in 0..<12_000 {
            let source = Int.random(in: 0..<ssrcs.count, using: &random)
            let number: Int
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<70: number = next[source]
            case 70..<78: number = next[source] + Int.random(in: 1..<40, using: &random)
            case 78..<80: number = next[source] + Int.random(in: 1..<32_000, using: &random)
            case 80..<90: number = max(next[source] - Int.random(in: 1...80, using: &random), 0)
            case 90..<99: number = max(next[source] - Int.random(in: 1...512, using: &random), 0)
            default: number = max(next[source] - Int.random(in: 512...700, using: &random), 0)
            }
            let packet: [UInt8]
            if let before = sent[source][number] {
                packet = before
                outcomes.repeated += 1
            } else {
                packet = rtpPacket(
                    sequence: UInt16(truncatingIfNeeded: number), ssrc: ssrcs[source],
                    payloadType: UInt8.random(in: 0..<128, using: &random),
                    timestamp: UInt32(truncatingIfNeeded: random.next()),
                    sources: (0..<Int.random(in: 0..<3, using: &random)).map(UInt32.init),
                    extensionWords: Bool.random(using: &random) ? Int.random(in: 0..<5, using: &random) : nil,
                    payload: random.bytes(Int.random(in: 0..<200, using: &random)))
            }
            let expected = theirs.protect(packet)
            var failure: SRTPFailure?
            var actual: [UInt8]?
            do throws(SRTPFailure) { actual = try ours.protected(packet) } catch { failure = error }
            try #require(
                actual == expected, "number \(number) after \(next[source] - 1): \(String(describing: failure))")
            if expected == nil { outcomes.refused += 1 } else { outcomes.equal += 1 }
            if expected != nil { sent[source][number] = packet }
            if number >= next[source] {
                if number >> 16 > (next[source] - 1) >> 16 { outcomes.rollovers += 1 }
                next[source] = number + 1
            }
        }
        // The walk went where it should: through rollovers, repeats and refusals.
        #expect(outcomes.equal > 10_000)
        #expect(outcomes.refused > 10)
        #expect(outcomes.repeated > 300)
        #expect(outcomes.rollovers >= 4)
    }

    @Test("Numbers around the rollover, out of order, are those that libsrtp takes", arguments: SRTPProfile.allCases)
    func rolloverOutOfOrder(profile: SRTPProfile) throws {
        let keys = sharedKeys(profile, seed: 5)
        let ours = try SRTPSession(keys: keys.here), receiver = try SRTPSession(keys: keys.there)
        let theirs = Self.libsrtp(profile, keys.here.send)
        for sequence: UInt16 in [65_533, 65_535, 0, 65_534, 2, 1, 65_532, 0, 65_535, 3] {
            let packet = rtpPacket(
                sequence: sequence, ssrc: 9, payload: [1, 2, 3, UInt8(truncatingIfNeeded: sequence)])
            let mine = try ours.protected(packet)
            #expect(mine == theirs.protect(packet))
            // The receiver follows; what was repeated it has seen.
            if let plain = try? receiver.unprotected(mine) { #expect(plain == packet) }
        }
    }

    @Test("A number is never protected twice with other bytes, in every profile", arguments: SRTPProfile.allCases)
    func noNonceTwice(profile: SRTPProfile) throws {
        let session = try SRTPSession(keys: sharedKeys(profile, seed: 6).here)
        let first = rtpPacket(sequence: 100, ssrc: 1, payload: [1, 2, 3])
        let other = rtpPacket(sequence: 100, ssrc: 1, payload: [1, 2, 4])
        let marked = rtpPacket(sequence: 100, ssrc: 1, payloadType: 96 | 128, payload: [1, 2, 3])
        let sealed = try session.protected(first)
        #expect(throws: SRTPFailure.nonceReuse) { try session.protected(other) }
        // Even a header bit alone: a second GCM tag under one nonce gives the authentication key away.
        if profile != .aes128CounterModeSHA1 {
            #expect(throws: SRTPFailure.nonceReuse) { try session.protected(marked) }
        }
        // Unchanged it may go again, also after others, and a refusal has harmed nothing.
        #expect(try session.protected(first) == sealed)
        for sequence in 101..<UInt16(100 + EgressSequence.window) {
            _ = try session.protected(rtpPacket(sequence: sequence, ssrc: 1, payload: [9]))
        }
        #expect(try session.protected(first) == sealed)
        // One further and it lies outside of what is remembered.
        _ = try session.protected(rtpPacket(sequence: UInt16(100 + EgressSequence.window), ssrc: 1, payload: [9]))
        #expect(throws: SRTPFailure.tooOld) { try session.protected(first) }
    }

    @Test("A refused packet's bytes are wiped: nothing made under a used nonce can leave")
    func refusedIsWiped() throws {
        let session = try SRTPSession(keys: sharedKeys(.aes128GCM, seed: 6).here)
        _ = try session.protected(rtpPacket(sequence: 7, ssrc: 1, payload: [1, 2, 3]))
        let other = rtpPacket(sequence: 7, ssrc: 1, payload: [4, 5, 6])
        var buffer = other + [UInt8](repeating: 0xAA, count: 16)
        _ = buffer.withUnsafeMutableBytes { bytes in
            #expect(throws: SRTPFailure.nonceReuse) { try session.protectRTP(bytes, count: other.count) }
        }
        #expect(buffer.allSatisfy { $0 == 0 })
    }

    @Test("Both directions, RTP and RTCP, in every profile; a repeated packet is told", arguments: SRTPProfile.allCases)
    func roundTrip(profile: SRTPProfile) throws {
        let keys = sharedKeys(profile, seed: 8)
        let here = try SRTPSession(keys: keys.here), there = try SRTPSession(keys: keys.there)
        for (sender, receiver) in [(here, there), (there, here)] {
            for sequence: UInt16 in 0..<20 {
                let packet = rtpPacket(
                    sequence: sequence, ssrc: 4, extensionWords: 2, payload: [UInt8](repeating: 7, count: 100))
                let sealed = try sender.protected(packet)
                #expect(sealed.count == packet.count + profile.tagLength)
                #expect(try receiver.unprotected(sealed) == packet)
                #expect(throws: SRTPFailure.replayed) { try receiver.unprotected(sealed) }
                let report = rtcpPacket(ssrc: 4)
                let sealedReport = try sender.protected(report, rtcp: true)
                #expect(sealedReport.count == report.count + profile.rtcpOverhead)
                #expect(try receiver.unprotected(sealedReport, rtcp: true) == report)
                #expect(throws: SRTPFailure.replayed) { try receiver.unprotected(sealedReport, rtcp: true) }
            }
        }
    }

    @Test("A packet more than the window behind is too old", arguments: SRTPProfile.allCases)
    func tooOld(profile: SRTPProfile) throws {
        let keys = sharedKeys(profile, seed: 9)
        let here = try SRTPSession(keys: keys.here), there = try SRTPSession(keys: keys.there)
        let late = try here.protected(rtpPacket(sequence: 1, ssrc: 4, payload: [1]))
        for sequence in 2...UInt16(SRTPSession.replayWindow + 2) {
            let sealed = try here.protected(rtpPacket(sequence: sequence, ssrc: 4, payload: [1]))
            _ = try there.unprotected(sealed)
        }
        #expect(throws: SRTPFailure.tooOld) { try there.unprotected(late) }
    }

    @Test("A flood of wrong tags leaves no state behind and harms no real packet", arguments: SRTPProfile.allCases)
    func flood(profile: SRTPProfile) throws {
        let keys = sharedKeys(profile, seed: 10)
        let here = try SRTPSession(keys: keys.here), there = try SRTPSession(keys: keys.there)
        var random = SeededGenerator(seed: 4)
        for ssrc in 0..<20_000 as Range<UInt32> {
            let forged = rtpPacket(
                sequence: UInt16(truncatingIfNeeded: ssrc), ssrc: ssrc, payload: random.bytes(60))
            #expect(throws: SRTPFailure.authentication) { try there.unprotected(forged) }
            if ssrc % 50 == 0 {
                let report = rtcpPacket(ssrc: ssrc, extra: random.bytes(36) + [0x80, 0, 0, 1])
                #expect(throws: SRTPFailure.authentication) { try there.unprotected(report, rtcp: true) }
                #expect(!there.hasState(ofReceived: ssrc))
            }
        }
        #expect(there.receivedSources == 0)
        let packet = rtpPacket(sequence: 5, ssrc: 5, payload: [1, 2, 3])
        #expect(try there.unprotected(here.protected(packet)) == packet)
        #expect(there.hasState(ofReceived: 5))
    }

    @Test("Sources are bounded, both ways, and those that are there go on")
    func sourcesAreBounded() throws {
        let keys = sharedKeys(.aes128GCM, seed: 11)
        let here = try SRTPSession(keys: keys.here), there = try SRTPSession(keys: keys.there)
        for ssrc in 0..<UInt32(RTPProtector.maximumSources) {
            let sealed = try here.protected(rtpPacket(sequence: 1, ssrc: ssrc, payload: [1]))
            if ssrc < SRTPSession.maximumReceivedSources {
                _ = try there.unprotected(sealed)
            } else {
                #expect(throws: SRTPFailure.tooManySources) { try there.unprotected(sealed) }
            }
        }
        #expect(there.receivedSources == SRTPSession.maximumReceivedSources)
        #expect(throws: SRTPFailure.tooManySources) {
            try here.protected(rtpPacket(sequence: 1, ssrc: 9_999, payload: [1]))
        }
        let again = try here.protected(rtpPacket(sequence: 2, ssrc: 3, payload: [1]))
        #expect(try there.unprotected(again).count == 13)
    }

    @Test("Broken packets are refused by name, in either direction", arguments: SRTPProfile.allCases)
    func malformed(profile: SRTPProfile) throws {
        let keys = sharedKeys(profile, seed: 12)
        let session = try SRTPSession(keys: keys.here)
        let whole = rtpPacket(sequence: 1, ssrc: 1, sources: [1, 2, 3], extensionWords: 3, payload: [1, 2, 3, 4])
        for count in 0..<40 {
            // The header, its sources and its extension must all be there.
            #expect(throws: SRTPFailure.malformed) { try session.protected(Array(whole[..<count])) }
        }
        #expect(throws: SRTPFailure.malformed) { try session.protected([0x40] + whole.dropFirst()) }
        for count in 0..<40 {
            let bytes = [UInt8](repeating: 0xB0, count: count)
            #expect(throws: SRTPFailure.self) { try session.unprotected(bytes) }
            #expect(throws: SRTPFailure.self) { try session.unprotected(bytes, rtcp: true) }
        }
        var exact = whole
        exact.withUnsafeMutableBytes { bytes in
            #expect(throws: SRTPFailure.noTailRoom) { try session.protectRTP(bytes, count: bytes.count) }
            #expect(throws: SRTPFailure.noTailRoom) { try session.protectRTCP(bytes, count: bytes.count) }
        }
    }

    @Test("Key material of another length than the profile's is refused")
    func keyLength() {
        let keys = SRTPKeys(
            profile: .aes256GCM, send: [UInt8](repeating: 1, count: 28), receive: [UInt8](repeating: 2, count: 44))
        #expect(throws: TransportError.wrongKeyLength(expected: 44, actual: 28)) { try SRTPSession(keys: keys) }
    }

    @Test("The 48-bit index is never passed, and a guess never lies more than 2^15 away")
    func guesses() {
        for (highest, sequence, expected): (UInt64, UInt16, UInt64) in [
            (0, 65_535, 65_535), (32_768, 65_535, 65_535), (32_769, 0, 0x1_0000), (40_000, 7_231, 0x1_1C3F),
            (40_000, 7_232, 7_232), (0x1_0000, 65_535, 65_535), (0x1_0005, 32_773, 0x1_8005),
            (0x1_0005, 32_774, 32_774),
            (0x1_FFFF, 0, 0x2_0000),
        ] { #expect(EgressSequence.guess(sequence, highest: highest) == expected, "\(highest) \(sequence)") }
        var random = SeededGenerator(seed: 1)
        for _ in 0..<10_000 {
            let highest = UInt64.random(in: 32_769..<(1 << 47), using: &random)
            let sequence = UInt16.random(in: 0...65_535, using: &random)
            let guess = EgressSequence.guess(sequence, highest: highest)
            #expect(UInt16(truncatingIfNeeded: guess) == sequence)
            #expect(abs(Int64(guess) - Int64(highest)) <= 1 << 15)
        }
    }
}
