// A timing wheel: what is due for a look at which tick. Constant cost however many connections; it knows no clock.

/// One thing to look at later.
struct WheelEntry {
    let id: ConnectionID
    /// The connection's schedule number when this was put in; another one since means that this one is void.
    let token: UInt32
}

/// Ticks in a circle. What lies further ahead than the circle is long comes up early, and whoever looks puts it back.
struct TimingWheel {
    static let slotCount = 256
    private var slots: [[WheelEntry]] = Array(repeating: [], count: slotCount)
    private var tick = 0

    /// Puts an entry `ticks` ahead, at least one.
    mutating func schedule(_ entry: WheelEntry, after ticks: Int) {
        let ahead = min(max(ticks, 1), Self.slotCount - 1)
        slots[(tick + ahead) % Self.slotCount].append(entry)
    }

    /// One tick on: what is due now.
    mutating func advance() -> [WheelEntry] {
        tick = (tick + 1) % Self.slotCount
        var due: [WheelEntry] = []
        swap(&due, &slots[tick])
        return due
    }
}
