// The text of one attribute into its typed form. A known attribute of a wrong form is an error, except a candidate
// (RFC 8839 §5.1: ignore what is not understood), which is kept as text.

extension Attribute {
    /// The attribute whose text after `a=` this is.
    init(parsing bytes: ArraySlice<UInt8>, line: Int) throws(SDPError) {
        let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
        let name = String(decoding: bytes[..<(colon ?? bytes.endIndex)], as: UTF8.self)
        guard !name.isEmpty else { throw SDPError(line: line, reason: "The attribute has no name.") }
        guard let colon else {
            if AttributeParser.namesWithValue.contains(name) {
                throw SDPError(line: line, reason: "The attribute \(name) needs a value.")
            }
            self = AttributeParser.flag(name)
            return
        }
        let value = bytes[(colon + 1)...]
        guard AttributeParser.namesWithValue.contains(name) else {
            self = .other(name: name, value: String(decoding: value, as: UTF8.self))
            return
        }
        guard let attribute = AttributeParser(value: value).attribute(name) else {
            throw SDPError(line: line, reason: "The value of the attribute \(name) is malformed.")
        }
        self = attribute
    }
}

private struct AttributeParser {
    let value: ArraySlice<UInt8>

    static let namesWithValue: Set<String> = [
        "rtpmap", "fmtp", "rtcp-fb", "extmap", "mid", "rid", "simulcast", "ssrc", "ssrc-group", "msid", "setup",
        "fingerprint", "ice-ufrag", "ice-pwd", "ice-options", "candidate", "group",
    ]

    static func flag(_ name: String) -> Attribute {
        if let direction = MediaDirection(rawValue: name) { return .direction(direction) }
        return switch name {
        case "extmap-allow-mixed": .extensionMappingAllowMixed
        case "ice-lite": .iceLite
        case "end-of-candidates": .endOfCandidates
        case "rtcp-mux": .rtcpMux
        case "rtcp-rsize": .rtcpReducedSize
        case "bundle-only": .bundleOnly
        default: .other(name: name, value: nil)
        }
    }

    /// The typed attribute, or nil when the value is malformed.
    func attribute(_ name: String) -> Attribute? {
        switch name {
        case "rtpmap": rtpMap()
        case "fmtp": formatParameters()
        case "rtcp-fb": rtcpFeedback()
        case "extmap": extensionMapping()
        case "mid": oneWord().map { .mid($0) }
        case "rid": rid()
        case "simulcast": simulcast()
        case "ssrc": ssrc()
        case "ssrc-group": ssrcGroup()
        case "msid": mediaStreamID()
        case "setup": oneWord().flatMap(SetupRole.init(rawValue:)).map { .setup($0) }
        case "fingerprint": fingerprint()
        case "ice-ufrag": credential().map { .iceUserFragment($0) }
        case "ice-pwd": credential().map { .icePassword($0) }
        case "ice-options": iceOptions()
        case "candidate":
            Candidate(value: value).map { .candidate($0) }
                ?? .other(name: name, value: String(decoding: value, as: UTF8.self))
        case "group": group()
        default: nil
        }
    }

    private func oneWord() -> String? {
        var words = Words(value)
        guard let word = words.nextText(), words.isAtEnd else { return nil }
        return word
    }

    private func credential() -> String? {
        guard let word = oneWord(), word.utf8.count <= SDPLimits.maximumICECredentialBytes,
            word.utf8.allSatisfy(ASCII.isICECharacter)
        else { return nil }
        return word
    }

    private func rtpMap() -> Attribute? {
        var words = Words(value)
        guard let payloadType = words.nextNumber(atMost: 127), let encoding = words.next(), words.isAtEnd else {
            return nil
        }
        let parts = encoding.split(separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, !parts[0].isEmpty,
            let clockRate = ASCII.number(parts[1], atMost: UInt64(UInt32.max))
        else { return nil }
        var channels: UInt8?
        if parts.count == 3 {
            guard let number = ASCII.number(parts[2], atMost: 255) else { return nil }
            channels = UInt8(number)
        }
        return .rtpMap(
            RTPMap(
                payloadType: UInt8(payloadType), encoding: String(decoding: parts[0], as: UTF8.self),
                clockRate: UInt32(clockRate), channels: channels))
    }

    private func formatParameters() -> Attribute? {
        var words = Words(value)
        guard let format = words.nextText() else { return nil }
        return .formatParameters(FormatParameters(format: format, text: words.remainder() ?? ""))
    }

    private func rtcpFeedback() -> Attribute? {
        var words = Words(value)
        guard let word = words.next(), let feedback = words.remainder() else { return nil }
        if word.elementsEqual("*".utf8) { return .rtcpFeedback(RTCPFeedback(payloadType: nil, value: feedback)) }
        guard let payloadType = ASCII.number(word, atMost: 127) else { return nil }
        return .rtcpFeedback(RTCPFeedback(payloadType: UInt8(payloadType), value: feedback))
    }

    private func extensionMapping() -> Attribute? {
        var words = Words(value)
        guard let number = words.next(), let uri = words.nextText() else { return nil }
        let slash = number.firstIndex(of: UInt8(ascii: "/")) ?? number.endIndex
        guard let identifier = ASCII.number(number[..<slash], atMost: 65_535) else { return nil }
        var direction: MediaDirection?
        if slash != number.endIndex {
            direction = MediaDirection(rawValue: String(decoding: number[(slash + 1)...], as: UTF8.self))
            guard direction != nil else { return nil }
        }
        return .extensionMapping(
            ExtensionMapping(
                identifier: UInt16(identifier), direction: direction, uri: uri, parameters: words.remainder()))
    }

    private func rid() -> Attribute? {
        var words = Words(value)
        guard let identifier = words.next(), identifier.allSatisfy(ASCII.isRidCharacter),
            let direction = words.nextText().flatMap(RidDirection.init(rawValue:))
        else { return nil }
        var rid = RestrictionIdentifier(
            identifier: String(decoding: identifier, as: UTF8.self), direction: direction)
        while let word = words.next() {
            for part in word.split(separator: UInt8(ascii: ";")) {
                guard part.starts(with: "pt=".utf8) else {
                    rid.restrictions.append(String(decoding: part, as: UTF8.self))
                    continue
                }
                for number in part.dropFirst(3).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                    guard let payloadType = ASCII.number(number, atMost: 127) else { return nil }
                    rid.payloadTypes.append(UInt8(payloadType))
                }
            }
        }
        return .rid(rid)
    }

    private func simulcast() -> Attribute? {
        var words = Words(value)
        var simulcast = Simulcast()
        while let word = words.nextText() {
            guard let direction = RidDirection(rawValue: word), let list = words.next().flatMap(streams) else {
                return nil
            }
            switch direction {
            case .send where simulcast.send.isEmpty: simulcast.send = list
            case .recv where simulcast.receive.isEmpty: simulcast.receive = list
            default: return nil
            }
        }
        guard !simulcast.send.isEmpty || !simulcast.receive.isEmpty else { return nil }
        return .simulcast(simulcast)
    }

    private func streams(_ list: ArraySlice<UInt8>) -> [[SimulcastAlternative]]? {
        var streams: [[SimulcastAlternative]] = []
        for stream in list.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false) {
            var alternatives: [SimulcastAlternative] = []
            for part in stream.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                let isPaused = part.first == UInt8(ascii: "~")
                let rid = isPaused ? part.dropFirst() : part
                guard !rid.isEmpty, rid.allSatisfy(ASCII.isRidCharacter) else { return nil }
                alternatives.append(
                    SimulcastAlternative(rid: String(decoding: rid, as: UTF8.self), isPaused: isPaused))
            }
            streams.append(alternatives)
        }
        return streams
    }

    private func ssrc() -> Attribute? {
        var words = Words(value)
        guard let ssrc = words.nextNumber(atMost: UInt64(UInt32.max)), let rest = words.remainder() else { return nil }
        let pair = rest.utf8
        guard let colon = pair.firstIndex(of: UInt8(ascii: ":")) else {
            return .ssrc(SourceAttribute(ssrc: UInt32(ssrc), name: rest, value: nil))
        }
        return .ssrc(
            SourceAttribute(
                ssrc: UInt32(ssrc), name: String(decoding: pair[..<colon], as: UTF8.self),
                value: String(decoding: pair[pair.index(after: colon)...], as: UTF8.self)))
    }

    private func ssrcGroup() -> Attribute? {
        var words = Words(value)
        guard let semantics = words.nextText() else { return nil }
        var ssrcs: [UInt32] = []
        while let word = words.next() {
            guard let ssrc = ASCII.number(word, atMost: UInt64(UInt32.max)) else { return nil }
            ssrcs.append(UInt32(ssrc))
        }
        return .ssrcGroup(SourceGroup(semantics: semantics, ssrcs: ssrcs))
    }

    private func mediaStreamID() -> Attribute? {
        var words = Words(value)
        guard let stream = words.nextText() else { return nil }
        return .mediaStreamID(MediaStreamID(stream: stream, track: words.remainder()))
    }

    private func fingerprint() -> Attribute? {
        var words = Words(value)
        guard let algorithm = words.next(), let hash = words.next(), words.isAtEnd,
            let bytes = Fingerprint.bytes(of: hash)
        else { return nil }
        return .fingerprint(
            Fingerprint(algorithm: String(decoding: ASCII.lowercased(algorithm), as: UTF8.self), bytes: bytes))
    }

    private func iceOptions() -> Attribute? {
        var words = Words(value)
        var options: [String] = []
        while let option = words.nextText() { options.append(option) }
        return options.isEmpty ? nil : .iceOptions(options)
    }

    private func group() -> Attribute? {
        var words = Words(value)
        guard let semantics = words.nextText() else { return nil }
        var mids: [String] = []
        while let mid = words.nextText() { mids.append(mid) }
        return .group(MediaGroup(semantics: semantics, mids: mids))
    }
}
