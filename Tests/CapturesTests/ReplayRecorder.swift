// Records a simulated room at its core's door, as events and as the bytes of a capture.

import Captures
import MediaCore
import SimulatedNetwork

/// Takes the calls of a simulation and gives them as a capture.
final class ReplayRecorder {
    /// What is recorded beside the inputs.
    struct Outputs: OptionSet {
        let rawValue: Int
        static let datagrams = Outputs(rawValue: 1)
        static let decisions = Outputs(rawValue: 2)
        /// One each second of the room's time, and one at the end.
        static let digests = Outputs(rawValue: 4)
    }

    private(set) var events: [CaptureEvent] = []
    private(set) var digest: OutputDigest
    private let outputs: Outputs
    private var nextDigest: Timestamp

    init(
        _ outputs: Outputs, configuration: RoomConfiguration = RoomConfiguration(), seed: UInt64,
        scope: OutputDigest.Scope = .whole
    ) {
        self.outputs = outputs
        digest = OutputDigest(scope: scope)
        let start = Timestamp(nanoseconds: 1_000_000_000)
        nextDigest = start + .seconds(1)
        events.append(.opened(configuration, seed: seed, build: "majlis simulation", at: start))
    }

    /// Plays a scenario and gives what was recorded.
    static func record(_ scenario: Scenario, _ outputs: Outputs) -> ReplayRecorder {
        let recorder = ReplayRecorder(outputs, configuration: scenario.configuration, seed: scenario.seed)
        _ = scenario.play { $0.onCall = { recorder.take($0, at: $1) } }
        recorder.end()
        return recorder
    }

    func take(_ call: CoreCall, at: Timestamp) {
        switch call {
        case .receiveRTP(let peer, let bytes): events.append(.rtp(peer, bytes, at: at))
        case .receiveRTCP(let peer, let bytes): events.append(.rtcp(peer, bytes, at: at))
        case .apply(let command): events.append(.command(command, at: at))
        case .advance: events.append(.advanced(at: at))
        case .flush(let datagrams, let roomEvents, let decisions):
            for datagram in datagrams {
                digest.add(datagram: datagram.bytes.span, to: datagram.peer, kind: datagram.kind)
                if outputs.contains(.datagrams) {
                    events.append(.sent(datagram.peer, datagram.kind, datagram.bytes))
                }
            }
            for event in roomEvents { digest.add(event) }
            for decision in decisions {
                digest.add(decision)
                if outputs.contains(.decisions) { events.append(.decision(decision)) }
            }
            events.append(.flushed)
            guard outputs.contains(.digests), at >= nextDigest else { return }
            nextDigest = at + .seconds(1)
            events.append(.digest(digest))
        }
    }

    /// A checkpoint: digests begin again behind it.
    func checkpoint(_ bytes: [UInt8]) {
        events.append(.checkpoint(bytes))
        digest = OutputDigest(scope: digest.scope)
    }

    func end() { if outputs.contains(.digests) { events.append(.digest(digest)) } }

    /// The events as the bytes of a file.
    var bytes: [UInt8] { Self.bytes(events) }

    static func bytes(_ events: [CaptureEvent]) -> [UInt8] {
        var writer = CaptureWriter()
        for event in events { writer.append(event) }
        return writer.take()
    }
}

/// The events of a capture's bytes.
func events(of bytes: [UInt8]) throws -> [CaptureEvent] {
    var reader = try CaptureReader(bytes)
    var events: [CaptureEvent] = []
    while let event = try reader.next() { events.append(event) }
    return events
}

/// Replays events, compared with all that is recorded in them.
func replay(_ events: [CaptureEvent], _ change: (inout Replay.Options) -> Void = { _ in }) throws -> ReplayResult {
    var survey = CaptureSurvey()
    for event in events { survey.add(event) }
    var options = Replay.Options(comparingWith: survey)
    change(&options)
    var replay = Replay(options)
    for event in events { try replay.take(event) }
    return try replay.finish()
}

/// The scenarios that `Captures/` holds recordings of.
enum ReplayScenarios {
    private static func camera(_ bitsPerSecond: Int) -> Publication {
        .camera(VideoShape(layers: [VideoLayer(rid: nil, bitsPerSecond: bitsPerSecond)], framesPerSecond: 15))
    }
    private static var simulcast: Publication {
        .camera(
            VideoShape(
                layers: [
                    VideoLayer(rid: "q", bitsPerSecond: 40_000), VideoLayer(rid: "h", bitsPerSecond: 90_000),
                    VideoLayer(rid: "f", bitsPerSecond: 180_000),
                ], framesPerSecond: 15, namesSSRCs: false))
    }
    private static func microphone(talks: Bool) -> Publication { .microphone(AudioShape(isTalking: talks)) }

    static var threePeople: Scenario {
        Scenario(
            "three-people", seed: 3,
            steps: [
                .join(1, ParticipantProfile([microphone(talks: true), simulcast])),
                .join(2, ParticipantProfile([microphone(talks: false), camera(80_000)])), .run(.seconds(1)),
                .join(3, ParticipantProfile([microphone(talks: false), camera(80_000)])), .run(.seconds(1)),
                .talk(1, false), .talk(2, true), .run(.milliseconds(700)), .mute(1, mid: "v", true),
                .run(.milliseconds(600)), .mute(1, mid: "v", false), .layer(1, rid: "f", isAlive: false),
                .run(.milliseconds(1_500)), .layer(1, rid: "f", isAlive: true), .talk(2, false), .talk(3, true),
                .run(.seconds(1)), .leave(2), .run(.seconds(1)),
            ])
    }

    static var lossyUplink: Scenario {
        let bad = LinkConditions(delay: .milliseconds(30), loss: 0.08)
        return Scenario(
            "lossy-uplink", seed: 8,
            steps: [
                .join(1, ParticipantProfile([microphone(talks: true), camera(120_000)], toServer: bad)),
                .join(2, ParticipantProfile([microphone(talks: true)], fromServer: LinkConditions(loss: 0.05))),
                .join(3, ParticipantProfile([microphone(talks: false)])), .run(.seconds(6)),
            ])
    }

    static var fiftyAudio: Scenario {
        let people = (UInt32(1)...50).map { number in
            Step.join(number, ParticipantProfile([microphone(talks: number <= 3)], videoSlots: 0))
        }
        return Scenario(
            "fifty-audio", seed: 50,
            steps: people + [.run(.seconds(2)), .talk(2, false), .talk(20, true), .run(.seconds(2))])
    }

    static var comingAndGoing: Scenario {
        var steps: [Step] = []
        for number: UInt32 in 1...12 {
            steps += [
                .join(number, ParticipantProfile([microphone(talks: number % 3 == 0), camera(40_000)], videoSlots: 2)),
                .run(.milliseconds(120)),
            ]
        }
        steps += [.disconnect(4), .run(.milliseconds(400)), .reconnect(4), .run(.milliseconds(400))]
        for number: UInt32 in [1, 5, 9, 2, 7] { steps += [.leave(number), .run(.milliseconds(150))] }
        return Scenario("coming-and-going", seed: 12, steps: steps)
    }

    /// Seven people with two slots each. Two speak and fall silent for a while, and when that is over two others begin: how
    /// long somebody counts as speaking behind the last word says who of them has which slot, and when.
    static var pauses: Scenario {
        let profile = ParticipantProfile([microphone(talks: false)], audioSlots: 2, videoSlots: 0)
        var steps: [Step] = (UInt32(1)...7).map { Step.join($0, profile) }
        steps.append(.run(.milliseconds(200)))
        let pairs: [(UInt32, UInt32)] = [(1, 2), (3, 4), (5, 6), (7, 1), (2, 3), (4, 5), (6, 7)]
        for (pair, pause) in zip(pairs, [120, 220, 320, 400, 480, 560, 700] as [Int64]) {
            steps += [
                .talk(pair.0, true), .talk(pair.1, true), .run(.milliseconds(300)),
                // A breath between two words.
                .talk(pair.0, false), .run(.milliseconds(180)), .talk(pair.0, true), .run(.milliseconds(200)),
                .talk(pair.0, false), .talk(pair.1, false), .run(.milliseconds(pause)),
            ]
        }
        return Scenario("pauses", seed: 17, steps: steps)
    }

    static var all: [Scenario] { [threePeople, lossyUplink, fiftyAudio, comingAndGoing, pauses] }
}
