// The VP9 payload descriptor (RFC 9628 §4.2): read, and its running numbers rewritten in place. Reads no picture data.

/// A parsed VP9 payload descriptor. Offsets count from the descriptor's first byte.
public struct VP9Descriptor: Hashable, Sendable, BitwiseCopyable {
    /// The most reference differences of one packet (§4.2: P_DIFF).
    static let maximumReferences = 3

    /// The bytes of the descriptor; the VP9 payload follows.
    public var length: UInt16 = 1
    /// P: the frame is predicted from earlier pictures.
    public var isInterPicturePredicted = false
    /// F: the flexible mode, in which each packet names its references.
    public var isFlexible = false
    /// B: the packet begins a layer frame.
    public var startsFrame = false
    /// E: the packet ends a layer frame.
    public var endsFrame = false
    /// Z: no frame of a higher spatial layer refers to this one.
    public var isNotReferenceForUpperLayers = false
    /// The picture's number, 7 or 15 bits, or nil.
    public var pictureID: UInt16?
    /// Whether the picture's number has 15 bits.
    public var hasLongPictureID = false
    /// TL0PICIDX: the running number of base-layer pictures; nil in flexible mode.
    public var tl0PictureIndex: UInt8?
    /// TID: the temporal layer, 0 to 7, or nil.
    public var temporalLayer: UInt8?
    /// U: a receiver may switch up to this temporal layer here.
    public var isSwitchingUpPoint = false
    /// SID: the spatial layer, 0 to 7, or nil.
    public var spatialLayer: UInt8?
    /// D: the frame is predicted from the spatial layer below it.
    public var isInterLayerPredicted = false
    /// The number of spatial layers that the packet's scalability structure tells, 1 to 8, or zero without one.
    public var spatialLayerCount: UInt8 = 0
    /// The width in pixels of the highest spatial layer that the structure tells, or zero.
    public var width: UInt16 = 0
    /// The height in pixels of the highest spatial layer that the structure tells, or zero.
    public var height: UInt16 = 0
    /// Where the picture's number lies, or zero.
    public var pictureIDOffset: UInt8 = 0
    /// Where the sizes of the scalability structure's layers lie, or zero.
    public var sizesOffset: UInt16 = 0
    /// Where TL0PICIDX lies, or zero.
    public var tl0PictureIndexOffset: UInt8 = 0

    /// Whether the packet begins a key frame: a layer frame begins, of the lowest spatial layer, predicted from
    /// nothing.
    public var isKeyFrame: Bool {
        !isInterPicturePredicted && startsFrame && !isInterLayerPredicted && (spatialLayer ?? 0) == 0
    }

    /// Reads the descriptor of a packet.
    public init?(_ bytes: Span<UInt8>, _ header: RTPHeader) {
        self.init(bytes, at: Int(header.payloadOffset), length: Int(header.payloadLength))
    }

    /// Reads the descriptor of a payload of `count` bytes at an offset; nil when the payload ends within the descriptor
    /// or right behind it, when it names more than three references, or is not within the span.
    public init?(_ bytes: Span<UInt8>, at start: Int, length count: Int) {
        guard count > 0, bytes.holds(count, at: start) else { return nil }
        let flags = bytes.uint8(at: start)
        isInterPicturePredicted = flags & 0x40 != 0
        isFlexible = flags & 0x10 != 0
        startsFrame = flags & 0x08 != 0
        endsFrame = flags & 0x04 != 0
        isNotReferenceForUpperLayers = flags & 0x01 != 0
        var position = 1
        if flags & 0x80 != 0 {
            guard readPictureID(bytes, at: start, &position, count) else { return nil }
        }
        if flags & 0x20 != 0 {
            guard readLayer(bytes, at: start, &position, count) else { return nil }
        }
        if isFlexible && isInterPicturePredicted {
            var references = 0
            var more = true
            while more {
                guard position < count, references < Self.maximumReferences else { return nil }
                more = bytes.uint8(at: start &+ position) & 0x01 != 0
                position &+= 1
                references &+= 1
            }
        }
        if flags & 0x02 != 0 {
            guard readStructure(bytes, at: start, &position, count) else { return nil }
        }
        guard position < count else { return nil }
        length = UInt16(truncatingIfNeeded: position)
    }

    private mutating func readPictureID(
        _ bytes: Span<UInt8>, at start: Int, _ position: inout Int, _ count: Int
    ) -> Bool {
        guard position < count else { return false }
        pictureIDOffset = UInt8(truncatingIfNeeded: position)
        let high = bytes.uint8(at: start &+ position)
        hasLongPictureID = high & 0x80 != 0
        guard hasLongPictureID else {
            pictureID = UInt16(high)
            position &+= 1
            return true
        }
        guard position &+ 1 < count else { return false }
        pictureID = bytes.uint16(at: start &+ position) & 0x7fff
        position &+= 2
        return true
    }

    private mutating func readLayer(
        _ bytes: Span<UInt8>, at start: Int, _ position: inout Int, _ count: Int
    ) -> Bool {
        guard position < count else { return false }
        let byte = bytes.uint8(at: start &+ position)
        temporalLayer = byte >> 5
        isSwitchingUpPoint = byte & 0x10 != 0
        spatialLayer = byte >> 1 & 0x07
        isInterLayerPredicted = byte & 0x01 != 0
        position &+= 1
        guard !isFlexible else { return true }
        guard position < count else { return false }
        tl0PictureIndexOffset = UInt8(truncatingIfNeeded: position)
        tl0PictureIndex = bytes.uint8(at: start &+ position)
        position &+= 1
        return true
    }

    /// Passes over the scalability structure (§4.2.1), remembering the size of the highest layer.
    private mutating func readStructure(
        _ bytes: Span<UInt8>, at start: Int, _ position: inout Int, _ count: Int
    ) -> Bool {
        guard position < count else { return false }
        let head = bytes.uint8(at: start &+ position)
        position &+= 1
        spatialLayerCount = (head >> 5) &+ 1
        if head & 0x10 != 0 {
            let sizes = Int(spatialLayerCount) &* 4
            guard position &+ sizes <= count else { return false }
            sizesOffset = UInt16(truncatingIfNeeded: position)
            width = bytes.uint16(at: start &+ position &+ sizes &- 4)
            height = bytes.uint16(at: start &+ position &+ sizes &- 2)
            position &+= sizes
        }
        guard head & 0x08 != 0 else { return true }
        guard position < count else { return false }
        var pictures = bytes.uint8(at: start &+ position)
        position &+= 1
        while pictures > 0 {
            guard position < count else { return false }
            let references = Int(bytes.uint8(at: start &+ position) >> 2 & 0x03)
            position &+= 1 &+ references
            guard position <= count else { return false }
            pictures &-= 1
        }
        return true
    }

    /// The height in pixels of one of the layers that the structure tells, read from the descriptor at an offset; 0 where it
    /// tells none.
    public func height(ofLayer layer: Int, _ bytes: Span<UInt8>, at start: Int) -> UInt16 {
        guard sizesOffset > 0, layer >= 0, layer < Int(spatialLayerCount) else { return 0 }
        return bytes.uint16(at: start &+ Int(sizesOffset) &+ layer &* 4 &+ 2)
    }

    /// Writes other numbers over those of a copy of this descriptor at an offset. Each number that the descriptor does
    /// not have is left out; a picture's number is cut to the 7 or 15 bits that are there.
    public func rewrite(
        pictureID: UInt16, tl0PictureIndex: UInt8, in bytes: inout MutableSpan<UInt8>, at start: Int
    ) {
        if pictureIDOffset != 0 {
            let at = start &+ Int(pictureIDOffset)
            if hasLongPictureID {
                bytes.put16(0x8000 | pictureID & 0x7fff, at: at)
            } else {
                bytes.put8(UInt8(truncatingIfNeeded: pictureID & 0x7f), at: at)
            }
        }
        if tl0PictureIndexOffset != 0 { bytes.put8(tl0PictureIndex, at: start &+ Int(tl0PictureIndexOffset)) }
    }
}
