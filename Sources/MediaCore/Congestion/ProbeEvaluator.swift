// The rate at which the packets of a probe cluster arrived. Decides on no probe.

/// What a probe showed.
struct ProbeResult: BitwiseCopyable {
    /// The rate that is safe.
    var rate: DataRate
    /// The packets arrived further apart than they were sent: the path carries no more.
    var isSaturated: Bool
}

/// Measures the cluster sent last.
struct ProbeEvaluator: BitwiseCopyable {
    /// Of a cluster's packets and bytes at least so many have to have arrived, in percent.
    static let arrivedPercent: Int64 = 80
    /// Packets sent or arrived over a longer time than this were no run.
    static let longest = TimeDelta.seconds(1)
    /// Arrived no further apart than this much more than sent, in percent: the path carries the rate.
    static let carriedPercent: Int64 = 10
    /// Where it does not, so much of what arrived is safe, in percent.
    static let safePercent: Int64 = 95

    private var id: Int32 = 0
    private var wantedPackets: Int64 = 0
    private var wantedBytes: Int64 = 0
    private var packets: Int64 = 0
    private var bytes: Int64 = 0
    private var firstSent = Timestamp(nanoseconds: 0)
    private var lastSent = Timestamp(nanoseconds: 0)
    private var lastSentBytes: Int64 = 0
    private var firstArrived = TimeDelta.zero
    private var firstArrivedBytes: Int64 = 0
    private var lastArrived = TimeDelta.zero

    init() {}

    /// A cluster is being sent.
    mutating func expect(_ cluster: ProbeCluster) {
        self = ProbeEvaluator()
        id = cluster.id
        wantedPackets = Int64(cluster.minimumPackets)
        wantedBytes = Int64(cluster.minimumBytes)
    }

    /// A packet arrived. Gives the rate when enough of its cluster have; later packets make it better.
    mutating func note(_ row: SentRow, arrived: TimeDelta, noise: TimeDelta) -> ProbeResult? {
        guard row.cluster == id, row.cluster != 0 else { return nil }
        let size = Int64(row.bytes)
        if packets == 0 || row.sentAt < firstSent { firstSent = row.sentAt }
        if packets == 0 || row.sentAt >= lastSent {
            lastSent = row.sentAt
            lastSentBytes = size
        }
        if packets == 0 || arrived < firstArrived {
            firstArrived = arrived
            firstArrivedBytes = size
        }
        lastArrived = packets == 0 ? arrived : max(lastArrived, arrived)
        packets &+= 1
        bytes &+= size
        guard packets * 100 >= wantedPackets * Self.arrivedPercent,
            bytes * 100 >= wantedBytes * Self.arrivedPercent
        else { return nil }
        return measured(noise)
    }

    private func measured(_ noise: TimeDelta) -> ProbeResult? {
        let sendTime = lastSent - firstSent
        let arrivalTime = lastArrived - firstArrived
        guard sendTime > .zero, sendTime <= Self.longest, arrivalTime >= .zero, arrivalTime <= Self.longest else {
            return nil
        }
        let sent = DataSize(bytes: bytes &- lastSentBytes) / sendTime
        // The noise may have brought the first and the last packet closer together.
        if arrivalTime + noise <= sendTime + sendTime * Self.carriedPercent / 100 {
            return ProbeResult(rate: sent, isSaturated: false)
        }
        let came = DataSize(bytes: bytes &- firstArrivedBytes) / (arrivalTime + noise)
        return ProbeResult(rate: min(sent, came.scaled(by: Self.safePercent, over: 100)), isSaturated: true)
    }
}

extension ProbeEvaluator: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&id, 0...Int64(Int32.max))
        try c.code(&wantedPackets, 0...(1 << 40))
        try c.code(&wantedBytes, 0...(1 << 40))
        try c.code(&packets, 0...(1 << 40))
        try c.code(&bytes, 0...(1 << 40))
        try c.code(&firstSent)
        try c.code(&lastSent)
        try c.code(&lastSentBytes, 0...Int64(SentPackets.maximumBytes))
        try c.code(&firstArrived)
        try c.code(&firstArrivedBytes, 0...Int64(SentPackets.maximumBytes))
        try c.code(&lastArrived)
    }
}
