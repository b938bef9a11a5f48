// Networks that misbehave: random loss on a fast link, a change of route, an outage, sudden drops, recorded mobile networks.

import MediaCore

/// Scenarios about networks.
public enum NetworkScenarios {
    /// All of them that need no recorded network.
    public static var all: [BitrateScenario] {
        [
            randomLoss(10), randomLoss(20), routeChange, outage, halved, held(500, 400, 500), held(800, 600, 900),
            held(100, 65, 115), rampUp,
        ]
    }

    /// Random loss on a fast link: the picture stays.
    public static func randomLoss(_ percent: Int) -> BitrateScenario {
        BitrateScenario(
            "random-loss-\(percent)", .networks, "\(percent) % random loss on 10 Mb/s: the picture stays",
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(10_000_000), queueBytes: 375_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1, loss: Double(percent) / 100)), .run(.seconds(60)),
            ]
        ) { p in
            [
                Measure(
                    "least second of video from 5 s on", "kb/s", .atLeast(50),
                    FallbackScenarios.leastSecond(p, 2, from: 5, kinds: [.video]) / 1_000),
                Measure(
                    "media from 20 s on", "kb/s", .atLeast(percent <= 10 ? 450 : 150), p.meanRate(2, 20..<60) / 1_000),
                Measure("frames from 10 s on", "/s", .atLeast(10), p.framesPerSecond(2, 10..<60)),
                Measure("longest freeze", "ms", .atMost(2_000), p.longestFreeze(2)),
                Measure("frozen from 10 s on", "%", .reported, p.frozen(2, from: 10)),
                Measure("estimate from 20 s on", "kb/s", .reported, p.meanEstimate(2, 20..<60) / 1_000),
                Measure("switches", "/min", .reported, p.switchesPerMinute(2)),
            ]
        }
    }

    /// The path becomes 100 ms longer at 20 s, and its capacity another at 40 s.
    public static var routeChange: BitrateScenario {
        func down(_ bottleneck: Int, _ milliseconds: Int64) -> LinkConditions {
            var conditions = LinkConditions(delay: .milliseconds(milliseconds), jitter: .milliseconds(10))
            conditions.bottleneck = bottleneck
            return conditions
        }
        return BitrateScenario(
            "route-change", .networks,
            "The path grows by 100 ms at 20 s; at 40 s it is short again, with 700 kb/s instead of 2 Mb/s",
            changes: [20, 40],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)),
                .bottleneck(2, BottleneckConditions(.constant(700_000), queueBytes: 26_250)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(20)),
                .network(2, toServer: LinkConditions(delay: .milliseconds(150)), fromServer: down(1, 150)),
                .run(.seconds(20)),
                .network(2, toServer: LinkConditions(delay: .milliseconds(50)), fromServer: down(2, 50)),
                .run(.seconds(30)),
            ]
        ) { p in
            [
                Measure("media before", "kb/s", .atLeast(1_300), p.meanRate(2, 10..<20) / 1_000),
                Measure("media on the longer path", "kb/s", .atLeast(1_300), p.meanRate(2, 28..<40) / 1_000),
                Measure("media on the new path", "kb/s", .within(400, 700), p.meanRate(2, 48..<70) / 1_000),
                Measure("p95 of the queue of the new path", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
                Measure("dropped outside changes", "%", .atMost(0), p.dropped(2, settled: true)),
                Measure("frozen", "%", .reported, p.frozen(2)),
            ]
        }
    }

    /// Nothing passes from 20 to 25 s.
    public static var outage: BitrateScenario {
        BitrateScenario(
            "outage", .networks, "Nothing passes from 20 to 25 s", changes: [20, 25],
            steps: [
                .bottleneck(
                    1, BottleneckConditions(.kilobits([(0, 2_000), (20, 0), (25, 2_000)]), queueBytes: 75_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(60)),
            ]
        ) { p in
            [
                Measure("down to audio after", "s", .atMost(1), p.videoStopped(2, after: 20, span: 5)),
                Measure("media from 35 s on", "kb/s", .atLeast(1_300), p.meanRate(2, 35..<60) / 1_000),
                Measure("first second with a picture after it", "s", .atMost(3), firstPicture(p, 2, after: 25)),
                Measure("p95 of the queue", "ms", .reported, p.queue(2, percentile: 0.95)),
            ]
        }
    }

    /// How long after a second the first frame is decoded that was sent after it.
    static func firstPicture(_ p: Playback, _ receiver: UInt32, after second: Double) -> Double {
        let series = p.series(receiver)
        var before: Int?
        for tick in p.ticks(series) where Double(tick) / 10 >= second {
            let decoded = series.framesDecoded[tick - series.firstTick]
            if let before, decoded > before { return Double(tick + 1) / 10 - second }
            before = before ?? decoded
        }
        return .infinity
    }

    /// libwebrtc's own mark: a drop from 1 to 0.5 Mb/s is noticed within 0.6 s.
    public static var halved: BitrateScenario {
        BitrateScenario(
            "capacity-halved", .networks, "1 Mb/s becomes 500 kb/s at 20 s", changes: [20],
            steps: [
                .bottleneck(1, BottleneckConditions(.kilobits([(0, 1_000), (20, 500)]), queueBytes: 37_500)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(40)),
            ]
        ) { p in
            [
                Measure("estimate below 525 kb/s after", "s", .atMost(0.6), p.estimateBelow(2, 525_000, after: 20)),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
                Measure("dropped outside changes", "%", .atMost(0), p.dropped(2, settled: true)),
                Measure("dropped in changes", "%", .reported, p.dropped(2, settled: false)),
                Measure("frozen from 20 s on", "%", .reported, p.frozen(2, from: 20)),
            ]
        }
    }

    /// libwebrtc's own marks for the estimate on constant links.
    public static func held(_ kilobits: Int64, _ low: Double, _ high: Double) -> BitrateScenario {
        BitrateScenario(
            "held-\(kilobits)", .networks,
            "A link of \(kilobits) kb/s: the estimate stays at \(Int(low)) to \(Int(high)) kb/s",
            steps: [
                .bottleneck(
                    1,
                    BottleneckConditions(.constant(kilobits * 1_000), queueBytes: max(6_000, Int(kilobits) * 300 / 8))),
                .join(1, .sender(.ladder(kilobits < 200 ? 60 : 150))), .join(2, .watcher(behind: 1)),
                .run(.seconds(40)),
            ]
        ) { p in
            [
                Measure("estimate from 15 s on", "kb/s", .within(low, high), p.meanEstimate(2, 15..<40) / 1_000),
                Measure("longest above 1.05 × capacity", "s", .atMost(1), p.longestOverestimate(2)),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
                Measure("dropped outside changes", "%", .atMost(0), p.dropped(2, settled: true)),
                Measure("media from 15 s on", "kb/s", .reported, p.meanRate(2, 15..<40) / 1_000),
            ]
        }
    }

    /// libwebrtc's own mark: 2 Mb/s with a round trip of 50 ms, above 1.5 Mb/s after 10 s.
    public static var rampUp: BitrateScenario {
        BitrateScenario(
            "ramp-up", .networks, "2 Mb/s, 25 ms each way: above 1.5 Mb/s after 10 s",
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1, delay: .milliseconds(25), jitter: .zero)),
                .run(.seconds(30)),
            ]
        ) { p in
            [
                Measure("estimate from 10 s on", "kb/s", .atLeast(1_500), p.meanEstimate(2, 10..<30) / 1_000),
                Measure("media from 10 s on", "kb/s", .atLeast(1_400), p.meanRate(2, 10..<30) / 1_000),
                Measure(
                    "first second at layer f", "ms", .reported, LayerScenarios.firstSent(p, 2, after: 0) { $0 >= 8 }),
                Measure("longest above 1.05 × capacity", "s", .atMost(1), p.longestOverestimate(2)),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
            ]
        }
    }

    /// A recorded mobile network, both directions.
    public static func recorded(down: CapacityTrace, up: CapacityTrace) -> BitrateScenario {
        var profile = ParticipantProfile.watcher(behind: 1, delay: .milliseconds(20), jitter: .zero)
        profile.toServer.bottleneck = 2
        return BitrateScenario(
            "lte-down", .networks, "A recorded LTE downlink (Verizon, short)",
            steps: [
                .bottleneck(1, BottleneckConditions(.trace(down), queueBytes: 150_000)),
                .bottleneck(2, BottleneckConditions(.trace(up), queueBytes: 150_000)),
                .join(1, .sender()), .join(2, profile), .run(.seconds(100)),
            ]
        ) { recordedMeasures($0) }
    }

    /// The uplink's record used as a downlink: slower and with longer gaps.
    public static func recordedUplink(up: CapacityTrace) -> BitrateScenario {
        BitrateScenario(
            "lte-up", .networks, "A recorded LTE uplink (Verizon, short) as the downlink",
            steps: [
                .bottleneck(1, BottleneckConditions(.trace(up), queueBytes: 100_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1, delay: .milliseconds(20), jitter: .zero)),
                .run(.seconds(100)),
            ]
        ) { recordedMeasures($0) }
    }

    private static func recordedMeasures(_ p: Playback) -> [Measure] {
        [
            Measure("most sent in a second, of what was carried", "×", .atMost(2), p.mostOverCapacity(2, from: 5)),
            Measure("p95 of the queue", "ms", .reported, p.queue(2, percentile: 0.95)),
            Measure("media", "kb/s", .reported, p.meanRate(2, 5..<100) / 1_000),
            Measure("dropped", "%", .reported, p.dropped(2, settled: true)),
            Measure("frozen", "%", .reported, p.frozen(2)),
            Measure("switches", "/min", .reported, p.switchesPerMinute(2)),
        ]
    }
}
