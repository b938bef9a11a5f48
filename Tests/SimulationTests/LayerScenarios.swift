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

    @Test(
        "A base layer alone has no gap, whatever the uplink loses and reorders", arguments: 1...6 as ClosedRange<UInt64>
    )
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

/// Spatial and temporal layers in one stream.
@Suite("Scalable video")
struct ScalableScenarios {
    private static func publisher(
        _ coding: VideoCoding, _ network: LinkConditions = LinkConditions(), descriptors: Bool
    ) -> ParticipantProfile {
        var shape = VideoShape(layers: [VideoLayer(rid: nil, bitsPerSecond: 900_000)])
        shape.coding = coding
        var profile = ParticipantProfile([.camera(shape)], audioSlots: 0, videoSlots: 0, toServer: network)
        profile.usesDependencyDescriptor = descriptors
        return profile
    }

    private static func viewer(_ coding: VideoCoding, descriptors: Bool) -> ParticipantProfile {
        var profile = ParticipantProfile([], audioSlots: 0, videoSlots: 1)
        profile.receives = coding
        profile.usesDependencyDescriptor = descriptors
        return profile
    }

    static let codings: [(VideoCoding, Bool)] = [
        (.vp9(spatial: 3, temporal: 3, keyOnly: false, flexible: false), false),
        (.vp9(spatial: 3, temporal: 3, keyOnly: true, flexible: false), false),
        (.vp9(spatial: 3, temporal: 3, keyOnly: true, flexible: true), false),
        (.av1(spatial: 3, temporal: 3, keyOnly: false), true),
        (.av1(spatial: 3, temporal: 3, keyOnly: true), true),
        (.av1(spatial: 3, temporal: 3, keyOnly: true), false),
        (.av1(spatial: 1, temporal: 3, keyOnly: false), true),
    ]

    @Test("Each limit gives its layers and no others, from the next picture or key frame on", arguments: codings)
    func everyLimit(_ coding: VideoCoding, receiverHasDescriptors: Bool) {
        let (spatial, temporal, _) = coding.layers
        // Nothing tells who receives AV1 without descriptors of which layer a frame is.
        let tellsLayers: Bool
        if case .vp9 = coding { tellsLayers = true } else { tellsLayers = receiverHasDescriptors }
        var steps: [Step] = [
            .join(1, Self.publisher(coding, descriptors: true)),
            .join(2, Self.viewer(coding, descriptors: receiverHasDescriptors)), .run(.seconds(2)),
        ]
        // Down all the way, and up again.
        let down = (0..<spatial).flatMap { s in (0..<temporal).map { (s, $0) } }.reversed()
        for (s, t) in Array(down) + down.reversed() {
            steps += [
                .limit(2, slot: "rv0", spatial: UInt8(s), temporal: UInt8(t)), .run(.milliseconds(900)), .mark,
                .run(.seconds(2)),
                .expect("spatial layers up to \(s), temporal ones up to \(t)") { simulation in
                    let figures = simulation.client(2).figures("rv0")
                    let pictures = 60 >> (temporal - 1 - t)
                    // Without the descriptor nobody can tell the frames of a picture of AV1 apart.
                    let s = tellsLayers ? s : 0
                    return abs(figures.framesDecoded - pictures) <= 2
                        && (0..<4).allSatisfy {
                            !tellsLayers || figures.spatialFrames[$0] == ($0 <= s ? figures.framesDecoded : 0)
                        }
                        && figures.spatialFrames.reduce(0, +) == figures.framesDecoded * (s + 1)
                        && figures.framesWithoutReferences == 0 && figures.freezes == 0
                        && figures.unreadableDescriptors == 0
                },
            ]
        }
        let simulation = play(Scenario("limits of \(coding)", steps: steps))
        #expect(simulation.client(2).missingPackets == 0 && simulation.client(2).packetsGivenUp == 0)
        // One for each step up of a spatial layer, and those of the join.
        #expect(simulation.client(1).videoSenders[0].encodings[0].keyFrameCount <= spatial + 1)
    }

    @Test("The receiver's descriptors tell the targets that are left")
    func activeTargets() {
        let coding = VideoCoding.av1(spatial: 3, temporal: 2, keyOnly: true)
        play(
            Scenario(
                "active targets",
                steps: [
                    .join(1, Self.publisher(coding, descriptors: true)),
                    .join(2, Self.viewer(coding, descriptors: true)), .run(.seconds(2)),
                    .expect("all") { $0.client(2).figures("rv0").activeTargets == 0b11_1111 },
                    .limit(2, slot: "rv0", spatial: 1, temporal: 0), .run(.seconds(1)),
                    .expect("of two spatial layers the lower temporal one") {
                        $0.client(2).figures("rv0").activeTargets == 0b00_0101
                    },
                    .limit(2, slot: "rv0", spatial: 1, temporal: 1), .run(.seconds(1)),
                    .expect("of two spatial layers all") { $0.client(2).figures("rv0").activeTargets == 0b00_1111 },
                    .limit(2, slot: "rv0"), .run(.seconds(2)),
                    .expect("all again") { $0.client(2).figures("rv0").activeTargets == 0b11_1111 },
                ]))
    }

    @Test(
        "Limits that change several times a second, with loss and overtaking on the way, break no picture",
        arguments: [0, 1, 2, 3, 4, 5, 6], [1, 2] as [UInt64])
    func rapidChanges(_ which: Int, seed: UInt64) {
        let (coding, descriptors) = Self.codings[which]
        var random = SeededRandom(seed: seed)
        let uplink = LinkConditions(jitter: .milliseconds(seed == 2 ? 20 : 0), loss: seed == 2 ? 0.01 : 0)
        var steps: [Step] = [
            .join(1, Self.publisher(coding, uplink, descriptors: true)),
            .join(2, Self.viewer(coding, descriptors: descriptors)), .run(.seconds(1)), .mark,
        ]
        for _ in 0..<80 {
            steps += [
                .limit(
                    2, slot: "rv0", spatial: [0, 1, 2, 255][random.below(4)], temporal: [0, 1, 2, 255][random.below(4)]),
                .run(.milliseconds(Int64(20 + random.below(400)))),
            ]
        }
        let simulation = play(Scenario("rapid limits of \(coding)", seed: seed, steps: steps))
        let figures = simulation.client(2).figures("rv0")
        #expect(figures.framesDecoded > 100 && figures.unreadableDescriptors == 0, "\(figures)")
        if seed == 1 { #expect(figures.framesWithoutReferences == 0 && figures.freezes == 0, "\(figures)") }
    }

    @Test("Sources follow each other on a slot in one chain of frame numbers and templates", arguments: codings)
    func sourceSwitch(_ coding: VideoCoding, receiverHasDescriptors: Bool) {
        func pin(_ peer: UInt32) -> Step {
            .wish(3, [SlotWish(mid: Mid("rv0")!, pin: TrackID(peer: PeerID(peer), mid: Mid("v")!), wantedHeight: 720)])
        }
        var steps: [Step] = [
            .join(1, Self.publisher(coding, descriptors: true)), .join(2, Self.publisher(coding, descriptors: true)),
            .join(3, Self.viewer(coding, descriptors: receiverHasDescriptors)), .run(.seconds(1)),
        ]
        for round in 0..<12 { steps += [pin(UInt32(round % 2 + 1)), .run(.milliseconds(700))] }
        steps += [.mark, .run(.seconds(2)), .expect("all frames") { $0.framesDecoded(by: 3) >= 58 }]
        let simulation = play(Scenario("switching \(coding)", steps: steps))
        let figures = simulation.client(3).figures("rv0")
        #expect(figures.framesWithoutReferences == 0 && figures.unreadableDescriptors == 0, "\(figures)")
    }

    @Test(
        "A layer that stops is noticed within a second, and the picture goes on without it",
        arguments: codings.prefix(6))
    func layerStops(_ coding: VideoCoding, receiverHasDescriptors: Bool) {
        let simulation = play(
            Scenario(
                "a layer stops in \(coding)",
                steps: [
                    .join(1, Self.publisher(coding, descriptors: true)),
                    .join(2, Self.viewer(coding, descriptors: receiverHasDescriptors)), .run(.seconds(3)),
                    .produce(1, spatial: 1), .mark, .run(.seconds(1)), .run(.milliseconds(30)),
                    .expect("it is noticed") { simulation in
                        simulation.decisions.contains {
                            if case .layersChanged(_, layer: 0, spatial: 2, temporal: 3) = $0.decision {
                                true
                            } else {
                                false
                            }
                        }
                    },
                    .run(.seconds(1)), .expect("no freeze") { $0.client(2).figures("rv0").freezes == 0 },
                    .produce(1, temporal: 1), .run(.seconds(1)), .run(.milliseconds(30)),
                    .expect("two temporal layers are left") { simulation in
                        simulation.decisions.contains {
                            if case .layersChanged(_, layer: 0, spatial: 3, temporal: 2) = $0.decision {
                                true
                            } else {
                                false
                            }
                        }
                    },
                ]))
        #expect(simulation.decisions.count { if case .layersChanged = $0.decision { true } else { false } } == 3)
    }
}
