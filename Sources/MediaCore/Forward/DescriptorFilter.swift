// Which frames of a stream with Dependency Descriptors a slot forwards, and the slot's own numbers for them (AV1 RTP
// specification, appendix A): by what each frame is to the decode target that the slot's limit allows. Reads no payload.

extension LayerFilter {
    /// Decides about a packet whose descriptor is resolved.
    mutating func judge(
        _ packet: HistoryPacket, _ frame: DependencyDescriptor, _ targets: DependencyTargets, absent: UInt8
    ) -> Verdict {
        let (time, isNew) = note(packet.timestamp)
        if isNew { lower(targets) }
        if isNewest(time) { raise(packet, frame, targets) }
        guard let level = level(at: time) else { return .leaveOut }
        guard level.target < Self.all else {
            guard frame.spatialLayer <= level.spatial, frame.temporalLayer <= level.temporal else { return .leaveOut }
            return .forward(marker: packet.marker)
        }
        guard frame.indications[Int(level.target)] != .notPresent || isBelow(level, frame, targets) else {
            return .leaveOut
        }
        let isLast = frame.endsFrame && frame.spatialLayer == Self.highest(upTo: level.spatial, absent)
        let isWhole = level.target == targets.best(spatial: Self.all, temporal: Self.all)
        return .forward(marker: packet.marker || isLast && !isWhole)
    }

    /// Where a lower layer serves the higher ones at key frames alone, its other frames are no part of the higher targets. They
    /// are forwarded all the same: only so can the slot go down to it at once.
    private func isBelow(_ level: Level, _ frame: DependencyDescriptor, _ targets: DependencyTargets) -> Bool {
        targets.isLayered && frame.spatialLayer < level.spatial && frame.temporalLayer <= level.temporal
    }

    private mutating func take(_ target: UInt8, _ targets: DependencyTargets) {
        set(targets.spatial(target), targets.temporal(target), target: target)
    }

    /// Goes down where the limit, or the publisher, no longer has what is forwarded. What is wanted may be more one way and less
    /// the other: only the less is given at once.
    private mutating func lower(_ targets: DependencyTargets) {
        let present = level
        guard targets.best(spatial: spatialLimit, temporal: temporalLimit) != present.target,
            let found = targets.best(
                spatial: min(spatialLimit, present.spatial), temporal: min(temporalLimit, present.temporal)),
            found != present.target, targets.isLayered || targets.spatial(found) == present.spatial
        else { return }
        take(found, targets)
    }

    /// Goes up where the newest frame lets a decoder follow: at a new structure, or where a frame that is forwarded is a switch
    /// indication of a higher target.
    private mutating func raise(
        _ packet: HistoryPacket, _ frame: DependencyDescriptor, _ targets: DependencyTargets
    ) {
        let present = level
        let wanted = targets.best(spatial: spatialLimit, temporal: temporalLimit)
        if packet.isKeyFrame {
            if let wanted { take(wanted, targets) }
            return
        }
        guard wanted != present.target, present.target < targets.count,
            frame.indications[Int(present.target)] != .notPresent
        else { return }
        let higher = targets.best(spatial: spatialLimit, temporal: temporalLimit) { target in
            target != present.target && targets.spatial(target) >= present.spatial
                && targets.temporal(target) >= present.temporal && frame.indications[Int(target)] == .switchable
        }
        if let higher { take(higher, targets) }
    }

    /// The active targets that the slot's receiver is to know of with this packet; nil where the publisher's word holds.
    mutating func activeTargets(_ frame: DependencyDescriptor, _ targets: DependencyTargets) -> UInt32? {
        let target = level.target
        // Of more targets than a record of what was sent has room for nothing is said.
        guard target < targets.count, targets.count <= 16 else { return nil }
        let mask = targets.activeTargets(upTo: target)
        if mask != targets.active {
            tellsTargets = true
            return mask
        }
        guard tellsTargets else { return nil }
        // A structure makes all targets active again.
        if frame.hasStructure { tellsTargets = false }
        return mask
    }
}

/// The frame numbers and template ids of one slot, one chain over all its sources.
struct DescriptorChain: BitwiseCopyable {
    /// The newest frame number given out, counted on past its 16 bits, and the source's.
    private var newest: Int64
    private var source: Int64 = 0
    private var offset: Int64 = 0
    private var templateShift: UInt8 = 0
    /// The id that the next structure of another source begins with.
    private var nextTemplate: UInt8

    /// The first numbers given out follow these.
    init(frameNumber: UInt16, templateID: UInt8) {
        newest = Int64(frameNumber)
        nextTemplate = templateID & 0x3f
    }

    /// A source begins with this frame, which has its structure with it.
    mutating func begin(_ frame: DependencyDescriptor, _ targets: DependencyTargets) {
        source = Int64(frame.frameNumber)
        offset = newest + 1 - source
        templateShift = (nextTemplate &- targets.templateIDOffset) & 0x3f
    }

    /// A structure is forwarded.
    mutating func note(_ targets: DependencyTargets) {
        nextTemplate = (targets.templateIDOffset &+ templateShift &+ targets.templateCount) & 0x3f
    }

    /// The slot's numbers of a frame.
    mutating func map(_ frameNumber: UInt16) -> DependencyRewrite {
        let step = Int16(bitPattern: frameNumber &- UInt16(truncatingIfNeeded: source))
        let extended = source + Int64(step)
        source = max(source, extended)
        newest = max(newest, extended + offset)
        return DependencyRewrite(
            frameNumber: UInt16(truncatingIfNeeded: extended + offset), templateShift: templateShift)
    }
}

extension DescriptorChain: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.number(&newest)
        try c.number(&source)
        try c.number(&offset)
        try c.code(&templateShift)
        try c.code(&nextTemplate)
    }
}
