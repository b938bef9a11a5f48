// The payload of a retransmission (RFC 4588 §4): the original sequence number and the original payload. Which original
// payload type and SSRC it belongs to was negotiated and is not seen here.

/// A retransmission's payload.
public struct RTXPayload: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of the original sequence number.
    public static let headLength = 2

    /// The sequence number of the packet that is sent again.
    public var originalSequenceNumber: SequenceNumber
    /// Where the original payload begins in the datagram.
    public var payloadOffset: Int
    /// The bytes of original payload.
    public var payloadLength: Int

    /// Reads the payload of a retransmission; nil when it has no two bytes, as a padding-only probe has.
    public init?(_ bytes: Span<UInt8>, _ header: RTPHeader) {
        guard header.payloadLength >= Self.headLength, bytes.holds(2, at: Int(header.payloadOffset)) else { return nil }
        originalSequenceNumber = SequenceNumber(bytes.uint16(at: Int(header.payloadOffset)))
        payloadOffset = Int(header.payloadOffset) &+ Self.headLength
        payloadLength = Int(header.payloadLength) &- Self.headLength
    }

    /// Writes the head of a retransmission's payload: the original sequence number.
    public static func writeHead(
        _ original: SequenceNumber, into bytes: inout MutableSpan<UInt8>, at offset: Int
    ) {
        bytes.put16(original.rawValue, at: offset)
    }
}
