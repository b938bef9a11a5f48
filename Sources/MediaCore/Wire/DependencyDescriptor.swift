// The Dependency Descriptor header extension (AV1 RTP specification, appendix A): read, and written anew with other numbers
// and another set of active decode targets. Follows no structure over packets: that is DependencyTracker's.

/// A parsed descriptor. Where its parts lie is counted in bits from its first one.
public struct DependencyDescriptor: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of the mandatory fields.
    public static let mandatoryLength = 3
    /// The most bytes by which a descriptor grows when it is written with active decode targets that it did not have.
    static let growth = 5

    /// The packet is the first of a frame.
    public var startsFrame = false
    /// The packet is the last of a frame.
    public var endsFrame = false
    /// The number of the frame, 16 bits.
    public var frameNumber: UInt16 = 0
    /// The id of its template, 6 bits.
    public var templateID: UInt8 = 0
    /// A structure is attached: a coded video sequence begins here.
    public var hasStructure = false
    /// The decode targets that there are from here on, as far as the descriptor says; bit i for target i.
    public var activeTargets: UInt32?
    /// The number of decode targets of its structure.
    public var targetCount: UInt8 = 0
    /// The spatial layer of the frame, from 0.
    public var spatialLayer: UInt8 = 0
    /// The temporal layer of the frame, from 0.
    public var temporalLayer: UInt8 = 0
    /// What the frame is to each decode target.
    public var indications = DecodeTargetIndications()
    /// Whether the structure that it needs is known; without it the four fields above say nothing.
    public var isResolved = false
    /// The bits behind the structure and behind the active decode targets, and all that are used.
    var structureEnd: UInt16 = 0
    var activeEnd: UInt16 = 0
    var end: UInt16 = 0
    /// Which of frame dependencies lie behind the active decode targets.
    var customFields: UInt8 = 0

    /// Nothing read.
    init() {}

    /// Whether a receiver can begin here: the first packet of a coded video sequence.
    public var isKeyFrame: Bool { hasStructure && startsFrame && isResolved }

    /// Reads the mandatory fields alone; nil when the descriptor is shorter.
    init?(unresolved bytes: Span<UInt8>, at start: Int, length: Int) {
        guard length >= Self.mandatoryLength, bytes.holds(length, at: start) else { return nil }
        let first = bytes.uint8(at: start)
        startsFrame = first & 0x80 != 0
        endsFrame = first & 0x40 != 0
        templateID = first & 0x3f
        frameNumber = bytes.uint16(at: start &+ 1)
        structureEnd = 24
        activeEnd = 24
        end = 24
        guard length > Self.mandatoryLength else { return }
        hasStructure = bytes.uint8(at: start &+ 3) & 0x80 != 0
        (structureEnd, activeEnd, end) = (29, 29, 29)
    }

    /// Reads a descriptor of `length` bytes at an offset. `structure` is the one in force and becomes the one attached, if any.
    /// Nil when the descriptor is cut short or malformed; without its structure it is not resolved.
    public init?(
        _ bytes: Span<UInt8>, at start: Int, length: Int, _ structure: inout DependencyStructure?
    ) {
        self.init(unresolved: bytes, at: start, length: length)
        var reader = BitReader(bytes, at: start, length: length)
        _ = reader.read(24, bytes)
        var hasActive = false
        if length > Self.mandatoryLength {
            _ = reader.read(1, bytes)
            hasActive = reader.flag(bytes)
            customFields = UInt8(truncatingIfNeeded: reader.read(3, bytes))
            if hasStructure {
                guard let attached = DependencyStructure(&reader, bytes) else { return nil }
                structure = attached
            }
        }
        guard let count = structure?.targetCount, let index = structure?.template(templateID) else { return }
        structureEnd = UInt16(truncatingIfNeeded: reader.position)
        targetCount = UInt8(truncatingIfNeeded: count)
        if hasActive { activeTargets = reader.read(count, bytes) }
        activeEnd = UInt16(truncatingIfNeeded: reader.position)
        if customFields & 4 != 0 {
            for target in 0..<count {
                indications[target] =
                    DecodeTargetIndication(rawValue: UInt8(truncatingIfNeeded: reader.read(2, bytes))) ?? .notPresent
            }
        } else {
            indications = structure?.templates[index].indications ?? DecodeTargetIndications()
        }
        spatialLayer = structure?.templates[index].spatialLayer ?? 0
        temporalLayer = structure?.templates[index].temporalLayer ?? 0
        if customFields & 2 != 0 {
            var size = Int(reader.read(2, bytes))
            while size > 0 {
                _ = reader.read(4 &* size, bytes)
                size = Int(reader.read(2, bytes))
            }
        }
        if customFields & 1 != 0 {
            for _ in 0..<(structure?.chainCount ?? 0) { _ = reader.read(8, bytes) }
        }
        guard !reader.isPastEnd else { return nil }
        end = UInt16(truncatingIfNeeded: reader.position)
        isResolved = true
    }

    /// How many frame numbers back lie the frames that this one refers to, where the descriptor itself or its template says so.
    public func frameDifferences(_ bytes: Span<UInt8>, at start: Int, length: Int, _ structure: DependencyStructure)
        -> [UInt16]
    {
        guard customFields & 2 != 0 else {
            return structure.template(templateID).map { structure.templates[$0].frameDifferences.map(UInt16.init) }
                ?? []
        }
        var reader = BitReader(bytes, at: start, length: length)
        var skipped = Int(activeEnd) + (customFields & 4 != 0 ? structure.targetCount * 2 : 0)
        while skipped > 0 {
            _ = reader.read(min(skipped, 32), bytes)
            skipped -= 32
        }
        var differences: [UInt16] = []
        var size = Int(reader.read(2, bytes))
        while size > 0 {
            differences.append(UInt16(truncatingIfNeeded: reader.read(4 * size, bytes)) &+ 1)
            size = Int(reader.read(2, bytes))
        }
        return differences
    }
}

/// What of a descriptor is written anew for a slot.
public struct DependencyRewrite: Hashable, Sendable, BitwiseCopyable {
    /// The frame's number on the slot.
    public var frameNumber: UInt16
    /// What is added to template ids, 6 bits.
    public var templateShift: UInt8
    /// The active decode targets, or nil to leave them as they are.
    public var activeTargets: UInt32?

    /// Other numbers and, unless nil, other active decode targets.
    public init(frameNumber: UInt16, templateShift: UInt8, activeTargets: UInt32? = nil) {
        self.frameNumber = frameNumber
        self.templateShift = templateShift
        self.activeTargets = activeTargets
    }
}

/// Writing.
extension DependencyDescriptor {
    /// Copies this descriptor, which lies at an offset of `source`, to an offset of `bytes` with other numbers. Gives the bytes
    /// written, or nil when they do not fit into `limit`. One that is not resolved is copied with its two numbers alone.
    func write(
        _ rewrite: DependencyRewrite, from source: Span<UInt8>, at from: Int, length: Int,
        into bytes: inout MutableSpan<UInt8>, at start: Int, limit: Int
    ) -> Int? {
        guard source.holds(length, at: from), length >= Self.mandatoryLength else { return nil }
        var reader = BitReader(source, at: from, length: length)
        var writer = BitWriter(bytes, at: start, length: limit)
        let first = reader.read(8, source)
        _ = reader.read(16, source)
        let id = (UInt8(truncatingIfNeeded: first) &+ rewrite.templateShift) & 0x3f
        writer.write(first & 0xc0 | UInt32(id), 8, into: &bytes)
        writer.write(UInt32(rewrite.frameNumber), 16, into: &bytes)
        let active = isResolved ? rewrite.activeTargets : nil
        if length > Self.mandatoryLength || active != nil {
            var flags: UInt32 = 0
            if length > Self.mandatoryLength { flags = reader.read(5, source) }
            writer.write(active == nil ? flags : flags | 0x08, 5, into: &bytes)
            if flags & 0x10 != 0 {
                let offset = UInt8(truncatingIfNeeded: reader.read(6, source))
                writer.write(UInt32((offset &+ rewrite.templateShift) & 0x3f), 6, into: &bytes)
            }
        }
        if let active {
            Self.copy(Int(structureEnd) &- reader.position, &reader, source, &writer, &bytes)
            writer.write(active, Int(targetCount), into: &bytes)
            Self.skip(Int(activeEnd) &- reader.position, &reader, source)
        }
        let last = isResolved ? Int(end) : length &* 8
        Self.copy(last &- reader.position, &reader, source, &writer, &bytes)
        return writer.isPastEnd || reader.isPastEnd ? nil : writer.length
    }

    private static func copy(
        _ count: Int, _ reader: inout BitReader, _ source: Span<UInt8>, _ writer: inout BitWriter,
        _ bytes: inout MutableSpan<UInt8>
    ) {
        var left = count
        while left > 0 {
            let part = min(left, 32)
            writer.write(reader.read(part, source), part, into: &bytes)
            left &-= part
        }
    }

    private static func skip(_ count: Int, _ reader: inout BitReader, _ source: Span<UInt8>) {
        var left = count
        while left > 0 {
            _ = reader.read(min(left, 32), source)
            left &-= 32
        }
    }
}

extension DependencyDescriptor: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&startsFrame)
        try c.code(&endsFrame)
        try c.code(&frameNumber)
        try c.code(&templateID)
        try c.code(&hasStructure)
        try c.code(&isResolved)
        try c.code(&activeTargets)
        try c.code(&targetCount)
        try c.require(targetCount <= DependencyStructure.maximumTargets)
        try c.code(&spatialLayer)
        try c.code(&temporalLayer)
        try c.code(&indications.rawValue)
        try c.code(&structureEnd)
        try c.code(&activeEnd)
        try c.code(&end)
        try c.code(&customFields)
    }
}

extension DependencyRewrite: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&frameNumber)
        try c.code(&templateShift)
        try c.code(&activeTargets)
    }
}
