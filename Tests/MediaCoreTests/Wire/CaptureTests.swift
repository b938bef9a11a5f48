// Public captures read packet by packet: header fields, extensions, descriptors and losses as an independent script and
// tshark found them in the same files.
import MediaCore
import TestSupport
import Testing

/// One RTP packet of a capture.
private struct PacketInFile {
    var bytes: [UInt8]
    var header: RTPHeader

    static func all(_ path: String) throws -> [PacketInFile] {
        let capture = try need(PcapFile.external(path))
        return try capture.datagrams.map { datagram in
            PacketInFile(bytes: datagram.payload, header: try need(rtpHeader(datagram.payload)))
        }
    }

    func transportSequence(_ id: UInt8) throws -> UInt16? {
        var map = HeaderExtensionMap()
        map.transportSequence = id
        let offsets = try need(extensionOffsets(bytes, map))
        return offsets.readTransportSequence(bytes.span)?.rawValue
    }
}

/// The distinct sequence numbers missing between the first and the highest.
private func missing(_ numbers: [UInt16]) -> Int {
    var unwrapper = SequenceNumberUnwrapper()
    let extended = Set(numbers.map { unwrapper.unwrap(SequenceNumber($0)).rawValue })
    guard let first = extended.min(), let last = extended.max() else { return 0 }
    return Int(last - first + 1) - extended.count
}

@Suite("Captures", .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"))
struct CaptureTests {
    @Test("str0m/vp8.pcap: identifiers, layers, numbers across the TL0PICIDX wrap, and key frames with their sizes")
    func vp8() throws {
        let packets = try PacketInFile.all("str0m/vp8.pcap")
        #expect(packets.count == 104)
        #expect(Set(packets.map(\.header.ssrc)) == [SSRC(0xeedf_3944)])
        #expect(Set(packets.map(\.header.payloadType)) == [PayloadType(96)])
        #expect(missing(packets.map(\.header.sequenceNumber.rawValue)) == 0)
        #expect(Set(packets.map(\.header.timestamp)).count == 101)
        #expect(packets.count(where: \.header.marker) == 101)
        let descriptors = try packets.map { try need(VP8Descriptor($0.bytes.span, $0.header)) }
        #expect(descriptors.first?.pictureID == 19_489 && descriptors.last?.pictureID == 19_589)
        #expect(descriptors.first?.tl0PictureIndex == 220 && descriptors.last?.tl0PictureIndex == 14)
        #expect(descriptors.allSatisfy { $0.hasLongPictureID && $0.keyIndex == nil })
        #expect(descriptors.count(where: \.startsFrame) == 101)
        let keyFrames = zip(packets, descriptors).filter { $0.1.isKeyFrame }
        #expect(keyFrames.map(\.0.header.sequenceNumber.rawValue) == [14_260, 14_262, 14_265])
        #expect(keyFrames.allSatisfy { $0.1.width == 240 && $0.1.height == 180 })
        for (layer, count, frames, octets) in [(0, 54, 51, 38_562), (1, 50, 50, 26_093)] {
            let selected = zip(packets, descriptors).filter { $0.1.temporalLayer == UInt8(layer) }
            #expect(selected.count == count)
            #expect(Set(selected.map(\.0.header.timestamp)).count == frames)
            #expect(selected.map(\.0.bytes.count).reduce(0, +) == octets)
        }
        #expect(descriptors.count(where: \.isNonReference) == 24)
        #expect(descriptors.count(where: \.isLayerSync) == 29)
    }

    @Test("str0m/vp8.pcap: mid, rid, absolute send time and transport-wide sequence numbers")
    func vp8Extensions() throws {
        var map = HeaderExtensionMap()
        map.absoluteSendTime = 2
        map.videoOrientation = 3
        map.transportSequence = 4
        map.mid = 9
        map.rid = 10
        var mids: [String] = []
        var rids: [String] = []
        var times: [UInt32] = []
        var sequences: [UInt16] = []
        var orientations = 0
        for packet in try PacketInFile.all("str0m/vp8.pcap") {
            let bytes = packet.bytes
            let offsets = try need(HeaderExtensionOffsets(bytes.span, packet.header, map))
            if let mid = offsets.readMid(bytes.span) { mids.append(mid.text) }
            if let rid = offsets.readRid(bytes.span) { rids.append(rid.text) }
            if let time = offsets.readAbsoluteSendTime(bytes.span) { times.append(time) }
            if let sequence = offsets.readTransportSequence(bytes.span) { sequences.append(sequence.rawValue) }
            if offsets.readVideoOrientation(bytes.span) == 0 { orientations += 1 }
        }
        #expect(mids == ["1", "1"] && rids == ["l", "l"])
        #expect(times.count == 104 && Set(times).count == 104)
        #expect(times.first == 0xf5bd4d && times.last == 0x02ea3b)
        #expect(sequences.count == 104 && sequences.first == 1 && sequences.last == 0x3dc)
        #expect(orientations == 3)
    }

    @Test("str0m/vp9.pcap: 279 distinct sequence numbers are missing; one key frame of 494 by 371")
    func vp9() throws {
        let packets = try PacketInFile.all("str0m/vp9.pcap")
        #expect(packets.count == 316)
        #expect(missing(packets.map(\.header.sequenceNumber.rawValue)) == 279)
        let descriptors = try packets.map { try need(VP9Descriptor($0.bytes.span, $0.header)) }
        let keyFrames = zip(packets, descriptors).filter { $0.1.isKeyFrame }
        #expect(keyFrames.map(\.0.header.sequenceNumber.rawValue) == [19_357])
        #expect(keyFrames.first?.1.width == 494 && keyFrames.first?.1.height == 371)
        #expect(keyFrames.first?.1.spatialLayerCount == 1)
        #expect(descriptors.first?.pictureID == 26_363 && descriptors.last?.pictureID == 26_455)
        #expect(Set(descriptors.map(\.pictureID)).count == 93)
        #expect(descriptors.count(where: \.startsFrame) == 87 && descriptors.count(where: \.endsFrame) == 33)
        #expect(descriptors.map { Int($0.length) }.reduce(0, +) == 956)
    }

    @Test("str0m/contiguous_vp9.pcap: transport-wide 399 to 598, fed back as one message with nothing missing")
    func contiguousVP9() throws {
        let packets = try PacketInFile.all("str0m/contiguous_vp9.pcap")
        let sequences = try packets.map { try need($0.transportSequence(4)) }
        #expect(sequences == Array(399...598))
        let times = try need(PcapFile.external("str0m/contiguous_vp9.pcap")).datagrams.map(\.microseconds)
        var builder = TransportFeedbackBuilder(
            sender: SSRC(1), media: SSRC(2), base: SequenceNumber(399), feedbackCount: 0)
        let origin = try need(times.first)
        for (sequence, time) in zip(sequences, times) {
            verify(builder.add(SequenceNumber(sequence), arrival: Timestamp(nanoseconds: (time - origin) * 1_000)))
        }
        let bytes = compose { writer, span in verify(writer.appendTransportFeedback(builder, into: &span)) }
        let packet = try need(rtcpPackets(bytes)?.first)
        let message = try need(TransportFeedback(bytes.span, packet))
        let reading = readFeedback(bytes, message)
        #expect(message.baseSequence == SequenceNumber(399))
        #expect(reading.arrivals.count == 200 && reading.missing.isEmpty)
        let descriptors = try packets.map { try need(VP9Descriptor($0.bytes.span, $0.header)) }
        #expect(Set(packets.map(\.header.timestamp)).count == 16)
        #expect(descriptors.count(where: \.startsFrame) == 16 && !descriptors.contains(where: \.isKeyFrame))
    }

    @Test("str0m/h264.pcap: key frames in eight places, three packets lost, 13 of 311 missing transport-wide")
    func h264() throws {
        let packets = try PacketInFile.all("str0m/h264.pcap")
        #expect(packets.count == 298 && Set(packets.map(\.header.timestamp)).count == 268)
        #expect(missing(packets.map(\.header.sequenceNumber.rawValue)) == 3)
        let sequences = try packets.map { try need($0.transportSequence(7)) }
        #expect(missing(sequences) == 13 && sequences.min() == 2 && sequences.max() == 312)
        let payloads = try packets.map { try need(H264Payload($0.bytes.span, $0.header)) }
        let numbers = packets.map(\.header.sequenceNumber.rawValue)
        let refreshes = zip(numbers, payloads).filter { $0.1.startsInstantaneousRefresh }.map(\.0)
        let parameters = zip(numbers, payloads).filter { $0.1.hasSequenceParameters }.map(\.0)
        #expect(refreshes == [19_249, 19_251, 19_301, 19_351, 19_388, 19_402, 19_452, 19_502])
        #expect(parameters == [19_249, 19_251, 19_301, 19_351, 19_388, 19_401, 19_451, 19_501])
        #expect(payloads.count(where: \.hasPictureParameters) == 8)
        #expect(payloads.count(where: \.isContinuation) == 27)
    }

    @Test("str0m/h266.pcap: a codec that nobody negotiated still has sound RTP headers")
    func h266() throws {
        let packets = try PacketInFile.all("str0m/h266.pcap")
        #expect(packets.count == 323 && packets.map { Int($0.header.payloadLength) }.reduce(0, +) == 35_284)
        #expect(packets.allSatisfy { $0.header.extensionLength == 0 })
    }

    @Test("libjitsi: both sources share transport-wide 1 to 2984, of which 2,664 arrived and 320 did not")
    func flexFEC() throws {
        let packets = try PacketInFile.all("libjitsi/chrome_flexfec_and_video_capture.pcap")
        let video = packets.filter { $0.header.ssrc == SSRC(0xc38f_c709) }
        let repair = packets.filter { $0.header.ssrc == SSRC(0xc623_6c24) }
        #expect(video.count == 2_553 && repair.count == 111 && packets.count == 2_664)
        #expect(Set(video.map(\.header.payloadType)) == [PayloadType(98)])
        #expect(Set(repair.map(\.header.payloadType)) == [PayloadType(107)])
        #expect(missing(video.map(\.header.sequenceNumber.rawValue)) == 71)
        let sequences = try packets.map { try need($0.transportSequence(5)) }
        #expect(sequences.first == 1 && sequences.last == 2_984 && zip(sequences, sequences.dropFirst()).allSatisfy(<))
        #expect(sequences.count == 2_664 && missing(sequences) == 320)
        let descriptors = try video.map { try need(VP9Descriptor($0.bytes.span, $0.header)) }
        #expect(descriptors.count(where: \.isKeyFrame) == 1 && descriptors.first?.height == 720)
        #expect(descriptors.count(where: \.startsFrame) == 126 && descriptors.last?.pictureID == 13_043)
        try feedBack(sequences, packetsAt: "libjitsi/chrome_flexfec_and_video_capture.pcap")
    }

    /// Feeds a capture back in as many messages as its times and losses need, and reads them again.
    private func feedBack(_ sequences: [UInt16], packetsAt path: String) throws {
        let times = try need(PcapFile.external(path)).datagrams.map(\.microseconds)
        let origin = try need(times.first)
        var told: [UInt16] = []
        var lost = 0
        var messages = 0
        var next = 0
        var base = sequences[0]
        while next < sequences.count {
            var builder = TransportFeedbackBuilder(
                sender: SSRC(1), media: SSRC(2), base: SequenceNumber(base), feedbackCount: UInt8(messages & 0xff))
            let first = next
            while next < sequences.count,
                builder.add(
                    SequenceNumber(sequences[next]),
                    arrival: Timestamp(nanoseconds: (times[next] - origin) * 1_000))
            { next += 1 }
            let bytes = compose { writer, span in verify(writer.appendTransportFeedback(builder, into: &span)) }
            let packet = try need(rtcpPackets(bytes)?.first)
            let reading = readFeedback(bytes, try need(TransportFeedback(bytes.span, packet)))
            told += reading.arrivals.map(\.sequence)
            lost += reading.missing.count
            for (arrival, time) in zip(reading.arrivals, times[first..<next]) {
                #expect((0..<250).contains(time - origin - arrival.microseconds))
            }
            messages += 1
            base = sequences[next - 1] &+ 1
        }
        #expect(told == sequences && lost == 320)
        #expect(messages > 1 && messages < 20)
    }

    @Test("werift's dumps: 34 packets of Chrome's VP8, one key frame of 640 by 480")
    func werift() throws {
        var packets: [PacketInFile] = []
        for i in 0..<34 {
            let bytes = try need(ExternalCaptures.bytes("werift/dump_\(i).rtp"))
            packets.append(PacketInFile(bytes: bytes, header: try need(rtpHeader(bytes))))
        }
        #expect(packets.map(\.header.sequenceNumber.rawValue) == Array(3_087...3_120))
        #expect(Set(packets.map(\.header.timestamp)).count == 31)
        #expect(Set(packets.map(\.header.payloadType)) == [PayloadType(98)])
        let descriptors = try packets.map { try need(VP8Descriptor($0.bytes.span, $0.header)) }
        #expect(descriptors.first?.pictureID == 1_270 && descriptors.last?.pictureID == 1_300)
        #expect(descriptors.count(where: \.isKeyFrame) == 1)
        #expect(descriptors.first?.width == 640 && descriptors.first?.height == 480)
        #expect(descriptors.allSatisfy { $0.temporalLayer == nil && $0.tl0PictureIndex == nil })
    }

    @Test("mediasoup's packets read as the files beside them say")
    func mediasoup() throws {
        let first = try need(ExternalCaptures.bytes("mediasoup/packet1.raw"))
        let one = try need(rtpHeader(first))
        #expect(one.payloadType == PayloadType(111) && one.sequenceNumber == SequenceNumber(23_617) && !one.marker)
        #expect(one.timestamp == RTPTimestamp(1_660_241_882) && one.ssrc == SSRC(0x9f71_08e2))
        #expect(one.extensionLength == 4 && first[Int(one.payloadOffset)] == 0xba)
        var map = HeaderExtensionMap()
        map.audioLevel = 1
        map.absoluteSendTime = 3
        let level = try need(extensionOffsets(first, map)).readAudioLevel(first.span)
        #expect(level == AudioLevel(isVoice: true, level: 127))

        // The second one's padding count, 241, is more than its 228 bytes behind the header: refused by RFC 3550 A.1.
        var second = try need(ExternalCaptures.bytes("mediasoup/packet2.raw"))
        #expect(second.count == 240 && second.last == 241 && rtpHeader(second) == nil)
        second[0] = 0x80
        let two = try need(rtpHeader(second))
        #expect(two.payloadType == PayloadType(100) && two.sequenceNumber == SequenceNumber(28_478))
        #expect(two.timestamp == RTPTimestamp(172_320_136) && two.ssrc == SSRC(0xc5ab_df5a))

        let third = try need(ExternalCaptures.bytes("mediasoup/packet3.raw"))
        let three = try need(rtpHeader(third))
        #expect(three.sequenceNumber == SequenceNumber(19_354) && three.ssrc == SSRC(0x0e0d_fad2))
        #expect(three.timestamp == RTPTimestamp(863_466_045) && three.extensionLength == 8)
        let offsets = try need(extensionOffsets(third, map))
        let time = offsets.readAbsoluteSendTime(third.span)
        let thirdLevel = offsets.readAudioLevel(third.span)
        #expect(time == 0x65341e && thirdLevel == AudioLevel(isVoice: true, level: 80))
        #expect(Array(third[Int(three.payloadOffset)...].prefix(4)) == hex("094f4383"))
    }

    @Test("libwebrtc's rtpdump of VP9: 187 packets and 6 sender reports")
    func rtpDump() throws {
        let file = try need(ExternalCaptures.bytes("libwebrtc/rtpdump/vp9.rtpdump"))
        var at = try need(file.firstIndex(of: 0x0a)) + 17
        var descriptors: [VP9Descriptor] = []
        var reports = 0
        while at + 8 <= file.count {
            let length = Int(file[at]) << 8 | Int(file[at + 1])
            let packet = Array(file[at + 8..<at + length])
            at += length
            if Demultiplexer.kind(of: packet.span) == .rtcp {
                let first = try need(rtcpPackets(packet)?.first)
                if SenderReport(packet.span, first) != nil { reports += 1 }
            } else {
                descriptors.append(try need(VP9Descriptor(packet.span, try need(rtpHeader(packet)))))
            }
        }
        #expect(descriptors.count == 187 && reports == 6)
        #expect(descriptors.first?.pictureID == 3_178 && descriptors.last?.pictureID == 3_296)
        #expect(descriptors.first?.width == 640 && descriptors.count(where: \.isKeyFrame) == 1)
        #expect(descriptors.count(where: \.endsFrame) == 119)
    }
}
