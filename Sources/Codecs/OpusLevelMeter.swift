// How loud Opus packets are (RFC 6464), by decoding them at a sample rate that tells it well enough and costs little. It keeps no sound.
import COpus

/// Measures one stream's packets, one after another. One thread at a time.
@safe public final class OpusLevelMeter {
    /// What one packet holds.
    public struct Level: Equatable, Sendable {
        /// In −dBov: 0 is the loudest, 127 silence.
        public var decibelsBelowOverload: UInt8
        /// Whether its encoder heard a voice; nil where the packet does not say so.
        public var isVoice: Bool?
    }

    /// Samples a second: voices are below 8 kHz, and SILK itself works at 16.
    static let sampleRate = 16_000
    /// The most samples of a packet: 120 ms.
    private static let maximumSamples = sampleRate * 120 / 1_000

    private let decoder: OpaquePointer
    private var samples = [Int16](repeating: 0, count: OpusLevelMeter.maximumSamples)

    /// Makes a meter.
    public init() throws(CodecError) {
        var status: Int32 = 0
        let made = unsafe opus_decoder_create(opus_int32(Self.sampleRate), 1, &status)
        guard status == OPUS_OK, let made = unsafe made else {
            throw .library(step: "opus_decoder_create", code: status)
        }
        unsafe decoder = made
    }

    deinit { unsafe opus_decoder_destroy(decoder) }

    /// The level of the stream's next packet; nil for what is no Opus packet. Allocates nothing.
    public func measure(_ packet: UnsafeRawBufferPointer) -> Level? {
        guard packet.count > 0, packet.count <= 65_535, let base = packet.baseAddress else { return nil }
        let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
        let count = unsafe opus_decode(
            decoder, bytes, opus_int32(packet.count), &samples, Int32(Self.maximumSamples), 0)
        guard count > 0 else { return nil }
        let voice = unsafe majlis_opus_voice(bytes, opus_int32(packet.count))
        return Level(
            decibelsBelowOverload: SoundLevel.decibelsBelowOverload(samples[..<Int(count)]),
            isVoice: voice < 0 ? nil : voice > 0)
    }
}
