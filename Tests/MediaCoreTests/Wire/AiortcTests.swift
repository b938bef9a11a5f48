// The single RTP and RTCP packets of aiortc, valid and deliberately not; names say which.
import MediaCore
import TestSupport
import Testing

@Suite("Single packets", .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"))
struct AiortcTests {
    private func file(_ name: String) throws -> [UInt8] { try need(ExternalCaptures.bytes("aiortc/\(name).bin")) }

    @Test("RTP packets have the fields that their own project expects")
    func rtp() throws {
        let plainBytes = try file("rtp")
        let plain = try need(rtpHeader(plainBytes))
        #expect(plain.payloadType == PayloadType(0) && plain.sequenceNumber == SequenceNumber(15_743) && !plain.marker)
        #expect(plain.timestamp == RTPTimestamp(3_937_035_252) && plain.payloadLength == 160)
        let csrcBytes = try file("rtp_with_csrc")
        let csrc = try need(rtpHeader(csrcBytes))
        let sources = [csrc.contributingSource(0, in: csrcBytes.span), csrc.contributingSource(1, in: csrcBytes.span)]
        #expect(sources == [2_882_400_001, 3_735_928_559] && csrc.contributingSourceCount == 2)
        #expect(csrc.sequenceNumber == SequenceNumber(16_082) && csrc.payloadLength == 160)
        let tone = try need(rtpHeader(try file("rtp_dtmf")))
        #expect(tone.marker && tone.payloadType == PayloadType(101) && tone.sequenceNumber == SequenceNumber(24_152))
        #expect(tone.timestamp == RTPTimestamp(4_021_352_124) && tone.payloadLength == 4)
    }

    @Test("packets of padding alone, with and without extensions, have no payload")
    func padding() throws {
        let plain = try need(rtpHeader(try file("rtp_only_padding")))
        #expect(plain.payloadType == PayloadType(120) && plain.sequenceNumber == SequenceNumber(27_759))
        #expect(plain.payloadLength == 0 && plain.paddingLength == 224)
        let bytes = try file("rtp_only_padding_with_header_extensions")
        let extended = try need(rtpHeader(bytes))
        #expect(extended.payloadLength == 0 && extended.paddingLength == 224)
        var map = HeaderExtensionMap()
        map.absoluteSendTime = 2
        let time = try need(extensionOffsets(bytes, map)).readAbsoluteSendTime(bytes.span)
        #expect(time == 15_846_540)
    }

    @Test("a mid of the header extensions is read")
    func mid() throws {
        let bytes = try file("rtp_with_sdes_mid")
        let header = try need(rtpHeader(bytes))
        #expect(header.marker && header.payloadType == PayloadType(111) && header.ssrc == SSRC(4_084_547_440))
        var map = HeaderExtensionMap()
        map.mid = 9
        let mid = try need(extensionOffsets(bytes, map)).readMid(bytes.span)
        #expect(mid == Mid("0") && header.payloadLength == 54)
    }

    @Test("reports have their exact values")
    func reports() throws {
        let receiverBytes = try file("rtcp_rr")
        let receiver = try need(ReceiverReport(receiverBytes.span, try need(rtcpPackets(receiverBytes)?.first)))
        var blocks = receiver.reportBlocks
        let block = blocks.next(receiverBytes.span)
        #expect(receiver.ssrc == SSRC(817_267_719))
        #expect(
            block
                == ReportBlock(
                    ssrc: SSRC(1_200_895_919), fractionLost: 0, cumulativeLost: 0, extendedHighest: 630, jitter: 1_906,
                    lastSenderReport: 0, delaySinceLastSenderReport: 0))
        let senderBytes = try file("rtcp_sr")
        let sender = try need(SenderReport(senderBytes.span, try need(rtcpPackets(senderBytes)?.first)))
        #expect(sender.ssrc == SSRC(1_831_097_322) && sender.ntpTime == NTPTime(16_016_567_581_311_369_308))
        #expect(sender.rtpTimestamp == RTPTimestamp(1_722_342_718) && sender.packetCount == 269)
        #expect(sender.octetCount == 13_557 && sender.reportCount == 1)
        var senderBlocks = sender.reportBlocks
        let senderBlock = try need(senderBlocks.next(senderBytes.span))
        #expect(senderBlock.ssrc == SSRC(2_398_654_957) && senderBlock.extendedHighest == 246)
        #expect(senderBlock.jitter == 127 && senderBlock.cumulativeLost == 0)
    }

    @Test("a source description has its canonical name")
    func description() throws {
        let bytes = try file("rtcp_sdes")
        var description = try need(SourceDescription(bytes.span, try need(rtcpPackets(bytes)?.first)))
        let item = try need(description.next(bytes.span))
        let end = description.next(bytes.span)
        #expect(item.ssrc == SSRC(1_831_097_322) && item.type == SourceDescriptionItem.canonicalName && end == nil)
        let text = String(decoding: bytes[item.offset..<item.offset + item.length], as: UTF8.self)
        #expect(text == "{63f459ea-41fe-4474-9d33-9707c9ee79d1}")
    }

    @Test("goodbyes, one with padding and one without sources, are read")
    func goodbyes() throws {
        for (name, expected) in [
            ("rtcp_bye", [SSRC(2_924_645_187)]), ("rtcp_bye_padding", []), ("rtcp_bye_no_sources", []),
        ] {
            let bytes = try file(name)
            let goodbye = try need(Goodbye(bytes.span, try need(rtcpPackets(bytes)?.first)))
            var sources: [SSRC] = []
            for i in 0..<Int(goodbye.count) { sources.append(try need(goodbye.source(i, in: bytes.span))) }
            #expect(sources == expected, "\(name)")
        }
    }

    @Test("feedback names what is missed and whose picture is lost")
    func feedback() throws {
        let nackBytes = try file("rtcp_rtpfb")
        var nack = try need(GenericNACK(nackBytes.span, try need(rtcpPackets(nackBytes)?.first)))
        #expect(nack.sender == SSRC(2_336_520_123) && nack.media == SSRC(4_145_934_052))
        var numbers: [UInt16] = []
        while let number = nack.next(nackBytes.span) { numbers.append(number.rawValue) }
        #expect(
            numbers == [12, 32, 39, 54, 76, 110, 123, 142, 183, 187, 223, 236, 271, 292])
        let lossBytes = try file("rtcp_psfb_pli")
        let loss = try need(PictureLossIndication(lossBytes.span, try need(rtcpPackets(lossBytes)?.first)))
        #expect(loss.sender == SSRC(1_414_554_213) && loss.media == SSRC(587_284_409))
    }

    @Test(
        "what is named invalid or truncated is refused cleanly",
        arguments: [
            "rtcp_bye_invalid", "rtcp_psfb_invalid", "rtcp_rr_invalid", "rtcp_rtpfb_invalid",
            "rtcp_sdes_item_truncated", "rtcp_sdes_source_truncated", "rtcp_sr_invalid",
        ])
    func invalid(name: String) throws {
        let bytes = try file(name)
        // A compound that does not add up is refused whole.
        guard let packets = rtcpPackets(bytes) else { return }
        let packet = try need(packets.first)
        let readings = [
            SenderReport(bytes.span, packet) != nil, ReceiverReport(bytes.span, packet) != nil,
            SourceDescription(bytes.span, packet) != nil, Goodbye(bytes.span, packet) != nil,
            GenericNACK(bytes.span, packet) != nil, PictureLossIndication(bytes.span, packet) != nil,
        ]
        #expect(!readings.contains(true))
    }
}
