// What comes of a negotiation: the answer, the plan for the core, the client's end of the transport, what was refused;
// or the reason why an offer cannot be answered at all.
public import MediaCore
public import SDP

/// Why one media section of an offer was not accepted (the client protocol's `refused`).
public enum RefusalReason: String, Hashable, Sendable, CaseIterable {
    /// No offered codec is in the room's list.
    case unsupportedCodec
    /// The peer sends on as many sections as it may already.
    case tooManyTracks
    /// The peer has as many receive slots as it may already.
    case tooManySlots
    /// The peer's token does not allow it.
    case notPermitted
    /// The section is not in the BUNDLE group (RFC 9143).
    case notBundled
    /// The section does not offer `a=rtcp-mux` (RFC 5761).
    case noRtcpMux
    /// The section is for data channels.
    case dataChannelsUnsupported
    /// The section is neither audio nor video, or not RTP over DTLS-SRTP with feedback.
    case unsupportedMedia
    /// The section contradicts itself, or the declared source does not fit its kind.
    case malformed
}

/// One refused media section.
public struct Refusal: Hashable, Sendable {
    /// The section's mid; empty where it has none.
    public var mid: String
    /// Why it was refused.
    public var reason: RefusalReason

    /// A refused section.
    public init(mid: String, reason: RefusalReason) {
        self.mid = mid
        self.reason = reason
    }
}

/// The client's end of the transport.
public struct RemoteTransport: Hashable, Sendable {
    /// RFC 8839 §5.4; 4 to 256 characters.
    public var userFragment: String
    /// RFC 8839 §5.4; 22 to 256 characters.
    public var password: String
    /// Hashes of its certificate by SHA-256, SHA-384 or SHA-512, at least one; any that matches will do (RFC 8122 §5).
    public var fingerprints: [Fingerprint]
    /// `actpass` or `active`: the client is the DTLS client in either case.
    public var setup: SetupRole
    /// The candidates in the offer, as `candidate:…`, at most `Answerer.maximumRemoteCandidates`.
    public var candidates: [String]
    /// Whether the offer says that there are no others.
    public var candidatesAreComplete: Bool
    /// Whether the client can take candidates after the answer (RFC 8840).
    public var isTrickling: Bool
    /// Whether it is an ICE-lite agent (RFC 8445 §2.5).
    public var isLite: Bool

    /// The client's end of the transport.
    public init(
        userFragment: String, password: String, fingerprints: [Fingerprint], setup: SetupRole, candidates: [String],
        candidatesAreComplete: Bool, isTrickling: Bool, isLite: Bool
    ) {
        self.userFragment = userFragment
        self.password = password
        self.fingerprints = fingerprints
        self.setup = setup
        self.candidates = candidates
        self.candidatesAreComplete = candidatesAreComplete
        self.isTrickling = isTrickling
        self.isLite = isLite
    }
}

/// What an offer says of the transport, before it is answered: a restart needs fresh credentials for the answer.
public struct OfferExamination: Hashable, Sendable {
    /// The client's end of the transport.
    public var remote: RemoteTransport
    /// Whether the credentials differ from those of the offer answered last (RFC 8839 §4.4.1.1.1).
    public var isICERestart: Bool
}

/// A settled negotiation.
public struct Answer: Hashable, Sendable {
    /// The answer to send.
    public var sdp: String
    /// What the core forwards by.
    public var plan: PeerPlan
    /// In the order of the media sections.
    public var refused: [Refusal]
    /// The client's end of the transport.
    public var remote: RemoteTransport
    /// Whether the client restarts ICE with this offer; false for the first.
    public var isICERestart: Bool
    /// The mid of the section that carries the transport: the one that candidates belong to.
    public var transportMid: String
    /// That section's position among all.
    public var transportIndex: Int
}

/// Why an offer cannot be answered. The negotiation's state is then what it was before the offer.
public enum NegotiationError: Error, Hashable, Sendable {
    /// The text is no session description.
    case malformed(SDPError)
    /// There are more media sections than the configuration allows.
    case tooManyMediaSections(Int)
    /// No section could be accepted, so that there is no transport; what was refused and why.
    case nothingAccepted([Refusal])
    /// Two sections have this mid.
    case duplicateMid(String)
    /// A mid is longer than 16 bytes or not printable ASCII.
    case invalidMid
    /// There are fewer sections than in the offer before (RFC 8829 §5.2.2).
    case missingMediaSection
    /// The section at this position has another mid or kind than in the offer before, though it was in use.
    case changedMediaSection(Int)
    /// A header extension's number means two things within the BUNDLE group, or one extension has two numbers.
    case conflictingHeaderExtension(UInt16)
    /// The ICE user name fragment or password is missing or too short.
    case missingICECredentials
    /// There is no fingerprint by SHA-256, SHA-384 or SHA-512.
    case missingFingerprint
    /// The client offers a DTLS role other than `active` or `actpass`.
    case unsupportedSetup

    /// A sentence a person understands.
    public var message: String {
        switch self {
        case .malformed(let error): "The offer is not a session description. \(error)"
        case .tooManyMediaSections(let most): "The offer has more than \(most) media sections."
        case .nothingAccepted(let refused):
            refused.first.map { "No media section can be accepted; the first is refused as \($0.reason.rawValue)." }
                ?? "The offer has no media section in use."
        case .duplicateMid(let mid): "Two media sections have the mid \(mid)."
        case .invalidMid: "A mid has 1 to 16 printable ASCII characters."
        case .missingMediaSection: "The offer has fewer media sections than the one before."
        case .changedMediaSection(let index): "Media section \(index) was another one in the offer before."
        case .conflictingHeaderExtension(let id): "Header extension \(id) has two meanings, or its meaning two numbers."
        case .missingICECredentials: "The offer lacks ICE credentials of the required length."
        case .missingFingerprint: "The offer lacks a fingerprint by SHA-256, SHA-384 or SHA-512."
        case .unsupportedSetup: "The offer must let the server be the DTLS server: setup is actpass or active."
        }
    }
}
