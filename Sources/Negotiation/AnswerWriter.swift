// A settled offer as the answer's session description (RFC 8829 §5.3.1). Decides nothing.
internal import MediaCore
internal import SDP

struct AnswerWriter {
    let settlement: Settlement
    let slots: [SlotIdentity]
    let local: LocalTransport
    let sessionID: UInt64
    let sessionVersion: UInt64
    let pairedSlots: Int

    /// RFC 8829 §5.2.1: neither the address nor the port is used with ICE.
    private static let connection = DescriptionLine(letter: "c", value: "IN IP4 0.0.0.0")
    private static let discardPort: UInt16 = 9

    func description() -> SessionDescription {
        var attributes: [Attribute] = [.group(MediaGroup(semantics: "BUNDLE", mids: settlement.bundle))]
        if settlement.allowsMixedInSession { attributes.append(.extensionMappingAllowMixed) }
        var media: [MediaDescription] = []
        for (index, section) in settlement.sections.enumerated() {
            guard let formats = section.formats, section.isAccepted else {
                media.append(rejected(section))
                continue
            }
            media.append(accepted(section, formats, carriesCandidates: index == settlement.transportIndex))
        }
        return SessionDescription(
            origin: "- \(sessionID) \(sessionVersion) IN IP4 127.0.0.1", attributes: attributes, media: media)
    }

    /// Port 0 and the offered formats (RFC 3264 §6).
    private func rejected(_ section: SettledSection) -> MediaDescription {
        var attributes: [Attribute] = [.direction(.inactive)]
        if !section.mid.isEmpty { attributes.insert(.mid(section.mid), at: 0) }
        return MediaDescription(
            kind: section.offered.kind, port: 0, protocolName: section.offered.protocolName,
            formats: section.offered.formats, lines: [Self.connection], attributes: attributes)
    }

    private func accepted(
        _ section: SettledSection, _ formats: NegotiatedFormats, carriesCandidates: Bool
    ) -> MediaDescription {
        var attributes: [Attribute] = [.mid(section.mid)]
        attributes += transport(carriesCandidates: carriesCandidates)
        if section.offered.contains(.extensionMappingAllowMixed) { attributes.append(.extensionMappingAllowMixed) }
        attributes += section.extensions.map { .extensionMapping($0) }
        attributes.append(.rtcpMux)
        if section.offered.contains(.rtcpReducedSize) { attributes.append(.rtcpReducedSize) }
        attributes += formats.attributes
        attributes += feedback(formats, isSlot: section.role == .slot)
        switch section.role {
        case .published(_, attributes: let encodings):
            attributes.append(.direction(.recvonly))
            attributes += encodings
        case .slot:
            attributes.append(.direction(.sendonly))
            attributes += sources(section, formats)
        case .inactive(attributes: let encodings):
            attributes.append(.direction(.inactive))
            attributes += encodings
        case .rejected: break
        }
        return MediaDescription(
            kind: section.offered.kind, port: Self.discardPort, protocolName: section.offered.protocolName,
            formats: formats.formats, lines: [Self.connection], attributes: attributes)
    }

    /// The same in every section of the bundle, as browsers write it; candidates in the one that carries the transport.
    private func transport(carriesCandidates: Bool) -> [Attribute] {
        var attributes: [Attribute] = [
            .iceUserFragment(local.userFragment), .icePassword(local.password), .iceOptions(["trickle"]),
            .fingerprint(local.fingerprint), .setup(.passive),
        ]
        guard carriesCandidates else { return attributes }
        attributes += local.candidates.compactMap { Candidate($0) }.map { .candidate($0) }
        if local.candidatesAreComplete { attributes.append(.endOfCandidates) }
        return attributes
    }

    private func feedback(_ formats: NegotiatedFormats, isSlot: Bool) -> [Attribute] {
        var values: [String] = []
        if formats.feedback.transportFeedback { values.append("transport-cc") }
        // An estimate by the receiver is of use only where the server is the sender and nothing better was agreed.
        if formats.receiverEstimate && isSlot && !formats.feedback.transportFeedback { values.append("goog-remb") }
        if formats.feedback.fullIntraRequest { values.append("ccm fir") }
        if formats.feedback.nack { values.append("nack") }
        if formats.feedback.pictureLossIndication { values.append("nack pli") }
        return formats.codecs.flatMap { codec in
            values.map { .rtcpFeedback(RTCPFeedback(payloadType: codec.payloadType.rawValue, value: $0)) }
        }
    }

    /// The slot's media stream and SSRCs (RFC 8830, RFC 5576).
    private func sources(_ section: SettledSection, _ formats: NegotiatedFormats) -> [Attribute] {
        guard let slot = slots.first(where: { $0.mid == section.mid }) else { return [] }
        let name = (slot.kind == .audio ? "audio" : "video") + "\(slot.index)"
        let stream = slot.index < pairedSlots ? "slot\(slot.index)" : name
        var attributes: [Attribute] = [.mediaStreamID(MediaStreamID(stream: stream, track: name))]
        var ssrcs = [slot.ssrc.rawValue]
        if formats.hasRetransmission {
            ssrcs.append(slot.rtxSSRC.rawValue)
            attributes.append(.ssrcGroup(SourceGroup(semantics: "FID", ssrcs: ssrcs)))
        }
        attributes += ssrcs.map { .ssrc(SourceAttribute(ssrc: $0, name: "cname", value: Answerer.cname)) }
        return attributes
    }
}
