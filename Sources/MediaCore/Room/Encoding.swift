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
    var senderReport = SenderReportMapping()
    /// The last payload type that came, the position of its codec and its clock rate.
    var payloadType: UInt8 = 0xff
    var codec: UInt8 = 0
    var clockRate: UInt32
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
        history.removeAll()
        requester.settle()
    }

    /// What was sent of the encoding so far cannot be found in its history any more.
    mutating func serialRenewed(_ next: inout UInt32) {
        serial = next
        next &+= 1
    }
}
