// Whether the packets of an encoding still come. Looks at nothing but their times.

/// The liveness of one encoding.
struct EncodingMonitor: BitwiseCopyable {
    /// An encoding without a packet for this long is dead.
    static let silence = TimeDelta.seconds(1)

    private(set) var isAlive = false
    private(set) var lastPacket: Timestamp?

    /// A packet came; true when the encoding was dead until now.
    mutating func hear(at now: Timestamp) -> Bool {
        lastPacket = now
        guard !isAlive else { return false }
        isAlive = true
        return true
    }

    /// True when the encoding died by `now`.
    mutating func expire(at now: Timestamp) -> Bool {
        guard isAlive, let last = lastPacket, now - last >= Self.silence else { return false }
        isAlive = false
        return true
    }

    /// The connection is gone: the encoding is dead at once.
    mutating func reset() { isAlive = false }

    /// When `expire` should be called; nil for a dead one.
    var deadline: Timestamp? {
        guard isAlive, let last = lastPacket else { return nil }
        return last + Self.silence
    }
}

extension EncodingMonitor: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isAlive)
        try c.code(&lastPacket)
    }
}
