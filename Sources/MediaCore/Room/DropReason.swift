// The name of every reason for which the core drops a packet; nothing is dropped without one.

/// Why a packet that came in, or one that was about to go out, was dropped.
public enum DropReason: UInt8, CaseIterable, Hashable, Sendable {
    // What came in.
    /// The peer is not in the room.
    case unknownPeer
    /// The peer is in the room but its transport is not connected.
    case peerNotConnected
    /// Not a well-formed RTP packet (RFC 3550 §5.1, RFC 8285 §4).
    case malformedRTP
    /// Not a well-formed compound or reduced-size RTCP packet (RFC 3550 §6.1, RFC 5506); what came before the fault in
    /// the same datagram was used.
    case malformedRTCP
    /// The payload is longer than `PacketHistory.slotBytes`.
    case oversized
    /// No plan, extension or payload type tells which track the SSRC belongs to.
    case unknownSSRC
    /// The peer has `StreamTable.learnedLimit` learned SSRCs, all in use.
    case tooManySSRCs
    /// The mid extension names no published track.
    case unknownMid
    /// The rid extension names no encoding of the track.
    case unknownRid
    /// The payload type is not one of the track's.
    case unknownPayloadType
    /// A retransmission before any media or with SSRC 0: a bandwidth probe; counted for transport feedback.
    case bandwidthProbe
    /// A retransmission without the two bytes of its original sequence number (RFC 4588 §4).
    case malformedRetransmission
    /// Padding only: counted, and its sequence number closed up.
    case paddingOnly
    /// A packet with this sequence number has been received.
    case duplicate
    /// Too far behind the newest sequence number to tell whether it is a duplicate.
    case tooOld
    /// The first packet behind a jump of more than `SequenceWindow.maximumJump`: the next one tells whether the stream
    /// goes on there.
    case sequenceJump
    /// The publisher muted the track.
    case trackMuted
    /// An RTCP packet of a type that the core does not use.
    case unusedRTCP
    /// Feedback about an SSRC that is not one of the peer's slots.
    case feedbackForUnknownSSRC

    // What would have gone out, counted once per receiver.
    /// The arena of `Egress` is full.
    case egressFull
    /// The slot waits for a key frame of its source.
    case awaitingKeyFrame
    /// The packet is older than the point at which the slot switched to its source.
    case beforeSwitch
    /// The packet's codec has no payload type on the slot.
    case unsupportedCodec

    // Retransmissions asked for and not sent, counted once per sequence number.
    /// The sequence number was never sent on the slot or is out of the map.
    case retransmissionUnknown
    /// The payload has been overwritten in the history, or its publisher is gone.
    case retransmissionOverwritten
    /// The same packet was sent again less than one round trip ago.
    case retransmissionTooSoon
    /// The same packet was sent again as often as is allowed.
    case retransmissionLimit
    /// The peer has used up its retransmission budget of the moment.
    case retransmissionBudget

    // What waited for a receiver's pace.
    /// More waits than may wait (`PacketQueue.limit`).
    case pacerFull
    /// When its turn came its slot had no use for it any more, or it had waited too long.
    case pacerStale

    // What came in, and is behind the rest because names keep their numbers.
    /// A redundant payload (RFC 2198) whose blocks do not lie within it, or are of another codec than was negotiated.
    case malformedRedundancy

    // What would have gone out, counted once per receiver; cases keep their numbers.
    /// The packet's frame is of a layer above those that the slot forwards.
    case layerNotForwarded
    /// The packet is silence, or behind the closed gate of somebody who is not among the loudest.
    case silence
}
