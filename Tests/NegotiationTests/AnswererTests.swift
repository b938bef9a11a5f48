// The rules of an answer, one by one, on a small offer.
import MediaCore
import Negotiation
import SDP
import Testing

@Suite("Answers")
struct AnswererTests {
    @Test("Opus: forward error correction asked for, discontinuous transmission and minptime as offered")
    func opus() throws {
        var offer = Offer()
        offer.sections[0] = offer.sections[0].map {
            $0.hasPrefix("a=fmtp:111") ? "a=fmtp:111 minptime=20; usedtx=1;stereo=1" : $0
        }
        var client = Client()
        let section = try client.answer(offer.text).section("0")
        #expect(section.formats == ["111", "63"])
        #expect(section.texts("fmtp:111") == ["fmtp:111 minptime=20;useinbandfec=1;usedtx=1"])
        client = Client()
        client.inputs.tracks = [DeclaredTrack(mid: "0", source: .screenAudio, isMuted: true)]
        let answer = try client.answer(offer.text)
        #expect(try answer.section("0").texts("fmtp").first?.hasSuffix(";stereo=1") == true)
        #expect(answer.plan.published[0].source == .screenAudio && answer.plan.published[0].isMuted)
    }

    /// A receive slot for audio, as the microphone's section is.
    private static func audioSlot(_ mid: String) -> [String] {
        Offer.microphone(mid).filter { !$0.hasPrefix("a=ssrc") }.map { $0 == "a=sendonly" ? "a=recvonly" : $0 }
    }

    @Test("In-band error correction is on towards both sides, whatever the offer says of it")
    func inBandCorrection() throws {
        var offer = Offer()
        offer.sections[2] = Self.audioSlot("2").filter { !$0.hasPrefix("a=fmtp:111") }
        offer.sections[0] = offer.sections[0].map { $0.hasPrefix("a=fmtp:111") ? "a=fmtp:111 useinbandfec=0" : $0 }
        var client = Client()
        let answer = try client.answer(offer.text)
        for mid in ["0", "2"] { #expect(try answer.section(mid).texts("fmtp:111") == ["fmtp:111 useinbandfec=1"]) }
    }

    @Test("RED is taken for the Opus that it carries, in the offered order, on tracks and slots; never with encryption")
    func redundancy() throws {
        func answer(_ change: (inout [String]) -> Void = { _ in }, encrypted: Bool = false) throws -> Answer {
            var offer = Offer()
            offer.sections[2] = Self.audioSlot("2")
            change(&offer.sections[0])
            var client = Client()
            client.inputs.isEncrypted = encrypted
            return try client.answer(offer.text)
        }
        let agreed = try answer { $0[0] = "m=audio 9 UDP/TLS/RTP/SAVPF 63 111" }
        #expect(try agreed.section("0").formats == ["63", "111"])
        #expect(try agreed.section("2").formats == ["111", "63"])
        for mid in ["0", "2"] {
            #expect(try agreed.section(mid).texts("rtpmap:63") == ["rtpmap:63 red/48000/2"])
            #expect(try agreed.section(mid).texts("fmtp:63") == ["fmtp:63 111/111"])
        }
        let opus = CodecPlan(
            codec: .opus, payloadType: PayloadType(111), rtxPayloadType: nil, redPayloadType: PayloadType(63),
            clockRate: 48_000)
        #expect(agreed.plan.published[0].codecs == [opus] && agreed.plan.slots[0].codecs == [opus])
        // Of other codecs, of several, of itself, of nothing, or of another clock.
        let refused: [(inout [String]) -> Void] = [
            { $0 = $0.map { $0 == "a=fmtp:63 111/111" ? "a=fmtp:63 0/0" : $0 } },
            { $0 = $0.map { $0 == "a=fmtp:63 111/111" ? "a=fmtp:63 111/110" : $0 } },
            { $0 = $0.map { $0 == "a=fmtp:63 111/111" ? "a=fmtp:63 63/63" : $0 } },
            { $0 = $0.map { $0 == "a=fmtp:63 111/111" ? "a=fmtp:63 999" : $0 } },
            { $0.removeAll { $0 == "a=fmtp:63 111/111" } },
            { $0 = $0.map { $0 == "a=rtpmap:63 red/48000/2" ? "a=rtpmap:63 red/8000" : $0 } },
        ]
        for change in refused {
            let answer = try answer(change)
            #expect(try answer.section("0").formats == ["111"])
            #expect(answer.plan.published[0].codecs[0].redPayloadType == nil)
        }
        let encrypted = try answer(encrypted: true)
        for mid in ["0", "2"] { #expect(try encrypted.section(mid).formats == ["111"]) }
        #expect(encrypted.plan.published[0].codecs[0].redPayloadType == nil)
        #expect(encrypted.plan.slots[0].codecs[0].redPayloadType == nil)
    }

    @Test("Feedback: what every codec of a section was offered, REMB for a slot without transport feedback alone")
    func feedback() throws {
        var client = Client()
        let answer = try client.answer(Offer().text)
        let wanted = ["rtcp-fb:96 ccm fir", "rtcp-fb:96 nack", "rtcp-fb:96 nack pli"]
        #expect(try answer.section("1").texts("rtcp-fb") == wanted)
        #expect(try answer.section("2").texts("rtcp-fb") == ["rtcp-fb:96 goog-remb"] + wanted)
        #expect(answer.plan.published[1].feedback.transportFeedback == false)
        var offer = Offer()
        // Transport feedback without its header extension cannot work.
        offer.sections[1].append("a=rtcp-fb:96 transport-cc")
        client = Client()
        #expect(try client.answer(offer.text).plan.published[1].feedback.transportFeedback == false)
        offer.sections[1].append(
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01")
        client = Client()
        let agreed = try client.answer(offer.text)
        #expect(
            agreed.plan.published[1].feedback.transportFeedback && agreed.plan.headerExtensions.transportSequence == 3)
    }

    @Test("Simulcast: alternatives, pauses, restrictions, more encodings than wanted, and no rids on the wire")
    func simulcast() throws {
        func encodings(_ lines: String...) throws -> ([String?], [String]) {
            var offer = Offer()
            offer.sections[1] += lines
            var client = Client()
            let answer = try client.answer(offer.text)
            return (answer.plan.published[1].encodings.map { $0.rid?.text }, try answer.section("1").texts("simulcast"))
        }
        let three = ["a=rid:q send", "a=rid:h send pt=97,96", "a=rid:f send max-width=1280", "a=rid:x send pt=97"]
        var (rids, lines) = try encodings(three[0], three[1], three[2], "a=simulcast:send q;~h;f")
        #expect(rids == ["q", "h", "f"] && lines == ["simulcast:recv q;h;f"])
        (rids, lines) = try encodings(three[0], three[1], three[3], "a=simulcast:send x,q;unknown,h")
        #expect(rids == ["q", "h"] && lines == ["simulcast:recv q;h"])
        (rids, lines) = try encodings(
            "a=rid:1 send", "a=rid:2 send", "a=rid:3 send", "a=rid:4 send", "a=simulcast:send 1;2;3;4;1")
        #expect(rids == ["1", "2", "3"] && lines == ["simulcast:recv 1;2;3"])
        (rids, lines) = try encodings("a=rid:only send")
        #expect(rids == ["only"] && lines.isEmpty)
        (rids, lines) = try encodings("a=rid:a recv", "a=simulcast:recv a")
        #expect(rids == [nil] && lines.isEmpty)
        (rids, lines) = try encodings("a=rid:seventeencharacter send", "a=simulcast:send seventeencharacter")
        #expect(rids == [nil] && lines.isEmpty)
        var offer = Offer()
        offer.sections[1] += ["a=rid:q send", "a=simulcast:send q"]
        offer.sections[1].removeAll { $0.contains("rtp-stream-id") }
        offer.sections[1] += ["a=ssrc-group:FID 5 6", "a=ssrc:5 cname:x", "a=ssrc:6 cname:x"]
        var client = Client()
        let encoding = try client.answer(offer.text).plan.published[1].encodings
        #expect(encoding == [EncodingPlan(rid: nil, ssrc: SSRC(5), rtxSSRC: SSRC(6))])
    }

    @Test("Sections that cannot be taken are refused by name, the others go on")
    func refusals() throws {
        func refusal(_ change: (inout Offer) -> Void, _ client: Client = Client()) throws -> [Refusal] {
            var offer = Offer()
            change(&offer)
            var client = client
            let answer = try client.answer(offer.text)
            #expect(try answer.section("0").port == 9)
            return answer.refused
        }
        #expect(
            try refusal { $0.sections[1].removeAll { $0 == "a=rtcp-mux" } } == [Refusal(mid: "1", reason: .noRtcpMux)])
        #expect(try refusal { $0.session = ["a=group:BUNDLE 0 2"] } == [Refusal(mid: "1", reason: .notBundled)])
        #expect(try refusal { $0.sections[1].removeAll { $0 == "a=mid:1" } } == [Refusal(mid: "", reason: .notBundled)])
        #expect(
            try refusal { $0.sections[1][0] = "m=video 9 RTP/AVP 96 97" } == [
                Refusal(mid: "1", reason: .unsupportedMedia)
            ])
        #expect(
            try refusal { $0.sections[1][0] = "m=text 9 UDP/TLS/RTP/SAVPF 96" } == [
                Refusal(mid: "1", reason: .unsupportedMedia)
            ])
        #expect(
            try refusal { $0.sections[1][0] = "m=video 9 UDP/TLS/RTP/SAVPF 97" } == [
                Refusal(mid: "1", reason: .unsupportedCodec)
            ])
        var client = Client()
        client.inputs.tracks = [DeclaredTrack(mid: "1", source: .microphone, isMuted: false)]
        #expect(try refusal({ _ in }, client) == [Refusal(mid: "1", reason: .malformed)])
        #expect(
            try refusal({ _ in }, Client { $0.maximumPublishedTracks = 1 }) == [
                Refusal(mid: "1", reason: .tooManyTracks)
            ])
        #expect(try refusal({ _ in }, Client { $0.maximumSlots = 0 }) == [Refusal(mid: "2", reason: .tooManySlots)])
    }

    @Test("Offers that cannot be answered at all are errors, and change nothing")
    func errors() throws {
        var client = Client()
        let first = try client.answer(Offer().text)
        func error(_ change: (inout Offer) -> Void) -> NegotiationError? {
            var offer = Offer()
            change(&offer)
            var copy = client
            return #expect(throws: NegotiationError.self) { try copy.answer(offer.text) }
        }
        func without(_ prefix: String) -> NegotiationError? {
            error { offer in
                for index in offer.sections.indices { offer.sections[index].removeAll { $0.hasPrefix(prefix) } }
            }
        }
        #expect(without("a=ice-ufrag") == .missingICECredentials)
        #expect(without("a=fingerprint") == .missingFingerprint)
        #expect(
            error { $0.session = [] } == .nothingAccepted((0...2).map { Refusal(mid: "\($0)", reason: .notBundled) }))
        #expect(error { $0.sections.removeLast() } == .missingMediaSection)
        #expect(error { $0.sections[1] = Offer.camera("9") } == .changedMediaSection(1))
        #expect(error { $0.sections[1] = Offer.microphone("1") } == .changedMediaSection(1))
        #expect(error { $0.sections.append(Offer.slot("2")) } == .duplicateMid("2"))
        #expect(error { $0.sections.append(Offer.slot("seventeencharacter")) } == .invalidMid)
        #expect(
            error { $0.sections[2].append("a=extmap:4 urn:3gpp:video-orientation") } == .conflictingHeaderExtension(4))
        #expect(
            error { $0.sections[2].append("a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid") }
                == .conflictingHeaderExtension(5))
        for (role, isAnswered) in [("active", true), ("passive", false), ("holdconn", false)] {
            var offer = Offer()
            offer.sections = offer.sections.map { $0.map { $0 == "a=setup:actpass" ? "a=setup:\(role)" : $0 } }
            var copy = client
            if isAnswered {
                #expect(try copy.answer(offer.text).remote.setup == .active)
            } else {
                #expect(throws: NegotiationError.unsupportedSetup) { try copy.answer(offer.text) }
            }
        }
        for prefix in ["a=fingerprint:sha-256 ", "a=ice-pwd:"] {
            let bad = prefix.contains("pwd") ? "a=ice-pwd:short" : "a=fingerprint:sha-1 AA:BB"
            var offer = Offer()
            offer.sections = offer.sections.map { $0.map { $0.hasPrefix(prefix) ? bad : $0 } }
            var copy = client
            #expect(throws: NegotiationError.self) { try copy.answer(offer.text) }
        }
        var copy = client
        let malformed = #expect(throws: NegotiationError.self) { try copy.answer("v=0\n") }
        #expect(malformed == .malformed(SDPError(line: 1, reason: "Here a line o= must stand.")))
        #expect(malformed?.message.isEmpty == false)
        #expect(try client.answer(Offer().text).plan == first.plan)
    }

    @Test("Five hundred media sections are an error, sixty-four are answered")
    func manySections() throws {
        func offer(_ count: Int) -> String {
            var offer = Offer()
            offer.session = ["a=group:BUNDLE " + (0..<count).map { "\($0)" }.joined(separator: " ")]
            offer.sections = (0..<count).map { Offer.slot("\($0)") }
            return offer.text
        }
        var client = Client()
        #expect(throws: NegotiationError.tooManyMediaSections(64)) { try client.answer(offer(65)) }
        #expect(throws: NegotiationError.self) { try client.answer(offer(500)) }
        let answer = try client.answer(offer(64))
        #expect(answer.plan.slots.count == 32 && answer.refused.count == 32)
        #expect(answer.refused.allSatisfy { $0.reason == .tooManySlots })
    }

    @Test("SSRCs are unlike each other and the offer's, whatever the source of chance")
    func ssrcs() throws {
        var answerer = Client().answerer
        var stuck = StuckRandom()
        var offer = Offer()
        offer.sections[1] += ["a=ssrc:1 cname:x", "a=ssrc:2 cname:x"]
        offer.sections.append(Offer.slot("3"))
        offer.session = ["a=group:BUNDLE 0 1 2 3"]
        let client = Client()
        let plan = try answerer.answer(offer: offer.text, inputs: client.inputs, local: client.local, random: &stuck)
            .plan
        #expect(plan.slots.map(\.ssrc.rawValue) == [3, 5] && plan.slots.map { $0.rtxSSRC?.rawValue } == [4, 6])
        // A slot keeps its numbers while its section is inactive.
        offer.sections[2] = offer.sections[2].map { $0 == "a=recvonly" ? "a=inactive" : $0 }
        let without = try answerer.answer(
            offer: offer.text, inputs: client.inputs, local: client.local, random: &stuck
        ).plan
        #expect(without.slots.map(\.ssrc.rawValue) == [5])
        offer.sections[2] = Offer.slot("2")
        let again = try answerer.answer(
            offer: offer.text, inputs: client.inputs, local: client.local, random: &stuck
        ).plan
        #expect(again == plan)
    }

    @Test("Header extensions: the offerer's numbers, only where of use, two-byte numbers only where mixing is agreed")
    func extensions() throws {
        var offer = Offer()
        offer.sections[1] += [
            "a=extmap:16 urn:3gpp:video-orientation", "a=extmap:15/sendonly urn:example:other",
            "a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            "a=extmap:11/sendonly urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        ]
        offer.sections[2].append("a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay")
        var client = Client()
        let answer = try client.answer(offer.text)
        let camera = try answer.section("1").texts("extmap")
        #expect(
            camera.count == 3
                && camera.last == "extmap:11/recvonly urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id")
        let slot = try answer.section("2").texts("extmap")
        #expect(slot.count == 2 && slot.last?.hasPrefix("extmap:6/sendonly ") == true)
        let map = answer.plan.headerExtensions
        #expect(map.mid == 4 && map.rid == 10 && map.repairedRid == 11 && map.playoutDelay == 6)
        #expect(map.videoOrientation == 0 && map.allowsMixed == false)
        offer.session.append("a=extmap-allow-mixed")
        client = Client()
        let mixed = try client.answer(offer.text)
        #expect(mixed.plan.headerExtensions.videoOrientation == 16 && mixed.plan.headerExtensions.allowsMixed)
        #expect(try mixed.description().attributes.contains(.extensionMappingAllowMixed))
        // The Dependency Descriptor is for what is sent and what is received, of video alone.
        let uri = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        for section in offer.sections.indices { offer.sections[section].append("a=extmap:13 \(uri)") }
        client = Client()
        let described = try client.answer(offer.text)
        #expect(described.plan.headerExtensions.dependencyDescriptor == 13)
        for section in ["1", "2"] {
            #expect(try described.section(section).texts("extmap").contains("extmap:13 \(uri)"))
        }
        #expect(try !described.section("0").texts("extmap").contains { $0.hasPrefix("extmap:13") })
    }

    @Test("H.264 profiles written differently are one")
    func h264() throws {
        func codec(_ parameters: String) throws -> Codec? {
            var offer = Offer()
            offer.sections[1] =
                offer.sections[1].map {
                    $0 == "a=rtpmap:96 VP8/90000" ? "a=rtpmap:96 H264/90000" : $0
                } + ["a=fmtp:96 \(parameters)"]
            var client = Client { $0.codecs = [.opus, .vp8, .h264] }
            return try client.answer(offer.text).plan.published.first { $0.kind == .video }?.codecs.first?.codec
        }
        let constrained = Codec.h264(profile: 0x42e0, packetizationMode: 1)
        for id in ["42e01f", "42c01f", "42E034", "4d801f", "58c01f"] {
            #expect(try codec("packetization-mode=1;profile-level-id=\(id)") == constrained)
        }
        #expect(try codec("profile-level-id=64001f") == .h264(profile: 0x6400, packetizationMode: 0))
        #expect(try codec("profile-level-id=640c1f") == .h264(profile: 0x640c, packetizationMode: 0))
        #expect(try codec("x=y") == .h264(profile: 0x4200, packetizationMode: 0))
        for bad in ["profile-level-id=f4001f", "profile-level-id=42e0", "packetization-mode=2", "packetization-mode=x"]
        {
            #expect(try codec(bad) == nil)
        }
    }

    @Test("The transport may stand at the session; a bundle-only section uses the first's")
    func transport() throws {
        var offer = Offer()
        let moved = Offer.transport.filter { $0.contains("ice-") || $0.contains("fingerprint") || $0.contains("setup") }
        offer.session += moved + ["a=ice-lite", "a=end-of-candidates"]
        for index in offer.sections.indices { offer.sections[index].removeAll(where: moved.contains) }
        offer.sections[0].append("a=candidate:1 1 udp 1 192.0.2.1 5 typ host")
        offer.sections[1][0] = "m=video 0 UDP/TLS/RTP/SAVPF 96 97"
        offer.sections[1].append("a=bundle-only")
        var client = Client()
        let remote = try client.answer(offer.text).remote
        #expect(remote.userFragment == "abcd" && remote.isLite && remote.candidatesAreComplete && remote.isTrickling)
        #expect(remote.candidates == ["candidate:1 1 udp 1 192.0.2.1 5 typ host"])
        #expect(remote.fingerprints.first?.bytes == Array(repeating: 0xab, count: 32))
    }

    @Test("Answers of one negotiation keep its id and count its versions; stopped sections may be recycled")
    func continuity() throws {
        var client = Client()
        let first = try client.answer(Offer().text).description().origin.split(separator: " ")
        let second = try client.answer(Offer().text).description().origin.split(separator: " ")
        #expect(first[1] == second[1] && first[2] == "1" && second[2] == "2")
        var offer = Offer()
        offer.sections[1] = ["m=video 0 UDP/TLS/RTP/SAVPF 96", "a=inactive"]
        let stopped = try client.answer(offer.text)
        #expect(
            try stopped.plan.published.count == 1 && stopped.description().media[1].port == 0 && stopped.refused.isEmpty
        )
        offer.sections[1] = Offer.microphone("new")
        offer.session = ["a=group:BUNDLE 0 new 2"]
        let recycled = try client.answer(offer.text)
        #expect(recycled.plan.published.map(\.mid.text) == ["0", "new"] && recycled.plan.slots == stopped.plan.slots)
        // A published track whose permission was taken away stays as a section on which nobody sends.
        client.inputs.permissions.publishableSources = []
        let muted = try client.answer(offer.text)
        #expect(muted.refused.map(\.mid) == ["0", "new"] && muted.plan.published.isEmpty)
        #expect(try muted.section("new").port == 9 && muted.section("new").direction == .inactive)
    }
}
