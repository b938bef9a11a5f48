// Simulcast publishers: the highest living layer is forwarded, and a dying one is replaced at a key frame.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Simulcast")
struct SimulcastScenarios {
    private static let publisher = ParticipantProfile([.camera(.simulcast)], audioSlots: 0, videoSlots: 0)

    private func bitsPerSecond(_ simulation: Simulation, over seconds: Int64) -> Double {
        let before = simulation.statistics.rtpBytesSent
        simulation.perform(.run(.seconds(seconds)))
        return Double(simulation.statistics.rtpBytesSent - before) * 8 / Double(seconds)
    }

    @Test("The highest layer is forwarded; when it dies the next one is, and back when it lives again")
    func topLayerDies() {
        let simulation = play(
            Scenario(
                "top layer dies",
                steps: [.join(1, Self.publisher), .join(2, .viewer), .run(.seconds(4)), .mark, .run(.seconds(2))]))
        #expect(simulation.framesDecoded(by: 2) >= 58)
        #expect(bitsPerSecond(simulation, over: 2) > 1_200_000)
        simulation.perform(.layer(1, rid: "f", isAlive: false))
        simulation.perform(.mark)
        simulation.perform(.run(.seconds(3)))
        #expect(simulation.client(2).figures("rv0").longestSilence < .seconds(2))
        let middle = bitsPerSecond(simulation, over: 2)
        #expect(middle > 350_000 && middle < 700_000, "\(middle) b/s")
        simulation.perform(.layer(1, rid: "h", isAlive: false))
        simulation.perform(.run(.seconds(3)))
        let low = bitsPerSecond(simulation, over: 2)
        #expect(low > 90_000 && low < 250_000, "\(low) b/s")
        simulation.perform(.layer(1, rid: "h", isAlive: true))
        simulation.perform(.layer(1, rid: "f", isAlive: true))
        simulation.perform(.run(.seconds(6)))
        #expect(bitsPerSecond(simulation, over: 2) > 1_200_000)
        #expect(simulation.violations == [])
        simulation.perform(.mark)
        simulation.perform(.run(.seconds(2)))
        #expect(simulation.framesDecoded(by: 2) >= 58)
    }

    @Test("Streams are told apart by mid and rid alone, with loss on the way")
    func byRidWithLoss() {
        var publisher = Self.publisher
        publisher.toServer = LinkConditions(loss: 0.03)
        let simulation = play(
            Scenario(
                "rid and loss",
                steps: [.join(1, publisher), .join(2, .viewer), .run(.seconds(4)), .mark, .run(.seconds(10))]))
        #expect(simulation.framesDecoded(by: 2) >= 285)
        #expect(simulation.client(1).videoSenders[0].encodings.allSatisfy { $0.retransmissionCount > 0 })
        #expect(simulation.statistics[.unknownSSRC] < 20)
    }

    @Test("Two temporal layers are one chain through layer switches")
    func temporalLayers() {
        var shape = VideoShape.simulcast
        shape.temporalLayers = 2
        var steps: [Step] = [
            .join(1, ParticipantProfile([.camera(shape)], audioSlots: 0, videoSlots: 0)), .join(2, .viewer),
            .run(.seconds(4)),
        ]
        for _ in 0..<3 {
            steps += [
                .layer(1, rid: "f", isAlive: false), .run(.seconds(3)), .layer(1, rid: "f", isAlive: true),
                .run(.seconds(5)),
            ]
        }
        steps += [.mark, .run(.seconds(2))]
        let simulation = play(Scenario("temporal layers", steps: steps))
        #expect(simulation.framesDecoded(by: 2) >= 58)
    }
}
