// The aggregation header of AV1 payloads (RTP Payload Format For AV1 1.0 §4.4). Reads no OBU.

/// A parsed AV1 aggregation header.
public struct AV1AggregationHeader: Hashable, Sendable, BitwiseCopyable {
    /// Z: the first element goes on with an OBU of the packet before.
    public var continuesUnit: Bool
    /// Y: the last element's OBU goes on in the next packet.
    public var isContinued: Bool
    /// W: the number of elements, 1 to 3, or zero when every element has a length.
    public var elementCount: UInt8
    /// N: the packet is the first one of a coded video sequence, so that a decoder can begin here.
    public var startsSequence: Bool

    /// Whether a decoder can begin here.
    public var isKeyFrame: Bool { startsSequence }

    /// Reads the header of a packet's payload; nil when nothing follows it, or when it claims both to go on with an OBU
    /// and to begin a sequence, which the format forbids.
    public init?(_ bytes: Span<UInt8>, _ header: RTPHeader) {
        self.init(bytes, at: Int(header.payloadOffset), length: Int(header.payloadLength))
    }

    /// Reads the header of a payload of `count` bytes at an offset; nil as above.
    public init?(_ bytes: Span<UInt8>, at start: Int, length count: Int) {
        guard count > 1, bytes.holds(count, at: start) else { return nil }
        let byte = bytes.uint8(at: start)
        continuesUnit = byte & 0x80 != 0
        isContinued = byte & 0x40 != 0
        elementCount = byte >> 4 & 0x03
        startsSequence = byte & 0x08 != 0
        guard !(continuesUnit && startsSequence) else { return nil }
    }
}
