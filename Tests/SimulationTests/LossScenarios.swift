// Rooms on bad networks: loss repaired on both sides, reordering, bursts, narrow links, and the promise that one bad
// receiver costs the others nothing.

import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@Suite("Bad networks")
struct LossScenarios {
    @Test(
        "One of fifty receivers loses 20 %: few key frames are asked for, the other 49 are untouched",
        arguments: [
            (hasNack: true, patience: TimeDelta.seconds(3)), (true, .milliseconds(200)), (false, .milliseconds(200)),
        ])
    func oneBadReceiverOfFifty(hasNack: Bool, patience: TimeDelta) {
        let bad = LinkConditions(loss: 0.2)
        var badViewer = ParticipantProfile.viewer
        badViewer.slotsHaveNack = hasNack
        badViewer.frameWait = patience
        var steps: [Step] = [.join(1, ParticipantProfile([.camera()], audioSlots: 0, videoSlots: 0))]
        for number: UInt32 in 101...149 { steps.append(.join(number, .viewer)) }
        steps += [
            .join(150, badViewer), .run(.seconds(2)), .network(150, toServer: bad, fromServer: bad), .run(.seconds(1)),
            .mark,
            .run(.seconds(12)),
        ]
        let simulation = play(Scenario("one bad receiver of fifty", steps: steps))
        let requests = simulation.keyFrameRequests(to: 1)
        #expect(requests.count <= 4, "\(requests.count) key frames asked for in 12 s")
        for (a, b) in zip(requests, requests.dropFirst()) { #expect(b - a >= .seconds(3)) }
        for number: UInt32 in 101...149 {
            let slot = simulation.client(number).figures("rv0")
            #expect((358...362).contains(slot.framesDecoded))
            #expect(slot.freezes == 0)
            #expect(slot.lost == 0)
            #expect(slot.duplicates == 0)
            #expect(slot.nacksSent == 0)
            #expect(slot.keyFrameRequestsSent == 0)
            #expect(slot.repaired == 0)
            #expect(slot.longestSilence <= .milliseconds(40))
        }
        let slot = simulation.client(150).figures("rv0")
        if hasNack {
            #expect(slot.repaired > 50)
            if patience >= .seconds(3) { #expect(slot.lost == 0) }
            #expect(simulation.statistics[.retransmissionLimit] == 0)
            #expect(slot.framesDecoded > 340, "the bad receiver decoded \(slot.framesDecoded) of 360")
        } else {
            // It can only ask, over and over.
            #expect(slot.keyFrameRequestsSent > 20)
            #expect(!requests.isEmpty)
        }
    }

    @Test("Fifty receivers lose 5 % each, and all frames are repaired")
    func everybodyLosesALittle() {
        let lossy = ParticipantProfile([], audioSlots: 0, videoSlots: 1, fromServer: LinkConditions(loss: 0.05))
        var steps: [Step] = [.join(1, ParticipantProfile([.camera()], audioSlots: 0, videoSlots: 0))]
        for number: UInt32 in 101...110 { steps.append(.join(number, lossy)) }
        steps += [.run(.seconds(3)), .mark, .run(.seconds(8))]
        let simulation = play(Scenario("5 % for everybody", steps: steps))
        for number: UInt32 in 101...110 {
            let slot = simulation.client(number).figures("rv0")
            #expect(slot.framesDecoded >= 235)
            #expect(slot.repaired > 10)
            #expect(slot.lost == 0)
        }
        #expect(simulation.keyFrameRequests(to: 1).count <= 2)
    }

    @Test(
        "What was lost is sent again three times on a path that loses 12 % by itself, twice on one that loses 6 %, else once",
        arguments: [(0.12, 1.5...2.2), (0.06, 0.6...1.3), (0.01, 0...0.1)])
    func copies(loss: Double, expected: ClosedRange<Double>) {
        let lossy = ParticipantProfile([], audioSlots: 0, videoSlots: 1, fromServer: LinkConditions(loss: loss))
        let simulation = play(
            Scenario(
                "sent again",
                steps: [
                    .join(1, ParticipantProfile([.camera()], audioSlots: 0, videoSlots: 0)), .join(2, lossy),
                    .run(.seconds(10)), .mark, .run(.seconds(20)),
                ]))
        let slot = simulation.client(2).figures("rv0")
        let copies = Double(slot.duplicates) / Double(max(1, slot.repaired))
        #expect(slot.repaired > 5)
        #expect(expected.contains(copies), "\(copies) copies of each packet repaired")
    }

    @Test("A publisher loses 5 %: NACK and retransmission repair it for everybody", arguments: [true, false])
    func publisherLoss(hasRTX: Bool) {
        let publisher = ParticipantProfile(
            [.microphone(), .camera(VideoShape(hasRTX: hasRTX))], toServer: LinkConditions(loss: 0.05))
        let simulation = play(
            Scenario(
                "publisher at 5 %",
                steps: [
                    .join(1, publisher), .join(2, .person), .join(3, .person), .run(.seconds(3)), .mark,
                    .run(.seconds(10)),
                ]))
        #expect(simulation.client(1).nacksReceived > 10)
        #expect(simulation.client(1).videoSenders[0].encodings[0].retransmissionCount > 10)
        for number: UInt32 in 2...3 {
            let slot = simulation.client(number).figures(.video).first { $0.contributors == [1] }
            #expect((slot?.framesDecoded ?? 0) >= 295)
            #expect(slot?.lost == 0)
        }
        #expect(simulation.keyFrameRequests(to: 1).count <= 1)
    }

    @Test("Without RTX on the slots, packets are resent as the stored bytes")
    func slotsWithoutRTX() {
        let viewer = ParticipantProfile(
            [], audioSlots: 0, videoSlots: 1, fromServer: LinkConditions(loss: 0.05), slotsHaveRTX: false)
        let simulation = play(
            Scenario(
                "no RTX", steps: [.join(1, .person), .join(2, viewer), .run(.seconds(3)), .mark, .run(.seconds(8))]))
        let slot = simulation.client(2).figures("rv0")
        #expect(slot.framesDecoded >= 235)
        #expect(simulation.statistics.retransmissionsSent > 10)
    }

    @Test("Reordering within the window causes no NACK and no loss")
    func reordering() {
        let publisher = ParticipantProfile(
            [.microphone(), .camera()],
            toServer: LinkConditions(jitter: .milliseconds(2), reordering: 0.05, reorderingDelay: .milliseconds(8)))
        let simulation = play(
            Scenario(
                "reordering",
                steps: [.join(1, publisher), .join(2, .person), .run(.seconds(2)), .mark, .run(.seconds(10))]))
        #expect(simulation.client(1).toServer.counts.reordered > 50)
        #expect(simulation.client(1).nacksReceived == 0)
        #expect(simulation.framesDecoded(by: 2) >= 295)
    }

    @Test("Duplicated packets are forwarded once")
    func duplication() {
        let publisher = ParticipantProfile([.microphone(), .camera()], toServer: LinkConditions(duplication: 0.1))
        let simulation = play(
            Scenario(
                "duplication",
                steps: [.join(1, publisher), .join(2, .person), .run(.seconds(2)), .mark, .run(.seconds(5))]))
        #expect(simulation.statistics[.duplicate] > 30)
        for slot in simulation.client(2).figures(.video) + simulation.client(2).figures(.audio) {
            #expect(slot.duplicates == 0)
        }
    }

    @Test("Bursts of loss on the publisher's side end with a key frame, not with a frozen picture")
    func bursts() {
        let bursts = GilbertElliott(goodToBad: 0.004, badToGood: 0.1)
        let publisher = ParticipantProfile([.camera()], toServer: LinkConditions(bursts: bursts))
        let simulation = play(
            Scenario(
                "bursts",
                steps: [.join(1, publisher), .join(2, .viewer), .run(.seconds(3)), .mark, .run(.seconds(20))]))
        #expect(simulation.framesDecoded(by: 2) >= 540)
    }

    @Test("An outage of two seconds on the publisher's side is over within two seconds after it")
    func outage() {
        play(
            Scenario(
                "outage",
                steps: [
                    .join(1, .person), .join(2, .person), .run(.seconds(3)),
                    .network(1, toServer: LinkConditions(loss: 1)), .run(.seconds(2)),
                    .network(1, toServer: LinkConditions()), .run(.seconds(2)), .mark, .run(.seconds(3)),
                    .expect("2 sees 1") { $0.framesDecoded(by: 2) >= 88 },
                    .expect("2 hears 1") { $0.heard(by: 2) == [1] },
                    .expect("1 never stopped seeing 2") { $0.framesDecoded(by: 1) >= 88 },
                ]))
    }

    @Test("An outage of a receiver's side ends without a key frame for every 200 ms of it")
    func receiverOutage() {
        let simulation = play(
            Scenario(
                "receiver outage",
                steps: [
                    .join(1, .person), .join(2, .viewer), .join(3, .viewer), .run(.seconds(3)), .mark,
                    .network(2, fromServer: LinkConditions(loss: 1)), .run(.seconds(3)),
                    .network(2, fromServer: LinkConditions()), .run(.seconds(5)),
                ]))
        #expect(simulation.keyFrameRequests(to: 1).count <= 4)
        #expect(simulation.client(3).figures("rv0").freezes == 0)
        simulation.perform(.mark)
        simulation.perform(.run(.seconds(2)))
        #expect(simulation.framesDecoded(by: 2) >= 58)
    }

    @Test(
        "A receiver behind a recorded mobile network stays decodable",
        .enabled(if: ExternalCaptures.arePresent, "the public captures are not there"))
    func recordedNetwork() throws {
        let bytes = try #require(ExternalCaptures.bytes("traces/Verizon-LTE-short.down"))
        let trace = try #require(CapacityTrace(mahimahi: String(decoding: bytes, as: UTF8.self)))
        let viewer = ParticipantProfile(
            [], audioSlots: 0, videoSlots: 1, fromServer: LinkConditions(capacity: .trace(trace), queueBytes: 60_000))
        let simulation = play(
            Scenario(
                "recorded network",
                steps: [.join(1, .person), .join(2, viewer), .run(.seconds(30))]))
        #expect(simulation.framesDecoded(by: 2) > 600)
    }
}
