// How often one receiver may cause key frames of a source that others see too. Asks nobody.

/// How often a receiver may have a key frame asked for on one slot.
struct KeyFrameBudget: BitwiseCopyable {
    /// The shortest time between two requests that a receiver causes for a source that others receive too: at most
    /// three in ten seconds, and never two within three.
    static let sharedInterval = TimeDelta.milliseconds(3_400)
    /// The same where nobody else receives the source.
    static let aloneInterval = TimeDelta.seconds(1)

    private var grantedAt: Timestamp?
    /// When a request that was put off is to be granted, unless a key frame comes before.
    private(set) var deferredTo: Timestamp?
    /// When a key frame was forwarded last.
    private(set) var keyFrameAt: Timestamp?

    /// The receiver asks. True when its request is granted; else it is put off.
    mutating func ask(at now: Timestamp, isAlone: Bool) -> Bool {
        let earliest = grantedAt.map { $0 + (isAlone ? Self.aloneInterval : Self.sharedInterval) } ?? now
        guard earliest <= now else {
            deferredTo = earliest
            return false
        }
        grantedAt = now
        deferredTo = nil
        return true
    }

    mutating func forgetDeferred() { deferredTo = nil }

    /// A key frame was forwarded on the slot.
    mutating func keyFrameForwarded(at now: Timestamp) {
        keyFrameAt = now
        deferredTo = nil
    }
}

extension KeyFrameBudget: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&grantedAt)
        try c.code(&deferredTo)
        try c.code(&keyFrameAt)
    }
}
