// The public captures converted and replayed as scripted senders with one receiver: the figures of their README, as a replay
// gives them, and the same again from a capture of this project's own.

import Captures
import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@Suite(
    "Public captures as scripted senders",
    .enabled(if: ExternalCaptures.arePresent, "the public captures are not at MAJLIS_EXTERNAL_CAPTURES"))
struct ExternalReplayTests {
    private static let receiver = PeerID(1_000)

    /// A file, the codec of one payload type, and its header extensions.
    struct File: Sendable {
        var path: String
        var payloadType: UInt8
        var codec: Codec
        var transportSequence: UInt8 = 0
        var rtpIn: Int
        var rtpOut: Int
        var drops: [DropReason: UInt64] = [:]
    }

    static let files = [
        File(path: "str0m/vp8.pcap", payloadType: 96, codec: .vp8, transportSequence: 4, rtpIn: 104, rtpOut: 104),
        // All that comes before the one key frame waits, and what is lost is not made up.
        File(
            path: "str0m/vp9.pcap", payloadType: 98, codec: .vp9(profile: 0), transportSequence: 7, rtpIn: 316,
            rtpOut: 316),
        File(
            path: "str0m/contiguous_vp9.pcap", payloadType: 98, codec: .vp9(profile: 0), transportSequence: 4,
            rtpIn: 200,
            rtpOut: 0, drops: [.awaitingKeyFrame: 200]),
        File(
            path: "str0m/h264.pcap", payloadType: 126, codec: .h264(profile: 0x42e0, packetizationMode: 1),
            transportSequence: 7, rtpIn: 298, rtpOut: 298),
        // The FEC packets are no track's.
        File(
            path: "libjitsi/chrome_flexfec_and_video_capture.pcap", payloadType: 98, codec: .vp9(profile: 0),
            transportSequence: 5, rtpIn: 2_664, rtpOut: 2_553, drops: [.unknownSSRC: 111]),
        File(
            path: "str0m/h266.pcap", payloadType: 20, codec: .vp8, rtpIn: 323, rtpOut: 0, drops: [.unknownSSRC: 323]),
    ]

    private func plan(_ file: File, streams: [ConvertedFlow.Stream], receives: Bool) throws -> PeerPlan {
        var map = HeaderExtensionMap()
        map.transportSequence = file.transportSequence
        let codec = CodecPlan(
            codec: file.codec, payloadType: PayloadType(file.payloadType), rtxPayloadType: nil, clockRate: 90_000)
        let feedback = FeedbackPlan(
            nack: true, pictureLossIndication: true, fullIntraRequest: false,
            transportFeedback: file.transportSequence != 0)
        let media = streams.filter { $0.payloadType.rawValue == file.payloadType }
        let published = try media.enumerated().map { index, stream in
            PublishedTrackPlan(
                mid: try #require(Mid("\(index)")), kind: .video, source: .camera, codecs: [codec],
                encodings: [EncodingPlan(rid: nil, ssrc: stream.ssrc, rtxSSRC: nil)], feedback: feedback,
                isMuted: false)
        }
        let slot = ReceiveSlotPlan(
            mid: try #require(Mid("r")), kind: .video, ssrc: SSRC(7_000), rtxSSRC: nil, codecs: [codec],
            feedback: feedback)
        return PeerPlan(
            headerExtensions: map, published: published, slots: receives ? [slot] : [], reducedSizeRTCP: true)
    }

    @Test("A file has the figures that are known of it, and its capture the same ones", arguments: files.indices)
    func figures(index: Int) throws {
        let file = Self.files[index]
        let conversion = try CaptureConvert.convert(try #require(ExternalCaptures.bytes(file.path)))
        var events = conversion.capture(configuration: RoomConfiguration(), seed: 3, build: "test") {
            try? plan(file, streams: $0.streams, receives: false)
        }
        let start = try #require(events[0].moment)
        let receiver = try plan(file, streams: [], receives: true)
        events.insert(
            contentsOf: [
                .command(.addParticipant(Self.receiver), at: start),
                .command(.applyPlan(Self.receiver, receiver), at: start),
                .command(.peerConnected(Self.receiver), at: start),
            ], at: 1)
        let result = try replay(events)
        #expect(result.summary.rtpIn == file.rtpIn, "\(file.path)")
        #expect(result.summary.rtpOut == file.rtpOut, "\(file.path)")
        for (reason, count) in file.drops { #expect(result.statistics[reason] == count, "\(file.path): \(reason)") }
        #expect(result.statistics.dropped - file.drops.values.reduce(0, +) <= 2, "\(file.path)")
        // Carried over into a capture with decisions and digests, and trimmed of its media.
        for cutsPayloads in [false, true] {
            var options = CaptureRewrite.Options()
            options.cutsPayloads = cutsPayloads
            var rewrite = CaptureRewrite(options)
            var written: [CaptureEvent] = []
            for event in events { try rewrite.take(event) { written.append($0) } }
            try rewrite.finish { written.append($0) }
            let again = try Replay.run(ReplayRecorder.bytes(written))
            #expect(again.verdict == .identical, "\(file.path)")
            #expect(again.summary.rtpOut == file.rtpOut, "\(file.path), cut: \(cutsPayloads)")
            #expect(cutsPayloads || again.digest == result.digest)
        }
    }
}
