// What the control plane may ask of a room's core. Every command is an input of replay.

/// One track of one peer.
public struct TrackID: Hashable, Sendable, BitwiseCopyable {
    /// The publisher.
    public var peer: PeerID
    /// The media section that it sends the track in.
    public var mid: Mid
    /// The track that `peer` sends in media section `mid`.
    public init(peer: PeerID, mid: Mid) {
        self.peer = peer
        self.mid = mid
    }
}

/// Why a peer left a room.
public enum RemovalReason: UInt8, Hashable, Sendable { case left, timedOut, replaced, removed, failed, roomEnded }

/// A wish about one of the receiver's own slots.
public struct SlotWish: Hashable, Sendable {
    /// The slot's media section.
    public var mid: Mid
    /// The track that shall be on it whatever the policy says, or nil for the policy's choice.
    public var pin: TrackID?
    /// The height in pixels at which the picture is shown; 0: the slot is not shown and nothing is forwarded on it.
    public var wantedHeight: UInt16
    /// How much the slot matters among the receiver's when not all of them fit its path: the higher the more.
    public var priority: UInt8

    /// The priority of a slot of which nothing is said.
    public static let defaultPriority: UInt8 = 128

    /// A wish.
    public init(mid: Mid, pin: TrackID?, wantedHeight: UInt16, priority: UInt8 = defaultPriority) {
        self.mid = mid
        self.pin = pin
        self.wantedHeight = wantedHeight
        self.priority = priority
    }
}

/// A command to a room's core. A command that names a peer, track or slot that does not exist has no effect.
public enum RoomCommand: Sendable, Equatable {
    /// A participant was admitted; nothing is sent to it before `peerConnected`.
    case addParticipant(PeerID)
    /// A negotiation was settled (at the join, and again after each later offer).
    case applyPlan(PeerID, PeerPlan)
    /// DTLS is connected and the fingerprint checked: media may flow.
    case peerConnected(PeerID)
    /// The transport is lost (an ICE failure): nothing more is sent until `peerConnected` comes again.
    case peerDisconnected(PeerID)
    /// The participant is gone for good.
    case removeParticipant(PeerID, RemovalReason)
    /// The publisher muted or unmuted a track.
    case setMuted(TrackID, Bool)
    /// The receiver's wishes about its slots; those not named keep theirs.
    case setSlotWishes(PeerID, [SlotWish])
    /// How loud the packet of this RTP timestamp is, found by decoding it (`Egress.unmeasured`), because it does not say so.
    case soundLevel(TrackID, timestamp: UInt32, AudioLevel)
}
