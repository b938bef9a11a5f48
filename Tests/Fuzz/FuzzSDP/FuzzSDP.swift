// libFuzzer's entry into session descriptions: what parses prints to what parses equal, and a peer connection's offers
// (one after another, with a zero byte between them) are answered or refused, never worse.
import MediaCore
import Negotiation
import SDP

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSDP(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    var configuration = NegotiationConfiguration()
    configuration.codecs = CodecName.allCases
    var answerer = Answerer(configuration: configuration)
    var random = Chance()
    for offer in bytes.split(separator: 0, maxSplits: 7) {
        let offer = Array(offer)
        tryRoundTrip(offer)
        tryAnswer(offer, &answerer, &random)
    }
    if let candidate = Candidate(String(decoding: bytes, as: UTF8.self)) {
        precondition(Candidate(candidate.text) == candidate, "a candidate prints to what reads equal")
    }
    return 0
}

/// A poor source of chance, so that numbers collide.
private struct Chance: RandomNumberGenerator {
    var count: UInt64 = 0
    mutating func next() -> UInt64 {
        count &+= 1
        return count / 3
    }
}

private func tryRoundTrip(_ bytes: [UInt8]) {
    guard let description = try? SessionDescription(parsing: bytes) else { return }
    let text = description.text
    // Printing may lengthen a text by the ends of its lines and by spaces; then it may be over a bound.
    guard text.utf8.count <= SDPLimits.maximumBytes, bytes.count <= SDPLimits.maximumLineBytes / 2 else { return }
    precondition((try? SessionDescription(parsing: text)) == description, "a description prints to what reads equal")
}

private func tryAnswer(_ offer: [UInt8], _ answerer: inout Answerer, _ random: inout Chance) {
    let inputs = AnswerInputs(
        permissions: .all, tracks: [DeclaredTrack(mid: "2", source: .screen, isMuted: false)])
    let local = LocalTransport(
        userFragment: "majl", password: "aPasswordOfTwentyTwoCh",
        fingerprint: Fingerprint(algorithm: "sha-256", bytes: Array(0..<32)), candidates: [],
        candidatesAreComplete: false)
    let examination = try? answerer.examine(offer: offer, inputs: inputs)
    guard let answer = try? answerer.answer(offer: offer, inputs: inputs, local: local, random: &random) else {
        precondition(examination == nil, "what can be examined can be answered")
        return
    }
    precondition(examination?.remote == answer.remote, "examining sees what answering sees")
    precondition(examination?.isICERestart == answer.isICERestart, "examining sees what answering sees")
    guard let parsed = try? SessionDescription(parsing: answer.sdp), let asked = try? SessionDescription(parsing: offer)
    else { preconditionFailure("an answer is a session description") }
    precondition(parsed.media.map(\.kind) == asked.media.map(\.kind), "sections keep their order")
    precondition(parsed.media.map(\.mid) == asked.media.map(\.mid), "sections keep their names")
    precondition(parsed.media[answer.transportIndex].port != 0, "the transport's section is accepted")
    let ssrcs = answer.plan.slots.map(\.ssrc) + answer.plan.slots.compactMap(\.rtxSSRC)
    precondition(Set(ssrcs).count == ssrcs.count && !ssrcs.contains(SSRC(0)), "slots have numbers of their own")
    precondition(answer.plan.slots.count <= answerer.configuration.maximumSlots, "slots are bounded")
    precondition(answer.plan.published.count <= answerer.configuration.maximumPublishedTracks, "tracks are bounded")
    let again = try? answerer.answer(offer: offer, inputs: inputs, local: local, random: &random)
    precondition(again?.plan == answer.plan && again?.isICERestart == false, "the same offer is answered the same")
}
