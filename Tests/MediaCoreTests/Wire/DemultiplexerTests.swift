// RFC 7983 §7 over every first byte, RFC 5761 §4 over every second one, and real captures of shared ports.
import MediaCore
import TestSupport
import Testing

@Suite("Demultiplexer") struct DemultiplexerTests {
    @Test("every first byte goes where the figure of RFC 7983 section 7 says")
    func firstBytes() {
        for first in UInt8.min...UInt8.max {
            let datagram: [UInt8] = [first, 0, 0, 0]
            let kind = Demultiplexer.kind(of: datagram.span)
            let expected: DatagramKind =
                switch first {
                case 0, 1, 2, 3: .stun
                case 16, 17, 18, 19: .zrtp
                case 20...63: .dtls
                case 64...79: .turnChannel
                case 128...191: .rtp
                default: .unknown
                }
            #expect(kind == expected, "first byte \(first)")
        }
    }

    @Test("RTCP is told from RTP by packet types 192 to 223")
    func secondBytes() {
        for second in UInt8.min...UInt8.max {
            let datagram: [UInt8] = [0x80, second]
            let kind = Demultiplexer.kind(of: datagram.span)
            #expect(kind == ((192...223).contains(second) ? .rtcp : .rtp), "second byte \(second)")
        }
    }

    @Test("an empty datagram and a lone RTP byte are nothing")
    func shortDatagrams() {
        let empty: [UInt8] = []
        let lone: [UInt8] = [0x80]
        let kinds = [Demultiplexer.kind(of: empty.span), Demultiplexer.kind(of: lone.span)]
        #expect(kinds == [.unknown, .unknown])
    }

    /// Counted by an independent script over what tshark prints as UDP payloads (ICMP's quotations left out).
    @Test(
        "captures of shared ports are sorted as counted independently",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"),
        arguments: [
            ("zeek/dtls1_0.pcap", [DatagramKind.dtls: 11]),
            ("zeek/dtls1_2.pcap", [.dtls: 16]),
            ("zeek/webrtc-stun.pcap", [.stun: 10, .dtls: 4]),
            ("ndpi/stun.pcap", [.stun: 121, .turnChannel: 19, .dtls: 16, .rtp: 6, .rtcp: 3]),
            ("ndpi/stun_dtls_rtp.pcapng", [.stun: 4, .dtls: 23, .rtp: 11, .rtcp: 1]),
        ])
    func captures(path: String, expected: [DatagramKind: Int]) throws {
        let capture = try need(PcapFile.external(path))
        var counts: [DatagramKind: Int] = [:]
        for datagram in capture.datagrams { counts[Demultiplexer.kind(of: datagram.payload.span), default: 0] += 1 }
        #expect(counts == expected)
    }
}
