// Layers within an encoding: what a slot may forward is limited and widened while frames come, and what its receiver sees
// is one stream in which no picture is broken.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Temporal layers")
struct TemporalLayerScenarios {
    private static func publisher(_ network: LinkConditions = LinkConditions()) -> ParticipantProfile {
        ParticipantProfile(
            [.camera(VideoShape(temporalLayers: 3))], audioSlots: 0, videoSlots: 0, toServer: network)
    }

    private static func limit(_ temporal: UInt8) -> Step { .limit(2, slot: "rv0", temporal: temporal) }

    @Test("Of three layers one, two or all are forwarded, with numbers that have no gap")
    func everyLimit() {
        let simulation = play(
            Scenario(
                "temporal limits",
                steps: [
                    .join(1, Self.publisher()), .join(2, .viewer), .run(.seconds(2)), Self.limit(0),
                    .run(.milliseconds(100)), .mark, .run(.seconds(4)),
                    .expect("a quarter of the frames") { (29...31).contains($0.framesDecoded(by: 2)) },
                    Self.limit(1), .run(.milliseconds(400)), .mark, .run(.seconds(4)),
                    .expect("half of the frames") { (59...61).contains($0.framesDecoded(by: 2)) },
                    Self.limit(2), .run(.milliseconds(400)), .mark, .run(.seconds(4)),
                    .expect("all frames") { (119...121).contains($0.framesDecoded(by: 2)) },
                    Self.limit(255), .mark, .run(.seconds(2)),
                    .expect("all frames without a limit") { (59...61).contains($0.framesDecoded(by: 2)) },
                ]))
        let figures = simulation.client(2).figures("rv0")
        #expect(figures.framesWithoutReferences == 0)
        #expect(figures.lost == 0)
        #expect(simulation.client(2).missingPackets == 0 && simulation.client(2).packetsGivenUp == 0)
        #expect(simulation.client(1).videoSenders[0].encodings[0].keyFrameCount <= 2)
        let switched = simulation.decisions.compactMap { one -> Int? in
            if case .layerSwitched(_, _, _, layer: 0, spatial: 0, let temporal) = one.decision { temporal } else { nil }
        }
        #expect(switched == [0, 1, 2])
    }

    @Test("A base layer alone has no gap, whatever the uplink loses and reorders", arguments: 1...6 as ClosedRange<UInt64>)
    func baseLayerWithLoss(seed: UInt64) {
        let uplink = LinkConditions(jitter: .milliseconds(30), loss: 0.03, reordering: 0.02)
        let simulation = play(
            Scenario(
                "base layer and loss", seed: seed,
                steps: [
                    .join(1, Self.publisher(uplink)), Self.limit(0), .join(2, .viewer), Self.limit(0),
                    .run(.seconds(3)), .mark, .run(.seconds(20)),
                ]))
        let figures = simulation.client(2).figures("rv0")
        #expect(figures.framesDecoded >= 145 && figures.framesWithoutReferences == 0, "\(figures)")
        #expect(simulation.client(2).packetsGivenUp == 0, "\(figures)")
    }

    @Test("Limits that change several times a second break no picture", arguments: 1...8 as ClosedRange<UInt64>)
    func rapidChanges(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let loss = seed % 2 == 0 ? 0.02 : 0
        let uplink = LinkConditions(jitter: .milliseconds(loss > 0 ? 20 : 0), loss: loss)
        var steps: [Step] = [.join(1, Self.publisher(uplink)), .join(2, .viewer), .run(.seconds(1)), .mark]
        for _ in 0..<120 {
            steps += [
                Self.limit([0, 1, 2, 255][random.below(4)]), .run(.milliseconds(Int64(20 + random.below(300)))),
            ]
        }
        let simulation = play(Scenario("rapid limits", seed: seed, steps: steps))
        let figures = simulation.client(2).figures("rv0")
        #expect(figures.framesDecoded > 200, "\(figures)")
        if loss == 0 { #expect(figures.framesWithoutReferences == 0 && figures.freezes == 0, "\(figures)") }
    }

    @Test("A slot limited before its source comes begins with its limit, and a new source keeps to it")
    func limitedSwitch() {
        let viewer = ParticipantProfile([], audioSlots: 0, videoSlots: 1)
        func pin(_ peer: UInt32) -> Step {
            .wish(3, [SlotWish(mid: Mid("rv0")!, pin: TrackID(peer: PeerID(peer), mid: Mid("v")!), wantedHeight: 720)])
        }
        let simulation = play(
            Scenario(
                "limited switch",
                steps: [
                    .join(1, Self.publisher()), .join(2, Self.publisher()), .join(3, viewer),
                    .limit(3, slot: "rv0", temporal: 1), pin(1), .run(.seconds(2)), .mark, .run(.seconds(2)),
                    .expect("half of 1's frames") { (29...31).contains($0.framesDecoded(by: 3)) },
                    pin(2), .run(.seconds(1)), .mark, .run(.seconds(2)),
                    .expect("half of 2's frames") {
                        (29...31).contains($0.framesDecoded(by: 3)) && $0.heard(by: 3, .video) == [2]
                    },
                ]))
        #expect(simulation.client(3).figures("rv0").framesWithoutReferences == 0)
    }
}
