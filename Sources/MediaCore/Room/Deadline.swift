// When the core wants to be told the time again, and why.

/// The next moment at which the core has something to do by itself.
public struct Deadline: Hashable, Sendable, BitwiseCopyable {
    /// What is due.
    public enum Reason: UInt8, Hashable, Sendable, BitwiseCopyable {
        /// Sender and receiver reports.
        case reports
        /// Transport-wide feedback to a publisher.
        case transportFeedback
        /// Missing packets to ask for.
        case nack
        /// A key-frame request to send or to repeat.
        case keyFrameRequest
        /// To see whether tracks and layers are alive.
        case liveness
        /// To choose the speakers anew.
        case speakers
        /// To see whether receivers are shown something.
        case freezes
        /// Packets that wait for a receiver's pace, or a probe.
        case pacing
        /// The estimate of a receiver's path has something to do.
        case estimate
        /// To divide what a receiver may be sent over its slots anew.
        case allocation
        /// To see which layers of publishers anybody needs.
        case layers
        /// To decide who has the floor.
        case floor
    }

    /// When `RoomCore.advance(to:into:)` should be called; calling it earlier or later does no harm.
    public var at: Timestamp
    /// What is due then.
    public var reason: Reason

    /// A deadline.
    public init(at: Timestamp, reason: Reason) {
        self.at = at
        self.reason = reason
    }

    /// The earlier of two, the first where they are equal.
    static func earliest(_ a: Deadline?, _ b: Deadline?) -> Deadline? {
        guard let a else { return b }
        guard let b else { return a }
        return b.at < a.at ? b : a
    }
}
