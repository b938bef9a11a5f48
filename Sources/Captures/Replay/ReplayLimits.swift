// What a capture may ask of a replay: the core's callers never give it moments, settings and rooms beyond these, so the core
// need not survive them; a file that means harm does.
import MediaCore

/// The part of a call that is beyond what is run.
public enum ReplayLimit: Hashable, Sendable {
    /// A moment further than 73 years from the origin of the room's clock.
    case moment
    /// A setting that is out of every range.
    case setting
    /// A room that would take more than `ReplayLimits.memory`.
    case memory
}

/// Watches over the inputs of a replay.
struct ReplayLimits {
    /// Moments are within plus and minus this many nanoseconds of the origin, as in a checkpoint.
    static let moment: Int64 = 1 << 61
    /// Settings are within plus and minus this, as in a checkpoint.
    static let setting: Int64 = 1 << 40
    /// Bytes of memory that the rows of a room may come to.
    static let memory = 2 << 30
    /// What a peer and a slot take at most, with their tables.
    private static let peerBytes = 48 << 10
    private static let slotBytes = 32 << 10
    /// What a packet takes in a history.
    private static let packetBytes = 1_700

    private var configuration = RoomConfiguration()
    private var bytes = 0
    private var bytesOf: [PeerID: Int] = [:]

    /// What is too much about an event, or nil.
    mutating func exceeded(by event: CaptureEvent) -> ReplayLimit? {
        if let at = event.moment, !(-Self.moment...Self.moment).contains(at.nanoseconds) { return .moment }
        switch event {
        case .opened(let configuration, _, _, _):
            let intervals = ConfigurationKey.all.filter { !$0.isPowerOfTwo }
            guard intervals.allSatisfy({ (-Self.setting...Self.setting).contains($0.value(in: configuration)) }),
                (0...1 << 16).contains(configuration.videoHistoryPackets),
                (0...1 << 16).contains(configuration.audioHistoryPackets)
            else { return .setting }
            self.configuration = configuration
            bytes = 0
            bytesOf.removeAll()
        case .command(.addParticipant(let peer), _): set(peer, max(bytesOf[peer] ?? 0, Self.peerBytes))
        case .command(.applyPlan(let peer, let plan), _): set(peer, Self.peerBytes + cost(plan))
        case .command(.removeParticipant(let peer, _), _): set(peer, 0)
        default: break
        }
        return bytes > Self.memory ? .memory : nil
    }

    private mutating func set(_ peer: PeerID, _ new: Int) {
        bytes += new - (bytesOf[peer] ?? 0)
        bytesOf[peer] = new == 0 ? nil : new
    }

    private func cost(_ plan: PeerPlan) -> Int {
        plan.published.reduce(plan.slots.count * Self.slotBytes) { sum, track in
            let packets = track.kind == .video ? configuration.videoHistoryPackets : configuration.audioHistoryPackets
            // A layer has half of the one above it, and a ring has 16 packets at least.
            let layers = track.encodings.indices.reduce(0) { $0 + max(16, packets >> min($1, 8)) * 2 }
            return sum + layers * Self.packetBytes
        }
    }
}
