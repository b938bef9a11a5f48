// Numbers every RTP packet to a peer, over all its SSRCs (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
// Remembers nothing of the packets.

/// The transport-wide sequence numbers of one peer.
struct TransportSequencer: BitwiseCopyable {
    private var next: UInt16

    init(first: UInt16) { next = first }

    mutating func take() -> UInt16 {
        defer { next &+= 1 }
        return next
    }
}

extension TransportSequencer: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&next)
    }
}
