// What the scenarios share: playing one and saying what broke, and the profiles of common people.

import MediaCore
import SimulatedNetwork
import Testing

/// Plays a scenario and fails with the first broken invariants and expectations. At moments that chance chooses a core
/// restored from a checkpoint follows the room's for a while: that both do the same is one of the invariants.
@discardableResult
func play(_ scenario: Scenario, sourceLocation: SourceLocation = #_sourceLocation) -> Simulation {
    let simulation = scenario.play {
        $0.checkpoint(seed: scenario.seed &+ UInt64(scenario.steps.count), pause: .seconds(4), span: .seconds(1))
    }
    #expect(
        simulation.invariants.violationCount == 0,
        "\(scenario.name): \(simulation.violations.prefix(6).joined(separator: "; "))", sourceLocation: sourceLocation)
    return simulation
}

extension ParticipantProfile {
    /// A microphone that speaks and a plain camera.
    static var person: ParticipantProfile { ParticipantProfile([.microphone(), .camera()]) }
    /// A microphone that speaks, and no camera.
    static var speaker: ParticipantProfile { ParticipantProfile([.microphone()], videoSlots: 0) }
    /// A silent microphone, and no camera.
    static var listener: ParticipantProfile {
        ParticipantProfile([.microphone(AudioShape(isTalking: false))], videoSlots: 0)
    }
    /// Publishes nothing and receives video on one slot.
    static var viewer: ParticipantProfile { ParticipantProfile([], audioSlots: 0, videoSlots: 1) }
}

extension Simulation {
    /// The participants that a client's slots of a kind name, by packets since the last mark.
    func heard(by number: UInt32, _ kind: MediaKind = .audio) -> Set<UInt32> {
        Set(client(number).figures(kind).flatMap(\.contributors))
    }

    /// The key-frame requests that reached a client's first camera since the last mark, all encodings.
    func keyFrameRequests(to number: UInt32) -> [Timestamp] {
        client(number).videoSenders.flatMap { $0.encodings.flatMap(\.keyFrameRequests) }.sorted()
    }

    /// The frames that a client decoded since the last mark, over all slots.
    func framesDecoded(by number: UInt32) -> Int { client(number).figures(.video).reduce(0) { $0 + $1.framesDecoded } }
}
