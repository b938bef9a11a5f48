// When to ask a publisher for a key frame of an encoding (RFC 4585 §6.3.1): requests coalesced, throttled, and repeated
// until one arrives. Writes no packet and knows no receiver.

/// The key-frame requests of one encoding.
struct KeyFrameRequester: BitwiseCopyable {
    /// After so many requests in vain the interval doubles with each.
    static let quickAttempts = 4
    /// The longest interval between two requests.
    static let longestInterval = TimeDelta.seconds(4)

    private(set) var isPending = false
    private(set) var cause = KeyFrameCause.sourceSwitch
    private(set) var attempts = 0
    private var lastSent: Timestamp?
    /// When the pending request is to be sent, or sent again.
    private(set) var next: Timestamp?

    /// Somebody needs a key frame. True when the request is to be sent now; else it is sent when `next` has come.
    mutating func request(_ cause: KeyFrameCause, at now: Timestamp, interval: TimeDelta) -> Bool {
        if !isPending {
            isPending = true
            self.cause = cause
            attempts = 0
            next = max(now, lastSent.map { $0 + interval } ?? now)
        }
        return isDue(at: now)
    }

    func isDue(at now: Timestamp) -> Bool {
        guard isPending, let next else { return false }
        return next <= now
    }

    /// The request was sent.
    mutating func sent(at now: Timestamp, interval: TimeDelta) {
        attempts += 1
        lastSent = now
        let doublings = min(max(0, attempts - Self.quickAttempts), 4)
        next = now + min(interval * Int64(1 << doublings), max(interval, Self.longestInterval))
    }

    /// A key frame began to arrive, or nobody needs one any more.
    mutating func settle() {
        isPending = false
        attempts = 0
        next = nil
    }
}

extension KeyFrameRequester: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isPending)
        try c.code(&cause)
        try c.count(&attempts, Int(CheckpointLimit.setting))
        try c.code(&lastSent)
        try c.code(&next)
    }
}
