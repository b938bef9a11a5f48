// The devices of users and the tokens that push reaches them by.

/// Who carries a push message.
public enum StoredPushProvider: String, Hashable, Sendable, CaseIterable {
    /// Apple's push service.
    case apns
    /// Google's.
    case fcm
}

/// A token that push reaches a device by.
public struct StoredPushToken: Hashable, Sendable {
    /// Who carries it.
    public var provider: StoredPushProvider
    /// The token as the application got it. It is a secret: never logged.
    public var token: String
    /// The application it was made for: Apple's bundle identifier, Google's project.
    public var application: String
    /// Whether it is of Apple's development environment.
    public var isSandbox: Bool
    /// When it was registered.
    public var registeredAt: Int64

    /// A token.
    public init(
        provider: StoredPushProvider, token: String, application: String, isSandbox: Bool = false, registeredAt: Int64
    ) {
        self.provider = provider
        self.token = token
        self.application = application
        self.isSandbox = isSandbox
        self.registeredAt = registeredAt
    }

    func check() throws(StoreError) {
        try Check.text(token, "push token", StoreLimits.pushTokenBytes)
        try Check.text(application, "application", StoreLimits.applicationBytes)
    }
}

/// A device of a user.
public struct StoredDevice: Hashable, Sendable {
    /// The device, as its messages name it.
    public var device: String
    /// Its name for people, or nil.
    public var label: String?
    /// When it was first registered.
    public var registeredAt: Int64
    /// When it was last registered.
    public var seenAt: Int64
    /// The tokens that push reaches it by.
    public var pushTokens: [StoredPushToken]

    /// A device.
    public init(
        device: String, label: String? = nil, registeredAt: Int64, seenAt: Int64, pushTokens: [StoredPushToken] = []
    ) {
        self.device = device
        self.label = label
        self.registeredAt = registeredAt
        self.seenAt = seenAt
        self.pushTokens = pushTokens
    }
}

extension Store {
    /// Writes down that a user has a device, or that it was seen again.
    /// - Throws: `tooMany` for one device above `StoreLimits.devicesPerUser`.
    public func registerDevice(
        _ device: String, of user: String, label: String? = nil, at now: Int64
    ) async throws(StoreError) {
        try Check.user(user)
        try Check.device(device)
        try Check.text(label, "label", StoreLimits.labelBytes)
        try await write { (connection) throws(StoreError) in
            let others = try connection.number(
                "SELECT count(*) FROM devices WHERE user = ? AND device <> ?", .text(user), .text(device))
            try Check.count(Int(others) + 1, "devices", StoreLimits.devicesPerUser)
            try connection.run(
                """
                INSERT INTO devices (user, device, label, registered_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?4)
                ON CONFLICT DO UPDATE SET label = coalesce(excluded.label, label), seen_at = excluded.seen_at
                """, .text(user), .text(device), .optional(label), .integer(now))
        }
    }

    /// Gives a registered device a push token. A token that another device had moves: an application that somebody else
    /// signed in to must not ring for the one before.
    /// - Throws: `missing` for a device that is not registered, `tooMany` above `StoreLimits.pushTokensPerDevice`.
    public func setPushToken(
        _ token: StoredPushToken, of user: String, device: String
    ) async throws(StoreError) {
        try Check.user(user)
        try Check.device(device)
        try token.check()
        try await write { (connection) throws(StoreError) in
            let known = try connection.number(
                "SELECT count(*) FROM devices WHERE user = ? AND device = ?", .text(user), .text(device))
            guard known == 1 else { throw StoreError.missing(what: "device") }
            try connection.run(
                "DELETE FROM push_tokens WHERE provider = ? AND token = ?", .text(token.provider.rawValue),
                .text(token.token))
            let others = try connection.number(
                "SELECT count(*) FROM push_tokens WHERE user = ? AND device = ?", .text(user), .text(device))
            try Check.count(Int(others) + 1, "push tokens", StoreLimits.pushTokensPerDevice)
            try connection.run(
                """
                INSERT INTO push_tokens (provider, token, user, device, application, is_sandbox, registered_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, .text(token.provider.rawValue), .text(token.token), .text(user), .text(device),
                .text(token.application), .integer(token.isSandbox ? 1 : 0), .integer(token.registeredAt))
        }
    }

    /// Takes away a push token that its provider calls invalid.
    /// - Parameter instant: only when it was registered before this: the provider may speak of a registration that the
    ///   application has renewed since. Nil: in any case.
    /// - Returns: whether it was there.
    @discardableResult
    public func removePushToken(
        _ provider: StoredPushProvider, _ token: String, registeredBefore instant: Int64? = nil
    ) async throws(StoreError) -> Bool {
        try Check.text(token, "push token", StoreLimits.pushTokenBytes)
        return try await write { (connection) throws(StoreError) in
            try connection.run(
                "DELETE FROM push_tokens WHERE provider = ? AND token = ? AND registered_at < ?",
                .text(provider.rawValue), .text(token), .integer(instant ?? .max)) > 0
        }
    }

    /// Takes away a device with its push tokens. Returns whether it was there.
    @discardableResult
    public func removeDevice(_ device: String, of user: String) async throws(StoreError) -> Bool {
        try Check.user(user)
        try Check.device(device)
        return try await write { (connection) throws(StoreError) in
            try connection.run("DELETE FROM devices WHERE user = ? AND device = ?", .text(user), .text(device)) > 0
        }
    }

    /// The devices of a user with their push tokens, by name.
    public func devices(of user: String) async throws(StoreError) -> [StoredDevice] {
        try Check.user(user)
        return try await read { (connection) throws(StoreError) in
            var devices = try connection.rows(
                "SELECT device, label, registered_at, seen_at FROM devices WHERE user = ? ORDER BY device",
                .text(user)
            ) { (row) throws(StoreError) in
                StoredDevice(
                    device: row.text(0), label: row.optionalText(1), registeredAt: row.integer(2),
                    seenAt: row.integer(3))
            }
            for index in devices.indices {
                devices[index].pushTokens = try connection.rows(
                    """
                    SELECT provider, token, application, is_sandbox, registered_at FROM push_tokens
                    WHERE user = ? AND device = ? ORDER BY provider, token
                    """, .text(user), .text(devices[index].device)
                ) { (row) throws(StoreError) in
                    StoredPushToken(
                        provider: try row.word(0, StoredPushProvider.self), token: row.text(1),
                        application: row.text(2), isSandbox: row.integer(3) != 0, registeredAt: row.integer(4))
                }
            }
            return devices
        }
    }
}
