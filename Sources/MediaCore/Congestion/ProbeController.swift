// When to send a run of packets faster than the estimate, and how fast. Sends none and evaluates none.

/// Why a probe is sent.
enum ProbeReason: UInt8, BitwiseCopyable {
    case initial, followUp, demand, limited, recovery
}

/// Decides on probes.
struct ProbeController: BitwiseCopyable {
    /// A cluster takes so long and has so many packets at least.
    static let duration = TimeDelta.milliseconds(15)
    static let packets = 5
    /// A result is waited for this long.
    static let patience = TimeDelta.seconds(1)
    /// Between two probes while less is sent than may be.
    static let limitedInterval = TimeDelta.seconds(5)

    private var nextID: Int32 = 1
    private var pending: DataRate?
    private var pendingReason = ProbeReason.initial
    /// A result above this is followed by another probe.
    private var followAbove = DataRate.zero
    private var sentAt: Timestamp?
    private var lastProbeAt: Timestamp?
    private var isStarted = false
    /// The greatest rate worth knowing.
    private(set) var ceiling = DataRate.zero
    private var next = DataRate.zero

    init() {}

    /// When something may be due.
    var deadline: Timestamp? { sentAt.map { $0 + Self.patience } }

    mutating func setDemand(next: DataRate, ceiling: DataRate, estimate: DataRate, at now: Timestamp) {
        self.next = next
        self.ceiling = ceiling
        if !isStarted, ceiling > estimate {
            isStarted = true
            ask(for: estimate.scaled(by: 3, over: 1), .initial, at: now)
        }
    }

    private mutating func ask(for rate: DataRate, _ reason: ProbeReason, at now: Timestamp) {
        let capped = min(rate, ceiling)
        pending = capped
        pendingReason = reason
        followAbove = capped < ceiling ? capped.scaled(by: 7, over: 10) : DataRate(bitsPerSecond: .max)
        sentAt = nil
    }

    /// A probe measured this; the estimate is now that.
    mutating func take(result: DataRate, at now: Timestamp) {
        guard sentAt != nil, result > followAbove else { return }
        ask(for: result.scaled(by: 2, over: 1), .followUp, at: now)
    }

    mutating func advance(estimate: DataRate, isLimited: Bool, at now: Timestamp) {
        if let sentAt, now - sentAt >= Self.patience { self.sentAt = nil }
        guard pending == nil, sentAt == nil, isStarted else { return }
        guard isLimited || next > estimate, estimate < ceiling else { return }
        if let lastProbeAt, now - lastProbeAt < Self.limitedInterval { return }
        ask(for: estimate.scaled(by: 2, over: 1), .limited, at: now)
    }

    mutating func requestRecovery(to rate: DataRate, at now: Timestamp) {
        guard pending == nil, sentAt == nil else { return }
        ask(for: rate, .recovery, at: now)
    }

    mutating func cancel() {
        pending = nil
        sentAt = nil
    }

    mutating func takeProbe(noise: TimeDelta, at now: Timestamp) -> ProbeCluster? {
        guard let rate = pending else { return nil }
        pending = nil
        sentAt = now
        lastProbeAt = now
        defer { nextID = nextID == .max ? 1 : nextID + 1 }
        return ProbeCluster(
            id: nextID, rate: rate, minimumPackets: Self.packets,
            minimumBytes: Int((rate * min(max(Self.duration, noise * 6), .milliseconds(60))).bytes))
    }
}

/// Measures the rate at which a cluster was sent and arrived.
struct ProbeEvaluator: BitwiseCopyable {
    private struct Cluster: BitwiseCopyable {
        var id: Int32 = 0
        var packets = 0
        var bytes: Int64 = 0
        var firstSent = Int64.max
        var lastSent = Int64.min
        var lastSentBytes: Int64 = 0
        var firstArrived = Int64.max
        var firstArrivedBytes: Int64 = 0
        var lastArrived = Int64.min
    }
    /// Of a cluster's packets and bytes at least so many have to have arrived, in percent.
    static let arrivedPercent: Int64 = 80

    private var cluster = Cluster()
    private var wantedPackets = 0
    private var wantedBytes: Int64 = 0

    init() {}

    mutating func expect(_ probe: ProbeCluster) {
        cluster = Cluster(id: probe.id)
        wantedPackets = probe.minimumPackets
        wantedBytes = Int64(probe.minimumBytes)
    }

    /// A packet of a cluster arrived. Gives the rate when enough have.
    mutating func note(_ row: SentRow, arrived: TimeDelta, noise: TimeDelta) -> DataRate? {
        guard row.cluster == cluster.id else { return nil }
        let size = Int64(row.bytes)
        cluster.packets += 1
        cluster.bytes += size
        cluster.firstSent = min(cluster.firstSent, row.sentAt.nanoseconds)
        if row.sentAt.nanoseconds >= cluster.lastSent {
            cluster.lastSent = row.sentAt.nanoseconds
            cluster.lastSentBytes = size
        }
        if arrived.nanoseconds < cluster.firstArrived {
            cluster.firstArrived = arrived.nanoseconds
            cluster.firstArrivedBytes = size
        }
        cluster.lastArrived = max(cluster.lastArrived, arrived.nanoseconds)
        guard Int64(cluster.packets) * 100 >= Int64(wantedPackets) * Self.arrivedPercent,
            cluster.bytes * 100 >= wantedBytes * Self.arrivedPercent
        else { return nil }
        let second: Int64 = 1_000_000_000
        let sendTime = cluster.lastSent &- cluster.firstSent
        let arrivalTime = cluster.lastArrived &- cluster.firstArrived
        guard sendTime > 0, sendTime <= second, arrivalTime > 0, arrivalTime <= second else { return nil }
        let sent = DataSize(bytes: cluster.bytes - cluster.lastSentBytes) / TimeDelta(nanoseconds: sendTime)
        let came = DataSize(bytes: cluster.bytes - cluster.firstArrivedBytes) / TimeDelta(nanoseconds: arrivalTime + noise.nanoseconds)
        guard came.bitsPerSecond <= 2 * sent.bitsPerSecond else { return nil }
        // It did not arrive as fast as it was sent: what arrived is all there is, and a little less is safe.
        if came.bitsPerSecond * 10 < sent.bitsPerSecond * 9 { return came.scaled(by: 95, over: 100) }
        return min(sent, came)
    }
}
