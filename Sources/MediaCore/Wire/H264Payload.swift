// The H.264 payload formats (RFC 6184 §5): which kinds of NAL unit a packet holds or begins. Decodes no NAL unit.

/// What an H.264 packet holds, as far as forwarding asks.
public struct H264Payload: Hashable, Sendable, BitwiseCopyable {
    /// The NAL unit types that are told apart (ITU-T H.264 table 7-1, RFC 6184 table 1).
    private enum UnitType {
        static let instantaneousRefresh: UInt8 = 5
        static let sequenceParameters: UInt8 = 7
        static let pictureParameters: UInt8 = 8
        static let singleTimeAggregationA: UInt8 = 24
        static let singleTimeAggregationB: UInt8 = 25
        static let fragmentA: UInt8 = 28
        static let fragmentB: UInt8 = 29
    }

    /// Whether a slice of an IDR picture begins here: of a fragmented unit only in its first packet.
    public var startsInstantaneousRefresh = false
    /// Whether a sequence parameter set begins here.
    public var hasSequenceParameters = false
    /// Whether a picture parameter set begins here.
    public var hasPictureParameters = false
    /// Whether the packet is a fragment behind the first of its unit.
    public var isContinuation = false

    /// Whether a decoder can begin here: at a sequence parameter set or at an IDR slice. Both may come in packets of
    /// their own within one frame.
    public var isKeyFrame: Bool { startsInstantaneousRefresh || hasSequenceParameters }

    /// Reads the payload of a packet.
    public init?(_ bytes: Span<UInt8>, _ header: RTPHeader) {
        self.init(bytes, at: Int(header.payloadOffset), length: Int(header.payloadLength))
    }

    /// Reads a payload of `count` bytes at an offset; nil when it is empty or not within the span, when its forbidden
    /// bit is set, when its first aggregated unit is empty, or when a fragment is. The multi-time packets of
    /// interleaved mode and the reserved types hold nothing that is known.
    public init?(_ bytes: Span<UInt8>, at start: Int, length count: Int) {
        guard count > 0, bytes.holds(count, at: start), bytes.uint8(at: start) & 0x80 == 0 else { return nil }
        let type = bytes.uint8(at: start) & 0x1f
        switch type {
        case 1...23: note(type)
        case UnitType.singleTimeAggregationA, UnitType.singleTimeAggregationB:
            // A STAP-B has a decoding order number of two bytes before its units. Real senders cut the last unit short
            // (one of the public captures has it), so the walk stops there and keeps what it found.
            var position = type == UnitType.singleTimeAggregationA ? 1 : 3
            guard position &+ 2 < count, bytes.uint16(at: start &+ position) > 0 else { return nil }
            while position &+ 2 < count {
                let length = Int(bytes.uint16(at: start &+ position))
                guard length > 0 else { break }
                note(bytes.uint8(at: start &+ position &+ 2) & 0x1f)
                position &+= 2 &+ length
            }
        case UnitType.fragmentA, UnitType.fragmentB:
            guard count > 2 else { return nil }
            let head = bytes.uint8(at: start &+ 1)
            if head & 0x80 != 0 {
                note(head & 0x1f)
            } else {
                isContinuation = true
            }
        default: break
        }
    }

    private mutating func note(_ type: UInt8) {
        switch type {
        case UnitType.instantaneousRefresh: startsInstantaneousRefresh = true
        case UnitType.sequenceParameters: hasSequenceParameters = true
        case UnitType.pictureParameters: hasPictureParameters = true
        default: break
        }
    }
}
