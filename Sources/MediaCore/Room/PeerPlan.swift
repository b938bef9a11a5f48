// What a negotiation settled for one peer, in the terms the core forwards by. Built by Negotiation, applied as a
// command. Holds no names of people and no session description.

/// One peer of a room: its number, unique within the room and never used twice, and the CSRC of what it publishes.
public struct PeerID: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The participant's number in the room.
    public var rawValue: UInt32
    /// The peer with this number.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    /// Whether the first peer's number is smaller.
    @inlinable public static func < (a: PeerID, b: PeerID) -> Bool { a.rawValue < b.rawValue }
}

/// Audio or video.
public enum MediaKind: UInt8, Hashable, Sendable { case audio, video }

/// What a track shows or carries, as its publisher says.
public enum TrackSource: UInt8, Hashable, Sendable, CaseIterable { case microphone, camera, screen, screenAudio }

/// A codec that the core can forward (the name of RFC 8866 `a=rtpmap`, and for H264 and VP9 what tells variants apart).
public enum Codec: Hashable, Sendable {
    /// RFC 7587.
    case opus
    /// RFC 7741.
    case vp8
    /// RFC 9628, with its profile number.
    case vp9(profile: UInt8)
    /// RFC 6184, with profile_idc and profile-iop (16 bits of profile-level-id) and packetization mode 0 or 1.
    case h264(profile: UInt16, packetizationMode: UInt8)
    /// AV1 RTP specification 1.0, with its profile number.
    case av1(profile: UInt8)
}

/// One codec as it is numbered in one media section.
public struct CodecPlan: Hashable, Sendable {
    /// The codec.
    public var codec: Codec
    /// Its payload type in this media section.
    public var payloadType: PayloadType
    /// The payload type of its retransmissions (RFC 4588), or nil where RTX was not negotiated.
    public var rtxPayloadType: PayloadType?
    /// The payload type of packets that carry earlier ones beside themselves (RFC 2198), every block of them this codec; nil
    /// where RED was not negotiated.
    public var redPayloadType: PayloadType?
    /// RTP clock rate in hertz.
    public var clockRate: UInt32

    /// A codec with its numbers.
    public init(
        codec: Codec, payloadType: PayloadType, rtxPayloadType: PayloadType?, redPayloadType: PayloadType? = nil,
        clockRate: UInt32
    ) {
        self.codec = codec
        self.payloadType = payloadType
        self.rtxPayloadType = rtxPayloadType
        self.redPayloadType = redPayloadType
        self.clockRate = clockRate
    }
}

/// The RTCP feedback that a media section may use (RFC 4585, RFC 5104).
public struct FeedbackPlan: Hashable, Sendable {
    /// Generic NACK (RFC 4585 §6.2.1).
    public var nack: Bool
    /// Picture loss indication (RFC 4585 §6.3.1).
    public var pictureLossIndication: Bool
    /// Full intra request (RFC 5104 §4.3.1).
    public var fullIntraRequest: Bool
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    public var transportFeedback: Bool

    /// The feedback that was agreed.
    public init(nack: Bool, pictureLossIndication: Bool, fullIntraRequest: Bool, transportFeedback: Bool) {
        self.nack = nack
        self.pictureLossIndication = pictureLossIndication
        self.fullIntraRequest = fullIntraRequest
        self.transportFeedback = transportFeedback
    }
}

/// The identifiers (RFC 8285, 1 to 255; 0 where absent) of the header extensions that the core reads or writes, the
/// same for every bundled media section.
public struct HeaderExtensionMap: Hashable, Sendable, BitwiseCopyable {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    public var mid: UInt8 = 0
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`
    public var rid: UInt8 = 0
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`
    public var repairedRid: UInt8 = 0
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464)
    public var audioLevel: UInt8 = 0
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    public var absoluteSendTime: UInt8 = 0
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    public var transportSequence: UInt8 = 0
    /// `urn:3gpp:video-orientation`
    public var videoOrientation: UInt8 = 0
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`
    public var playoutDelay: UInt8 = 0
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`
    public var dependencyDescriptor: UInt8 = 0
    /// Whether `a=extmap-allow-mixed` was agreed, so that two-byte headers may be sent where they are needed.
    public var allowsMixed: Bool = false

    /// A map with no extension.
    public init() {}
}

/// One encoding of a published track: its rid when it is simulcast, its SSRCs when the description named them.
public struct EncodingPlan: Hashable, Sendable {
    /// Its rid; nil for the one encoding of a plain track.
    public var rid: Rid?
    /// Its SSRC; nil where it is learned from packets.
    public var ssrc: SSRC?
    /// The SSRC of its retransmissions; nil where there is none or it is learned.
    public var rtxSSRC: SSRC?

    /// An encoding.
    public init(rid: Rid?, ssrc: SSRC?, rtxSSRC: SSRC?) {
        self.rid = rid
        self.ssrc = ssrc
        self.rtxSSRC = rtxSSRC
    }
}

/// One track that a peer publishes: one media section that it sends on.
public struct PublishedTrackPlan: Hashable, Sendable {
    /// The media section.
    public var mid: Mid
    /// Audio or video.
    public var kind: MediaKind
    /// What it shows or carries.
    public var source: TrackSource
    /// In the peer's order of preference; every one may arrive.
    public var codecs: [CodecPlan]
    /// One for a plain track; one per rid, lowest layer first, for simulcast.
    public var encodings: [EncodingPlan]
    /// The feedback that may be used.
    public var feedback: FeedbackPlan
    /// Whether it begins muted; later changes come as commands.
    public var isMuted: Bool

    /// A published track.
    public init(
        mid: Mid, kind: MediaKind, source: TrackSource, codecs: [CodecPlan], encodings: [EncodingPlan],
        feedback: FeedbackPlan, isMuted: Bool
    ) {
        self.mid = mid
        self.kind = kind
        self.source = source
        self.codecs = codecs
        self.encodings = encodings
        self.feedback = feedback
        self.isMuted = isMuted
    }
}

/// One receive slot: a media section on which the server sends, with one SSRC (and one for RTX) for its whole life.
public struct ReceiveSlotPlan: Hashable, Sendable {
    /// The media section.
    public var mid: Mid
    /// Audio or video.
    public var kind: MediaKind
    /// The SSRC of everything that is sent on it.
    public var ssrc: SSRC
    /// Nil where RTX was not negotiated.
    public var rtxSSRC: SSRC?
    /// The codecs that may be sent on it.
    public var codecs: [CodecPlan]
    /// The feedback that may be used.
    public var feedback: FeedbackPlan

    /// A receive slot.
    public init(
        mid: Mid, kind: MediaKind, ssrc: SSRC, rtxSSRC: SSRC?, codecs: [CodecPlan], feedback: FeedbackPlan
    ) {
        self.mid = mid
        self.kind = kind
        self.ssrc = ssrc
        self.rtxSSRC = rtxSSRC
        self.codecs = codecs
        self.feedback = feedback
    }
}

/// Everything a negotiation settled for one peer. Applying a new plan keeps what did not change: a slot or a track with
/// an equal `mid` goes on with its state.
public struct PeerPlan: Hashable, Sendable {
    /// The header extensions of the bundle.
    public var headerExtensions: HeaderExtensionMap
    /// What the peer sends.
    public var published: [PublishedTrackPlan]
    /// What it receives on.
    public var slots: [ReceiveSlotPlan]
    /// RTCP reduced size (RFC 5506) was agreed.
    public var reducedSizeRTCP: Bool

    /// A plan.
    public init(
        headerExtensions: HeaderExtensionMap, published: [PublishedTrackPlan], slots: [ReceiveSlotPlan],
        reducedSizeRTCP: Bool
    ) {
        self.headerExtensions = headerExtensions
        self.published = published
        self.slots = slots
        self.reducedSizeRTCP = reducedSizeRTCP
    }
}
