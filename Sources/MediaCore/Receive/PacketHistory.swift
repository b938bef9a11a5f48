// The one copy of a stream's payloads: what is forwarded and what is sent again is copied from here. A ring by sequence
// number; knows nothing of receivers.

/// What is remembered of a packet beside its payload.
struct HistoryPacket: BitwiseCopyable {
    /// Its extended sequence number.
    var number: Int64 = .min
    /// Its RTP timestamp.
    var timestamp: UInt32 = 0
    /// The bytes of payload, without padding.
    var length: UInt16 = 0
    /// The position of the codec in the track's plan.
    var codec: UInt8 = 0
    /// Whether it begins a key frame.
    var isKeyFrame = false
    /// The marker bit.
    var marker = false
    /// The audio level byte, or 256 and above for none.
    var audioLevel: UInt16 = HistoryPacket.noByte
    /// The video orientation byte, or 256 and above for none.
    var videoOrientation: UInt16 = HistoryPacket.noByte
    /// The playout delay's 24 bits, or `noPlayoutDelay`.
    var playoutDelay: UInt32 = HistoryPacket.noPlayoutDelay
    /// The VP8 payload descriptor, or nil for another codec.
    var vp8: VP8Descriptor?
    /// The VP9 payload descriptor, or nil for another codec.
    var vp9: VP9Descriptor?

    static let noByte: UInt16 = 0xffff
    static let noPlayoutDelay: UInt32 = .max
}

/// The newest packets of one stream. Its memory is taken once, at the first packet.
struct PacketHistory: ~Copyable {
    /// The longest payload that is kept.
    static let slotBytes = 1_500

    /// The payloads: that of place `i` begins at `i * slotBytes`.
    var bytes = ByteSlab(count: 0)
    private var rows: [HistoryPacket] = []
    private let mask: Int

    /// A history of so many packets, made a power of two, 16 at least.
    init(packets: Int) {
        var count = 16
        while count < packets, count < 1 << 16 { count *= 2 }
        mask = count - 1
    }

    /// Forgets every packet and keeps the memory.
    mutating func removeAll() {
        for place in rows.indices { rows[place].number = .min }
    }

    /// Keeps a packet and the payload at `payload` of a datagram; nil when its place holds a newer one or it is too
    /// long.
    mutating func store(_ packet: HistoryPacket, _ datagram: borrowing Span<UInt8>, payload: Int) -> Int? {
        let place = Int(truncatingIfNeeded: packet.number) & mask
        guard Int(packet.length) <= Self.slotBytes else { return nil }
        if rows.isEmpty {
            rows = [HistoryPacket](repeating: HistoryPacket(), count: mask + 1)
            bytes = ByteSlab(count: rows.count * Self.slotBytes)
        }
        guard rows[place].number < packet.number else { return nil }
        rows[place] = packet
        bytes.copy(datagram, from: payload, count: Int(packet.length), to: place * Self.slotBytes)
        return place
    }

    /// The place of a packet, or nil when it is not there or not there any more.
    @inline(__always) func find(_ number: Int64) -> Int? {
        let place = Int(truncatingIfNeeded: number) & mask
        guard place < rows.count else { return nil }
        return rows[place].number == number ? place : nil
    }

    /// The packet at a place.
    @inline(__always) subscript(place: Int) -> HistoryPacket { rows[place] }
}
