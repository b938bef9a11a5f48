// The negotiation of one peer connection: offers in, answers out (RFC 8829 §5.3; the client always offers). Keeps the
// media sections, the slots' SSRCs and the session's id from offer to offer. Opens no transport and forwards nothing.
internal import MediaCore
internal import SDP

/// The state of one peer connection's negotiation. A value: an offer that fails leaves it as it was.
public struct Answerer: Sendable {
    /// Candidates that are taken from one offer; those beyond are left out.
    public static let maximumRemoteCandidates = 64
    /// Fingerprints that are taken from one offer; those beyond are left out.
    public static let maximumFingerprints = 8
    /// The RTCP CNAME of all that the server sends: one clock, one name.
    public static let cname = "majlis"

    /// The settings.
    public let configuration: NegotiationConfiguration

    private var sections: [AnsweredSection] = []
    private var slots: [SlotIdentity] = []
    private var sessionID: UInt64?
    private var sessionVersion: UInt64 = 0
    private var remoteCredentials: RemoteCredentials?

    private struct RemoteCredentials: Hashable {
        var userFragment: String
        var password: String
    }

    /// The start of a peer connection's negotiation.
    public init(configuration: NegotiationConfiguration) { self.configuration = configuration }

    /// Reads the transport from an offer without answering it, so that the caller can make the credentials that the
    /// answer needs: fresh ones for the first offer and for a restart, otherwise the old ones.
    /// - Throws: `NegotiationError`, exactly where `answer` would.
    public func examine(offer: [UInt8], inputs: AnswerInputs) throws(NegotiationError) -> OfferExamination {
        let settlement = try settle(offer, inputs)
        return OfferExamination(remote: settlement.remote, isICERestart: isRestart(settlement.remote))
    }

    /// Answers an offer.
    /// - Parameters:
    ///   - offer: the client's session description.
    ///   - inputs: what the peer may do, and what its tracks are.
    ///   - local: the server's end of the transport.
    ///   - random: chance, for new slots' SSRCs and the session's id.
    /// - Throws: `NegotiationError`; the state is unchanged then.
    public mutating func answer(
        offer: [UInt8], inputs: AnswerInputs, local: LocalTransport, random: inout some RandomNumberGenerator
    ) throws(NegotiationError) -> Answer {
        let settlement = try settle(offer, inputs)
        let restarts = isRestart(settlement.remote)
        let id = sessionID ?? random.next() >> 2
        sessionID = id
        sessionVersion &+= 1
        remoteCredentials = RemoteCredentials(
            userFragment: settlement.remote.userFragment, password: settlement.remote.password)
        sections = settlement.sections.map {
            AnsweredSection(mid: $0.mid, kind: $0.offered.kind, isInUse: $0.isAccepted)
        }
        updateSlots(settlement, random: &random)
        let writer = AnswerWriter(
            settlement: settlement, slots: slots, local: local, sessionID: id, sessionVersion: sessionVersion,
            pairedSlots: configuration.pairedSlots)
        return Answer(
            sdp: writer.description().text, plan: plan(settlement), refused: settlement.refused,
            remote: settlement.remote, isICERestart: restarts,
            transportMid: settlement.sections[settlement.transportIndex].mid,
            transportIndex: settlement.transportIndex)
    }

    private func settle(_ bytes: [UInt8], _ inputs: AnswerInputs) throws(NegotiationError) -> Settlement {
        let offer: SessionDescription
        do throws(SDPError) {
            offer = try SessionDescription(parsing: bytes)
        } catch {
            throw .malformed(error)
        }
        var reading = OfferReading(offer: offer, configuration: configuration, inputs: inputs, previous: sections)
        return try reading.settle()
    }

    private func isRestart(_ remote: RemoteTransport) -> Bool {
        guard let remoteCredentials else { return false }
        return remoteCredentials.userFragment != remote.userFragment || remoteCredentials.password != remote.password
    }

    /// Keeps the identity of every slot whose section is still there, in whatever direction, and makes those of new
    /// ones.
    private mutating func updateSlots(_ settlement: Settlement, random: inout some RandomNumberGenerator) {
        let kept = settlement.sections.filter(\.isAccepted)
        slots.removeAll { slot in !kept.contains { $0.mid == slot.mid && $0.kind == slot.kind } }
        var taken: Set<UInt32> = [0]
        for slot in slots { taken.formUnion([slot.ssrc.rawValue, slot.rtxSSRC.rawValue]) }
        for section in settlement.sections {
            for case .ssrc(let source) in section.offered.attributes { taken.insert(source.ssrc) }
        }
        for section in settlement.sections where section.role == .slot {
            guard let kind = section.kind, !slots.contains(where: { $0.mid == section.mid }) else { continue }
            var index = 0
            while slots.contains(where: { $0.kind == kind && $0.index == index }) { index += 1 }
            slots.append(
                SlotIdentity(
                    mid: section.mid, kind: kind, index: index, ssrc: Self.freshSSRC(&taken, &random),
                    rtxSSRC: Self.freshSSRC(&taken, &random)))
        }
    }

    /// A number that is not taken. Counts on from a taken one, so that it ends with any source of chance.
    private static func freshSSRC(_ taken: inout Set<UInt32>, _ random: inout some RandomNumberGenerator) -> SSRC {
        var value = UInt32(truncatingIfNeeded: random.next())
        while !taken.insert(value).inserted { value &+= 1 }
        return SSRC(value)
    }

    private func plan(_ settlement: Settlement) -> PeerPlan {
        var plan = PeerPlan(
            headerExtensions: HeaderExtensionMap(), published: [], slots: [], reducedSizeRTCP: true)
        plan.headerExtensions.allowsMixed = true
        for section in settlement.sections where section.isAccepted {
            plan.headerExtensions.merge(section.extensions)
            plan.headerExtensions.allowsMixed =
                plan.headerExtensions.allowsMixed
                && (settlement.allowsMixedInSession || section.offered.contains(.extensionMappingAllowMixed))
            plan.reducedSizeRTCP = plan.reducedSizeRTCP && section.offered.contains(.rtcpReducedSize)
            switch section.role {
            case .published(let track, attributes: _): plan.published.append(track)
            case .slot:
                guard let slot = slots.first(where: { $0.mid == section.mid }), let mid = Mid(slot.mid),
                    let formats = section.formats
                else { continue }
                plan.slots.append(
                    ReceiveSlotPlan(
                        mid: mid, kind: slot.kind, ssrc: slot.ssrc,
                        rtxSSRC: formats.hasRetransmission ? slot.rtxSSRC : nil, codecs: formats.codecs,
                        feedback: formats.feedback))
            case .inactive, .rejected: continue
            }
        }
        return plan
    }
}

extension Answerer {
    /// Answers an offer given as text, as `answer(offer:inputs:local:random:)` for bytes does.
    /// - Throws: `NegotiationError`; the state is unchanged then.
    public mutating func answer(
        offer: String, inputs: AnswerInputs, local: LocalTransport, random: inout some RandomNumberGenerator
    ) throws(NegotiationError) -> Answer {
        try answer(offer: Array(offer.utf8), inputs: inputs, local: local, random: &random)
    }
}

/// What stays of a slot from offer to offer.
struct SlotIdentity: Hashable {
    var mid: String
    var kind: MediaKind
    /// Its position among the slots of its kind.
    var index: Int
    var ssrc: SSRC
    var rtxSSRC: SSRC
}

extension NegotiatedFormats {
    /// Whether any codec has RTX.
    var hasRetransmission: Bool { codecs.contains { $0.rtxPayloadType != nil } }
}
