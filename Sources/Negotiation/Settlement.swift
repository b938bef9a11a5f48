// What becomes of each media section of an offer (RFC 8829 §5.3.1, RFC 9143 §7.3), before the server's own numbers are
// added. Reads the state of the negotiation and changes nothing.
internal import MediaCore
internal import SDP

/// What a media section is to the server.
enum SectionRole: Hashable {
    /// Answered with port 0.
    case rejected
    /// Kept, and nobody sends. Simulcast that is offered is answered all the same: without it a browser forgets its
    /// encodings, and the section could only come back with one.
    case inactive(attributes: [Attribute])
    /// The client sends.
    case published(PublishedTrackPlan, attributes: [Attribute])
    /// The server sends.
    case slot
}

/// One media section, settled.
struct SettledSection {
    var offered: MediaDescription
    var mid: String
    var kind: MediaKind?
    var role: SectionRole
    /// Nil only for a rejected section.
    var formats: NegotiatedFormats?
    var extensions: [ExtensionMapping] = []

    var isAccepted: Bool { role != .rejected }
}

/// A whole offer, settled.
struct Settlement {
    var sections: [SettledSection] = []
    var refused: [Refusal] = []
    /// The mids of the accepted sections in the order of the offer's BUNDLE group; the first carries the transport.
    var bundle: [String] = []
    /// The position of the section that carries the transport.
    var transportIndex = 0
    var remote: RemoteTransport
    /// `a=extmap-allow-mixed` for the whole session.
    var allowsMixedInSession: Bool
}

/// What the answer before said of the section at one position.
struct AnsweredSection: Hashable {
    var mid: String
    var kind: String
    /// Whether it was answered with a port other than 0.
    var isInUse: Bool
}

/// Settles one offer.
struct OfferReading {
    let offer: SessionDescription
    let configuration: NegotiationConfiguration
    let inputs: AnswerInputs
    let previous: [AnsweredSection]

    private var publishedCount = 0
    private var slotCount = 0
    private var refused: [Refusal] = []

    init(
        offer: SessionDescription, configuration: NegotiationConfiguration, inputs: AnswerInputs,
        previous: [AnsweredSection]
    ) {
        self.offer = offer
        self.configuration = configuration
        self.inputs = inputs
        self.previous = previous
    }

    mutating func settle() throws(NegotiationError) -> Settlement {
        guard offer.media.count <= configuration.maximumMediaSections else {
            throw .tooManyMediaSections(configuration.maximumMediaSections)
        }
        try checkContinuity()
        let bundleMids = offer.groups.first { $0.semantics == "BUNDLE" }?.mids ?? []
        let bundled = Set(bundleMids)
        let allowsMixed = offer.attributes.contains(.extensionMappingAllowMixed)
        let numbers = try HeaderExtensions(
            offer.media.lazy.filter { !$0.isStopped && ($0.mid.map(bundled.contains) ?? false) })
        var sections: [SettledSection] = []
        for (index, media) in offer.media.enumerated() {
            let isTag = media.mid != nil && media.mid == bundleMids.first
            let wasInUse = index < previous.count && previous[index].isInUse
            sections.append(
                settle(
                    media, isBundled: media.mid.map(bundled.contains) ?? false, mustStay: isTag || wasInUse,
                    numbers, allowsMixed))
        }
        var positions: [String: Int] = [:]
        for (index, section) in sections.enumerated() where section.isAccepted { positions[section.mid] = index }
        var bundle: [String] = []
        for mid in bundleMids where positions[mid] != nil && bundle.count < sections.count && !bundle.contains(mid) {
            bundle.append(mid)
        }
        guard let transportIndex = bundle.first.flatMap({ positions[$0] }) else { throw .nothingAccepted(refused) }
        let tag = offer.media.first { $0.mid != nil && $0.mid == bundleMids.first } ?? offer.media[transportIndex]
        return Settlement(
            sections: sections, refused: refused, bundle: bundle, transportIndex: transportIndex,
            remote: try RemoteTransport(session: offer, section: offer.media[transportIndex], tag: tag),
            allowsMixedInSession: allowsMixed)
    }

    /// Sections keep their places, mids and kinds from offer to offer (RFC 8829 §5.2.2); only those not in use may be
    /// recycled.
    private func checkContinuity() throws(NegotiationError) {
        guard offer.media.count >= previous.count else { throw .missingMediaSection }
        var seen: Set<String> = []
        for (index, media) in offer.media.enumerated() {
            if let mid = media.mid {
                guard Mid(mid) != nil else { throw .invalidMid }
                guard seen.insert(mid).inserted else { throw .duplicateMid(mid) }
            }
            guard index < previous.count, previous[index].isInUse else { continue }
            if media.isStopped && media.mid == nil { continue }
            guard media.mid == previous[index].mid, media.kind == previous[index].kind else {
                throw .changedMediaSection(index)
            }
        }
    }

    /// - Parameter mustStay: whether the section carries the transport of all or may have come to, so that it cannot be
    ///   rejected alone (Chromium takes the rejection of the first section of a bundle for that of the whole bundle): it
    ///   stays when it is refused, and nobody sends on it.
    private mutating func settle(
        _ media: MediaDescription, isBundled: Bool, mustStay: Bool, _ numbers: HeaderExtensions, _ allowsMixed: Bool
    ) -> SettledSection {
        var section = SettledSection(
            offered: media, mid: media.mid ?? "", kind: media.mediaKind, role: .rejected, formats: nil)
        guard !media.isStopped else { return section }
        if let reason = reasonAgainst(media, isBundled: isBundled) {
            refused.append(Refusal(mid: section.mid, reason: reason))
            return section
        }
        guard let kind = section.kind, let mid = Mid(section.mid) else { return section }
        let direction = media.direction ?? offer.sessionDirection ?? .sendrecv
        let declared = inputs.tracks.first { $0.mid == section.mid }
        let source = declared?.source ?? (kind == .audio ? .microphone : .camera)
        let offered = OfferedFormats(media)
        guard
            var formats = offered.negotiated(
                configuration.codecs, kind: kind, wantsStereo: direction.sends && source == .screenAudio,
                allowsRedundancy: !inputs.isEncrypted)
        else {
            refused.append(Refusal(mid: section.mid, reason: .unsupportedCodec))
            if mustStay, let unused = offered.first {
                section.formats = unused
                section.role = .inactive(attributes: [])
            }
            return section
        }
        section.extensions = numbers.answered(
            media, kind: kind, direction: direction.sends ? .recvonly : direction.reversed,
            allowsMixed: allowsMixed || media.contains(.extensionMappingAllowMixed))
        formats.feedback.transportFeedback =
            formats.feedback.transportFeedback
            && section.extensions.contains { $0.uri == KnownExtension.transportSequence.uri }
        section.formats = formats
        let encodings = OfferedEncodings(
            media, formats: formats, canUseRids: section.extensions.contains { $0.uri == KnownExtension.rid.uri },
            atMost: configuration.maximumEncodings)
        let track = PublishedTrackPlan(
            mid: mid, kind: kind, source: source, codecs: formats.codecs, encodings: encodings.encodings,
            feedback: formats.feedback, isMuted: declared?.isMuted ?? false)
        if let refusal = giveRole(to: &section, direction: direction, track, encodings.attributes) {
            refused.append(Refusal(mid: section.mid, reason: refusal))
            if mustStay { section.role = .inactive(attributes: encodings.attributes) }
        }
        return section
    }

    /// Gives a section whose form is sound its role, or says why it gets none.
    /// - Parameters:
    ///   - track: what it is if it sends.
    ///   - encodings: what the answer says of its encodings.
    private mutating func giveRole(
        to section: inout SettledSection, direction: MediaDirection, _ track: PublishedTrackPlan,
        _ encodings: [Attribute]
    ) -> RefusalReason? {
        switch direction {
        case .inactive:
            section.role = .inactive(attributes: encodings)
        case .recvonly:
            guard inputs.permissions.canSubscribe else { return .notPermitted }
            guard slotCount < configuration.maximumSlots else { return .tooManySlots }
            slotCount += 1
            section.role = .slot
        case .sendonly, .sendrecv:
            guard track.source.kind == track.kind else { return .malformed }
            guard inputs.permissions.publishableSources.contains(track.source) else { return .notPermitted }
            guard publishedCount < configuration.maximumPublishedTracks else { return .tooManyTracks }
            publishedCount += 1
            section.role = .published(track, attributes: encodings)
        }
        return nil
    }

    /// Why a section cannot be accepted whatever its direction, or nil.
    private func reasonAgainst(_ media: MediaDescription, isBundled: Bool) -> RefusalReason? {
        if media.kind == "application" { return .dataChannelsUnsupported }
        guard media.mediaKind != nil, MediaDescription.acceptedProtocols.contains(media.protocolName) else {
            return .unsupportedMedia
        }
        if !isBundled { return .notBundled }
        if !media.contains(.rtcpMux) { return .noRtcpMux }
        return nil
    }
}

extension TrackSource {
    /// Whether it carries sound or pictures.
    var kind: MediaKind {
        switch self {
        case .microphone, .screenAudio: .audio
        case .camera, .screen: .video
        }
    }
}

extension SessionDescription {
    /// The direction of sections that write none.
    var sessionDirection: MediaDirection? {
        for case .direction(let direction) in attributes { return direction }
        return nil
    }
}

extension MediaDescription {
    /// RFC 8829 §5.1.2 has the first for all that is new and the second for TCP; the third is written by old clients.
    static let acceptedProtocols: Set<String> = ["UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF"]

    /// Rejected or stopped by its offerer: port 0, and not for being in a bundle alone (RFC 9143 §7.2.1).
    var isStopped: Bool { port == 0 && !contains(.bundleOnly) }

    /// Audio or video, or nil.
    var mediaKind: MediaKind? {
        switch kind {
        case "audio": .audio
        case "video": .video
        default: nil
        }
    }
}
