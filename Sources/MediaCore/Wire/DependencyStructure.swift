// The template dependency structure of a stream that carries the Dependency Descriptor (AV1 RTP specification, appendix A):
// which decode targets there are and what each frame template is to them. Read once per coded video sequence.

/// What a frame is to a decode target (A.4.2, table A.1).
public enum DecodeTargetIndication: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// The frame is not part of the target.
    case notPresent
    /// Part of it, and nothing later of it depends on the frame.
    case discardable
    /// Part of it, and whoever can decode the frame can decode all that follows of the target.
    case switchable
    /// Part of it, and neither of these.
    case required
}

/// One indication for each of up to 32 decode targets.
public struct DecodeTargetIndications: Hashable, Sendable, BitwiseCopyable {
    /// Two bits a target, the first target's lowest.
    public var rawValue: UInt64
    /// None present.
    public init(rawValue: UInt64 = 0) { self.rawValue = rawValue }

    /// The indication of a target, 0 to 31.
    public subscript(target: Int) -> DecodeTargetIndication {
        get { DecodeTargetIndication(rawValue: UInt8(rawValue >> UInt64((target & 31) &* 2) & 3)) ?? .notPresent }
        set {
            let shift = UInt64((target & 31) &* 2)
            rawValue = rawValue & ~(3 << shift) | UInt64(newValue.rawValue) << shift
        }
    }
}

/// The structure that frame templates are named in.
public struct DependencyStructure: Hashable, Sendable {
    /// The most templates.
    public static let maximumTemplates = 64
    /// The most decode targets.
    public static let maximumTargets = 32
    /// The most spatial layers.
    public static let maximumSpatialLayers = 4
    /// The most temporal layers.
    public static let maximumTemporalLayers = 8

    /// What frames of one kind have in common.
    public struct Template: Hashable, Sendable {
        /// The spatial layer, from 0.
        public var spatialLayer: UInt8
        /// The temporal layer, from 0.
        public var temporalLayer: UInt8
        /// What such a frame is to each decode target.
        public var indications = DecodeTargetIndications()
        /// How many frame numbers back lies each frame that it refers to.
        public var frameDifferences: [UInt8] = []
        /// How many frame numbers back lies the one before it in each chain; 0 where none is needed.
        public var chainDifferences: [UInt8] = []
    }

    /// The id of the first template.
    public var templateIDOffset: UInt8
    /// The number of decode targets, 1 to 32.
    public var targetCount: Int
    /// The templates, in the order of their ids.
    public var templates: [Template] = []
    /// The chain that protects each target; empty without chains.
    public var protectingChains: [UInt8] = []
    /// The number of chains.
    public var chainCount = 0
    /// The largest width and height of each spatial layer; empty where they are not told.
    public var resolutions: [(width: Int, height: Int)] = []

    /// Whether all fields are the same.
    public static func == (a: Self, b: Self) -> Bool {
        a.templateIDOffset == b.templateIDOffset && a.targetCount == b.targetCount && a.templates == b.templates
            && a.protectingChains == b.protectingChains && a.chainCount == b.chainCount
            && a.resolutions.elementsEqual(b.resolutions) { $0.width == $1.width && $0.height == $1.height }
    }

    /// Feeds the fields that differ most.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(templateIDOffset)
        hasher.combine(targetCount)
        hasher.combine(templates)
    }

    /// The template of an id of six bits, or nil when there is none.
    @inline(__always) func template(_ id: UInt8) -> Int? {
        let index = Int((id &- templateIDOffset) & 0x3f)
        return index < templates.count ? index : nil
    }

    /// The spatial layers, 1 to 4.
    public var spatialLayerCount: Int { Int(templates.last?.spatialLayer ?? 0) + 1 }

    /// The highest layers of a decode target: those of all frames that are part of it.
    public func layers(ofTarget target: Int) -> (spatial: UInt8, temporal: UInt8) {
        var spatial: UInt8 = 0
        var temporal: UInt8 = 0
        for template in templates where template.indications[target] != .notPresent {
            spatial = max(spatial, template.spatialLayer)
            temporal = max(temporal, template.temporalLayer)
        }
        return (spatial, temporal)
    }

    /// Reads a structure; nil when it is cut short or has more of anything than there may be.
    init?(_ reader: inout BitReader, _ bytes: Span<UInt8>) {
        templateIDOffset = UInt8(truncatingIfNeeded: reader.read(6, bytes))
        targetCount = Int(reader.read(5, bytes)) + 1
        guard readLayers(&reader, bytes) else { return nil }
        for index in templates.indices {
            for target in 0..<targetCount {
                templates[index].indications[target] =
                    DecodeTargetIndication(rawValue: UInt8(truncatingIfNeeded: reader.read(2, bytes))) ?? .notPresent
            }
        }
        for index in templates.indices {
            while reader.flag(bytes) {
                templates[index].frameDifferences.append(UInt8(truncatingIfNeeded: reader.read(4, bytes)) + 1)
            }
        }
        chainCount = Int(reader.below(UInt32(targetCount) + 1, bytes))
        if chainCount > 0 {
            for _ in 0..<targetCount {
                protectingChains.append(UInt8(truncatingIfNeeded: reader.below(UInt32(chainCount), bytes)))
            }
            for index in templates.indices {
                for _ in 0..<chainCount {
                    templates[index].chainDifferences.append(UInt8(truncatingIfNeeded: reader.read(4, bytes)))
                }
            }
        }
        if reader.flag(bytes) {
            for _ in 0..<spatialLayerCount {
                let width = Int(reader.read(16, bytes)) + 1
                resolutions.append((width, Int(reader.read(16, bytes)) + 1))
            }
        }
        guard !reader.isPastEnd else { return nil }
    }

    private mutating func readLayers(_ reader: inout BitReader, _ bytes: Span<UInt8>) -> Bool {
        var spatial: UInt8 = 0
        var temporal: UInt8 = 0
        while true {
            guard !reader.isPastEnd, templates.count < Self.maximumTemplates else { return false }
            templates.append(Template(spatialLayer: spatial, temporalLayer: temporal))
            switch reader.read(2, bytes) {
            case 0: break
            case 1:
                temporal += 1
                guard temporal < Self.maximumTemporalLayers else { return false }
            case 2:
                temporal = 0
                spatial += 1
                guard spatial < Self.maximumSpatialLayers else { return false }
            default: return true
            }
        }
    }
}
