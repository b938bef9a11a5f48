// Whether a worker's turns rest: whether a few milliseconds go by before its sockets are looked at again, so that one turn finds
// several packets and what each participant is sent leaves together. Network cards do the same with their interrupts. It reads
// no clock and rests nothing itself.

/// Decides from what came in. Only a worker that carries much, and no picture, rests: a call of two waits for nothing, and when a
/// picture's packets came is what its sender's bandwidth is estimated from (RFC 8888, transport-wide feedback).
struct TurnModeration {
    /// How long is counted before anything is decided, in nanoseconds.
    static let window: Int64 = 100_000_000
    /// Resting begins where so many packets came in a window, and ends where fewer than the second number came.
    static let beginsAt = 40
    static let endsBelow = 20
    /// How long no picture must have come before resting begins, in nanoseconds.
    static let pictureMemory: Int64 = 1_000_000_000

    /// Whether turns rest now.
    private(set) var isResting = false
    private var windowStart: Int64 = 0
    private var receivedBefore: UInt64 = 0
    private var pictures: UInt64 = 0
    private var pictureAt: Int64?

    /// Looks at what came in until now.
    ///
    /// - Parameters:
    ///   - received: packets that came in, ever.
    ///   - video: those of them that were a picture's.
    ///   - now: nanoseconds of a monotonic clock.
    /// - Returns: whether the answer is another one than before.
    mutating func note(received: UInt64, video: UInt64, at now: Int64) -> Bool {
        let wasResting = isResting
        if video != pictures {
            pictures = video
            pictureAt = now
            isResting = false
        }
        guard now - windowStart >= Self.window else { return isResting != wasResting }
        // A turn that came late counts no more than one window's worth.
        let windows = UInt64(max(1, (now - windowStart) / Self.window))
        let rate = Int(clamping: (received &- receivedBefore) / windows)
        windowStart = now
        receivedBefore = received
        let hadPicture = pictureAt.map { now - $0 < Self.pictureMemory } ?? false
        isResting = !hadPicture && rate >= (isResting ? Self.endsBelow : Self.beginsAt)
        return isResting != wasResting
    }
}
