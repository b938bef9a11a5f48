// What probing asks the pacer for, and what kinds of packet the estimator is told of.

/// What a packet was sent for.
enum SentKind: UInt8, BitwiseCopyable, Sendable {
    case audio
    case video
    case retransmission
    case padding
}

/// A run of packets to be sent at a rate, to see whether it arrives at that rate.
struct ProbeCluster: Hashable, BitwiseCopyable, Sendable {
    /// Names the cluster when its packets are told of; from 1.
    var id: Int32
    /// The rate at which it is sent.
    var rate: DataRate
    /// It has at least so many packets.
    var minimumPackets: Int
    /// It has at least so many bytes.
    var minimumBytes: Int
}
