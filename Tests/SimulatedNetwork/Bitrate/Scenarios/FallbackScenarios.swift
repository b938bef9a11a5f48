// Receivers that say less than transport-wide feedback: it is lost for a while, or there is only REMB, only receiver reports, or
// nothing.

import MediaCore

/// Scenarios about feedback.
public enum FallbackScenarios {
    /// All of them.
    public static var all: [BitrateScenario] {
        [feedbackLost, adaptive, maximumBitrate, reports, reportsWithLoss, nothing]
    }

    private static func narrow(
        _ id: String, _ title: String, _ answers: ReceiverAnswers, _ judge: @escaping @Sendable (Playback) -> [Measure]
    )
        -> BitrateScenario
    {
        BitrateScenario(
            id, .fallbacks, title, changes: [30],
            steps: [
                .bottleneck(1, BottleneckConditions(.kilobits([(0, 1_000), (30, 400)]), queueBytes: 37_500)),
                .join(1, .sender()), .join(2, .watcher(behind: 1, answers: answers)), .run(.seconds(60)),
            ], judge: judge)
    }

    /// Feedback is lost from 20 to 23 s.
    public static var feedbackLost: BitrateScenario {
        let path = TimeDelta.milliseconds(50)
        return BitrateScenario(
            "feedback-lost", .fallbacks, "All feedback is lost from 20 to 23 s", changes: [20, 25],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(20)),
                .network(2, toServer: LinkConditions(delay: path, loss: 1)), .run(.seconds(3)),
                .network(2, toServer: LinkConditions(delay: path)), .run(.seconds(27)),
            ]
        ) { p in
            usualMeasures(p, 2) + [
                // From here it looks like a path that carries nothing at all: down to audio, which goes on in full.
                Measure(
                    "least second of media from 21 s on", "kb/s", .atLeast(45), leastSecond(p, 2, from: 21) / 1_000),
                Measure("media from 33 s on", "kb/s", .atLeast(1_300), p.meanRate(2, 33..<50) / 1_000),
            ]
        }
    }

    static func leastSecond(_ p: Playback, _ receiver: UInt32, from second: Int, kinds: [FlowKind] = [.audio, .video])
        -> Double
    {
        let end = p.ticks(p.series(receiver)).upperBound / 10
        return (second..<max(second + 1, end)).map { p.meanRate(receiver, Double($0)..<Double($0 + 1), kinds) }.min()
            ?? 0
    }

    /// Feedback as often as the rate allows.
    public static var adaptive: BitrateScenario {
        narrow("feedback-adaptive", "Feedback each 50 to 250 ms, as often as the rate allows", .adaptive) {
            usualMeasures($0, 2)
        }
    }

    /// REMB and receiver reports.
    public static var maximumBitrate: BitrateScenario {
        narrow("remb-only", "REMB only, from 1 Mb/s to 400 kb/s", .maximumBitrate) { p in
            // What such a receiver names is coarse: half as much again as comes, until a queue grows.
            let fine = ["best layers", "outside", "longest above"]
            return usualMeasures(p, 2).filter { one in !fine.contains { one.name.contains($0) } } + [
                Measure("media before", "kb/s", .atLeast(300), p.meanRate(2, 15..<30) / 1_000),
                Measure("media after", "kb/s", .within(150, 400), p.meanRate(2, 40..<60) / 1_000),
                Measure("dropped outside changes", "%", .atMost(2), p.dropped(2, settled: true)),
            ]
        }
    }

    /// Receiver reports alone.
    public static var reports: BitrateScenario {
        narrow("reports-only", "Receiver reports only, from 1 Mb/s to 400 kb/s", .reports) { p in
            [
                Measure("media before", "kb/s", .atLeast(300), p.meanRate(2, 15..<30) / 1_000),
                Measure("media after", "kb/s", .within(100, 440), p.meanRate(2, 45..<60) / 1_000),
                Measure("dropped outside changes", "%", .atMost(5), p.dropped(2, settled: true)),
                Measure("p95 of the queue", "ms", .reported, p.queue(2, percentile: 0.95)),
                Measure("frozen", "%", .reported, p.frozen(2)),
            ]
        }
    }

    /// Receiver reports alone on a path that loses 15 %: libwebrtc's own mark is 300 kb/s at most after 20 s.
    public static var reportsWithLoss: BitrateScenario {
        BitrateScenario(
            "reports-15-percent", .fallbacks, "Receiver reports only, 15 % random loss: at most 300 kb/s after 20 s",
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(10_000_000), queueBytes: 375_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1, loss: 0.15, answers: .reports)), .run(.seconds(40)),
            ]
        ) { p in
            [
                Measure("estimate from 20 s on", "kb/s", .atMost(300), mostEstimate(p, 2, from: 20) / 1_000),
                Measure("media from 20 s on", "kb/s", .atMost(330), p.meanRate(2, 20..<40) / 1_000),
            ]
        }
    }

    static func mostEstimate(_ p: Playback, _ receiver: UInt32, from second: Double) -> Double {
        let series = p.series(receiver)
        let values = p.ticks(series).filter { Double($0) / 10 >= second }
            .compactMap { series.estimate[$0 - series.firstTick] }
        return values.max() ?? .infinity
    }

    /// Negotiated, and never sent: what is forwarded must not grow without bound, and must not stop.
    public static var nothing: BitrateScenario {
        narrow("no-feedback", "Feedback was negotiated and never comes, reports neither", .nothing) { p in
            [
                Measure("media from 15 s on", "kb/s", .within(60, 500), p.meanRate(2, 15..<60) / 1_000),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(2, percentile: 0.95)),
                Measure("dropped outside changes", "%", .atMost(0), p.dropped(2, settled: true)),
            ]
        }
    }
}
