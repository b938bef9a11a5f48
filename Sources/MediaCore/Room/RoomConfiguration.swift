// The core's settings, units in their names. Given when a room is made; `RoomCore.reconfigure` says what may change later.

/// The settings of one room's core.
public struct RoomConfiguration: Hashable, Sendable {
    /// The moment of NTP time (RFC 3550 §4: 32.32 fixed point seconds since 1900) that `Timestamp(nanoseconds: 0)` is.
    public var ntpAtOrigin: UInt64 = 0
    /// At most one key-frame request for one encoding of a publisher in this time.
    public var keyFrameRequestIntervalMilliseconds: Int64 = 500
    /// Packets of payload kept per published video track for retransmission (a power of two; 1,500 bytes each); a lower
    /// simulcast layer keeps half as many as the one above it. What a slot sent longer ago than 512 packets is not sent
    /// again, whatever is kept here.
    public var videoHistoryPackets: Int = 512
    /// Packets of payload kept per published audio track for retransmission (a power of two).
    public var audioHistoryPackets: Int = 128
    /// The interval of transport-wide feedback to publishers.
    public var transportFeedbackIntervalMilliseconds: Int64 = 50
    /// The interval of sender and receiver reports.
    public var reportIntervalMilliseconds: Int64 = 1_000
    /// How much each receiver may be sent: without a limit unless the room is told otherwise, as captures of earlier versions
    /// and of other programs are not.
    public var bitrate = BitrateConfiguration.unlimited

    /// The defaults.
    public init() {}
}
