// Receivers that see nothing although their publisher sends: noticed in time, told once, the same in every run and in a core
// restored from a checkpoint.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Freezes")
struct FreezeScenarios {
    private func freezes(_ simulation: Simulation) -> [(at: Timestamp, peer: PeerID)] {
        simulation.decisions.compactMap { one in
            if case .receiverFrozen(let peer, _, _, _) = one.decision { (one.at, peer) } else { nil }
        }
    }

    @Test("A publisher that stops answering key-frame requests: who comes then is told frozen after two seconds")
    func noKeyFrames() throws {
        let simulation = play(
            Scenario(
                "no key frames", seed: 5,
                steps: [
                    .join(1, ParticipantProfile([.camera()], audioSlots: 0, videoSlots: 0)), .join(2, .viewer),
                    .run(.seconds(3)), .keyFrames(1, areGiven: false), .join(3, .viewer), .run(.seconds(6)),
                ]))
        let told = freezes(simulation)
        #expect(told.map(\.peer) == [PeerID(3)])
        let joined = try #require(
            simulation.decisions.first { one in
                if case .slotAssigned(PeerID(3), _, .some, _) = one.decision { true } else { false }
            }?.at)
        let waited = try #require(told.first).at - joined
        #expect(waited >= .seconds(2) && waited <= .milliseconds(2_010), "\(waited)")
        #expect(
            simulation.events.contains { one in
                if case .receiverFrozen(PeerID(3), _, _) = one.event { true } else { false }
            })
        #expect(simulation.keyFrameRequests(to: 1).count > 3)
        // It answers again, and both see; a freeze later is another one.
        for step: Step in [.keyFrames(1, areGiven: true), .run(.seconds(5)), .mark, .run(.seconds(2))] {
            simulation.perform(step)
        }
        #expect(simulation.framesDecoded(by: 3) >= 55)
        #expect(freezes(simulation).count == 1)
    }

    @Test(
        "A core restored in the middle of a freeze tells it at the same moment, and not a second time", arguments: 1...6
    )
    func restored(seed: UInt64) {
        let simulation = Scenario(
            "restored freeze", seed: seed,
            steps: [
                .join(1, ParticipantProfile([.camera(.simulcast)], audioSlots: 0, videoSlots: 0)), .join(2, .viewer),
                .run(.seconds(2)), .keyFrames(1, areGiven: false), .layer(1, rid: "f", isAlive: false),
                .join(3, .viewer), .run(.seconds(6)),
            ]
        ).play { $0.checkpoint(seed: seed, pause: .milliseconds(300), span: .seconds(3)) }
        #expect(simulation.violations == [])
        // The layer that one saw is dead, and no other gives a key frame.
        #expect(Set(freezes(simulation).map(\.peer)) == [PeerID(2), PeerID(3)])
        #expect(freezes(simulation).count == 2)
    }

    @Test("Healthy calls, with loss, layer switches and changes of source, freeze nobody")
    func nobody() {
        var lossy = ParticipantProfile([.microphone(), .camera(.simulcast)], audioSlots: 2, videoSlots: 1)
        lossy.toServer = LinkConditions(loss: 0.03)
        let simulation = play(
            Scenario(
                "healthy", seed: 9,
                steps: [
                    .join(1, lossy), .join(2, .person), .join(3, .viewer), .run(.seconds(6)),
                    .layer(1, rid: "f", isAlive: false), .run(.seconds(4)), .layer(1, rid: "f", isAlive: true),
                    .run(.seconds(4)), .mute(1, mid: "v0", true), .run(.seconds(3)), .leave(2), .run(.seconds(4)),
                ]))
        #expect(freezes(simulation).isEmpty)
    }
}
