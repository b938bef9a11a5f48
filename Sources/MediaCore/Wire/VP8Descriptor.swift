// The VP8 payload descriptor (RFC 7741 §4.2) and the head of a key frame (§4.3, RFC 6386 §9.1): read, rewritten in
// place, and written anew where a number does not fit its old place. Reads no picture data behind the frame's size.

/// A parsed VP8 payload descriptor. Offsets count from the descriptor's first byte, so that they hold for a copy of the
/// payload that lies elsewhere.
public struct VP8Descriptor: Hashable, Sendable, BitwiseCopyable {
    /// The most bytes that a descriptor takes.
    public static let maximumLength = 6
    /// The bytes of a key frame's head: frame tag, start code, width and height.
    static let keyFrameHeadLength = 10

    /// The bytes of the descriptor; the VP8 payload follows.
    public var length: UInt8 = 1
    /// N: no later frame refers to this one, so it may be dropped.
    public var isNonReference = false
    /// S: a partition begins here.
    public var startsPartition = false
    /// PID: the partition's number, 0 to 7.
    public var partitionIndex: UInt8 = 0
    /// The picture's number, 7 or 15 bits, or nil.
    public var pictureID: UInt16?
    /// Whether the picture's number has 15 bits.
    public var hasLongPictureID = false
    /// TL0PICIDX: the running number of base-layer frames, or nil.
    public var tl0PictureIndex: UInt8?
    /// TID: the temporal layer, 0 to 3, or nil.
    public var temporalLayer: UInt8?
    /// Y: the frame depends on nothing but base-layer frames; false where there is no TID.
    public var isLayerSync = false
    /// KEYIDX: the running number of key frames, 0 to 31, or nil.
    public var keyIndex: UInt8?
    /// Where the picture's number lies, or zero.
    public var pictureIDOffset: UInt8 = 0
    /// Where TL0PICIDX lies, or zero.
    public var tl0PictureIndexOffset: UInt8 = 0
    /// Where the byte of TID, Y and KEYIDX lies, or zero.
    public var layerOffset: UInt8 = 0
    /// Whether the packet begins a key frame: S, partition 0, and the frame tag says so.
    public var isKeyFrame = false
    /// The key frame's width in pixels, or zero where this is no start of a key frame or its head is cut short.
    public var width: UInt16 = 0
    /// The key frame's height in pixels, or zero as for the width.
    public var height: UInt16 = 0

    /// Whether the numbers of a chain whose picture numbers have 15 bits fit the descriptor as it is.
    var isRewrittenInPlace: Bool { pictureID == nil || hasLongPictureID }

    /// Whether the packet begins a frame.
    public var startsFrame: Bool { startsPartition && partitionIndex == 0 }

    /// Reads the descriptor of a packet.
    @inline(__always) public init?(_ bytes: Span<UInt8>, _ header: RTPHeader) {
        self.init(bytes, at: Int(header.payloadOffset), length: Int(header.payloadLength))
    }

    /// Reads the descriptor of a payload of `count` bytes at an offset; nil when the payload ends within the descriptor
    /// or right behind it, or is not within the span.
    public init?(_ bytes: Span<UInt8>, at start: Int, length count: Int) {
        guard count > 0, bytes.holds(count, at: start) else { return nil }
        let first = bytes.uint8(at: start)
        isNonReference = first & 0x20 != 0
        startsPartition = first & 0x10 != 0
        partitionIndex = first & 0x07
        var position = 1
        if first & 0x80 != 0 {
            guard position < count else { return nil }
            let flags = bytes.uint8(at: start &+ position)
            position &+= 1
            if flags & 0x80 != 0 {
                guard position < count else { return nil }
                pictureIDOffset = UInt8(truncatingIfNeeded: position)
                let high = bytes.uint8(at: start &+ position)
                hasLongPictureID = high & 0x80 != 0
                if hasLongPictureID {
                    guard position &+ 1 < count else { return nil }
                    pictureID = bytes.uint16(at: start &+ position) & 0x7fff
                    position &+= 2
                } else {
                    pictureID = UInt16(high)
                    position &+= 1
                }
            }
            if flags & 0x40 != 0 {
                guard position < count else { return nil }
                tl0PictureIndexOffset = UInt8(truncatingIfNeeded: position)
                tl0PictureIndex = bytes.uint8(at: start &+ position)
                position &+= 1
            }
            if flags & 0x30 != 0 {
                guard position < count else { return nil }
                layerOffset = UInt8(truncatingIfNeeded: position)
                let byte = bytes.uint8(at: start &+ position)
                if flags & 0x20 != 0 {
                    temporalLayer = byte >> 6
                    isLayerSync = byte & 0x20 != 0
                }
                if flags & 0x10 != 0 { keyIndex = byte & 0x1f }
                position &+= 1
            }
        }
        guard position < count else { return nil }
        length = UInt8(truncatingIfNeeded: position)
        readFrameHead(bytes, at: start &+ position, length: count &- position)
    }

    /// Reads the frame tag and, of a key frame, its size.
    @inline(__always)
    private mutating func readFrameHead(_ bytes: Span<UInt8>, at start: Int, length: Int) {
        guard startsFrame, bytes.uint8(at: start) & 0x01 == 0 else { return }
        isKeyFrame = true
        guard length >= Self.keyFrameHeadLength, bytes.uint24(at: start &+ 3) == 0x9d012a else { return }
        width = (bytes.uint16(at: start &+ 6).byteSwapped) & 0x3fff
        height = (bytes.uint16(at: start &+ 8).byteSwapped) & 0x3fff
    }
}

/// Writing.
extension VP8Descriptor {
    /// Writes other numbers over those of a copy of this descriptor at an offset. Each number that the descriptor does
    /// not have is left out; a picture's number is cut to the 7 or 15 bits that are there.
    @inline(__always)
    public func rewrite(
        pictureID: UInt16, tl0PictureIndex: UInt8, keyIndex: UInt8, in bytes: inout MutableSpan<UInt8>, at start: Int
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
        if layerOffset != 0, self.keyIndex != nil {
            let at = start &+ Int(layerOffset)
            bytes.put8(bytes.uint8(at: at) & 0xe0 | keyIndex & 0x1f, at: at)
        }
    }

    /// Writes this descriptor anew at an offset with a 15-bit picture number and whichever of the other numbers are not
    /// nil; for a payload whose own descriptor lacks what the stream it joins carries. Gives the bytes written, at most
    /// `maximumLength`, or nil when they do not fit.
    public func write(
        pictureID: UInt16, tl0PictureIndex: UInt8?, keyIndex: UInt8?, into bytes: inout MutableSpan<UInt8>,
        at start: Int
    ) -> Int? {
        let hasLayer = temporalLayer != nil || keyIndex != nil
        let total = 4 + (tl0PictureIndex == nil ? 0 : 1) + (hasLayer ? 1 : 0)
        guard bytes.holds(total, at: start) else { return nil }
        bytes.put8(
            0x80 | (isNonReference ? 0x20 : 0) | (startsPartition ? 0x10 : 0) | partitionIndex & 0x07, at: start)
        var flags: UInt8 = 0x80
        bytes.put16(0x8000 | pictureID & 0x7fff, at: start &+ 2)
        var position = start &+ 4
        if let tl0PictureIndex {
            flags |= 0x40
            bytes.put8(tl0PictureIndex, at: position)
            position &+= 1
        }
        if hasLayer {
            var byte: UInt8 = 0
            if let temporalLayer {
                flags |= 0x20
                byte |= temporalLayer << 6 | (isLayerSync ? 0x20 : 0)
            }
            if let keyIndex {
                flags |= 0x10
                byte |= keyIndex & 0x1f
            }
            bytes.put8(byte, at: position)
        }
        bytes.put8(flags, at: start &+ 1)
        return total
    }
}
