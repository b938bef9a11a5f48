// The settings of calls, units in their names.

/// The settings of one-to-one calls.
public struct CallOptions: Hashable, Sendable {
    /// How long a call rings.
    public var ringMilliseconds: Int64 = 60_000
    /// How long the devices may take to find each other once the call was accepted, and after it moved into a room.
    public var connectMilliseconds: Int64 = 30_000
    /// How long a call waits for a device that was lost, counted from when its socket was.
    public var graceMilliseconds: Int64 = 30_000
    /// Whether a call that moved into a room for a third person goes from device to device again when its two are alone.
    public var returnsToDirect = true
    /// Connected devices of one user.
    public var devicesPerUser = 16
    /// Calls of one user at once, those that ring included.
    public var callsPerUser = 8
    /// After how long a user may place one more call, over a long time; 0: whenever it likes.
    public var inviteMilliseconds: Int64 = 5_000
    /// Calls that a user may place at once.
    public var inviteBurst = 12
    /// After how long a user may call the same person once more, over a long time; 0: whenever it likes.
    public var pairMilliseconds: Int64 = 20_000
    /// Calls that a user may place to the same person at once.
    public var pairBurst = 4
    /// Descriptions and candidates that one side of a call may send a second, over a long time.
    public var relayedPerSecond = 10
    /// The same at once.
    public var relayedBurst = 256
    /// Bytes of them a second, over a long time.
    public var relayedBytesPerSecond = 1_024
    /// Bytes of them at once. All of it lands in the other side's outbox, as JSON of up to twice the size, while that waits for its
    /// socket.
    public var relayedByteBurst = 65_536
    /// Descriptions and candidates kept for a device that is not there yet, or lost.
    public var queuedPerSide = 64
    /// Bytes of them.
    public var queuedBytesPerSide = 65_536
    /// Calls that are over and can still be asked about.
    public var rememberedCalls = 16_384

    /// The defaults.
    public init() {}
}
