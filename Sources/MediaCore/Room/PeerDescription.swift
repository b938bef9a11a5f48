// What a room knows of its peers at a moment, told in the terms of plans: for a replay that begins in the middle of a room,
// where no command said it. Not for the packet path: it makes arrays.

/// One peer of a room at a moment.
public struct PeerDescription: Hashable, Sendable {
    /// What one of its slots shows.
    public struct Slot: Hashable, Sendable {
        /// The slot as it was negotiated.
        public var plan: ReceiveSlotPlan
        /// What it was given to show, and why.
        public var assignment: SlotAssignment
        /// The layer that is forwarded on it (0 is the lowest), or nil when nothing is.
        public var layer: Int?
        /// Whether it waits for a key frame of another encoding than the one that is forwarded.
        public var isWaiting: Bool
    }

    /// The peer.
    public var peer: PeerID
    /// The header extensions of its bundle.
    public var headerExtensions: HeaderExtensionMap
    /// What it publishes.
    public var published: [PublishedTrackPlan]
    /// What it receives on.
    public var slots: [Slot]
}

extension RoomCore {
    /// The peers of the room in the order in which they joined.
    public func describePeers() -> [PeerDescription] {
        peerOrder.map { number in
            let p = Int(number)
            return PeerDescription(
                peer: peers[p].id, headerExtensions: peers[p].extensions,
                published: peers[p].tracks.map { tracks[Int($0)].plan },
                slots: peers[p].slots.map { describe(slot: Int($0)) })
        }
    }

    private func describe(slot s: Int) -> PeerDescription.Slot {
        let current = slots[s].current
        let target = slots[s].target
        return PeerDescription.Slot(
            plan: slots[s].plan, assignment: slots[s].assignment,
            layer: current < 0 ? nil : encodings[Int(current)].layer, isWaiting: target >= 0 && target != current)
    }
}
