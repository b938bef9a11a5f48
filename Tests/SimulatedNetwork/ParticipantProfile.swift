// What a simulated participant publishes and receives, as data, and the plan that a negotiation would have settled.

public import MediaCore

/// How a simulated microphone sounds.
public struct AudioShape: Sendable, Hashable {
    /// Whether the person speaks; otherwise the stream is silence (with DTX a small packet each 400 ms).
    public var isTalking = true
    /// The level of speech in -dBov (RFC 6464: 0 loudest, 127 silence).
    public var level: UInt8 = 30
    /// Discontinuous transmission while silent (RFC 7587 §3.1.3).
    public var usesDTX = true
    /// The first sequence number; nil draws one.
    public var firstSequence: UInt16?
    /// The first RTP timestamp; nil draws one.
    public var firstTimestamp: UInt32?

    /// A speaking microphone.
    public init() {}

    /// A microphone with these numbers; nil draws them.
    public init(
        isTalking: Bool, level: UInt8 = 30, usesDTX: Bool = true, firstSequence: UInt16? = nil,
        firstTimestamp: UInt32? = nil
    ) {
        self.isTalking = isTalking
        self.level = level
        self.usesDTX = usesDTX
        self.firstSequence = firstSequence
        self.firstTimestamp = firstTimestamp
    }
}

/// One layer of a simulated camera.
public struct VideoLayer: Sendable, Hashable {
    /// Nil for a plain track.
    public var rid: String?
    /// The mean rate, in bits per second.
    public var bitsPerSecond: Int
    /// The height of the picture in pixels.
    public var height: Int

    /// A layer.
    public init(rid: String?, bitsPerSecond: Int, height: Int = 180) {
        self.rid = rid
        self.bitsPerSecond = bitsPerSecond
        self.height = height
    }
}

/// How a simulated camera encodes.
public struct VideoShape: Sendable, Hashable {
    /// Lowest first.
    public var layers: [VideoLayer]
    /// What it is encoded with.
    public var coding = VideoCoding.vp8
    /// Frames per second.
    public var framesPerSecond: Int
    /// One; or two: every second frame is then of temporal layer 1; or three: of four frames one is of layer 0, one of
    /// layer 1, two of layer 2.
    public var temporalLayers: Int
    /// Whether frames of two temporal layers have the sizes that give layer 0 its 60 %; they are of one size otherwise.
    public var keepsShares = false
    /// What the encoder is shown.
    public var motion = Motion.camera
    /// How many times larger than the mean a key frame is.
    public var keyFrameFactor = 6
    /// Whether the frames of a camera behind a key frame are smaller until what that took beyond the mean is made up for, and an
    /// encoding that goes on after a pause needs a second to get going, as a rate control of constant bitrate does it.
    public var repaysKeyFrames = false
    /// Whether every encoding begins anew where one of them is asked for a key frame or goes on after a pause: libwebrtc's
    /// simulcast encoders make key frames of all or of none.
    public var keyFramesTogether = false
    /// Whether RTX was negotiated for what is published.
    public var hasRTX: Bool
    /// Whether the description named the SSRCs; else only mid and rid identify the streams.
    public var namesSSRCs: Bool
    /// Whether frames carry PictureID, TL0PICIDX and KEYIDX.
    public var hasPictureIDs: Bool
    /// The first sequence number; nil draws one.
    public var firstSequence: UInt16?
    /// The first RTP timestamp; nil draws one.
    public var firstTimestamp: UInt32?
    /// The first PictureID, 15 bits; nil draws one.
    public var firstPictureID: UInt16?
    /// The first TL0PICIDX; nil draws one.
    public var firstTemporalLevelZeroIndex: UInt8?

    /// A plain 30 frames per second track of 500 kb/s.
    public init(
        layers: [VideoLayer] = [VideoLayer(rid: nil, bitsPerSecond: 500_000)], framesPerSecond: Int = 30,
        temporalLayers: Int = 1, hasRTX: Bool = true, namesSSRCs: Bool = true, hasPictureIDs: Bool = true,
        firstSequence: UInt16? = nil, firstTimestamp: UInt32? = nil, firstPictureID: UInt16? = nil,
        firstTemporalLevelZeroIndex: UInt8? = nil
    ) {
        self.layers = layers
        self.framesPerSecond = framesPerSecond
        self.temporalLayers = temporalLayers
        self.hasRTX = hasRTX
        self.namesSSRCs = namesSSRCs
        self.hasPictureIDs = hasPictureIDs
        self.firstSequence = firstSequence
        self.firstTimestamp = firstTimestamp
        self.firstPictureID = firstPictureID
        self.firstTemporalLevelZeroIndex = firstTemporalLevelZeroIndex
    }

    /// Three layers with rids q, h and f, identified by mid and rid alone.
    public static var simulcast: VideoShape {
        VideoShape(
            layers: [
                VideoLayer(rid: "q", bitsPerSecond: 150_000), VideoLayer(rid: "h", bitsPerSecond: 500_000),
                VideoLayer(rid: "f", bitsPerSecond: 1_500_000),
            ], namesSSRCs: false)
    }
}

/// One track that a simulated participant publishes.
public struct Publication: Sendable, Hashable {
    /// What the track carries.
    public enum Shape: Sendable, Hashable {
        case audio(AudioShape)
        case video(VideoShape)
    }
    /// The media section.
    public var mid: String
    /// What the track shows or carries.
    public var source: TrackSource
    /// How it sounds or encodes.
    public var shape: Shape
    /// Whether it begins muted.
    public var isMuted = false

    /// A track in this media section.
    public init(mid: String, source: TrackSource, shape: Shape, isMuted: Bool = false) {
        self.mid = mid
        self.source = source
        self.shape = shape
        self.isMuted = isMuted
    }

    /// A microphone in media section "a".
    public static func microphone(_ shape: AudioShape = AudioShape()) -> Publication {
        Publication(mid: "a", source: .microphone, shape: .audio(shape))
    }
    /// A camera in media section "v".
    public static func camera(_ shape: VideoShape = VideoShape()) -> Publication {
        Publication(mid: "v", source: .camera, shape: .video(shape))
    }
}

/// A simulated participant: what it sends, how many slots it receives on, and its network.
public struct ParticipantProfile: Sendable, Hashable {
    /// What the participant publishes.
    public var publications: [Publication]
    /// Receive slots for audio, with mids `ra0` and so on.
    public var audioSlots: Int
    /// Receive slots for video, with mids `rv0` and so on.
    public var videoSlots: Int
    /// The link to the server.
    public var toServer: LinkConditions
    /// The link from the server.
    public var fromServer: LinkConditions
    /// Whether RTX was negotiated for the slots.
    public var slotsHaveRTX: Bool
    /// Whether NACK was negotiated for the slots.
    public var slotsHaveNack = true
    /// How long the client waits for a frame to become decodable before it asks for a key frame; libwebrtc waits 3 s.
    public var frameWait = TimeDelta.seconds(3)
    /// Whether the client sends transport-wide feedback and numbers its packets.
    public var usesTransportFeedback: Bool
    /// How it tells the server what of its packets arrived.
    public var answers = ReceiverAnswers()
    /// What its video slots can decode.
    public var receives = VideoCoding.vp8
    /// Whether it negotiates the Dependency Descriptor, and two-byte header extensions with it.
    public var usesDependencyDescriptor = false

    /// A participant.
    public init(
        _ publications: [Publication], audioSlots: Int = 4, videoSlots: Int = 4,
        toServer: LinkConditions = LinkConditions(), fromServer: LinkConditions = LinkConditions(),
        slotsHaveRTX: Bool = true, usesTransportFeedback: Bool = true
    ) {
        self.publications = publications
        self.audioSlots = audioSlots
        self.videoSlots = videoSlots
        self.toServer = toServer
        self.fromServer = fromServer
        self.slotsHaveRTX = slotsHaveRTX
        self.usesTransportFeedback = usesTransportFeedback
    }
}

/// The numbers that simulated clients negotiate; publishers and slots use different payload types on purpose.
public enum ClientNumbers {
    /// Opus, as publishers number it.
    public static let publishedOpus: UInt8 = 111
    /// VP8, as publishers number it.
    public static let publishedVP8: UInt8 = 96
    /// RTX of VP8, as publishers number it.
    public static let publishedVP8RTX: UInt8 = 97
    /// VP9, as publishers number it; its RTX has the next number.
    public static let publishedVP9: UInt8 = 98
    /// AV1, as publishers number it; its RTX has the next number.
    public static let publishedAV1: UInt8 = 100
    /// VP9, as slots number it.
    public static let slotVP9: UInt8 = 121
    /// RTX of VP9, as slots number it.
    public static let slotVP9RTX: UInt8 = 125
    /// AV1, as slots number it.
    public static let slotAV1: UInt8 = 122
    /// RTX of AV1, as slots number it.
    public static let slotAV1RTX: UInt8 = 126
    /// The Dependency Descriptor extension.
    public static let dependencyDescriptor: UInt8 = 12
    /// Opus, as slots number it.
    public static let slotOpus: UInt8 = 109
    /// VP8, as slots number it.
    public static let slotVP8: UInt8 = 120
    /// RTX of VP8, as slots number it.
    public static let slotVP8RTX: UInt8 = 124
    /// The extension of RFC 6464.
    public static let audioLevel: UInt8 = 1
    /// The abs-send-time extension.
    public static let absoluteSendTime: UInt8 = 2
    /// The transport-wide sequence number extension.
    public static let transportSequence: UInt8 = 3
    /// The mid extension.
    public static let mid: UInt8 = 4
    /// The rid extension.
    public static let rid: UInt8 = 10
    /// The repaired-rid extension.
    public static let repairedRid: UInt8 = 11

    /// The extension map of every simulated client.
    public static func extensions(
        transportFeedback: Bool, dependencyDescriptor usesDescriptor: Bool = false
    ) -> HeaderExtensionMap {
        var map = HeaderExtensionMap()
        map.audioLevel = audioLevel
        map.absoluteSendTime = absoluteSendTime
        map.transportSequence = transportFeedback ? transportSequence : 0
        map.mid = mid
        map.rid = rid
        map.repairedRid = repairedRid
        if usesDescriptor {
            map.dependencyDescriptor = dependencyDescriptor
            map.allowsMixed = true
        }
        return map
    }

    /// The SSRC that a participant sends one encoding on; its RTX has the next number.
    public static func publishedSSRC(peer: UInt32, track: Int, encoding: Int) -> UInt32 {
        0x1000_0000 | (peer & 0xffff) << 8 | UInt32(track & 0xf) << 4 | UInt32(encoding & 7) << 1
    }

    /// The SSRC of one of a participant's slots; its RTX has the next number.
    public static func slotSSRC(peer: UInt32, slot: Int) -> UInt32 {
        0x5000_0000 | (peer & 0xffff) << 8 | UInt32(slot & 0x7f) << 1
    }
}

extension ParticipantProfile {
    /// The plan that a negotiation with this participant would have settled.
    public func plan(peer: UInt32) -> PeerPlan {
        var published: [PublishedTrackPlan] = []
        for (index, publication) in publications.enumerated() {
            guard let mid = Mid(publication.mid) else { continue }
            published.append(track(publication, mid: mid, index: index, peer: peer))
        }
        var slots: [ReceiveSlotPlan] = []
        for index in 0..<(audioSlots + videoSlots) {
            let isAudio = index < audioSlots
            let name = isAudio ? "ra\(index)" : "rv\(index - audioSlots)"
            guard let mid = Mid(name) else { continue }
            slots.append(slot(index, mid: mid, isAudio: isAudio, peer: peer))
        }
        return PeerPlan(
            headerExtensions: ClientNumbers.extensions(
                transportFeedback: usesTransportFeedback, dependencyDescriptor: usesDependencyDescriptor),
            published: published, slots: slots, reducedSizeRTCP: true)
    }

    private func feedback(video: Bool, nack: Bool = true) -> FeedbackPlan {
        FeedbackPlan(
            nack: nack, pictureLossIndication: video, fullIntraRequest: video,
            transportFeedback: usesTransportFeedback)
    }

    private func track(_ publication: Publication, mid: Mid, index: Int, peer: UInt32) -> PublishedTrackPlan {
        switch publication.shape {
        case .audio:
            return PublishedTrackPlan(
                mid: mid, kind: .audio, source: publication.source,
                codecs: [
                    CodecPlan(
                        codec: .opus, payloadType: PayloadType(ClientNumbers.publishedOpus), rtxPayloadType: nil,
                        clockRate: 48_000)
                ],
                encodings: [
                    EncodingPlan(
                        rid: nil, ssrc: SSRC(ClientNumbers.publishedSSRC(peer: peer, track: index, encoding: 0)),
                        rtxSSRC: nil)
                ],
                feedback: feedback(video: false), isMuted: publication.isMuted)
        case .video(let shape):
            let encodings = shape.layers.enumerated().map { number, layer in
                let ssrc = ClientNumbers.publishedSSRC(peer: peer, track: index, encoding: number)
                return EncodingPlan(
                    rid: layer.rid.flatMap { Rid($0) }, ssrc: shape.namesSSRCs ? SSRC(ssrc) : nil,
                    rtxSSRC: shape.namesSSRCs && shape.hasRTX ? SSRC(ssrc + 1) : nil)
            }
            return PublishedTrackPlan(
                mid: mid, kind: .video, source: publication.source,
                codecs: [
                    CodecPlan(
                        codec: shape.coding.codec, payloadType: PayloadType(shape.coding.publishedPayloadType),
                        rtxPayloadType: shape.hasRTX ? PayloadType(shape.coding.publishedPayloadType + 1) : nil,
                        clockRate: 90_000)
                ],
                encodings: encodings, feedback: feedback(video: true), isMuted: publication.isMuted)
        }
    }

    private func slot(_ index: Int, mid: Mid, isAudio: Bool, peer: UInt32) -> ReceiveSlotPlan {
        let ssrc = ClientNumbers.slotSSRC(peer: peer, slot: index)
        let hasRTX = slotsHaveRTX && !isAudio
        let codec =
            isAudio
            ? CodecPlan(
                codec: .opus, payloadType: PayloadType(ClientNumbers.slotOpus), rtxPayloadType: nil,
                clockRate: 48_000)
            : CodecPlan(
                codec: receives.codec, payloadType: PayloadType(receives.slotPayloadType),
                rtxPayloadType: hasRTX ? PayloadType(receives.slotPayloadType + 4) : nil, clockRate: 90_000)
        return ReceiveSlotPlan(
            mid: mid, kind: isAudio ? .audio : .video, ssrc: SSRC(ssrc), rtxSSRC: hasRTX ? SSRC(ssrc + 1) : nil,
            codecs: [codec], feedback: feedback(video: !isAudio, nack: slotsHaveNack))
    }
}
