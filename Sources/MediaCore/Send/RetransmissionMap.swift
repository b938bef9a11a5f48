// What was sent on a slot under which number, so that it can be sent again (RFC 4585 §6.2.1, RFC 4588): the packet's
// place in its publisher's history and everything that was written anew. Keeps no payload.

/// One packet sent on a slot.
struct SentPacket: BitwiseCopyable {
    /// The slot's extended sequence number.
    var number: Int64 = .min
    /// The publisher's extended sequence number.
    var source: Int64 = 0
    /// When it was sent again last.
    var resentAt = Timestamp(nanoseconds: 0)
    /// The encoding that it came from, and that encoding's serial number.
    var encoding: Int32 = -1
    var serial: UInt32 = 0
    var timestamp: UInt32 = 0
    var contributingSource: UInt32 = 0
    var absoluteSendTime: UInt32 = 0
    var playoutDelay: UInt32 = HistoryPacket.noPlayoutDelay
    var transportSequence: UInt16 = 0
    var videoOrientation: UInt16 = HistoryPacket.noByte
    var picture = PictureNumbers()
    /// The position of the codec in the slot's plan.
    var codec: UInt8 = 0
    var marker = false
    /// How often it was sent again.
    var resent: UInt8 = 0
}

/// The newest packets sent on one slot.
struct RetransmissionMap: ~Copyable {
    /// Packets remembered per video slot: at 150 a second for 3.4 s.
    static let videoPackets = 512
    /// Packets remembered per audio slot: 2.5 s of 20 ms packets.
    static let audioPackets = 128
    /// How often one packet is sent again: as often as browsers ask. With fewer, a receiver that loses 20 % is left with
    /// holes every few seconds; storms are the retransmission budget's to stop.
    static let maximumResends: UInt8 = 10
    /// The shortest time between two.
    static let shortestInterval = TimeDelta.milliseconds(20)

    private var rows: [SentPacket]
    private let mask: Int

    /// A map of so many packets, a power of two.
    init(packets: Int) {
        precondition(packets > 0 && packets & (packets - 1) == 0, "the size of a ring is a power of two")
        rows = [SentPacket](repeating: SentPacket(), count: packets)
        mask = packets - 1
    }

    @inline(__always) mutating func note(_ packet: SentPacket) {
        rows[Int(truncatingIfNeeded: packet.number) & mask] = packet
    }

    /// The packet of a number, or nil when it was not sent or is forgotten.
    func find(_ number: Int64) -> SentPacket? {
        let row = rows[Int(truncatingIfNeeded: number) & mask]
        return row.number == number ? row : nil
    }

    /// The packet of a number was sent again.
    mutating func noteResent(_ number: Int64, at now: Timestamp) {
        let place = Int(truncatingIfNeeded: number) & mask
        guard rows[place].number == number else { return }
        rows[place].resent &+= 1
        rows[place].resentAt = now
    }

    /// Forgets everything: what was sent cannot be composed again as it was.
    mutating func removeAll() {
        for place in rows.indices { rows[place].number = .min }
    }
}
