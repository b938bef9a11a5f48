// A simulated encoder with spatial and temporal layers in one stream, as VP9 and AV1 have them: which frames a picture has,
// what each is predicted from, and what its packets say of that.

public import MediaCore

/// What a simulated camera encodes with.
public enum VideoCoding: Sendable, Hashable {
    /// VP8: `VideoShape.temporalLayers` tells its layers.
    case vp8
    /// VP9 (RFC 9628). `keyOnly`: a spatial layer is predicted from the one below in key pictures alone. `flexible`: each
    /// packet names its references.
    case vp9(spatial: Int, temporal: Int, keyOnly: Bool, flexible: Bool)
    /// AV1 whose packets carry the Dependency Descriptor.
    case av1(spatial: Int, temporal: Int, keyOnly: Bool)

    /// Its layers.
    public var layers: (spatial: Int, temporal: Int, keyOnly: Bool) {
        switch self {
        case .vp8: (1, 1, false)
        case .vp9(let spatial, let temporal, let keyOnly, _), .av1(let spatial, let temporal, let keyOnly):
            (spatial, temporal, keyOnly)
        }
    }
}

extension VideoCoding {
    /// The codec as it is negotiated.
    var codec: Codec {
        switch self {
        case .vp8: .vp8
        case .vp9: .vp9(profile: 0)
        case .av1: .av1(profile: 0)
        }
    }

    /// Its payload type as publishers number it, and as slots do; that of RTX is one, and four, behind.
    var publishedPayloadType: UInt8 {
        switch self {
        case .vp8: ClientNumbers.publishedVP8
        case .vp9: ClientNumbers.publishedVP9
        case .av1: ClientNumbers.publishedAV1
        }
    }
    var slotPayloadType: UInt8 {
        switch self {
        case .vp8: ClientNumbers.slotVP8
        case .vp9: ClientNumbers.slotVP9
        case .av1: ClientNumbers.slotAV1
        }
    }
}

/// One frame of one spatial layer.
struct ScalableFrame: Sendable {
    var spatial: Int
    var temporal: Int
    var isKey: Bool
    /// No frame of the layer before this picture is needed.
    var usesLayerBelow: Bool
    var isPredictedFromEarlier: Bool
    /// The frame's number in decoding order, and those of its references.
    var number: Int64
    var references: [Int64]
    /// How many pictures back the reference in the same layer lies.
    var pictureDifference: Int64
    /// For each chain (one a spatial layer) how many frames back the one before in it lies.
    var chainDifferences: [Int64]
    var truth: FrameTruth
}

/// The encoder's memory.
public struct ScalableEncoder: Sendable {
    private var position = 0
    private var picture: Int64 = 0
    private var newest: [[(number: Int64, picture: Int64)?]] = []
    private var chains: [Int64] = []
    /// The number of the next frame.
    var nextNumber: Int64 = 0
    /// The highest spatial layer that is produced.
    public internal(set) var producedSpatial = Int.max
    /// The highest temporal layer that is produced.
    public internal(set) var producedTemporal = Int.max
    /// The id of the structure's first template.
    var templateIDOffset = 7

    static func pattern(_ temporal: Int) -> [Int] { [[0], [0, 1], [0, 2, 1, 2]][min(temporal, 3) - 1] }

    /// The frames of the next picture; none when its temporal layer is not produced.
    mutating func next(_ coding: VideoCoding, isKey: Bool, ssrc: UInt32) -> [ScalableFrame] {
        let (spatial, temporal, keyOnly) = coding.layers
        if isKey || newest.isEmpty {
            position = 0
            newest = Array(repeating: Array(repeating: nil, count: 3), count: spatial)
            chains = Array(repeating: nextNumber, count: spatial)
        }
        let pattern = Self.pattern(temporal)
        let place = position % pattern.count
        let layer = pattern[place]
        position += 1
        guard layer <= producedTemporal else { return [] }
        picture += 1
        var frames: [ScalableFrame] = []
        for s in 0..<spatial where s <= producedSpatial {
            let number = nextNumber
            nextNumber += 1
            var references: [Int64] = []
            var difference: Int64 = 0
            let source = place == 3 ? newest[s][1] ?? newest[s][0] : newest[s][0]
            if !isKey, let source {
                references.append(source.number)
                difference = picture - source.picture
            }
            let usesBelow = s > 0 && (isKey || !keyOnly)
            if usesBelow { references.append(number - 1) }
            let id = UInt64(ssrc) << 32
            frames.append(
                ScalableFrame(
                    spatial: s, temporal: layer, isKey: isKey, usesLayerBelow: usesBelow,
                    isPredictedFromEarlier: difference > 0, number: number, references: references,
                    pictureDifference: difference, chainDifferences: chains.map { isKey && s == 0 ? 0 : number - $0 },
                    truth: FrameTruth(
                        number: id | UInt64(truncatingIfNeeded: number & 0xffff_ffff),
                        references: references.map { id | UInt64(truncatingIfNeeded: $0 & 0xffff_ffff) })))
            newest[s][layer] = (number, picture)
            if layer == 0 {
                for chain in s..<spatial where chain == s || isKey || !keyOnly { chains[chain] = number }
            }
        }
        return frames
    }
}

extension VideoSender {
    /// The packets of a picture with layers.
    mutating func encodeScalable(
        _ index: Int, _ context: inout SendingContext, _ random: inout SeededRandom, into out: inout [[UInt8]]
    ) {
        let (spatial, temporal, _) = shape.coding.layers
        let isKey = encodings[index].needsKeyFrame
        let frames = encodings[index].scalable.next(shape.coding, isKey: isKey, ssrc: encodings[index].ssrc)
        guard let first = frames.first else { return }
        encodings[index].needsKeyFrame = false
        if encodings[index].frameCount > 0 {
            encodings[index].pictureID = (encodings[index].pictureID + 1) & 0x7fff
            if first.temporal == 0 { encodings[index].temporalLevelZeroIndex &+= 1 }
        }
        if isKey { encodings[index].keyFrameCount += 1 }
        encodings[index].frameCount += 1
        // Each spatial layer takes three times the bytes of the one below.
        let weights = (0..<spatial).map { Int(pow3: $0) }
        let mean = max(100, encodings[index].bitsPerSecond / 8 / max(1, shape.framesPerSecond))
        let timestamp = timestamp(encodings[index], at: context.now)
        for frame in frames {
            var left =
                (isKey ? 4 * mean : mean / 2 + random.below(mean)) * weights[frame.spatial] / weights.reduce(0, +)
            left = max(left, 150)
            var isFirst = true
            while left > 0 || isFirst {
                let size = min(left, Self.maximumPayload)
                left -= size
                let isLast = left <= 0
                let packet = ScalablePacket(
                    frame: frame, isFirst: isFirst, isLast: isLast, spatialLayers: spatial, temporalLayers: temporal,
                    endsPicture: isLast && frame.spatial == frames.count - 1)
                sendScalable(index, packet, size, timestamp, &context, &random, into: &out)
                isFirst = false
            }
        }
    }

    private mutating func sendScalable(
        _ index: Int, _ part: ScalablePacket, _ size: Int, _ timestamp: UInt32, _ context: inout SendingContext,
        _ random: inout SeededRandom, into out: inout [[UInt8]]
    ) {
        let encoding = encodings[index]
        var extensions = context.commonExtensions()
        var payload: [UInt8] = []
        switch shape.coding {
        case .vp8: break
        case .vp9(_, _, _, let isFlexible): payload = part.vp9Descriptor(encoding, isFlexible: isFlexible)
        case .av1(_, _, let keyOnly):
            // The aggregation header: N at the first packet of a coded video sequence.
            payload = [part.isFirst && part.frame.isKey && part.frame.spatial == 0 ? 0x18 : 0x10]
            extensions.append(
                (
                    ClientNumbers.dependencyDescriptor,
                    part.descriptor(keyOnly: keyOnly, offset: encoding.scalable.templateIDOffset)
                ))
        }
        if part.isFirst { payload += part.frame.truth.bytes }
        payload += random.bytes(max(1, size - payload.count))
        if encoding.sentWithRid < 100 || part.frame.isKey {
            encodings[index].sentWithRid += 1
            extensions.append((ClientNumbers.mid, Array(mid.utf8)))
            if let rid = encoding.rid { extensions.append((ClientNumbers.rid, Array(rid.utf8))) }
        }
        let packet = OutgoingPacket(
            payloadType: shape.coding.publishedPayloadType, marker: part.endsPicture, sequence: encoding.sequence,
            timestamp: timestamp,
            ssrc: encoding.ssrc, extensions: extensions, payload: payload)
        keep(packet, index, into: &out)
    }

    /// Remembers a packet for retransmission and sends it.
    private mutating func keep(_ packet: OutgoingPacket, _ index: Int, into out: inout [[UInt8]]) {
        encodings[index].history[Int(packet.sequence) % VideoEncoding.historyPackets] = packet
        encodings[index].sequence &+= 1
        encodings[index].packetCount += 1
        encodings[index].octetCount += packet.payload.count
        out.append(packet.bytes)
    }
}

extension Int {
    fileprivate init(pow3 exponent: Int) { self = (0..<exponent).reduce(1) { power, _ in power * 3 } }
}

/// One packet of a frame, and what it says of itself.
struct ScalablePacket {
    var frame: ScalableFrame
    var isFirst: Bool
    var isLast: Bool
    var spatialLayers: Int
    var temporalLayers: Int
    var endsPicture: Bool

    /// The payload descriptor of VP9.
    func vp9Descriptor(_ encoding: VideoEncoding, isFlexible: Bool) -> [UInt8] {
        let predicted = frame.isPredictedFromEarlier
        let structure = frame.isKey && frame.spatial == 0 && isFirst
        var bytes: [UInt8] = [
            0xa0 | (predicted ? 0x40 : 0) | (isFlexible ? 0x10 : 0) | (isFirst ? 0x08 : 0) | (isLast ? 0x04 : 0)
                | (structure ? 0x02 : 0) | (frame.spatial == spatialLayers - 1 ? 0x01 : 0)
        ]
        bytes += [0x80 | UInt8(encoding.pictureID >> 8), UInt8(truncatingIfNeeded: encoding.pictureID)]
        // Nothing of a higher temporal layer is ever predicted over a frame of a lower one: each is a switching-up point.
        bytes.append(
            UInt8(frame.temporal) << 5 | 0x10 | UInt8(frame.spatial) << 1 | (frame.usesLayerBelow ? 1 : 0))
        if !isFlexible {
            bytes.append(encoding.temporalLevelZeroIndex)
        } else if predicted {
            bytes.append(UInt8(truncatingIfNeeded: frame.pictureDifference) << 1)
        }
        if structure {
            bytes.append(UInt8(spatialLayers - 1) << 5 | 0x10)
            for s in 0..<spatialLayers {
                bytes.append(bigEndian: UInt16(320 << s))
                bytes.append(bigEndian: UInt16(180 << s))
            }
        }
        return bytes
    }

    /// The Dependency Descriptor.
    func descriptor(keyOnly: Bool, offset: Int) -> [UInt8] {
        var bits = DescriptorBits()
        let template = frame.spatial * temporalLayers + frame.temporal
        let structure = DescriptorStructure(
            offset: offset, spatial: spatialLayers, temporal: temporalLayers, keyOnly: keyOnly)
        bits.append(isFirst ? 1 : 0, 1)
        bits.append(isLast ? 1 : 0, 1)
        bits.append((offset + template) % 64, 6)
        bits.append(Int(frame.number & 0xffff), 16)
        let differences = frame.references.map { Int(frame.number - $0) }
        let isCommon = !frame.isKey && differences == structure.differences(frame.spatial, frame.temporal)
        guard !isCommon || isFirst && frame.temporal == 0 else { return bits.bytes }
        let attaches = frame.isKey && frame.spatial == 0 && isFirst
        bits.append(attaches ? 1 : 0, 1)
        bits.append(0, 1)
        bits.append(frame.isKey ? 1 : 0, 1)
        bits.append(isCommon ? 0 : 1, 1)
        bits.append(1, 1)
        if attaches { structure.append(to: &bits) }
        if frame.isKey {
            for target in 0..<(spatialLayers * temporalLayers) {
                bits.append(frame.spatial <= target / temporalLayers ? 2 : 0, 2)
            }
        }
        if !isCommon {
            for difference in differences {
                bits.append(difference <= 16 ? 1 : 2, 2)
                bits.append(difference - 1, difference <= 16 ? 4 : 8)
            }
            bits.append(0, 2)
        }
        for difference in frame.chainDifferences { bits.append(min(255, Int(difference)), 8) }
        return bits.bytes
    }
}
