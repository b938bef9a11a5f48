// The same inputs give the same bytes.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Determinism")
struct DeterminismTests {
    private func scenario(seed: UInt64) -> Scenario {
        let lossy = LinkConditions(
            jitter: .milliseconds(8), loss: 0.05, reordering: 0.02, duplication: 0.01)
        return Scenario(
            "determinism", seed: seed,
            steps: [
                .join(1, ParticipantProfile([.microphone(), .camera(.simulcast)], toServer: lossy)),
                .join(2, .person), .join(3, ParticipantProfile([.microphone()], fromServer: lossy)),
                .run(.seconds(3)), .layer(1, rid: "f", isAlive: false), .mute(2, mid: "v", true), .run(.seconds(2)),
                .attack(3, .randomRTP, datagramsPerSecond: 200, .seconds(1)), .leave(2), .run(.seconds(2)),
            ])
    }

    @Test("The same scenario with the same seed gives the same bytes, events and decisions")
    func sameSeed() {
        let one = play(scenario(seed: 5))
        let two = play(scenario(seed: 5))
        #expect(one.invariants.rtpOut > 2_000)
        #expect(one.digest == two.digest)
        #expect(one.events.map(\.event) == two.events.map(\.event))
        #expect(one.decisions.map(\.decision) == two.decisions.map(\.decision))
        #expect(one.statistics == two.statistics)
    }

    @Test("Other seeds give other bytes and break no invariant", arguments: [UInt64(6), 7, 8, 9])
    func otherSeeds(seed: UInt64) {
        #expect(play(scenario(seed: seed)).digest != play(scenario(seed: seed + 100)).digest)
    }
}
