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
    /// How often it was sent again.
    var resent: UInt8 = 0
    /// The marker, and what else is one bit: the row takes 64 bytes.
    private var bits: UInt8 = 0
    private var dependencyShift: UInt8 = 0
    private var dependencyFrame: UInt16 = 0
    private var dependencyTargets: UInt16 = 0
}

extension SentPacket {
    private func has(_ bit: UInt8) -> Bool { bits & bit != 0 }
    private mutating func set(_ bit: UInt8, _ isSet: Bool) { bits = isSet ? bits | bit : bits & ~bit }

    /// The marker bit.
    var marker: Bool {
        get { has(1) }
        set { set(1, newValue) }
    }
    /// It was sent without its payload, to fill a number of the slot.
    var isEmpty: Bool {
        get { has(2) }
        set { set(2, newValue) }
    }
    /// What of the Dependency Descriptor was written anew; nil where the packet has none.
    var dependency: DependencyRewrite? {
        get {
            guard has(4) else { return nil }
            return DependencyRewrite(
                frameNumber: dependencyFrame, templateShift: dependencyShift,
                activeTargets: has(8) ? UInt32(dependencyTargets) : nil)
        }
        set {
            set(4, newValue != nil)
            set(8, newValue?.activeTargets != nil)
            dependencyFrame = newValue?.frameNumber ?? 0
            dependencyShift = newValue?.templateShift ?? 0
            dependencyTargets = UInt16(truncatingIfNeeded: newValue?.activeTargets ?? 0)
        }
    }
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

    private var rows: Ring<SentPacket>

    /// A map of so many packets, a power of two.
    init(packets: Int) { rows = Ring(repeating: SentPacket(), count: packets) }

    @inline(__always) mutating func note(_ packet: SentPacket) { rows[packet.number] = packet }

    /// The packet of a number, or nil when it was not sent or is forgotten.
    func find(_ number: Int64) -> SentPacket? {
        rows[number].number == number ? rows[number] : nil
    }

    /// The packet of a number was sent again.
    mutating func noteResent(_ number: Int64, at now: Timestamp) {
        guard rows[number].number == number else { return }
        rows[number].resent &+= 1
        rows[number].resentAt = now
    }

    /// Forgets everything: what was sent cannot be composed again as it was.
    mutating func removeAll() {
        for place in 0..<rows.count { rows[place].number = .min }
    }
}

/// What one byte tells of a packet in a checkpoint.
private enum SentFlag {
    static let marker: UInt8 = 1
    static let wasResent: UInt8 = 2
    static let hasPicture: UInt8 = 4
    /// It came from where the packet written before it came from.
    static let sameOrigin: UInt8 = 8
    static let hasPlayoutDelay: UInt8 = 16
    static let hasOrientation: UInt8 = 32
    static let isEmpty: UInt8 = 64
    static let hasDependency: UInt8 = 128
}

/// Each packet is written as its differences to the one before it in the ring: a dozen bytes of its seventy.
extension RetransmissionMap {
    func save(into w: inout CheckpointWriter) {
        var count: UInt64 = 0
        for place in 0..<rows.count where rows[place].number != .min { count += 1 }
        w.write(count)
        var before = SentPacket()
        before.number = 0
        for place in 0..<rows.count where rows[place].number != .min {
            let row = rows[place]
            Self.save(row, behind: before, into: &w)
            before = row
        }
    }

    private static func save(_ row: SentPacket, behind before: SentPacket, into w: inout CheckpointWriter) {
        let isSame =
            row.encoding == before.encoding && row.serial == before.serial && row.codec == before.codec
            && row.contributingSource == before.contributingSource
        var flags: UInt8 = row.marker ? SentFlag.marker : 0
        if row.resent > 0 { flags |= SentFlag.wasResent }
        if row.picture != PictureNumbers() { flags |= SentFlag.hasPicture }
        if isSame { flags |= SentFlag.sameOrigin }
        if row.playoutDelay != HistoryPacket.noPlayoutDelay { flags |= SentFlag.hasPlayoutDelay }
        if row.videoOrientation != HistoryPacket.noByte { flags |= SentFlag.hasOrientation }
        if row.isEmpty { flags |= SentFlag.isEmpty }
        if row.dependency != nil { flags |= SentFlag.hasDependency }
        w.byte(flags)
        w.write(row.number &- before.number)
        w.write(row.source &- before.source)
        w.write(Int64(Int32(bitPattern: row.timestamp &- before.timestamp)))
        w.write(Int64(Int32(bitPattern: row.absoluteSendTime &- before.absoluteSendTime)))
        w.write(Int64(Int16(bitPattern: row.transportSequence &- before.transportSequence)))
        if !isSame {
            w.write(row: row.encoding)
            w.write(UInt64(row.serial))
            w.write(UInt64(row.contributingSource))
            w.write(UInt64(row.codec))
        }
        if flags & SentFlag.wasResent != 0 {
            w.write(UInt64(row.resent))
            w.write(row.resentAt)
        }
        if flags & SentFlag.hasPicture != 0 { w.write(row.picture) }
        if flags & SentFlag.hasPlayoutDelay != 0 { w.write(UInt64(row.playoutDelay)) }
        if flags & SentFlag.hasOrientation != 0 { w.write(UInt64(row.videoOrientation)) }
        if let dependency = row.dependency { w.write(dependency) }
    }

    static func restored(_ r: inout CheckpointReader, packets: Int) throws(CheckpointError) -> Self {
        try r.take(memory: packets * MemoryLayout<SentPacket>.stride)
        var made = Self(packets: packets)
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        let count = try r.readUnsigned(rows.count)
        var before = SentPacket()
        before.number = 0
        var last = -1
        for _ in 0..<count {
            let row = try Self.restore(behind: before, &r)
            let place = rows.place(row.number)
            try r.require(place > last)
            last = place
            rows[place] = row
            before = row
        }
    }

    private static func restore(
        behind before: SentPacket, _ r: inout CheckpointReader
    ) throws(CheckpointError) -> SentPacket {
        var row = before
        let flags = try r.byte()
        row.marker = flags & SentFlag.marker != 0
        row.isEmpty = flags & SentFlag.isEmpty != 0
        row.number = try r.readNumber(behind: before.number)
        row.source = try r.readNumber(behind: before.source)
        row.timestamp = before.timestamp &+ UInt32(truncatingIfNeeded: try r.readSigned())
        row.absoluteSendTime = before.absoluteSendTime &+ UInt32(truncatingIfNeeded: try r.readSigned())
        row.transportSequence = before.transportSequence &+ UInt16(truncatingIfNeeded: try r.readSigned())
        if flags & SentFlag.sameOrigin == 0 {
            try r.row(&row.encoding)
            try r.code(&row.serial)
            try r.code(&row.contributingSource)
            try r.code(&row.codec)
        }
        row.resent = 0
        row.resentAt = Timestamp(nanoseconds: 0)
        if flags & SentFlag.wasResent != 0 {
            try r.code(&row.resent)
            try r.code(&row.resentAt)
            try r.require(row.resent > 0)
        }
        row.picture = PictureNumbers()
        if flags & SentFlag.hasPicture != 0 { try r.code(&row.picture) }
        row.playoutDelay = HistoryPacket.noPlayoutDelay
        if flags & SentFlag.hasPlayoutDelay != 0 { try r.code(&row.playoutDelay) }
        row.videoOrientation = HistoryPacket.noByte
        if flags & SentFlag.hasOrientation != 0 { try r.code(&row.videoOrientation) }
        row.dependency = nil
        if flags & SentFlag.hasDependency != 0 {
            var dependency = DependencyRewrite(frameNumber: 0, templateShift: 0)
            try r.code(&dependency)
            row.dependency = dependency
        }
        return row
    }
}
