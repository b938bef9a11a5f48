// Calls that nobody answered: kept once each, told until they are acknowledged.

/// A call that a user missed.
public struct MissedCall: Hashable, Sendable {
    /// Who missed it.
    public var user: String
    /// The call.
    public var call: String
    /// Who called; nil when they were erased since.
    public var caller: String?
    /// The caller's name to show, or nil: there was none, or they were erased since.
    public var callerName: String?
    /// What was offered: `audio` or `video`.
    public var media: String
    /// When it was placed, or nil: it was kept by a version that did not know.
    public var placedAt: Int64?
    /// When it ended.
    public var missedAt: Int64

    /// A missed call.
    public init(
        user: String, call: String, caller: String?, callerName: String? = nil, media: String, placedAt: Int64? = nil,
        missedAt: Int64
    ) {
        self.user = user
        self.call = call
        self.caller = caller
        self.callerName = callerName
        self.media = media
        self.placedAt = placedAt
        self.missedAt = missedAt
    }

    func check() throws(StoreError) {
        try Check.user(user)
        try Check.call(call)
        try Check.text(caller, "caller", StoreLimits.userBytes)
        try Check.text(callerName, "caller's name", StoreLimits.labelBytes)
        try Check.text(media, "media", StoreLimits.wordBytes)
    }

    /// Whether it was not there.
    @discardableResult
    func insert(_ connection: Connection) throws(StoreError) -> Bool {
        let isNew =
            try connection.run(
                """
                INSERT INTO missed_calls (user, call, caller, caller_name, media, placed_at, missed_at)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """, .text(user), .text(call), .optional(caller), .optional(callerName), .text(media),
                .optional(placedAt), .integer(missedAt)) > 0
        guard isNew else { return false }
        let waiting = try connection.number(
            "SELECT count(*) FROM missed_calls WHERE user = ? AND acknowledged_at IS NULL", .text(user))
        let excess = waiting - Int64(StoreLimits.missedCallsPerUser)
        if excess > 0 {
            try connection.run(
                """
                DELETE FROM missed_calls WHERE user = ?1 AND call IN (
                  SELECT call FROM missed_calls WHERE user = ?1 AND acknowledged_at IS NULL
                  ORDER BY missed_at, call LIMIT ?2)
                """, .text(user), .integer(excess))
        }
        return true
    }
}

extension Store {
    /// Writes down a missed call, once: the same call of the same user again is nothing, even when it was acknowledged.
    /// Above `StoreLimits.missedCallsPerUser` that wait the oldest goes.
    /// - Returns: whether it is new.
    @discardableResult
    public func addMissedCall(_ missed: MissedCall) async throws(StoreError) -> Bool {
        try missed.check()
        return try await write { (connection) throws(StoreError) in try missed.insert(connection) }
    }

    /// The missed calls of a user that were not acknowledged, the oldest first. They are answered until they are.
    public func missedCalls(of user: String) async throws(StoreError) -> [MissedCall] {
        try Check.user(user)
        return try await read { (connection) throws(StoreError) in
            try connection.rows(
                """
                SELECT call, caller, caller_name, media, placed_at, missed_at FROM missed_calls
                WHERE user = ? AND acknowledged_at IS NULL ORDER BY missed_at, call
                """, .text(user)
            ) { (row) throws(StoreError) in
                MissedCall(
                    user: user, call: row.text(0), caller: row.optionalText(1), callerName: row.optionalText(2),
                    media: row.text(3), placedAt: row.optionalInteger(4), missedAt: row.integer(5))
            }
        }
    }

    /// Acknowledges missed calls of a user; those that are not there, or were acknowledged, are passed over.
    /// - Returns: how many were waiting.
    @discardableResult
    public func acknowledgeMissedCalls(
        _ calls: [String], of user: String, at now: Int64
    ) async throws(StoreError) -> Int {
        try Check.user(user)
        try Check.count(calls.count, "calls", StoreLimits.missedCallsPerUser)
        for call in calls { try Check.call(call) }
        return try await write { (connection) throws(StoreError) in
            var acknowledged = 0
            for call in calls {
                acknowledged += try connection.run(
                    """
                    UPDATE missed_calls SET acknowledged_at = ?
                    WHERE user = ? AND call = ? AND acknowledged_at IS NULL
                    """, .integer(now), .text(user), .text(call))
            }
            return acknowledged
        }
    }
}
