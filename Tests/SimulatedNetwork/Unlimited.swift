// Settings under which nothing limits what receivers are sent, for tests of everything else.

public import MediaCore

extension RoomConfiguration {
    /// The defaults, but every receiver's path is taken to carry 1 Gb/s whatever it says.
    public static var unlimited: RoomConfiguration {
        var configuration = RoomConfiguration()
        configuration.bitrate.startBitsPerSecond = 1_000_000_000
        configuration.bitrate.minimumBitsPerSecond = 1_000_000_000
        configuration.bitrate.maximumBitsPerSecond = 1_000_000_000
        configuration.bitrate.probes = false
        return configuration
    }
}
