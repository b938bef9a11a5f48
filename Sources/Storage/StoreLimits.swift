// How long fields may be and how many there may be of a thing, and the checks. Knows no SQL.

/// The limits of what is stored. Lengths are bytes of UTF-8.
public enum StoreLimits {
    /// A user, as the token's `sub` names them.
    public static let userBytes = 256
    /// A device.
    public static let deviceBytes = 128
    /// A device's name for people.
    public static let labelBytes = 256
    /// A push token of either provider.
    public static let pushTokenBytes = 4_096
    /// The application that a push token belongs to.
    public static let applicationBytes = 256
    /// A call.
    public static let callBytes = 128
    /// A room.
    public static let roomBytes = 256
    /// A word of the protocol: an end reason, a kind of media.
    public static let wordBytes = 64
    /// A re-attach token.
    public static let reattachTokenBytes = 512
    /// The state of an active call, which this module does not look into.
    public static let callStateBytes = 65_536
    /// The devices of one user.
    public static let devicesPerUser = 32
    /// The push tokens of one device.
    public static let pushTokensPerDevice = 4
    /// The users that one user blocks.
    public static let blockedPerUser = 10_000
    /// The missed calls of one user that are not acknowledged; beyond it the oldest goes.
    public static let missedCallsPerUser = 1_000
    /// The devices in one active call.
    public static let devicesPerCall = 64
    /// The legs of one call record.
    public static let legsPerRecord = 256
    /// The rows that one question answers at most.
    public static let rowsPerAnswer = 1_000
}

/// The checks of fields, made before an operation is queued.
enum Check {
    static func text(_ text: String, _ field: String, _ limit: Int) throws(StoreError) {
        guard text.utf8.count <= limit else { throw .tooLong(field: field, bytes: text.utf8.count, limit: limit) }
        guard !text.isEmpty, !text.utf8.contains(0) else { throw .malformed(field: field) }
    }

    static func text(_ text: String?, _ field: String, _ limit: Int) throws(StoreError) {
        if let text { try Self.text(text, field, limit) }
    }

    static func user(_ user: String, _ field: String = "user") throws(StoreError) {
        try text(user, field, StoreLimits.userBytes)
    }

    static func device(_ device: String) throws(StoreError) { try text(device, "device", StoreLimits.deviceBytes) }

    static func call(_ call: String) throws(StoreError) { try text(call, "call", StoreLimits.callBytes) }

    static func bytes(_ bytes: [UInt8], _ field: String, _ limit: Int) throws(StoreError) {
        guard bytes.count <= limit else { throw .tooLong(field: field, bytes: bytes.count, limit: limit) }
    }

    static func number(_ number: Double?, _ field: String, _ range: ClosedRange<Double>) throws(StoreError) {
        // A number that is none compares false.
        if let number, !range.contains(number) { throw .malformed(field: field) }
    }

    static func count(_ count: Int, _ what: String, _ limit: Int) throws(StoreError) {
        guard count <= limit else { throw .tooMany(what: what, limit: limit) }
    }
}
