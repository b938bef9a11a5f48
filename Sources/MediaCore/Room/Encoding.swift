// One encoding of a published track: one RTP stream (and its retransmissions) as it is received, and the slots it goes
// to.

/// The row of one encoding.
struct Encoding: ~Copyable {
    let peer: Int32
    let track: Int32
    /// 0 is the lowest layer.
    let layer: Int
    let isVideo: Bool
    /// Never used twice in a room: tells an encoding from another that got its number later.
    private(set) var serial: UInt32
    let rid: Rid?
    var ssrc: SSRC?
    var rtxSSRC: SSRC?
    var window = SequenceWindow()
    var statistics = ReceptionStatistics()
    var nacks = NackTracker()
    var history: PacketHistory
    var monitor = EncodingMonitor()
    var requester = KeyFrameRequester()
    var wish = EncodingWish()
    var senderReport = SenderReportMapping()
    /// Its spatial and temporal layers: their rates, and which of them come.
    var rates = LayerRates()
    /// Its Dependency Descriptors.
    var dependencies = DependencyTracker()
    /// The last payload type that came, the position of its codec and its clock rate.
    var payloadType: UInt8 = 0xff
    var codec: UInt8 = 0
    var clockRate: UInt32
    /// The height of its picture in pixels, as the last key frame told; 0 where none did.
    var height: UInt16 = 0
    /// The room's numbers of the slots that forward it or wait for its key frame.
    var fanout: [Int32] = []

    init(
        peer: Int32, track: Int32, layer: Int, isVideo: Bool, serial: UInt32, rid: Rid?, clockRate: UInt32,
        historyPackets: Int
    ) {
        self.peer = peer
        self.track = track
        self.layer = layer
        self.isVideo = isVideo
        self.serial = serial
        self.rid = rid
        self.clockRate = clockRate
        history = PacketHistory(packets: historyPackets)
    }

    /// Another SSRC takes over, or the publisher's connection is new: nothing of what came before tells of what comes.
    mutating func restartReception() {
        window = SequenceWindow()
        statistics = ReceptionStatistics()
        nacks.reset()
        senderReport.forget()
        dependencies.reset()
        history.removeAll()
        requester.settle()
    }

    /// Reads a kept packet's Dependency Descriptor again, now that its structure is known.
    mutating func resolve(_ place: Int) { history.resolve(place, &dependencies) }

    /// What was sent of the encoding so far cannot be found in its history any more.
    mutating func serialRenewed(_ next: inout UInt32) {
        serial = next
        next &+= 1
    }
}

extension Encoding: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(row: peer)
        w.write(row: track)
        w.write(UInt64(layer))
        w.write(isVideo)
        w.write(UInt64(serial))
        w.write(rid)
        w.write(ssrc)
        w.write(rtxSSRC)
        w.write(window)
        w.write(statistics)
        nacks.save(into: &w)
        history.save(into: &w)
        w.write(monitor)
        w.write(requester)
        w.write(wish)
        w.write(senderReport)
        w.write(rates)
        dependencies.save(into: &w)
        w.byte(payloadType)
        w.byte(codec)
        w.write(UInt64(clockRate))
        w.write(UInt64(height))
        w.write(rows: fanout)
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        let (peer, track) = (try r.readRow(), try r.readRow())
        let layer = try r.readUnsigned(CheckpointLimit.listed)
        let isVideo = try r.readBool()
        let serial = try r.readUInt32()
        var rid: Rid?
        try r.code(&rid)
        var made = Self(
            peer: peer, track: track, layer: layer, isVideo: isVideo, serial: serial, rid: rid, clockRate: 0,
            historyPackets: 0)
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        try r.code(&ssrc)
        try r.code(&rtxSSRC)
        try r.code(&window)
        try r.code(&statistics)
        nacks = try NackTracker.restored(&r)
        history = try PacketHistory.restored(&r)
        try r.code(&monitor)
        try r.code(&requester)
        try r.code(&wish)
        try r.code(&senderReport)
        try r.code(&rates)
        dependencies = try DependencyTracker.restored(&r)
        payloadType = try r.byte()
        codec = try r.byte()
        try r.code(&clockRate)
        try r.code(&height)
        fanout = try r.readRows()
    }
}
