// The client's end of the transport from its offer (RFC 8839 §5, RFC 8122, RFC 8842, RFC 9143 §9): from the section that
// carries it, else from the session, else from the section that the offerer suggested. Opens no transport.
internal import SDP

extension RemoteTransport {
    /// Bounds of RFC 8839 §5.4.
    static let minimumUserFragmentBytes = 4
    /// Bounds of RFC 8839 §5.4.
    static let minimumPasswordBytes = 22

    /// - Parameters:
    ///   - section: the first accepted section of the bundle.
    ///   - tag: the section that the offerer put first in the bundle; a bundle-only section has no transport of its own.
    init(session: SessionDescription, section: MediaDescription, tag: MediaDescription) throws(NegotiationError) {
        let places = [section.attributes, session.attributes, tag.attributes]
        guard let credentials = places.lazy.compactMap(Self.credentials).first else { throw .missingICECredentials }
        guard credentials.userFragment.utf8.count >= Self.minimumUserFragmentBytes,
            credentials.password.utf8.count >= Self.minimumPasswordBytes
        else { throw .missingICECredentials }
        guard let fingerprints = places.lazy.map(Self.fingerprints).first(where: { !$0.isEmpty }) else {
            throw .missingFingerprint
        }
        // RFC 4145 §4: without the attribute the offerer is active.
        let setup = places.lazy.compactMap(Self.setup).first ?? .active
        guard setup == .active || setup == .actpass else { throw .unsupportedSetup }
        let candidates = places.lazy.map(Self.candidates).first { !$0.isEmpty } ?? []
        self.init(
            userFragment: credentials.userFragment, password: credentials.password, fingerprints: fingerprints,
            setup: setup, candidates: candidates,
            candidatesAreComplete: places.contains { $0.contains(.endOfCandidates) },
            isTrickling: places.contains { $0.contains { $0.isTrickleOption } },
            isLite: session.attributes.contains(.iceLite))
    }

    private static func credentials(_ attributes: [Attribute]) -> (userFragment: String, password: String)? {
        var userFragment: String?
        var password: String?
        for attribute in attributes {
            switch attribute {
            case .iceUserFragment(let text): userFragment = userFragment ?? text
            case .icePassword(let text): password = password ?? text
            default: continue
            }
        }
        guard let userFragment, let password else { return nil }
        return (userFragment, password)
    }

    /// Those by a function that can be trusted and with a hash of that function's length.
    private static func fingerprints(_ attributes: [Attribute]) -> [Fingerprint] {
        var found: [Fingerprint] = []
        for case .fingerprint(let fingerprint) in attributes where found.count < Answerer.maximumFingerprints {
            let length: Int? =
                switch fingerprint.algorithm {
                case "sha-256": 32
                case "sha-384": 48
                case "sha-512": 64
                default: nil
                }
            if fingerprint.bytes.count == length { found.append(fingerprint) }
        }
        return found
    }

    private static func setup(_ attributes: [Attribute]) -> SetupRole? {
        for case .setup(let role) in attributes { return role }
        return nil
    }

    private static func candidates(_ attributes: [Attribute]) -> [String] {
        var found: [String] = []
        for case .candidate(let candidate) in attributes where found.count < Answerer.maximumRemoteCandidates {
            found.append(candidate.text)
        }
        return found
    }
}

extension Attribute {
    fileprivate var isTrickleOption: Bool {
        if case .iceOptions(let options) = self { options.contains("trickle") } else { false }
    }
}
