// Packets sent together, or arriving together, taken as one: between two such groups the change of delay means something.
// Judges no change.

/// How much further apart two groups arrived than they were sent.
struct GroupDelta: BitwiseCopyable {
    /// The time between the sending of their last packets.
    var sent: TimeDelta
    /// The time between the arrival of their last packets.
    var arrived: TimeDelta
    /// When the later group's last packet arrived, on the receiver's clock.
    var arrivedAt: TimeDelta
}

/// The group that grows and the one before it.
struct ArrivalGroups: BitwiseCopyable {
    /// Packets sent within this time of a group's first belong to it.
    static let burst = TimeDelta.milliseconds(5)
    /// Packets that arrive within `burst` of each other, faster than they were sent, belong together for this long.
    static let longestBurst = TimeDelta.milliseconds(100)
    /// Groups this much further apart than they were sent: the receiver's clock was set anew, or a pause went by.
    static let largestDelta = TimeDelta.seconds(3)
    /// So many groups in a row before the one that they follow: begin anew.
    static let mostReordered: UInt8 = 3

    fileprivate struct Group: BitwiseCopyable {
        var firstSent = Timestamp(nanoseconds: 0)
        var lastSent = Timestamp(nanoseconds: 0)
        var firstArrived = TimeDelta.zero
        var lastArrived = TimeDelta.zero
    }

    fileprivate var current: Group?
    fileprivate var previous: Group?
    fileprivate var reordered: UInt8 = 0

    init() {}

    /// A packet arrived, in the order of sending. Gives the change between the two last groups when it begins a new one.
    mutating func note(sent: Timestamp, arrived: TimeDelta) -> GroupDelta? {
        guard var group = current else {
            begin(sent, arrived)
            return nil
        }
        // One that was sent before the group says nothing of it.
        guard sent >= group.firstSent else { return nil }
        if belongs(sent, arrived, group) {
            group.lastSent = max(group.lastSent, sent)
            group.lastArrived = max(group.lastArrived, arrived)
            current = group
            return nil
        }
        defer {
            if current != nil {
                previous = current
                begin(sent, arrived)
            }
        }
        guard let before = previous else { return nil }
        let delta = GroupDelta(
            sent: group.lastSent - before.lastSent, arrived: group.lastArrived - before.lastArrived,
            arrivedAt: group.lastArrived)
        let difference = delta.arrived - delta.sent
        if difference > Self.largestDelta || difference < .zero - Self.largestDelta {
            self = ArrivalGroups()
            return nil
        }
        if delta.arrived < .zero {
            reordered &+= 1
            if reordered >= Self.mostReordered { self = ArrivalGroups() }
            return nil
        }
        reordered = 0
        return delta
    }

    private mutating func begin(_ sent: Timestamp, _ arrived: TimeDelta) {
        current = Group(firstSent: sent, lastSent: sent, firstArrived: arrived, lastArrived: arrived)
    }

    private func belongs(_ sent: Timestamp, _ arrived: TimeDelta, _ group: Group) -> Bool {
        let sentLater = sent - group.lastSent
        let arrivedLater = arrived - group.lastArrived
        if sentLater == .zero || sent - group.firstSent <= Self.burst { return true }
        return arrivedLater < sentLater && arrivedLater <= Self.burst
            && arrived - group.firstArrived < Self.longestBurst
    }
}

extension ArrivalGroups: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.optional(&current, Group()) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.optional(&previous, Group()) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&reordered)
    }
}

extension ArrivalGroups.Group: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&firstSent)
        try c.code(&lastSent)
        try c.code(&firstArrived)
        try c.code(&lastArrived)
    }
}
