// What media workers need of the configuration, checked once at the start.
import EventLoop
import MediaCore
import Negotiation
import Transport

/// The settings of media workers.
struct MediaSettings: Sendable {
    var transport: TransportConfiguration
    var negotiation: NegotiationConfiguration
    var room: RoomConfiguration
    /// Whether sound that does not say how loud it is may be decoded.
    var decodesLevels: Bool
    /// How long a busy worker that carries sound alone waits at most between its turns, in milliseconds; 0: never.
    var restMilliseconds: Int64
    /// Loss in percent above which what the flight recorder holds is kept; 0 never.
    var keepAboveLossPercent: Int
    /// What recordings share; nil where nothing is recorded.
    var captures: CaptureServices?

    init(_ configuration: Configuration) throws {
        let media = configuration.media
        var addresses: [AnnouncedAddress] = []
        for (index, announced) in media.announcedAddresses.enumerated() {
            let local = index < media.addresses.count ? media.addresses[index] : nil
            addresses.append(AnnouncedAddress(local: local, announced: announced))
        }
        transport = TransportConfiguration(
            role: .server, localAddresses: media.addresses,
            portRange: UInt16(clamping: media.minimumPort)...UInt16(clamping: media.maximumPort),
            announcedAddresses: addresses, remoteAddresses: media.allowPrivateCandidates ? .everything : [])
        do throws(TransportError) {
            try transport.validate()
        } catch {
            if case .invalidAddress(let text) = error {
                throw ConfigurationError(
                    "media.addresses and media.announcedAddresses are numeric addresses; \"\(text)\" is none")
            }
            throw ConfigurationError("media.addresses: \(error)")
        }
        negotiation = NegotiationConfiguration()
        negotiation.codecs = configuration.rooms.codecs.compactMap { CodecName(rawValue: $0.lowercased()) }
        negotiation.maximumPublishedTracks = configuration.rooms.maximumPublishedTracks
        negotiation.maximumSlots = configuration.rooms.maximumSlots
        // A section for each track and slot, and as many again that were given back.
        negotiation.maximumMediaSections =
            2 * (configuration.rooms.maximumPublishedTracks + configuration.rooms.maximumSlots)
        room = RoomConfiguration()
        if configuration.media.adaptBitrate { room.bitrate = BitrateConfiguration() }
        decodesLevels = media.decodeLevels
        restMilliseconds = Int64(media.restMilliseconds)
        keepAboveLossPercent = configuration.captures.keepAboveLossPercent
        room.ntpAtOrigin = Self.ntpAtOrigin()
    }

    /// NTP time (RFC 3550 §4) at the monotonic clock's origin, so that sender reports carry the time of day.
    private static func ntpAtOrigin() -> UInt64 {
        let origin = WallClock.now - MonotonicClock.now
        let seconds = UInt64(clamping: origin / 1_000_000_000 + 2_208_988_800)
        let fraction = UInt64(clamping: (origin % 1_000_000_000) << 32) / 1_000_000_000
        return seconds << 32 | fraction
    }
}
