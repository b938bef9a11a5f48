// ICE candidates as SDP carries them (RFC 8839 §5.1), and which of the other side's are used. It makes no checks.

/// A candidate as text has it.
struct ICECandidate: Equatable, Sendable {
    /// The kinds of candidate.
    enum Kind: String, Sendable {
        case host
        case serverReflexive = "srflx"
        case peerReflexive = "prflx"
        case relayed = "relay"
    }

    /// The longest candidate text that is read, in bytes.
    static let maximumTextBytes = 512
    /// The longest foundation (RFC 8839 §5.1).
    static let maximumFoundationBytes = 32

    var foundation: String
    var component: UInt16
    var isUDP: Bool
    var priority: UInt32
    /// A numeric address, or a name (`.local`).
    var address: String
    var port: UInt16
    var kind: Kind
    /// Where a candidate that is not a host candidate comes from.
    var related: (address: String, port: UInt16)?

    static func == (a: ICECandidate, b: ICECandidate) -> Bool { a.text == b.text }

    init(foundation: String, priority: UInt32, address: String, port: UInt16, kind: Kind) {
        self.foundation = foundation
        component = 1
        isUDP = true
        self.priority = priority
        self.address = address
        self.port = port
        self.kind = kind
    }

    /// Reads `candidate:…`, with or without `a=` before it; nil for anything that is not a whole candidate. Extensions
    /// are skipped.
    init?(_ text: String) {
        guard text.utf8.count <= Self.maximumTextBytes else { return nil }
        var line = text[...]
        if line.hasPrefix("a=") { line = line.dropFirst(2) }
        guard line.hasPrefix("candidate:") else { return nil }
        let words = line.dropFirst(10).split(separator: " ", omittingEmptySubsequences: true)
        guard words.count >= 8, words[6] == "typ", words[0].utf8.count <= Self.maximumFoundationBytes,
            let component = UInt16(words[1]), (1...256).contains(component), let priority = UInt32(words[3]),
            let port = UInt16(words[5]), let kind = Kind(rawValue: String(words[7]))
        else { return nil }
        foundation = String(words[0])
        self.component = component
        isUDP = words[2].lowercased() == "udp"
        self.priority = priority
        address = String(words[4])
        self.port = port
        self.kind = kind
        if words.count >= 12, words[8] == "raddr", words[10] == "rport", let relatedPort = UInt16(words[11]) {
            related = (String(words[9]), relatedPort)
        }
    }

    /// `candidate:…`, as RTCIceCandidate has it.
    var text: String {
        var text = "candidate:\(foundation) \(component) \(isUDP ? "UDP" : "TCP") \(priority) \(address) \(port)"
        text += " typ \(kind.rawValue)"
        if let related { text += " raddr \(related.address) rport \(related.port)" }
        return text
    }
}

/// What became of a candidate of the other side.
public enum RemoteCandidateOutcome: Sendable, Equatable, CaseIterable {
    /// It is checked.
    case accepted
    /// It is the end of candidates.
    case endOfCandidates
    /// It is not a candidate at all.
    case malformed
    /// Its address is a name, such as the `.local` of browsers: names are not resolved.
    case name
    /// It is not for UDP.
    case notUDP
    /// It is for a component other than 1 (RTP and RTCP share one).
    case otherComponent
    /// Its address lies where the configuration forbids checks, or cannot be a host's.
    case forbiddenAddress
    /// There were more than a peer may name.
    case tooMany
    /// The transport is closed.
    case closed
}

/// Which ranges a peer's candidates may lie in. A server that checks any address it is told is a port scanner of its own
/// network for whoever asks. A peer inside such a range is still reached without its candidates: its own checks come from
/// there, and answering the source of an authenticated check is always allowed.
public struct RemoteAddressPolicy: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// Takes the bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7.
    public static let privateNetworks = RemoteAddressPolicy(rawValue: 1)
    /// 169.254/16, fe80::/10.
    public static let linkLocal = RemoteAddressPolicy(rawValue: 2)
    /// 127/8, ::1.
    public static let loopback = RemoteAddressPolicy(rawValue: 4)
    /// All ranges: for tests and for servers inside one network.
    public static let everything: RemoteAddressPolicy = [.privateNetworks, .linkLocal, .loopback]

    func allows(_ address: IPAddress) -> Bool {
        switch address.scope {
        case .global: true
        case .privateNetwork: contains(.privateNetworks)
        case .linkLocal: contains(.linkLocal)
        case .loopback: contains(.loopback)
        case .unusable: false
        }
    }

    /// Whether the candidate is checked, and at which address.
    func judge(_ candidate: ICECandidate) -> (outcome: RemoteCandidateOutcome, address: IPAddress?) {
        guard candidate.isUDP else { return (.notUDP, nil) }
        guard candidate.component == 1 else { return (.otherComponent, nil) }
        guard let address = IPAddress(candidate.address) else { return (.name, nil) }
        guard candidate.port != 0, allows(address) else { return (.forbiddenAddress, nil) }
        return (.accepted, address)
    }
}
