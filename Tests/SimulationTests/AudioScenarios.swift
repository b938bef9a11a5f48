// Rooms of fifty people with microphones: who is heard, how soon, and how much is forwarded.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Fifty people with microphones")
struct AudioScenarios {
    private func room(talking: ClosedRange<UInt32>) -> [Step] {
        (1...50).map { .join($0, talking.contains($0) ? .speaker : .listener) }
    }

    @Test("Three people speak and everybody hears them, without a packet lost")
    func threeSpeakers() {
        let simulation = play(
            Scenario("fifty, three speak", steps: room(talking: 1...3) + [.run(.seconds(3)), .mark, .run(.seconds(4))]))
        for number: UInt32 in 1...50 {
            let speakers = Set<UInt32>(1...3).subtracting([number])
            #expect(simulation.heard(by: number).isSuperset(of: speakers))
            let loud = simulation.client(number).figures(.audio).filter { $0.packets >= 190 }
            #expect(loud.count == speakers.count)
            for slot in loud {
                #expect(slot.nacksSent == 0)
                #expect(slot.contributors.count == 1)
                #expect(slot.longestSilence <= .milliseconds(45))
            }
        }
    }

    @Test("What is forwarded is a fraction of everything to everybody")
    func egressRate() {
        let simulation = Scenario("egress rate", steps: room(talking: 1...3) + [.run(.seconds(3))]).play()
        let before = simulation.statistics.rtpPacketsSent
        simulation.perform(.run(.seconds(2)))
        let perSecond = (simulation.statistics.rtpPacketsSent - before) / 2
        #expect(simulation.violations.isEmpty)
        // Three speakers at 50 packets/s to 49 others, and the fourth slot's silence at 2.5 packets/s.
        #expect(perSecond >= 7_200 && perSecond <= 7_700, "\(perSecond) packets/s")
    }

    @Test("Somebody begins to speak and is heard within 200 ms, by everybody")
    func attack() {
        play(
            Scenario(
                "a new speaker",
                steps: room(talking: 1...2) + [
                    .run(.seconds(3)), .talk(20, true), .mark, .run(.milliseconds(700)),
                    .expect("everybody hears 20") { simulation in
                        (1...50).allSatisfy { $0 == 20 || simulation.heard(by: $0).contains(20) }
                    },
                    .mark, .run(.seconds(1)),
                    .expect("20 is heard without a gap") { simulation in
                        simulation.client(1).figures(.audio).contains {
                            $0.contributors == [20] && $0.packets >= 49 && $0.longestSilence <= .milliseconds(45)
                        }
                    },
                ]))
    }

    @Test("Six people speak at once: four slots, four of the loudest, and no flapping")
    func moreSpeakersThanSlots() {
        let steps: [Step] =
            (UInt32(1)...50).map { number -> Step in
                let shape = AudioShape(isTalking: number <= 6, level: number <= 4 ? 20 : 60)
                return .join(number, ParticipantProfile([.microphone(shape)], videoSlots: 0))
            } + [.run(.seconds(3)), .mark, .run(.seconds(4))]
        let simulation = play(Scenario("six speakers", steps: steps))
        #expect(simulation.heard(by: 30) == [1, 2, 3, 4])
        for slot in simulation.client(30).figures(.audio) { #expect(slot.contributors.count == 1) }
    }

    @Test("The speakers change every second, each is heard, and the slots' streams stay whole")
    func turnTaking() {
        var steps = room(talking: 1...1) + [.run(.seconds(2))]
        for turn: UInt32 in 1..<12 {
            steps += [
                .talk(turn, false), .talk(turn + 1, true), .run(.milliseconds(500)), .mark, .run(.milliseconds(500)),
                .expect("\(turn + 1) is heard by 50") { $0.heard(by: 50).contains(turn + 1) },
                .expect("\(turn + 1) is heard by 49") { $0.heard(by: 49).contains(turn + 1) },
            ]
        }
        play(Scenario("turn taking", steps: steps))
    }
}
