// Follows the Dependency Descriptors of one encoding: the structure in force, which decode targets are active, and what each
// packet's frame is to them. Judges no packet for any receiver.

/// The decode targets of a structure, in a form that is copied without counting references.
struct DependencyTargets: BitwiseCopyable, Equatable {
    /// The spatial layer in the upper four bits, the temporal one below.
    private var layers = InlineArray<32, UInt8>(repeating: 0)
    /// How many there are; 0 without a structure.
    private(set) var count: UInt8 = 0
    /// A bit for each that the publisher produces.
    var active: UInt32 = 0
    /// Whether a higher spatial layer needs the lower ones, be it at key frames alone; else each is a stream of its own.
    private(set) var isLayered = false
    private(set) var templateIDOffset: UInt8 = 0
    private(set) var templateCount: UInt8 = 0

    /// No targets.
    init() {}

    /// The targets of a structure, all active, and the frame that it came with: the lowest layer's of a key picture.
    init(_ structure: DependencyStructure, _ keyFrame: DependencyDescriptor) {
        count = UInt8(truncatingIfNeeded: structure.targetCount)
        for target in 0..<structure.targetCount {
            let (spatial, temporal) = structure.layers(ofTarget: target)
            layers[target] = spatial << 4 | temporal
        }
        active = all
        templateIDOffset = structure.templateIDOffset
        templateCount = UInt8(truncatingIfNeeded: structure.templates.count)
        isLayered = best(spatial: .max, temporal: .max).map { keyFrame.indications[Int($0)] != .notPresent } ?? false
    }

    /// A bit for each target.
    var all: UInt32 { UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(count)) &- 1) }

    func spatial(_ target: UInt8) -> UInt8 { layers[Int(target & 31)] >> 4 }
    func temporal(_ target: UInt8) -> UInt8 { layers[Int(target & 31)] & 15 }

    private func isActive(_ target: UInt8) -> Bool { active >> UInt32(target) & 1 != 0 }

    /// The active target with the highest spatial and then temporal layer within limits that `isAllowed`, or nil.
    func best(spatial: UInt8, temporal: UInt8, _ isAllowed: (UInt8) -> Bool = { _ in true }) -> UInt8? {
        var found: UInt8?
        for target in 0..<count where isActive(target) && isAllowed(target) {
            guard self.spatial(target) <= spatial, self.temporal(target) <= temporal else { continue }
            if let best = found, layers[Int(best)] >= layers[Int(target)] { continue }
            found = target
        }
        return found
    }

    /// The active targets that are left when one is the highest that is forwarded.
    func activeTargets(upTo target: UInt8) -> UInt32 {
        var mask: UInt32 = 0
        for other in 0..<count where isActive(other) {
            if spatial(other) <= spatial(target), temporal(other) <= temporal(target) { mask |= 1 << UInt32(other) }
        }
        return mask
    }

    static func == (a: Self, b: Self) -> Bool {
        guard a.count == b.count, a.active == b.active else { return false }
        for target in 0..<32 where a.layers[target] != b.layers[target] { return false }
        return true
    }
}

/// The descriptors of one encoding.
struct DependencyTracker {
    private(set) var structure: DependencyStructure?
    private(set) var targets = DependencyTargets()
    /// The descriptor that the structure came in.
    private var bytes: [UInt8] = []
    /// The number of the newest packet that told of structure or active targets.
    private var told: Int64 = .min

    /// Reads the descriptor of a packet; nil when it is malformed.
    mutating func read(_ bytes: Span<UInt8>, at start: Int, length: Int, number: Int64) -> DependencyDescriptor? {
        guard let head = DependencyDescriptor(unresolved: bytes, at: start, length: length) else { return nil }
        // A structure older than the one in force says nothing any more; nor does what names it.
        if head.hasStructure, number < told { return head }
        var known: DependencyStructure?
        swap(&known, &structure)
        defer { swap(&known, &structure) }
        guard head.hasStructure else {
            guard let read = DependencyDescriptor(bytes, at: start, length: length, &known) else { return nil }
            note(read, number)
            return read
        }
        var attached: DependencyStructure?
        guard let read = DependencyDescriptor(bytes, at: start, length: length, &attached), let attached else {
            return nil
        }
        known = attached
        targets = DependencyTargets(attached, read)
        self.bytes = (0..<length).map { bytes.uint8(at: start &+ $0) }
        told = number
        note(read, number)
        return read
    }

    private mutating func note(_ read: DependencyDescriptor, _ number: Int64) {
        guard let active = read.activeTargets, number >= told else { return }
        told = number
        targets.active = active & targets.all
    }

    /// Whether a packet belongs to the structure in force or to one behind it.
    func concerns(_ number: Int64) -> Bool { number > told }

    /// The stream began anew.
    mutating func reset() {
        structure = nil
        targets = DependencyTargets()
        bytes = []
        told = .min
    }
}

extension DependencyTracker {
    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(bytes.count))
        guard !bytes.isEmpty else { return }
        for byte in bytes { w.byte(byte) }
        w.write(UInt64(targets.active))
        w.write(told)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        let count = try r.readUnsigned(255)
        guard count > 0 else { return made }
        for _ in 0..<count { made.bytes.append(try r.byte()) }
        var attached: DependencyStructure?
        let read = DependencyDescriptor(made.bytes.span, at: 0, length: count, &attached)
        guard let read, let structure = attached else { throw .invalid(offset: r.position) }
        made.structure = structure
        made.targets = DependencyTargets(structure, read)
        made.targets.active = try r.readUInt32() & made.targets.all
        made.told = try r.readNumber()
        return made
    }
}
