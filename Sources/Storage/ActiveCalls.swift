// Calls that are going on, so that their devices can attach again after a restart of the server.

internal import COpenSSL

/// A device in an active call, with the token that it attaches again by.
public struct ActiveCallDevice: Hashable, Sendable {
    /// The user.
    public var user: String
    /// The device.
    public var device: String
    /// The re-attach token: random bytes that only this device was told. Only its SHA-256 is stored. Nil: whoever saves the
    /// call does not know it, because another run of the server made it, and what is stored stays.
    public var reattachToken: [UInt8]?

    /// A device in a call.
    public init(user: String, device: String, reattachToken: [UInt8]?) {
        self.user = user
        self.device = device
        self.reattachToken = reattachToken
    }
}

/// A call that is going on.
public struct ActiveCall: Hashable, Sendable {
    /// The call.
    public var call: String
    /// When it was placed.
    public var startedAt: Int64
    /// What the caller of this module needs to go on with the call; not looked into here.
    public var state: [UInt8]

    /// A call.
    public init(call: String, startedAt: Int64, state: [UInt8]) {
        self.call = call
        self.startedAt = startedAt
        self.state = state
    }
}

extension Store {
    /// Writes down an active call as it is now: a call that is known gets the new state, and its devices are these and no
    /// others.
    public func saveActiveCall(
        _ call: ActiveCall, devices: [ActiveCallDevice], at now: Int64
    ) async throws(StoreError) {
        try Check.call(call.call)
        try Check.bytes(call.state, "call state", StoreLimits.callStateBytes)
        try Check.count(devices.count, "devices in a call", StoreLimits.devicesPerCall)
        var rows: [(user: String, device: String, hash: [UInt8]?)] = []
        for device in devices {
            try Check.user(device.user)
            try Check.device(device.device)
            if let token = device.reattachToken {
                guard !token.isEmpty else { throw .malformed(field: "re-attach token") }
                try Check.bytes(token, "re-attach token", StoreLimits.reattachTokenBytes)
            }
            rows.append((device.user, device.device, device.reattachToken.map { Digest.sha256($0) }))
        }
        let hashed = rows
        try await write { (connection) throws(StoreError) in
            try connection.run(
                """
                INSERT INTO active_calls (call, started_at, changed_at, state) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET changed_at = excluded.changed_at, state = excluded.state
                """, .text(call.call), .integer(call.startedAt), .integer(now), .blob(call.state))
            let kept = try connection.rows(
                "SELECT user, device, token_hash FROM active_call_devices WHERE call = ?", .text(call.call)
            ) { (row) throws(StoreError) in (user: row.text(0), device: row.text(1), hash: row.blob(2)) }
            try connection.run("DELETE FROM active_call_devices WHERE call = ?", .text(call.call))
            for row in hashed {
                let known = kept.first { $0.user == row.user && $0.device == row.device }?.hash
                guard let hash = row.hash ?? known else { continue }
                try connection.run(
                    """
                    INSERT INTO active_call_devices (call, user, device, token_hash) VALUES (?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET token_hash = excluded.token_hash
                    """, .text(call.call), .text(row.user), .text(row.device), .blob(hash))
            }
        }
    }

    /// The call that a device may attach to again, or nil: there is no such call, the device is not in it, or the token is
    /// not the one that it was told. Which of these it was cannot be told from the time that the answer takes.
    public func activeCall(
        _ call: String, reattaching device: String, of user: String, token: [UInt8]
    ) async throws(StoreError) -> ActiveCall? {
        try Check.call(call)
        try Check.user(user)
        try Check.device(device)
        try Check.bytes(token, "re-attach token", StoreLimits.reattachTokenBytes)
        let offered = Digest.sha256(token)
        return try await read { (connection) throws(StoreError) in
            let found = try connection.first(
                """
                SELECT active_calls.call, started_at, state, token_hash FROM active_call_devices
                JOIN active_calls USING (call) WHERE active_call_devices.call = ? AND user = ? AND device = ?
                """, .text(call), .text(user), .text(device)
            ) { (row) throws(StoreError) in
                (ActiveCall(call: row.text(0), startedAt: row.integer(1), state: row.blob(2)), row.blob(3))
            }
            // Compared in any case, with a hash that no token has.
            let isEqual = Digest.areEqual(offered, found?.1 ?? [UInt8](repeating: 0, count: Digest.bytes))
            return isEqual ? found?.0 : nil
        }
    }

    /// Every active call, the oldest first: what there is to go on with after a restart.
    public func activeCalls() async throws(StoreError) -> [ActiveCall] {
        try await read { (connection) throws(StoreError) in
            try connection.rows(
                "SELECT call, started_at, state FROM active_calls ORDER BY started_at, call"
            ) { (row) throws(StoreError) in
                ActiveCall(call: row.text(0), startedAt: row.integer(1), state: row.blob(2))
            }
        }
    }

    /// Ends an active call: it is gone, its record and the calls that were missed are there, or none of it.
    /// - Returns: whether the call was active.
    @discardableResult
    public func endActiveCall(
        _ call: String, record: CallRecord? = nil, missed: [MissedCall] = []
    ) async throws(StoreError) -> Bool {
        try Check.call(call)
        try record?.check()
        for missedCall in missed { try missedCall.check() }
        return try await write { (connection) throws(StoreError) in
            if let record { try record.insert(connection) }
            for missedCall in missed { try missedCall.insert(connection) }
            return try connection.run("DELETE FROM active_calls WHERE call = ?", .text(call)) > 0
        }
    }
}

/// SHA-256, and a comparison whose time says nothing. The only thing here that needs OpenSSL.
enum Digest {
    static let bytes = 32

    static func sha256(_ message: [UInt8]) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: bytes)
        guard unsafe SHA256(message, message.count, &hash) != nil else {
            preconditionFailure("SHA-256 of bytes in memory cannot fail")
        }
        return hash
    }

    static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        unsafe a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}
