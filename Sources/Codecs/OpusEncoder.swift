// Opus encoding (RFC 6716) by libopus, 48 kHz. It makes no RTP.
import COpus

/// How an encoder encodes.
public struct OpusSettings: Sendable, Equatable {
    /// Bits a second, 6,000 to 510,000.
    public var bitsPerSecond = 24_000
    /// How much work it does, 0 to 10.
    public var complexity = 5
    /// Whether silence is sent as a packet each 400 ms only.
    public var isDiscontinuous = false
    /// Whether packets carry a coarser copy of the one before, for receivers that lost it.
    public var hasForwardErrorCorrection = false
    /// The loss that it prepares for, in percent, 0 to 100.
    public var expectedLossPercent = 0
    /// Settings for speech.
    public init() {}
}

/// An Opus encoder. One thread at a time.
@safe public final class OpusEncoder {
    /// Samples a second and channel.
    public static let sampleRate = 48_000
    /// The longest packet that it makes, in bytes.
    public static let maximumPacketBytes = 1_275

    /// 1 or 2.
    public let channels: Int
    private let encoder: OpaquePointer

    /// Makes an encoder for speech.
    public init(channels: Int = 1, settings: OpusSettings = OpusSettings()) throws(CodecError) {
        guard (1...2).contains(channels) else { throw .unsupported("channels") }
        guard (6_000...510_000).contains(settings.bitsPerSecond) else { throw .unsupported("bitsPerSecond") }
        guard (0...10).contains(settings.complexity) else { throw .unsupported("complexity") }
        guard (0...100).contains(settings.expectedLossPercent) else { throw .unsupported("expectedLossPercent") }
        var status: Int32 = 0
        let made = unsafe opus_encoder_create(
            opus_int32(Self.sampleRate), Int32(channels), OPUS_APPLICATION_VOIP, &status)
        guard status == OPUS_OK, let made = unsafe made else {
            throw .library(step: "opus_encoder_create", code: status)
        }
        unsafe encoder = made
        self.channels = channels
        for (request, value) in [
            (OPUS_SET_BITRATE_REQUEST, settings.bitsPerSecond), (OPUS_SET_COMPLEXITY_REQUEST, settings.complexity),
            (OPUS_SET_DTX_REQUEST, settings.isDiscontinuous ? 1 : 0),
            (OPUS_SET_INBAND_FEC_REQUEST, settings.hasForwardErrorCorrection ? 1 : 0),
            (OPUS_SET_PACKET_LOSS_PERC_REQUEST, settings.expectedLossPercent),
        ] {
            let status = unsafe majlis_opus_encoder_set(made, request, opus_int32(value))
            guard status == OPUS_OK else { throw .library(step: "opus_encoder_ctl \(request)", code: status) }
        }
    }

    deinit { unsafe opus_encoder_destroy(encoder) }

    /// Encodes one frame of 2.5, 5, 10, 20, 40 or 60 ms (20 ms: 960 samples of each channel, one after the other).
    public func encode(_ samples: [Int16]) throws(CodecError) -> [UInt8] {
        let count = samples.count / channels
        guard samples.count == count * channels, [120, 240, 480, 960, 1_920, 2_880].contains(count) else {
            throw .unsupported("\(samples.count) samples")
        }
        var packet = [UInt8](repeating: 0, count: Self.maximumPacketBytes)
        let length = unsafe opus_encode(encoder, samples, Int32(count), &packet, opus_int32(packet.count))
        guard length > 0 else { throw .library(step: "opus_encode", code: length) }
        packet.removeLast(packet.count - Int(length))
        return packet
    }

    /// Forgets what was encoded before.
    public func reset() { _ = unsafe majlis_opus_encoder_reset(encoder) }
}
