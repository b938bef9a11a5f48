// Which encoding an SSRC of a peer belongs to (RFC 8843 §9.2): from the description, or learned from mid, rid and
// payload type. Bounded: a peer cannot make it grow. Decides nothing about packets.

/// What an SSRC stands for.
struct StreamBinding: BitwiseCopyable {
    /// The source.
    var ssrc: SSRC
    /// The room's number of the encoding.
    var encoding: Int32
    /// Whether it carries retransmissions (RFC 4588) of the encoding.
    var isRetransmission: Bool
    /// Whether it was learned from packets rather than named by the description.
    var isLearned: Bool
    /// When its last packet came.
    var lastPacket: Timestamp
}

/// The SSRCs of one peer.
struct StreamTable: ~Copyable {
    /// The most learned SSRCs.
    static let learnedLimit = 64
    /// The most SSRCs that descriptions may name; the rest must be learned.
    static let declaredLimit = 192
    /// A learned SSRC silent for so long may be forgotten when a new one needs its place.
    static let idleBeforeEviction = TimeDelta.seconds(2)

    private var index = IntegerIndex()
    private(set) var rows: [StreamBinding] = []
    private var learned = 0

    init() { rows.reserveCapacity(16) }

    /// The row of an SSRC, or nil.
    @inline(__always) func find(_ ssrc: SSRC) -> Int? { index.find(ssrc.rawValue) }

    @inline(__always) mutating func touch(_ row: Int, at now: Timestamp) { rows[row].lastPacket = now }

    /// What adding an SSRC did.
    enum Added { case added, evicted(SSRC, idle: TimeDelta), full }

    /// Adds an SSRC or changes what it stands for.
    mutating func add(_ binding: StreamBinding) -> Added {
        if let row = find(binding.ssrc) {
            learned += (binding.isLearned ? 1 : 0) - (rows[row].isLearned ? 1 : 0)
            rows[row] = binding
            return .added
        }
        var result = Added.added
        if binding.isLearned, learned >= Self.learnedLimit {
            guard let oldest = oldestLearned() else { return .full }
            let idle = binding.lastPacket - rows[oldest].lastPacket
            guard idle >= Self.idleBeforeEviction else { return .full }
            result = .evicted(rows[oldest].ssrc, idle: idle)
            removeRow(oldest)
        } else if !binding.isLearned, rows.count - learned >= Self.declaredLimit {
            return .full
        }
        index.set(binding.ssrc.rawValue, to: rows.count)
        rows.append(binding)
        if binding.isLearned { learned += 1 }
        return result
    }

    /// Forgets an SSRC.
    mutating func remove(_ ssrc: SSRC) {
        if let row = find(ssrc) { removeRow(row) }
    }

    /// Forgets every SSRC of an encoding.
    mutating func removeAll(of encoding: Int) {
        for row in stride(from: rows.count - 1, through: 0, by: -1) where Int(rows[row].encoding) == encoding {
            removeRow(row)
        }
    }

    private func oldestLearned() -> Int? {
        var oldest: Int?
        for row in rows.indices where rows[row].isLearned {
            if let o = oldest, rows[o].lastPacket <= rows[row].lastPacket { continue }
            oldest = row
        }
        return oldest
    }

    private mutating func removeRow(_ row: Int) {
        index.remove(rows[row].ssrc.rawValue)
        if rows[row].isLearned { learned -= 1 }
        let last = rows.count - 1
        if row != last {
            rows[row] = rows[last]
            index.set(rows[row].ssrc.rawValue, to: row)
        }
        rows.removeLast()
    }
}

extension StreamBinding: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&ssrc)
        try c.row(&encoding)
        try c.code(&isRetransmission)
        try c.code(&isLearned)
        try c.code(&lastPacket)
    }
}

extension StreamTable {
    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(rows.count))
        for row in rows { w.write(row) }
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        for row in 0..<(try r.readUnsigned(Self.learnedLimit + Self.declaredLimit)) {
            var binding = StreamBinding(
                ssrc: SSRC(0), encoding: -1, isRetransmission: false, isLearned: false,
                lastPacket: Timestamp(nanoseconds: 0))
            try r.code(&binding)
            try r.require(find(binding.ssrc) == nil)
            index.set(binding.ssrc.rawValue, to: row)
            rows.append(binding)
            if binding.isLearned { learned += 1 }
        }
        try r.require(learned <= Self.learnedLimit && rows.count - learned <= Self.declaredLimit)
    }
}
