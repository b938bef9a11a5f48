// Settings of rooms whose receivers are sent what their paths carry.

public import MediaCore

extension RoomConfiguration {
    /// The defaults of a server: each receiver is sent what its path carries.
    public static var limited: RoomConfiguration {
        var configuration = RoomConfiguration()
        configuration.bitrate = BitrateConfiguration()
        return configuration
    }
}
