// A played scenario and what can be measured of it: rates, the best set of layers, queue, loss, delays. Says nothing about what
// is good.

import MediaCore

/// A scenario that was played, with its measurements.
public final class Playback {
    /// The simulation at its end.
    public let simulation: Simulation
    /// The meter.
    public let meter: RoomMeter
    /// Moments (in seconds from the beginning) after which five seconds do not count.
    public let changes: [Double]
    /// Over how many ticks a rate is taken.
    static let window = 10

    private lazy var means = meter.allMeans()

    init(_ simulation: Simulation, _ meter: RoomMeter, changes: [Double]) {
        self.simulation = simulation
        self.meter = meter
        self.changes = changes
    }

    /// What a receiver was sent.
    public func series(_ receiver: UInt32) -> ReceiverSeries {
        meter.receivers[PeerID(receiver)] ?? ReceiverSeries(firstTick: 0)
    }

    /// The bottleneck that leads to a receiver.
    public func bottleneck(_ receiver: UInt32) -> Bottleneck? {
        simulation.client(receiver).profile.fromServer.bottleneck.flatMap { simulation.bottlenecks[$0] }
    }

    /// When a tick of a receiver's began.
    func start(_ tick: Int) -> Timestamp { meter.startedAt + RoomMeter.interval * Int64(tick) }

    /// The capacity of the path to a receiver in a tick, infinite when nothing limits it.
    public func capacity(_ receiver: UInt32, tick: Int) -> Double {
        bottleneck(receiver)?.capacity(from: start(tick), span: RoomMeter.interval) ?? .infinity
    }

    /// Whether a tick is in the five seconds behind a change, or behind the receiver's coming.
    func isUnsettled(_ tick: Int, _ series: ReceiverSeries, settle: Double = 5) -> Bool {
        let second = Double(tick) / 10
        let joined = Double(series.firstTick) / 10
        if second < joined + settle { return true }
        // A window that begins before a change ends after it.
        return changes.contains { second >= $0 && second < $0 + settle }
    }

    /// The rate of some kinds in the window that ends with a tick, bits per second.
    func rate(_ series: ReceiverSeries, _ kinds: [FlowKind], tick: Int, window: Int = Playback.window) -> Double {
        let last = tick - series.firstTick
        let range = max(0, last - window + 1)...max(0, last)
        var bytes = 0
        for kind in kinds {
            for t in range where t < series.bytes[Int(kind.rawValue)].count {
                bytes += series.bytes[Int(kind.rawValue)][t]
            }
        }
        return Double(bytes) * 80 / Double(range.count)
    }

    /// The rate of media that the bottleneck's queue did not drop, in the window that ends with a tick, bits per second.
    func delivered(_ series: ReceiverSeries, tick: Int) -> Double {
        let last = tick - series.firstTick
        let range = max(0, last - Self.window + 1)...max(0, last)
        let dropped = range.reduce(0) { $0 + (series.dropped.indices.contains($1) ? series.dropped[$1] : 0) }
        return rate(series, [.audio, .video], tick: tick) - Double(dropped) * 80 / Double(range.count)
    }

    /// The ticks in which a receiver was measured.
    func ticks(_ series: ReceiverSeries) -> Range<Int> {
        series.firstTick..<(series.firstTick + series.estimate.count)
    }

    // MARK: Figures

    /// The part of the settled time in which media was forwarded, and not dropped by the queue, at 0.9 of the rate of the best set of layers that fits `usable`
    /// of the capacity (and of that, one of `sharers` equal parts); 1 when nothing was to be judged.
    public func fitting(_ receiver: UInt32, usable: Double, sharers: (Int) -> Int = { _ in 1 }) -> Double {
        fitting([receiver], usable: usable, sharers: sharers)
    }

    /// The same of receivers that share a bottleneck, all that was forwarded to them against all that could have been in equal
    /// shares: how they share it is `fairness`.
    public func fitting(_ receivers: [UInt32], usable: Double, sharers: (Int) -> Int) -> Double {
        let all = receivers.map { ($0, series($0)) }
        var good = 0
        var count = 0
        for tick in 0..<meter.ticks {
            let present = all.filter { ticks($0.1).contains(tick) }
            guard !present.isEmpty, !present.contains(where: { isUnsettled(tick, $0.1) }) else { continue }
            count += 1
            var got = 0.0
            var most = 0.0
            for (receiver, series) in present {
                let capacity = capacity(receiver, tick: tick) * usable / Double(max(1, sharers(tick)))
                got += delivered(series, tick: tick)
                most += best(receiver, tick: tick, capacity: capacity)
            }
            if got >= 0.9 * most { good += 1 }
        }
        return count == 0 ? 1 : Double(good) / Double(count)
    }

    /// The rate of the best set of layers, audio included, that a receiver could be sent at this capacity.
    public func best(_ receiver: UInt32, tick: Int, capacity: Double) -> Double {
        let series = series(receiver)
        let index = tick - series.firstTick
        guard series.shown.indices.contains(index) else { return 0 }
        let audio = rate(series, [.audio], tick: tick)
        let slots = series.shown[index].map {
            meter.options($0, means: means, tick: tick, window: Self.window)
        }
        return audio + bestSet(slots, fitting: capacity - audio).present
    }

    /// The longest time for which the estimate was above 1.05 × capacity, in seconds; infinite when there is no estimate.
    public func longestOverestimate(_ receiver: UInt32) -> Double {
        let series = series(receiver)
        var longest = 0
        var present = 0
        var isKnown = false
        for (index, estimate) in series.estimate.enumerated() {
            guard let estimate else { continue }
            isKnown = true
            present =
                estimate > 1.05 * capacity(receiver, tick: series.firstTick + index) ? present + 1 : 0
            longest = max(longest, present)
        }
        return isKnown ? Double(longest) / 10 : .infinity
    }

    /// A percentile (0 to 1) of the time in the bottleneck's queue of what a receiver was sent, in milliseconds; the unsettled
    /// time included.
    public func queue(_ receiver: UInt32, percentile: Double) -> Double {
        let waits = passages(receiver).compactMap { $0.waited.map { Double($0.nanoseconds) / 1e6 } }
        return Distribution(waits).percentile(percentile)
    }

    /// What went through the bottleneck to a receiver.
    public func passages(_ receiver: UInt32) -> [Passage] {
        bottleneck(receiver)?.passages.filter { $0.flow == receiver && $0.kind != .control } ?? []
    }

    /// The share of a receiver's packets that the queue dropped, in percent, in the settled time or in the rest.
    public func dropped(_ receiver: UInt32, settled: Bool, kinds: Set<FlowKind> = Set(FlowKind.allCases)) -> Double {
        let series = series(receiver)
        var dropped = 0
        var all = 0
        for passage in passages(receiver) where kinds.contains(passage.kind) {
            let tick = Int((passage.enteredAt - meter.startedAt).nanoseconds / RoomMeter.interval.nanoseconds)
            guard isUnsettled(tick, series) != settled else { continue }
            all += 1
            if passage.waited == nil { dropped += 1 }
        }
        return all == 0 ? 0 : 100 * Double(dropped) / Double(all)
    }

    /// The longest that an audio packet to any receiver was held inside the core, in milliseconds.
    public var longestAudioHold: Double {
        meter.receivers.values.flatMap(\.audioHeld).map { Double($0.nanoseconds) / 1e6 }.max() ?? 0
    }

    /// The mean rate of media to a receiver over a span of seconds, bits per second.
    public func meanRate(_ receiver: UInt32, _ seconds: Range<Double>, _ kinds: [FlowKind] = [.audio, .video]) -> Double
    {
        let series = series(receiver)
        var bytes = 0
        var count = 0
        for tick in ticks(series) where seconds.contains(Double(tick) / 10) {
            count += 1
            for kind in kinds { bytes += series.bytes[Int(kind.rawValue)][tick - series.firstTick] }
        }
        return count == 0 ? 0 : Double(bytes) * 80 / Double(count)
    }

    /// The largest and the smallest ratio of a receiver's mean rate to that of all of them, over a span of seconds.
    public func fairness(_ receivers: [UInt32], _ seconds: Range<Double>) -> (least: Double, most: Double) {
        let rates = receivers.map { meanRate($0, seconds) }
        let mean = rates.reduce(0, +) / Double(max(1, rates.count))
        guard mean > 0 else { return (0, 0) }
        return ((rates.min() ?? 0) / mean, (rates.max() ?? 0) / mean)
    }

    /// The time for which a receiver's pictures stood still after a second, as a share of the time since then in percent.
    public func frozen(_ receiver: UInt32, from second: Double = 0) -> Double {
        let series = series(receiver)
        let first = max(0, Int(second * 10) - series.firstTick)
        guard first < series.frozen.count, let last = series.frozen.last else { return 0 }
        let span = Double(series.frozen.count - first) / 10
        return 100 * Double((last - series.frozen[first]).nanoseconds) / 1e9 / max(0.1, span)
    }

    /// The frames decoded a second over a span of seconds, on all slots of a receiver.
    public func framesPerSecond(_ receiver: UInt32, _ seconds: Range<Double>) -> Double {
        let series = series(receiver)
        let own = ticks(series).filter { seconds.contains(Double($0) / 10) }
        guard let first = own.first, let last = own.last, last > first else { return 0 }
        let frames = series.framesDecoded[last - series.firstTick] - series.framesDecoded[first - series.firstTick]
        return Double(frames) * 10 / Double(last - first)
    }

    /// The longest freeze of any slot of a receiver, in milliseconds.
    public func longestFreeze(_ receiver: UInt32) -> Double {
        Double(series(receiver).longestFreeze.last?.nanoseconds ?? 0) / 1e6
    }

    /// The longest freeze of a receiver's slots that was over between two seconds, or went on at the end, in milliseconds. Of freezes
    /// one right behind another it is all of them.
    public func longestFreeze(_ receiver: UInt32, from second: Double, until end: Double) -> Double {
        let series = series(receiver)
        var longest = 0.0
        var present = 0.0
        for tick in ticks(series) where Double(tick) / 10 >= second && Double(tick) / 10 < end {
            let index = tick - series.firstTick
            guard index > 0 else { continue }
            let more = Double((series.frozen[index] - series.frozen[index - 1]).nanoseconds) / 1e6
            present = more > 0 ? present + more : 0
            longest = max(longest, present)
        }
        return longest
    }

    /// How often the forwarded encodings of a receiver's slots changed, a minute, in the settled time.
    public func switchesPerMinute(_ receiver: UInt32) -> Double {
        let series = series(receiver)
        let settled = ticks(series).count { !isUnsettled($0, series) }
        let count = series.switches.count { !isUnsettled($0.tick, series) }
        return settled == 0 ? 0 : Double(count) * 600 / Double(settled)
    }

    /// How long after a second the last packet of video went out before one of the next `span` seconds began without any; the
    /// span itself when it never stopped.
    public func videoStopped(_ receiver: UInt32, after second: Double, span: Double) -> Double {
        let series = series(receiver)
        let first = Int((second * 10).rounded()) - series.firstTick
        let last = min(first + Int(span * 10), series.estimate.count)
        var stopped = 0
        for tick in first..<max(first, last) where series.bytes[Int(FlowKind.video.rawValue)][tick] > 0 {
            stopped = tick - first + 1
        }
        return Double(stopped) / 10
    }

    /// How long after a second the estimate is below a rate for the first time, in seconds; infinite when it never is.
    public func estimateBelow(_ receiver: UInt32, _ rate: Double, after second: Double) -> Double {
        let series = series(receiver)
        for tick in ticks(series) where Double(tick) / 10 >= second {
            if let estimate = series.estimate[tick - series.firstTick], estimate <= rate {
                return Double(tick + 1) / 10 - second
            }
        }
        return .infinity
    }

    /// The mean of the estimate over a span of seconds, bits per second; nothing when there is none.
    public func meanEstimate(_ receiver: UInt32, _ seconds: Range<Double>) -> Double {
        let series = series(receiver)
        let values = ticks(series).filter { seconds.contains(Double($0) / 10) }
            .compactMap { series.estimate[$0 - series.firstTick] }
        return values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }

    /// The most that was sent in any second in which the path carried 150 kb/s or more, as a multiple of what it carried.
    public func mostOverCapacity(_ receiver: UInt32, from second: Double) -> Double {
        guard let bottleneck = bottleneck(receiver) else { return 0 }
        let series = series(receiver)
        var most = 0.0
        for tick in ticks(series) where Double(tick) / 10 >= second {
            let capacity = bottleneck.capacity(from: start(tick - 9), span: .seconds(1))
            guard capacity >= 150_000 else { continue }
            let sent = rate(series, [.audio, .video, .retransmission, .padding], tick: tick)
            most = max(most, sent / capacity)
        }
        return most
    }
}
