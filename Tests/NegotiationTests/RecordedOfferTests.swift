// The answers to the offers that Chromium and Firefox really made (Offers/, recorded by Tests/Browser/record_offers.py,
// which also shows each of these answers to the browser).
import MediaCore
import Negotiation
import SDP
import TestSupport
import Testing

@Suite("Recorded offers of browsers")
struct RecordedOfferTests {
    @Test("A join is answered in full", arguments: ["chromium", "firefox"])
    func join(browser: String) throws {
        var client = Client()
        let answer = try client.answer(Recorded.offer("\(browser)-join"))
        #expect(answer.refused.isEmpty && !answer.isICERestart && answer.transportMid == "0")
        let plan = answer.plan
        #expect(plan.published.map(\.mid.text) == ["0", "1", "2"])
        #expect(plan.published.map(\.source) == [.microphone, .camera, .screen])
        #expect(plan.published[0].codecs.map(\.codec) == [.opus] && plan.published[1].codecs.map(\.codec) == [.vp8])
        #expect(plan.published[1].encodings.map { $0.rid?.text } == ["q", "h", "f"])
        #expect(plan.published[1].codecs[0].rtxPayloadType != nil)
        #expect(plan.published[2].encodings.count == 1 && plan.published[2].encodings[0].rid == nil)
        #expect(plan.published[2].encodings[0].ssrc != nil && plan.published[2].encodings[0].rtxSSRC != nil)
        #expect(plan.slots.map(\.kind) == Array(repeating: .audio, count: 4) + Array(repeating: .video, count: 8))
        let feedback = FeedbackPlan(
            nack: true, pictureLossIndication: true, fullIntraRequest: true, transportFeedback: true)
        #expect(plan.published[1].feedback == feedback && plan.slots[4].feedback == feedback)
        let ids = plan.headerExtensions
        #expect(ids.mid != 0 && ids.rid != 0 && ids.repairedRid != 0 && ids.audioLevel != 0)
        #expect(ids.transportSequence != 0 && ids.absoluteSendTime != 0 && ids.playoutDelay != 0 && ids.allowsMixed)
        let ssrcs = plan.slots.map(\.ssrc) + plan.slots.compactMap(\.rtxSSRC)
        #expect(ssrcs.count == 20 && Set(ssrcs).count == 20 && !ssrcs.contains(SSRC(0)))

        let description = try answer.description()
        #expect(description.media.count == 15 && description.media.allSatisfy { $0.port == 9 })
        #expect(description.groups == [MediaGroup(semantics: "BUNDLE", mids: (0..<15).map { "\($0)" })])
        let camera = try answer.section("1")
        #expect(camera.direction == .recvonly && camera.texts("simulcast") == ["simulcast:recv q;h;f"])
        #expect(camera.texts("rid") == ["rid:q recv", "rid:h recv", "rid:f recv"])
        #expect(camera.texts.contains { $0.hasSuffix("goog-remb") } == false)
        let slot = try answer.section("7")
        #expect(slot.direction == .sendonly && slot.texts("msid") == ["msid:slot0 video0"])
        #expect(slot.texts("ssrc-group").count == 1 && slot.texts("ssrc:").allSatisfy { $0.hasSuffix("cname:majlis") })
        #expect(try answer.section("3").texts("msid") == ["msid:slot0 audio0"])
        #expect(try answer.section("11").texts("msid") == ["msid:video4 video4"])
        #expect(!answer.remote.fingerprints.isEmpty && answer.remote.setup == .actpass && answer.remote.isTrickling)
        #expect(!answer.remote.candidates.isEmpty && answer.remote.candidates.allSatisfy { Candidate($0) != nil })
        let withCandidates = description.media.filter { $0.texts("candidate").count == 1 }
        #expect(withCandidates.map(\.mid) == ["0"] && description.media.allSatisfy { $0.contains(.setup(.passive)) })
    }

    @Test(
        "Later offers keep the slots' SSRCs; restarts, new, stopped and recycled sections show",
        arguments: ["chromium", "firefox"])
    func later(browser: String) throws {
        var client = Client()
        let join = try client.answer(Recorded.offer("\(browser)-join"))
        let again = try client.answer(Recorded.offer("\(browser)-join-again"))
        // These were recorded behind answers that did not take the Dependency Descriptor, which Chromium offers once.
        func lasting(_ answer: Answer) -> PeerPlan {
            var plan = answer.plan
            plan.headerExtensions.dependencyDescriptor = 0
            return plan
        }
        #expect(lasting(again) == lasting(join) && !again.isICERestart)
        let restart = try Recorded.offer("\(browser)-join-restart")
        let examination = try client.answerer.examine(offer: restart, inputs: client.inputs)
        #expect(examination.isICERestart && examination.remote.userFragment != join.remote.userFragment)
        let restarted = try client.answer(restart)
        #expect(restarted.isICERestart && lasting(restarted) == lasting(join))
        #expect(restarted.remote == examination.remote)
        let more = try client.answer(Recorded.offer("\(browser)-join-more-slots"))
        #expect(more.plan.slots.count == 15 && Array(more.plan.slots.prefix(12)) == join.plan.slots)
        #expect(!more.isICERestart)
        let stopped = try client.answer(Recorded.offer("\(browser)-join-screen-stopped"))
        #expect(stopped.plan.published.map(\.mid.text) == ["0", "1"] && stopped.plan.slots == more.plan.slots)
        #expect(try stopped.description().media[2].port == 0)
        #expect(try stopped.description().groups[0].mids.count == 17)
        let recycled = try client.answer(Recorded.offer("\(browser)-join-screen-recycled"))
        #expect(recycled.plan.published.count == 3 && recycled.plan.slots == more.plan.slots)
        let silent = try client.answer(Recorded.offer("\(browser)-join-microphone-inactive"))
        #expect(silent.plan.published.count == 2 && silent.transportMid == "0")
        #expect(try silent.section("0").direction == .inactive && silent.section("0").port == 9)
        let unseen = try client.answer(Recorded.offer("\(browser)-join-camera-inactive"))
        #expect(unseen.plan.published.count == 1)
        let back = try client.answer(Recorded.offer("\(browser)-join-camera-back"))
        #expect(back.plan.published.contains { $0.mid.text == "1" } && back.plan.slots == more.plan.slots)
        #expect(back.plan.published.first?.encodings.count == (browser == "chromium" ? 3 : 1))
    }

    @Test("A viewer has slots alone; a data channel is refused", arguments: ["chromium", "firefox"])
    func others(browser: String) throws {
        var viewer = Client()
        let slots = try viewer.answer(Recorded.offer("\(browser)-viewer")).plan
        #expect(slots.published.isEmpty && slots.slots.count == 12)
        var data = Client()
        let answer = try data.answer(Recorded.offer("\(browser)-data-channel"))
        #expect(answer.refused == [Refusal(mid: "4", reason: .dataChannelsUnsupported)])
        #expect(try answer.section("4").port == 0 && answer.plan.published.count == 2 && answer.plan.slots.count == 2)
        #expect(try answer.description().groups[0].mids == ["0", "1", "2", "3"])
    }

    @Test(
        "What is not permitted is refused; the first of the bundle stays, inactive", arguments: ["chromium", "firefox"])
    func notPermitted(browser: String) throws {
        var client = Client()
        client.inputs.permissions = Permissions(publishableSources: [.screen], canSubscribe: false)
        let answer = try client.answer(Recorded.offer("\(browser)-not-permitted"))
        #expect(answer.plan.published.map(\.source) == [.screen] && answer.plan.slots.isEmpty)
        #expect(answer.refused.map(\.mid) == ["0", "1"] + (3..<15).map { "\($0)" })
        #expect(answer.refused.allSatisfy { $0.reason == .notPermitted })
        #expect(try answer.section("0").port == 9 && answer.section("0").direction == .inactive)
        #expect(try answer.section("1").port == 0 && answer.transportMid == "0")
        #expect(try answer.description().groups[0].mids == ["0", "2"])
    }

    @Test("Other codecs by configuration, in its order, variants kept apart")
    func codecs() throws {
        var client = Client { $0.codecs = [.opus, .h264, .av1, .vp9, .vp8] }
        let plan = try client.answer(Recorded.offer("chromium-codecs")).plan
        let codecs = plan.published[0].codecs.map(\.codec)
        #expect(codecs.first == .h264(profile: 0x4200, packetizationMode: 1) && codecs.last == .vp8)
        #expect(codecs.contains(.h264(profile: 0x42e0, packetizationMode: 0)))
        #expect(
            codecs.contains(.vp9(profile: 0)) && codecs.contains(.vp9(profile: 2)) && codecs.contains(.av1(profile: 0)))
        #expect(plan.published[0].codecs.allSatisfy { $0.rtxPayloadType != nil })
        var plain = Client()
        #expect(try plain.answer(Recorded.offer("chromium-codecs")).plan.published[0].codecs.map(\.codec) == [.vp8])
        var none = Client { $0.codecs = [.opus] }
        let refused = try none.answer(Recorded.offer("chromium-foreign-codec"))
        #expect(refused.refused == [Refusal(mid: "0", reason: .unsupportedCodec)])
        #expect(try refused.section("0").direction == .inactive && refused.section("0").formats.count == 1)
    }

    @Test("Every recorded offer prints back to the same, and each answer parses", arguments: Recorded.names)
    func roundTrip(name: String) throws {
        let bytes = try #require(FileBytes.read(Recorded.folder + name))
        let offer = try SessionDescription(parsing: bytes)
        #expect(try SessionDescription(parsing: offer.text) == offer)
        #expect(offer.text.utf8.count == bytes.count)
        var client = Client()
        let answer = try client.answer(bytes)
        #expect(try answer.description().text == answer.sdp)
        #expect(try answer.description().media.count == offer.media.count)
    }

    @Test(
        "A truncated offer gives an answer or an error, whatever its length",
        arguments: [("firefox-sendrecv", 1), ("chromium-join", 499)])
    func truncation(name: String, step: Int) throws {
        let bytes = try Recorded.offer(name)
        var answered = 0
        for length in stride(from: 0, through: bytes.count, by: step) {
            var client = Client()
            guard let answer = try? client.answer(Array(bytes[..<length])) else { continue }
            answered += 1
            _ = try answer.description()
        }
        #expect(answered > 0 && answered < bytes.count)
    }

    @Test("The recordings are there") func present() { #expect(Recorded.names.count >= 30) }
}
