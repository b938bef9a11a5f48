// Numbers that wrap, on both sides of the core.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Numbers that wrap")
struct WrapScenarios {
    @Test("The publisher's sequence, timestamp, PictureID and TL0PICIDX wrap", arguments: [1, 2])
    func publisherWraps(temporalLayers: Int) {
        let video = VideoShape(
            temporalLayers: temporalLayers, firstSequence: 65_500, firstTimestamp: UInt32.max - 300_000,
            firstPictureID: 0x7fc0, firstTemporalLevelZeroIndex: 230)
        let audio = AudioShape(isTalking: true, firstSequence: 65_400, firstTimestamp: UInt32.max - 96_000)
        let simulation = play(
            Scenario(
                "publisher wraps",
                steps: [
                    .join(1, ParticipantProfile([.microphone(audio), .camera(video)])), .join(2, .person),
                    .run(.seconds(1)), .mark, .run(.seconds(15)),
                ]))
        #expect((448...452).contains(simulation.framesDecoded(by: 2)))
        #expect(simulation.client(1).nacksReceived == 0)
        for slot in simulation.client(2).figures(.audio) where slot.packets > 0 {
            #expect((748...752).contains(slot.packets))
            #expect(slot.nacksSent == 0)
        }
    }

    @Test("Wraps with 5 % loss on both sides are repaired")
    func wrapsWithLoss() {
        let video = VideoShape(
            firstSequence: 65_300, firstTimestamp: UInt32.max - 500_000, firstPictureID: 0x7f80,
            firstTemporalLevelZeroIndex: 200)
        let lossy = LinkConditions(loss: 0.05)
        let simulation = play(
            Scenario(
                "wraps with loss",
                steps: [
                    .join(1, ParticipantProfile([.camera(video)], toServer: lossy, fromServer: lossy)),
                    .join(2, ParticipantProfile([], toServer: lossy, fromServer: lossy)), .run(.seconds(2)), .mark,
                    .run(.seconds(12)),
                ]))
        #expect(simulation.framesDecoded(by: 2) >= 345)
    }

    @Test("The slot's own sequence numbers wrap within three minutes of fast video")
    func egressWraps() {
        let fast = VideoShape(layers: [VideoLayer(rid: nil, bitsPerSecond: 4_000_000)], framesPerSecond: 60)
        let simulation = play(
            Scenario(
                "egress wraps",
                steps: [
                    .join(1, ParticipantProfile([.camera(fast)], audioSlots: 0, videoSlots: 0)), .join(2, .viewer),
                    .run(.seconds(2)), .mark, .run(.seconds(150)),
                ]))
        #expect(simulation.client(2).figures("rv0").packets > 65_536)
        #expect((8_990...9_010).contains(simulation.framesDecoded(by: 2)))
    }
}
