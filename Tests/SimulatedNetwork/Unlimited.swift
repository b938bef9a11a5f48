// Settings under which nothing limits what receivers are sent, for tests of everything else.

public import MediaCore

extension RoomConfiguration {
    /// The defaults, but nothing limits the bitrate.
    public static var unlimited: RoomConfiguration {
        var configuration = RoomConfiguration()
        configuration.bitrate = .unlimited
        return configuration
    }
}
