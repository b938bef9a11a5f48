// A room goes on from a checkpoint as if nothing had been: same headers, lengths, events, decisions, deadlines and state. Every
// other scenario is checkpointed at moments that chance chooses too (`play`); here the restored cores live long.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Checkpoints of simulated rooms")
struct CheckpointScenarios {
    private static let lossy = LinkConditions(jitter: .milliseconds(8), loss: 0.05, reordering: 0.02, duplication: 0.01)

    /// Joins, leaves, loss, simulcast, mutes, wishes, a transport that fails, and a storm.
    private func eventful(seed: UInt64) -> Scenario {
        Scenario(
            "eventful", seed: seed,
            steps: [
                .join(1, ParticipantProfile([.microphone(), .camera(.simulcast)], toServer: Self.lossy)),
                .join(2, .person), .run(.seconds(1)),
                .join(3, ParticipantProfile([.microphone(), .camera()], fromServer: Self.lossy)),
                .run(.seconds(2)), .layer(1, rid: "f", isAlive: false), .run(.seconds(2)),
                .mute(2, mid: "v", true), .disconnect(3), .run(.milliseconds(700)), .reconnect(3),
                .run(.seconds(1)), .layer(1, rid: "f", isAlive: true), .mute(2, mid: "v", false),
                .join(4, .viewer), .run(.seconds(1)),
                .attack(3, .randomRTP, datagramsPerSecond: 200, .seconds(1)),
                .attack(2, .nackStorm, datagramsPerSecond: 50, .seconds(1)), .run(.seconds(1)), .leave(2),
                .run(.seconds(2)), .join(5, .person), .run(.seconds(2)),
            ])
    }

    @Test(
        "A restored core does what the original does, whenever it was restored", arguments: 1...8 as ClosedRange<UInt64>
    )
    func followsEventfulRoom(seed: UInt64) {
        let simulation = eventful(seed: seed).play {
            $0.checkpoint(seed: seed &* 77, pause: .seconds(2), span: .seconds(6))
        }
        #expect(simulation.violations == [])
        let figures = simulation.shadowFigures
        #expect(figures.restored >= 2)
        #expect(figures.states >= 8)
        #expect(figures.datagrams > 1_000)
        // Only packets from before the checkpoint that are sent again lack their payload.
        #expect(figures.withoutPayload * 50 < figures.datagrams)
    }

    @Test("Each attack leaves a state that can be restored", arguments: Attack.allCases)
    func followsAttacks(attack: Attack) {
        let simulation = Scenario(
            "\(attack)", seed: 3,
            steps: [
                .join(1, .person), .join(2, .person), .join(3, .person), .run(.seconds(1)),
                .attack(3, attack, datagramsPerSecond: 1_000, .seconds(2)), .run(.seconds(3)),
            ]
        ).play { $0.checkpoint(seed: 9, pause: .milliseconds(500), span: .milliseconds(700)) }
        #expect(simulation.violations == [])
        #expect(simulation.shadowFigures.restored >= 3)
    }

    @Test("An empty room has a checkpoint")
    func emptyRoom() throws {
        let simulation = Simulation(seed: 1)
        var checkpoint = Checkpoint()
        simulation.checkpoint(into: &checkpoint)
        let core = try RoomCore(checkpoint: checkpoint)
        #expect(core.nextDeadline == nil)
        var again = Checkpoint()
        core.checkpoint(into: &again)
        #expect(again == checkpoint)
    }
}
