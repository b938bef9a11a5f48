// Whom each user does not want to be called by.

extension Store {
    /// Blocks a user for another; blocking twice is nothing.
    /// - Throws: `malformed` for oneself, `tooMany` above `StoreLimits.blockedPerUser`.
    public func block(_ blocked: String, for user: String, at now: Int64) async throws(StoreError) {
        try Check.user(user)
        try Check.user(blocked, "blocked user")
        guard user != blocked else { throw .malformed(field: "blocked user") }
        try await write { (connection) throws(StoreError) in
            let others = try connection.number(
                "SELECT count(*) FROM blocked_users WHERE user = ? AND blocked <> ?", .text(user), .text(blocked))
            try Check.count(Int(others) + 1, "blocked users", StoreLimits.blockedPerUser)
            try connection.run(
                "INSERT INTO blocked_users (user, blocked, blocked_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                .text(user), .text(blocked), .integer(now))
        }
    }

    /// Blocks a user no longer. Returns whether they were blocked.
    @discardableResult
    public func unblock(_ blocked: String, for user: String) async throws(StoreError) -> Bool {
        try Check.user(user)
        try Check.user(blocked, "blocked user")
        return try await write { (connection) throws(StoreError) in
            try connection.run(
                "DELETE FROM blocked_users WHERE user = ? AND blocked = ?", .text(user), .text(blocked)) > 0
        }
    }

    /// Whether a user has blocked a caller.
    public func isBlocked(_ caller: String, by user: String) async throws(StoreError) -> Bool {
        try Check.user(user)
        try Check.user(caller, "caller")
        return try await read { (connection) throws(StoreError) in
            try connection.number(
                "SELECT count(*) FROM blocked_users WHERE user = ? AND blocked = ?", .text(user), .text(caller)) > 0
        }
    }

    /// What is asked before a user is called: whether they have a device that was registered, and whom they have blocked.
    public func standing(of user: String) async throws(StoreError) -> (isKnown: Bool, blocked: Set<String>) {
        try Check.user(user)
        return try await read { (connection) throws(StoreError) in
            let isKnown =
                try connection.number("SELECT EXISTS (SELECT 1 FROM devices WHERE user = ?)", .text(user)) == 1
            let blocked = try connection.rows(
                "SELECT blocked FROM blocked_users WHERE user = ?", .text(user)
            ) { (row) throws(StoreError) in row.text(0) }
            return (isKnown, Set(blocked))
        }
    }

    /// Everybody whom a user has blocked, by name.
    public func blockedUsers(of user: String) async throws(StoreError) -> [String] {
        try Check.user(user)
        return try await read { (connection) throws(StoreError) in
            try connection.rows(
                "SELECT blocked FROM blocked_users WHERE user = ? ORDER BY blocked", .text(user)
            ) { (row) throws(StoreError) in row.text(0) }
        }
    }
}
