// The parser and printer against the standards' examples, real descriptions and broken ones.
import SDP
import TestSupport
import Testing

@Suite("Session descriptions")
struct SDPParserTests {
    @Test("RFC 8829 §7.1: a browser's offer is read in all its parts")
    func jsep() throws {
        let offer = try SessionDescription(parsing: Examples.jsepOffer)
        #expect(offer.origin == "- 4962303333179871722 1 IN IP4 0.0.0.0")
        #expect(offer.lines == [DescriptionLine(letter: "t", value: "0 0")])
        #expect(offer.groups.map(\.semantics) == ["BUNDLE", "LS"])
        #expect(offer.groups.first?.mids == ["a1", "v1"])
        #expect(offer.attributes.first == .iceOptions(["trickle", "ice2"]))
        try #require(offer.media.count == 2)
        let audio = offer.media[0]
        #expect(audio.kind == "audio" && audio.port == 10_100 && audio.protocolName == "UDP/TLS/RTP/SAVPF")
        #expect(audio.formats == ["96", "0", "8", "97", "98"])
        #expect(audio.lines == [DescriptionLine(letter: "c", value: "IN IP4 203.0.113.100")])
        #expect(audio.mid == "a1" && audio.direction == .sendrecv)
        #expect(
            audio.contains(.rtpMap(RTPMap(payloadType: 96, encoding: "opus", clockRate: 48_000, channels: 2))))
        #expect(audio.contains(.rtpMap(RTPMap(payloadType: 0, encoding: "PCMU", clockRate: 8_000))))
        #expect(audio.contains(.other(name: "maxptime", value: "120")))
        #expect(audio.contains(.mediaStreamID(MediaStreamID(stream: "47017fee-b6c1-4162-929c-a25110252400"))))
        #expect(audio.contains(.iceUserFragment("ETEn")) && audio.contains(.setup(.actpass)))
        #expect(audio.contains(.rtcpMux) && audio.contains(.rtcpReducedSize) && audio.contains(.endOfCandidates))
        let candidate = Candidate(
            foundation: "1", component: 2, transport: "udp", priority: 2_113_929_470, address: "203.0.113.100",
            port: 10_101, type: "host")
        #expect(audio.contains(.candidate(candidate)))
        let prints = audio.attributes.compactMap { if case .fingerprint(let print) = $0 { print } else { nil } }
        #expect(prints.first?.algorithm == "sha-256" && prints.first?.bytes.count == 32)
        #expect(prints.first?.bytes.prefix(3) == [0x19, 0xe2, 0x1c])
        let video = offer.media[1]
        #expect(video.contains(.rtcpFeedback(RTCPFeedback(payloadType: 100, value: "nack pli"))))
        #expect(
            video.contains(
                .extensionMapping(
                    ExtensionMapping(identifier: 3, uri: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"))))
        let fmtp = video.attributes.compactMap { if case .formatParameters(let found) = $0 { found } else { nil } }
        #expect(fmtp.first?.value(of: "Packetization-Mode") == "1")
        #expect(fmtp.first?.value(of: "profile-level-id") == "42e01f")
        #expect(fmtp.first?.value(of: "apt") == nil)
    }

    @Test("RFC 8853 §5.6: rids with their restrictions, alternatives and pauses are read")
    func simulcast() throws {
        let offer = try SessionDescription(parsing: Examples.simulcastOffer)
        let video = try #require(offer.media.last)
        let rids = video.attributes.compactMap { if case .rid(let rid) = $0 { rid } else { nil } }
        #expect(rids.map(\.identifier) == ["1", "2", "3", "4"])
        #expect(rids.map(\.direction) == [.send, .send, .send, .recv])
        #expect(rids.map(\.payloadTypes) == [[97], [98], [99], [97]])
        #expect(rids[0].restrictions == ["max-width=1280", "max-height=720"])
        let wanted = Simulcast(
            send: [
                [SimulcastAlternative(rid: "1")],
                [SimulcastAlternative(rid: "2"), SimulcastAlternative(rid: "3", isPaused: true)],
            ],
            receive: [[SimulcastAlternative(rid: "4")]])
        #expect(video.contains(.simulcast(wanted)))
        #expect(Attribute.simulcast(wanted).text == "simulcast:send 1;2,~3 recv 4")
    }

    @Test("RFC 9143 §7.2: a bundle-only section has port 0")
    func bundle() throws {
        let offer = try SessionDescription(parsing: Examples.bundleOffer)
        #expect(offer.name == "" && offer.groups == [MediaGroup(semantics: "BUNDLE", mids: ["foo", "bar"])])
        #expect(offer.media.map(\.port) == [10_000, 0])
        #expect(offer.media.map { $0.contains(.bundleOnly) } == [false, true])
    }

    @Test(
        "What is parsed prints to a text that parses to the same",
        arguments: [Examples.jsepOffer, Examples.simulcastOffer, Examples.bundleOffer])
    func roundTrip(text: String) throws {
        let first = try SessionDescription(parsing: text)
        #expect(try SessionDescription(parsing: first.text) == first)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(first.text == lines.map { $0 + "\r\n" }.joined())
    }

    /// A broken text and the line at which it breaks.
    struct Broken: CustomTestStringConvertible, Sendable {
        var text: String
        var line: Int
        var testDescription: String { text.split(whereSeparator: \.isNewline).last.map(String.init) ?? "nothing" }

        static func first(_ text: String) -> Broken { Broken(text: text, line: 1) }
        static func fifth(_ lines: String) -> Broken { Broken(text: Examples.session(lines), line: 5) }
    }

    static let brokenTexts: [Broken] = [
        Broken(text: "", line: 0), .first("v=1"), .first("o=- 1 1 IN IP4 127.0.0.1"),
        Broken(text: Examples.session("", "a=late"), line: 5),
        Broken(text: Examples.session("m=audio 9 RTP/AVP 0", "t=0 0"), line: 6),
        .fifth("x=1"),
        .fifth("no equals sign"),
        .fifth("="),
        .fifth("a="),
        .fifth("a=:x"),
        .fifth("a=mid"),
        .fifth("a=mid:"),
        .fifth("a=mid:a b"),
        .fifth("m=audio"),
        .fifth("m=audio x RTP/AVP 0"),
        .fifth("m=audio 65536 RTP/AVP 0"),
        .fifth("m=audio 9/x RTP/AVP 0"),
        .fifth("a=rtpmap:128 VP8/90000"),
        .fifth("a=rtpmap:96 VP8"),
        .fifth("a=rtpmap:96 VP8/99999999999"),
        .fifth("a=rtpmap:96 opus/48000/256"),
        .fifth("a=fmtp:"),
        .fifth("a=rtcp-fb:96"),
        .fifth("a=rtcp-fb:x nack"),
        .fifth("a=extmap:1"),
        .fifth("a=extmap:65536 u"),
        .fifth("a=extmap:1/up u"),
        .fifth("a=rid:a"),
        .fifth("a=rid:a both"),
        .fifth("a=rid:a;b send"),
        .fifth("a=rid:a send pt=x"),
        .fifth("a=simulcast:send"),
        .fifth("a=simulcast:send a;;b"),
        .fifth("a=simulcast:send a send b"),
        .fifth("a=simulcast:send ~"),
        .fifth("a=simulcast: send rid=a;b"),
        .fifth("a=ssrc:4294967296 cname:x"),
        .fifth("a=ssrc:1"),
        .fifth("a=ssrc-group:FID 1 x"),
        .fifth("a=setup:both"),
        .fifth("a=fingerprint:sha-256"),
        .fifth("a=fingerprint:sha-256 0:11"),
        .fifth("a=fingerprint:sha-256 00:"),
        .fifth("a=fingerprint:sha-256 0011"),
        .fifth("a=ice-ufrag:a b"),
        .fifth("a=ice-pwd:pass\u{e9}"),
        .fifth("a=ice-options:"),
        .fifth("a=group:"),
        .fifth("a=tool:\u{1}"),
    ]

    @Test("A broken line is named by its number", arguments: brokenTexts)
    func brokenText(_ broken: Broken) {
        let error = #expect(throws: SDPError.self) { try SessionDescription(parsing: broken.text) }
        #expect(error?.line == broken.line)
        #expect(error?.reason.isEmpty == false)
    }

    @Test("A candidate of an unknown form is kept as text; a flag with a value is another attribute")
    func tolerance() throws {
        let session = try SessionDescription(
            parsing: Examples.session("a=candidate:1 1 carrier-pigeon x", "a=rtcp-mux:1", "a=x-y: spaced ", "") + "\n\n"
        )
        #expect(
            session.attributes == [
                .other(name: "candidate", value: "1 1 carrier-pigeon x"), .other(name: "rtcp-mux", value: "1"),
                .other(name: "x-y", value: " spaced "),
            ])
        #expect(try SessionDescription(parsing: session.text) == session)
    }

    @Test("Ten thousand lines are read, one more is refused; so are too many bytes, sections, formats and long lines")
    func limits() throws {
        let head = Array(Examples.session().utf8)
        func lines(_ count: Int) -> [UInt8] { head + Array(repeating: "a=x\n".utf8, count: count - 4).joined() }
        #expect(try SessionDescription(parsing: lines(SDPLimits.maximumLines)).attributes.count == 9_996)
        #expect(throws: SDPError(line: 10_001, reason: "There are more than 10000 lines.")) {
            try SessionDescription(parsing: lines(SDPLimits.maximumLines + 1))
        }
        func sections(_ count: Int) -> String { Examples.session() + repeated("m=audio 9 RTP/AVP 0\r\n", count) }
        #expect(try SessionDescription(parsing: sections(128)).media.count == 128)
        #expect(throws: SDPError.self) { try SessionDescription(parsing: sections(129)) }
        #expect(throws: SDPError.self) { try SessionDescription(parsing: sections(500)) }
        #expect(throws: SDPError.self) {
            try SessionDescription(parsing: Examples.session("m=audio 9 RTP/AVP" + repeated(" 1", 1_025)))
        }
        func line(_ count: Int) -> String { Examples.session("a=" + repeated("x", count - 2)) }
        #expect(try SessionDescription(parsing: line(SDPLimits.maximumLineBytes)).attributes.count == 1)
        #expect(throws: SDPError.self) { try SessionDescription(parsing: line(SDPLimits.maximumLineBytes + 1)) }
        #expect(throws: SDPError.self) {
            try SessionDescription(parsing: [UInt8](repeating: 0x61, count: SDPLimits.maximumBytes + 1))
        }
        #expect(throws: SDPError(line: 0, reason: "The description is not UTF-8.")) {
            try SessionDescription(parsing: head + [0x61, 0x3d, 0xff, 0x0a])
        }
    }

    private func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    @Test("Every truncation and every changed byte of an offer gives a description or an error")
    func damage() {
        let bytes = Array(Examples.jsepOffer.utf8)
        var parsed = 0
        for length in 0...bytes.count {
            if let value = try? SessionDescription(parsing: Array(bytes[..<length])) {
                parsed += 1
                #expect((try? SessionDescription(parsing: value.text)) == value)
            }
        }
        for index in bytes.indices {
            for byte in [UInt8(0x20), 0x0a, bytes[index] ^ 1] {
                var damaged = bytes
                damaged[index] = byte
                if let value = try? SessionDescription(parsing: damaged) {
                    parsed += 1
                    #expect((try? SessionDescription(parsing: value.text)) == value)
                }
            }
        }
        #expect(parsed > 1_000)
    }

    @Test(
        "Real descriptions of browsers and devices parse or are refused, and print back to the same",
        .enabled(if: ExternalCaptures.arePresent, "the public captures are not there"),
        arguments: [("sdp-mozilla", 33, 40), ("libwebrtc/sdp-corpus", 8, 28)])
    func captures(folder: String, least: Int, count: Int) throws {
        let files = ExternalCaptures.files(in: folder).filter { $0.hasSuffix(".sdp") }
        #expect(files.count >= count)
        var parsed = 0
        for file in files {
            let bytes = try #require(ExternalCaptures.bytes(file))
            do throws(SDPError) {
                let value = try SessionDescription(parsing: bytes)
                parsed += 1
                #expect((try? SessionDescription(parsing: value.text)) == value, "\(file)")
            } catch {
                print("\(file) is refused: \(error)")
                #expect(!error.reason.isEmpty)
            }
        }
        print("\(folder): \(parsed) of \(files.count) parse")
        #expect(parsed >= least)
    }
}

@Suite("ICE candidates")
struct CandidateTests {
    @Test(
        "RFC 8839: candidates are read and written",
        arguments: [
            "candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host",
            "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
            "candidate:842163049 1 tcp 1518280447 2001:db8::1 9 typ host tcptype active generation 0 ufrag EEtu network-id 3",
            "candidate:1052353102 1 udp 2122260223 b64f5d0d-60a0-4c8f-9d8c-b5c3b8c4b2a7.local 54321 typ host",
        ])
    func roundTrip(text: String) throws {
        let candidate = try #require(Candidate(text))
        #expect(candidate.text == text)
        #expect(Candidate("a=" + text) == candidate)
    }

    @Test("The parts of a candidate are where they belong")
    func parts() throws {
        let candidate = try #require(
            Candidate("candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 x y"))
        #expect(candidate.foundation == "2" && candidate.component == 1 && candidate.transport == "UDP")
        #expect(candidate.priority == 1_694_498_815 && candidate.address == "192.0.2.3" && candidate.port == 45_664)
        #expect(candidate.type == "srflx" && candidate.relatedAddress == "203.0.113.141")
        #expect(candidate.relatedPort == 8_998 && candidate.extensions == [.init(name: "x", value: "y")])
    }

    @Test(
        "What is no candidate is nil",
        arguments: [
            "", "candidate:", "1 1 udp 1 192.0.2.1 1 typ host", "candidate:1 0 udp 1 192.0.2.1 1 typ host",
            "candidate:1 257 udp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 4294967296 192.0.2.1 1 typ host",
            "candidate:1 1 udp 1 192.0.2.1 65536 typ host", "candidate:1 1 udp 1 192.0.2.1 1 host",
            "candidate:1 1 udp 1 192.0.2.1 1 typ", "candidate:1 1 udp 1 192.0.2.1 1 typ host odd",
            "candidate:1 1 udp 1 192.0.2.1 1 typ host raddr", "candidate:1 1 udp 1 192.0.2.1 1 typ host rport x",
            "candidate:a.b 1 udp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1\r\n 1 typ host",
            "candidate:1 1 udp 1 192.0.2.1 1 typ host" + String(repeating: " a b", count: 33),
            "candidate:1 1 udp 1 192.0.2.1 1 typ host x " + String(repeating: "y", count: 2_048),
        ])
    func refused(text: String) { #expect(Candidate(text) == nil) }
}
