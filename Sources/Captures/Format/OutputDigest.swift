// A digest of a core's outputs in order, to compare two runs of the same inputs. Two chains of 64 bits with fixed
// constants: equal on every machine. Not for secrets: whoever wants two runs to agree can make them agree.
public import MediaCore

/// A 128-bit digest of datagrams, events and decisions in the order in which they were added.
public struct OutputDigest: Sendable, Hashable {
    /// What of a datagram is covered.
    public enum Scope: UInt8, Sendable, Hashable, CaseIterable {
        /// Every byte.
        case whole = 0
        /// Of RTP the header with its extensions, as many bytes of the payload as the caller says forwarding wrote, and
        /// the length; of RTCP every byte. What a room with cut payloads can agree on.
        case headers = 1
    }

    /// What of a datagram is covered.
    public let scope: Scope
    /// The first 64 bits.
    public private(set) var high: UInt64 = 0x6d61_6a6c_6973_2d31
    /// The last 64 bits.
    public private(set) var low: UInt64 = 0xcbf2_9ce4_8422_2325
    /// How many outputs were added; part of what is compared.
    public private(set) var count: UInt64 = 0

    /// The digest of nothing.
    public init(scope: Scope = .whole) { self.scope = scope }

    /// A digest that was written down.
    public init(scope: Scope, high: UInt64, low: UInt64, count: UInt64) {
        self.scope = scope
        self.high = high
        self.low = low
        self.count = count
    }

    /// Adds a datagram. `payloadPrefix` is how many bytes of an RTP payload are covered beside its header in the scope
    /// `headers`; in the scope `whole` it means nothing.
    public mutating func add(
        datagram bytes: Span<UInt8>, to peer: PeerID, kind: Egress.Kind, payloadPrefix: Int = 0
    ) {
        begin(tag: 1 << 8 | UInt64(kind.rawValue), UInt64(peer.rawValue))
        var covered = bytes.count
        if scope == .headers, kind == .rtp, let header = RTPHeader(bytes) {
            covered = min(bytes.count, Int(header.payloadOffset) + max(0, min(payloadPrefix, 65_535)))
            mix(UInt64(header.paddingLength))
        }
        mix(UInt64(bytes.count))
        var at = 0
        while at + 8 <= covered {
            mix(bytes.uint64(at: at))
            at += 8
        }
        var word: UInt64 = 0
        while at < covered {
            word = word << 8 | UInt64(bytes.uint8(at: at))
            at += 1
        }
        mix(word)
    }

    /// Adds an event.
    public mutating func add(_ event: RoomEvent) {
        var fields = FieldWriter()
        add(event, &fields)
    }

    /// Adds a decision.
    public mutating func add(_ decision: Decision) {
        var fields = FieldWriter()
        add(decision, &fields)
    }

    /// The same with memory that is used again.
    mutating func add(_ event: RoomEvent, _ fields: inout FieldWriter) {
        fields.bytes.removeAll(keepingCapacity: true)
        fields.event(event)
        add(fields.bytes, tag: 2 << 8)
    }
    mutating func add(_ decision: Decision, _ fields: inout FieldWriter) {
        fields.bytes.removeAll(keepingCapacity: true)
        fields.decision(decision)
        add(fields.bytes, tag: 3 << 8)
    }

    /// Adds everything of a turn: its datagrams, then its events, then its decisions.
    public mutating func add(_ egress: borrowing Egress) {
        add(egress, datagrams: egress.datagrams.indices)
        for event in egress.events { add(event) }
        for decision in egress.decisions { add(decision) }
    }

    /// Adds some of the datagrams of a turn.
    public mutating func add(_ egress: borrowing Egress, datagrams indices: Range<Int>) {
        for index in indices {
            let datagram = egress.datagrams[index]
            egress.withSpan(of: index) { add(datagram: $0, to: datagram.peer, kind: datagram.kind) }
        }
    }

    private mutating func add(_ bytes: [UInt8], tag: UInt64) {
        begin(tag: tag, UInt64(bytes.count))
        for byte in bytes { mix(UInt64(byte)) }
    }

    private mutating func begin(tag: UInt64, _ number: UInt64) {
        count &+= 1
        mix(tag)
        mix(number)
    }

    @inline(__always) private mutating func mix(_ word: UInt64) {
        high = (high ^ word) &* 0x9fb2_1c65_1e98_df25
        high ^= high >> 29
        let turned = low &+ word &* 0xd6e8_feb8_6659_fd93
        low = (turned << 31 | turned >> 33) &* 0xa076_1d64_78bd_642f
    }
}
