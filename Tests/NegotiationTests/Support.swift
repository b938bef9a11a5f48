// What the negotiation's tests share: the recorded offers, an answerer with fixed chance, ways into an answer.
import MediaCore
import Negotiation
import SDP
import TestSupport
import Testing

/// The same numbers in every run (SplitMix64).
struct FixedRandom: RandomNumberGenerator {
    var state: UInt64 = 7
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// A source of chance that always gives the same number.
struct StuckRandom: RandomNumberGenerator {
    mutating func next() -> UInt64 { 0 }
}

enum Recorded {
    static let folder = ExternalCaptures.packageRoot + "/Tests/NegotiationTests/Offers/"
    static let names = FileBytes.list(folder).filter { $0.hasSuffix(".sdp") }

    static func offer(_ name: String) throws -> [UInt8] { try #require(FileBytes.read(folder + name + ".sdp")) }
}

/// One client's negotiation.
struct Client {
    var answerer: Answerer
    var random = FixedRandom()
    var inputs = AnswerInputs(permissions: .all, tracks: [DeclaredTrack(mid: "2", source: .screen, isMuted: false)])
    var local = LocalTransport(
        userFragment: "majl", password: "aPasswordOfTwentyTwoCh",
        fingerprint: Fingerprint(algorithm: "sha-256", bytes: Array(0..<32)),
        candidates: ["candidate:1 1 udp 2130706431 192.0.2.9 40000 typ host"], candidatesAreComplete: true)

    init(_ configure: (inout NegotiationConfiguration) -> Void = { _ in }) {
        var configuration = NegotiationConfiguration()
        configure(&configuration)
        answerer = Answerer(configuration: configuration)
    }

    mutating func answer(_ offer: [UInt8]) throws(NegotiationError) -> Answer {
        try answerer.answer(offer: offer, inputs: inputs, local: local, random: &random)
    }

    mutating func answer(_ offer: String) throws(NegotiationError) -> Answer { try answer(Array(offer.utf8)) }
}

extension Answer {
    func description() throws -> SessionDescription { try SessionDescription(parsing: sdp) }

    func section(_ mid: String) throws -> MediaDescription {
        try #require(try description().media.first { $0.mid == mid })
    }
}

extension MediaDescription {
    var texts: [String] { attributes.map(\.text) }
    func texts(_ prefix: String) -> [String] { texts.filter { $0.hasPrefix(prefix) } }
}

/// A small offer made of parts, to be changed.
struct Offer {
    var session = ["a=group:BUNDLE 0 1 2"]
    var sections: [[String]] = [microphone("0"), camera("1"), slot("2")]

    static let transport = [
        "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuv",
        "a=fingerprint:sha-256 " + Fingerprint(algorithm: "sha-256", bytes: Array(repeating: 0xab, count: 32)).value,
        "a=setup:actpass", "a=ice-options:trickle", "a=rtcp-mux", "a=rtcp-rsize",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    ]

    static func microphone(_ mid: String) -> [String] {
        ["m=audio 9 UDP/TLS/RTP/SAVPF 111 63"] + transport + [
            "a=mid:\(mid)", "a=sendonly", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
            "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=ssrc:1111 cname:c",
        ]
    }

    static func camera(_ mid: String) -> [String] {
        ["m=video 9 UDP/TLS/RTP/SAVPF 96 97"] + transport + [
            "a=mid:\(mid)", "a=sendonly", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
            "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:* ccm fir", "a=rtcp-fb:96 goog-remb",
            "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        ]
    }

    static func slot(_ mid: String) -> [String] {
        camera(mid).map { $0 == "a=sendonly" ? "a=recvonly" : $0 }
    }

    static func rids(_ mid: String, _ lines: String...) -> [String] { camera(mid) + lines }

    var text: String {
        (["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"] + session + sections.joined()).map { $0 + "\r\n" }.joined()
    }
}
