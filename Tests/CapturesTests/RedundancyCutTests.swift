// What stays of redundant audio (RFC 2198) when the media is taken out of a capture, or is not recorded at all.
import MediaCore
import Testing

@testable import Captures

@Suite struct RedundancyCutTests {
    private static let peer = PeerID(1)
    private static let header: [UInt8] = [0x80, 63, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9]
    /// A block of three bytes, and the primary one.
    private static let payload: [UInt8] = [0x80 | 111, 0x0f, 0, 3, 111, 1, 2, 3, 4, 5, 6, 7]

    private static func plan() throws -> RoomCommand {
        let opus = CodecPlan(
            codec: .opus, payloadType: PayloadType(111), rtxPayloadType: nil, redPayloadType: PayloadType(63),
            clockRate: 48_000)
        let feedback = FeedbackPlan(
            nack: false, pictureLossIndication: false, fullIntraRequest: false, transportFeedback: false)
        let track = PublishedTrackPlan(
            mid: try #require(Mid("m")), kind: .audio, source: .microphone, codecs: [opus],
            encodings: [EncodingPlan(rid: nil, ssrc: nil, rtxSSRC: nil)], feedback: feedback, isMuted: false)
        return .applyPlan(
            peer,
            PeerPlan(
                headerExtensions: HeaderExtensionMap(), published: [track], slots: [], reducedSizeRTCP: true))
    }

    @Test("The headers of the blocks stay, and nothing that anybody said")
    func cut() throws {
        var cut = PayloadCut()
        cut.note(try Self.plan())
        let packet = Self.header + Self.payload
        let at = Timestamp(nanoseconds: 5)
        #expect(
            cut.cut(.rtp(Self.peer, packet, at: at))
                == .cut(Self.peer, .rtp, Array(packet.prefix(17)), originalLength: packet.count, at: at))
        // One that has no end of its headers stays malformed: it is kept to its end.
        let endless = Self.header + [UInt8](repeating: 0xef, count: 6)
        #expect(cut.cut(.rtp(Self.peer, endless, at: at)) == .rtp(Self.peer, endless, at: at))
    }

    @Test("A recorder without media keeps the same bytes")
    func recorded() throws {
        let table = PayloadTable()
        table.note(try Self.plan())
        let packet = Self.header + Self.payload
        var kept: [UInt8] = []
        table.head(of: packet.span, from: Self.peer).append(of: packet.span, to: &kept)
        #expect(kept == Array(packet.prefix(17)))
        kept = []
        let plain = [0x80, 111] + packet.dropFirst(2)
        table.head(of: plain.span, from: Self.peer).append(of: plain.span, to: &kept)
        #expect(kept == Array(plain.prefix(12)))
    }
}
