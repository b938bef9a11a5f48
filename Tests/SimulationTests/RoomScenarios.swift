// Small rooms on good networks: who sees and hears whom, through joins, switches, mutes, churn and clock jumps.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("Small rooms")
struct RoomScenarios {
    @Test("Three people see and hear each other")
    func threePeople() {
        let simulation = play(
            Scenario(
                "three people",
                steps: [
                    .join(1, .person), .run(.seconds(1)), .join(2, .person), .run(.seconds(1)), .join(3, .person),
                    .run(.seconds(2)), .mark, .run(.seconds(10)),
                ]))
        for number: UInt32 in 1...3 {
            let others = Set(1...3).subtracting([number])
            #expect(simulation.heard(by: number, .audio) == others)
            #expect(simulation.heard(by: number, .video) == others)
            let frames = simulation.client(number).figures(.video).filter { $0.packets > 0 }
            #expect(frames.count == 2)
            for slot in frames {
                #expect((295...305).contains(slot.framesDecoded))
                #expect(slot.freezes == 0)
                #expect(slot.lost == 0)
                #expect(slot.keyFrameRequestsSent == 0)
            }
            for slot in simulation.client(number).figures(.audio) where slot.packets > 0 {
                #expect((495...505).contains(slot.packets))
                #expect(slot.longestSilence <= .milliseconds(25))
            }
            #expect(simulation.client(number).nacksReceived == 0)
            #expect(simulation.client(number).packetsGivenUp == 0)
            #expect(simulation.keyFrameRequests(to: number).isEmpty)
            let feedback = simulation.client(number).transportFeedback
            #expect(!feedback.isEmpty)
            for report in feedback { #expect(report.receivedCount == report.deltas.count) }
        }
    }

    @Test("Ten minutes of a small room with phones and a poor link are whole")
    func tenMinutes() {
        let phone = VideoShape(layers: [VideoLayer(rid: nil, bitsPerSecond: 150_000)], framesPerSecond: 15)
        let mobile = LinkConditions(
            delay: .milliseconds(45), jitter: .milliseconds(10),
            bursts: GilbertElliott(goodToBad: 0.001, badToGood: 0.4))
        let simulation = play(
            Scenario(
                "ten minutes",
                steps: [
                    .join(1, ParticipantProfile([.microphone(), .camera(phone)])),
                    .join(2, ParticipantProfile([.microphone(), .camera(phone)])),
                    .join(
                        3, ParticipantProfile([.microphone(), .camera(phone)], toServer: mobile, fromServer: mobile)),
                    .run(.seconds(5)), .mark, .run(.seconds(600)),
                ]))
        for number: UInt32 in 1...3 {
            #expect(simulation.heard(by: number, .audio) == Set(1...3).subtracting([number]))
            let slots = simulation.client(number).figures(.video).filter { $0.packets > 0 }
            #expect(slots.count == 2)
            for slot in slots { #expect(slot.framesDecoded >= 8_950) }
        }
        #expect(simulation.keyFrameRequests(to: 1).count <= 20)
    }

    @Test("The first picture comes within half a second of the join")
    func firstPicture() {
        play(
            Scenario(
                "first picture",
                steps: [
                    .join(1, .person), .run(.seconds(5)), .join(2, .viewer), .run(.milliseconds(500)),
                    .expect("2 has decoded a frame of 1") { $0.framesDecoded(by: 2) > 0 },
                ]))
    }

    @Test("Sender reports put a person's audio and video on one time line")
    func lipSync() throws {
        let simulation = play(
            Scenario(
                "lip sync", steps: [.join(1, .person), .join(2, ParticipantProfile([])), .run(.seconds(10))]))
        let client = simulation.client(2)
        var captured: [MediaKind: Double] = [:]
        for kind in [MediaKind.audio, .video] {
            let slot = try #require(
                client.plan.slots.first { slot in
                    slot.kind == kind && client.figures(slot.mid.text).packets > 0
                })
            let figures = client.figures(slot.mid.text)
            let report = try #require(client.senderReports[slot.ssrc.rawValue])
            let rate = kind == .audio ? 48_000.0 : 90_000.0
            let ticks = Int32(bitPattern: figures.lastTimestamp &- report.rtpTimestamp)
            let ntp = Double(report.ntp) / 0x1p32 + Double(ticks) / rate
            let sentAt = Double((figures.lastPacketAt - .milliseconds(40)).nanoseconds) / 1e9
            captured[kind] = ntp - sentAt
        }
        let audio = try #require(captured[.audio])
        let video = try #require(captured[.video])
        #expect(abs(audio - video) < 0.005, "apart by \(audio - video) s")
    }

    @Test("A pinned slot is moved to another person at a key frame")
    func sourceSwitch() {
        let mid = Mid("rv0")!
        func pin(_ peer: UInt32) -> Step {
            .wish(3, [SlotWish(mid: mid, pin: TrackID(peer: PeerID(peer), mid: Mid("v")!), wantedHeight: 720)])
        }
        let viewer = ParticipantProfile([], audioSlots: 0, videoSlots: 1)
        let simulation = play(
            Scenario(
                "source switch",
                steps: [
                    .join(1, .person), .join(2, .person), .join(3, viewer), pin(1), .run(.seconds(3)), .mark,
                    .run(.seconds(2)),
                    .expect("3 sees 1 and nobody else") { $0.heard(by: 3, .video) == [1] },
                    pin(2), .run(.milliseconds(600)), .mark, .run(.seconds(3)),
                    .expect("3 sees 2 and nobody else") { $0.heard(by: 3, .video) == [2] },
                    pin(1), .run(.milliseconds(600)), .mark, .run(.seconds(3)),
                    .expect("3 sees 1 again") { $0.heard(by: 3, .video) == [1] },
                ]))
        #expect(simulation.framesDecoded(by: 3) >= 88)
        #expect(simulation.client(3).figures("rv0").freezes == 0)
        #expect(simulation.slots(of: 3).first?.reason == .pinned)
    }

    @Test("Switching ten times a second stays one decodable chain")
    func rapidSwitching() {
        var steps: [Step] = (1...4).map { .join($0, .person) }
        steps += [.join(9, .viewer), .run(.seconds(2))]
        for round in 0..<60 {
            let target = TrackID(peer: PeerID(UInt32(round % 4 + 1)), mid: Mid("v")!)
            steps += [.wish(9, [SlotWish(mid: Mid("rv0")!, pin: target, wantedHeight: 360)]), .run(.milliseconds(100))]
        }
        steps += [
            .run(.seconds(2)),
            .expect("key frames were asked for, of nobody twice within half a second") { simulation in
                let requests = (1...4).map { simulation.keyFrameRequests(to: $0) }
                let gaps = requests.flatMap { zip($0, $0.dropFirst()).map { $1 - $0 } }
                return requests.allSatisfy { $0.count > 5 } && gaps.allSatisfy { $0 >= .milliseconds(499) }
            },
            .mark, .run(.seconds(2)),
        ]
        let simulation = play(Scenario("rapid switching", steps: steps))
        #expect(simulation.heard(by: 9, .video) == [4])
        #expect(simulation.framesDecoded(by: 9) >= 58)
    }

    @Test("Thirty people who join within a second cause a key frame each half second, not thirty")
    func joinWave() {
        var steps: [Step] = [.join(1, .person), .run(.seconds(3)), .mark]
        for number: UInt32 in 101...130 { steps += [.join(number, .viewer), .run(.milliseconds(33))] }
        steps += [
            .run(.seconds(1)),
            .expect("at most one request each half second") { simulation in
                let requests = simulation.keyFrameRequests(to: 1)
                return (2...4).contains(requests.count)
                    && zip(requests, requests.dropFirst()).allSatisfy { $1 - $0 >= .milliseconds(499) }
            },
            .expect("everybody sees 1") { simulation in
                (101...130).allSatisfy { simulation.framesDecoded(by: $0) > 10 }
            },
        ]
        play(Scenario("join wave", steps: steps))
    }

    @Test("Nothing is forwarded on a slot that is not shown")
    func hiddenSlot() {
        let hidden = Step.wish(2, [SlotWish(mid: Mid("rv0")!, pin: nil, wantedHeight: 0)])
        let shown = Step.wish(2, [SlotWish(mid: Mid("rv0")!, pin: nil, wantedHeight: 360)])
        play(
            Scenario(
                "hidden slot",
                steps: [
                    .join(1, .person), .join(2, .viewer), .run(.seconds(2)), hidden, .run(.milliseconds(100)), .mark,
                    .run(.seconds(2)), .expect("nothing comes") { $0.client(2).figures("rv0").packets == 0 },
                    shown, .run(.seconds(1)), .mark, .run(.seconds(2)),
                    .expect("frames come again") { $0.framesDecoded(by: 2) >= 58 },
                ]))
    }

    @Test("A muted track is not forwarded, and comes back with a key frame")
    func mute() {
        play(
            Scenario(
                "mute",
                steps: [
                    .join(1, .person), .join(2, .person), .run(.seconds(3)), .mute(1, mid: "v", true),
                    .mute(1, mid: "a", true), .run(.milliseconds(200)), .mark, .run(.seconds(5)),
                    .expect("2 hears nothing") { $0.heard(by: 2, .audio).isEmpty },
                    .expect("2 sees nothing") { $0.heard(by: 2, .video).isEmpty },
                    .expect("2 asks for nothing") {
                        $0.client(2).figures(.video).allSatisfy { $0.keyFrameRequestsSent == 0 }
                    },
                    .mute(1, mid: "v", false), .mute(1, mid: "a", false), .run(.seconds(1)), .mark, .run(.seconds(2)),
                    .expect("2 hears 1 again") { $0.heard(by: 2, .audio) == [1] },
                    .expect("2 sees 1 again") { $0.framesDecoded(by: 2) >= 58 },
                ]))
    }

    @Test("A track published later arrives without anything else being touched")
    func publishLater() {
        play(
            Scenario(
                "publish later",
                steps: [
                    .join(1, ParticipantProfile([.microphone()])), .join(2, .person), .run(.seconds(3)), .mark,
                    .publish(1, [.camera()]), .run(.seconds(3)),
                    .expect("2 sees 1") { $0.heard(by: 2, .video) == [1] && $0.framesDecoded(by: 2) > 60 },
                    .expect("2 went on hearing 1") {
                        $0.client(2).figures(.audio).allSatisfy { $0.longestSilence <= .milliseconds(25) }
                    },
                    .expect("1 went on seeing 2") { $0.client(1).figures(.video).allSatisfy { $0.freezes == 0 } },
                ]))
    }

    @Test("Who leaves is gone from every slot, and nothing is sent to them")
    func leave() {
        let simulation = play(
            Scenario(
                "leave",
                steps: [
                    .join(1, .person), .join(2, .person), .join(3, .person), .run(.seconds(2)), .leave(2),
                    .run(.milliseconds(100)), .mark, .run(.seconds(3)),
                    .expect("1 sees and hears only 3") {
                        $0.heard(by: 1, .video) == [3] && $0.heard(by: 1, .audio) == [3]
                    },
                    .expect("3 sees and hears only 1") {
                        $0.heard(by: 3, .video) == [1] && $0.heard(by: 3, .audio) == [1]
                    },
                ]))
        #expect(simulation.slots(of: 2).isEmpty)
        #expect(simulation.slots(of: 1).allSatisfy { $0.track?.peer != PeerID(2) })
    }

    @Test("A lost transport gets nothing until it is back, and then a key frame")
    func reconnect() {
        play(
            Scenario(
                "reconnect",
                steps: [
                    .join(1, .person), .join(2, .person), .run(.seconds(3)), .disconnect(2), .run(.milliseconds(100)),
                    .mark, .run(.seconds(4)),
                    .expect("2 gets nothing") { $0.framesDecoded(by: 2) == 0 && $0.heard(by: 2).isEmpty },
                    .reconnect(2), .run(.seconds(1)), .mark, .run(.seconds(2)),
                    .expect("2 sees again") { $0.framesDecoded(by: 2) >= 58 },
                    .expect("2 hears again") { $0.heard(by: 2) == [1] },
                    .expect("1 sees again") { $0.framesDecoded(by: 1) >= 58 },
                ]))
    }

    @Test("The clock jumps forward by half a minute and nothing breaks")
    func clockJump() {
        play(
            Scenario(
                "clock jump",
                steps: [
                    .join(1, .person), .join(2, .person), .run(.seconds(3)), .jumpClock(.seconds(30)),
                    .run(.seconds(4)), .mark, .run(.seconds(3)),
                    .expect("2 sees 1") { $0.framesDecoded(by: 2) >= 88 },
                    .expect("1 hears 2") { $0.heard(by: 1) == [2] },
                ]))
    }

    @Test("Two hundred people come and go and those who stay notice nothing")
    func churn() {
        var steps: [Step] = [.join(1, .person), .join(2, .person), .run(.seconds(2))]
        steps.append(
            .wish(1, [SlotWish(mid: Mid("rv0")!, pin: TrackID(peer: PeerID(2), mid: Mid("v")!), wantedHeight: 360)]))
        steps += [.run(.seconds(1)), .mark]
        for number: UInt32 in 100..<300 {
            let reason: RemovalReason = number % 3 == 0 ? .timedOut : .left
            steps += [.join(number, number % 2 == 0 ? .person : .listener), .run(.milliseconds(150))]
            if number >= 102 { steps.append(.leave(number - 2, reason)) }
        }
        steps += [
            .expect("1 saw 2 all the time") {
                let slot = $0.client(1).figures("rv0")
                return slot.contributors == [2] && slot.freezes == 0 && slot.lost == 0
            },
            .leave(298), .leave(299), .run(.seconds(1)), .mark, .run(.seconds(1)),
            .expect("1 and 2 are alone") { $0.heard(by: 1) == [2] && $0.heard(by: 2) == [1] },
        ]
        play(Scenario("churn", steps: steps))
    }
}
