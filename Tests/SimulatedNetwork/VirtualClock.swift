// Virtual time: the present of a scenario and the ordered queue of what will happen. Never sleeps and reads no clock.

public import MediaCore

/// The present of a simulation and its future: events leave it in the order of their time, and those of one moment in
/// the order in which they were scheduled. An event is a number that its owner gives a meaning (no generic type: debug
/// builds do not specialise one across files).
public struct VirtualClock: Sendable {
    private struct Entry {
        var at: Int64
        var order: UInt64
        var event: Int

        func precedes(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    /// The present.
    public private(set) var now: Timestamp
    private var heap: [Entry] = []
    private var scheduled: UInt64 = 0

    /// A clock that starts at a moment, with nothing ahead of it.
    public init(startingAt now: Timestamp) { self.now = now }

    /// When the next event is due, or nil when nothing is ahead.
    public var nextEventAt: Timestamp? { heap.isEmpty ? nil : Timestamp(nanoseconds: heap[0].at) }

    /// The number of events ahead.
    public var count: Int { heap.count }

    /// Adds an event; one that is due in the past happens now.
    public mutating func schedule(_ event: Int, at moment: Timestamp) {
        scheduled += 1
        heap.append(Entry(at: max(moment, now).nanoseconds, order: scheduled, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the next event if it is due at `limit` or before, and moves the present to it.
    public mutating func take(notAfter limit: Timestamp) -> Int? {
        guard let first = heap.first, first.at <= limit.nanoseconds else { return nil }
        now = max(now, Timestamp(nanoseconds: first.at))
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.event }
        heap[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].precedes(heap[smallest]) { smallest = child }
            }
            guard smallest != parent else { break }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
        return first.event
    }

    /// Moves the present forward; what was due by then happens next, late. A moment in the past changes nothing.
    public mutating func move(to moment: Timestamp) { now = max(now, moment) }
}
