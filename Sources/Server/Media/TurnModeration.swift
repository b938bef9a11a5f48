// Whether a worker's turns rest: whether a few milliseconds go by before its sockets are looked at again, so that one turn finds
// several packets and what each participant is sent leaves together. Network cards do the same with their interrupts. And how late
// it may wake for what nobody waits for. It reads no clock and rests nothing itself.
import MediaCore

/// Decides from what came in. Only a worker that carries much sound, and no picture, rests: a call of two, or a room where one
/// speaks, waits for nothing, and when a picture's packets came is what its sender's bandwidth is estimated from
/// (transport-wide feedback).
struct TurnModeration {
    /// How long is counted before anything is decided, in nanoseconds.
    static let window: Int64 = 100_000_000
    /// Resting begins where so many packets of media came in a window, ten people's, and ends where fewer than the second number
    /// came: with fewer a rest finds no second packet.
    static let beginsAt = 50
    static let endsBelow = 35
    /// A rest is as long as so many packets take to come: they leave in one call, and more of them save little more.
    static let packetsPerRest = 4
    /// How long no picture must have come before resting begins, in nanoseconds.
    static let pictureMemory: Int64 = 1_000_000_000

    /// The longest rest, in milliseconds; 0: turns never rest.
    let longest: Int64
    /// How long turns rest now, in milliseconds; 0: not at all.
    private(set) var rest: Int64 = 0
    private var windowStart: Int64 = 0
    private var receivedBefore: UInt64 = 0
    private var pictures: UInt64 = 0
    private var pictureAt: Int64?

    init(longest: Int64) { self.longest = longest }

    /// How much later than it is due what nobody waits for is done, in nanoseconds, unless a turn comes by before.
    static let patience: Int64 = 10_000_000

    /// When the loop is to wake for what a room's core has due: where no picture is forwarded, reports, looks for who is alive and who
    /// has the floor wait for a packet that comes anyway. What that may hide is a few milliseconds late too: a lost packet's request.
    func wake(for deadline: Deadline, at now: Int64) -> Timestamp {
        switch deadline.reason {
        case .reports, .liveness, .freezes, .layers, .floor:
            let hasPicture = pictureAt.map { now - $0 < Self.pictureMemory } ?? false
            return hasPicture ? deadline.at : Timestamp(nanoseconds: deadline.at.nanoseconds &+ Self.patience)
        case .transportFeedback, .nack, .keyFrameRequest, .speakers, .pacing, .estimate, .allocation: return deadline.at
        }
    }

    /// Looks at what came in until now.
    ///
    /// - Parameters:
    ///   - received: packets of media (RTP) that came in, ever.
    ///   - video: those of them that were a picture's.
    ///   - now: nanoseconds of a monotonic clock.
    /// - Returns: whether the answer is another one than before.
    mutating func note(received: UInt64, video: UInt64, at now: Int64) -> Bool {
        let before = rest
        if video != pictures {
            pictures = video
            pictureAt = now
            rest = 0
        }
        guard now - windowStart >= Self.window else { return rest != before }
        // A turn that came late counts no more than one window's worth.
        let windows = UInt64(max(1, (now - windowStart) / Self.window))
        let count = Int(clamping: (received &- receivedBefore) / windows)
        windowStart = now
        receivedBefore = received
        let hadPicture = pictureAt.map { now - $0 < Self.pictureMemory } ?? false
        if hadPicture || count < (rest > 0 ? Self.endsBelow : Self.beginsAt) {
            rest = 0
        } else {
            let untilThere = Int64(Self.packetsPerRest) * (Self.window / 1_000_000) / Int64(count)
            rest = min(max(untilThere, 1), longest)
        }
        return rest != before
    }
}
