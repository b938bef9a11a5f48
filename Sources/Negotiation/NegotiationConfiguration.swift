// What a negotiation is told: the server's settings, what the peer may do, what it says of its tracks, and the
// server's end of the transport. Holds no state.
public import MediaCore
public import SDP

/// A codec by its name, as configuration lists them.
public enum CodecName: String, Hashable, Sendable, CaseIterable {
    case opus, vp8, vp9, h264, av1

    /// Whether it carries sound or pictures.
    public var kind: MediaKind { self == .opus ? .audio : .video }
}

/// The server's settings for all negotiations.
public struct NegotiationConfiguration: Hashable, Sendable {
    /// The codecs that answers may hold, the preferred first. Others in an offer are left out.
    public var codecs: [CodecName] = [.opus, .vp8]
    /// Media sections on which one peer may send at a time.
    public var maximumPublishedTracks = 8
    /// Receive slots, audio and video together, that one peer may have at a time.
    public var maximumSlots = 32
    /// Media sections in one offer, those rejected or recycled included; an offer with more is an error.
    public var maximumMediaSections = 64
    /// Simulcast encodings of one track; those beyond it in an offer are left out of the answer.
    public var maximumEncodings = 3
    /// How many audio slots share a media stream (for lip sync) with the video slot of the same position.
    public var pairedSlots = 4

    /// The defaults.
    public init() {}
}

/// What a peer's token lets it do.
public struct Permissions: Hashable, Sendable {
    /// The sources that it may publish; not iterated.
    public var publishableSources: Set<TrackSource>
    /// Whether it may have receive slots.
    public var canSubscribe: Bool

    /// What a peer may do.
    public init(publishableSources: Set<TrackSource>, canSubscribe: Bool) {
        self.publishableSources = publishableSources
        self.canSubscribe = canSubscribe
    }

    /// Everything.
    public static let all = Permissions(publishableSources: Set(TrackSource.allCases), canSubscribe: true)
}

/// What a peer says of one media section that it sends on.
public struct DeclaredTrack: Hashable, Sendable {
    /// The section's mid.
    public var mid: String
    /// What the track shows or carries.
    public var source: TrackSource
    /// Whether it starts muted.
    public var isMuted: Bool

    /// A declared track.
    public init(mid: String, source: TrackSource, isMuted: Bool) {
        self.mid = mid
        self.source = source
        self.isMuted = isMuted
    }
}

/// What travels beside an offer.
public struct AnswerInputs: Hashable, Sendable {
    /// What the peer may do.
    public var permissions: Permissions
    /// What the sending sections are. One that is not named here is a microphone (audio) or a camera (video); a name
    /// that fits no sending section has no effect.
    public var tracks: [DeclaredTrack]
    /// Whether the client encrypts its frames from end to end: what the server would have to take apart (RED) is then not
    /// negotiated.
    public var isEncrypted: Bool

    /// What travels beside an offer.
    public init(permissions: Permissions, tracks: [DeclaredTrack], isEncrypted: Bool = false) {
        self.permissions = permissions
        self.tracks = tracks
        self.isEncrypted = isEncrypted
    }
}

/// The server's end of the transport, as an answer tells it.
public struct LocalTransport: Hashable, Sendable {
    /// RFC 8839 §5.4.
    public var userFragment: String
    /// RFC 8839 §5.4.
    public var password: String
    /// The hash of the server's certificate, by SHA-256.
    public var fingerprint: Fingerprint
    /// Candidates as `candidate:…`; one of another form is left out.
    public var candidates: [String]
    /// Whether these are all the candidates there will be.
    public var candidatesAreComplete: Bool

    /// The server's end of the transport.
    public init(
        userFragment: String, password: String, fingerprint: Fingerprint, candidates: [String],
        candidatesAreComplete: Bool
    ) {
        self.userFragment = userFragment
        self.password = password
        self.fingerprint = fingerprint
        self.candidates = candidates
        self.candidatesAreComplete = candidatesAreComplete
    }
}
