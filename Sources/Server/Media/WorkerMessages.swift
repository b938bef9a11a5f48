// What the control plane and a media worker say to each other: plain values in two queues, each first in, first out, so
// that no order of events ever depends on how tasks are scheduled.
import MediaCore
import Negotiation

/// One room on a worker; never used twice in the life of a server.
struct RoomKey: Hashable, Sendable {
    let serial: UInt64
}

/// A track as the client declared it beside its offer.
struct TrackDeclaration: Sendable, Equatable {
    var mid: String
    var source: TrackSource
    var isMuted: Bool
}

/// An offer to be answered.
struct OfferRequest: Sendable {
    /// Given back with the answer.
    var request: UInt64
    var sdp: String
    var tracks: [TrackDeclaration]
}

/// What may be asked of a media worker.
enum WorkerCommand: Sendable {
    case openRoom(RoomKey, name: String, seed: UInt64)
    case closeRoom(RoomKey)
    /// Makes the peer, its transport, and answers the first offer.
    case admit(RoomKey, PeerID, Permissions, isEncrypted: Bool, OfferRequest)
    /// Answers a later offer of the same peer.
    case negotiate(RoomKey, PeerID, OfferRequest)
    case candidate(RoomKey, PeerID, String)
    case setMuted(RoomKey, TrackID, Bool)
    case setSlotWishes(RoomKey, PeerID, [SlotWish])
    case remove(RoomKey, PeerID, RemovalReason)
    /// Records the room into a file from now on; `captureStarted` answers, and `captureEnded` follows once it did start.
    case startCapture(RoomKey, CaptureRequest)
    /// Ends the recording, if there is one.
    case stopCapture(RoomKey)
    /// Keeps what the flight recorder holds; `flightKept` answers.
    case keepFlight(RoomKey, request: UInt64?, FlightReason)
    /// Asks for the decisions with numbers above `after`, the oldest first; `explained` answers.
    case explain(RoomKey, request: UInt64, after: UInt64, limit: Int)
    /// Closes every transport; `WorkerEvent.finished` follows.
    case finish
}

/// A track as it was negotiated.
struct NegotiatedTrack: Sendable, Equatable {
    var mid: Mid
    var kind: MediaKind
    var source: TrackSource
    var isMuted: Bool
    /// The rids of its encodings, the lowest layer first; empty where it is not simulcast.
    var rids: [Rid] = []
}

/// The answer to an offer, and what it settled.
struct Negotiated: Sendable {
    var answer: String
    var refused: [(mid: String, reason: String)]
    var tracks: [NegotiatedTrack]
    var slots: [(mid: Mid, kind: MediaKind)]
    /// What the peer's slots show at this moment.
    var assignments: [SlotAssignment]
}

/// Why an offer was not answered: a code of the protocol and a sentence.
struct NegotiationRefusal: Error, Sendable {
    var code: String
    var message: String
}

/// The peer's transport as the server sees it.
enum PeerTransportState: String, Sendable { case connecting, connected, disconnected, failed }

/// What a media worker tells the control plane.
enum WorkerEvent: Sendable {
    case negotiated(RoomKey, PeerID, request: UInt64, Result<Negotiated, NegotiationRefusal>)
    case candidate(RoomKey, PeerID, candidate: String, usernameFragment: String)
    case transport(RoomKey, PeerID, PeerTransportState)
    case slots(RoomKey, PeerID, [SlotAssignment])
    /// Which layers of a published track anybody needs from now on, the lowest first.
    case layers(RoomKey, TrackID, [Bool])
    /// How well a connected peer is served, each second while it changes noticeably.
    case quality(RoomKey, PeerID, PeerQuality)
    /// Who speaks in the room from now on.
    case speakers(RoomKey, SpeakerReport)
    case captureStarted(RoomKey, request: UInt64, Result<String, CaptureRefusal>)
    case captureEnded(RoomKey, CaptureEnded)
    case flightKept(RoomKey, request: UInt64?, FlightReason, Result<String, CaptureRefusal>)
    case explained(RoomKey, request: UInt64, Explanation)
    case finished(worker: Int)
}
