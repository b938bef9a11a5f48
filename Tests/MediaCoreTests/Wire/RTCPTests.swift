// RTCP packets: what is written reads back, NACKs as RFC 4585 §6.2.1 packs them, and malformed packets are refused.
import MediaCore
import Testing

@Suite("RTCP") struct RTCPTests {
    static let block = ReportBlock(
        ssrc: SSRC(7), fractionLost: 12, cumulativeLost: -3, extendedHighest: 0x0001_0002, jitter: 99,
        lastSenderReport: 0x1111_2222, delaySinceLastSenderReport: 0x0001_0000)

    @Test("a compound of every packet reads back as it was written")
    func roundTrip() throws {
        let name = try need(Token("0123456789abcdef".utf8))
        let bytes = compose { writer, span in
            let report = SenderReport(
                ssrc: SSRC(1), ntpTime: NTPTime(0x0102_0304_0506_0708), rtpTimestamp: RTPTimestamp(5),
                packetCount: 6, octetCount: 7)
            verify(writer.appendSenderReport(report, into: &span))
            verify(writer.appendReportBlock(Self.block, into: &span))
            verify(writer.appendReportBlock(Self.block, into: &span))
            verify(writer.appendReceiverReport(ssrc: SSRC(2), into: &span))
            verify(writer.appendReportBlock(Self.block, into: &span))
            verify(writer.appendSourceDescription(ssrc: SSRC(1), canonicalName: name, into: &span))
            verify(writer.appendGenericNACK(sender: SSRC(1), media: SSRC(9), missed: SequenceNumber(4), into: &span))
            verify(writer.appendPictureLossIndication(sender: SSRC(1), media: SSRC(9), into: &span))
            let entry = FullIntraRequestEntry(ssrc: SSRC(9), commandNumber: 3)
            verify(writer.appendFullIntraRequest(sender: SSRC(1), entry, into: &span))
            let rate = DataRate(bitsPerSecond: 1_500_000)
            verify(writer.appendReceiverEstimatedMaximumBitrate(sender: SSRC(1), bitrate: rate, into: &span))
            verify(writer.appendEstimatedSource(SSRC(9), into: &span))
            verify(writer.appendGoodbye(ssrc: SSRC(1), into: &span))
        }
        let packets = try need(rtcpPackets(bytes))
        #expect(
            packets.map(\.kind) == [
                .senderReport, .receiverReport, .sourceDescription, .genericNACK, .pictureLossIndication,
                .fullIntraRequest, .applicationLayerFeedback, .goodbye,
            ])
        try checkReports(bytes, packets)
        try checkFeedback(bytes, packets)
    }

    private func checkReports(_ bytes: [UInt8], _ packets: [RTCPPacket]) throws {
        let sender = try need(SenderReport(bytes.span, packets[0]))
        #expect(sender.ssrc == SSRC(1) && sender.ntpTime == NTPTime(0x0102_0304_0506_0708))
        #expect(sender.rtpTimestamp == RTPTimestamp(5) && sender.packetCount == 6 && sender.octetCount == 7)
        var blocks = sender.reportBlocks
        let first = blocks.next(bytes.span)
        let second = blocks.next(bytes.span)
        let third = blocks.next(bytes.span)
        #expect(first == Self.block && second == Self.block && third == nil)
        let receiver = try need(ReceiverReport(bytes.span, packets[1]))
        var received = receiver.reportBlocks
        let only = received.next(bytes.span)
        #expect(receiver.ssrc == SSRC(2) && receiver.reportCount == 1 && only == Self.block)
        var description = try need(SourceDescription(bytes.span, packets[2]))
        let item = try need(description.next(bytes.span))
        #expect(item.ssrc == SSRC(1) && item.type == SourceDescriptionItem.canonicalName)
        #expect(String(decoding: bytes[item.offset..<item.offset + item.length], as: UTF8.self) == "0123456789abcdef")
        let end = description.next(bytes.span)
        #expect(end == nil)
        let goodbye = try need(Goodbye(bytes.span, packets[7]))
        let source = goodbye.source(0, in: bytes.span)
        let none = goodbye.source(1, in: bytes.span)
        #expect(source == SSRC(1) && none == nil && goodbye.reasonLength == 0)
    }

    private func checkFeedback(_ bytes: [UInt8], _ packets: [RTCPPacket]) throws {
        let nack = try need(GenericNACK(bytes.span, packets[3]))
        #expect(nack.sender == SSRC(1) && nack.media == SSRC(9))
        let loss = try need(PictureLossIndication(bytes.span, packets[4]))
        #expect(loss.sender == SSRC(1) && loss.media == SSRC(9))
        var intra = try need(FullIntraRequest(bytes.span, packets[5]))
        let entry = intra.next(bytes.span)
        let noEntry = intra.next(bytes.span)
        #expect(entry == FullIntraRequestEntry(ssrc: SSRC(9), commandNumber: 3) && noEntry == nil)
        var estimate = try need(ReceiverEstimatedMaximumBitrate(bytes.span, packets[6]))
        let source = estimate.next(bytes.span)
        let noSource = estimate.next(bytes.span)
        #expect(estimate.bitrate == DataRate(bitsPerSecond: 1_500_000) && source == SSRC(9) && noSource == nil)
    }

    private func missed(_ bytes: [UInt8]) throws -> [UInt16] {
        let packets = try need(rtcpPackets(bytes))
        var nack = try need(GenericNACK(bytes.span, packets[0]))
        var numbers: [UInt16] = []
        while let number = nack.next(bytes.span) { numbers.append(number.rawValue) }
        return numbers
    }

    @Test("bit i of a NACK's mask is packet PID + i, modulo 65,536 (RFC 4585 section 6.2.1)")
    func nackMask() throws {
        #expect(try missed(hex("81cd0003 00000001 00000002 fffe 8005")) == [0xfffe, 0xffff, 1, 14])
        #expect(try missed(hex("81cd0004 00000001 00000002 0001 0000 0100 0001")) == [1, 0x100, 0x101])
    }

    @Test("missed packets are packed 17 to an entry and read back in order, across the wrap")
    func nackPacking() throws {
        let numbers: [UInt16] = [0xfff0, 0xfff1, 0xffff, 0, 1, 40, 56, 57, 1_000]
        let bytes = compose { writer, span in
            let first = SequenceNumber(numbers[0])
            verify(writer.appendGenericNACK(sender: SSRC(1), media: SSRC(2), missed: first, into: &span))
            for number in numbers.dropFirst() {
                verify(writer.appendMissed(SequenceNumber(number), into: &span))
            }
            verify(writer.appendMissed(SequenceNumber(1_000), into: &span))
        }
        #expect(bytes.count == 12 + 5 * 4)
        #expect(try missed(bytes) == numbers)
    }

    @Test("a packet that does not fit is refused and leaves the compound sound")
    func noRoom() throws {
        let bytes = compose(limit: 40) { writer, span in
            verify(writer.appendReceiverReport(ssrc: SSRC(2), into: &span))
            verify(writer.appendReportBlock(Self.block, into: &span))
            verify(!writer.appendReportBlock(Self.block, into: &span))
            verify(!writer.appendPictureLossIndication(sender: SSRC(1), media: SSRC(2), into: &span))
            verify(!writer.appendMissed(SequenceNumber(2), into: &span))
            verify(writer.appendGoodbye(ssrc: SSRC(2), into: &span))
            verify(!writer.appendReportBlock(Self.block, into: &span))
            verify(!writer.appendGoodbye(ssrc: SSRC(2), into: &span))
        }
        #expect(bytes.count == 40)
        #expect(rtcpPackets(bytes)?.map(\.kind) == [.receiverReport, .goodbye])
    }

    @Test("a report takes 31 blocks and no more")
    func manyBlocks() throws {
        let bytes = compose { writer, span in
            verify(writer.appendReceiverReport(ssrc: SSRC(2), into: &span))
            for i in 0..<32 { verify(writer.appendReportBlock(Self.block, into: &span) == (i < 31)) }
        }
        let packet = try need(rtcpPackets(bytes)?.first)
        let report = try need(ReceiverReport(bytes.span, packet))
        #expect(report.reportCount == 31 && bytes.count == 8 + 31 * 24)
    }

    @Test(
        "a compound whose lengths do not add up is refused",
        arguments: [
            "", "80c9", "80c900", "80c90001", "80c90001 000000", "80c90001 00000001 00",
            "80c90001 00000001 80c9", "40c90001 00000001", "a0c90001 00000000", "a0c90001 00000009",
            "80c9ffff 00000001",
        ])
    func malformedCompound(text: String) { #expect(rtcpPackets(hex(text)) == nil) }

    @Test("padding is taken off, in the last packet and in one before it")
    func padding() throws {
        let packets = try need(rtcpPackets(hex("a1ce0003 00000001 00000002 00000004 80c90001 00000001")))
        #expect(packets.map(\.length) == [12, 8])
        #expect(packets.map(\.offset) == [0, 16])
    }

    @Test(
        "packets whose bodies do not hold what they say are refused",
        arguments: [
            "81c80006 00000001 0000000000000000 00000000 00000000 00000000",  // a block that is not there
            "81c90001 00000001",  // likewise
            "82cb0001 00000001",  // two sources, one there
            "81cb0002 00000001 04616263",  // a reason of four bytes, three there
            "81ca0001 00000001",  // a chunk without a closing zero
            "81ca0002 00000001 01046162",  // an item that reaches past the end
            "82ca0002 00000001 00000000",  // two chunks, one there
            "81cd0002 00000001 00000002",  // a NACK that names nothing
            "84ce0003 00000001 00000000 00000009",  // half an entry
            "8fce0004 00000001 00000000 52454d42 02000001",  // two sources, none there
            "8fce0004 00000001 00000000 52454d42 00fffff f",  // a rate above 63 bits
            "8fce0004 00000001 00000000 52454d43 00000001",  // not REMB
        ])
    func malformedBodies(text: String) throws {
        let bytes = hex(text)
        let packet = try need(rtcpPackets(bytes)?.first)
        let readings = [
            SenderReport(bytes.span, packet) != nil, ReceiverReport(bytes.span, packet) != nil,
            SourceDescription(bytes.span, packet) != nil, Goodbye(bytes.span, packet) != nil,
            GenericNACK(bytes.span, packet) != nil, FullIntraRequest(bytes.span, packet) != nil,
            ReceiverEstimatedMaximumBitrate(bytes.span, packet) != nil,
        ]
        #expect(!readings.contains(true))
    }

    @Test(
        "an estimate's rate is rounded down to 18 bits and never grows",
        arguments: [0, 1, 262_143, 262_144, 262_145, 1_000_001, 123_456_789_012, .max, -5] as [Int64])
    func estimates(rate: Int64) throws {
        let bytes = compose { writer, span in
            let bitrate = DataRate(bitsPerSecond: rate)
            verify(writer.appendReceiverEstimatedMaximumBitrate(sender: SSRC(1), bitrate: bitrate, into: &span))
        }
        let packet = try need(rtcpPackets(bytes)?.first)
        let read = try need(ReceiverEstimatedMaximumBitrate(bytes.span, packet)).bitrate.bitsPerSecond
        #expect(read <= max(rate, 0))
        #expect(max(rate, 0) - read <= max(rate, 0) >> 17)
    }

    @Test("the round-trip time is what RFC 3550's own example works out")
    func roundTripTime() {
        // Figure 2 of section 6.4.1: A = b710:8000, LSR = b705:2000, DLSR = 0005:4000, delay 6.125 s.
        var block = Self.block
        block.lastSenderReport = 0xb705_2000
        block.delaySinceLastSenderReport = 0x0005_4000
        #expect(block.roundTripTime(arrival: NTPTime(0x0000_b710_8000_0000)) == .milliseconds(6_125))
        #expect(block.roundTripTime(arrival: NTPTime(0x0000_b70a_0000_0000)) == nil)
        block.lastSenderReport = 0
        #expect(block.roundTripTime(arrival: NTPTime(0x0000_b710_8000_0000)) == nil)
    }
}
