// Whole rooms: many people, slots of different sizes, a shared screen beside cameras.

import MediaCore

/// Scenarios about rooms.
public enum RoomScenarioSet {
    /// All of them.
    public static var all: [BitrateScenario] { [twoSlots, screenFirst, twentyFive] }

    private static func wish(_ slot: String, _ publisher: UInt32, _ height: UInt16) -> SlotWish {
        SlotWish(
            mid: StandardScenarios.mid(slot), pin: TrackID(peer: PeerID(publisher), mid: StandardScenarios.mid("v")),
            wantedHeight: height)
    }

    /// Bytes of each publisher's layers are not told apart by slot; the layer of the first slot is.
    public static var twoSlots: BitrateScenario {
        BitrateScenario(
            "two-slots", .rooms,
            "A large picture (720) and a thumbnail (180); 4 Mb/s, from 25 s 900 kb/s, from 50 s 250 kb/s",
            receivers: [3], changes: [25, 50],
            steps: [
                .bottleneck(
                    1, BottleneckConditions(.kilobits([(0, 4_000), (25, 900), (50, 250)]), queueBytes: 60_000)),
                .join(1, .sender()), .join(2, .sender()), .join(3, .watcher(behind: 1, slots: 2)),
                .wish(3, [wish("rv0", 1, 720), wish("rv1", 2, 180)]), .run(.seconds(75)),
            ]
        ) { p in
            usualMeasures(p, 3) + [
                Measure(
                    "large picture at f while there is room", "%", .atLeast(90),
                    LayerScenarios.share(p, 3, from: 10, until: 25) { $0 >= 8 }),
                Measure(
                    "large picture at h or better on 900 kb/s", "%", .atLeast(90),
                    LayerScenarios.share(p, 3, from: 30, until: 50) { $0 >= 4 }),
                Measure(
                    "large picture shown on 250 kb/s", "%", .atLeast(90),
                    LayerScenarios.share(p, 3, from: 55, until: 75) { $0 >= 0 }),
                Measure("thumbnail's frames on 250 kb/s", "/s", .atLeast(5), decoded(p, 3, "rv1", 75)),
            ]
        }
    }

    /// Frames of a slot per second since the beginning.
    private static func decoded(_ p: Playback, _ receiver: UInt32, _ slot: String, _ seconds: Double) -> Double {
        Double(p.simulation.client(receiver).figures(slot).framesDecoded) / seconds
    }

    /// A shared screen and two cameras for a receiver on 1 Mb/s, then 400 kb/s.
    public static var screenFirst: BitrateScenario {
        var presenter = ParticipantProfile.sender()
        presenter.publications.append(
            Publication(mid: "s", source: .screen, shape: .video(.screen(kilobits: 250))))
        return BitrateScenario(
            "screen-first", .rooms, "A shared screen with bursts and two cameras; 1.2 Mb/s, from 40 s 400 kb/s",
            receivers: [3],
            changes: [40],
            steps: [
                .bottleneck(1, BottleneckConditions(.kilobits([(0, 1_200), (40, 400)]), queueBytes: 45_000)),
                .join(1, presenter), .join(2, .sender()), .join(3, .watcher(behind: 1, slots: 3)), .run(.seconds(80)),
            ]
        ) { p in
            let sent = p.simulation.client(1).videoSenders.first { $0.mid == "s" }?.encodings.first?.frameCount ?? 0
            let slot = p.simulation.slots(of: 3).first { $0.track?.mid.text == "s" }?.mid.text ?? "rv0"
            let shown = p.simulation.client(3).figures(slot).framesDecoded
            return [
                Measure("frames of the screen shown", "%", .atLeast(95), 100 * Double(shown) / Double(max(1, sent))),
                Measure("p95 of the queue", "ms", .atMost(150), p.queue(3, percentile: 0.95)),
                Measure("dropped outside changes", "%", .atMost(0), p.dropped(3, settled: true)),
                Measure("longest above 1.05 × capacity", "s", .atMost(1), p.longestOverestimate(3)),
                Measure("media on 1.2 Mb/s", "kb/s", .atLeast(500), p.meanRate(3, 10..<40) / 1_000),
                Measure("media on 400 kb/s", "kb/s", .atLeast(150), p.meanRate(3, 50..<80) / 1_000),
                Measure("frozen", "%", .reported, p.frozen(3)),
            ]
        }
    }

    /// Twenty-five people with cameras; four of them watched behind narrow links.
    public static var twentyFive: BitrateScenario {
        var steps: [Step] = [
            .bottleneck(1, BottleneckConditions(.constant(1_500_000), queueBytes: 56_250)),
            .bottleneck(2, BottleneckConditions(.constant(600_000), queueBytes: 30_000)),
        ]
        let thumbnails = (0..<9).map { SlotWish(mid: StandardScenarios.mid("rv\($0)"), pin: nil, wantedHeight: 180) }
        for number in 1...25 as ClosedRange<UInt32> {
            var profile = ParticipantProfile(
                [.microphone(AudioShape(isTalking: number <= 2)), .camera(.ladder())], audioSlots: 3,
                videoSlots: number <= 2 ? 9 : 1)
            if number <= 2 {
                profile.fromServer.delay = .milliseconds(50)
                profile.fromServer.bottleneck = Int(number)
            }
            steps += [.join(number, profile), .run(.milliseconds(100))]
            if number <= 2 { steps.append(.wish(number, thumbnails)) }
        }
        steps.append(.run(.seconds(22)))
        return BitrateScenario(
            "twenty-five", .rooms, "25 cameras; two people watch nine thumbnails on 1.5 Mb/s and on 600 kb/s",
            receivers: [1, 2],
            changes: [0, 2.5], steps: steps
        ) { p in
            (1...2).flatMap { (receiver: UInt32) -> [Measure] in
                let who = "receiver \(receiver): "
                let slots = p.simulation.client(receiver).figures(.video)
                return [
                    Measure(who + "p95 of the queue", "ms", .atMost(150), p.queue(receiver, percentile: 0.95)),
                    Measure(who + "dropped outside changes", "%", .atMost(0), p.dropped(receiver, settled: true)),
                    Measure(who + "longest above 1.05 × capacity", "s", .atMost(1), p.longestOverestimate(receiver)),
                    Measure(
                        who + "media", "kb/s", .atLeast(receiver == 1 ? 900 : 350),
                        p.meanRate(receiver, 10..<24) / 1_000),
                    Measure(
                        who + "slots with a picture", "", .atLeast(receiver == 1 ? 9 : 5),
                        Double(slots.count { $0.framesDecoded >= 60 })),
                ]
            }
        }
    }
}
