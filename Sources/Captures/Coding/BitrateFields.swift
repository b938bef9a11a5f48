// The decisions about bitrate as fields, and the settings that they follow.
import MediaCore

extension RoomConfiguration {
    /// The settings behind the origin of NTP time, in the order in which they are written: a later version appends.
    static let settings: [(get: @Sendable (Self) -> Int64, set: @Sendable (inout Self, Int64) -> Void)] = [
        ({ $0.keyFrameRequestIntervalMilliseconds }, { $0.keyFrameRequestIntervalMilliseconds = $1 }),
        ({ Int64($0.videoHistoryPackets) }, { $0.videoHistoryPackets = Int(truncatingIfNeeded: $1) }),
        ({ Int64($0.audioHistoryPackets) }, { $0.audioHistoryPackets = Int(truncatingIfNeeded: $1) }),
        ({ $0.transportFeedbackIntervalMilliseconds }, { $0.transportFeedbackIntervalMilliseconds = $1 }),
        ({ $0.reportIntervalMilliseconds }, { $0.reportIntervalMilliseconds = $1 }),
        ({ $0.bitrate.startBitsPerSecond }, { $0.bitrate.startBitsPerSecond = $1 }),
        ({ $0.bitrate.minimumBitsPerSecond }, { $0.bitrate.minimumBitsPerSecond = $1 }),
        ({ $0.bitrate.maximumBitsPerSecond }, { $0.bitrate.maximumBitsPerSecond = $1 }),
        ({ $0.bitrate.pacingPercent }, { $0.bitrate.pacingPercent = $1 }),
        ({ $0.bitrate.probes ? 1 : 0 }, { $0.bitrate.probes = $1 != 0 }),
        ({ $0.bitrate.probeLimitPercent }, { $0.bitrate.probeLimitPercent = $1 }),
    ]
}

extension FieldWriter {
    mutating func rate(_ value: DataRate) { signed(value.bitsPerSecond) }

    mutating func change(_ value: EstimateChange) {
        number(UInt64(value.number))
        byte(value.cause.rawValue)
        signed(value.at.nanoseconds)
        rate(value.from)
        rate(value.to)
        rate(value.acknowledged)
        rate(value.measured)
        signed(Int64(value.trendMicroseconds))
        signed(Int64(value.thresholdMicroseconds))
        signed(value.queue.nanoseconds)
        signed(Int64(value.lossPermille))
        signed(value.roundTrip.nanoseconds)
    }

    mutating func bitrateDecision(_ value: Decision) {
        switch value {
        case .estimateChanged(let peer, let change):
            byte(16)
            self.peer(peer)
            self.change(change)
        case .probeStarted(let peer, let rate, let estimate):
            byte(17)
            self.peer(peer)
            self.rate(rate)
            self.rate(estimate)
        case .layerAllocated(
            let peer, let slot, let track, let layer, let spatial, let temporal, let rate, let needed, let estimate,
            let reason):
            byte(18)
            self.peer(peer)
            token(slot.token)
            self.track(track)
            for layer in [layer, spatial, temporal] { optional(layer) { $0.signed(Int64($1)) } }
            for one in [rate, needed, estimate] { self.rate(one) }
            byte(reason.rawValue)
        case .layersNeeded(let track, let wanted):
            byte(19)
            self.track(track)
            list(wanted) { $0.flag($1) }
        default: preconditionFailure("the other cases are written by decision(_:)")
        }
    }
}

extension FieldReader {
    mutating func rate() -> DataRate? { signed().map { DataRate(bitsPerSecond: $0) } }
    private mutating func small() -> Int32? { signed().flatMap { Int32(exactly: $0) } }

    mutating func change() -> EstimateChange? {
        guard let number = number(UInt32.self), let cause = byte().flatMap({ EstimateCause(rawValue: $0) }),
            let at = signed(), let from = rate(), let to = rate(), let acknowledged = rate(), let measured = rate(),
            let trend = small(), let threshold = small(), let queue = span(), let loss = small(), let roundTrip = span()
        else { return nil }
        var change = EstimateChange()
        change.number = number
        change.cause = cause
        change.at = Timestamp(nanoseconds: at)
        change.from = from
        change.to = to
        change.acknowledged = acknowledged
        change.measured = measured
        change.trendMicroseconds = trend
        change.thresholdMicroseconds = threshold
        change.queue = queue
        change.lossPermille = loss
        change.roundTrip = roundTrip
        return change
    }

    mutating func bitrateDecision(_ tag: UInt8) -> Decision? {
        switch tag {
        case 16:
            guard let peer = peer(), let change = change() else { return nil }
            return .estimateChanged(peer: peer, change)
        case 17:
            guard let peer = peer(), let rate = rate(), let estimate = self.rate() else { return nil }
            return .probeStarted(peer: peer, rate: rate, estimate: estimate)
        case 18:
            guard let peer = peer(), let slot = mid(), let track = track(), let layer = optional({ $0.integer() }),
                let spatial = optional({ $0.integer() }), let temporal = optional({ $0.integer() }), let rate = rate(),
                let needed = self.rate(), let estimate = self.rate(),
                let reason = byte().flatMap({ AllocationReason(rawValue: $0) })
            else { return nil }
            return .layerAllocated(
                peer: peer, slot: slot, track: track, layer: layer, spatial: spatial, temporal: temporal, rate: rate,
                needed: needed, estimate: estimate, reason: reason)
        case 19:
            guard let track = track(), let wanted = list({ $0.flag() }) else { return nil }
            return .layersNeeded(track, wanted)
        default: return nil
        }
    }
}
