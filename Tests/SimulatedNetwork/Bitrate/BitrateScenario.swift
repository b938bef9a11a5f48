// A scenario for the bitrate controller as data: who joins over which bottleneck, what changes when, and what is asked of it.
// Tests and the report play the same ones.

public import MediaCore

/// Scenarios that belong together.
public enum BitrateFamily: String, Sendable, CaseIterable {
    case standard = "RFC 8867"
    case layers = "Layers"
    case fallbacks = "Fallbacks"
    case rooms = "Rooms"
    case networks = "Networks"
}

/// One scenario.
public struct BitrateScenario: Sendable {
    /// A short name without spaces.
    public var id: String
    /// The family.
    public var family: BitrateFamily
    /// A sentence about it.
    public var title: String
    /// The receivers that the report shows, in order.
    public var receivers: [UInt32]
    /// Moments (in seconds) after which five seconds do not count.
    public var changes: [Double]
    /// What happens.
    public var steps: [Step]
    /// What is asked of it.
    public var judge: @Sendable (Playback) -> [Measure]

    /// A scenario.
    public init(
        _ id: String, _ family: BitrateFamily, _ title: String, receivers: [UInt32] = [2], changes: [Double] = [],
        steps: [Step], judge: @escaping @Sendable (Playback) -> [Measure]
    ) {
        self.id = id
        self.family = family
        self.title = title
        self.receivers = receivers
        self.changes = changes
        self.steps = steps
        self.judge = judge
    }

    /// Plays it with a seed.
    public func play(seed: UInt64) -> Playback {
        let simulation = Simulation(configuration: .limited, seed: seed)
        simulation.measure()
        for step in steps { simulation.perform(step) }
        guard let meter = simulation.meter else { preconditionFailure("a simulation that measures has a meter") }
        return Playback(simulation, meter, changes: changes)
    }

    /// What was measured, the invariants of the simulation last.
    public func measures(_ playback: Playback) -> [Measure] {
        judge(playback) + [
            Measure("longest that audio was held", "ms", .atMost(20), playback.longestAudioHold),
            Measure("broken invariants", "", .atMost(0), Double(playback.simulation.invariants.violationCount)),
        ]
    }
}

/// What is asked of receivers that share a bottleneck: that it is used, by them all, and what is asked of each. How much each of
/// them gets is told, and bounded by fairness.
public func sharedMeasures(_ p: Playback, _ receivers: [UInt32], sharers: (Int) -> Int) -> [Measure] {
    [
        Measure(
            "all: time at 0.9 of the best layers that fit 0.85 of the capacity", "%", .atLeast(90),
            100 * p.fitting(receivers, usable: 0.85, sharers: sharers))
    ] + receivers.flatMap { usualMeasures(p, $0, fitting: .reported, sharers: sharers) }
}

/// What is asked of every receiver behind a bottleneck.
public func usualMeasures(
    _ p: Playback, _ receiver: UInt32, fitting: Bound = .atLeast(90), sharers: (Int) -> Int = { _ in 1 }
) -> [Measure] {
    let who = "receiver \(receiver): "
    return [
        Measure(
            who + "time at 0.9 of the best layers that fit 0.85 of the capacity", "%", fitting,
            100 * p.fitting(receiver, usable: 0.85, sharers: sharers)),
        Measure(
            who + "time at 0.9 of the best layers that fit the whole capacity", "%", .reported,
            100 * p.fitting(receiver, usable: 1, sharers: sharers)),
        Measure(who + "longest above 1.05 × capacity", "s", .atMost(1), p.longestOverestimate(receiver)),
        Measure(who + "p95 of the queue", "ms", .atMost(150), p.queue(receiver, percentile: 0.95)),
        Measure(who + "dropped outside changes", "%", .atMost(0), p.dropped(receiver, settled: true)),
        Measure(who + "dropped in changes", "%", .reported, p.dropped(receiver, settled: false)),
        Measure(who + "frozen", "%", .reported, p.frozen(receiver)),
        Measure(who + "longest freeze", "ms", .reported, p.longestFreeze(receiver)),
        Measure(who + "switches", "/min", .reported, p.switchesPerMinute(receiver)),
    ]
}

extension VideoShape {
    /// Three simulcast layers of these rates (kb/s) with three temporal layers each, identified by mid and rid.
    public static func ladder(_ q: Int = 150, _ h: Int = 500, _ f: Int = 1_500) -> VideoShape {
        var shape = VideoShape(
            layers: [
                VideoLayer(rid: "q", bitsPerSecond: q * 1_000, height: 180),
                VideoLayer(rid: "h", bitsPerSecond: h * 1_000, height: 360),
                VideoLayer(rid: "f", bitsPerSecond: f * 1_000, height: 720),
            ], temporalLayers: 3, namesSSRCs: false)
        shape.repaysKeyFrames = true
        shape.keyFramesTogether = true
        shape.keyFrameFactor = 10
        return shape
    }

    /// A shared screen of up to five frames a second: this rate while it scrolls, pages eight times as large as a frame.
    public static func screen(kilobits: Int) -> VideoShape {
        var shape = VideoShape(
            layers: [VideoLayer(rid: nil, bitsPerSecond: kilobits * 1_000, height: 1_080)], framesPerSecond: 5)
        shape.motion = .screen
        shape.keyFrameFactor = 8
        return shape
    }
}

extension ParticipantProfile {
    /// Sends a microphone that speaks and a camera, and receives nothing.
    public static func sender(_ shape: VideoShape = .ladder()) -> ParticipantProfile {
        ParticipantProfile([.microphone(), .camera(shape)], audioSlots: 0, videoSlots: 0)
    }

    /// Sends nothing; receives behind a bottleneck, 50 ms away, with up to 10 ms of jitter.
    public static func watcher(
        behind bottleneck: Int?, slots: Int = 1, delay: TimeDelta = .milliseconds(50),
        jitter: TimeDelta = .milliseconds(10),
        loss: Double = 0, answers: ReceiverAnswers = ReceiverAnswers()
    ) -> ParticipantProfile {
        var down = LinkConditions(delay: delay, jitter: jitter, loss: loss)
        down.bottleneck = bottleneck
        var profile = ParticipantProfile(
            [], audioSlots: 1, videoSlots: slots, toServer: LinkConditions(delay: delay), fromServer: down)
        profile.answers = answers
        profile.usesTransportFeedback = answers.sendsTransportFeedback || !answers.sendsReports
        return profile
    }
}
