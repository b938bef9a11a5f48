// The digest of outputs: equal for equal outputs in the same order, different for any other.
import Captures
import MediaCore
import Testing

@Suite struct FormatDigestTests {
    private func rtp(payload: [UInt8], sequence: UInt8 = 1) -> [UInt8] {
        [0x80, 96, 0, sequence, 0, 0, 0, 9, 1, 2, 3, 4] + payload
    }
    private func digest(_ datagrams: [[UInt8]], scope: OutputDigest.Scope, prefix: Int = 0) -> OutputDigest {
        var digest = OutputDigest(scope: scope)
        for bytes in datagrams {
            digest.add(datagram: bytes.span, to: PeerID(3), kind: .rtp, payloadPrefix: prefix)
        }
        return digest
    }

    @Test("One bit, the order, or the receiver makes another digest")
    func sensitive() {
        let first = rtp(payload: [1, 2, 3])
        let second = rtp(payload: [1, 2, 3], sequence: 2)
        let base = digest([first, second], scope: .whole)
        #expect(base == digest([first, second], scope: .whole))
        #expect(base != digest([second, first], scope: .whole))
        var other = OutputDigest()
        other.add(datagram: first.span, to: PeerID(4), kind: .rtp)
        other.add(datagram: second.span, to: PeerID(3), kind: .rtp)
        #expect(base != other)
        for index in first.indices {
            for bit in 0..<8 {
                var changed = first
                changed[index] ^= 1 << bit
                let different = digest([changed, second], scope: .whole)
                #expect(different.high != base.high && different.low != base.low)
            }
        }
    }

    @Test("A digest of headers does not see the payload beyond the prefix, but its length and the header")
    func headers() {
        let base = digest([rtp(payload: [1, 2, 3])], scope: .headers)
        #expect(base == digest([rtp(payload: [9, 9, 9])], scope: .headers))
        #expect(base != digest([rtp(payload: [1, 2, 3, 4])], scope: .headers))
        #expect(base != digest([rtp(payload: [1, 2, 3], sequence: 2)], scope: .headers))
        let prefixed = digest([rtp(payload: [1, 2, 3])], scope: .headers, prefix: 1)
        #expect(prefixed == digest([rtp(payload: [1, 7, 7])], scope: .headers, prefix: 1))
        #expect(prefixed != digest([rtp(payload: [2, 2, 3])], scope: .headers, prefix: 1))
    }

    @Test("Decisions and events count, and are told apart")
    func decisions() throws {
        let track = TrackID(peer: PeerID(1), mid: try #require(Mid("0")))
        var started = OutputDigest()
        started.add(.trackStarted(track))
        var stalled = OutputDigest()
        stalled.add(.trackStalled(track))
        var alive = OutputDigest()
        alive.add(.layerAlive(track, layer: 0))
        var wanted: [OutputDigest] = []
        for layers in [[], [true], [false], [true, true, false]] {
            wanted.append(OutputDigest())
            wanted[wanted.count - 1].add(.layersWanted(track, layers))
        }
        let voice = SpeakerReport.Voice(peer: PeerID(1), level: 30)
        for report in [
            SpeakerReport(dominant: nil, active: []), SpeakerReport(dominant: PeerID(1), active: []),
            SpeakerReport(dominant: nil, active: [voice]), SpeakerReport(dominant: PeerID(1), active: [voice]),
        ] {
            wanted.append(OutputDigest())
            wanted[wanted.count - 1].add(.speakersChanged(report))
        }
        #expect(Set([started, stalled, alive, OutputDigest()] + wanted).count == 12)
        #expect(alive.count == 1)
    }
}
