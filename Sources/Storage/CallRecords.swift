// Calls that are over: who, when, by which path, how fast and how well.

/// How the media of a call went.
public enum CallPath: String, Hashable, Sendable, CaseIterable {
    /// From device to device.
    case direct
    /// Through a TURN server.
    case relayed
    /// Through this server's forwarding unit.
    case sfu
}

/// How well one person was served in a call: averages over it.
public struct CallQuality: Hashable, Sendable {
    /// Round trip, milliseconds.
    public var roundTripMilliseconds: Double?
    /// Jitter, milliseconds.
    public var jitterMilliseconds: Double?
    /// Lost packets, from 0 to 1.
    public var loss: Double?
    /// Mean opinion score, from 1 to 5.
    public var meanOpinionScore: Double?

    /// A summary.
    public init(
        roundTripMilliseconds: Double? = nil, jitterMilliseconds: Double? = nil, loss: Double? = nil,
        meanOpinionScore: Double? = nil
    ) {
        self.roundTripMilliseconds = roundTripMilliseconds
        self.jitterMilliseconds = jitterMilliseconds
        self.loss = loss
        self.meanOpinionScore = meanOpinionScore
    }
}

/// One person's part in a call.
public struct CallLeg: Hashable, Sendable {
    /// How somebody came into the call.
    public enum Role: String, Hashable, Sendable, CaseIterable {
        /// Placed it.
        case caller
        /// Was called.
        case callee
        /// Was added later.
        case added
    }

    /// How they came into it.
    public var role: Role
    /// Who; nil when they were erased since.
    public var user: String?
    /// The device that was in the call, or nil: none was, or the user was erased since.
    public var device: String?
    /// When their media began, or nil.
    public var joinedAt: Int64?
    /// When they left, or nil.
    public var leftAt: Int64?
    /// How well they were served.
    public var quality: CallQuality

    /// A leg.
    public init(
        role: Role, user: String?, device: String? = nil, joinedAt: Int64? = nil, leftAt: Int64? = nil,
        quality: CallQuality = CallQuality()
    ) {
        self.role = role
        self.user = user
        self.device = device
        self.joinedAt = joinedAt
        self.leftAt = leftAt
        self.quality = quality
    }
}

/// A call that is over.
public struct CallRecord: Hashable, Sendable {
    /// The call.
    public var call: String
    /// When it was placed.
    public var startedAt: Int64
    /// When it ended.
    public var endedAt: Int64
    /// What was offered: `audio` or `video`.
    public var media: String
    /// How media went last; nil when it never did.
    public var path: CallPath?
    /// The room that it became, or nil.
    public var room: String?
    /// Why it ended: a word of the protocol.
    public var endReason: String
    /// Milliseconds from placing it to the first ring, or nil.
    public var ringingMilliseconds: Int64?
    /// Milliseconds from placing it to the answer, or nil.
    public var answeredMilliseconds: Int64?
    /// Milliseconds from the answer to media on both sides, or nil.
    public var connectedMilliseconds: Int64?
    /// Everybody in it; the caller first.
    public var legs: [CallLeg]

    /// A record.
    public init(
        call: String, startedAt: Int64, endedAt: Int64, media: String, path: CallPath? = nil, room: String? = nil,
        endReason: String, ringingMilliseconds: Int64? = nil, answeredMilliseconds: Int64? = nil,
        connectedMilliseconds: Int64? = nil, legs: [CallLeg]
    ) {
        self.call = call
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.media = media
        self.path = path
        self.room = room
        self.endReason = endReason
        self.ringingMilliseconds = ringingMilliseconds
        self.answeredMilliseconds = answeredMilliseconds
        self.connectedMilliseconds = connectedMilliseconds
        self.legs = legs
    }

    func check() throws(StoreError) {
        try Check.call(call)
        try Check.text(media, "media", StoreLimits.wordBytes)
        try Check.text(room, "room", StoreLimits.roomBytes)
        try Check.text(endReason, "end reason", StoreLimits.wordBytes)
        try Check.count(legs.count, "legs", StoreLimits.legsPerRecord)
        for leg in legs {
            try Check.text(leg.user, "user", StoreLimits.userBytes)
            try Check.text(leg.device, "device", StoreLimits.deviceBytes)
            try Check.number(leg.quality.roundTripMilliseconds, "round trip", 0...86_400_000)
            try Check.number(leg.quality.jitterMilliseconds, "jitter", 0...86_400_000)
            try Check.number(leg.quality.loss, "loss", 0...1)
            try Check.number(leg.quality.meanOpinionScore, "mean opinion score", 1...5)
        }
    }

    /// Whether it was not there.
    @discardableResult
    func insert(_ connection: Connection) throws(StoreError) -> Bool {
        let isNew =
            try connection.run(
                """
                INSERT INTO call_records (call, started_at, ended_at, media, path, room, end_reason, ringing_ms,
                  answered_ms, connected_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """, .text(call), .integer(startedAt), .integer(endedAt), .text(media), .optional(path?.rawValue),
                .optional(room), .text(endReason), .optional(ringingMilliseconds), .optional(answeredMilliseconds),
                .optional(connectedMilliseconds)) > 0
        guard isNew else { return false }
        for (index, leg) in legs.enumerated() {
            try connection.run(
                """
                INSERT INTO call_legs (call, leg, role, user, device, started_at, joined_at, left_at, rtt_ms, jitter_ms,
                  loss, mos) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, .text(call), .integer(Int64(index)), .text(leg.role.rawValue), .optional(leg.user),
                .optional(leg.device), .integer(startedAt), .optional(leg.joinedAt), .optional(leg.leftAt),
                .optional(leg.quality.roundTripMilliseconds), .optional(leg.quality.jitterMilliseconds),
                .optional(leg.quality.loss), .optional(leg.quality.meanOpinionScore))
        }
        return true
    }

    static func read(_ call: String, _ connection: Connection) throws(StoreError) -> CallRecord? {
        let record = try connection.first(
            """
            SELECT started_at, ended_at, media, path, room, end_reason, ringing_ms, answered_ms, connected_ms
            FROM call_records WHERE call = ?
            """, .text(call)
        ) { (row) throws(StoreError) in
            CallRecord(
                call: call, startedAt: row.integer(0), endedAt: row.integer(1), media: row.text(2),
                path: row.isNull(3) ? nil : try row.word(3, CallPath.self), room: row.optionalText(4),
                endReason: row.text(5), ringingMilliseconds: row.optionalInteger(6),
                answeredMilliseconds: row.optionalInteger(7), connectedMilliseconds: row.optionalInteger(8), legs: [])
        }
        guard var record else { return nil }
        record.legs = try connection.rows(
            """
            SELECT role, user, device, joined_at, left_at, rtt_ms, jitter_ms, loss, mos FROM call_legs
            WHERE call = ? ORDER BY leg
            """, .text(call)
        ) { (row) throws(StoreError) in
            CallLeg(
                role: try row.word(0, CallLeg.Role.self), user: row.optionalText(1), device: row.optionalText(2),
                joinedAt: row.optionalInteger(3), leftAt: row.optionalInteger(4),
                quality: CallQuality(
                    roundTripMilliseconds: row.optionalReal(5), jitterMilliseconds: row.optionalReal(6),
                    loss: row.optionalReal(7), meanOpinionScore: row.optionalReal(8)))
        }
        return record
    }
}

extension Store {
    /// Writes down a call that is over, once: the same call again is nothing.
    /// - Returns: whether it is new.
    @discardableResult
    public func addCallRecord(_ record: CallRecord) async throws(StoreError) -> Bool {
        try record.check()
        return try await write { (connection) throws(StoreError) in try record.insert(connection) }
    }

    /// The record of a call, or nil.
    public func callRecord(_ call: String) async throws(StoreError) -> CallRecord? {
        try Check.call(call)
        return try await read { (connection) throws(StoreError) in try CallRecord.read(call, connection) }
    }

    /// The past calls of a user, the newest first.
    /// - Parameters:
    ///   - instant: only those placed before this; nil for the newest.
    ///   - count: how many at most, up to `StoreLimits.rowsPerAnswer`.
    public func callRecords(
        of user: String, startedBefore instant: Int64? = nil, count: Int = 100
    ) async throws(StoreError) -> [CallRecord] {
        try Check.user(user)
        let count = min(max(count, 0), StoreLimits.rowsPerAnswer)
        return try await read { (connection) throws(StoreError) in
            let calls = try connection.rows(
                """
                SELECT DISTINCT call, started_at FROM call_legs WHERE user = ? AND started_at < ?
                ORDER BY started_at DESC, call DESC LIMIT ?
                """, .text(user), .integer(instant ?? .max), .integer(Int64(count))
            ) { (row) throws(StoreError) in row.text(0) }
            var records: [CallRecord] = []
            for call in calls {
                if let record = try CallRecord.read(call, connection) { records.append(record) }
            }
            return records
        }
    }
}
