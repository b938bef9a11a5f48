// Forgetting: a user who wants to be forgotten, and what is older than it may become.

extension Store {
    /// Erases a user: their devices, push tokens, block lists and missed calls, and the calls that go on with them. What
    /// other people keep (their missed calls and records, their part of a call) keeps nothing that names the user, and a
    /// record that nobody is left in goes. Returns once the bytes are overwritten in the file and gone from its log; copies
    /// made by `backUp` are the operator's to delete.
    /// - Throws: `busy` when another process read the log for too long: the user is erased for every question, and erasing
    ///   again finishes the log.
    public func eraseUser(_ user: String) async throws(StoreError) {
        try Check.user(user)
        try await write(emptyingLog: true) { (connection) throws(StoreError) in
            let name = SQLValue.text(user)
            // Push tokens go with their devices, devices in calls with the calls.
            try connection.run("DELETE FROM devices WHERE user = ?", name)
            try connection.run("DELETE FROM blocked_users WHERE user = ?1 OR blocked = ?1", name)
            try connection.run(
                "DELETE FROM active_calls WHERE call IN (SELECT call FROM active_call_devices WHERE user = ?)", name)
            try connection.run("DELETE FROM missed_calls WHERE user = ?", name)
            try connection.run("UPDATE missed_calls SET caller = NULL, caller_name = NULL WHERE caller = ?", name)
            try connection.run(
                """
                DELETE FROM call_records WHERE call IN (SELECT call FROM call_legs WHERE user = ?1) AND NOT EXISTS (
                  SELECT 1 FROM call_legs WHERE call_legs.call = call_records.call AND user <> ?1)
                """, name)
            try connection.run(
                """
                UPDATE call_legs SET user = NULL, device = NULL, joined_at = NULL, left_at = NULL, rtt_ms = NULL,
                  jitter_ms = NULL, loss = NULL, mos = NULL WHERE user = ?
                """, name)
        }
    }

    /// Deletes records of calls that ended, and missed calls that were missed, before an instant.
    /// - Returns: how many of both.
    @discardableResult
    public func removeHistory(before instant: Int64) async throws(StoreError) -> Int {
        try await write { (connection) throws(StoreError) in
            let records = try connection.run("DELETE FROM call_records WHERE ended_at < ?", .integer(instant))
            let missed = try connection.run("DELETE FROM missed_calls WHERE missed_at < ?", .integer(instant))
            return records + missed
        }
    }
}
