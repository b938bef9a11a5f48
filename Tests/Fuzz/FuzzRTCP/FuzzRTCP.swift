// libFuzzer's entry into the RTCP readers, and, from the same bytes, into the builder of transport feedback: whatever
// arrivals it takes have to read back.
import MediaCore

/// Tries one input: its first byte chooses between reading it as a datagram and building feedback from it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRTCP(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    guard let first = bytes.first else { return 0 }
    if first & 0xc0 == 0x80 {
        readCompound(bytes)
    } else {
        buildFeedback(bytes)
    }
    return 0
}

private func readCompound(_ bytes: [UInt8]) {
    guard var reader = CompoundReader(bytes.span) else { return }
    while let packet = reader.next(bytes.span) {
        precondition(packet.end <= bytes.count, "a packet lies within its datagram")
        readReports(bytes, packet)
        readFeedback(bytes, packet)
    }
}

private func readReports(_ bytes: [UInt8], _ packet: RTCPPacket) {
    if let report = SenderReport(bytes.span, packet) {
        var blocks = report.reportBlocks
        var count = 0
        while blocks.next(bytes.span) != nil { count += 1 }
        precondition(count == Int(packet.count), "a sender report has its blocks")
    }
    if let report = ReceiverReport(bytes.span, packet) {
        var blocks = report.reportBlocks
        var count = 0
        while let block = blocks.next(bytes.span) {
            count += 1
            _ = block.roundTripTime(arrival: NTPTime(0x1234_5678_9abc_def0))
        }
        precondition(count == Int(packet.count), "a receiver report has its blocks")
    }
    if var description = SourceDescription(bytes.span, packet) {
        while let item = description.next(bytes.span) {
            precondition(item.offset + item.length <= packet.end, "an item lies within its packet")
        }
    }
    if let goodbye = Goodbye(bytes.span, packet) {
        for index in 0..<Int(goodbye.count) { _ = goodbye.source(index, in: bytes.span) }
        precondition(goodbye.reasonOffset + goodbye.reasonLength <= packet.end, "the reason lies within its packet")
    }
}

private func readFeedback(_ bytes: [UInt8], _ packet: RTCPPacket) {
    if var nack = GenericNACK(bytes.span, packet) {
        var count = 0
        while nack.next(bytes.span) != nil { count += 1 }
        precondition(count > 0 && count <= (packet.length - 12) / 4 * 17, "a NACK names 1 to 17 packets per entry")
    }
    _ = PictureLossIndication(bytes.span, packet)
    if var request = FullIntraRequest(bytes.span, packet) { while request.next(bytes.span) != nil {} }
    if var estimate = ReceiverEstimatedMaximumBitrate(bytes.span, packet) {
        precondition(estimate.bitrate.bitsPerSecond >= 0, "a rate is not negative")
        while estimate.next(bytes.span) != nil {}
    }
    if var feedback = TransportFeedback(bytes.span, packet) {
        var count = 0
        while feedback.next(bytes.span) != nil { count += 1 }
        precondition(count == Int(feedback.statusCount), "feedback tells of as many packets as it says")
    }
}

/// Takes three bytes for each arrival: the steps of its sequence number and of its time.
private func buildFeedback(_ bytes: [UInt8]) {
    var builder = TransportFeedbackBuilder(
        sender: SSRC(1), media: SSRC(2), base: SequenceNumber(UInt16(bytes[0]) << 10), feedbackCount: bytes[0],
        maximumLength: 64 + bytes.count)
    var sequence = builder.nextSequence
    var ticks: Int64 = 1_000_000
    var told: [SequenceNumber] = []
    var times: [Int64] = []
    var at = 1
    while at + 3 <= bytes.count {
        sequence = sequence + Int(bytes[at] < 250 ? bytes[at] & 3 : bytes[at])
        ticks += Int64(Int16(bitPattern: UInt16(bytes[at + 1]) << 8 | UInt16(bytes[at + 2])))
        at += 3
        guard builder.add(sequence, arrival: Timestamp(nanoseconds: ticks * 250_000)) else { continue }
        told.append(sequence)
        times.append(ticks * 250)
    }
    let length = builder.length
    var storage = [UInt8](repeating: 0, count: length)
    var writer = CompoundWriter(at: 0, limit: length)
    var span = storage.mutableSpan
    guard writer.appendTransportFeedback(builder, into: &span) else {
        precondition(told.isEmpty, "what was taken is written")
        return
    }
    precondition(length <= 64 + bytes.count && writer.length == length, "a message has its length")
    guard var reader = CompoundReader(storage.span), let packet = reader.next(storage.span),
        var feedback = TransportFeedback(storage.span, packet)
    else { preconditionFailure("a written message reads back") }
    var time = feedback.referenceMicroseconds
    var index = 0
    while let status = feedback.next(storage.span) {
        guard status.isReceived else { continue }
        time += status.deltaMicroseconds
        precondition(status.sequence == told[index] && time == times[index], "arrivals read back equal")
        index += 1
    }
    precondition(index == told.count, "every arrival reads back")
}
