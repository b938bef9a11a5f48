// What happened in rooms, for programs that follow it: numbered without gaps, so many kept. Knows no clock and no HTTP.

/// Something that happened in a room.
public struct FeedEvent: Hashable, Sendable {
    /// What happened.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case roomOpened, roomUpdated, roomEnded, roomClosed
        case participantJoined, participantLeft, roleChanged, handRaised, handLowered, invited, metadataChanged
        case trackPublished, trackUnpublished, trackMuted, trackUnmuted, unmuteRequested
        case waiting, waitingEnded, banned, unbanned
        case reaction, message, recordingStarted, recordingEnded
        case callPlaced, callAccepted, callConnected, callUpgraded, callReturned, callEnded
    }
    /// What happened.
    public var kind: Kind
    /// The room's version from then on.
    public var version: UInt64
    /// Whom it concerns: `p7`, or `w2` for somebody who waits.
    public var subject: String?
    /// That person's user.
    public var user: String?
    /// Who did it, where it was somebody else: a participant, or `operator`.
    public var by: String?
    /// What the kind leaves open: a reason, a role, a track, a decision.
    public var detail: String?

    /// An event.
    public init(
        _ kind: Kind, version: UInt64, subject: String? = nil, user: String? = nil, by: String? = nil,
        detail: String? = nil
    ) {
        self.kind = kind
        self.version = version
        self.subject = subject
        self.user = user
        self.by = by
        self.detail = detail
    }
}

/// The newest events of all rooms, in their order.
public struct EventFeed: Sendable {
    /// One event with its number.
    public struct Entry: Hashable, Sendable {
        /// Rises by one; the first is 1.
        public var number: UInt64
        /// When it happened, in Unix milliseconds.
        public var milliseconds: Int64
        /// The room's name.
        public var room: String
        /// What happened.
        public var event: FeedEvent
    }

    /// A stretch of the feed.
    public struct Page: Hashable, Sendable {
        /// In order, each number one above the one before.
        public var entries: [Entry]
        /// Ask for what is after this number next.
        public var last: UInt64
        /// How many events after the number asked for are no longer there.
        public var forgotten: UInt64
    }

    /// Events kept.
    public let capacity: Int
    /// The number of the newest event; 0 before the first.
    public private(set) var last: UInt64 = 0
    /// A ring, once it is full; event `n` is at `(n - 1) % capacity`.
    private var ring: [Entry] = []

    /// An empty feed that keeps so many events, at least one.
    public init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Adds an event.
    public mutating func append(_ event: FeedEvent, room: String, milliseconds: Int64) {
        last += 1
        let entry = Entry(number: last, milliseconds: milliseconds, room: room, event: event)
        if ring.count < capacity {
            ring.append(entry)
        } else {
            ring[Int((last - 1) % UInt64(capacity))] = entry
        }
    }

    /// Takes a user's name out of every event that is kept.
    public mutating func forget(_ user: String) {
        for index in ring.indices {
            if ring[index].event.user == user { ring[index].event.user = nil }
            if ring[index].event.by == user { ring[index].event.by = nil }
        }
    }

    /// At most `limit` events after `number`, of one room where it is named. A number beyond the newest gives none, and
    /// the newest as `last`.
    public func page(after number: UInt64, limit: Int, room: String? = nil) -> Page {
        let number = min(number, last)
        let forgotten = max(number, last - UInt64(ring.count)) - number
        var page = Page(entries: [], last: number + forgotten, forgotten: forgotten)
        while page.last < last, page.entries.count < limit {
            page.last += 1
            let entry = ring[Int((page.last - 1) % UInt64(capacity))]
            if room == nil || entry.room == room { page.entries.append(entry) }
        }
        return page
    }
}
