// The public captures through the whole core: what comes out is what their README says a correct implementation shows.

import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@Suite(
    "Captures through the core",
    .enabled(if: ExternalCaptures.arePresent, "the public captures are not at MAJLIS_EXTERNAL_CAPTURES"))
struct CoreCaptureTests {
    private func codec(_ codec: Codec, _ payloadType: UInt8, clockRate: UInt32 = 90_000) -> [CodecPlan] {
        [CodecPlan(codec: codec, payloadType: PayloadType(payloadType), rtxPayloadType: nil, clockRate: clockRate)]
    }

    private func extensions(_ change: (inout HeaderExtensionMap) -> Void) -> HeaderExtensionMap {
        var map = HeaderExtensionMap()
        change(&map)
        return map
    }

    private func bySSRC(_ ssrc: UInt32) -> [EncodingPlan] { [EncodingPlan(rid: nil, ssrc: SSRC(ssrc), rtxSSRC: nil)] }

    private func spread(_ numbers: [Int64]) -> Int64 { (numbers.max() ?? 0) - (numbers.min() ?? 0) + 1 }

    /// A room for the capture of VP8.
    private func vp8Room() -> CaptureRoom {
        CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.vp8, 96),
            encodings: [EncodingPlan(rid: Rid("l"), ssrc: nil, rtxSSRC: nil)],
            extensions: extensions {
                $0.absoluteSendTime = 2
                $0.transportSequence = 4
                $0.mid = 9
                $0.rid = 10
            })
    }

    @Test("VP8: 104 packets in, 104 out, no gap, PictureID and TL0PICIDX one chain across the wrap")
    func vp8() throws {
        let packets = try #require(Capture.pcap("str0m/vp8.pcap"))
        #expect(packets.count == 104)
        var room = vp8Room()
        room.play(packets)
        let numbers = room.forwardedNumbers
        #expect(numbers.count == 104)
        #expect(spread(numbers) == 104)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + 1 })
        #expect(room.nacked.isEmpty)
        var frames: [UInt16] = []
        var markers = 0
        for packet in room.forwarded {
            let fields = try #require(VP8Fields(packet.payload))
            if fields.beginsFrame { frames.append(fields.pictureID ?? 0) }
            if packet.marker { markers += 1 }
        }
        #expect(frames.count == 101)
        #expect(markers == 101)
        #expect(room.feedback.received.count == 104)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("VP8: of its base layer 54 packets in 51 frames, no gap, PictureID and TL0PICIDX one chain across the wrap")
    func vp8BaseLayer() throws {
        let packets = try #require(Capture.pcap("str0m/vp8.pcap"))
        var room = vp8Room()
        room.limit(temporal: 0)
        room.play(packets)
        let numbers = room.forwardedNumbers
        #expect(numbers.count == 54)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + 1 })
        let frames = try room.forwarded.map { try #require(VP8Fields($0.payload)) }
        #expect(frames.allSatisfy { $0.temporalLayer == 0 })
        let begins = frames.filter(\.beginsFrame)
        #expect(begins.count == 51 && room.forwarded.count(where: \.marker) == 51)
        for (a, b) in zip(begins, begins.dropFirst()) {
            #expect(b.pictureID == a.pictureID.map { ($0 + 1) & 0x7fff })
            #expect(b.temporalLevelZeroIndex == a.temporalLevelZeroIndex.map { $0 &+ 1 })
        }
        #expect(room.statistics[.layerNotForwarded] == 50)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("VP9: 279 numbers missing, each asked for again, and a key frame asked for when they do not come")
    func vp9() throws {
        let packets = try #require(Capture.pcap("str0m/vp9.pcap"))
        #expect(packets.count == 316)
        var room = CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.vp9(profile: 0), 98),
            encodings: [EncodingPlan(rid: nil, ssrc: nil, rtxSSRC: nil)],
            extensions: extensions {
                $0.absoluteSendTime = 4
                $0.transportSequence = 7
                $0.mid = 3
            })
        // The file's packets lie within half a millisecond; their RTP timestamps tell when they were sent.
        room.play(Capture.paced(packets, clockRate: 90_000))
        let sequences = try packets.map { try #require(IncomingPacket($0.bytes)).sequence }
        let missing = Self.missing(sequences)
        #expect(missing.count == 279)
        #expect(room.nacked == missing)
        #expect(!room.keyFrameRequestsAt.isEmpty)
        #expect(room.statistics.keyFrameRequestsSent >= 1)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    /// The sequence numbers between the first and the last that are not among these.
    static func missing(_ sequences: [UInt16]) -> Set<UInt16> {
        var unwrapper = Unwrapper()
        let numbers = Set(sequences.map { unwrapper.extend($0) })
        guard let first = numbers.min(), let last = numbers.max() else { return [] }
        return Set((first...last).filter { !numbers.contains($0) }.map { UInt16(truncatingIfNeeded: $0) })
    }

    @Test("Contiguous VP9: transport feedback says 200 received from 399 on, none missing")
    func contiguousVP9() throws {
        let packets = try #require(Capture.pcap("str0m/contiguous_vp9.pcap"))
        #expect(packets.count == 200)
        let first = try #require(IncomingPacket(packets[0].bytes))
        var room = CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.vp9(profile: 0), first.payloadType), encodings: bySSRC(first.ssrc),
            extensions: extensions { $0.transportSequence = 4 })
        room.play(packets)
        #expect(room.feedback.first == 399)
        #expect(room.feedback.last == 598)
        #expect(room.feedback.received.count == 200)
        #expect(room.feedback.missing == 0)
        #expect(room.nacked.isEmpty)
        // The file begins in the middle of a call: without a key frame nothing may go out, and one is asked for.
        #expect(room.forwarded.isEmpty)
        #expect(room.statistics[.awaitingKeyFrame] == 200)
        #expect(!room.keyFrameRequestsAt.isEmpty)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("H264: three numbers asked for again, transport feedback says 13 of 311 missing")
    func h264() throws {
        let packets = try #require(Capture.pcap("str0m/h264.pcap"))
        #expect(packets.count == 298)
        let first = try #require(IncomingPacket(packets[0].bytes))
        var room = CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.h264(profile: 0x42c0, packetizationMode: 1), first.payloadType),
            encodings: bySSRC(first.ssrc),
            extensions: extensions {
                $0.absoluteSendTime = 4
                $0.transportSequence = 7
                $0.mid = 3
            })
        // The file's packets lie within a millisecond; their RTP timestamps tell when they were sent.
        room.play(Capture.paced(packets, clockRate: 90_000))
        #expect(room.nacked.count == 3)
        #expect(room.feedback.spoken.count == 311)
        #expect(room.feedback.missing == 13)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("H266: a codec that nobody negotiated is refused by name, packet by packet")
    func h266() throws {
        let packets = try #require(Capture.pcap("str0m/h266.pcap"))
        #expect(packets.count == 323)
        let first = try #require(IncomingPacket(packets[0].bytes))
        var room = CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.vp8, first.payloadType ^ 1), encodings: bySSRC(first.ssrc),
            extensions: HeaderExtensionMap())
        room.play(packets)
        #expect(room.forwarded.isEmpty)
        #expect(room.statistics[.unknownPayloadType] == 323)
        #expect(room.statistics.dropped == 323)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("Real Chrome with FlexFEC: feedback over both SSRCs, and the FEC packets are never asked for as video")
    func flexFEC() throws {
        let packets = try #require(Capture.pcap("libjitsi/chrome_flexfec_and_video_capture.pcap"))
        let video: UInt32 = 0xc38f_c709
        var room = CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.vp9(profile: 0), 98), encodings: bySSRC(video),
            extensions: extensions { $0.transportSequence = 5 })
        room.play(packets)
        #expect(room.feedback.first == 1)
        #expect(room.feedback.last == 2_984)
        #expect(room.feedback.received.count == 2_664)
        #expect(room.feedback.missing == 320)
        #expect(room.nackedAt.allSatisfy { $0.ssrc == video })
        let sequences = packets.compactMap { IncomingPacket($0.bytes) }.filter { $0.ssrc == video }.map(\.sequence)
        let missing = Self.missing(sequences)
        #expect(missing.count == 71)
        #expect(room.nacked.isSubset(of: missing))
        #expect(room.nacked.count >= 60)
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("VP9 with sender reports: forwarded whole, and the reports speak of the slot's own SSRC and time")
    func senderReports() throws {
        let packets = try #require(Capture.rtpdump("libwebrtc/rtpdump/vp9.rtpdump"))
        #expect(packets.count == 193)
        #expect(packets.count { $0.isRTCP } == 6)
        let first = try #require(IncomingPacket(packets.first { !$0.isRTCP }?.bytes ?? []))
        var room = CaptureRoom(
            mid: "1", kind: .video, codecs: codec(.vp9(profile: 0), 124), encodings: bySSRC(first.ssrc),
            extensions: HeaderExtensionMap())
        room.play(packets)
        #expect(room.forwarded.count == 187)
        #expect(spread(room.forwardedNumbers) == 187)
        #expect(room.forwarded.count { $0.marker } == 119)
        var reports: [(ntp: UInt64, timestamp: UInt32)] = []
        for case .senderReport(let ssrc, let ntp, let timestamp, _, _, _) in room.toReceiver {
            #expect(ssrc == 7_000)
            reports.append((ntp, timestamp))
        }
        #expect(reports.count >= 2)
        // The slot's time is one straight line: what the reports say lies on it, to ten milliseconds.
        for (a, b) in zip(reports, reports.dropFirst()) {
            let seconds = Double(b.ntp &- a.ntp) / 0x1p32
            let ticks = Double(Int32(bitPattern: b.timestamp &- a.timestamp))
            #expect(abs(ticks - seconds * 90_000) < 900, "\(ticks) ticks in \(seconds) s")
        }
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("Audio without loss: nothing is asked for again")
    func audioWithoutLoss() throws {
        let packets = try #require(Capture.rtpdump("libwebrtc/rtpdump/stereo_pcmu.rtp"))
        let first = try #require(IncomingPacket(packets[0].bytes))
        var room = CaptureRoom(
            mid: "1", kind: .audio, codecs: codec(.opus, first.payloadType, clockRate: 8_000),
            encodings: bySSRC(first.ssrc), extensions: HeaderExtensionMap())
        room.play(packets)
        #expect(room.nacked.isEmpty)
        #expect(room.forwarded.count == packets.count)
        #expect(spread(room.forwardedNumbers) == Int64(packets.count))
        #expect(room.invariants.violations.map(\.description) == [])
    }

    @Test("Audio with jitter: 53 lost, and what came late but within the reorder window is not asked for")
    func jitteredAudio() throws {
        let packets = try #require(Capture.rtpdump("libwebrtc/rtpdump/stereo_pcmu_jitter.rtp"))
        let first = try #require(IncomingPacket(packets[0].bytes))
        var room = CaptureRoom(
            mid: "1", kind: .audio, codecs: codec(.opus, first.payloadType, clockRate: 8_000),
            encodings: bySSRC(first.ssrc), extensions: HeaderExtensionMap())
        room.play(packets)
        // When each number was first seen to be missing, and when it came.
        var missingSince: [Int64: Int64] = [:]
        var lateBy: [Int64: Int64] = [:]
        var unwrapper = Unwrapper()
        var highest: Int64?
        for packet in packets {
            let number = unwrapper.extend(try #require(IncomingPacket(packet.bytes)).sequence)
            if let top = highest, number > top + 1 {
                for hole in (top + 1)..<number { missingSince[hole] = packet.microseconds }
            }
            if let since = missingSince.removeValue(forKey: number) { lateBy[number] = packet.microseconds - since }
            highest = max(highest ?? number, number)
        }
        #expect(missingSince.count == 53)
        let lost = Set(missingSince.keys.map { UInt16(truncatingIfNeeded: $0) })
        #expect(room.nacked.isSuperset(of: lost))
        let withinWindow = lateBy.filter { $0.value < 20_000 }.keys.map { UInt16(truncatingIfNeeded: $0) }
        #expect(withinWindow.count > 50)
        #expect(room.nacked.isDisjoint(with: withinWindow))
        #expect(room.forwarded.count == packets.count)
        #expect(room.invariants.violations.map(\.description) == [])
    }
}
