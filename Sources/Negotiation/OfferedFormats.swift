// The payload types of one offered media section in a table, and the choice among them: which codecs the answer holds,
// with what parameters and feedback (RFC 8829 §5.3.1, RFC 4588, RFC 6184 §8.2, RFC 7587 §7). Knows no direction.
internal import MediaCore
internal import SDP

/// What the answer says of a section's payload types.
struct NegotiatedFormats: Hashable {
    /// In the order of the answer: the server's preference, within one codec the offerer's.
    var codecs: [CodecPlan]
    var feedback: FeedbackPlan
    /// Whether `goog-remb` is offered for every codec.
    var receiverEstimate: Bool
    /// The formats of the `m=` line.
    var formats: [String]
    /// `rtpmap` and `fmtp` lines, each with its place.
    var attributes: [Attribute]
}

/// An offered section's payload types.
struct OfferedFormats {
    /// Payload types are seven bits (RFC 3551 §3).
    static let count = 128

    /// Valid payload types in the order of the `m=` line, none twice.
    private var order: [UInt8] = []
    private var maps = [RTPMap?](repeating: nil, count: count)
    private var parameters = [FormatParameters?](repeating: nil, count: count)
    private var feedback = [Set<String>](repeating: [], count: count)
    private var feedbackForAll: Set<String> = []
    /// For each payload type the first offered RTX payload type whose `apt` it is (RFC 4588 §8.1).
    private var retransmissions = [UInt8?](repeating: nil, count: count)
    /// For each payload type the first offered payload type that carries it redundantly, and nothing else (RFC 2198 §5).
    private var redundancies = [UInt8?](repeating: nil, count: count)

    init(_ section: MediaDescription) {
        var isListed = [Bool](repeating: false, count: Self.count)
        for format in section.formats {
            guard let payloadType = UInt8(format), payloadType < 128, !isListed[Int(payloadType)] else { continue }
            isListed[Int(payloadType)] = true
            order.append(payloadType)
        }
        for attribute in section.attributes {
            switch attribute {
            case .rtpMap(let map) where map.payloadType < 128 && maps[Int(map.payloadType)] == nil:
                maps[Int(map.payloadType)] = map
            case .formatParameters(let fmtp):
                guard let payloadType = UInt8(fmtp.format), payloadType < 128, parameters[Int(payloadType)] == nil
                else { continue }
                parameters[Int(payloadType)] = fmtp
            case .rtcpFeedback(let line):
                if let payloadType = line.payloadType, payloadType < 128 {
                    feedback[Int(payloadType)].insert(line.value)
                } else if line.payloadType == nil {
                    feedbackForAll.insert(line.value)
                }
            default: continue
            }
        }
        for payloadType in order where maps[Int(payloadType)]?.encoding.lowercased() == "rtx" {
            guard let apt = parameters[Int(payloadType)]?.value(of: "apt").flatMap({ UInt8($0) }), apt < 128,
                retransmissions[Int(apt)] == nil, maps[Int(apt)]?.clockRate == maps[Int(payloadType)]?.clockRate
            else { continue }
            retransmissions[Int(apt)] = payloadType
        }
        for payloadType in order {
            guard let map = maps[Int(payloadType)], map.encoding.lowercased() == "red",
                let carried = carriedAlone(by: payloadType), redundancies[Int(carried)] == nil,
                let own = maps[Int(carried)], own.clockRate == map.clockRate, own.channels == map.channels
            else { continue }
            redundancies[Int(carried)] = payloadType
        }
    }

    /// The one payload type that the blocks of a redundant one have, or nil where they have several or it is not offered.
    private func carriedAlone(by payloadType: UInt8) -> UInt8? {
        let blocks = Set((parameters[Int(payloadType)]?.text ?? "").split(separator: "/").map { UInt8($0) })
        guard blocks.count == 1, let carried = blocks.first ?? nil, carried < 128, carried != payloadType else {
            return nil
        }
        return carried
    }

    /// The answer's payload types, or nil when no codec of the list is offered.
    /// - Parameter wantsStereo: whether two channels are asked of an Opus sender that would receive two itself. A voice
    ///   gains nothing by them.
    /// - Parameter allowsRedundancy: whether Opus may travel in RED too.
    func negotiated(
        _ names: [CodecName], kind: MediaKind, wantsStereo: Bool, allowsRedundancy: Bool
    ) -> NegotiatedFormats? {
        var result = NegotiatedFormats(
            codecs: [],
            feedback: FeedbackPlan(
                nack: true, pictureLossIndication: true, fullIntraRequest: true, transportFeedback: true),
            receiverEstimate: true, formats: [], attributes: [])
        for name in names where name.kind == kind {
            for payloadType in order {
                guard let map = maps[Int(payloadType)],
                    let codec = codec(map, parameters[Int(payloadType)], as: name)
                else { continue }
                append(map, codec, wantsStereo: wantsStereo, to: &result)
                if allowsRedundancy, codec == .opus { appendRedundancy(of: payloadType, to: &result) }
            }
        }
        return result.codecs.isEmpty ? nil : result
    }

    /// The first offered payload type that names its encoding, whatever it is, for a section that stays though its
    /// codecs are not in the list: an answer names at least one format (RFC 3264 §6.1), and nobody sends it.
    var first: NegotiatedFormats? {
        guard let map = order.lazy.compactMap({ maps[Int($0)] }).first else { return nil }
        var attributes: [Attribute] = [.rtpMap(map)]
        if let fmtp = parameters[Int(map.payloadType)] { attributes.append(.formatParameters(fmtp)) }
        return NegotiatedFormats(
            codecs: [],
            feedback: FeedbackPlan(
                nack: false, pictureLossIndication: false, fullIntraRequest: false, transportFeedback: false),
            receiverEstimate: false, formats: ["\(map.payloadType)"], attributes: attributes)
    }

    private func append(_ map: RTPMap, _ codec: Codec, wantsStereo: Bool, to result: inout NegotiatedFormats) {
        let rtx = retransmissions[Int(map.payloadType)]
        guard !result.codecs.contains(where: { $0.payloadType.rawValue == map.payloadType }) else { return }
        result.codecs.append(
            CodecPlan(
                codec: codec, payloadType: PayloadType(map.payloadType), rtxPayloadType: rtx.map { PayloadType($0) },
                clockRate: map.clockRate))
        result.formats.append("\(map.payloadType)")
        result.attributes.append(.rtpMap(map))
        if let text = answeredParameters(
            codec, parameters[Int(map.payloadType)], wantsStereo: wantsStereo)
        {
            result.attributes.append(.formatParameters(FormatParameters(format: "\(map.payloadType)", text: text)))
        }
        if let rtx {
            result.formats.append("\(rtx)")
            result.attributes.append(.rtpMap(RTPMap(payloadType: rtx, encoding: "rtx", clockRate: map.clockRate)))
            result.attributes.append(
                .formatParameters(FormatParameters(format: "\(rtx)", text: "apt=\(map.payloadType)")))
        }
        let offered = feedback[Int(map.payloadType)]
        func has(_ value: String) -> Bool { offered.contains(value) || feedbackForAll.contains(value) }
        result.feedback.nack = result.feedback.nack && has("nack")
        result.feedback.pictureLossIndication = result.feedback.pictureLossIndication && has("nack pli")
        result.feedback.fullIntraRequest = result.feedback.fullIntraRequest && has("ccm fir")
        result.feedback.transportFeedback = result.feedback.transportFeedback && has("transport-cc")
        result.receiverEstimate = result.receiverEstimate && has("goog-remb")
    }

    /// Adds RED to the codec that was appended last, before or behind it as it was offered: browsers send what comes first.
    private func appendRedundancy(of payloadType: UInt8, to result: inout NegotiatedFormats) {
        guard let red = redundancies[Int(payloadType)], let map = maps[Int(red)], let own = result.codecs.indices.last,
            result.codecs[own].payloadType.rawValue == payloadType,
            let place = result.formats.firstIndex(of: "\(payloadType)"), !result.formats.contains("\(red)")
        else { return }
        result.codecs[own].redPayloadType = PayloadType(red)
        let isPreferred = order.first { $0 == red || $0 == payloadType } == red
        result.formats.insert("\(red)", at: isPreferred ? place : place + 1)
        result.attributes.append(.rtpMap(map))
        if let fmtp = parameters[Int(red)] { result.attributes.append(.formatParameters(fmtp)) }
    }

    /// The codec that a payload type is, when it is the named one in a form that can be forwarded.
    private func codec(_ map: RTPMap, _ fmtp: FormatParameters?, as name: CodecName) -> Codec? {
        guard map.encoding.lowercased() == name.rawValue else { return nil }
        switch name {
        case .opus:
            return map.clockRate == 48_000 && map.channels == 2 ? .opus : nil
        case .vp8:
            return map.clockRate == 90_000 ? .vp8 : nil
        case .vp9:
            guard map.clockRate == 90_000, let profile = UInt8(fmtp?.value(of: "profile-id") ?? "0"), profile <= 3
            else { return nil }
            return .vp9(profile: profile)
        case .av1:
            guard map.clockRate == 90_000, let profile = UInt8(fmtp?.value(of: "profile") ?? "0"), profile <= 2
            else { return nil }
            return .av1(profile: profile)
        case .h264:
            // RFC 6184 §8.1: baseline without constraints at level 1, and mode 0, where the offer names none.
            guard map.clockRate == 90_000, let mode = UInt8(fmtp?.value(of: "packetization-mode") ?? "0"), mode <= 1,
                let profile = H264Profile(profileLevelID: fmtp?.value(of: "profile-level-id") ?? "42000a")
            else { return nil }
            return .h264(profile: profile.rawValue, packetizationMode: mode)
        }
    }

    /// The parameters that the answer gives a codec.
    private func answeredParameters(_ codec: Codec, _ fmtp: FormatParameters?, wantsStereo: Bool) -> String? {
        func echo(_ names: String...) -> [String] {
            names.compactMap { name in fmtp?.value(of: name).flatMap { $0.isEmpty ? nil : "\(name)=\($0)" } }
        }
        // RFC 7587 §7.1: these say what their writer wants to receive. Packets are forwarded as they are, so forward
        // error correction is always wanted, and the rest as the client would have it.
        let parts: [String] =
            switch codec {
            case .opus: echo("minptime") + ["useinbandfec=1"] + echo("usedtx") + (wantsStereo ? echo("stereo") : [])
            case .vp8: []
            case .vp9: echo("profile-id")
            case .av1: echo("level-idx", "profile", "tier")
            case .h264: echo("level-asymmetry-allowed", "packetization-mode", "profile-level-id")
            }
        return parts.isEmpty ? nil : parts.joined(separator: ";")
    }
}

/// An H.264 profile (RFC 6184 §8.1, table 5): profile_idc and profile-iop, one value for each profile, so that equal
/// profiles written differently compare equal.
enum H264Profile: UInt16 {
    case constrainedBaseline = 0x42e0
    case baseline = 0x4200
    case main = 0x4d00
    case high = 0x6400
    case constrainedHigh = 0x640c

    /// The profile of six hexadecimal digits, or nil for a profile that is not forwarded.
    init?(profileLevelID text: String) {
        guard text.utf8.count == 6, let value = UInt32(text, radix: 16) else { return nil }
        let iop = UInt8(truncatingIfNeeded: value >> 8)
        switch value >> 16 {
        case 0x42: self = iop & 0x40 != 0 ? .constrainedBaseline : .baseline
        case 0x4d: self = iop & 0x80 != 0 ? .constrainedBaseline : .main
        case 0x58 where iop & 0xc0 == 0xc0: self = .constrainedBaseline
        case 0x64: self = iop & 0x0c == 0x0c ? .constrainedHigh : .high
        default: return nil
        }
    }
}
