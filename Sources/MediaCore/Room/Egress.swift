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
        /// Whether padding may be added to it (RFC 3550 §5.1): nothing else is ever sent under its number. What would be sent again
        /// as the same bytes must stay as it is.
        public let mayBePadded: Bool
    }

    /// A packet of Opus from a microphone that does not say how loud it is (RFC 6464).
    public struct UnmeasuredSound: Hashable, Sendable, BitwiseCopyable {
        /// Whose it is.
        public let track: TrackID
        /// Its RTP timestamp.
        public let timestamp: UInt32
        /// Where in the packet that was given its Opus begins.
        public let offset: Int
        /// The bytes of it.
        public let count: Int
    }

    /// What the last call was given, where its level is wanted: whoever can decode it tells (`RoomCommand.soundLevel`). No output
    /// that a replay compares.
    public internal(set) var unmeasured: UnmeasuredSound?
    /// How many packets of video were taken in since the arena was made. No output that a replay compares.
    public internal(set) var videoPackets: UInt64 = 0
    /// The datagrams, in the order in which they are to be sent.
    public private(set) var datagrams: [Datagram] = []
    /// What the control plane should know, in order.
    public internal(set) var events: [RoomEvent] = []
    /// What was decided, in order.
    public internal(set) var decisions: [Decision] = []

    var arena: ByteSlab
    private var used = 0
    /// What was used when the call in progress began.
    private var callStart = 0

    /// An arena of `capacity` bytes. One call into a core may write a quarter of it; datagrams beyond that are dropped by
    /// the name `egressFull`.
    public init(capacity: Int = 4 << 20) {
        arena = ByteSlab(count: capacity)
        datagrams.reserveCapacity(1_024)
        events.reserveCapacity(64)
        decisions.reserveCapacity(256)
    }

    /// Gives the bytes of a datagram, with `tailRoom` free bytes behind them, and the count of the datagram itself: for
    /// protection in place. Where they are is good until the arena is emptied. An index that is not in `datagrams` is a programming error and traps.
    public mutating func withBytes<R>(
        of index: Int, _ body: (_ bytes: UnsafeMutableRawBufferPointer, _ count: Int) -> R
    ) -> R {
        let datagram = datagrams[index]
        return unsafe arena.withMutableBytes(datagram.offset, datagram.count + Self.tailRoom) { bytes in
            unsafe body(bytes, datagram.count)
        }
    }

    /// Shows the bytes of a datagram. An index that is not in `datagrams` is a programming error and traps.
    public func withSpan<R>(of index: Int, _ body: (Span<UInt8>) -> R) -> R {
        let datagram = datagrams[index]
        return arena.withSpan(datagram.offset, datagram.count, body)
    }

    /// The bytes of a datagram, for tests.
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
        callStart = 0
    }

    /// Begins a call into a core: from here on it may write a quarter of the arena, whatever other rooms wrote before. What
    /// a room gives out must depend on its own calls alone, or no replay could give the same.
    @inline(__always) mutating func beginCall() {
        callStart = used
        if unmeasured != nil { unmeasured = nil }
    }

    /// Whether a quarter of the arena or less is left: flush when the call into the core has returned. Who does so leaves
    /// every call its quarter.
    public var isNearlyFull: Bool { arena.count - used <= arena.count / 4 }

    /// The length of the last datagram, or 0.
    var lastCount: Int { datagrams.last?.count ?? 0 }

    /// Where a datagram of `count` bytes may be written, or nil when it does not fit the quarter of the call in progress.
    @inline(__always) mutating func place(for count: Int) -> Int? {
        let end = min(arena.count, callStart &+ arena.count / 4)
        return count >= 0 && count <= end &- used &- Self.tailRoom ? used : nil
    }

    /// Adds the datagram written at the place got from `place(for:)`.
    @inline(__always) mutating func commit(_ count: Int, to peer: PeerID, kind: Kind, mayBePadded: Bool = false) {
        datagrams.append(
            Datagram(peer: peer, kind: kind, offset: used, count: count, mayBePadded: mayBePadded))
        used = (used + count + Self.tailRoom + 15) & ~15
    }
}
