// How much of an RTP packet forwarding reads: the header with its extensions and, for each codec, the first bytes of the
// payload that docs/architecture.md names. A capture without media keeps just that.

/// What a payload type may stand for in one peer's plan: usually one codec, as an original or as a retransmission.
public struct PayloadHead: OptionSet, Hashable, Sendable, BitwiseCopyable {
    /// One bit a codec; those of retransmissions lie eight above.
    public let rawValue: UInt16
    /// A set of bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    private static let vp8: UInt16 = 1 << 1
    private static let vp9: UInt16 = 1 << 2
    private static let h264: UInt16 = 1 << 3
    private static let av1: UInt16 = 1 << 4
    private static let red: UInt16 = 1 << 5
    /// The longest part of a packet that says whether it is malformed: fixed header, sources, the head of the extension.
    private static let longestHead = RTPHeader.fixedLength + 15 * 4 + 4

    /// One codec.
    public init(_ codec: Codec, isRetransmission: Bool) {
        let bit: UInt16 =
            switch codec {
            case .opus: 1
            case .vp8: Self.vp8
            case .vp9: Self.vp9
            case .h264: Self.h264
            case .av1: Self.av1
            }
        rawValue = isRetransmission ? bit << 8 : bit
    }

    /// Redundant audio (RFC 2198).
    public static let redundantAudio = PayloadHead(rawValue: red)

    /// Appends the first bytes of a packet up to the last one that forwarding reads; payload between bytes that are read is
    /// zero. The packet with zeros in place of what is missing is forwarded in the same way: header by header, length by
    /// length. A packet with padding comes whole, its padding and payload zero, because its last byte is read.
    public func append(of packet: Span<UInt8>, to bytes: inout [UInt8]) {
        let base = bytes.count
        guard let header = RTPHeader(packet) else {
            Self.copy(packet, to: min(packet.count, Self.longestHead), base, &bytes)
            return
        }
        let start = Int(header.payloadOffset)
        let length = Int(header.payloadLength)
        Self.copy(packet, to: start, base, &bytes)
        if rawValue & 0xff != 0 { append(rawValue, packet, at: start, length: length, base, &bytes) }
        if rawValue >> 8 != 0 {
            let head = min(RTXPayload.headLength, length)
            Self.copy(packet, to: start + head, base, &bytes)
            append(rawValue >> 8, packet, at: start + head, length: length - head, base, &bytes)
        }
        if header.paddingLength > 0 {
            while bytes.count - base < packet.count - 1 { bytes.append(0) }
            Self.copy(packet, to: packet.count, base, &bytes)
        }
    }

    private func append(
        _ codecs: UInt16, _ packet: Span<UInt8>, at start: Int, length: Int, _ base: Int, _ bytes: inout [UInt8]
    ) {
        var end = start
        if codecs & Self.vp8 != 0 {
            var head = VP8Descriptor.maximumLength
            if let descriptor = VP8Descriptor(packet, at: start, length: length) {
                head = Int(descriptor.length) + (descriptor.startsFrame ? VP8Descriptor.keyFrameHeadLength : 0)
            }
            end = max(end, start + min(head, length))
        }
        if codecs & Self.vp9 != 0 {
            // A payload that is no descriptor has to stay none.
            let head = VP9Descriptor(packet, at: start, length: length).map { Int($0.length) } ?? length
            end = max(end, start + min(head, length))
        }
        if codecs & Self.red != 0 {
            // The headers alone: the length of the whole tells that of the primary block.
            end = max(end, start + REDPayload.headLength(packet, at: start, length: length))
        }
        if codecs & Self.av1 != 0 { end = max(end, start + min(1, length)) }
        Self.copy(packet, to: end, base, &bytes)
        if codecs & Self.h264 != 0 { appendUnitHeaders(packet, at: start, length: length, base, &bytes) }
    }

    /// Of H.264 the NAL unit headers: those of an aggregation packet lie between the units.
    private func appendUnitHeaders(
        _ packet: Span<UInt8>, at start: Int, length: Int, _ base: Int, _ bytes: inout [UInt8]
    ) {
        guard length > 0 else { return }
        let type = packet.uint8(at: start) & 0x1f
        let isFragment = type == 28 || type == 29
        Self.copy(packet, to: start + min(isFragment ? 2 : 1, length), base, &bytes)
        guard type == 24 || type == 25 else { return }
        var position = type == 24 ? 1 : 3
        while position &+ 2 < length {
            let unit = Int(packet.uint16(at: start &+ position))
            while bytes.count - base < start + position { bytes.append(0) }
            Self.copy(packet, to: start + position + 3, base, &bytes)
            guard unit > 0 else { break }
            position &+= 2 &+ unit
        }
    }

    /// Copies what is not there up to `end`.
    @inline(__always) private static func copy(
        _ packet: Span<UInt8>, to end: Int, _ base: Int, _ bytes: inout [UInt8]
    ) {
        var at = bytes.count - base
        while at < end {
            bytes.append(packet.uint8(at: at))
            at += 1
        }
    }
}
