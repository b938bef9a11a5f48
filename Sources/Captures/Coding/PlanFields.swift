// A peer's plan as fields, in the order of `PeerPlan`'s declaration.
import MediaCore

extension FieldWriter {
    fileprivate static let withRedundancy: UInt8 = 5

    mutating func codec(_ value: Codec) {
        switch value {
        case .opus: byte(0)
        case .vp8: byte(1)
        case .vp9(let profile):
            byte(2)
            byte(profile)
        case .h264(let profile, let packetizationMode):
            byte(3)
            number(UInt64(profile))
            byte(packetizationMode)
        case .av1(let profile):
            byte(4)
            byte(profile)
        }
    }

    /// A codec with RED begins with a number that is no codec's, so that one without stays what it was.
    mutating func codecPlan(_ value: CodecPlan) {
        if let red = value.redPayloadType {
            byte(Self.withRedundancy)
            byte(red.rawValue)
        }
        codec(value.codec)
        byte(value.payloadType.rawValue)
        optional(value.rtxPayloadType) { $0.byte($1.rawValue) }
        number(UInt64(value.clockRate))
    }

    /// One byte: NACK, PLI, FIR and transport feedback from the lowest bit on.
    mutating func feedback(_ value: FeedbackPlan) {
        var bits: UInt8 = 0
        if value.nack { bits |= 1 }
        if value.pictureLossIndication { bits |= 2 }
        if value.fullIntraRequest { bits |= 4 }
        if value.transportFeedback { bits |= 8 }
        byte(bits)
    }

    mutating func headerExtensions(_ value: HeaderExtensionMap) {
        for identifier in [
            value.mid, value.rid, value.repairedRid, value.audioLevel, value.absoluteSendTime, value.transportSequence,
            value.videoOrientation, value.playoutDelay,
        ] { byte(identifier) }
        // Whether two-byte headers may be mixed in, and whether one more identifier follows.
        byte((value.allowsMixed ? 1 : 0) | (value.dependencyDescriptor == 0 ? 0 : 2))
        if value.dependencyDescriptor != 0 { byte(value.dependencyDescriptor) }
    }

    mutating func encoding(_ value: EncodingPlan) {
        optional(value.rid) { $0.token($1.token) }
        optional(value.ssrc) { $0.number(UInt64($1.rawValue)) }
        optional(value.rtxSSRC) { $0.number(UInt64($1.rawValue)) }
    }

    mutating func published(_ value: PublishedTrackPlan) {
        token(value.mid.token)
        byte(value.kind.rawValue)
        byte(value.source.rawValue)
        list(value.codecs) { $0.codecPlan($1) }
        list(value.encodings) { $0.encoding($1) }
        feedback(value.feedback)
        flag(value.isMuted)
    }

    mutating func slot(_ value: ReceiveSlotPlan) {
        token(value.mid.token)
        byte(value.kind.rawValue)
        number(UInt64(value.ssrc.rawValue))
        optional(value.rtxSSRC) { $0.number(UInt64($1.rawValue)) }
        list(value.codecs) { $0.codecPlan($1) }
        feedback(value.feedback)
    }

    mutating func plan(_ value: PeerPlan) {
        headerExtensions(value.headerExtensions)
        list(value.published) { $0.published($1) }
        list(value.slots) { $0.slot($1) }
        flag(value.reducedSizeRTCP)
    }
}

extension FieldReader {
    mutating func codec() -> Codec? {
        switch byte() {
        case 0: return .opus
        case 1: return .vp8
        case 2: return byte().map { .vp9(profile: $0) }
        case 3:
            guard let profile = number(UInt16.self), let mode = byte() else { return nil }
            return .h264(profile: profile, packetizationMode: mode)
        case 4: return byte().map { .av1(profile: $0) }
        default: return nil
        }
    }

    private mutating func payloadType() -> PayloadType? {
        byte().flatMap { $0 < 128 ? PayloadType($0) : nil }
    }

    mutating func codecPlan() -> CodecPlan? {
        var red: PayloadType?
        var ahead = self
        if ahead.byte() == FieldWriter.withRedundancy {
            red = ahead.payloadType()
            guard red != nil else { return nil }
            self = ahead
        }
        guard let codec = codec(), let payloadType = payloadType(), let rtx = optional({ $0.payloadType() }),
            let clockRate = number(UInt32.self)
        else { return nil }
        return CodecPlan(
            codec: codec, payloadType: payloadType, rtxPayloadType: rtx, redPayloadType: red, clockRate: clockRate)
    }

    mutating func feedback() -> FeedbackPlan? {
        guard let bits = byte(), bits < 16 else { return nil }
        return FeedbackPlan(
            nack: bits & 1 != 0, pictureLossIndication: bits & 2 != 0, fullIntraRequest: bits & 4 != 0,
            transportFeedback: bits & 8 != 0)
    }

    mutating func headerExtensions() -> HeaderExtensionMap? {
        var map = HeaderExtensionMap()
        let fields: [WritableKeyPath<HeaderExtensionMap, UInt8>] = [
            \.mid, \.rid, \.repairedRid, \.audioLevel, \.absoluteSendTime, \.transportSequence, \.videoOrientation,
            \.playoutDelay,
        ]
        for field in fields {
            guard let identifier = byte() else { return nil }
            map[keyPath: field] = identifier
        }
        guard let bits = byte(), bits < 4 else { return nil }
        map.allowsMixed = bits & 1 != 0
        if bits & 2 != 0 {
            guard let identifier = byte(), identifier != 0 else { return nil }
            map.dependencyDescriptor = identifier
        }
        return map
    }

    mutating func encoding() -> EncodingPlan? {
        guard let rid = optional({ $0.rid() }), let ssrc = optional({ $0.ssrc() }), let rtx = optional({ $0.ssrc() })
        else { return nil }
        return EncodingPlan(rid: rid, ssrc: ssrc, rtxSSRC: rtx)
    }

    private mutating func kind() -> MediaKind? { byte().flatMap { MediaKind(rawValue: $0) } }

    mutating func published() -> PublishedTrackPlan? {
        guard let mid = mid(), let kind = kind(), let source = byte().flatMap({ TrackSource(rawValue: $0) }),
            let codecs = list({ $0.codecPlan() }), let encodings = list({ $0.encoding() }),
            let feedback = feedback(), let isMuted = flag()
        else { return nil }
        return PublishedTrackPlan(
            mid: mid, kind: kind, source: source, codecs: codecs, encodings: encodings, feedback: feedback,
            isMuted: isMuted)
    }

    mutating func slot() -> ReceiveSlotPlan? {
        guard let mid = mid(), let kind = kind(), let ssrc = ssrc(), let rtx = optional({ $0.ssrc() }),
            let codecs = list({ $0.codecPlan() }), let feedback = feedback()
        else { return nil }
        return ReceiveSlotPlan(mid: mid, kind: kind, ssrc: ssrc, rtxSSRC: rtx, codecs: codecs, feedback: feedback)
    }

    mutating func plan() -> PeerPlan? {
        guard let map = headerExtensions(), let published = list({ $0.published() }), let slots = list({ $0.slot() }),
            let reduced = flag()
        else { return nil }
        return PeerPlan(headerExtensions: map, published: published, slots: slots, reducedSizeRTCP: reduced)
    }
}
