// One direction of a network path: delay, jitter, loss (independent and in bursts), capacity with a drop-tail queue,
// reordering and duplication. Decides at the moment of sending when a packet arrives, if at all; holds no packet.

public import MediaCore

/// Loss in bursts: the model of Gilbert and Elliott, two states with a loss probability each.
public struct GilbertElliott: Sendable, Hashable {
    /// The probability, for each packet, of going from the good to the bad state.
    public var goodToBad: Double
    /// The probability, for each packet, of going from the bad to the good state.
    public var badToGood: Double
    /// The probability of loss in the good state.
    public var lossWhenGood: Double
    /// The probability of loss in the bad state.
    public var lossWhenBad: Double

    /// Bursts of this model.
    public init(goodToBad: Double, badToGood: Double, lossWhenGood: Double = 0, lossWhenBad: Double = 1) {
        self.goodToBad = goodToBad
        self.badToGood = badToGood
        self.lossWhenGood = lossWhenGood
        self.lossWhenBad = lossWhenBad
    }
}

/// How fast a link drains its queue.
public enum LinkCapacity: Sendable, Hashable {
    case unlimited
    /// A constant rate.
    case bitsPerSecond(Int64)
    /// Delivery opportunities of a recorded network.
    case trace(CapacityTrace)
}

/// What a link does to packets.
public struct LinkConditions: Sendable, Hashable {
    /// The one-way propagation delay.
    public var delay: TimeDelta
    /// The most that is added to the delay of each packet, evenly distributed; keeps the order of packets.
    public var jitter: TimeDelta
    /// The probability of losing each packet, 0 to 1.
    public var loss: Double
    /// Loss in bursts, on top of `loss`.
    public var bursts: GilbertElliott?
    /// The rate at which the queue drains.
    public var capacity: LinkCapacity
    /// The bytes that fit into the queue; what comes beyond is lost.
    public var queueBytes: Int
    /// The probability that a packet is held back, so that later ones overtake it.
    public var reordering: Double
    /// How long a packet that is overtaken is held back.
    public var reorderingDelay: TimeDelta
    /// The probability that a packet arrives twice.
    public var duplication: Double
    /// The bottleneck that packets pass before this link, by its number in the simulation; `capacity` and `queueBytes` are not
    /// looked at then.
    public var bottleneck: Int?

    /// A link with these conditions; nothing is lost unless asked for.
    public init(
        delay: TimeDelta = .milliseconds(20), jitter: TimeDelta = .zero, loss: Double = 0,
        bursts: GilbertElliott? = nil, capacity: LinkCapacity = .unlimited, queueBytes: Int = 150_000,
        reordering: Double = 0, reorderingDelay: TimeDelta = .milliseconds(5), duplication: Double = 0
    ) {
        self.delay = delay
        self.jitter = jitter
        self.loss = loss
        self.bursts = bursts
        self.capacity = capacity
        self.queueBytes = queueBytes
        self.reordering = reordering
        self.reorderingDelay = reorderingDelay
        self.duplication = duplication
    }
}

/// When one packet arrives: not at all, once, or twice.
public struct Arrivals: Sendable, Hashable {
    /// The arrival, or nil when the packet was lost.
    public var first: Timestamp?
    /// The arrival of the duplicate.
    public var second: Timestamp?
}

/// What a link did so far.
public struct LinkCounts: Sendable, Hashable {
    /// Packets given to the link.
    public var sent = 0
    /// Packets lost by chance.
    public var lostOnTheWay = 0
    /// Packets that the queue had no room for.
    public var droppedAtQueue = 0
    /// Packets held back.
    public var reordered = 0
    /// Packets that arrived twice.
    public var duplicated = 0
}

/// One direction of a path.
public struct Link: Sendable {
    private struct Queued {
        var leavesAt: Int64
        var bytes: Int
    }

    /// The present conditions; a change concerns packets sent from then on.
    public var conditions: LinkConditions {
        didSet { if conditions.capacity != oldValue.capacity { resetCapacity() } }
    }
    /// What happened so far.
    public private(set) var counts = LinkCounts()

    private var random: SeededRandom
    private var isBad = false
    private var lastArrival = Int64.min
    private var queue: [Queued] = []
    private var queueHead = 0
    private var queuedBytes = 0
    private var lastDeparture = Int64.min
    private var traceUse = TraceUse()
    private var traceOrigin: Int64?

    /// A link; equal seeds and equal packets give equal arrivals.
    public init(_ conditions: LinkConditions, seed: UInt64) {
        self.conditions = conditions
        random = SeededRandom(seed: seed)
    }

    private mutating func resetCapacity() {
        traceUse = TraceUse()
        traceOrigin = nil
    }

    /// Sends a packet of this many bytes and says when it arrives.
    public mutating func send(byteCount: Int, at now: Timestamp) -> Arrivals {
        counts.sent += 1
        guard let departure = depart(byteCount, at: now.nanoseconds) else {
            counts.droppedAtQueue += 1
            return Arrivals()
        }
        return carry(from: departure)
    }

    /// Sends a packet that left a bottleneck at this moment, nil when it was dropped there, and says when it arrives.
    public mutating func send(leaving departure: Timestamp?) -> Arrivals {
        counts.sent += 1
        guard let departure else {
            counts.droppedAtQueue += 1
            return Arrivals()
        }
        return carry(from: departure.nanoseconds)
    }

    private mutating func carry(from departure: Int64) -> Arrivals {
        if isLost() {
            counts.lostOnTheWay += 1
            return Arrivals()
        }
        var arrival = departure &+ conditions.delay.nanoseconds
        if conditions.jitter > .zero {
            arrival &+= Int64(random.unit() * Double(conditions.jitter.nanoseconds))
        }
        if random.chance(conditions.reordering) {
            counts.reordered += 1
            arrival = max(arrival, lastArrival) &+ conditions.reorderingDelay.nanoseconds
        } else {
            arrival = max(arrival, lastArrival)
            lastArrival = arrival
        }
        var result = Arrivals(first: Timestamp(nanoseconds: arrival))
        if random.chance(conditions.duplication) {
            counts.duplicated += 1
            result.second = Timestamp(nanoseconds: arrival &+ 1_000_000)
        }
        return result
    }

    private mutating func isLost() -> Bool {
        var lost = random.chance(conditions.loss)
        if let bursts = conditions.bursts {
            if random.chance(isBad ? bursts.badToGood : bursts.goodToBad) { isBad.toggle() }
            if random.chance(isBad ? bursts.lossWhenBad : bursts.lossWhenGood) { lost = true }
        }
        return lost
    }

    /// When the packet has left the queue, or nil when the queue is full.
    private mutating func depart(_ bytes: Int, at now: Int64) -> Int64? {
        if case .unlimited = conditions.capacity { return now }
        while queueHead < queue.count, queue[queueHead].leavesAt <= now {
            queuedBytes -= queue[queueHead].bytes
            queueHead += 1
        }
        if queueHead > 1_024, queueHead * 2 > queue.count {
            queue.removeFirst(queueHead)
            queueHead = 0
        }
        guard queuedBytes + bytes <= conditions.queueBytes else { return nil }
        let start = max(now, lastDeparture)
        let departure: Int64
        switch conditions.capacity {
        case .unlimited: departure = now
        case .bitsPerSecond(let rate):
            guard rate > 0 else { return nil }
            departure = start &+ Int64(Double(bytes) * 8e9 / Double(rate))
        case .trace(let trace): departure = depart(bytes, from: start, by: trace)
        }
        lastDeparture = departure
        queue.append(Queued(leavesAt: departure, bytes: bytes))
        queuedBytes += bytes
        return departure
    }

    private mutating func depart(_ bytes: Int, from start: Int64, by trace: CapacityTrace) -> Int64 {
        let origin = traceOrigin ?? start
        traceOrigin = origin
        return origin &+ traceUse.departure(of: bytes, from: start - origin, by: trace)
    }
}
