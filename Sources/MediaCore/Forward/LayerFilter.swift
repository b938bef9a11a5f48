// Which frames of an encoding a slot forwards: those of its spatial and temporal layers up to a limit (VP8: RFC 7741 §4.2,
// VP9: RFC 9628 §4.2; with Dependency Descriptors: DescriptorFilter.swift). Down at once with the next frame, up only where
// a decoder can follow. Maps no number.

/// The layers of one slot's source that are forwarded. The decision is one per frame: the packets of a frame have one
/// timestamp, and what comes late is judged by what held when its frame was new.
struct LayerFilter: BitwiseCopyable {
    /// Every layer; no decode target.
    static let all: UInt8 = 0xff
    /// How many changes are remembered for packets that come late.
    static let rememberedLevels = 8

    /// What is forwarded from a moment of the source on.
    struct Level: BitwiseCopyable, Equatable {
        /// The extended timestamp of the first frame.
        var from: Int64
        /// The highest spatial and temporal layer, from 0; `all` without a limit.
        var spatial: UInt8
        var temporal: UInt8
        /// The decode target, of a stream with Dependency Descriptors.
        var target = LayerFilter.all

        /// Whether other layers are forwarded.
        func differs(from other: Level) -> Bool { spatial != other.spatial || temporal != other.temporal }
    }

    /// What becomes of a packet.
    enum Verdict: Equatable {
        case forward(marker: Bool)
        case leaveOut
    }

    /// What is forwarded now; meaningless before a source began.
    private(set) var level = Level(from: .min, spatial: all, temporal: all)
    private var levels = InlineArray<8, Level>(repeating: Level(from: .min, spatial: all, temporal: all))
    /// The number of levels since the source began; the newest is at `(count - 1) % 8`.
    private var count = 0
    /// The extended timestamp of the newest frame.
    private var newest: Int64 = 0
    /// The highest layers that may be forwarded of the newest frame, and of those behind it.
    private(set) var spatialLimit = all
    private(set) var temporalLimit = all
    private(set) var nextSpatialLimit = all
    /// The highest spatial layer that the receiver can make use of.
    private(set) var spatialCap = all
    private(set) var nextTemporalLimit = all
    /// The receiver was told that not all decode targets are active.
    var tellsTargets = false

    /// Whether there is a limit at all.
    var hasLimit: Bool { nextSpatialLimit < Self.all || nextTemporalLimit < Self.all }

    /// Sets the highest layers that shall be forwarded. Takes effect with the next frame that allows it, never within one.
    mutating func limit(spatial: UInt8, temporal: UInt8) {
        nextSpatialLimit = spatial
        nextTemporalLimit = temporal
    }

    private mutating func takeLimit() {
        spatialLimit = min(nextSpatialLimit, spatialCap)
        temporalLimit = nextTemporalLimit
    }

    /// Another source begins with this packet of a key frame; of it no spatial layer above `spatialCap` is of use.
    mutating func begin(_ packet: HistoryPacket, spatialCap: UInt8) {
        self.spatialCap = spatialCap
        newest = Int64(packet.timestamp)
        count = 0
        takeLimit()
        set(spatialLimit, temporalLimit)
    }

    /// From the newest frame on so much is forwarded.
    mutating func set(_ spatial: UInt8, _ temporal: UInt8, target: UInt8 = all) {
        if count > 0, level.from == newest { count -= 1 }
        level = Level(from: newest, spatial: spatial, temporal: temporal, target: target)
        levels[count % Self.rememberedLevels] = level
        count += 1
    }

    /// The extended timestamp of a packet, and whether its frame is newer than all before.
    @inline(__always) mutating func note(_ timestamp: UInt32) -> (time: Int64, isNew: Bool) {
        let step = Int32(bitPattern: timestamp &- UInt32(truncatingIfNeeded: newest))
        let time = newest + Int64(step)
        guard step > 0 else { return (time, false) }
        newest = time
        takeLimit()
        return (time, true)
    }

    /// Whether no frame is newer.
    func isNewest(_ time: Int64) -> Bool { time == newest }

    /// What held when the frame of a timestamp was new; nil when that is forgotten.
    @inline(__always) func level(at time: Int64) -> Level? {
        let now = level
        return time >= now.from ? now : earlierLevel(at: time)
    }

    private func earlierLevel(at time: Int64) -> Level? {
        for back in 0..<min(count, Self.rememberedLevels) {
            let level = levels[(count - 1 - back) % Self.rememberedLevels]
            if time >= level.from { return level }
        }
        return count <= Self.rememberedLevels && count > 0 ? levels[0] : nil
    }

    /// Decides about a packet of the source by its payload descriptor. `absent` has a bit set for each spatial layer that has
    /// stopped.
    @inline(__always) mutating func judge(_ packet: HistoryPacket, absent: UInt8) -> Verdict {
        let (time, isNew) = note(packet.timestamp)
        // Nearly always: no limit, and none before.
        if level.spatial & level.temporal & spatialLimit & temporalLimit == Self.all, time >= level.from {
            return .forward(marker: packet.marker)
        }
        return judge(packet, time, isNew, absent)
    }

    private mutating func judge(_ packet: HistoryPacket, _ time: Int64, _ isNew: Bool, _ absent: UInt8) -> Verdict {
        let present = level
        if isNew, spatialLimit < present.spatial || temporalLimit < present.temporal {
            set(min(spatialLimit, present.spatial), min(temporalLimit, present.temporal))
        }
        if time == newest, present.spatial < spatialLimit || present.temporal < temporalLimit { raise(packet) }
        guard let level = level(at: time) else { return .leaveOut }
        if let vp8 = packet.vp8 {
            return vp8.temporalLayer ?? 0 <= level.temporal ? .forward(marker: packet.marker) : .leaveOut
        }
        guard let vp9 = packet.vp9 else { return .forward(marker: packet.marker) }
        let spatial = vp9.spatialLayer ?? 0
        guard spatial <= level.spatial, vp9.temporalLayer ?? 0 <= level.temporal else { return .leaveOut }
        // The source's own marker may lie on a layer that is left out.
        let isLast = vp9.endsFrame && spatial == Self.highest(upTo: level.spatial, absent)
        return .forward(marker: packet.marker || isLast)
    }

    /// The highest layer up to one that has not stopped; none is higher than the lowest.
    static func highest(upTo layer: UInt8, _ absent: UInt8) -> UInt8 {
        guard layer < 8 else { return layer }
        var found = layer
        while found > 0, absent >> found & 1 != 0 { found -= 1 }
        return found
    }

    /// Goes up towards the limit where the newest frame allows it.
    private mutating func raise(_ packet: HistoryPacket) {
        if packet.isKeyFrame { return set(spatialLimit, temporalLimit) }
        if let vp8 = packet.vp8 { raise(vp8) } else if let vp9 = packet.vp9 { raise(vp9) }
    }

    /// VP8: a frame of the next layer that depends on the base layer alone, and what follows it in that layer depends on
    /// nothing of it that came before.
    private mutating func raise(_ frame: VP8Descriptor) {
        guard let layer = frame.temporalLayer, frame.isLayerSync, level.temporal < layer,
            layer == level.temporal + 1, layer <= temporalLimit
        else { return }
        set(level.spatial, layer)
    }

    /// VP9: up to any temporal layer behind a switching-up point, and to the next spatial layer with a frame of it that is
    /// predicted from the layer below alone.
    private mutating func raise(_ frame: VP9Descriptor) {
        let spatial = frame.spatialLayer ?? 0
        let temporal = frame.temporalLayer ?? 0
        guard temporal <= level.temporal else { return }
        if level.temporal < temporalLimit, frame.isSwitchingUpPoint, spatial <= level.spatial {
            set(level.spatial, temporalLimit)
        }
        if level.spatial < spatialLimit, spatial > level.spatial, spatial == level.spatial + 1,
            !frame.isInterPicturePredicted
        {
            set(spatial, level.temporal)
        }
    }
}

extension LayerFilter: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.count(&count, Int(CheckpointLimit.number))
        // Levels of earlier sources are never looked at again.
        for back in 0..<min(count, Self.rememberedLevels) {
            let place = (count - 1 - back) % Self.rememberedLevels
            try c.number(&levels[place].from)
            try c.code(&levels[place].spatial)
            try c.code(&levels[place].temporal)
            try c.code(&levels[place].target)
        }
        level =
            count > 0
            ? levels[(count - 1) % Self.rememberedLevels] : Level(from: .min, spatial: Self.all, temporal: Self.all)
        try c.number(&newest)
        try c.code(&spatialLimit)
        try c.code(&temporalLimit)
        try c.code(&nextSpatialLimit)
        try c.code(&spatialCap)
        try c.code(&nextTemporalLimit)
        try c.code(&tellsTargets)
    }
}
