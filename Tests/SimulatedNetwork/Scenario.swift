// A scenario as data: what happens to a simulated room, step by step, and what is expected of it.

public import MediaCore

/// One step of a scenario. Participants are named by their numbers.
public enum Step: Sendable {
    /// A participant is admitted, its plan applied, and it is connected.
    case join(UInt32, ParticipantProfile)
    /// The participant's next negotiation: it publishes these tracks from now on, what it published goes on.
    case publish(UInt32, [Publication])
    /// The participant's links behave otherwise from now on; nil leaves one as it is.
    case network(UInt32, toServer: LinkConditions? = nil, fromServer: LinkConditions? = nil)
    /// Time goes by.
    case run(TimeDelta)
    /// The participant leaves.
    case leave(UInt32, RemovalReason = .left)
    /// The participant's transport fails, or is back.
    case disconnect(UInt32)
    case reconnect(UInt32)
    /// The participant mutes or unmutes a track.
    case mute(UInt32, mid: String, Bool)
    /// The participant's first microphone begins or ends to speak.
    case talk(UInt32, Bool)
    /// A simulcast layer of the participant's first camera begins or ends to send.
    case layer(UInt32, rid: String, isAlive: Bool)
    /// The participant's first camera answers key-frame requests, or does no longer.
    case keyFrames(UInt32, areGiven: Bool)
    /// The participant's wishes about its slots.
    case wish(UInt32, [SlotWish])
    /// The core is told the highest spatial and temporal layer to forward on a slot; 255 for no limit.
    case limit(UInt32, slot: String, spatial: UInt8 = 255, temporal: UInt8 = 255)
    /// The encoder of the participant's first camera produces these layers and no higher ones.
    case produce(UInt32, spatial: Int = .max, temporal: Int = .max)
    /// The clock jumps forward with nothing done in between.
    case jumpClock(TimeDelta)
    /// A participant sends malicious traffic for a while, this many datagrams a second, as time goes by.
    case attack(UInt32, Attack, datagramsPerSecond: Int, TimeDelta)
    /// A bottleneck of this number begins; links that name it lead through it.
    case bottleneck(Int, BottleneckConditions)
    /// A long TCP transfer begins to compete for a bottleneck; `roundTrip` is that of its path without the queue.
    case longTransfer(bottleneck: Int, WindowGrowth, roundTrip: TimeDelta)
    /// The publisher is told which layers of a track are wanted, lowest first; it obeys when signalling has brought it.
    case layersWanted(UInt32, mid: String, [Bool])
    /// The receiver answers otherwise from now on.
    case answers(UInt32, ReceiverAnswers)
    /// The machine of the server has other things to do from now on, and lets it run late.
    case busyServer(BusyServer)
    /// Figures start from zero.
    case mark
    /// A sentence that must be true now.
    case expect(String, @Sendable (Simulation) -> Bool)
}

/// A room's configuration, a seed, and steps.
public struct Scenario: Sendable {
    /// What failures call it.
    public var name: String
    /// The seed of the network and of the core.
    public var seed: UInt64
    /// The core's settings.
    public var configuration: RoomConfiguration
    /// What happens, in order.
    public var steps: [Step]

    /// A scenario; the same one gives the same report, byte for byte.
    public init(
        _ name: String, seed: UInt64 = 1, configuration: RoomConfiguration = RoomConfiguration(), steps: [Step]
    ) {
        self.name = name
        self.seed = seed
        self.configuration = configuration
        self.steps = steps
    }

    /// Plays the scenario to its end.
    public func play() -> Simulation { play { _ in } }

    /// Plays the scenario to its end, the simulation prepared before its first step.
    public func play(_ prepare: (Simulation) -> Void) -> Simulation {
        let simulation = Simulation(configuration: configuration, seed: seed)
        prepare(simulation)
        for step in steps { simulation.perform(step) }
        return simulation
    }
}
