// The RTP header (RFC 3550 §5.1) as numbers and offsets into its datagram. Keeps no bytes; header extensions are found
// by HeaderExtensionOffsets, payloads read by the codec's own file.

/// A parsed RTP header. Offsets count from the datagram's first byte.
public struct RTPHeader: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of the fixed header.
    public static let fixedLength = 12
    /// The longest datagram that is parsed; no path on the internet carries a longer one.
    public static let maximumLength = 65_535

    /// The marker bit: for video the last packet of a frame.
    public var marker: Bool
    /// The payload type.
    public var payloadType: PayloadType
    /// The sequence number.
    public var sequenceNumber: SequenceNumber
    /// The timestamp.
    public var timestamp: RTPTimestamp
    /// The synchronisation source.
    public var ssrc: SSRC
    /// The number of contributing sources, 0 to 15; they begin at offset 12.
    public var contributingSourceCount: UInt8
    /// The profile field of the header extension, or zero where there is none. Profile 0 with a block is read as none.
    public var extensionProfile: UInt16
    /// Where the extension elements begin (behind the four bytes of the block's head).
    public var extensionOffset: UInt16
    /// The bytes of extension elements.
    public var extensionLength: UInt16
    /// Where the payload begins: also the length of everything before it.
    public var payloadOffset: UInt16
    /// The bytes of payload without padding.
    public var payloadLength: UInt16
    /// The bytes of padding with their count, 0 where there is none.
    public var paddingLength: UInt8

    /// Reads the header of a datagram; nil when the version is not 2, or when the sources, the extension or the padding
    /// reach past its end, or when the padding bit is set with a count of zero (RFC 3550 §A.1).
    ///
    /// - Parameter isProtected: the payload is still encrypted, and so is the count of padding: it is not read, and the padding
    ///   counts as payload.
    @inline(__always) public init?(_ bytes: Span<UInt8>, isProtected: Bool = false) {
        let count = bytes.count
        guard count >= Self.fixedLength, count <= Self.maximumLength else { return nil }
        let first = bytes.uint8(at: 0)
        guard first >> 6 == 2 else { return nil }
        let second = bytes.uint8(at: 1)
        marker = second & 0x80 != 0
        payloadType = PayloadType(second)
        sequenceNumber = SequenceNumber(bytes.uint16(at: 2))
        timestamp = RTPTimestamp(bytes.uint32(at: 4))
        ssrc = SSRC(bytes.uint32(at: 8))
        contributingSourceCount = first & 0x0f
        var offset = Self.fixedLength &+ Int(contributingSourceCount) &* 4
        guard offset <= count else { return nil }
        extensionProfile = 0
        extensionOffset = 0
        extensionLength = 0
        if first & 0x10 != 0 {
            guard offset &+ 4 <= count else { return nil }
            let length = Int(bytes.uint16(at: offset &+ 2)) &* 4
            guard offset &+ 4 &+ length <= count else { return nil }
            extensionProfile = bytes.uint16(at: offset)
            extensionOffset = UInt16(truncatingIfNeeded: offset &+ 4)
            extensionLength = UInt16(truncatingIfNeeded: length)
            offset &+= 4 &+ length
        }
        var padding = 0
        if first & 0x20 != 0, !isProtected {
            padding = Int(bytes.uint8(at: count &- 1))
            guard padding > 0, offset &+ padding <= count else { return nil }
        }
        payloadOffset = UInt16(truncatingIfNeeded: offset)
        payloadLength = UInt16(truncatingIfNeeded: count &- offset &- padding)
        paddingLength = UInt8(truncatingIfNeeded: padding)
    }

    /// A contributing source by its position below `contributingSourceCount`, or nil.
    public func contributingSource(_ index: Int, in bytes: Span<UInt8>) -> UInt32? {
        guard index >= 0, index < Int(contributingSourceCount) else { return nil }
        return bytes.uint32(at: Self.fixedLength &+ index &* 4)
    }
}
