// A simulated room with a recorder at its door, as a media worker has it.
import MediaCore
import SimulatedNetwork

@testable import Captures

/// What stands between a simulation and a recorder.
final class RecorderRoom {
    let payloads = PayloadTable()
    let recorder: RoomRecorder
    /// When the recorder begins: with the room, or at the first flush behind this moment.
    private let beginsAt: Timestamp?
    /// Called at the end of each turn.
    var afterTurn: () -> Void = {}
    private(set) var turns = 0

    init(
        _ sink: CaptureSink, seed: UInt64, beginsAfter: TimeDelta? = nil, options: RoomRecorder.Options = .init()
    ) {
        let opening = CaptureOpening(configuration: RoomConfiguration(), seed: seed, build: "test")
        recorder = RoomRecorder(sink, opening, payloads: payloads, options)
        beginsAt = beginsAfter.map { Timestamp(nanoseconds: 1_000_000_000) + $0 }
    }

    /// Stands at the door of a simulation from now on.
    func attach(_ simulation: Simulation) {
        if beginsAt == nil { recorder.begin(simulation.core, isNew: true, at: simulation.now) }
        simulation.onCall = { [self] call, now in
            switch call {
            case .receiveRTP(let peer, let bytes): recorder.received(.rtp, bytes.span, from: peer, at: now)
            case .receiveRTCP(let peer, let bytes): recorder.received(.rtcp, bytes.span, from: peer, at: now)
            case .apply(let command):
                payloads.note(command)
                recorder.commanded(command, at: now)
            case .advance: recorder.advanced(at: now)
            case .flush: break
            }
        }
        simulation.onFlush = { [self] core, egress, now in
            recorder.sent(egress, egress.datagrams.indices)
            recorder.happened(egress.events[...])
            recorder.decided(egress.decisions[...])
            recorder.flushed()
            if let beginsAt, now >= beginsAt { recorder.begin(core, isNew: false, at: now) }
            recorder.endTurn(core, at: now)
            turns += 1
            afterTurn()
        }
    }

    /// Plays a scenario and settles the recording.
    @discardableResult
    func play(_ scenario: Scenario) -> Simulation {
        let simulation = scenario.play { attach($0) }
        recorder.settle(at: simulation.now)
        return simulation
    }
}

extension FlightRing {
    /// A ring without a vault, whose memory is there as soon as it is asked for.
    static func alone(_ path: String, segmentBytes: Int, room: String = "alone") -> FlightRing {
        let ring = FlightRing(room: room, segmentBytes: segmentBytes) { ring in _ = ring.grow { _ in true } }
        precondition(ring.prepare(path: path) == 0 && ring.grow { _ in true })
        ring.open()
        return ring
    }
}
