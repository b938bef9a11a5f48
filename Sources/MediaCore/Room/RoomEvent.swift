// What a room's core tells the control plane.

/// Why a slot shows what it shows.
public enum SlotReason: UInt8, Hashable, Sendable {
    /// The receiver pinned it.
    case pinned
    /// There is a slot for everybody.
    case everyone
    /// One of the loudest people.
    case speaker
    /// A shared screen.
    case screen
    /// Nothing is left to show.
    case nothing
    /// A track is there, but the slot did not negotiate its codec.
    case unsupportedCodec
}

/// What one slot shows from now on.
public struct SlotAssignment: Hashable, Sendable {
    /// The slot's media section.
    public var mid: Mid
    /// The track on the slot, or nil when it is empty.
    public var track: TrackID?
    /// Why it shows what it shows.
    public var reason: SlotReason

    /// An assignment.
    public init(mid: Mid, track: TrackID?, reason: SlotReason) {
        self.mid = mid
        self.track = track
        self.reason = reason
    }
}

/// Something the control plane should know.
public enum RoomEvent: Sendable, Equatable {
    /// A slot of `peer` shows something else from now on.
    case slotChanged(peer: PeerID, SlotAssignment)
    /// The first packet of a published track arrived.
    case trackStarted(TrackID)
    /// No packet of a published, unmuted track arrived for a while although its peer is connected.
    case trackStalled(TrackID)
    /// A video slot of `peer` has shown nothing for a while although the track's publisher sends.
    case receiverFrozen(peer: PeerID, slot: Mid, track: TrackID)
    /// Which encodings of a published simulcast track anybody needs from now on, the lowest layer first; emitted when it
    /// changes. A layer that nobody needs may be paused at its publisher.
    case layersWanted(TrackID, [Bool])
    /// Who speaks in the room from now on: somebody else has the floor, or the list of voices or a level in it is another. At
    /// most five times a second.
    case speakersChanged(SpeakerReport)
}
