// What a peer's transport counts. It decides nothing.

/// Counts of one transport since it was made.
public struct TransportStatistics: Sendable, Equatable {
    /// RTP and RTCP packets received and authenticated.
    public var packetsReceived: UInt64 = 0
    /// Their bytes, as received.
    public var bytesReceived: UInt64 = 0
    /// RTP and RTCP packets read from the selected socket past libnice, authenticated or not.
    public var readDirectly: UInt64 = 0
    /// RTP and RTCP packets given to the kernel.
    public var packetsSent: UInt64 = 0
    /// Their bytes, as sent.
    public var bytesSent: UInt64 = 0
    /// Received packets with a wrong authentication tag.
    public var authenticationFailures: UInt64 = 0
    /// Received packets seen before, or too old to tell.
    public var replays: UInt64 = 0
    /// Received datagrams that are neither DTLS nor RTP nor RTCP, or end too early.
    public var malformed: UInt64 = 0
    /// Received packets from more sources than a peer may have.
    public var excessSources: UInt64 = 0
    /// Received RTP and RTCP packets before there were keys.
    public var beforeKeys: UInt64 = 0
    /// Calls of the kernel that took RTP packets: several packets leave in one where it cuts them apart.
    public var sendCalls: UInt64 = 0
    /// Calls with several packets that the kernel refused; they went one by one.
    public var segmentsRefused: UInt64 = 0
    /// Datagrams not sent because the socket's buffer was full (EAGAIN, ENOBUFS).
    public var sendBlocked: UInt64 = 0
    /// Datagrams not sent for another reason of the kernel's.
    public var sendErrors: UInt64 = 0
    /// Packets not sent because no pair is selected or there are no keys.
    public var sendNotConnected: UInt64 = 0
    /// Packets not sent because protection refused them.
    public var sendRefused: UInt64 = 0
    /// DTLS datagrams received.
    public var dtlsReceived: UInt64 = 0
}

/// What became of a burst of packets.
public struct BurstOutcome: Sendable, Equatable {
    /// Packets that the kernel has.
    public var sent = 0
    /// Their bytes before protection and padding.
    public var bytes = 0
    /// Packets that could not be protected or sent.
    public var dropped = 0
    /// The calls of the kernel that it took.
    public var calls = 0

    /// Nothing was sent.
    public init() {}

    /// Adds what became of others.
    public static func += (all: inout BurstOutcome, other: BurstOutcome) {
        all.sent += other.sent
        all.bytes += other.bytes
        all.dropped += other.dropped
        all.calls += other.calls
    }
}

/// What became of a packet to send.
public enum SendOutcome: Sendable, Equatable {
    /// The kernel has it.
    case sent
    /// No pair is selected, or there are no keys: nothing was sent.
    case notConnected
    /// The socket's buffer is full: dropped, as a network would.
    case blocked
    /// The kernel refused it with this errno.
    case failed(Int32)
    /// Protection refused it.
    case refused(SRTPFailure)
}
