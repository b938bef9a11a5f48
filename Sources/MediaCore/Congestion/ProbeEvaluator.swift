// The rate at which the packets of a probe cluster arrived. Decides on no probe.

/// What a probe showed.
struct ProbeResult: BitwiseCopyable {
    /// The rate that is safe.
    var rate: DataRate
    /// The packets arrived further apart than they were sent: the path carries no more.
    var isSaturated: Bool
    /// So many packets came, and so few were lost, that the estimate may also go down to the rate.
    var isSure = false
}

/// Measures the cluster sent last: by the line that fits best through how many bytes had come when, for one packet's delay goes
/// to and fro by as much as half a cluster takes.
struct ProbeEvaluator: BitwiseCopyable {
    /// Of a cluster's packets and bytes at least so many have to have arrived, in percent: of half a cluster jitter makes
    /// almost any rate, and the highest would be believed.
    static let arrivedPercent: Int64 = 80
    /// Packets sent or arrived over a longer time than this were no run.
    static let longest = TimeDelta.seconds(1)
    /// Arrived no further apart than this much more than sent, in percent: the path carries the rate, of which so much is safe.
    static let carriedPercent = 8.0
    static let carriedSafePercent: Int64 = 97
    /// Where it does not, so much of what arrived is safe, in percent.
    static let safePercent: Int64 = 90
    /// A result that lowers the estimate needs so many packets, and so much of what was to be sent, in percent.
    static let surePackets: Int64 = 6
    static let surePercent: Int64 = 90
    /// Fewer packets make no line.
    static let leastPackets: Int64 = 4

    private var id: Int32 = 0
    private var wantedPackets: Int64 = 0
    private var wantedBytes: Int64 = 0
    private var packets: Int64 = 0
    private var bytes: Int64 = 0
    private var firstBytes: Int64 = 0
    private var firstSent = Timestamp(nanoseconds: 0)
    private var firstArrived = TimeDelta.zero
    /// Sums over the packets of: kilobytes that came before, their square, milliseconds sent and arrived since the first, and
    /// those times the kilobytes.
    private var sumBytes = 0.0
    private var sumSquares = 0.0
    private var sumSent = 0.0
    private var sumArrived = 0.0
    private var sumBytesSent = 0.0
    private var sumBytesArrived = 0.0

    init() {}

    /// A cluster is being sent.
    mutating func expect(_ cluster: ProbeCluster) {
        self = ProbeEvaluator()
        id = cluster.id
        wantedPackets = Int64(cluster.minimumPackets)
        wantedBytes = Int64(cluster.minimumBytes)
    }

    /// A packet arrived. Gives the rate when enough of its cluster have; later packets make it better.
    mutating func note(_ row: SentRow, arrived: TimeDelta) -> ProbeResult? {
        guard row.cluster == id, row.cluster != 0 else { return nil }
        if packets == 0 {
            firstSent = row.sentAt
            firstArrived = arrived
        }
        let sent = Double((row.sentAt - firstSent).nanoseconds) / 1e6
        let came = Double((arrived - firstArrived).nanoseconds) / 1e6
        let longest = Double(Self.longest.nanoseconds) / 1e6
        guard abs(sent) <= longest, abs(came) <= longest else { return nil }
        // The first packet's own bytes pass before it arrives, those of the others between it and them.
        if packets == 0 { firstBytes = Int64(row.bytes) }
        bytes &+= Int64(row.bytes)
        packets &+= 1
        let count = Double(bytes &- firstBytes) / 1_000
        sumBytes += count
        sumSquares += count * count
        sumSent += sent
        sumArrived += came
        sumBytesSent += count * sent
        sumBytesArrived += count * came
        guard packets * 100 >= wantedPackets * Self.arrivedPercent, packets >= Self.leastPackets,
            bytes * 100 >= wantedBytes * Self.arrivedPercent
        else { return nil }
        return measured()
    }

    private func measured() -> ProbeResult? {
        let n = Double(packets)
        let spread = n * sumSquares - sumBytes * sumBytes
        guard spread > 0 else { return nil }
        // Milliseconds for a kilobyte.
        let sent = (n * sumBytesSent - sumBytes * sumSent) / spread
        let came = (n * sumBytesArrived - sumBytes * sumArrived) / spread
        guard sent > 0.000_01, came > 0.000_01 else { return nil }
        let arriving = DataRate(bitsPerSecond: Int64(8e6 / came))
        // The first packets of a cluster may fit a bucket that the rest does not.
        if came <= sent * (1 + Self.carriedPercent / 100), bytes * 100 >= wantedBytes * Self.surePercent {
            let carried = min(arriving, DataRate(bitsPerSecond: Int64(8e6 / sent)))
            return ProbeResult(rate: carried.scaled(by: Self.carriedSafePercent, over: 100), isSaturated: false)
        }
        let isSure = packets >= Self.surePackets && bytes * 100 >= wantedBytes * Self.surePercent
        return ProbeResult(
            rate: arriving.scaled(by: Self.safePercent, over: 100), isSaturated: true, isSure: isSure)
    }
}

extension ProbeEvaluator: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&id, 0...Int64(Int32.max))
        try c.code(&wantedPackets, 0...(1 << 40))
        try c.code(&wantedBytes, 0...(1 << 40))
        try c.code(&packets, 0...(1 << 40))
        try c.code(&bytes, 0...(1 << 40))
        try c.code(&firstBytes, 0...Int64(SentPackets.maximumBytes))
        try c.code(&firstSent)
        try c.code(&firstArrived)
        let range = -1e15...1e15
        try c.real(&sumBytes, range)
        try c.real(&sumSquares, range)
        try c.real(&sumSent, range)
        try c.real(&sumArrived, range)
        try c.real(&sumBytesSent, range)
        try c.real(&sumBytesArrived, range)
    }
}
