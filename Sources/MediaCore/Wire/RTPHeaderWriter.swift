// Composes the RTP header of a packet that goes out (RFC 3550 §5.1, RFC 8285). The payload is copied by the caller.

/// The fields of an outgoing RTP header.
public struct EgressHeader: Hashable, Sendable, BitwiseCopyable {
    /// The marker bit.
    public var marker: Bool
    /// The payload type.
    public var payloadType: PayloadType
    /// The sequence number.
    public var sequenceNumber: SequenceNumber
    /// The timestamp.
    public var timestamp: RTPTimestamp
    /// The synchronisation source.
    public var ssrc: SSRC
    /// The one contributing source, or nil for none.
    public var contributingSource: UInt32?
    /// Whether padding follows the payload; the caller writes it, its last byte being its length.
    public var hasPadding = false

    /// A header without contributing source and padding.
    public init(
        marker: Bool, payloadType: PayloadType, sequenceNumber: SequenceNumber, timestamp: RTPTimestamp, ssrc: SSRC,
        contributingSource: UInt32? = nil
    ) {
        self.marker = marker
        self.payloadType = payloadType
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.contributingSource = contributingSource
    }
}

/// The header extensions to be written: each that is not nil and has an identifier in the receiver's map.
public struct EgressExtensions: Hashable, Sendable, BitwiseCopyable {
    /// The mid.
    public var mid: Mid?
    /// The rid.
    public var rid: Rid?
    /// The rid that an RTX stream repairs.
    public var repairedRid: Rid?
    /// The audio level.
    public var audioLevel: AudioLevel?
    /// The absolute send time, 24 bits.
    public var absoluteSendTime: UInt32?
    /// The transport-wide sequence number.
    public var transportSequence: SequenceNumber?
    /// The video orientation byte.
    public var videoOrientation: UInt8?
    /// The playout delay's limits.
    public var playoutDelay: PlayoutDelay?

    /// No extension.
    public init() {}
}

/// What a header became: its length, and where the fields lie that are known only when the packet leaves.
public struct WrittenHeader: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of the whole header: the payload belongs that far behind the header's first byte.
    public var length: Int
    /// The offset in the span of the transport-wide sequence number's two bytes, or zero.
    public var transportSequenceOffset: Int
    /// The offset in the span of the absolute send time's three bytes, or zero.
    public var absoluteSendTimeOffset: Int
}

extension HeaderExtensionMap {
    /// Whether packets under this map carry two-byte elements: some identifier is above 14. The form depends on the map
    /// alone, so that the forms are never mixed within a stream, as RFC 8285 §4.1.2 asks where it was not negotiated.
    public var needsTwoByteElements: Bool {
        // A Dependency Descriptor may be longer than a one-byte element: where forms must not be mixed, all are of two.
        dependencyDescriptor != 0 && !allowsMixed || dependencyDescriptor > 14 || hasHighIdentifier
    }

    private var hasHighIdentifier: Bool {
        max(
            max(max(mid, rid), max(repairedRid, audioLevel)),
            max(max(absoluteSendTime, transportSequence), max(videoOrientation, playoutDelay))) > 14
    }
}

/// Composes outgoing RTP headers.
public enum RTPHeaderWriter {
    /// The most bytes that a header of this writer takes: fixed header, one source, the block's head, three tokens of
    /// 16 bytes, 1 + 3 + 2 + 1 + 3 bytes of the others, eight two-byte element heads, and padding to 32 bits.
    public static let maximumLength = 12 + 4 + 4 + 48 + 10 + 16 + 2

    /// The most bytes that a Dependency Descriptor of `length` bytes adds to a header.
    static func maximumLength(dependencyOf length: Int) -> Int {
        length > 0 ? length + DependencyDescriptor.growth + 5 : 0
    }

    /// Writes a header with its extensions at an offset of a span; nil, with the span in an undefined state from there
    /// on, when it does not fit.
    public static func write(
        _ header: EgressHeader, _ extensions: EgressExtensions, _ map: HeaderExtensionMap,
        into bytes: inout MutableSpan<UInt8>, at start: Int
    ) -> WrittenHeader? {
        write(header, extensions, map, dependency: Span(), into: &bytes, at: start)
    }

    /// The same with a Dependency Descriptor as it is to be sent; an empty one is none.
    static func write(
        _ header: EgressHeader, _ extensions: EgressExtensions, _ map: HeaderExtensionMap,
        dependency: Span<UInt8>, into bytes: inout MutableSpan<UInt8>, at start: Int
    ) -> WrittenHeader? {
        guard bytes.holds(RTPHeader.fixedLength + 4, at: start) else {
            // Only the smallest header fits below this; it has neither source nor extension.
            guard header.contributingSource == nil, bytes.holds(RTPHeader.fixedLength, at: start) else { return nil }
            writeFixed(header, into: &bytes, at: start)
            return extensions == EgressExtensions()
                ? WrittenHeader(length: 12, transportSequenceOffset: 0, absoluteSendTimeOffset: 0) : nil
        }
        writeFixed(header, into: &bytes, at: start)
        var position = start &+ RTPHeader.fixedLength
        if let source = header.contributingSource {
            bytes.put32(source, at: position)
            position &+= 4
        }
        let isLong = map.dependencyDescriptor != 0 && dependency.count > 16
        var block = ExtensionBlock(at: position, twoByte: map.needsTwoByteElements || isLong)
        block.append(extensions, map, into: &bytes)
        block.append(dependency, map.dependencyDescriptor, into: &bytes)
        guard block.close(into: &bytes) else { return nil }
        if block.end > position { bytes.put8(bytes.uint8(at: start) | 0x10, at: start) }
        return WrittenHeader(
            length: block.end &- start, transportSequenceOffset: block.transportSequenceOffset,
            absoluteSendTimeOffset: block.absoluteSendTimeOffset)
    }

    /// Writes the fixed header; the room was checked.
    @inline(__always)
    private static func writeFixed(_ header: EgressHeader, into bytes: inout MutableSpan<UInt8>, at start: Int) {
        let sources: UInt8 = header.contributingSource == nil ? 0 : 1
        bytes.put8(0x80 | (header.hasPadding ? 0x20 : 0) | sources, at: start)
        bytes.put8((header.marker ? 0x80 : 0) | header.payloadType.rawValue, at: start &+ 1)
        bytes.put16(header.sequenceNumber.rawValue, at: start &+ 2)
        bytes.put32(header.timestamp.rawValue, at: start &+ 4)
        bytes.put32(header.ssrc.rawValue, at: start &+ 8)
    }
}

/// A header extension block under construction.
private struct ExtensionBlock: BitwiseCopyable {
    let start: Int
    let twoByte: Bool
    var end: Int
    var overflowed = false
    var transportSequenceOffset = 0
    var absoluteSendTimeOffset = 0

    init(at start: Int, twoByte: Bool) {
        self.start = start
        self.twoByte = twoByte
        end = start
    }

    /// Appends every value that has an identifier; those that change per packet come first, so that their place does
    /// not depend on the tokens.
    mutating func append(_ values: EgressExtensions, _ map: HeaderExtensionMap, into bytes: inout MutableSpan<UInt8>) {
        if let value = values.transportSequence, let at = element(map.transportSequence, 2, &bytes) {
            bytes.put16(value.rawValue, at: at)
            transportSequenceOffset = at
        }
        if let value = values.absoluteSendTime, let at = element(map.absoluteSendTime, 3, &bytes) {
            bytes.put24(value, at: at)
            absoluteSendTimeOffset = at
        }
        if let value = values.audioLevel, let at = element(map.audioLevel, 1, &bytes) {
            bytes.put8((value.isVoice ? 0x80 : 0) | value.level & 0x7f, at: at)
        }
        if let value = values.videoOrientation, let at = element(map.videoOrientation, 1, &bytes) {
            bytes.put8(value, at: at)
        }
        if let value = values.playoutDelay, let at = element(map.playoutDelay, 3, &bytes) {
            bytes.put24(UInt32(value.minimum & 0xfff) << 12 | UInt32(value.maximum & 0xfff), at: at)
        }
        if let value = values.mid { token(value.token, map.mid, &bytes) }
        if let value = values.rid { token(value.token, map.rid, &bytes) }
        if let value = values.repairedRid { token(value.token, map.repairedRid, &bytes) }
    }

    mutating func append(_ dependency: Span<UInt8>, _ id: UInt8, into bytes: inout MutableSpan<UInt8>) {
        guard let at = element(id, dependency.count, &bytes) else { return }
        for i in 0..<dependency.count { bytes.put8(dependency.uint8(at: i), at: at &+ i) }
    }

    private mutating func token(_ token: Token, _ id: UInt8, _ bytes: inout MutableSpan<UInt8>) {
        if let at = element(id, Int(token.count), &bytes) { bytes.put(token, at: at) }
    }

    /// Begins an element of 1 to 16 bytes, of two-byte form to 255, and gives the offset of its data; nil when it has no identifier or does not
    /// fit.
    private mutating func element(_ id: UInt8, _ length: Int, _ bytes: inout MutableSpan<UInt8>) -> Int? {
        guard id != 0, length > 0, length <= (twoByte ? 255 : 16) else { return nil }
        var at = end == start ? start &+ 4 : end
        guard bytes.holds((twoByte ? 2 : 1) &+ length, at: at) else {
            overflowed = true
            return nil
        }
        if twoByte {
            bytes.put8(id, at: at)
            bytes.put8(UInt8(truncatingIfNeeded: length), at: at &+ 1)
            at &+= 2
        } else {
            bytes.put8(id << 4 | UInt8(truncatingIfNeeded: length &- 1), at: at)
            at &+= 1
        }
        end = at &+ length
        return at
    }

    /// Pads the block to 32 bits and writes its head; an empty block writes nothing. False when it does not fit.
    mutating func close(into bytes: inout MutableSpan<UInt8>) -> Bool {
        guard !overflowed else { return false }
        guard end > start else { return true }
        let padding = (4 &- (end &- start) & 3) & 3
        guard bytes.holds(padding, at: end) else { return false }
        bytes.putZeros(padding, at: end)
        end &+= padding
        bytes.put16(
            twoByte ? HeaderExtensionOffsets.twoByteProfile : HeaderExtensionOffsets.oneByteProfile, at: start)
        bytes.put16(UInt16(truncatingIfNeeded: (end &- start &- 4) / 4), at: start &+ 2)
        return true
    }
}
