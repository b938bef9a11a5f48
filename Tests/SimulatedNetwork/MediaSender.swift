// The sending half of a simulated client: Opus-like audio with levels and DTX, VP8-like video with key frames on
// request, simulcast, retransmission over RTX and sender reports. Media bytes are noise; only what a forwarder reads
// is true.

public import MediaCore

/// What senders of one participant share.
public struct SendingContext: Sendable {
    /// The next transport-wide sequence number.
    public var transportSequence: UInt16
    /// Whether packets carry it.
    public var numbersPackets: Bool
    /// The present.
    public var now: Timestamp

    /// The extensions that every packet carries: abs-send-time and the transport-wide number.
    mutating func commonExtensions() -> [(id: UInt8, value: [UInt8])] {
        let nanoseconds = now.nanoseconds
        let seconds = nanoseconds / 1_000_000_000 & 0x3f
        let fraction = (nanoseconds % 1_000_000_000 << 18) / 1_000_000_000
        let time = UInt32(truncatingIfNeeded: seconds << 18 | fraction)
        var result: [(id: UInt8, value: [UInt8])] = [
            (
                ClientNumbers.absoluteSendTime,
                [
                    UInt8(truncatingIfNeeded: time >> 16), UInt8(truncatingIfNeeded: time >> 8),
                    UInt8(truncatingIfNeeded: time),
                ]
            )
        ]
        if numbersPackets {
            result.append(
                (
                    ClientNumbers.transportSequence,
                    [UInt8(transportSequence >> 8), UInt8(truncatingIfNeeded: transportSequence)]
                ))
            transportSequence &+= 1
        }
        return result
    }
}

/// The NTP time (32.32 fixed point) that simulated senders put into their reports.
public func simulatedNTP(_ now: Timestamp, offsetSeconds: UInt64) -> UInt64 {
    let nanoseconds = UInt64(max(0, now.nanoseconds))
    let fraction = (nanoseconds % 1_000_000_000 << 32) / 1_000_000_000
    return (offsetSeconds + nanoseconds / 1_000_000_000) << 32 | fraction
}

/// A simulated microphone.
public struct AudioSender: Sendable {
    /// The time between two packets of speech.
    public static let packetDuration = TimeDelta.milliseconds(20)
    /// The time between two packets of silence under DTX.
    public static let silenceInterval = TimeDelta.milliseconds(400)

    /// The media section.
    public let mid: String
    /// The SSRC of the media; that of its RTX is the next number.
    public let ssrc: UInt32
    /// How it sounds or encodes.
    public var shape: AudioShape
    /// Whether it sends nothing.
    public var isMuted: Bool
    /// Packets sent so far.
    public private(set) var packetCount = 0
    private var octetCount = 0
    private var sequence: UInt16
    private var timestampBase: UInt32
    private let startedAt: Timestamp
    private var wasSilent = true
    private var sentForMid = 0

    init(mid: String, ssrc: UInt32, shape: AudioShape, isMuted: Bool, now: Timestamp, random: inout SeededRandom) {
        self.mid = mid
        self.ssrc = ssrc
        self.shape = shape
        self.isMuted = isMuted
        let drawn = random.next()
        sequence = shape.firstSequence ?? UInt16(truncatingIfNeeded: drawn)
        timestampBase = shape.firstTimestamp ?? UInt32(truncatingIfNeeded: drawn >> 16)
        startedAt = now
    }

    private func timestamp(at now: Timestamp) -> UInt32 {
        timestampBase &+ UInt32(truncatingIfNeeded: (now - startedAt).nanoseconds / 1_000 * 48 / 1_000)
    }

    /// The packet due now, if one is, and when to ask again.
    mutating func tick(_ context: inout SendingContext, random: inout SeededRandom) -> (
        packet: [UInt8]?, next: TimeDelta
    ) {
        guard !isMuted else {
            wasSilent = true
            return (nil, Self.packetDuration)
        }
        let silent = !shape.isTalking
        var extensions = context.commonExtensions()
        let level: UInt8 = silent ? 127 : min(127, UInt8(clamping: Int(shape.level) + random.below(7) - 3)) | 0x80
        extensions.append((ClientNumbers.audioLevel, [level]))
        if sentForMid < 50 {
            extensions.append((ClientNumbers.mid, Array(mid.utf8)))
            sentForMid += 1
        }
        let payload = random.bytes(silent && shape.usesDTX ? 3 : 60 + random.below(60))
        let packet = OutgoingPacket(
            payloadType: ClientNumbers.publishedOpus, marker: wasSilent && !silent, sequence: sequence,
            timestamp: timestamp(at: context.now), ssrc: ssrc, extensions: extensions, payload: payload)
        sequence &+= 1
        packetCount += 1
        octetCount += payload.count
        wasSilent = silent
        return (packet.bytes, silent && shape.usesDTX ? Self.silenceInterval : Self.packetDuration)
    }

    /// The sender report at this moment.
    func senderReport(at now: Timestamp) -> ControlMessage {
        .senderReport(
            ssrc: ssrc, ntp: simulatedNTP(now, offsetSeconds: 3_900_000_000), rtpTimestamp: timestamp(at: now),
            packets: UInt32(truncatingIfNeeded: packetCount), octets: UInt32(truncatingIfNeeded: octetCount),
            blocks: [])
    }
}

/// One encoding of a simulated camera.
public struct VideoEncoding: Sendable {
    /// Packets kept for retransmission.
    static let historyPackets = 1_024

    /// The layer's rid, or nil for a plain track.
    public let rid: String?
    /// The SSRC of the media; that of its RTX is the next number.
    public let ssrc: UInt32
    /// The rate, in bits per second.
    public let bitsPerSecond: Int
    /// Whether the encoder produces frames.
    public var isAlive = true
    /// Whether the server wants it; an encoder that is not wanted produces no frames.
    public internal(set) var isWanted = true
    /// Whether the next frame will be a key frame.
    public var needsKeyFrame = true
    /// Key frames and frames produced so far.
    public internal(set) var keyFrameCount = 0
    /// Frames produced so far.
    public internal(set) var frameCount = 0
    /// The moments of key-frame requests that arrived.
    public internal(set) var keyFrameRequests: [Timestamp] = []
    /// Whether requests for key frames are answered.
    public var answersKeyFrameRequests = true
    /// Packets sent again.
    public internal(set) var retransmissionCount = 0
    /// Packets sent so far, retransmissions left out.
    public internal(set) var packetCount = 0
    var octetCount = 0
    var sequence: UInt16
    var rtxSequence: UInt16
    var timestampBase: UInt32
    var pictureID: UInt16
    var temporalLevelZeroIndex: UInt8
    var keyIndex: UInt8 = 0
    var pattern = TemporalPattern()
    /// The number of the last key frame among the frames.
    var lastKeyFrame = 0
    var screen = ScreenState()
    /// The bytes by which key frames were larger than the mean, and later frames not yet smaller.
    var debt = 0
    /// When it went on after a pause, and how much of its rate it has reached by a moment, in percent: an encoder whose encoding
    /// begins takes a second to spend all that it may.
    var resumedAt: Timestamp?

    func reachedPercent(at now: Timestamp) -> Int {
        guard let resumedAt else { return 100 }
        return 50 + Int(min(max((now - resumedAt).nanoseconds, 0), 1_000_000_000) / 20_000_000)
    }
    /// The encoder of a coding with layers.
    public internal(set) var scalable = ScalableEncoder()
    var sentWithRid = 0
    var history: [OutgoingPacket?] = Array(repeating: nil, count: historyPackets)
}

/// A simulated camera or screen: VP8, one or more encodings.
public struct VideoSender: Sendable {
    /// Payload bytes of the largest packet.
    static let maximumPayload = 1_100

    /// The media section.
    public let mid: String
    /// How it sounds or encodes.
    public let shape: VideoShape
    /// Whether it sends nothing.
    public var isMuted: Bool
    /// The encodings, lowest layer first.
    public internal(set) var encodings: [VideoEncoding]
    private let startedAt: Timestamp

    init(
        mid: String, peer: UInt32, track: Int, shape: VideoShape, isMuted: Bool, now: Timestamp,
        random: inout SeededRandom
    ) {
        self.mid = mid
        self.shape = shape
        self.isMuted = isMuted
        startedAt = now
        var encodings: [VideoEncoding] = []
        for (number, layer) in shape.layers.enumerated() {
            let drawn = random.next()
            encodings.append(
                VideoEncoding(
                    rid: layer.rid,
                    ssrc: ClientNumbers.publishedSSRC(peer: peer, track: track, encoding: number),
                    bitsPerSecond: layer.bitsPerSecond,
                    sequence: shape.firstSequence ?? UInt16(truncatingIfNeeded: drawn),
                    rtxSequence: UInt16(truncatingIfNeeded: drawn >> 16),
                    timestampBase: shape.firstTimestamp ?? UInt32(truncatingIfNeeded: drawn >> 32),
                    pictureID: (shape.firstPictureID ?? UInt16(truncatingIfNeeded: drawn >> 8)) & 0x7fff,
                    temporalLevelZeroIndex: shape.firstTemporalLevelZeroIndex
                        ?? UInt8(truncatingIfNeeded: drawn >> 24)))
        }
        self.encodings = encodings
    }

    /// The time between two frames.
    var frameInterval: TimeDelta { TimeDelta(nanoseconds: 1_000_000_000 / Int64(max(1, shape.framesPerSecond))) }

    func timestamp(_ encoding: VideoEncoding, at now: Timestamp) -> UInt32 {
        encoding.timestampBase
            &+ UInt32(truncatingIfNeeded: (now - startedAt).nanoseconds / 1_000 * 90 / 1_000)
    }

    /// The packets of the frame due now, every living encoding's.
    mutating func tick(_ context: inout SendingContext, random: inout SeededRandom) -> [[UInt8]] {
        guard !isMuted else { return [] }
        var out: [[UInt8]] = []
        for index in encodings.indices where encodings[index].isAlive && encodings[index].isWanted {
            if shape.coding == .vp8 {
                encodeFrame(index, &context, &random, into: &out)
            } else {
                encodeScalable(index, &context, &random, into: &out)
            }
        }
        return out
    }

    private mutating func encodeFrame(
        _ index: Int, _ context: inout SendingContext, _ random: inout SeededRandom, into out: inout [[UInt8]]
    ) {
        let isKey = encodings[index].needsKeyFrame
        let frame = shape.frame(
            encodings[index].frameCount - encodings[index].lastKeyFrame, isKey: isKey,
            bitsPerSecond: encodings[index].bitsPerSecond * encodings[index].reachedPercent(at: context.now) / 100,
            &encodings[index].screen, &random)
        guard var frame else { return }
        if shape.repaysKeyFrames, shape.motion == .camera { repay(index, isKey: isKey, &frame) }
        encodings[index].needsKeyFrame = false
        var truth: FrameTruth?
        if shape.temporalLayers > 2 {
            let (temporal, told) = encodings[index].pattern.next(isKey: isKey, ssrc: encodings[index].ssrc)
            frame.layer = temporal.layer
            frame.isSync = temporal.isSync
            truth = told
        }
        if encodings[index].frameCount > 0 {
            encodings[index].pictureID = (encodings[index].pictureID + 1) & 0x7fff
            if frame.layer == 0 { encodings[index].temporalLevelZeroIndex &+= 1 }
        }
        if isKey {
            encodings[index].keyIndex = (encodings[index].keyIndex + 1) & 0x1f
            encodings[index].keyFrameCount += 1
            encodings[index].lastKeyFrame = encodings[index].frameCount
        }
        encodings[index].frameCount += 1
        var left = frame.bytes
        let timestamp = timestamp(encodings[index], at: context.now)
        var isFirst = true
        while left > 0 || isFirst {
            let size = min(left, Self.maximumPayload)
            left -= size
            send(
                index, size, isKey, isFirst, isLast: left <= 0, frame, isFirst ? truth : nil, timestamp, &context,
                &random, into: &out)
            isFirst = false
        }
    }

    private mutating func repay(_ index: Int, isKey: Bool, _ frame: inout ModelFrame) {
        if isKey {
            encodings[index].debt += frame.bytes - frame.bytes / max(1, shape.keyFrameFactor)
        } else {
            let saved = min(encodings[index].debt, frame.bytes / 3)
            encodings[index].debt -= saved
            frame.bytes -= saved
        }
    }

    private mutating func send(
        _ index: Int, _ size: Int, _ isKey: Bool, _ isFirst: Bool, isLast: Bool, _ frame: ModelFrame,
        _ truth: FrameTruth?, _ timestamp: UInt32, _ context: inout SendingContext, _ random: inout SeededRandom,
        into out: inout [[UInt8]]
    ) {
        let encoding = encodings[index]
        var payload: [UInt8] = []
        let start: UInt8 = isFirst ? 0x10 : 0
        if shape.hasPictureIDs {
            payload += [0x80 | start, 0xf0, 0x80 | UInt8(encoding.pictureID >> 8)]
            payload.append(UInt8(truncatingIfNeeded: encoding.pictureID))
            payload.append(encoding.temporalLevelZeroIndex)
            payload.append(frame.layer << 6 | (frame.isSync ? 0x20 : 0) | encoding.keyIndex)
        } else {
            payload.append(start)
        }
        if isFirst {
            // The frame tag of RFC 6386 §9.1: the low bit is 0 in a key frame, which goes on with its start code and size.
            payload += isKey ? [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a] + keyFrameSize(index) : [0x11, 0x02, 0x00]
        }
        if let truth { payload += truth.bytes }
        payload += random.bytes(max(1, size - payload.count))
        var extensions = context.commonExtensions()
        if encoding.sentWithRid < 100 || isKey {
            encodings[index].sentWithRid += 1
            extensions.append((ClientNumbers.mid, Array(mid.utf8)))
            if let rid = encoding.rid { extensions.append((ClientNumbers.rid, Array(rid.utf8))) }
        }
        let packet = OutgoingPacket(
            payloadType: ClientNumbers.publishedVP8, marker: isLast, sequence: encoding.sequence,
            timestamp: timestamp, ssrc: encoding.ssrc, extensions: extensions, payload: payload)
        encodings[index].history[Int(encoding.sequence) % VideoEncoding.historyPackets] = packet
        encodings[index].sequence &+= 1
        encodings[index].packetCount += 1
        encodings[index].octetCount += payload.count
        out.append(packet.bytes)
    }

    /// Width and height, little endian, of an encoding's picture.
    private func keyFrameSize(_ index: Int) -> [UInt8] {
        let height = shape.layers[index].height
        let width = height * 16 / 9
        return [UInt8(truncatingIfNeeded: width), UInt8(truncatingIfNeeded: width >> 8)]
            + [UInt8(truncatingIfNeeded: height), UInt8(truncatingIfNeeded: height >> 8)]
    }

    /// The packets that answer a NACK for one of the encodings, over RTX where it was negotiated.
    mutating func answerNack(_ ssrc: UInt32, _ sequences: [UInt16], _ context: inout SendingContext) -> [[UInt8]] {
        guard let index = encodings.firstIndex(where: { $0.ssrc == ssrc }) else { return [] }
        var out: [[UInt8]] = []
        for sequence in sequences {
            guard let kept = encodings[index].history[Int(sequence) % VideoEncoding.historyPackets],
                kept.sequence == sequence
            else { continue }
            encodings[index].retransmissionCount += 1
            guard shape.hasRTX else {
                out.append(kept.bytes)
                continue
            }
            var extensions = context.commonExtensions()
            extensions.append((ClientNumbers.mid, Array(mid.utf8)))
            if let rid = encodings[index].rid { extensions.append((ClientNumbers.repairedRid, Array(rid.utf8))) }
            var payload: [UInt8] = []
            payload.append(bigEndian: sequence)
            payload += kept.payload
            extensions += kept.extensions.filter { $0.id == ClientNumbers.dependencyDescriptor }
            let packet = OutgoingPacket(
                payloadType: shape.coding.publishedPayloadType + 1, marker: kept.marker,
                sequence: encodings[index].rtxSequence, timestamp: kept.timestamp, ssrc: ssrc + 1,
                extensions: extensions, payload: payload)
            encodings[index].rtxSequence &+= 1
            out.append(packet.bytes)
        }
        return out
    }

    /// Takes note of a key-frame request for one of the encodings; the next frame answers it.
    mutating func requestKeyFrame(_ ssrc: UInt32, at now: Timestamp) {
        guard let index = encodings.firstIndex(where: { $0.ssrc == ssrc }) else { return }
        if encodings[index].answersKeyFrameRequests { beginAnew(index) }
        encodings[index].keyFrameRequests.append(now)
    }

    /// The next frame of an encoding is a key frame, and that of the others where they begin together.
    mutating func beginAnew(_ index: Int) {
        encodings[index].needsKeyFrame = true
        guard shape.keyFramesTogether else { return }
        for other in encodings.indices { encodings[other].needsKeyFrame = true }
    }

    /// The sender reports of the encodings that have sent.
    func senderReports(at now: Timestamp) -> [ControlMessage] {
        encodings.filter { $0.packetCount > 0 }.map {
            .senderReport(
                ssrc: $0.ssrc, ntp: simulatedNTP(now, offsetSeconds: 3_900_000_000),
                rtpTimestamp: timestamp($0, at: now), packets: UInt32(truncatingIfNeeded: $0.packetCount),
                octets: UInt32(truncatingIfNeeded: $0.octetCount), blocks: [])
        }
    }
}
