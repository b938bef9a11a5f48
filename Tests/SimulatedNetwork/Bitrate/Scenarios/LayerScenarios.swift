// Layers: the right one for each of three receivers, layers that flap and die, and layers paused at the publisher that are needed
// again.

import MediaCore

/// Scenarios about layers.
public enum LayerScenarios {
    /// All of them.
    public static var all: [BitrateScenario] {
        [
            threeReceivers, fallingLink, tightLink, jitteryLink, wideLink, busyServer, flapping, dying,
            pausedThenJoined, pausedThenPinned,
        ]
    }

    /// 100, 350 and 1,200 kb/s to receivers on 2 Mb/s, 500 kb/s and 150 kb/s.
    public static var threeReceivers: BitrateScenario {
        BitrateScenario(
            "three-receivers", .layers,
            "Receivers on 2 Mb/s, 500 kb/s and 150 kb/s get f, h, and q at its lowest or nothing",
            receivers: [2, 3, 4],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)),
                .bottleneck(2, BottleneckConditions(.constant(500_000), queueBytes: 18_750)),
                .bottleneck(3, BottleneckConditions(.constant(150_000), queueBytes: 7_500)),
                .join(1, .sender(.ladder(100, 350, 1_200))), .join(2, .watcher(behind: 1)),
                .join(3, .watcher(behind: 2)), .join(4, .watcher(behind: 3)), .run(.seconds(60)),
            ]
        ) { p in
            let sent = p.simulation.client(1).audioSenders.first?.packetCount ?? 0
            let heard = p.simulation.client(4).figures("ra0").packets
            let waits = p.passages(4).filter { $0.kind == .audio }
                .compactMap { $0.waited.map { Double($0.nanoseconds) / 1e6 } }
            return usualMeasures(p, 2) + usualMeasures(p, 3)
                + usualMeasures(p, 4).filter { !$0.name.contains("best layers") } + [
                    Measure("receiver 2: time at layer f", "%", .atLeast(90), share(p, 2, from: 10) { $0 >= 8 }),
                    Measure(
                        "receiver 3: time at layer h", "%", .atLeast(90), share(p, 3, from: 10) { (4..<8).contains($0) }
                    ),
                    Measure("receiver 4: time at q or nothing", "%", .atLeast(99), share(p, 4, from: 10) { $0 < 4 }),
                    Measure(
                        "receiver 4: audio lost", "%", .atMost(0.1),
                        100 * (1 - Double(heard + 5) / Double(max(1, sent)))),
                    Measure(
                        "receiver 4: p95 of the queue for audio", "ms", .atMost(150),
                        Distribution(waits).percentile(0.95)),
                ]
        }
    }

    /// The link of one of three receivers falls from 2 Mb/s to 500 kb/s and is as wide again after twenty seconds, four times. The
    /// middle layer, which nobody else watches, comes before half a second has passed.
    public static var fallingLink: BitrateScenario {
        let falls = [20.0, 60, 100, 140]
        var capacity: [(second: Double, rate: Int64)] = [(0, 2_000)]
        for fall in falls { capacity += [(fall, 500), (fall + 20, 2_000)] }
        var shape = VideoShape.ladder(100, 350, 1_200)
        shape.framesPerSecond = 15
        shape.keyFrameFactor = 6
        return BitrateScenario(
            "falling-link", .layers, "One of three receivers falls from 2 Mb/s to 500 kb/s and rises again, four times",
            receivers: [3], changes: falls.flatMap { [$0, $0 + 20] },
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)),
                .bottleneck(2, BottleneckConditions(.kilobits(capacity), queueBytes: 18_750)),
                .bottleneck(3, BottleneckConditions(.constant(150_000), queueBytes: 7_500)),
                .join(1, .sender(shape)),
                .join(2, .watcher(behind: 1, delay: .milliseconds(2), jitter: .milliseconds(2))),
                .join(3, .watcher(behind: 2, delay: .milliseconds(2), jitter: .milliseconds(2))),
                .join(4, .watcher(behind: 3, delay: .milliseconds(2), jitter: .milliseconds(2))), .run(.seconds(180)),
            ]
        ) { p in
            let freezes = falls.map { p.longestFreeze(3, from: $0, until: $0 + 14) }
            let shares = falls.map { share(p, 3, from: $0 + 5, until: $0 + 20) { (4..<8).contains($0) } }
            return usualMeasures(p, 3) + [
                Measure("longest freeze behind a fall", "ms", .atMost(500), freezes.max() ?? 0),
                Measure("falls with a freeze over 500 ms", "", .reported, Double(freezes.filter { $0 > 500 }.count)),
                Measure(
                    "time at layer h between 5 and 20 s behind a fall", "%", .atLeast(90),
                    shares.reduce(0, +) / Double(falls.count)),
            ]
        }
    }

    /// A camera of 15 frames a second.
    private static var slowCamera: VideoShape {
        var shape = VideoShape.ladder(100, 350, 1_200)
        shape.framesPerSecond = 15
        return shape
    }

    /// A link that carries the best layer, with its headers and the sound, but little more.
    public static var tightLink: BitrateScenario {
        BitrateScenario(
            "tight-link", .layers, "1.2 Mb/s of video over 1.5 Mb/s: all of it, for most of the time",
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(1_500_000), queueBytes: 56_250)),
                .join(1, .sender(slowCamera)),
                .join(2, .watcher(behind: 1, delay: .milliseconds(2), jitter: .milliseconds(2))), .run(.seconds(75)),
            ]
        ) { p in
            usualMeasures(p, 2, fitting: .reported) + [
                Measure("media from 15 s on", "kb/s", .atLeast(1_000), p.meanRate(2, 15..<75) / 1_000),
                Measure(
                    "time at all of layer f from 15 s on", "%", .atLeast(70), share(p, 2, from: 15) { $0 >= 10 }),
            ]
        }
    }

    /// A link whose delay goes to and fro by more than its queue does, and that loses a little by itself.
    public static var jitteryLink: BitrateScenario {
        BitrateScenario(
            "jittery-link", .layers, "1 Mb/s with 15 ms of jitter and 1 % loss",
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(1_000_000), queueBytes: 37_500)),
                .join(1, .sender(slowCamera)),
                .join(2, .watcher(behind: 1, delay: .milliseconds(40), jitter: .milliseconds(15), loss: 0.01)),
                .run(.seconds(75)),
            ]
        ) { p in
            // What is lost by itself is in what is dropped.
            let usual = usualMeasures(p, 2, fitting: .reported).filter {
                !$0.name.contains("dropped") && !$0.name.contains("above")
            }
            return usual + [
                Measure("longest above 1.05 × capacity", "s", .reported, p.longestOverestimate(2)),
                Measure("media from 15 s on", "kb/s", .atLeast(600), p.meanRate(2, 15..<75) / 1_000),
            ]
        }
    }

    /// One camera over a link that carries it seven times, and one that carries it with a third to spare: to the first whole frames
    /// leave at once, and the second's queue stays short.
    public static var wideLink: BitrateScenario {
        BitrateScenario(
            "wide-link", .layers, "Frames leave together for a receiver on 10 Mb/s, and not for one on 2 Mb/s",
            receivers: [2, 3],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(10_000_000), queueBytes: 150_000)),
                .bottleneck(2, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)),
                .join(1, .sender(.ladder(100, 350, 1_350))), .join(2, .watcher(behind: 1)),
                .join(3, .watcher(behind: 2)), .run(.seconds(60)),
            ]
        ) { p in
            usualMeasures(p, 2) + usualMeasures(p, 3) + [
                Measure("receiver 2: packets in one burst", "", .atLeast(3.5), packetsTogether(p, 2)),
                Measure("receiver 3: packets in one burst", "", .atMost(2), packetsTogether(p, 3)),
                Measure("receiver 3: p95 of the queue", "ms", .atMost(25), p.queue(3, percentile: 0.95)),
            ]
        }
    }

    /// How many packets of video leave for a receiver in one moment, from the tenth second on.
    private static func packetsTogether(_ p: Playback, _ receiver: UInt32) -> Double {
        let from = p.meter.startedAt + .seconds(10)
        var bursts: [Timestamp: Int] = [:]
        for passage in p.passages(receiver) where passage.kind == .video && passage.enteredAt >= from {
            bursts[passage.enteredAt, default: 0] += 1
        }
        let packets = bursts.values.reduce(0, +)
        return Double(packets) / Double(max(1, bursts.count))
    }

    /// The server's machine is busy: it stands still up to 25 ms, every 40 ms. That a link becomes four times as wide, and narrow
    /// again, is found out all the same.
    public static var busyServer: BitrateScenario {
        let capacity = CapacityPlan.kilobits([(0, 500), (30, 2_000), (60, 500)])
        return BitrateScenario(
            "busy-server", .layers,
            "500 kb/s, 2 Mb/s from 30 s to 60 s, of a server that stands still up to 25 ms every 40 ms",
            changes: [30, 60],
            steps: [
                .busyServer(BusyServer(every: .milliseconds(40), longest: .milliseconds(25))),
                .bottleneck(1, BottleneckConditions(capacity, queueBytes: 18_750)),
                .join(1, .sender(.ladder(100, 350, 1_200))), .join(2, .watcher(behind: 1)), .run(.seconds(90)),
            ]
        ) { p in
            let isMiddle: (Int) -> Bool = { (4..<8).contains($0) }
            return usualMeasures(p, 2, fitting: .reported) + [
                Measure("500 kb/s: time at layer h", "%", .atLeast(90), share(p, 2, from: 10, until: 30, isMiddle)),
                Measure("2 Mb/s: time at layer f", "%", .atLeast(90), share(p, 2, from: 40, until: 60) { $0 >= 8 }),
                Measure("500 kb/s again: time at layer h", "%", .atLeast(90), share(p, 2, from: 70, isMiddle)),
            ]
        }
    }

    /// The share of ticks from a second on in which what is shown is a layer that `isRight`, in percent: -1 for nothing, else
    /// 4 × encoding + temporal layer.
    static func share(
        _ p: Playback, _ receiver: UInt32, from second: Double, until end: Double = .infinity,
        _ isRight: (Int) -> Bool
    ) -> Double {
        let series = p.series(receiver)
        var right = 0
        var all = 0
        for tick in p.ticks(series) where Double(tick) / 10 >= second && Double(tick) / 10 < end {
            all += 1
            if isRight(series.layer[tick - series.firstTick] ?? -1) { right += 1 }
        }
        return all == 0 ? 0 : 100 * Double(right) / Double(all)
    }

    /// The top layer comes and goes every second and a half.
    public static var flapping: BitrateScenario {
        var steps: [Step] = [
            .bottleneck(1, BottleneckConditions(.constant(3_000_000), queueBytes: 112_500)),
            .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(10)),
        ]
        for _ in 0..<10 {
            steps += [
                .layer(1, rid: "f", isAlive: false), .run(.milliseconds(1_500)), .layer(1, rid: "f", isAlive: true),
                .run(.milliseconds(1_500)),
            ]
        }
        steps.append(.run(.seconds(20)))
        return BitrateScenario(
            "layer-flaps", .layers, "The top layer comes and goes every 1.5 s for 30 s", steps: steps
        ) { p in
            [
                Measure("longest freeze", "ms", .atMost(1_200), p.longestFreeze(2)),
                Measure("frozen from 10 s on", "%", .atMost(35), p.frozen(2, from: 10)),
                Measure("time at layer f from 45 s on", "%", .atLeast(95), share(p, 2, from: 45) { $0 >= 8 }),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
                Measure("dropped", "%", .atMost(0), p.dropped(2, settled: true)),
            ]
        }
    }

    /// The top layer dies, then the middle one; both come back.
    public static var dying: BitrateScenario {
        BitrateScenario(
            "layer-dies", .layers, "The top layer dies at 15 s, the middle one at 25 s; both live again at 35 s",
            changes: [15, 25, 35],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(3_000_000), queueBytes: 112_500)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(15)),
                .layer(1, rid: "f", isAlive: false), .run(.seconds(10)), .layer(1, rid: "h", isAlive: false),
                .run(.seconds(10)), .layer(1, rid: "f", isAlive: true), .layer(1, rid: "h", isAlive: true),
                .run(.seconds(25)),
            ]
        ) { p in
            [
                Measure("longest freeze", "ms", .atMost(1_200), p.longestFreeze(2)),
                Measure(
                    "time at h from 17 to 25 s", "%", .atLeast(95),
                    share(p, 2, from: 17, until: 25) { (4..<8).contains($0) }),
                Measure(
                    "time at q from 27 to 35 s", "%", .atLeast(95),
                    share(p, 2, from: 27, until: 35) { (0..<4).contains($0) }),
                Measure("time at f from 42 s on", "%", .atLeast(95), share(p, 2, from: 42) { $0 >= 8 }),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
            ]
        }
    }

    /// How long after a second a layer was sent to a receiver for the first time, in milliseconds.
    static func firstSent(_ p: Playback, _ receiver: UInt32, after second: Double, _ isRight: (Int) -> Bool) -> Double {
        let series = p.series(receiver)
        for tick in p.ticks(series) where Double(tick) / 10 >= second {
            if let layer = series.layer[tick - series.firstTick], isRight(layer) {
                return (Double(tick + 1) / 10 - second) * 1_000
            }
        }
        return .infinity
    }

    /// The bytes per second of an encoding that a publisher sent over a span of seconds, in kb/s.
    static func offered(_ p: Playback, _ publisher: UInt32, _ encoding: Int, _ seconds: Range<Int>) -> Double {
        for one in p.meter.offered.values where one.track.peer == PeerID(publisher) && one.number == encoding {
            var bytes = 0
            for tick in (seconds.lowerBound * 10)..<(seconds.upperBound * 10) {
                for layer in one.bytes where layer.indices.contains(tick) { bytes += layer[tick] }
            }
            return Double(bytes) * 8 / Double(seconds.count) / 1_000
        }
        return 0
    }

    /// A receiver on a narrow link alone in the room: the upper layers are paused; then one comes that can have all.
    public static var pausedThenJoined: BitrateScenario {
        BitrateScenario(
            "paused-then-joined", .layers,
            "The upper layers are paused for want of watchers; at 20 s somebody joins who needs them",
            receivers: [2, 3], changes: [20],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(250_000), queueBytes: 12_500)),
                .bottleneck(2, BottleneckConditions(.constant(4_000_000), queueBytes: 150_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(20)), .join(3, .watcher(behind: 2)),
                .run(.seconds(20)),
            ]
        ) { p in
            [
                Measure("layer f while nobody can have it, 10 to 20 s", "kb/s", .atMost(20), offered(p, 1, 2, 10..<20)),
                Measure("a picture for who joins", "ms", .atMost(1_000), firstSent(p, 3, after: 20) { _ in true }),
                Measure("layer f for who joins", "ms", .atMost(4_000), firstSent(p, 3, after: 20) { $0 >= 8 }),
                Measure("receiver 3: p95 of the queue", "ms", .atMost(150), p.queue(3, percentile: 0.95)),
                Measure("receiver 2: dropped", "%", .atMost(0), p.dropped(2, settled: true)),
            ]
        }
    }

    /// Nobody looks at more than a thumbnail; then somebody pins it large.
    public static var pausedThenPinned: BitrateScenario {
        let small = SlotWish(mid: StandardScenarios.mid("rv0"), pin: nil, wantedHeight: 180)
        let large = SlotWish(
            mid: StandardScenarios.mid("rv0"), pin: TrackID(peer: PeerID(1), mid: StandardScenarios.mid("v")),
            wantedHeight: 720)
        return BitrateScenario(
            "paused-then-pinned", .layers,
            "Everybody looks at thumbnails; at 20 s one receiver pins the picture at 720",
            changes: [20],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(4_000_000), queueBytes: 150_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .wish(2, [small]), .run(.seconds(20)),
                .wish(2, [large]), .run(.seconds(20)),
            ]
        ) { p in
            [
                Measure("layer f while nobody wants it, 10 to 20 s", "kb/s", .atMost(20), offered(p, 1, 2, 10..<20)),
                Measure("time at q from 10 to 20 s", "%", .atLeast(99), share(p, 2, from: 10, until: 20) { $0 < 4 }),
                Measure("layer f after the pin", "ms", .atMost(1_500), firstSent(p, 2, after: 20) { $0 >= 8 }),
                Measure("longest freeze", "ms", .atMost(500), p.longestFreeze(2)),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
            ]
        }
    }
}
