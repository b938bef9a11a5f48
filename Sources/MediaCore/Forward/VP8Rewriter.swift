// Keeps a slot's VP8 numbers one chain over all its sources (RFC 7741 §4.2): picture id, TL0PICIDX and KEYIDX go on where the
// source before left them. Writes no bytes.

/// The VP8 numbers of one packet on the slot.
struct VP8Numbers: BitwiseCopyable, Equatable {
    var pictureID: UInt16 = 0
    var tl0PictureIndex: UInt8 = 0
    var keyIndex: UInt8 = 0
}

/// The VP8 numbers of one slot.
struct VP8Rewriter: BitwiseCopyable {
    /// The newest picture id given out, counted on past its 15 bits.
    private var newestPicture: Int64
    private var newestTL0: UInt8
    private var newestKey: UInt8
    /// The source's newest picture id, counted on past its 7 or 15 bits.
    private var sourcePicture: Int64 = 0
    private var pictureOffset: Int64 = 0
    private var tl0Offset: UInt8 = 0
    private var keyOffset: UInt8 = 0

    /// The first numbers given out follow these.
    init(pictureID: UInt16, tl0PictureIndex: UInt8, keyIndex: UInt8) {
        newestPicture = Int64(pictureID & 0x7fff)
        newestTL0 = tl0PictureIndex
        newestKey = keyIndex & 0x1f
    }

    /// A source begins with this packet's picture.
    mutating func begin(_ descriptor: VP8Descriptor) {
        sourcePicture = Int64(descriptor.pictureID ?? 0)
        pictureOffset = newestPicture + 1 - sourcePicture
        tl0Offset = newestTL0 &+ 1 &- (descriptor.tl0PictureIndex ?? 0)
        keyOffset = newestKey &+ 1 &- (descriptor.keyIndex ?? 0)
    }

    /// The slot's numbers of a packet of the source.
    mutating func map(_ descriptor: VP8Descriptor) -> VP8Numbers {
        var numbers = VP8Numbers()
        if let id = descriptor.pictureID {
            let extended = extend(id, bits: descriptor.hasLongPictureID ? 15 : 7)
            sourcePicture = max(sourcePicture, extended)
            newestPicture = max(newestPicture, extended + pictureOffset)
            numbers.pictureID = UInt16(truncatingIfNeeded: extended + pictureOffset) & 0x7fff
        }
        if let tl0 = descriptor.tl0PictureIndex {
            numbers.tl0PictureIndex = tl0 &+ tl0Offset
            if Int8(truncatingIfNeeded: Int(numbers.tl0PictureIndex) - Int(newestTL0)) > 0 {
                newestTL0 = numbers.tl0PictureIndex
            }
        }
        if let key = descriptor.keyIndex {
            numbers.keyIndex = (key &+ keyOffset) & 0x1f
            if (numbers.keyIndex &- newestKey) & 0x1f < 16 { newestKey = numbers.keyIndex }
        }
        return numbers
    }

    /// The picture id nearest to the newest one that ends in these bits.
    private func extend(_ id: UInt16, bits: Int64) -> Int64 {
        let size = Int64(1) << bits
        var difference = (Int64(id) - sourcePicture) & (size - 1)
        if difference >= size / 2 { difference -= size }
        return sourcePicture + difference
    }
}
