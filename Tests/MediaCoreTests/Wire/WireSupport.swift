// What the wire tests share: bytes from hexadecimal text, captures by kind, and a reader that tries every parser on the
// same bytes and checks that what it gives lies within them.
import MediaCore
import TestSupport
import Testing

/// The value, or the test ends here. Spans cannot pass through the macros, so the expression is evaluated before.
func need<Value>(_ value: Value?, sourceLocation: SourceLocation = #_sourceLocation) throws -> Value {
    try #require(value, sourceLocation: sourceLocation)
}

/// Expects a condition that takes spans or changes something, which the macros cannot.
func verify(_ holds: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(holds, sourceLocation: sourceLocation)
}

/// Bytes from hexadecimal digits; anything else is passed over.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// The header of a datagram.
func rtpHeader(_ bytes: [UInt8]) -> RTPHeader? { RTPHeader(bytes.span) }

/// The extension offsets of a datagram, or nil when header or extensions are malformed.
func extensionOffsets(_ bytes: [UInt8], _ map: HeaderExtensionMap) -> HeaderExtensionOffsets? {
    guard let header = RTPHeader(bytes.span) else { return nil }
    return HeaderExtensionOffsets(bytes.span, header, map)
}

/// A map in which every extension has an identifier.
func fullMap(firstID: UInt8 = 1) -> HeaderExtensionMap {
    var map = HeaderExtensionMap()
    map.mid = firstID
    map.rid = firstID + 1
    map.repairedRid = firstID + 2
    map.audioLevel = firstID + 3
    map.absoluteSendTime = firstID + 4
    map.transportSequence = firstID + 5
    map.videoOrientation = firstID + 6
    map.playoutDelay = firstID + 7
    return map
}

/// The packets of a compound, or nil when it is malformed.
func rtcpPackets(_ bytes: [UInt8]) -> [RTCPPacket]? {
    guard var reader = CompoundReader(bytes.span) else { return nil }
    var packets: [RTCPPacket] = []
    while let packet = reader.next(bytes.span) { packets.append(packet) }
    return packets
}

/// Composes a compound of at most `limit` bytes behind `start` bytes that must stay as they are.
func compose(
    limit: Int = 1_200, start: Int = 3, _ body: (inout CompoundWriter, inout MutableSpan<UInt8>) -> Void
) -> [UInt8] {
    var storage = [UInt8](repeating: 0xee, count: start + limit + 5)
    var writer = CompoundWriter(at: start, limit: start + limit)
    var span = storage.mutableSpan
    body(&writer, &span)
    let end = writer.end
    precondition(storage[..<start].allSatisfy { $0 == 0xee } && storage[end...].allSatisfy { $0 == 0xee })
    return Array(storage[start..<end])
}

/// Where a status of transport feedback lies when it arrived: its number and its time since the origin.
struct Arrival: Hashable {
    var sequence: UInt16
    var microseconds: Int64
}

/// What a transport feedback message tells.
struct FeedbackReading {
    var arrivals: [Arrival] = []
    var missing: [UInt16] = []
}

/// Reads a transport feedback message to its end.
func readFeedback(_ bytes: [UInt8], _ message: TransportFeedback) -> FeedbackReading {
    var cursor = message
    var reading = FeedbackReading()
    var time = message.referenceMicroseconds
    while let status = cursor.next(bytes.span) {
        guard status.isReceived else {
            reading.missing.append(status.sequence.rawValue)
            continue
        }
        time += status.deltaMicroseconds
        reading.arrivals.append(Arrival(sequence: status.sequence.rawValue, microseconds: time))
    }
    return reading
}

/// Tries every parser on the bytes; gives what parsed, and a sentence for each result that lies outside of the bytes.
struct EveryParser {
    var parsed: Set<String> = []
    var violations: [String] = []

    init(_ bytes: [UInt8]) {
        _ = Demultiplexer.kind(of: bytes.span)
        readRTP(bytes)
        readRTCP(bytes)
        readPayload(bytes, at: 0, length: bytes.count)
    }

    private mutating func check(_ holds: Bool, _ sentence: String) {
        if !holds { violations.append(sentence) }
    }

    private mutating func readRTP(_ bytes: [UInt8]) {
        guard let header = RTPHeader(bytes.span) else { return }
        parsed.insert("rtp")
        let total = Int(header.payloadOffset) + Int(header.payloadLength) + Int(header.paddingLength)
        check(total == bytes.count, "the header's parts make up the datagram")
        for i in 0..<Int(header.contributingSourceCount) {
            check(header.contributingSource(i, in: bytes.span) != nil, "every source can be read")
        }
        let end = Int(header.extensionOffset) + Int(header.extensionLength)
        check(end <= Int(header.payloadOffset), "the extension ends before the payload")
        var cursor = HeaderExtensionCursor(header)
        while let element = cursor.next(bytes.span) {
            check(Int(element.range.offset) + Int(element.range.length) <= end, "an element lies within its block")
        }
        for first: UInt8 in [1, 5, 200] {
            guard let offsets = HeaderExtensionOffsets(bytes.span, header, fullMap(firstID: first)) else { continue }
            _ = offsets.readMid(bytes.span)
            _ = offsets.readRid(bytes.span)
            _ = offsets.readRepairedRid(bytes.span)
            _ = offsets.readAudioLevel(bytes.span)
            _ = offsets.readAbsoluteSendTime(bytes.span)
            _ = offsets.readTransportSequence(bytes.span)
            _ = offsets.readVideoOrientation(bytes.span)
            _ = offsets.readPlayoutDelay(bytes.span)
        }
        if let payload = RTXPayload(bytes.span, header) {
            check(
                payload.payloadOffset + payload.payloadLength <= bytes.count, "the original payload is in the datagram")
        }
        readPayload(bytes, at: Int(header.payloadOffset), length: Int(header.payloadLength))
    }

    private mutating func readPayload(_ bytes: [UInt8], at start: Int, length: Int) {
        if let descriptor = VP8Descriptor(bytes.span, at: start, length: length) {
            parsed.insert("vp8")
            check(Int(descriptor.length) < length, "payload follows the VP8 descriptor")
        }
        if let descriptor = VP9Descriptor(bytes.span, at: start, length: length) {
            parsed.insert("vp9")
            check(Int(descriptor.length) < length, "payload follows the VP9 descriptor")
        }
        if H264Payload(bytes.span, at: start, length: length) != nil { parsed.insert("h264") }
        if AV1AggregationHeader(bytes.span, at: start, length: length) != nil { parsed.insert("av1") }
    }

    private mutating func readRTCP(_ bytes: [UInt8]) {
        guard var reader = CompoundReader(bytes.span) else { return }
        parsed.insert("rtcp")
        var position = 0
        while let packet = reader.next(bytes.span) {
            check(packet.offset >= position && packet.end <= bytes.count, "packets follow each other")
            position = packet.end
            readPacket(bytes, packet)
        }
    }

    private mutating func readPacket(_ bytes: [UInt8], _ packet: RTCPPacket) {
        var steps = 0
        if let report = SenderReport(bytes.span, packet) {
            var blocks = report.reportBlocks
            while blocks.next(bytes.span) != nil { steps += 1 }
            check(steps == Int(report.reportCount), "a sender report has its blocks")
        }
        if let report = ReceiverReport(bytes.span, packet) {
            var blocks = report.reportBlocks
            while blocks.next(bytes.span) != nil { steps += 1 }
            check(steps == Int(report.reportCount), "a receiver report has its blocks")
        }
        if var description = SourceDescription(bytes.span, packet) {
            while let item = description.next(bytes.span) {
                check(item.offset + item.length <= packet.end, "an item lies within its packet")
            }
        }
        if let goodbye = Goodbye(bytes.span, packet) {
            for i in 0..<Int(goodbye.count) { check(goodbye.source(i, in: bytes.span) != nil, "a source is there") }
            check(goodbye.reasonOffset + goodbye.reasonLength <= packet.end, "the reason lies within its packet")
        }
        if var nack = GenericNACK(bytes.span, packet) {
            while nack.next(bytes.span) != nil { steps += 1 }
            check(steps <= packet.length / 4 * 17, "a NACK names at most 17 packets for four bytes")
        }
        _ = PictureLossIndication(bytes.span, packet)
        if var request = FullIntraRequest(bytes.span, packet) { while request.next(bytes.span) != nil {} }
        if var estimate = ReceiverEstimatedMaximumBitrate(bytes.span, packet) {
            while estimate.next(bytes.span) != nil { steps += 1 }
            check(steps <= 255, "an estimate names at most 255 sources")
        }
        if var feedback = TransportFeedback(bytes.span, packet) {
            let count = Int(feedback.statusCount)
            while feedback.next(bytes.span) != nil { steps += 1 }
            check(steps == count, "transport feedback tells of as many packets as it says")
        }
    }
}
