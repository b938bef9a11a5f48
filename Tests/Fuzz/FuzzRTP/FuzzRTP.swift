// libFuzzer's entry into the RTP reader: header, extensions, retransmission and every codec's descriptor; what was read
// is written again and has to read back equal.
import MediaCore

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRTP(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    guard let header = RTPHeader(bytes.span) else { return 0 }
    let whole = Int(header.payloadOffset) + Int(header.payloadLength) + Int(header.paddingLength)
    precondition(whole == bytes.count, "the header's parts make up the datagram")
    for first: UInt8 in [1, 7, 248] { tryExtensions(bytes, header, map(firstID: first)) }
    if let retransmission = RTXPayload(bytes.span, header) {
        precondition(
            retransmission.payloadOffset + retransmission.payloadLength + Int(header.paddingLength) == bytes.count,
            "the original payload ends where the payload does")
    }
    tryVP8(bytes, header)
    if let descriptor = VP9Descriptor(bytes.span, header) {
        precondition(descriptor.length < header.payloadLength, "payload follows the VP9 descriptor")
        var copy = bytes
        var span = copy.mutableSpan
        descriptor.rewrite(pictureID: 5, tl0PictureIndex: 6, in: &span, at: Int(header.payloadOffset))
        let again = VP9Descriptor(copy.span, header)
        precondition(again?.length == descriptor.length, "rewriting keeps a VP9 descriptor's length")
    }
    _ = H264Payload(bytes.span, header)
    _ = AV1AggregationHeader(bytes.span, header)
    var structure: DependencyStructure?
    if let frame = DependencyDescriptor(bytes.span, at: 0, length: bytes.count, &structure), let structure {
        _ = frame.frameDifferences(bytes.span, at: 0, length: bytes.count, structure)
    }
    return 0
}

private func map(firstID: UInt8) -> HeaderExtensionMap {
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

private func read(
    _ bytes: [UInt8], _ header: RTPHeader, _ map: HeaderExtensionMap
) -> EgressExtensions? {
    guard let offsets = HeaderExtensionOffsets(bytes.span, header, map) else { return nil }
    var values = EgressExtensions()
    values.mid = offsets.readMid(bytes.span)
    values.rid = offsets.readRid(bytes.span)
    values.repairedRid = offsets.readRepairedRid(bytes.span)
    values.audioLevel = offsets.readAudioLevel(bytes.span)
    values.absoluteSendTime = offsets.readAbsoluteSendTime(bytes.span)
    values.transportSequence = offsets.readTransportSequence(bytes.span)
    values.videoOrientation = offsets.readVideoOrientation(bytes.span)
    values.playoutDelay = offsets.readPlayoutDelay(bytes.span)
    return values
}

private func tryExtensions(_ bytes: [UInt8], _ header: RTPHeader, _ map: HeaderExtensionMap) {
    guard let values = read(bytes, header, map) else { return }
    let out = EgressHeader(
        marker: header.marker, payloadType: header.payloadType, sequenceNumber: header.sequenceNumber,
        timestamp: header.timestamp, ssrc: header.ssrc,
        contributingSource: header.contributingSource(0, in: bytes.span))
    var storage = [UInt8](repeating: 0, count: RTPHeaderWriter.maximumLength)
    var span = storage.mutableSpan
    guard let written = RTPHeaderWriter.write(out, values, map, into: &span, at: 0) else {
        preconditionFailure("a header fits the length that is stated for every one")
    }
    storage.removeLast(storage.count - written.length)
    guard let again = RTPHeader(storage.span) else { preconditionFailure("a written header reads back") }
    precondition(Int(again.payloadOffset) == written.length && again.ssrc == header.ssrc, "it has its length")
    precondition(read(storage, again, map) == values, "written extensions read back equal")
}

private func tryVP8(_ bytes: [UInt8], _ header: RTPHeader) {
    guard let descriptor = VP8Descriptor(bytes.span, header) else { return }
    precondition(descriptor.length < header.payloadLength, "payload follows the VP8 descriptor")
    var copy = bytes
    var span = copy.mutableSpan
    descriptor.rewrite(pictureID: 0x55, tl0PictureIndex: 6, keyIndex: 7, in: &span, at: Int(header.payloadOffset))
    guard let again = VP8Descriptor(copy.span, header) else {
        preconditionFailure("a rewritten descriptor reads back")
    }
    precondition(again.length == descriptor.length && again.isKeyFrame == descriptor.isKeyFrame, "rewriting keeps it")
    precondition(again.pictureID == (descriptor.pictureID == nil ? nil : 0x55), "the number is rewritten")
    var fresh = [UInt8](repeating: 0, count: VP8Descriptor.maximumLength + 1)
    var freshSpan = fresh.mutableSpan
    guard
        let length = descriptor.write(
            pictureID: 0x1234, tl0PictureIndex: 1, keyIndex: 2, into: &freshSpan, at: 0),
        let rewritten = VP8Descriptor(fresh.span, at: 0, length: length + 1)
    else { preconditionFailure("a descriptor written anew reads back") }
    precondition(rewritten.pictureID == 0x1234 && rewritten.temporalLayer == descriptor.temporalLayer, "and is equal")
}
