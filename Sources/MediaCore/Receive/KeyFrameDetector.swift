// Whether a packet begins a key frame at which a slot may switch to its stream, by the codec's own payload head.
// Follows no frame over its packets.

/// Finds the packets at which a slot may switch to a stream.
enum KeyFrameDetector {
    /// Whether the payload begins a key frame; what VP8 and VP9 descriptors say of it is kept in the packet. A payload
    /// that is malformed or too short to tell does not.
    static func inspect(
        _ packet: inout HistoryPacket, _ codec: Codec, _ bytes: Span<UInt8>, at start: Int
    ) {
        let length = Int(packet.length)
        guard length > 0 else { return }
        switch codec {
        case .opus: packet.isKeyFrame = true
        case .vp8:
            packet.vp8 = VP8Descriptor(bytes, at: start, length: length)
            packet.isKeyFrame = packet.vp8?.isKeyFrame ?? false
        case .vp9:
            packet.vp9 = VP9Descriptor(bytes, at: start, length: length)
            packet.isKeyFrame = packet.vp9?.isKeyFrame ?? false
        case .h264:
            // The parameter set comes first, and without it somebody who has just come cannot decode the picture.
            let payload = H264Payload(bytes, at: start, length: length)
            packet.isKeyFrame = payload.map { $0.hasSequenceParameters && !$0.isContinuation } ?? false
        case .av1:
            // With a descriptor no byte of the payload is read: it may be encrypted.
            guard packet.dependency == nil else { break }
            let header = AV1AggregationHeader(bytes, at: start, length: length)
            packet.isKeyFrame = header.map { $0.startsSequence && !$0.continuesUnit } ?? false
        }
        if let dependency = packet.dependency { packet.isKeyFrame = dependency.isKeyFrame }
    }
}
