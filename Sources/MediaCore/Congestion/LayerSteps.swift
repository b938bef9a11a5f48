// The steps in which a track can be forwarded, the least first: its encodings, of each its spatial and temporal layers. Says
// what is possible; the allocator chooses.

extension RoomCore {
    /// What is assumed of an encoding that was never measured, by its place: what browsers send of simulcast.
    private static let assumedRates: [Int64] = [150_000, 500_000, 1_500_000]
    /// A publisher that was asked to send an encoding again is waited for so long; then the encoding is not there.
    static let resumeTime = TimeDelta.seconds(3)

    /// The steps of a track, from the least to the best: what is better mostly takes more, but need not. Encodings that were
    /// paused because nobody needed them count as there.
    func layerSteps(of t: Int, at now: Timestamp) -> StepList {
        var steps = StepList()
        for (place, number) in tracks[t].encodings.enumerated() {
            let e = Int(number)
            let arrives = encodings[e].monitor.isAlive
            guard arrives || encodings[e].mayBeResumed(at: now) else { continue }
            for spatial in 0..<max(1, encodings[e].rates.liveSpatialLayers) {
                appendSteps(of: e, place, spatial, arrives: arrives, at: now, to: &steps)
            }
        }
        return steps
    }

    private func appendSteps(
        of e: Int, _ place: Int, _ spatial: Int, arrives: Bool, at now: Timestamp, to steps: inout StepList
    ) {
        let spatialLayers = max(1, encodings[e].rates.liveSpatialLayers)
        let temporalLayers = max(1, encodings[e].rates.liveTemporalLayers)
        // Only the lowest picture is shown at a quarter of its frame rate: where there is a smaller one in full, that is better.
        let lowest = steps.isEmpty ? 0 : max(0, temporalLayers - 2)
        for temporal in lowest..<temporalLayers {
            var step = LayerStep(
                encoding: Int32(truncatingIfNeeded: e), layer: UInt8(truncatingIfNeeded: place), rate: .zero,
                arrives: arrives)
            if spatial + 1 < spatialLayers { step.spatial = UInt8(truncatingIfNeeded: spatial) }
            if temporal + 1 < temporalLayers { step.temporal = UInt8(truncatingIfNeeded: temporal) }
            step.rate = encodings[e].rates.rate(spatial: step.spatial, temporal: step.temporal, at: now)
            if step.rate <= .zero { step.rate = assumedRate(place, above: steps.last?.rate) }
            step.height = UInt16(clamping: encodings[e].rates.height(spatial: spatial))
            steps.append(step)
        }
    }

    private func assumedRate(_ place: Int, above lower: DataRate?) -> DataRate {
        let assumed = DataRate(bitsPerSecond: Self.assumedRates[min(place, Self.assumedRates.count - 1)])
        guard let lower else { return assumed }
        return max(assumed, lower + lower)
    }

    /// The place of the highest step that a receiver has use for who shows the picture at a height: the lowest encoding that
    /// is as high, or nearly.
    static func wantedStep(of steps: StepList, height: UInt16) -> Int {
        guard let enough = steps.firstIndex(where: { $0.height > 0 && Int($0.height) * 100 >= Int(height) * 85 }) else {
            return steps.count - 1
        }
        // With all its temporal layers.
        var last = enough
        while last + 1 < steps.count, steps[last + 1].encoding == steps[enough].encoding,
            steps[last + 1].spatial == steps[enough].spatial
        {
            last += 1
        }
        return last
    }
}
