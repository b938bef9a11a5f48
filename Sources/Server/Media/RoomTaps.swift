// The recorders at one room's door: the flight recorder, and the recording that was asked for. Confined to the worker's
// thread.
import Captures
import MediaCore

/// What records a room.
final class RoomTaps {
    /// A recording that was asked for.
    struct Recording {
        let recorder: RoomRecorder
        let file: CaptureFile
        let path: String
        /// When it ends by itself.
        let endsAt: Timestamp?
    }

    let payloads = PayloadTable()
    let opening: CaptureOpening
    /// Whether nothing was given to the room yet.
    private(set) var isNew = true
    private(set) var flight: RoomRecorder?
    private(set) var ring: FlightRing?
    var recording: Recording?
    /// Whether a file is being made for a recording.
    var isOpening = false
    /// Whether the recording is to end as soon as its file is there.
    var isToStop = false
    /// Why what the flight recorder holds is to be kept at the end of this turn, and who asked.
    var keeps: [(request: UInt64?, reason: FlightReason)] = []
    private var keptAt: [FlightReason: Timestamp] = [:]
    /// Whether the flush in progress was told to the recorders.
    var isFlushed = false

    /// How long between two keeps for one reason.
    static let keepInterval = TimeDelta.seconds(60)

    init(configuration: RoomConfiguration, seed: UInt64) {
        opening = CaptureOpening(configuration: configuration, seed: seed, build: CaptureServices.build)
    }

    /// Whether anybody wants to know of the room's calls.
    var isInUse: Bool { flight != nil || recording != nil }

    /// Gives the room a flight recorder, which begins when the ring is there.
    func useFlight(_ ring: FlightRing, sectionSpan: TimeDelta) {
        var options = RoomRecorder.Options()
        options.sectionSpan = sectionSpan
        self.ring = ring
        flight = RoomRecorder(.ring(ring), opening, payloads: payloads, options)
    }

    /// Whether a keep for this reason comes too soon behind the last; if not, it is noted.
    func isTooSoon(_ reason: FlightReason, at now: Timestamp) -> Bool {
        if let last = keptAt[reason], now - last < Self.keepInterval { return true }
        keptAt[reason] = now
        return false
    }

    /// A keep came to nothing: who asked may ask again.
    func forgetKeep(_ reason: FlightReason) { keptAt[reason] = nil }

    // MARK: The room's calls

    func received(_ kind: Egress.Kind, _ packet: Span<UInt8>, from peer: PeerID, at now: Timestamp) {
        isNew = false
        flight?.received(kind, packet, from: peer, at: now)
        recording?.recorder.received(kind, packet, from: peer, at: now)
    }

    func commanded(_ command: RoomCommand, at now: Timestamp) {
        isNew = false
        payloads.note(command)
        flight?.commanded(command, at: now)
        recording?.recorder.commanded(command, at: now)
    }

    func advanced(at now: Timestamp) {
        isNew = false
        flight?.advanced(at: now)
        recording?.recorder.advanced(at: now)
    }

    func sent(_ egress: borrowing Egress, _ indices: Range<Int>) {
        flight?.sent(egress, indices)
        recording?.recorder.sent(egress, indices)
    }

    func happened(_ events: ArraySlice<RoomEvent>) {
        flight?.happened(events)
        recording?.recorder.happened(events)
    }

    func decided(_ decisions: ArraySlice<Decision>) {
        flight?.decided(decisions)
        recording?.recorder.decided(decisions)
    }

    func flushed() {
        guard !isFlushed else { return }
        isFlushed = true
        flight?.flushed()
        recording?.recorder.flushed()
    }

    /// The end of a turn, everything that the room gave out taken.
    func endTurn(_ core: borrowing RoomCore, at now: Timestamp) {
        if let ring, ring.isReady { flight?.begin(core, isNew: isNew, at: now) }
        flight?.endTurn(core, at: now)
        recording?.recorder.endTurn(core, at: now)
    }
}
