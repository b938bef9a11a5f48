// One room on a media worker: its core, its peers, and what the turn in progress has touched. Confined to the worker's
// thread.
import MediaCore
import Negotiation
import Transport

/// A room: the deterministic core and the peers whose transports feed it. A class because arrays cannot hold the
/// noncopyable core; thread-confined, never shared.
final class MediaRoom {
    let key: RoomKey
    let name: String
    var core: RoomCore
    var peers: [PeerID: MediaPeer] = [:]
    /// When the core next wants `advance`, as of the end of the last turn that touched it.
    var due: Timestamp?
    /// When the loop is to wake for that, which may be a little later.
    var wake: Timestamp?
    /// Whether the turn in progress has touched the core.
    var isTouched = false
    let explanation = RoomExplanation()
    /// What records it.
    let taps: RoomTaps

    init(key: RoomKey, name: String, configuration: RoomConfiguration, seed: UInt64) {
        self.key = key
        self.name = name
        core = RoomCore(configuration: configuration, seed: seed)
        taps = RoomTaps(configuration: configuration, seed: seed)
    }
}

/// One peer of a room on its worker: the transport, the negotiation's state, and what waits to be sent to it in this turn.
final class MediaPeer {
    let id: PeerID
    unowned let room: MediaRoom
    unowned let turn: MediaTurn
    var answerer: Answerer
    let permissions: Permissions
    /// Whether the client encrypts its frames from end to end.
    let isEncrypted: Bool
    var transport: PeerTransport?
    /// Indices of the datagrams of this turn's egress that go to this peer, in order.
    var pending: [Int] = []
    var state = PeerTransportState.connecting
    /// Whether its transport was ever connected.
    var hasConnected = false
    /// Whether an offer of the peer was answered.
    var isAnswered = false

    init(
        id: PeerID, room: MediaRoom, turn: MediaTurn, answerer: Answerer, permissions: Permissions,
        isEncrypted: Bool
    ) {
        self.id = id
        self.room = room
        self.turn = turn
        self.answerer = answerer
        self.permissions = permissions
        self.isEncrypted = isEncrypted
        pending.reserveCapacity(64)
    }
}
