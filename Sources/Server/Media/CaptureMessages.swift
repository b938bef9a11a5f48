// What the control plane and a media worker say to each other about captures and explanations.
import MediaCore

/// What a recording holds of the packets' payloads.
enum CapturePayload: String, Sendable, Equatable {
    /// Headers, and of the payload the first bytes that forwarding reads: no media.
    case headers
    /// Everything: what people said and showed.
    case whole
}

/// A recording that is asked for.
struct CaptureRequest: Sendable, Equatable {
    /// Given back with the answer.
    var request: UInt64
    var payload: CapturePayload
    /// How long, counted from the start.
    var seconds: Int
    /// The longest the file may become.
    var maximumBytes: Int
}

/// Why there is no recording: a code of the HTTP interface and a sentence.
struct CaptureRefusal: Error, Sendable, Equatable {
    var code: String
    var message: String
}

/// A recording that is over.
struct CaptureEnded: Sendable, Equatable {
    enum Reason: String, Sendable { case time, stopped, roomClosed, fileLimit, diskFull, writeError }

    var path: String
    var reason: Reason
    var bytes: Int
    /// How often events were left out because the disk was slow.
    var refusals: Int
    /// The system's word for what failed, where something did.
    var failure: String?
}

/// Why what the flight recorder holds is kept; the name is part of the file's name.
enum FlightReason: String, Sendable, CaseIterable { case transportFailed, frozen, quality, crash, requested }

/// Decisions as people read them.
struct Explanation: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        /// Rises by one with each decision of the room.
        var number: UInt64
        /// Seconds since the room was opened.
        var seconds: Double
        /// The decision's name, e.g. `switched`.
        var name: String
        /// The receiver or publisher that it is about.
        var peer: PeerID?
        var sentence: String
    }

    /// How many packets the room dropped for a reason.
    struct Drop: Sendable, Equatable {
        /// The reason's name, e.g. `awaitingKeyFrame`.
        var name: String
        var count: UInt64
    }

    var entries: [Entry]
    /// The number of the next decision.
    var next: UInt64
    /// How many decisions above `after` are no longer there.
    var forgotten: UInt64
    /// Every reason for which the room has dropped a packet since it was opened, in the order of `DropReason`.
    var drops: [Drop] = []
}
