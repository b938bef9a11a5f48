// A malicious participant: whatever it sends, nobody else notices.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("A malicious participant")
struct AttackScenarios {
    @Test("Bytes and storms of one participant do not concern the others", arguments: Attack.allCases)
    func attack(_ attack: Attack) {
        let simulation = play(
            Scenario(
                "\(attack)",
                steps: [
                    .join(1, .person), .join(2, .person), .join(3, .person), .run(.seconds(3)), .mark,
                    .attack(3, attack, datagramsPerSecond: 2_000, .seconds(2)), .run(.seconds(4)),
                ]))
        for (number, other): (UInt32, UInt32) in [(1, 2), (2, 1)] {
            let client = simulation.client(number)
            let video = client.figures(.video).first { $0.contributors == [other] }
            #expect((118...122).contains(video?.framesDecoded ?? 0))
            #expect(video?.freezes == 0)
            #expect(video?.lost == 0)
            let audio = client.figures(.audio).first { $0.contributors == [other] }
            #expect((198...202).contains(audio?.packets ?? 0))
            #expect((audio?.longestSilence ?? .seconds(9)) <= .milliseconds(25))
            // A participant may ask for a few key frames, however often it asks.
            #expect(simulation.keyFrameRequests(to: number).count <= 4)
        }
        // The room's memory of it: the attacker is still served, and can leave.
        simulation.perform(.leave(3))
        simulation.perform(.run(.seconds(1)))
        #expect(simulation.violations == [])
    }

    @Test("A NACK storm is answered within a budget")
    func nackStormBudget() {
        let simulation = play(
            Scenario(
                "NACK storm budget",
                steps: [.join(1, .person), .join(2, .person), .run(.seconds(3))]))
        let sent = simulation.statistics.rtpPacketsSent
        let again = simulation.statistics.retransmissionsSent
        simulation.perform(.attack(2, .nackStorm, datagramsPerSecond: 2_000, .seconds(2)))
        simulation.perform(.run(.seconds(2)))
        // Two million packets were asked for.
        let media = simulation.statistics.rtpPacketsSent - sent
        #expect(simulation.statistics.retransmissionsSent - again < media)
    }

    @Test("Traffic in the name of somebody who is not there changes nothing")
    func strangers() {
        let simulation = play(Scenario("strangers", steps: [.join(1, .person), .join(2, .person), .run(.seconds(2))]))
        let sent = simulation.statistics.rtpPacketsSent
        for round in 0..<100 {
            let packet = OutgoingPacket(
                payloadType: 111, marker: false, sequence: UInt16(round), timestamp: 0,
                ssrc: ClientNumbers.publishedSSRC(peer: 1, track: 0, encoding: 0), payload: [1, 2, 3])
            simulation.receiveRTP(packet.bytes, from: PeerID(77))
            simulation.receiveRTCP([0x80, 201, 0, 1, 0, 0, 0, 1], from: PeerID(77))
        }
        #expect(simulation.statistics.rtpPacketsSent == sent)
        #expect(simulation.statistics[.unknownPeer] >= 100)
        #expect(simulation.violations == [])
    }

    @Test("One participant cannot send on another's SSRC")
    func foreignSSRC() {
        let simulation = play(
            Scenario("foreign", steps: [.join(1, .person), .join(2, .person), .run(.seconds(2)), .mark]))
        let foreign = ClientNumbers.publishedSSRC(peer: 1, track: 0, encoding: 0)
        for round in 0..<50 {
            let packet = OutgoingPacket(
                payloadType: 111, marker: false, sequence: UInt16(round), timestamp: 0, ssrc: foreign,
                payload: [1, 2, 3])
            simulation.receiveRTP(packet.bytes, from: PeerID(2))
            simulation.perform(.run(.milliseconds(20)))
        }
        #expect(simulation.heard(by: 2) == [1])
        let slot = simulation.client(2).figures(.audio).first { $0.packets > 0 }
        #expect((48...52).contains(slot?.packets ?? 0))
        #expect(simulation.violations == [])
    }
}
