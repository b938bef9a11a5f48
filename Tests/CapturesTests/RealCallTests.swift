// What must be found in the recorded calls of real browsers (Captures/README.md) when they are played through the core.

import Captures
import MediaCore
import Testing

@Suite("Recorded real calls")
struct RealCallTests {
    private static let second = TimeDelta.seconds(1)

    @Test("Three layers are learned by their rids; both receivers follow when the top layer stops and comes back")
    func simulcast() throws {
        let call = try RealCall.play("simulcast-call")
        let camera = try call.track(1, .camera)
        #expect(Set(call.alive(camera).map(\.layer)) == [0, 1, 2])
        #expect(call.statistics.transportFeedbackSent > 50)
        let stop = try #require(call.dead(camera).first { $0.layer == 2 }?.at, "the top layer never stops")
        let back = try #require(
            call.alive(camera).first { $0.layer == 2 && $0.at > stop }?.at, "the top layer never comes back")
        // The third is the one with the large window in the end.
        let slot = try call.slot(of: 3, showing: camera)
        let switches = call.switches(slot, camera)
        #expect(switches.contains { $0.layer < 2 && $0.at >= stop && $0.at < back })
        #expect(switches.last?.layer == 2 && (switches.last?.at ?? .zero) >= back)
        let begin = try #require(switches.first?.at)
        #expect(call.longestPause(slot, from: begin, until: call.leaving) < 1_700)
        #expect(call.keyFrameRequests(camera) <= 12)
        for receiver: UInt32 in [2, 3] {
            #expect(call.switches(try call.slot(of: receiver, showing: camera), camera).count >= 2)
        }
    }

    @Test("On a way to the receiver that narrows the estimate falls, less is given, and the picture goes on")
    func narrowLink() throws {
        let call = try RealCall.play("narrow-link")
        let camera = try call.track(1, .camera)
        #expect(Set(call.alive(camera).map(\.layer)) == [0, 1, 2])
        let slot = try call.slot(of: 2, showing: camera)
        let begin = try #require(call.switches(slot, camera).first?.at)
        let fall = call.decisions.first {
            guard case .estimateChanged(PeerID(2), let change) = $0.decision else { return false }
            return change.cause == .overuse && change.to < change.from
        }
        let fallen = try #require(fall?.at, "the estimate never falls because the queue grows")
        let isGivenLess = call.decisions.contains {
            guard $0.at >= fallen, case .layerAllocated(_, slot.mid, _, _, _, _, _, _, _, let reason) = $0.decision
            else {
                return false
            }
            return reason == .estimate
        }
        #expect(isGivenLess)
        #expect(call.longestPause(slot, from: begin, until: call.leaving) < 1_500)
        let sound = try call.slot(of: 2, showing: try call.track(1, .microphone))
        #expect(call.longestPause(sound, from: begin, until: call.leaving) < 500)
        #expect(call.keyFrameRequests(camera) <= 12)
    }

    @Test("A sender that gives up layers on its narrow way is shown by those that are left")
    func narrowUplink() throws {
        let call = try RealCall.play("narrow-uplink")
        let camera = try call.track(1, .camera)
        let stop = try #require(call.dead(camera).first { $0.layer == 2 }?.at, "the top layer never stops")
        let slot = try call.slot(of: 2, showing: camera)
        let switches = call.switches(slot, camera)
        #expect(switches.contains { $0.layer == 2 && $0.at < stop })
        #expect(switches.contains { $0.layer < 2 && $0.at >= stop })
        // Nobody stays frozen when it is wide again.
        let end = call.leaving
        #expect(call.packets(slot, from: end - .seconds(2), until: end) > 10)
        #expect(call.longestPause(slot, from: end - .seconds(2), until: end) < 1_000)
    }

    @Test("Who speaks is put on a slot of everybody else, and nobody is there twice")
    func audioRoom() throws {
        let call = try RealCall.play("audio-room")
        #expect(call.plans.count == 7)
        let full = try #require(call.commands.last { $0.command.name == "peerConnected" }?.at)
        // Those who come on while the room is full: slots are four, people seven.
        var shown: [PeerID: Set<PeerID>] = [:]
        var present: [RealCall.Slot: TrackID] = [:]
        for one in call.decisions where one.at < call.leaving {
            guard case .slotAssigned(let peer, let mid, let track, let reason) = one.decision else { continue }
            present[RealCall.Slot(peer: peer, mid: mid)] = track
            guard let track, one.at > full else { continue }
            #expect(reason == .speaker)
            shown[track.peer, default: []].insert(peer)
        }
        // The sixth and the seventh were on nobody's slot before they spoke.
        for late: UInt32 in [6, 7] { #expect(shown[PeerID(late)]?.count ?? 0 >= 5, "peer \(late)") }
        for receiver in call.plans.keys {
            let tracks = present.filter { $0.key.peer == receiver }.map(\.value)
            #expect(tracks.count == 4 && Set(tracks).count == 4)
            #expect(!tracks.contains { $0.peer == receiver })
        }
        #expect(call.keyFrameRequests() == 0)
    }

    @Test("A shared screen comes, goes and comes again beside the camera, which goes on")
    func screenShare() throws {
        let call = try RealCall.play("screen-share")
        let assigned = call.decisions.filter { one in
            if case .slotAssigned(PeerID(2), _, _, .screen) = one.decision { true } else { false }
        }
        #expect(assigned.count == 2)
        for share in assigned {
            guard case .slotAssigned(_, let mid, let screen?, _) = share.decision else { continue }
            let slot = RealCall.Slot(peer: PeerID(2), mid: mid)
            let switched = try #require(call.switches(slot, screen).first { $0.at >= share.at }?.at)
            #expect(switched - share.at < Self.second)
            #expect(call.packets(slot, from: switched, until: switched + Self.second) > 5)
        }
        let camera = try call.track(1, .camera)
        let slot = try call.slot(of: 2, showing: camera)
        let begin = try #require(call.switches(slot, camera).first?.at)
        #expect(call.longestPause(slot, from: begin, until: call.leaving) < 1_000)
    }

    @Test("With every tenth packet lost in both directions, losses are asked for and answered, and pictures go on")
    func loss() throws {
        let call = try RealCall.play("ten-percent-loss")
        let statistics = call.statistics
        #expect(statistics.nacksSent > 10)
        #expect(statistics.retransmissionsReceived > 10)
        #expect(statistics.nacksReceived > 10)
        let refused =
            statistics[.retransmissionUnknown] + statistics[.retransmissionTooSoon] + statistics[.retransmissionLimit]
            + statistics[.retransmissionOverwritten] + statistics[.retransmissionBudget]
        // Each number asked for is answered, or is not, by a name.
        let copies = statistics.retransmissionCopies
        #expect(statistics.retransmissionsSent - copies + refused == statistics.nacksReceived)
        #expect(statistics.retransmissionsSent > refused && copies > 0)
        for (receiver, publisher): (UInt32, UInt32) in [(1, 2), (2, 1), (3, 1), (3, 2)] {
            let camera = try call.track(publisher, .camera)
            let slot = try call.slot(of: receiver, showing: camera)
            let begin = try #require(call.switches(slot, camera).first?.at)
            #expect(call.longestPause(slot, from: begin, until: call.leaving) < 1_600, "\(receiver) sees \(publisher)")
        }
        #expect(call.keyFrameRequests() <= 30)
    }

    @Test("In a storm of joins everybody soon sees somebody, and requests for key frames are taken together")
    func storm() throws {
        let call = try RealCall.play("storm")
        let joins = call.commands.filter { $0.command.name == "addParticipant" }.map(\.at)
        #expect(joins.count == 20)
        #expect(joins[15] - joins[0] < .seconds(2))
        #expect(call.commands.count { $0.command.name == "removeParticipant" } == 20)
        for peer in call.plans.keys {
            let connected = try #require(call.moments("peerConnected", of: peer.rawValue).first)
            let first = call.plans[peer]?.slots.filter { $0.kind == .video }.compactMap { slot in
                call.sent[RealCall.Slot(peer: peer, mid: slot.mid)]?.first { $0 >= connected }
            }.min()
            #expect(try #require(first, "peer \(peer.rawValue) sees nobody") - connected < .seconds(1))
        }
        // Each of 20 is shown to several, and those who join next ask at the same time.
        let waiting = call.decisions.count { one in
            if case .waitingForKeyFrame = one.decision { true } else { false }
        }
        #expect(waiting > 2 * call.keyFrameRequests())
        #expect(call.keyFrameRequests() <= 3 * 20)
    }

    @Test("After three seconds in which nothing passed both are seen again, by the same slots")
    func resumed() throws {
        let call = try RealCall.play("resumed")
        let cameras = [try call.track(1, .camera), try call.track(2, .camera)]
        // The second's packets stayed away, and came again.
        let came = try #require(call.received[PeerID(2)])
        let silence = try #require(zip(came, came.dropFirst()).max { $0.1 - $0.0 < $1.1 - $1.0 })
        #expect(silence.1 - silence.0 > .milliseconds(2_500))
        #expect(call.dead(cameras[1]).count == 1)
        #expect(call.alive(cameras[1]).count == 2)
        // The new offer with other ICE credentials is a new plan with the same slots, and nobody left.
        let plans = call.moments("applyPlan", of: 2)
        #expect(plans.count == 2 && plans[1] > silence.0)
        #expect(call.moments("removeParticipant", of: 2).allSatisfy { $0 >= call.leaving })
        for (receiver, camera) in zip([2, 1] as [UInt32], cameras) {
            let slot = try call.slot(of: receiver, showing: camera)
            let end = call.leaving
            let back = silence.1 + .seconds(1)
            #expect(end - back > .seconds(1))
            #expect(call.packets(slot, from: back, until: end) > 10, "\(receiver)")
            #expect(call.longestPause(slot, from: back, until: end) < 1_000, "\(receiver)")
        }
    }

    @Test("Firefox and Chromium: Firefox's layers are learned too, and each is shown to the other")
    func firefox() throws {
        let call = try RealCall.play("firefox-call")
        let chromium = try call.track(1, .camera)
        let firefox = try call.track(2, .camera)
        #expect(Set(call.alive(chromium).map(\.layer)).count >= 2)
        #expect(Set(call.alive(firefox).map(\.layer)).count >= 2)
        // They number payload types each in its own way.
        let types = [1, 2].map { call.plans[PeerID($0)]?.published.first { $0.kind == .video }?.codecs[0].payloadType }
        #expect(types[0] != types[1])
        for (receiver, camera): (UInt32, TrackID) in [(1, firefox), (2, chromium)] {
            let slot = try call.slot(of: receiver, showing: camera)
            let begin = try #require(call.switches(slot, camera).first?.at)
            #expect(call.leaving - begin > .seconds(3))
            #expect(call.longestPause(slot, from: begin, until: call.leaving) < 1_000)
        }
        #expect(call.keyFrameRequests() <= 8)
    }

    @Test(
        "Sound is where it belongs from its first packet, also before the first sender report",
        arguments: ["simulcast-call", "narrow-uplink", "audio-room", "screen-share", "ten-percent-loss", "resumed"])
    func lips(_ name: String) throws {
        let call = try RealCall.play(name)
        var moves: [RealCall.Slot: [Int]] = [:]
        for case .timestampCorrected(let peer, let mid, let ticks) in call.decisions.map(\.decision) {
            guard call.plans[peer]?.slots.first(where: { $0.mid == mid })?.kind == .audio else { continue }
            moves[RealCall.Slot(peer: peer, mid: mid), default: []].append(ticks)
        }
        // Where it pauses it may be moved, by less than can be seen of lips: 40 ms of 48 kHz.
        for (slot, ticks) in moves {
            #expect(ticks.count <= 2 && ticks.allSatisfy { abs($0) < 1_920 }, "\(slot): \(ticks)")
        }
    }
}
