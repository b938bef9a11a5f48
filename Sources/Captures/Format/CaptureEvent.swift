// What a capture holds: every input of one room's core in the order in which it was given, and, where they were
// recorded, its outputs. Knows nothing of files: docs/captures.md has the blocks.
public import MediaCore

/// One input of a room's core, exactly as it was given, or one of its outputs. The order of a capture's blocks is the
/// order; the moments are arguments and order nothing.
public enum CaptureEvent: Sendable, Equatable {
    /// `RoomCore.init`, with the version of the program that ran it. The moment is the one at which it happened.
    case opened(RoomConfiguration, seed: UInt64, build: String, at: Timestamp)
    /// `receiveRTP` with the whole packet.
    case rtp(PeerID, [UInt8], at: Timestamp)
    /// `receiveRTCP` with the whole packet.
    case rtcp(PeerID, [UInt8], at: Timestamp)
    /// `receiveRTP` or `receiveRTCP` with a packet of `originalLength` bytes of which only the first are here.
    case cut(PeerID, Egress.Kind, [UInt8], originalLength: Int, at: Timestamp)
    /// `apply`.
    case command(RoomCommand, at: Timestamp)
    /// `advance(to:)`.
    case advanced(at: Timestamp)
    /// The caller took what was in `Egress` and emptied it: `removeAll()`.
    case flushed
    /// A datagram that the core gave out, whole.
    case sent(PeerID, Egress.Kind, [UInt8])
    /// A datagram of `originalLength` bytes that the core gave out, of which only the first are here.
    case sentCut(PeerID, Egress.Kind, [UInt8], originalLength: Int)
    /// The digest of every output since the capture's beginning, its last checkpoint or its last gap.
    case digest(OutputDigest)
    /// A decision that the core gave out.
    case decision(Decision)
    /// The core's whole state: a replay can start here.
    case checkpoint([UInt8])
    /// Something for people.
    case comment(String)
    /// This many events are missing here, because the disk was slow or one had no place in the format. A replay can go
    /// on at the next checkpoint only.
    case gap(events: UInt64)

    /// Where a received packet's or a sent datagram's bytes end against its whole length: how many bytes were cut off.
    /// Zero for everything else.
    public var cutBytes: Int {
        switch self {
        case .cut(_, _, let bytes, let originalLength, _): max(0, originalLength &- bytes.count)
        case .sentCut(_, _, let bytes, let originalLength): max(0, originalLength &- bytes.count)
        default: 0
        }
    }

    /// The moment that came with the event, where one did.
    public var moment: Timestamp? {
        switch self {
        case .opened(_, seed: _, build: _, let at), .rtp(_, _, let at), .rtcp(_, _, let at),
            .cut(_, _, _, originalLength: _, let at), .command(_, let at), .advanced(let at):
            at
        case .flushed, .sent, .sentCut, .digest, .decision, .checkpoint, .comment, .gap: nil
        }
    }
}
