// What a Majlis token says (RFC 7519, and this server's own grants), and its JSON. Signs and verifies nothing.

/// The claims of a token.
public struct TokenClaims: Hashable, Sendable {
    /// What a user may publish.
    public enum Publishing: Hashable, Sendable {
        /// Everything, or nothing.
        case all(Bool)
        /// These sources, as the protocol names them.
        case sources([String])
    }

    /// Who the user is (`sub`).
    public var subject: String
    /// The name to show.
    public var name: String?
    /// When the token ends, in Unix seconds (`exp`).
    public var expires: Int64
    /// When the token begins, in Unix seconds (`nbf`).
    public var notBefore: Int64?
    /// When the token was made, in Unix seconds (`iat`).
    public var issuedAt: Int64?
    /// Whom the token is for (`aud`); one or several.
    public var audience: [String]
    /// The one room it is for; nil or `*`: any.
    public var room: String?
    /// What the user may publish.
    public var canPublish: Publishing
    /// Whether the user may receive.
    public var canSubscribe: Bool
    /// Whether the user may act on other participants.
    public var canModerate: Bool
    /// The role that the user has in rooms: `host`, `speaker` or `listener`; nil for the room's default.
    public var role: String?
    /// Whether the others are not told that the user is there.
    public var hidden: Bool
    /// Whether the user may place and receive calls.
    public var calls: Bool
    /// Whether the bearer may use the operators' HTTP interface, for the room that the token is for.
    public var admin: Bool
    /// Whether an operator may record whole payloads: what people say and show.
    public var canRecord: Bool

    /// Claims; all that is not named is what a token without that claim means.
    public init(
        subject: String, name: String? = nil, expires: Int64, notBefore: Int64? = nil, issuedAt: Int64? = nil,
        audience: [String] = [], room: String? = nil, canPublish: Publishing = .all(true), canSubscribe: Bool = true,
        canModerate: Bool = false, role: String? = nil, hidden: Bool = false, calls: Bool = false, admin: Bool = false,
        canRecord: Bool = false
    ) {
        self.subject = subject
        self.name = name
        self.expires = expires
        self.notBefore = notBefore
        self.issuedAt = issuedAt
        self.audience = audience
        self.room = room
        self.canPublish = canPublish
        self.canSubscribe = canSubscribe
        self.canModerate = canModerate
        self.role = role
        self.hidden = hidden
        self.calls = calls
        self.admin = admin
        self.canRecord = canRecord
    }
}

extension TokenClaims: Codable {
    private enum Key: String, CodingKey {
        case sub, name, exp, nbf, iat, aud, room, canPublish, canSubscribe, canModerate, hidden, calls, admin
        case canRecord, role
    }

    /// Reads claims; those that are not known are ignored.
    public init(from decoder: any Decoder) throws {
        let claims = try decoder.container(keyedBy: Key.self)
        subject = try claims.decode(String.self, forKey: .sub)
        name = try claims.decodeIfPresent(String.self, forKey: .name)
        expires = try Self.date(.exp, claims) ?? claims.decode(Int64.self, forKey: .exp)
        notBefore = try Self.date(.nbf, claims)
        issuedAt = try Self.date(.iat, claims)
        // RFC 7519 §4.1.3: one string, or an array of them.
        if let one = try? claims.decodeIfPresent(String.self, forKey: .aud) {
            audience = [one]
        } else {
            audience = try claims.decodeIfPresent([String].self, forKey: .aud) ?? []
        }
        room = try claims.decodeIfPresent(String.self, forKey: .room)
        if let all = try? claims.decodeIfPresent(Bool.self, forKey: .canPublish) {
            canPublish = .all(all)
        } else {
            canPublish =
                try claims.decodeIfPresent([String].self, forKey: .canPublish).map { .sources($0) } ?? .all(true)
        }
        canSubscribe = try claims.decodeIfPresent(Bool.self, forKey: .canSubscribe) ?? true
        canModerate = try claims.decodeIfPresent(Bool.self, forKey: .canModerate) ?? false
        role = try claims.decodeIfPresent(String.self, forKey: .role)
        hidden = try claims.decodeIfPresent(Bool.self, forKey: .hidden) ?? false
        calls = try claims.decodeIfPresent(Bool.self, forKey: .calls) ?? false
        admin = try claims.decodeIfPresent(Bool.self, forKey: .admin) ?? false
        canRecord = try claims.decodeIfPresent(Bool.self, forKey: .canRecord) ?? false
        // A role that is not known could only be taken for one that it is not.
        guard role.map({ Self.roles.contains($0) }) ?? true else {
            throw DecodingError.dataCorruptedError(forKey: .role, in: claims, debugDescription: "no role")
        }
        guard !subject.isEmpty, subject.utf8.count <= Self.subjectBytes else {
            throw DecodingError.dataCorruptedError(forKey: .sub, in: claims, debugDescription: "empty or too long")
        }
        // Everybody in the room is told the name: it may not be as long as a token.
        guard (name?.utf8.count ?? 0) <= Self.nameBytes else {
            throw DecodingError.dataCorruptedError(forKey: .name, in: claims, debugDescription: "too long")
        }
    }

    /// The roles of rooms.
    public static let roles: Set<String> = ["host", "speaker", "listener"]
    /// UTF-8 bytes of a `sub`; it may not be empty.
    public static let subjectBytes = 256
    /// UTF-8 bytes of a `name`.
    public static let nameBytes = 256

    /// A NumericDate (RFC 7519 §2): seconds, perhaps with a fraction, which is dropped.
    private static func date(_ key: Key, _ claims: KeyedDecodingContainer<Key>) throws -> Int64? {
        if let whole = try? claims.decodeIfPresent(Int64.self, forKey: key) { return whole }
        guard let seconds = try claims.decodeIfPresent(Double.self, forKey: key) else { return nil }
        guard let whole = Int64(exactly: seconds.rounded(.down)) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: claims, debugDescription: "no date")
        }
        return whole
    }

    /// Writes claims; those that are the default are left out.
    public func encode(to encoder: any Encoder) throws {
        var claims = encoder.container(keyedBy: Key.self)
        try claims.encode(subject, forKey: .sub)
        try claims.encodeIfPresent(name, forKey: .name)
        try claims.encode(expires, forKey: .exp)
        try claims.encodeIfPresent(notBefore, forKey: .nbf)
        try claims.encodeIfPresent(issuedAt, forKey: .iat)
        if audience.count == 1 {
            try claims.encode(audience[0], forKey: .aud)
        } else if !audience.isEmpty {
            try claims.encode(audience, forKey: .aud)
        }
        try claims.encodeIfPresent(room, forKey: .room)
        switch canPublish {
        case .all(true): break
        case .all(false): try claims.encode(false, forKey: .canPublish)
        case .sources(let sources): try claims.encode(sources, forKey: .canPublish)
        }
        if !canSubscribe { try claims.encode(false, forKey: .canSubscribe) }
        if canModerate { try claims.encode(true, forKey: .canModerate) }
        try claims.encodeIfPresent(role, forKey: .role)
        if hidden { try claims.encode(true, forKey: .hidden) }
        if calls { try claims.encode(true, forKey: .calls) }
        if admin { try claims.encode(true, forKey: .admin) }
        if canRecord { try claims.encode(true, forKey: .canRecord) }
    }
}
