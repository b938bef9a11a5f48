// One session on the control loop: its machine, its socket's number, and where in which room it is.
import Gateway
import MediaCore
import Signalling

/// A session. Confined to the control loop.
final class SessionRecord {
    var machine: SessionMachine
    /// Where its newest socket comes from.
    var address: AddressKey
    /// The room and place, from the moment a place is taken until it is given back.
    var place: Place?
    /// Whether the participant at the place is in: its first offer is answered.
    var isIn = false
    /// The room whose lobby the session waits in, and its number there.
    var waiting: (room: RoomRecord, number: UInt32)?
    /// The session as the machine of calls knows it, where its token is good for calls.
    var callDevice: CallDeviceID?
    /// The rooms of its calls that it may enter for their sake.
    var callRooms: [CallID: String] = [:]
    /// The missed calls that it was told of, and those of them that it has seen.
    var toldMissed: Set<String> = []
    var seenMissed: Set<String> = []
    /// The command that a worker's answer will complete, by the request's number.
    var pending: [UInt64: CommandID] = [:]

    /// A place in a room.
    struct Place {
        let room: RoomRecord
        let id: PeerID
    }

    init(machine: SessionMachine, address: AddressKey) {
        self.machine = machine
        self.address = address
    }
}

/// One room on the control loop.
final class RoomRecord {
    let key: RoomKey
    let name: String
    let worker: Int
    var roster: RoomRoster
    var members: [PeerID: Member] = [:]
    /// Those in its lobby, by their numbers there.
    var waiting: [UInt32: SessionRecord] = [:]
    /// Who speaks, as it was told last, with the message's text.
    var speakers: (report: SpeakerReport, text: String)?
    /// When the room is closed for being empty, in nanoseconds of the monotonic clock; nil while somebody is in it.
    var emptyUntil: Int64?
    /// The recording that runs or is asked for, and the last one that ended.
    var recording: RoomRecording?
    var lastRecording: CaptureEnded?

    /// What the control loop knows of a participant beside the roster.
    struct Member {
        let session: SessionRecord
        var transport = PeerTransportState.connecting
        /// Whether the session's socket is lost.
        var isSocketLost = false
        /// Whether who speaks is still to be told: the client had not taken what was sent before.
        var isOwedSpeakers = false
        /// When a transport that failed is given up, in nanoseconds of the monotonic clock.
        var failedUntil: Int64?
    }

    init(key: RoomKey, name: String, worker: Int, options: RoomOptions) {
        roster = RoomRoster(options: options)
        self.key = key
        self.name = name
        self.worker = worker
    }
}
