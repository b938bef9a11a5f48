// The Dependency Descriptor (AV1 RTP specification, appendix A) written and read by the simulated clients. On purpose a
// second implementation beside MediaCore's, by plain lists of bits.

/// Bits on their way into a descriptor.
struct DescriptorBits {
    private var bits: [Bool] = []

    mutating func append(_ value: Int, _ count: Int) {
        for place in stride(from: count - 1, through: 0, by: -1) { bits.append(value >> place & 1 == 1) }
    }

    /// A number below `limit` (`ns(n)`).
    mutating func append(_ value: Int, below limit: Int) {
        guard limit > 1 else { return }
        let width = Int.bitWidth - limit.leadingZeroBitCount
        let short = 1 << width - limit
        if value < short { append(value, width - 1) } else { append(value + short, width) }
    }

    var bytes: [UInt8] {
        stride(from: 0, to: bits.count, by: 8).map { start in
            (0..<8).reduce(UInt8(0)) { $0 << 1 | (start + $1 < bits.count && bits[start + $1] ? 1 : 0) }
        }
    }
}

/// The structure that simulated encoders use: one template a layer, one chain a spatial layer.
struct DescriptorStructure {
    var offset: Int
    var spatial: Int
    var temporal: Int
    var keyOnly: Bool

    /// The usual differences of a frame's references.
    func differences(_ s: Int, _ t: Int) -> [Int] {
        let pictures =
            t == 0 ? ScalableEncoder.pattern(temporal).count : t == 1 ? ScalableEncoder.pattern(temporal).count / 2 : 1
        return [pictures * spatial] + (s > 0 && !keyOnly ? [1] : [])
    }

    /// What a frame that is no key frame is to a target: 0 not present, 1 discardable, 2 switch, 3 required.
    func indication(_ s: Int, _ t: Int, _ target: Int) -> Int {
        let (targetSpatial, targetTemporal) = (target / temporal, target % temporal)
        guard t <= targetTemporal, keyOnly ? s == targetSpatial : s <= targetSpatial else { return 0 }
        if s < targetSpatial { return 3 }
        return t == temporal - 1 && t > 0 ? 1 : 2
    }

    func append(to bits: inout DescriptorBits) {
        bits.append(offset, 6)
        bits.append(spatial * temporal - 1, 5)
        for s in 0..<spatial {
            for t in 0..<temporal {
                if t < temporal - 1 { bits.append(1, 2) } else { bits.append(s < spatial - 1 ? 2 : 3, 2) }
            }
        }
        for s in 0..<spatial {
            for t in 0..<temporal {
                for target in 0..<(spatial * temporal) { bits.append(indication(s, t, target), 2) }
            }
        }
        for s in 0..<spatial {
            for t in 0..<temporal {
                for difference in differences(s, t) where difference <= 16 {
                    bits.append(1, 1)
                    bits.append(difference - 1, 4)
                }
                bits.append(0, 1)
            }
        }
        bits.append(spatial, below: spatial * temporal + 1)
        for target in 0..<(spatial * temporal) { bits.append(target / temporal, below: spatial) }
        for _ in 0..<(spatial * temporal * spatial) { bits.append(0, 4) }
        bits.append(1, 1)
        for s in 0..<spatial {
            bits.append(320 << s - 1, 16)
            bits.append(180 << s - 1, 16)
        }
    }
}

/// A descriptor as a receiver reads it.
public struct ReceivedDescriptor: Sendable {
    /// The packet is the first of its frame.
    public var startsFrame = false
    /// The packet is the last of its frame.
    public var endsFrame = false
    /// The id of the frame's template.
    public var templateID = 0
    /// The frame's number.
    public var frameNumber: UInt16 = 0
    /// A structure is attached.
    public var hasStructure = false
    /// The targets that are active from here on, where the descriptor says so.
    public var activeTargets: Int?
    var spatial = 0
    var temporal = 0
    var differences: [Int] = []
    var indications: [Int] = []
}

/// Reads a slot's descriptors, the structure remembered.
public struct DescriptorReader: Sendable {
    private struct Template: Sendable {
        var spatial = 0
        var temporal = 0
        var indications: [Int] = []
        var differences: [Int] = []
    }
    private var offset = 0
    private(set) var targets = 0
    private var templates: [Template] = []
    private var chains = 0
    /// The active targets as far as the slot has told.
    private(set) var active = 0

    /// A reader that knows no structure.
    public init() {}

    /// The descriptor in these bytes, or nil when they are none or their structure is not known.
    public mutating func read(_ bytes: ArraySlice<UInt8>) -> ReceivedDescriptor? {
        var bits: ArraySlice<Bool> = []
        for byte in bytes { for place in 0..<8 { bits.append(byte >> (7 - UInt8(place)) & 1 == 1) } }
        func take(_ count: Int) -> Int? {
            guard bits.count >= count else { return nil }
            defer { bits = bits.dropFirst(count) }
            return bits.prefix(count).reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        }
        func below(_ limit: Int) -> Int? {
            guard limit > 1 else { return 0 }
            let width = Int.bitWidth - limit.leadingZeroBitCount
            let short = 1 << width - limit
            guard let value = take(width - 1) else { return nil }
            guard value >= short else { return value }
            return take(1).map { value << 1 - short + $0 }
        }
        var result = ReceivedDescriptor()
        guard let starts = take(1), let ends = take(1), let id = take(6), let number = take(16) else { return nil }
        result.startsFrame = starts == 1
        result.endsFrame = ends == 1
        result.templateID = id
        result.frameNumber = UInt16(number)
        var flags = 0
        if bytes.count > 3 {
            guard let read = take(5) else { return nil }
            flags = read
        }
        result.hasStructure = flags & 16 != 0
        if result.hasStructure {
            guard let first = take(6), let count = take(5) else { return nil }
            (offset, targets, templates) = (first, count + 1, [])
            var template = Template()
            while true {
                templates.append(template)
                guard let next = take(2) else { return nil }
                if next == 3 { break }
                if next == 1 { template.temporal += 1 }
                if next == 2 { (template.spatial, template.temporal) = (template.spatial + 1, 0) }
            }
            for index in templates.indices {
                for _ in 0..<targets {
                    guard let value = take(2) else { return nil }
                    templates[index].indications.append(value)
                }
            }
            for index in templates.indices {
                while true {
                    guard let follows = take(1) else { return nil }
                    if follows == 0 { break }
                    guard let value = take(4) else { return nil }
                    templates[index].differences.append(value + 1)
                }
            }
            guard let chainCount = below(targets + 1) else { return nil }
            chains = chainCount
            if chains > 0 {
                for _ in 0..<targets where below(chains) == nil { return nil }
                for _ in 0..<(templates.count * chains) where take(4) == nil { return nil }
            }
            guard let sized = take(1) else { return nil }
            if sized == 1 { for _ in 0...(templates.last?.spatial ?? 0) where take(32) == nil { return nil } }
            active = 1 << targets - 1
        }
        let index = (result.templateID - offset + 64) % 64
        guard index < templates.count else { return nil }
        if flags & 8 != 0 {
            guard let mask = take(targets) else { return nil }
            result.activeTargets = mask
            active = mask
        }
        (result.spatial, result.temporal) = (templates[index].spatial, templates[index].temporal)
        result.indications = templates[index].indications
        result.differences = templates[index].differences
        if flags & 4 != 0 {
            result.indications = []
            for _ in 0..<targets {
                guard let value = take(2) else { return nil }
                result.indications.append(value)
            }
        }
        if flags & 2 != 0 {
            result.differences = []
            while true {
                guard let size = take(2) else { return nil }
                if size == 0 { break }
                guard let value = take(4 * size) else { return nil }
                result.differences.append(value + 1)
            }
        }
        if flags & 1 != 0 { for _ in 0..<chains where take(8) == nil { return nil } }
        return result
    }
}
