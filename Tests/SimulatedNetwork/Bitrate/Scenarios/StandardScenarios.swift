// The cases of RFC 8867 as rooms: one publisher of three simulcast layers (150, 500 and 1,500 kb/s, three temporal layers each)
// and a microphone, and receivers behind the RFC's bottlenecks. Paths are 50 ms long with up to 10 ms of jitter; queues hold what
// the reference capacity delivers in 300 ms.

import MediaCore

/// The cases of RFC 8867.
public enum StandardScenarios {
    /// All of them.
    public static var all: [BitrateScenario] {
        [
            singleFlow, multipleFlows, congestedFeedback, competingFlows, pauseAndResume, besideTCP(300),
            besideTCP(1_000),
        ]
    }

    private static func queue(_ kilobits: Int, milliseconds: Int = 300) -> Int { kilobits * milliseconds / 8 }

    /// §5.1: one flow, the capacity 1, 2.5, 0.6 and 1 Mb/s.
    public static var singleFlow: BitrateScenario {
        BitrateScenario(
            "rfc8867-5.1", .standard, "5.1 Variable available capacity with a single flow", changes: [40, 60, 80],
            steps: [
                .bottleneck(
                    1,
                    BottleneckConditions(
                        .kilobits([(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)]), queueBytes: queue(1_000))),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(100)),
            ]
        ) { usualMeasures($0, 2) }
    }

    /// §5.2: two flows, the capacity 4, 2, 3.5, 1 and 2 Mb/s.
    public static var multipleFlows: BitrateScenario {
        BitrateScenario(
            "rfc8867-5.2", .standard, "5.2 Variable available capacity with multiple flows", receivers: [2, 3],
            changes: [25, 50, 75, 100],
            steps: [
                .bottleneck(
                    1,
                    BottleneckConditions(
                        .kilobits([(0, 4_000), (25, 2_000), (50, 3_500), (75, 1_000), (100, 2_000)]),
                        queueBytes: queue(2_000))),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .join(3, .watcher(behind: 1)), .run(.seconds(125)),
            ]
        ) { p in
            let fairness = p.fairness([2, 3], 5..<125)
            return sharedMeasures(p, [2, 3]) { _ in 2 } + [
                Measure("least share of the mean rate", "", .atLeast(0.5), fairness.least),
                Measure("greatest share of the mean rate", "", .atMost(2), fairness.most),
            ]
        }
    }

    /// §5.3: both directions of one receiver's path are narrow; it sends a camera of its own over the same uplink as its feedback.
    /// Only told.
    public static var congestedFeedback: BitrateScenario {
        var profile = ParticipantProfile.watcher(behind: 1)
        profile.publications = [
            .microphone(),
            .camera(VideoShape(layers: [VideoLayer(rid: nil, bitsPerSecond: 700_000, height: 360)])),
        ]
        profile.toServer.bottleneck = 2
        profile.toServer.jitter = .milliseconds(10)
        return BitrateScenario(
            "rfc8867-5.3", .standard, "5.3 Congested feedback link with bidirectional media",
            changes: [20, 35, 40, 60, 70],
            steps: [
                .bottleneck(
                    1,
                    BottleneckConditions(
                        .kilobits([(0, 2_000), (20, 1_000), (40, 500), (60, 2_000)]), queueBytes: queue(1_000))),
                .bottleneck(
                    2,
                    BottleneckConditions(.kilobits([(0, 2_000), (35, 800), (70, 2_000)]), queueBytes: queue(1_000))),
                .join(1, .sender()), .join(2, profile), .run(.seconds(100)),
            ]
        ) { p in usualMeasures(p, 2).map { Measure($0.name, $0.unit, .reported, $0.value) } }
    }

    /// §5.4: three flows that begin at 0, 20 and 40 s share 3.5 Mb/s.
    public static var competingFlows: BitrateScenario {
        BitrateScenario(
            "rfc8867-5.4", .standard, "5.4 Competing flows with the same congestion control", receivers: [2, 3, 4],
            changes: [20, 40],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(3_500_000), queueBytes: queue(3_500))),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .run(.seconds(20)),
                .join(3, .watcher(behind: 1)), .run(.seconds(20)), .join(4, .watcher(behind: 1)), .run(.seconds(80)),
            ]
        ) { p in
            let sharers: (Int) -> Int = { $0 < 200 ? 1 : $0 < 400 ? 2 : 3 }
            let fairness = p.fairness([2, 3, 4], 45..<120)
            return sharedMeasures(p, [2, 3, 4], sharers: sharers) + [
                Measure("least share of the mean rate from 45 s on", "", .atLeast(0.5), fairness.least),
                Measure("greatest share of the mean rate from 45 s on", "", .atMost(2), fairness.most),
            ]
        }
    }

    /// §5.8: three flows share 3.5 Mb/s; one receiver looks at nothing from 40 to 60 s.
    public static var pauseAndResume: BitrateScenario {
        let slot = SlotWish(mid: mid("rv0"), pin: nil, wantedHeight: 0)
        let shown = SlotWish(mid: mid("rv0"), pin: nil, wantedHeight: 720)
        return BitrateScenario(
            "rfc8867-5.8", .standard, "5.8 Media pause and resume", receivers: [2, 3, 4], changes: [40, 60],
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(3_500_000), queueBytes: queue(3_500))),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .join(3, .watcher(behind: 1)),
                .join(4, .watcher(behind: 1)), .run(.seconds(40)), .wish(3, [slot]), .run(.seconds(20)),
                .wish(3, [shown]), .run(.seconds(60)),
            ]
        ) { p in
            let sharers: (Int) -> Int = { $0 >= 400 && $0 < 600 ? 2 : 3 }
            let fairness = p.fairness([2, 3, 4], 65..<120)
            return sharedMeasures(p, [2, 3, 4], sharers: sharers) + [
                Measure("least share of the mean rate from 65 s on", "", .atLeast(0.5), fairness.least),
                Measure("greatest share of the mean rate from 65 s on", "", .atMost(2), fairness.most),
            ]
        }
    }

    /// §5.6: a long TCP transfer (CUBIC) from the beginning, media from 5 s on, 2 Mb/s, a queue of 300 or 1,000 ms. Only told.
    public static func besideTCP(_ milliseconds: Int) -> BitrateScenario {
        BitrateScenario(
            "rfc8867-5.6-\(milliseconds)", .standard,
            "5.6 Competing with a long TCP flow, a queue of \(milliseconds) ms",
            steps: [
                .bottleneck(
                    1, BottleneckConditions(.constant(2_000_000), queueBytes: queue(2_000, milliseconds: milliseconds))),
                .join(1, .sender()), .longTransfer(bottleneck: 1, .cubic, roundTrip: .milliseconds(100)),
                .run(.seconds(5)), .join(2, .watcher(behind: 1)), .run(.seconds(115)),
            ]
        ) { p in
            let sent = p.bottleneck(2)?.passages.filter { $0.kind == .competitor && $0.waited != nil } ?? []
            let transferred = sent.reduce(0) { $0 + Int($1.bytes) }
            return usualMeasures(p, 2) { _ in 2 }.map { Measure($0.name, $0.unit, .reported, $0.value) } + [
                Measure("media", "kb/s", .reported, p.meanRate(2, 10..<120) / 1_000),
                Measure("TCP", "kb/s", .reported, Double(transferred) * 8 / 120 / 1_000),
            ]
        }
    }

    static func mid(_ text: String) -> Mid {
        guard let mid = Mid(text) else { preconditionFailure("\(text) is no media section") }
        return mid
    }
}
