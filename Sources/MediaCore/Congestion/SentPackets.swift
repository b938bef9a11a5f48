// What was sent to a peer lately, by transport-wide sequence number, until feedback tells what became of it. Keeps no payload
// and judges nothing.

/// What became of a packet.
enum SentState: UInt8, BitwiseCopyable {
    /// No feedback told of it so far.
    case inFlight
    /// It arrived.
    case received
    /// Feedback said that it did not arrive; it still may.
    case lost
    /// Feedback about later packets came, but none about it: the message was lost, or it was given up.
    case unknown
}

/// What one byte tells of a packet in a checkpoint, beside its state and kind in the lowest four bits.
private enum SentFlag {
    static let inCluster: UInt8 = 16
    /// There is no packet of the number.
    static let absent: UInt8 = 255
}

/// One packet sent.
struct SentRow: BitwiseCopyable {
    /// Its transport-wide sequence number, extended.
    var number: Int64 = .min
    var sentAt = Timestamp(nanoseconds: 0)
    var bytes: Int32 = 0
    /// The probe cluster it is part of, 0 for none.
    var cluster: Int32 = 0
    var kind = SentKind.audio
    var state = SentState.unknown
}

/// The packets sent lately: a ring that grows by doubling while packets in flight would be overwritten.
struct SentPackets: ~Copyable {
    /// Rows of a new ring.
    static let smallest = 128
    /// Rows at most: 2.6 s of 1,200 byte packets at 30 Mb/s.
    static let largest = 8_192
    /// How far behind the oldest packet in flight feedback may still tell of one: packets overtaken on the way.
    static let reordering: Int64 = 64
    /// The largest packet.
    static let maximumBytes = 65_535

    private var rows: Ring<SentRow>
    /// The number of the newest packet; nil before the first.
    private(set) var newest: Int64?
    /// No packet before this one is in flight.
    private(set) var firstInFlight: Int64 = 0
    /// The bytes in flight.
    private(set) var inFlightBytes: Int64 = 0

    init() { rows = Ring(repeating: SentRow(), count: Self.smallest) }

    /// The number of rows, for tests.
    var capacity: Int { rows.count }

    /// The packet of a number, unless it was never sent or is forgotten.
    @inline(__always) func find(_ number: Int64) -> SentRow? {
        guard let newest, number <= newest, number >= oldestFindable else { return nil }
        return rows[number].number == number ? rows[number] : nil
    }

    /// Nothing is in flight.
    var isEmpty: Bool { newest.map { firstInFlight > $0 } ?? true }

    /// The number from which on packets are found.
    var oldestFindable: Int64 { firstInFlight &- Self.reordering }

    /// The oldest packet in flight.
    var oldest: SentRow? {
        guard let newest, firstInFlight <= newest else { return nil }
        return rows[firstInFlight].number == firstInFlight ? rows[firstInFlight] : nil
    }

    /// The extended number of a 16-bit one that feedback names: the newest that was sent with it.
    @inline(__always) func extended(_ sequence: SequenceNumber) -> Int64? {
        guard let newest else { return nil }
        let back = UInt16(truncatingIfNeeded: newest) &- sequence.rawValue
        // What is further back than half the numbers is taken for a number not yet sent.
        return back < 0x8000 ? newest &- Int64(back) : newest &+ Int64(0 &- back)
    }

    /// A packet was sent. A few numbers may be left out before it; a number that is further on, or back, begins anew, and
    /// what was in flight is forgotten.
    mutating func note(_ sequence: UInt16, bytes: Int, kind: SentKind, cluster: Int32, at now: Timestamp) {
        let size = Int32(truncatingIfNeeded: min(max(bytes, 0), Self.maximumBytes))
        var row = SentRow(
            number: Int64(sequence), sentAt: now, bytes: size, cluster: cluster, kind: kind, state: .inFlight)
        if let newest {
            let step = Int64(sequence &- UInt16(truncatingIfNeeded: newest))
            row.number = newest &+ (step > 0 ? step : 0x1_0000)
            if step > 0 && step <= Self.reordering {
                for number in (newest &+ 1)..<row.number { append(SentRow(number: number)) }
            } else {
                forgetAll(before: row.number)
            }
        } else {
            firstInFlight = row.number
        }
        append(row)
        inFlightBytes &+= Int64(size)
        if firstInFlight == row.number { skipSettled() }
    }

    private mutating func append(_ row: SentRow) {
        while row.number &- oldestFindable >= Int64(rows.count) {
            if rows.count < Self.largest { grow() } else { giveUp(before: firstInFlight &+ 1) }
        }
        rows[row.number] = row
        newest = row.number
    }

    private mutating func grow() {
        var larger = Ring(repeating: SentRow(), count: rows.count * 2)
        for place in 0..<rows.count where rows[place].number != .min { larger[rows[place].number] = rows[place] }
        rows = larger
    }

    /// Notes what became of a packet that was found.
    mutating func settle(_ number: Int64, _ state: SentState) {
        guard rows[number].number == number else { return }
        if rows[number].state == .inFlight { inFlightBytes &-= Int64(rows[number].bytes) }
        rows[number].state = state
        if number == firstInFlight { skipSettled() }
    }

    /// Packets before a number that are in flight still are known of no more. Gives their bytes.
    @discardableResult mutating func giveUp(before number: Int64) -> Int64 {
        var bytes: Int64 = 0
        while let row = oldest, row.number < number {
            bytes &+= Int64(row.bytes)
            settle(row.number, .unknown)
        }
        return bytes
    }

    /// Packets sent before a moment that are in flight still are known of no more.
    mutating func giveUp(sentBefore moment: Timestamp) {
        while let row = oldest, row.sentAt < moment { settle(row.number, .unknown) }
    }

    /// Moves on to the oldest packet in flight, or behind the newest packet. Each packet is stepped over once.
    private mutating func skipSettled() {
        guard let newest else { return }
        while firstInFlight <= newest, rows[firstInFlight].state != .inFlight { firstInFlight &+= 1 }
    }

    private mutating func forgetAll(before number: Int64) {
        for place in 0..<rows.count { rows[place].number = .min }
        inFlightBytes = 0
        firstInFlight = number
    }
}

extension SentPackets {
    /// The packets that feedback may still tell of. Those that arrived are told by a byte: nothing is asked of them again.
    func save(into w: inout CheckpointWriter) {
        w.write(newest != nil)
        guard let newest else { return }
        w.write(newest)
        w.write(UInt64(truncatingIfNeeded: newest &+ 1 &- firstInFlight))
        let first = max(oldestFindable, newest &+ 1 &- Int64(rows.count))
        w.write(UInt64(truncatingIfNeeded: newest &+ 1 &- first))
        var before = Timestamp(nanoseconds: 0)
        var number = first
        while number <= newest {
            let row = rows[number]
            number &+= 1
            guard row.number == number &- 1 else {
                w.byte(SentFlag.absent)
                continue
            }
            w.byte(row.state.rawValue | row.kind.rawValue << 2 | (row.cluster != 0 ? SentFlag.inCluster : 0))
            guard row.state != .received else { continue }
            w.write((row.sentAt - before).nanoseconds)
            before = row.sentAt
            w.write(UInt64(truncatingIfNeeded: row.bytes))
            if row.cluster != 0 { w.write(Int64(row.cluster)) }
        }
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        guard try r.readBool() else { return }
        let newest = try r.readNumber()
        let inFlight = Int64(try r.readUnsigned(Self.largest))
        let count = Int64(try r.readUnsigned(Self.largest))
        try r.require(count > 0 && inFlight <= count && count &- inFlight <= Self.reordering)
        try r.take(memory: Int(count) * 2 * MemoryLayout<SentRow>.stride)
        while count > Int64(rows.count) { grow() }
        firstInFlight = newest &+ 1 &- inFlight
        self.newest = newest
        var before = Timestamp(nanoseconds: 0)
        for number in (newest &+ 1 &- count)...newest {
            guard let row = try Self.restored(&r, number: number, behind: &before) else { continue }
            rows[number] = row
            if row.state == .inFlight { inFlightBytes &+= Int64(row.bytes) }
            try r.require(row.state != .inFlight || number >= firstInFlight)
        }
        try r.require(firstInFlight > newest || oldest?.state == .inFlight)
        for number in stride(from: firstInFlight, through: newest, by: 1) {
            try r.require(rows[number].number == number)
        }
    }

    private static func restored(
        _ r: inout CheckpointReader, number: Int64, behind before: inout Timestamp
    ) throws(CheckpointError) -> SentRow? {
        let flags = try r.byte()
        if flags == SentFlag.absent { return nil }
        guard flags < SentFlag.inCluster * 2, let state = SentState(rawValue: flags & 3),
            let kind = SentKind(rawValue: flags >> 2 & 3)
        else { throw CheckpointError.invalid(offset: r.position) }
        var row = SentRow(number: number, kind: kind, state: state)
        guard state != .received else { return row }
        row.sentAt = before + TimeDelta(nanoseconds: try r.readSigned())
        let limit = Timestamp(nanoseconds: CheckpointLimit.moment)
        try r.require(row.sentAt <= limit && row.sentAt >= Timestamp(nanoseconds: -CheckpointLimit.moment))
        before = row.sentAt
        row.bytes = Int32(truncatingIfNeeded: try r.readUnsigned(maximumBytes))
        if flags & SentFlag.inCluster != 0 { try r.code(&row.cluster, 1...Int64(Int32.max)) }
        return row
    }
}
