// One run of a bitrate scenario with one seed, small enough to keep many: what was measured, and curves of half a second a point.

import MediaCore

/// Curves of one receiver, one point for each half second.
public struct ReceiverCurves: Sendable {
    /// The receiver.
    public var receiver: UInt32
    /// Capacity, estimate and the best layers that fit 0.85 of the capacity, in bits per second; not a number where there is
    /// none.
    public var capacity: [Double] = []
    /// The core's estimate.
    public var estimate: [Double] = []
    /// The best layers.
    public var best: [Double] = []
    /// Audio and video, and what was sent besides, in bits per second.
    public var media: [Double] = []
    /// Retransmissions and padding.
    public var extra: [Double] = []
    /// The 95th percentile of the time in the queue, in milliseconds.
    public var queue: [Double] = []
    /// The highest layer on the first video slot (4 × encoding + temporal layer), -1 for none.
    public var layer: [Double] = []
}

/// One run.
public struct BitrateRun: Sendable {
    /// The seed.
    public var seed: UInt64
    /// What was measured.
    public var measures: [Measure]
    /// The first violations of invariants.
    public var violations: [String]
    /// The curves of the receivers that the scenario shows.
    public var curves: [ReceiverCurves]
    /// The mean rate of media over all of these, for choosing the run in the middle.
    public var meanMedia: Double {
        let points = curves.flatMap(\.media)
        return points.isEmpty ? 0 : points.reduce(0, +) / Double(points.count)
    }
}

extension BitrateScenario {
    /// Plays it with a seed and keeps what is told.
    public func run(seed: UInt64, withCurves: Bool) -> BitrateRun {
        let playback = play(seed: seed)
        return BitrateRun(
            seed: seed, measures: measures(playback), violations: playback.simulation.violations,
            curves: withCurves ? receivers.map { playback.curves($0) } : [])
    }

    /// All scenarios; those of recorded networks where their traces are given.
    public static func all(downlink: CapacityTrace?, uplink: CapacityTrace?) -> [BitrateScenario] {
        var result = StandardScenarios.all + LayerScenarios.all + FallbackScenarios.all + RoomScenarioSet.all
        result += NetworkScenarios.all
        if let downlink, let uplink {
            result += [
                NetworkScenarios.recorded(down: downlink, up: uplink), NetworkScenarios.recordedUplink(up: uplink),
            ]
        }
        return result
    }
}

extension Playback {
    /// The curves of one receiver.
    func curves(_ receiver: UInt32) -> ReceiverCurves {
        var curves = ReceiverCurves(receiver: receiver)
        let series = series(receiver)
        let step = 5
        let end = meter.ticks
        var waits: [[Double]] = Array(repeating: [], count: end / step + 1)
        for passage in passages(receiver) {
            let tick = Int((passage.enteredAt - meter.startedAt).nanoseconds / RoomMeter.interval.nanoseconds)
            if let waited = passage.waited, tick / step < waits.count {
                waits[tick / step].append(Double(waited.nanoseconds) / 1e6)
            }
        }
        for tick in stride(from: step - 1, to: end, by: step) {
            let index = tick - series.firstTick
            let isThere = series.estimate.indices.contains(index)
            let capacity =
                bottleneck(receiver)?.capacity(
                    from: start(tick - step + 1), span: RoomMeter.interval * Int64(step)) ?? .nan
            curves.capacity.append(capacity)
            curves.estimate.append(isThere ? series.estimate[index] ?? .nan : .nan)
            curves.best.append(
                isThere && series.shown[index].count <= 3
                    ? best(receiver, tick: tick, capacity: 0.85 * capacity) : .nan)
            curves.media.append(isThere ? rate(series, [.audio, .video], tick: tick, window: step) : 0)
            curves.extra.append(isThere ? rate(series, [.retransmission, .padding], tick: tick, window: step) : 0)
            curves.queue.append(Distribution(waits[tick / step]).percentile(0.95))
            let layers = isThere ? ((max(0, index - step + 1))...index).compactMap { series.layer[$0] } : []
            curves.layer.append(Double(layers.max() ?? -1))
        }
        return curves
    }
}
