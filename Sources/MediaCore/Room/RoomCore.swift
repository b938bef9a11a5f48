// The deterministic, sans-IO forwarding unit of one room: tables and calls. The protocol logic is in Receive, Forward and
// Send; time, bytes and chance are arguments.

/// One room: takes authenticated packets, commands and the time, and writes packets, events and decisions. The same calls in
/// the same order with the same arguments give the same output, byte for byte.
public struct RoomCore: ~Copyable {
    let configuration: RoomConfiguration
    var random: SplitMix64
    /// The room's counters.
    public internal(set) var statistics = Statistics()

    /// An empty room. `seed` gives every number that has to be unpredictable or only different: where sequence numbers,
    /// timestamps and picture ids begin.
    public init(configuration: RoomConfiguration, seed: UInt64) {
        self.configuration = configuration
        random = SplitMix64(seed: seed)
    }

    /// Takes in one RTP packet of a peer, authenticated and decrypted. Whatever the bytes are, the call returns.
    public mutating func receiveRTP(
        _ bytes: Span<UInt8>, from peer: PeerID, at now: Timestamp, into out: inout Egress
    ) {}

    /// Takes in one RTCP datagram of a peer, authenticated and decrypted. Whatever the bytes are, the call returns.
    public mutating func receiveRTCP(
        _ bytes: Span<UInt8>, from peer: PeerID, at now: Timestamp, into out: inout Egress
    ) {}

    /// Obeys a command; one that names what does not exist has no effect.
    public mutating func apply(_ command: RoomCommand, at now: Timestamp, into out: inout Egress) {}

    /// Does what is due at `now` or before. Afterwards `nextDeadline` is later than `now`.
    public mutating func advance(to now: Timestamp, into out: inout Egress) {}

    /// When `advance(to:into:)` should be called next, or nil when nothing is going on.
    public var nextDeadline: Deadline? { nil }

    /// The counters of a peer, or nil when it is not in the room.
    public func peerStatistics(_ peer: PeerID) -> PeerStatistics? { nil }

    /// What each slot of a peer shows, in the order of its plan; empty when the peer is not in the room.
    public func slotAssignments(of peer: PeerID) -> [SlotAssignment] { [] }
}
