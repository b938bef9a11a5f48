// When video, retransmissions and padding to one receiver may leave: a debt that time pays off, and a queue of what has to wait
// (the idea of libwebrtc's pacing controller). Audio never waits here; it only adds to the debt. Holds no payload and composes
// nothing: a packet that waits is a place in its publisher's history.

/// A packet that waits, by where it is found again.
struct QueuedPacket: BitwiseCopyable {
    /// The room's number of the receiver's slot, and the slot's SSRC: a number may be another slot's by then.
    var slot: Int32 = -1
    var ssrc = SSRC(0)
    /// The room's number of the encoding, and that encoding's serial number.
    var encoding: Int32 = -1
    var serial: UInt32 = 0
    /// The publisher's extended sequence number; of a retransmission the slot's.
    var number: Int64 = 0
    /// When it came in; of a retransmission when it was asked for.
    var arrived = Timestamp(nanoseconds: 0)
    /// The bytes that it will have, about.
    var bytes: UInt16 = 0
    /// No packet of its source with a higher number had come.
    var isNewest = false
    /// It waits because the slot is to change to its encoding, and has not.
    var isSwitch = false
    /// What the slot counted when it came: a slot that was stopped or aimed elsewhere since has no use for it.
    var epoch: UInt16 = 0
}

/// Packets in the order in which they leave. Its memory is taken when the first waits, and grows by doubling.
struct PacketQueue: ~Copyable {
    /// The most that wait: at 1,200 bytes each more than a second of 30 Mb/s.
    static let limit = 4_096

    private var rows: [QueuedPacket] = []
    private var head = 0
    private(set) var count = 0
    /// The bytes of all that wait.
    private(set) var bytes: Int64 = 0

    var isEmpty: Bool { count == 0 }

    /// The packet that leaves next; asked of an empty queue it is none.
    var first: QueuedPacket? { count > 0 ? rows[head] : nil }

    /// Adds a packet; false when there is no room.
    mutating func append(_ packet: QueuedPacket) -> Bool {
        if count == rows.count {
            guard count < Self.limit else { return false }
            grow()
        }
        rows[(head + count) & (rows.count - 1)] = packet
        count += 1
        bytes += Int64(packet.bytes)
        return true
    }

    mutating func removeFirst() {
        guard count > 0 else { return }
        bytes -= Int64(rows[head].bytes)
        head = (head + 1) & (rows.count - 1)
        count -= 1
    }

    mutating func removeAll() {
        head = 0
        count = 0
        bytes = 0
    }

    private mutating func grow() {
        var larger: [QueuedPacket] = []
        larger.reserveCapacity(max(64, rows.count * 2))
        for i in 0..<count { larger.append(rows[(head + i) & (rows.count - 1)]) }
        while larger.count < max(64, rows.count * 2) { larger.append(QueuedPacket()) }
        rows = larger
        head = 0
    }
}

/// A cluster of packets sent faster than the estimate, to learn whether the path carries more.
struct RunningProbe: BitwiseCopyable {
    /// One that has not ended by then is given up.
    static let longest = TimeDelta.milliseconds(400)

    var cluster: ProbeCluster
    var startedAt: Timestamp
    /// When its next packet is due.
    var nextAt: Timestamp
    var packets: Int64 = 0
    var bytes: Int64 = 0

    /// Enough was sent.
    var isComplete: Bool {
        packets >= Int64(cluster.minimumPackets) && bytes >= Int64(cluster.minimumBytes)
    }
}

/// The pace of one receiver.
struct Pacer: ~Copyable {
    /// A burst takes at most this long at the pacing rate, where the path has room for more at so many percent of what the path is
    /// known to carry: there a frame may leave at once, and where the path is the limit it should not stand in its queue…
    static let burst = TimeDelta.milliseconds(10)
    static let wideBurstPercent: Int64 = 250
    /// …and has at most so many packets, or one.
    static let burstPackets: UInt8 = 8
    /// No pace is slower or faster than these.
    private static let slowest = DataRate(bitsPerSecond: 10_000)
    private static let fastest = DataRate(bitsPerSecond: 10_000_000_000)
    /// From here on nothing waits: no burst of a room fills such a path.
    static let unpaced = DataRate(bitsPerSecond: 1_000_000_000)
    /// No wide burst has more bytes.
    private static let mostBytes = Int64(burstPackets) * 1_500
    /// Packets sent within this time are one burst.
    static let burstSpan = TimeDelta.milliseconds(1)
    /// Whoever calls does so a little late, on a busy machine by many milliseconds. So much of that is made up for while something
    /// waits, as fast as a wide burst is: otherwise every packet would be late by it, and what waits would become more and more
    /// although the pace is faster than what comes.
    static let mostLate = TimeDelta.milliseconds(100)

    /// What leaves first, and what leaves then.
    var retransmissions = PacketQueue()
    var video = PacketQueue()
    var probe: RunningProbe?
    /// What leaves now has waited. False between two turns.
    var isCatchingUp = false
    /// The bytes of a burst where the path has room for more, nil where it has none; and how long a burst takes at the pacing
    /// rate. Follow from the demand, the settings and the rate, and are in no checkpoint.
    private var wideBytes: Int?
    private var burst = Pacer.burst
    private var rate = DataRate.zero
    /// What a packet's time at the pacing rate may be shortened to, in percent of it, to make up for lateness.
    private var shortestPercent: Int64 = 100
    /// By how much packets left late that is not made up for yet.
    private var late = TimeDelta.zero
    /// When what was sent is paid off at the pacing rate.
    private var paidAt = Timestamp(nanoseconds: .min)
    private var burstStart = Timestamp(nanoseconds: .min)
    private var burstCount: UInt8 = 0
    /// When the first of those that wait came to wait.
    private(set) var waitsSince = Timestamp(nanoseconds: .min)

    /// Nothing waits.
    var isEmpty: Bool { video.isEmpty && retransmissions.isEmpty }

    /// Nothing waits, or not for so long that something always has: a frame that is large waits for a while by itself.
    func wasEmpty(within time: TimeDelta, at now: Timestamp) -> Bool { isEmpty || now - waitsSince < time }

    /// Has a packet of video wait; false when there is no room.
    mutating func queueVideo(_ packet: QueuedPacket, at now: Timestamp) -> Bool {
        if isEmpty { waitsSince = now }
        return video.append(packet)
    }

    /// Has a retransmission wait; false when there is no room.
    mutating func queueRetransmission(_ packet: QueuedPacket, at now: Timestamp) -> Bool {
        if isEmpty { waitsSince = now }
        return retransmissions.append(packet)
    }

    /// The pace is so many percent of the estimate; where the path has room for more than is wanted it is known to carry this.
    mutating func setBurst(pacingPercent: Int64, carried: DataRate?) {
        let isWide = carried != nil
        wideBytes = carried.map {
            Int(min(($0 * Self.burst).bytes &* Self.wideBurstPercent / 100, Self.mostBytes))
        }
        // A wide burst is as fast as may be already: there nothing is made up for.
        shortestPercent = isWide ? 100 : min(100, pacingPercent * 100 / Self.wideBurstPercent)
        limitBurst()
    }

    private mutating func limitBurst() {
        burst = wideBytes.map { time(of: $0) } ?? Self.burst
    }

    /// The rate of the debt, from now on. What is owed stays as many bytes as it was.
    mutating func setRate(_ changed: DataRate, at now: Timestamp) {
        let changed = min(max(changed, Self.slowest), Self.fastest)
        guard changed != rate else { return }
        if paidAt > now, rate > .zero {
            let owed = max(.zero, min(paidAt - now, .seconds(10)))
            let bits = owed.nanoseconds / 1_000 * (rate.bitsPerSecond / 1_000) / 1_000
            paidAt =
                now + TimeDelta(nanoseconds: min(10_000_000_000, bits * 1_000_000 / (changed.bitsPerSecond / 1_000)))
        }
        rate = changed
        limitBurst()
    }

    /// How long a packet takes at the pace; no time where nothing paces.
    private func time(of bytes: Int) -> TimeDelta {
        rate > .zero ? DataSize(bytes: Int64(bytes)) / max(rate, probe?.cluster.rate ?? .zero) : .zero
    }

    /// Whether a packet of so many bytes may leave now.
    @inline(__always) func mayLeave(_ bytes: Int, at now: Timestamp) -> Bool {
        if rate >= Self.unpaced { return true }
        if burstCount >= Self.burstPackets, now < burstStart + Self.burstSpan { return false }
        return paidAt <= now || paidAt + time(of: bytes) <= now + burst
    }

    /// A packet left.
    @inline(__always) mutating func left(_ bytes: Int, at now: Timestamp) {
        if now >= burstStart + Self.burstSpan || now < burstStart {
            burstStart = now
            burstCount = 0
        }
        if burstCount < .max { burstCount += 1 }
        // A debt of more than ten seconds is not paid in anybody's life time.
        paidAt = min(max(paidAt, now) + chargedTime(of: bytes, at: now), now + .seconds(10))
        if probe != nil { countForProbe(bytes, at: now) }
    }

    /// How long a packet that leaves takes at the pace, less what is made up for of how late others left.
    @inline(__always) private mutating func chargedTime(of bytes: Int, at now: Timestamp) -> TimeDelta {
        let time = time(of: bytes)
        guard isCatchingUp || !isEmpty else {
            late = .zero
            return time
        }
        if paidAt < now { late = min(late + (now - max(paidAt, now - Self.mostLate)), Self.mostLate) }
        guard probe == nil, late > .zero else { return time }
        let shortened = min(late, time - time * shortestPercent / 100)
        late = late - shortened
        return time - shortened
    }

    private mutating func countForProbe(_ bytes: Int, at now: Timestamp) {
        guard var running = probe else { return }
        running.packets += 1
        running.bytes += Int64(bytes)
        running.nextAt = max(now, running.startedAt + DataSize(bytes: running.bytes) / running.cluster.rate)
        probe = running
    }

    /// When to look again; nil when nothing waits and nothing is probed. `now` is in the past by then.
    func next(after now: Timestamp) -> Timestamp? {
        var next: Timestamp?
        if let first = retransmissions.first ?? video.first {
            // When so much may leave that the loop is not woken for each packet: half a burst, or where the path has room all that
            // waits.
            let size = time(of: Int(first.bytes))
            var ahead = size > burst ? .zero : burst / 2
            if wideBytes != nil {
                let all = time(of: Int(min(video.bytes + retransmissions.bytes, Self.mostBytes)))
                ahead = burst - min(max(all, size), burst)
            }
            next = max(paidAt - ahead, now + Self.burstSpan)
        }
        if let running = probe {
            let due = max(running.nextAt, now + Self.burstSpan)
            next = min(next ?? due, due)
        }
        return next
    }

    /// How long what waits takes at the pace.
    var queueTime: TimeDelta {
        rate > .zero ? DataSize(bytes: video.bytes + retransmissions.bytes) / rate : .zero
    }

    /// Forgets what waits and what is owed: the path is another.
    mutating func reset() {
        retransmissions.removeAll()
        video.removeAll()
        probe = nil
        paidAt = Timestamp(nanoseconds: .min)
        burstStart = Timestamp(nanoseconds: .min)
        burstCount = 0
        waitsSince = Timestamp(nanoseconds: .min)
        late = .zero
    }
}

extension QueuedPacket: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.row(&slot)
        try c.code(&ssrc)
        try c.row(&encoding)
        try c.code(&serial)
        try c.number(&number)
        try c.code(&arrived)
        try c.code(&bytes)
        try c.code(&isNewest)
        try c.code(&isSwitch)
        try c.code(&epoch)
    }
}

extension PacketQueue {
    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(count))
        for i in 0..<count { w.write(rows[(head + i) & (rows.count - 1)]) }
    }

    mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        let count = try r.readUnsigned(Self.limit)
        try r.take(memory: count * 2 * MemoryLayout<QueuedPacket>.stride)
        for _ in 0..<count {
            var packet = QueuedPacket()
            try r.code(&packet)
            _ = append(packet)
        }
    }
}

extension RunningProbe: CheckpointField {
    static let none = RunningProbe(
        cluster: ProbeCluster(id: 0, rate: .zero, minimumPackets: 0, minimumBytes: 0),
        startedAt: Timestamp(nanoseconds: 0), nextAt: Timestamp(nanoseconds: 0))

    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&cluster.id, 0...Int64(Int32.max))
        try c.code(&cluster.rate)
        try c.count(&cluster.minimumPackets, 1_000)
        try c.count(&cluster.minimumBytes, 1 << 30)
        try c.code(&startedAt)
        try c.code(&nextAt)
        try c.number(&packets)
        try c.number(&bytes)
    }
}

extension Pacer {
    func save(into w: inout CheckpointWriter) {
        retransmissions.save(into: &w)
        video.save(into: &w)
        w.write(probe != nil)
        if let probe { w.write(probe) }
        w.write(rate.bitsPerSecond)
        for moment in [paidAt, burstStart, waitsSince] {
            w.write(moment.nanoseconds != .min)
            if moment.nanoseconds != .min { w.write(moment) }
        }
        w.byte(burstCount)
        w.write(late.nanoseconds)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        try made.restore(&r)
        return made
    }

    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        try retransmissions.restore(&r)
        try video.restore(&r)
        if try r.readBool() {
            var running = RunningProbe.none
            try r.code(&running)
            probe = running
        }
        try r.code(&rate)
        var moment: Timestamp?
        try r.code(&moment)
        paidAt = moment ?? Timestamp(nanoseconds: .min)
        moment = nil
        try r.code(&moment)
        burstStart = moment ?? Timestamp(nanoseconds: .min)
        moment = nil
        try r.code(&moment)
        waitsSince = moment ?? Timestamp(nanoseconds: .min)
        burstCount = try r.byte()
        try r.code(&late.nanoseconds, 0...Self.mostLate.nanoseconds)
    }
}
