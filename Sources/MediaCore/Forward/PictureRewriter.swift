// Keeps a slot's picture numbers one chain over all its sources (VP8: RFC 7741 §4.2, VP9: RFC 9628 §4.2): picture id,
// TL0PICIDX and, for VP8, KEYIDX go on where the source before left them. Writes no bytes.

/// The picture numbers of one packet on the slot.
struct PictureNumbers: BitwiseCopyable, Equatable {
    var pictureID: UInt16 = 0
    var tl0PictureIndex: UInt8 = 0
    var keyIndex: UInt8 = 0
}

/// The picture numbers that a source put into a packet.
struct SourcePicture: BitwiseCopyable {
    var pictureID: UInt16?
    var hasLongPictureID = false
    var tl0PictureIndex: UInt8?
    var keyIndex: UInt8?

    /// The numbers of a packet; none where its codec has none.
    init(_ packet: HistoryPacket) {
        if let vp8 = packet.vp8 {
            pictureID = vp8.pictureID
            hasLongPictureID = vp8.hasLongPictureID
            tl0PictureIndex = vp8.tl0PictureIndex
            keyIndex = vp8.keyIndex
        } else if let vp9 = packet.vp9 {
            pictureID = vp9.pictureID
            hasLongPictureID = vp9.hasLongPictureID
            tl0PictureIndex = vp9.tl0PictureIndex
        }
    }

    init(pictureID: UInt16?, hasLongPictureID: Bool, tl0PictureIndex: UInt8?, keyIndex: UInt8?) {
        self.pictureID = pictureID
        self.hasLongPictureID = hasLongPictureID
        self.tl0PictureIndex = tl0PictureIndex
        self.keyIndex = keyIndex
    }
}

/// The picture numbers of one slot.
struct PictureRewriter: BitwiseCopyable {
    /// The newest picture id given out, counted on past its 15 bits.
    private var newestPicture: Int64
    private var newestTL0: UInt8
    private var newestKey: UInt8
    /// The source's newest picture id, counted on past its 7 or 15 bits.
    private var sourcePicture: Int64 = 0
    private var steps = OffsetSteps()
    private var tl0Offset: UInt8 = 0
    private var keyOffset: UInt8 = 0

    /// The first numbers given out follow these.
    init(pictureID: UInt16, tl0PictureIndex: UInt8, keyIndex: UInt8) {
        newestPicture = Int64(pictureID & 0x7fff)
        newestTL0 = tl0PictureIndex
        newestKey = keyIndex & 0x1f
    }

    /// A source begins with this picture.
    mutating func begin(_ picture: SourcePicture) {
        sourcePicture = Int64(picture.pictureID ?? 0)
        steps.begin(OffsetSteps.Step(from: sourcePicture, offset: sourcePicture - (newestPicture + 1)))
        tl0Offset = newestTL0 &+ 1 &- (picture.tl0PictureIndex ?? 0)
        keyOffset = newestKey &+ 1 &- (picture.keyIndex ?? 0)
    }

    /// The slot's numbers of a packet of the source.
    mutating func map(_ picture: SourcePicture) -> PictureNumbers {
        var numbers = PictureNumbers()
        if let id = picture.pictureID {
            let extended = extend(id, bits: picture.hasLongPictureID ? 15 : 7)
            let placed = extended > sourcePicture ? nil : steps.place(extended)
            let number = placed ?? extended - steps.newest.offset
            sourcePicture = max(sourcePicture, extended)
            newestPicture = max(newestPicture, number)
            numbers.pictureID = UInt16(truncatingIfNeeded: number) & 0x7fff
        }
        if let tl0 = picture.tl0PictureIndex {
            numbers.tl0PictureIndex = tl0 &+ tl0Offset
            if Int8(truncatingIfNeeded: Int(numbers.tl0PictureIndex) - Int(newestTL0)) > 0 {
                newestTL0 = numbers.tl0PictureIndex
            }
        }
        if let key = picture.keyIndex {
            numbers.keyIndex = (key &+ keyOffset) & 0x1f
            if (numbers.keyIndex &- newestKey) & 0x1f < 16 { newestKey = numbers.keyIndex }
        }
        return numbers
    }

    /// Leaves a picture out and closes the gap of its id: receivers of VP8 take a missing id for a picture that is still
    /// to come. A picture that later ones have overtaken keeps its place.
    mutating func omit(_ picture: SourcePicture) {
        guard let id = picture.pictureID else { return }
        let extended = extend(id, bits: picture.hasLongPictureID ? 15 : 7)
        guard extended > sourcePicture else { return }
        sourcePicture = extended
        steps.omit(extended, offset: steps.newest.offset + 1)
    }

    /// The picture id nearest to the newest one that ends in these bits.
    private func extend(_ id: UInt16, bits: Int64) -> Int64 {
        let size = Int64(1) << bits
        var difference = (Int64(id) - sourcePicture) & (size - 1)
        if difference >= size / 2 { difference -= size }
        return sourcePicture + difference
    }
}

extension PictureNumbers: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&pictureID)
        try c.code(&tl0PictureIndex)
        try c.code(&keyIndex)
    }
}

extension PictureRewriter: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.number(&newestPicture)
        try c.code(&newestTL0)
        try c.code(&newestKey)
        try c.number(&sourcePicture)
        try c.code(&steps)
        try c.code(&tl0Offset)
        try c.code(&keyOffset)
    }
}
