// When each thing that one peer needs by the clock is due, and the earliest of them, which is asked for whenever anything has
// happened in the room. Does nothing when it is due.

/// The moments of one peer.
struct PeerTimers: BitwiseCopyable {
    /// Of two that are due at once the first counts.
    private static let order: InlineArray<9, Deadline.Reason> = [
        .reports, .transportFeedback, .nack, .keyFrameRequest, .liveness, .freezes, .pacing, .estimate, .allocation,
    ]
    /// What stands for never.
    private static let never = Timestamp(nanoseconds: .max)

    /// By the number of the reason.
    private var moments = InlineArray<11, Timestamp>(repeating: never)
    /// The earliest; later than every moment where nothing is due.
    private(set) var due = never

    /// When something is due; nil for never.
    subscript(reason: Deadline.Reason) -> Timestamp? {
        @inline(__always) get {
            let moment = moments[Int(reason.rawValue)]
            return moment == Self.never ? nil : moment
        }
        @inline(__always) set { set(reason, newValue ?? Self.never) }
    }

    @inline(__always) private mutating func set(_ reason: Deadline.Reason, _ moment: Timestamp) {
        let before = moments[Int(reason.rawValue)]
        guard moment != before else { return }
        moments[Int(reason.rawValue)] = moment
        if moment <= due { due = moment } else if before == due { findDue() }
    }

    private mutating func findDue() {
        due = Self.never
        for i in moments.indices { due = min(due, moments[i]) }
    }

    /// The earliest moment and its reason, or nil.
    var deadline: Deadline? {
        guard due != Self.never else { return nil }
        for i in Self.order.indices where moments[Int(Self.order[i].rawValue)] == due {
            return Deadline(at: due, reason: Self.order[i])
        }
        return nil
    }
}
