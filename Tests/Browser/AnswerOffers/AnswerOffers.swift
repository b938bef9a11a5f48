// Test-only command: answers the offers in the files that it is given, one negotiation, in their order, and prints the
// last answer. The same files give the same answers. `record_offers.py` shows the answers to real browsers.
//
//     AnswerOffers [--codecs opus,vp8,h264] [--tracks mid:source,…] [--permit source,…] [--no-slots] OFFER.sdp …
internal import Glibc
internal import MediaCore
internal import Negotiation
internal import SDP
internal import TestSupport

@main
struct AnswerOffers {
    /// The same numbers in every run (SplitMix64).
    struct Sequence: RandomNumberGenerator {
        var state: UInt64 = 1
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    static func main() {
        var configuration = NegotiationConfiguration()
        var inputs = AnswerInputs(permissions: .all, tracks: [])
        var files: [String] = []
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            switch argument {
            case "--codecs":
                configuration.codecs = list(arguments.popFirst()).compactMap(CodecName.init(rawValue:))
            case "--permit":
                inputs.permissions.publishableSources = Set(list(arguments.popFirst()).compactMap(source))
            case "--no-slots":
                inputs.permissions.canSubscribe = false
            case "--tracks":
                inputs.tracks = list(arguments.popFirst()).compactMap { pair in
                    let parts = pair.split(separator: ":")
                    guard parts.count == 2, let source = source(String(parts[1])) else { return nil }
                    return DeclaredTrack(mid: String(parts[0]), source: source, isMuted: false)
                }
            default:
                files.append(argument)
            }
        }
        var answerer = Answerer(configuration: configuration)
        var random = Sequence()
        let local = LocalTransport(
            userFragment: "majl", password: "aPasswordOfTwentyTwoCh",
            fingerprint: Fingerprint(algorithm: "sha-256", bytes: Array(0..<32)),
            candidates: ["candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host"], candidatesAreComplete: true)
        var last: Answer?
        for file in files {
            guard let bytes = FileBytes.read(file) else { fail("cannot read \(file)") }
            do {
                last = try answerer.answer(offer: bytes, inputs: inputs, local: local, random: &random)
            } catch {
                fail("\(file): \(error.message)")
            }
        }
        guard let last else { fail("name at least one offer") }
        for refusal in last.refused { complain("refused \(refusal.mid): \(refusal.reason.rawValue)") }
        complain("ICE restart: \(last.isICERestart)")
        print(last.sdp, terminator: "")
    }

    static func list(_ text: String?) -> [String] { (text ?? "").split(separator: ",").map(String.init) }

    static func source(_ name: String) -> TrackSource? { TrackSource.allCases.first { "\($0)" == name } }

    static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    }

    static func fail(_ text: String) -> Never {
        complain(text)
        exit(1)
    }
}
