// What a turn of the core gives back: datagrams in one reusable arena, with room behind each for SRTP, and the events
// and decisions. The caller empties it at the flush; nothing in it is remembered by the core.

/// The output of a turn. Made once per thread and used again: `removeAll()` keeps its memory.
public struct Egress: ~Copyable {
    /// Bytes free behind each datagram: SRTP's or SRTCP's tag, index and padding (libsrtp2 asks for at most 148).
    public static let tailRoom = 160

    /// What a datagram is, which tells how it is protected.
    public enum Kind: UInt8, Hashable, Sendable, BitwiseCopyable { case rtp, rtcp }

    /// One datagram of the arena.
    public struct Datagram: Hashable, Sendable, BitwiseCopyable {
        /// Whom it is for.
        public let peer: PeerID
        /// What it is.
        public let kind: Kind
        /// Where in the arena it begins.
        public let offset: Int
        /// Its length in bytes, before protection.
        public let count: Int
    }

    /// The datagrams, in the order in which they are to be sent.
    public private(set) var datagrams: [Datagram] = []
    /// What the control plane should know, in order.
    public internal(set) var events: [RoomEvent] = []
    /// What was decided, in order.
    public internal(set) var decisions: [Decision] = []

    var arena: ByteSlab
    private var used = 0

    /// An arena of `capacity` bytes; a turn's datagrams beyond it are dropped by the name `egressFull`.
    public init(capacity: Int = 4 << 20) {
        arena = ByteSlab(count: capacity)
        datagrams.reserveCapacity(1_024)
        events.reserveCapacity(64)
        decisions.reserveCapacity(256)
    }

    /// Gives the bytes of a datagram, with `tailRoom` free bytes behind them, and the count of the datagram itself: for
    /// protection in place. An index that is not in `datagrams` is a programming error and traps.
    public mutating func withBytes<R>(
        of index: Int, _ body: (_ bytes: UnsafeMutableRawBufferPointer, _ count: Int) -> R
    ) -> R {
        let datagram = datagrams[index]
        return unsafe arena.withMutableBytes(datagram.offset, datagram.count + Self.tailRoom) { bytes in
            unsafe body(bytes, datagram.count)
        }
    }

    /// The bytes of a datagram, for tests and recorders.
    public func copy(of index: Int) -> [UInt8] {
        let datagram = datagrams[index]
        return arena.withSpan(datagram.offset, datagram.count) { span in span.indices.map { span[$0] } }
    }

    /// Forgets everything; keeps the memory.
    public mutating func removeAll() {
        datagrams.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        decisions.removeAll(keepingCapacity: true)
        used = 0
    }

    /// Whether a quarter of the arena or less is left: flush when the call into the core has returned.
    public var isNearlyFull: Bool { arena.count - used <= arena.count / 4 }

    /// The length of the last datagram, or 0.
    var lastCount: Int { datagrams.last?.count ?? 0 }

    /// Where a datagram of `count` bytes may be written, or nil when it does not fit.
    @inline(__always) mutating func place(for count: Int) -> Int? {
        count >= 0 && count <= arena.count &- used &- Self.tailRoom ? used : nil
    }

    /// Adds the datagram written at the place got from `place(for:)`.
    @inline(__always) mutating func commit(_ count: Int, to peer: PeerID, kind: Kind) {
        datagrams.append(Datagram(peer: peer, kind: kind, offset: used, count: count))
        used = (used + count + Self.tailRoom + 15) & ~15
    }
}
