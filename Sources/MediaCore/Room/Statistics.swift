// The core's counters. Plain numbers: rates, logging and metrics are made from them elsewhere.

/// The counters of a room since it was made.
public struct Statistics: Hashable, Sendable {
    /// RTP packets given to the core.
    public internal(set) var rtpPacketsReceived: UInt64 = 0
    /// Their bytes, header included.
    public internal(set) var rtpBytesReceived: UInt64 = 0
    /// RTP packets written to the egress, retransmissions included.
    public internal(set) var rtpPacketsSent: UInt64 = 0
    /// Their bytes, header included.
    public internal(set) var rtpBytesSent: UInt64 = 0
    /// RTCP datagrams given to the core.
    public internal(set) var rtcpReceived: UInt64 = 0
    /// RTCP datagrams written to the egress.
    public internal(set) var rtcpSent: UInt64 = 0
    /// Retransmissions received from publishers (RFC 4588) and taken in.
    public internal(set) var retransmissionsReceived: UInt64 = 0
    /// Retransmissions sent to receivers.
    public internal(set) var retransmissionsSent: UInt64 = 0
    /// Sequence numbers asked for again from publishers, each time counted.
    public internal(set) var nacksSent: UInt64 = 0
    /// Sequence numbers that receivers asked for again.
    public internal(set) var nacksReceived: UInt64 = 0
    /// Key-frame requests sent to publishers.
    public internal(set) var keyFrameRequestsSent: UInt64 = 0
    /// Picture loss indications and full intra requests from receivers.
    public internal(set) var keyFrameRequestsReceived: UInt64 = 0
    /// Key frames that publishers sent, each layer counted.
    public internal(set) var keyFramesReceived: UInt64 = 0
    /// Transport-wide feedback packets sent to publishers.
    public internal(set) var transportFeedbackSent: UInt64 = 0
    /// Transport-wide feedback messages received from receivers.
    public internal(set) var transportFeedbackReceived: UInt64 = 0
    /// Packets sent once more only for their bytes: padding of probes.
    public internal(set) var paddingSent: UInt64 = 0
    /// Of the retransmissions those that followed another one of the same packet at once, where much is lost.
    public internal(set) var retransmissionCopies: UInt64 = 0

    var drops = [UInt64](repeating: 0, count: DropReason.allCases.count)

    /// All zero.
    public init() {}

    /// How many packets were dropped for a reason.
    public subscript(reason: DropReason) -> UInt64 { drops[Int(reason.rawValue)] }

    /// How many packets were dropped, all reasons together.
    public var dropped: UInt64 { drops.reduce(0, &+) }

    mutating func drop(_ reason: DropReason, count: Int = 1) {
        drops[Int(reason.rawValue)] &+= UInt64(truncatingIfNeeded: count)
    }
}

/// The counters of one peer since it was admitted.
public struct PeerStatistics: Hashable, Sendable {
    /// RTP packets from the peer.
    public internal(set) var packetsReceived: UInt64 = 0
    /// Their bytes, header included.
    public internal(set) var bytesReceived: UInt64 = 0
    /// RTP packets to the peer, retransmissions included.
    public internal(set) var packetsSent: UInt64 = 0
    /// Their bytes, header included.
    public internal(set) var bytesSent: UInt64 = 0
    /// Packets lost on the way from the peer, by its sequence numbers (RFC 3550 §A.3); may be negative by duplicates.
    public internal(set) var packetsLost: Int64 = 0
    /// The interarrival jitter of its streams' worst, in seconds (RFC 3550 §A.8).
    public internal(set) var jitterSeconds: Double = 0
    /// Packets lost on the way to the peer, by its last receiver reports.
    public internal(set) var reportedLost: Int64 = 0
    /// The share lost on the way to the peer in its last receiver report, the worst of its slots, 0 to 1.
    public internal(set) var reportedFractionLost: Double = 0
    /// The last measured round trip, or nil before the first receiver report that allows to measure.
    public internal(set) var roundTrip: TimeDelta?
    /// Retransmissions sent to the peer.
    public internal(set) var retransmissionsSent: UInt64 = 0
    /// Key-frame requests sent to the peer.
    public internal(set) var keyFrameRequestsSent: UInt64 = 0
    /// Key-frame requests from the peer.
    public internal(set) var keyFrameRequestsReceived: UInt64 = 0

    /// All zero.
    public init() {}
}
