// An ICE candidate as text (RFC 8839 §5.1). Checks its form only; whether its address may be used is Transport's.

/// One ICE candidate.
public struct Candidate: Hashable, Sendable {
    /// What follows a candidate's fixed parts: a name and a value, for example `tcptype active`.
    public struct Extension: Hashable, Sendable {
        /// One word.
        public var name: String
        /// One word.
        public var value: String

        /// A name and a value.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// 1 to 32 ICE characters.
    public var foundation: String
    /// 1 to 256; 1 for RTP (and, with rtcp-mux, RTCP).
    public var component: UInt16
    /// As written, for example `udp` or `UDP`.
    public var transport: String
    /// The larger is preferred (RFC 8445 §5.1.2).
    public var priority: UInt32
    /// An IPv4 or IPv6 address or a host name (mDNS).
    public var address: String
    /// 0 to 65535; 9 for an active TCP candidate.
    public var port: UInt16
    /// `host`, `srflx`, `prflx`, `relay`, or a later word.
    public var type: String
    /// The base's address of a reflexive or relayed candidate (`raddr`).
    public var relatedAddress: String?
    /// The port of `relatedAddress` (`rport`).
    public var relatedPort: UInt16?
    /// In their order; `generation`, `ufrag`, `network-id` and others of browsers among them.
    public var extensions: [Extension]

    /// A candidate from its parts.
    public init(
        foundation: String, component: UInt16, transport: String, priority: UInt32, address: String, port: UInt16,
        type: String, relatedAddress: String? = nil, relatedPort: UInt16? = nil, extensions: [Extension] = []
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.address = address
        self.port = port
        self.type = type
        self.relatedAddress = relatedAddress
        self.relatedPort = relatedPort
        self.extensions = extensions
    }

    /// The candidate written as `candidate:…`, with or without `a=` before it (as `RTCIceCandidate.candidate` has it
    /// and as a description has it), or nil when it is not of that form or longer than `SDPLimits` allows.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= SDPLimits.maximumCandidateBytes, !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            return nil
        }
        var rest = bytes[...]
        if rest.starts(with: "a=".utf8) { rest = rest.dropFirst(2) }
        guard rest.starts(with: "candidate:".utf8) else { return nil }
        self.init(value: rest.dropFirst(10))
    }

    /// The candidate whose text after `candidate:` this is.
    init?(value: ArraySlice<UInt8>) {
        var words = Words(value)
        guard value.count <= SDPLimits.maximumCandidateBytes,
            let foundation = words.next(), foundation.count <= 32, foundation.allSatisfy(ASCII.isICECharacter),
            let component = words.nextNumber(atMost: 256), component > 0,
            let transport = words.nextText(),
            let priority = words.nextNumber(atMost: UInt64(UInt32.max)),
            let address = words.nextText(),
            let port = words.nextNumber(atMost: 65_535),
            words.next()?.elementsEqual("typ".utf8) == true,
            let type = words.nextText()
        else { return nil }
        self.init(
            foundation: String(decoding: foundation, as: UTF8.self), component: UInt16(component),
            transport: transport, priority: UInt32(priority), address: address, port: UInt16(port), type: type)
        while let name = words.nextText() {
            if name == "raddr", relatedAddress == nil, extensions.isEmpty {
                guard let value = words.nextText() else { return nil }
                relatedAddress = value
            } else if name == "rport", relatedPort == nil, extensions.isEmpty {
                guard let value = words.nextNumber(atMost: 65_535) else { return nil }
                relatedPort = UInt16(value)
            } else {
                guard let value = words.nextText(), extensions.count < SDPLimits.maximumCandidateExtensions else {
                    return nil
                }
                extensions.append(Extension(name: name, value: value))
            }
        }
    }

    /// The candidate as `candidate:…`, without `a=`.
    public var text: String {
        var text = "candidate:\(foundation) \(component) \(transport) \(priority) \(address) \(port) typ \(type)"
        if let relatedAddress { text += " raddr \(relatedAddress)" }
        if let relatedPort { text += " rport \(relatedPort)" }
        for pair in extensions { text += " \(pair.name) \(pair.value)" }
        return text
    }
}
