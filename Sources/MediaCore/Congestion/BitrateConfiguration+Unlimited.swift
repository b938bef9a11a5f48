// No limit at all, as a configuration.

extension BitrateConfiguration {
    /// Every path is taken to carry 1 Gb/s whatever its receiver says, and nothing is paced or probed.
    public static var unlimited: BitrateConfiguration {
        var configuration = BitrateConfiguration()
        configuration.startBitsPerSecond = 1_000_000_000
        configuration.minimumBitsPerSecond = 1_000_000_000
        configuration.maximumBitsPerSecond = 1_000_000_000
        configuration.probes = false
        return configuration
    }

    /// Whether nothing is limited: every receiver is then sent the best that there is, and every publisher sends all it has.
    var isUnlimited: Bool { minimumBitsPerSecond >= Self.unlimited.minimumBitsPerSecond }
}
