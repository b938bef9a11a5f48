// The encodings of a section that its offerer sends: simulcast by rid (RFC 8853, RFC 8851), or one stream with the
// SSRCs that the offer names (RFC 5576). Simulcast by `ssrc-group:SIM` is not known; its first source is taken.
internal import MediaCore
internal import SDP

/// What the answer says of a sending section's encodings.
struct OfferedEncodings {
    /// One per rid in the offer's order, or a single one without a rid.
    var encodings: [EncodingPlan]
    /// `a=rid` and `a=simulcast` lines of the answer.
    var attributes: [Attribute]

    /// - Parameter canUseRids: whether the header extension for rids is agreed in the section; without it nothing on the
    ///   wire would tell the encodings apart.
    init(_ section: MediaDescription, formats: NegotiatedFormats, canUseRids: Bool, atMost maximum: Int) {
        let rids = canUseRids ? Self.rids(section, formats: formats, atMost: maximum) : []
        guard rids.isEmpty else {
            encodings = rids.compactMap { Rid($0.identifier) }.map { EncodingPlan(rid: $0, ssrc: nil, rtxSSRC: nil) }
            attributes = rids.map { .rid($0) }
            if Self.offersSimulcast(section) {
                attributes.append(
                    .simulcast(Simulcast(receive: rids.map { [SimulcastAlternative(rid: $0.identifier)] })))
            }
            return
        }
        encodings = [Self.single(section, hasRetransmission: formats.codecs.contains { $0.rtxPayloadType != nil })]
        attributes = []
    }

    private static func offersSimulcast(_ section: MediaDescription) -> Bool {
        for case .simulcast(let simulcast) in section.attributes { return !simulcast.send.isEmpty }
        return false
    }

    /// The rids to receive, as the answer writes them: of each stream the first alternative that can be received.
    private static func rids(
        _ section: MediaDescription, formats: NegotiatedFormats, atMost maximum: Int
    ) -> [RestrictionIdentifier] {
        var offered: [String: RestrictionIdentifier] = [:]
        var names: [String] = []
        for case .rid(let rid) in section.attributes where rid.direction == .send && offered[rid.identifier] == nil {
            offered[rid.identifier] = rid
            names.append(rid.identifier)
        }
        var streams: [[String]] = []
        if offersSimulcast(section) {
            for case .simulcast(let simulcast) in section.attributes {
                streams = simulcast.send.map { $0.map(\.rid) }
                break
            }
        } else if names.count == 1 {
            streams = [names]
        }
        var taken: Set<String> = []
        var answered: [RestrictionIdentifier] = []
        for stream in streams where answered.count < maximum {
            for name in stream {
                guard !taken.contains(name), let rid = offered[name].flatMap({ receivable($0, formats) }) else {
                    continue
                }
                taken.insert(name)
                answered.append(rid)
                break
            }
        }
        return answered
    }

    /// The rid turned round with what is left of its payload types (RFC 8851 §6.3), or nil when nothing is.
    private static func receivable(_ rid: RestrictionIdentifier, _ formats: NegotiatedFormats) -> RestrictionIdentifier?
    {
        guard Rid(rid.identifier) != nil else { return nil }
        var answer = rid
        answer.direction = .recv
        answer.payloadTypes = rid.payloadTypes.filter { type in
            formats.codecs.contains { $0.payloadType.rawValue == type }
        }
        return answer.payloadTypes.isEmpty && !rid.payloadTypes.isEmpty ? nil : answer
    }

    /// The one stream without a rid, with the SSRCs that the offer names.
    private static func single(_ section: MediaDescription, hasRetransmission: Bool) -> EncodingPlan {
        for case .ssrcGroup(let group) in section.attributes {
            guard group.semantics == "FID", group.ssrcs.count == 2, group.ssrcs[0] != 0 else { continue }
            let rtx = hasRetransmission && group.ssrcs[1] != 0 ? SSRC(group.ssrcs[1]) : nil
            return EncodingPlan(rid: nil, ssrc: SSRC(group.ssrcs[0]), rtxSSRC: rtx)
        }
        for case .ssrc(let source) in section.attributes where source.ssrc != 0 {
            return EncodingPlan(rid: nil, ssrc: SSRC(source.ssrc), rtxSSRC: nil)
        }
        return EncodingPlan(rid: nil, ssrc: nil, rtxSSRC: nil)
    }
}
