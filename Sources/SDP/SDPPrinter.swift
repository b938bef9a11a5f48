// A session description as text (RFC 8866 §5), lines ended by CR LF. What was parsed prints to a text that parses to an
// equal value; spaces and the order of parts within a line may differ from the first text.

extension SessionDescription {
    /// The description as text.
    public var text: String {
        var out = "v=0\r\no=\(origin)\r\ns=\(name)\r\n"
        for line in lines { out += "\(line.letter)=\(line.value)\r\n" }
        for attribute in attributes { out += "a=\(attribute.text)\r\n" }
        for section in media { section.print(into: &out) }
        return out
    }
}

extension MediaDescription {
    fileprivate func print(into out: inout String) {
        out += "m=\(kind) \(port)"
        if let portCount { out += "/\(portCount)" }
        out += " \(protocolName)"
        for format in formats { out += " \(format)" }
        out += "\r\n"
        for line in lines { out += "\(line.letter)=\(line.value)\r\n" }
        for attribute in attributes { out += "a=\(attribute.text)\r\n" }
    }
}

extension Attribute {
    /// The attribute as text, without `a=`.
    public var text: String {
        switch self {
        case .rtpMap(let map):
            "rtpmap:\(map.payloadType) \(map.encoding)/\(map.clockRate)" + (map.channels.map { "/\($0)" } ?? "")
        case .formatParameters(let parameters): "fmtp:\(parameters.format) \(parameters.text)"
        case .rtcpFeedback(let feedback):
            "rtcp-fb:\(feedback.payloadType.map { "\($0)" } ?? "*") \(feedback.value)"
        case .extensionMapping(let mapping):
            "extmap:\(mapping.identifier)" + (mapping.direction.map { "/\($0.rawValue)" } ?? "") + " \(mapping.uri)"
                + (mapping.parameters.map { " \($0)" } ?? "")
        case .extensionMappingAllowMixed: "extmap-allow-mixed"
        case .mid(let mid): "mid:\(mid)"
        case .rid(let rid): rid.text
        case .simulcast(let simulcast): simulcast.text
        case .ssrc(let source): "ssrc:\(source.ssrc) \(source.name)" + (source.value.map { ":\($0)" } ?? "")
        case .ssrcGroup(let group): (["ssrc-group:\(group.semantics)"] + group.ssrcs.map { "\($0)" }).joined(" ")
        case .mediaStreamID(let id): "msid:\(id.stream)" + (id.track.map { " \($0)" } ?? "")
        case .setup(let role): "setup:\(role.rawValue)"
        case .fingerprint(let fingerprint): "fingerprint:\(fingerprint.algorithm) \(fingerprint.value)"
        case .iceUserFragment(let ufrag): "ice-ufrag:\(ufrag)"
        case .icePassword(let password): "ice-pwd:\(password)"
        case .iceOptions(let options): "ice-options:" + options.joined(" ")
        case .iceLite: "ice-lite"
        case .candidate(let candidate): candidate.text
        case .endOfCandidates: "end-of-candidates"
        case .rtcpMux: "rtcp-mux"
        case .rtcpReducedSize: "rtcp-rsize"
        case .group(let group): (["group:\(group.semantics)"] + group.mids).joined(" ")
        case .direction(let direction): direction.rawValue
        case .bundleOnly: "bundle-only"
        case .other(let name, let value): name + (value.map { ":\($0)" } ?? "")
        }
    }
}

extension RestrictionIdentifier {
    fileprivate var text: String {
        var parts: [String] = []
        if !payloadTypes.isEmpty { parts.append("pt=" + payloadTypes.map { "\($0)" }.joined(",")) }
        parts += restrictions
        return "rid:\(identifier) \(direction.rawValue)" + (parts.isEmpty ? "" : " " + parts.joined(";"))
    }
}

extension Simulcast {
    fileprivate var text: String {
        func list(_ streams: [[SimulcastAlternative]]) -> String {
            streams.map { $0.map { ($0.isPaused ? "~" : "") + $0.rid }.joined(",") }.joined(";")
        }
        var parts: [String] = []
        if !send.isEmpty { parts.append("send \(list(send))") }
        if !receive.isEmpty { parts.append("recv \(list(receive))") }
        return "simulcast:" + parts.joined(" ")
    }
}

extension [String] {
    fileprivate func joined(_ separator: String) -> String { joined(separator: separator) }
}
