// Opus decoding (RFC 6716) by libopus, 48 kHz. It takes any bytes; it orders and delays nothing.
import COpus

/// An Opus decoder. One thread at a time.
@safe public final class OpusDecoder {
    /// The most samples of one channel that a packet holds: 120 ms.
    public static let maximumSamples = 5_760

    /// 1 or 2: what is put out, whatever the packets hold.
    public let channels: Int
    private let decoder: OpaquePointer

    /// Makes a decoder.
    public init(channels: Int = 1) throws(CodecError) {
        guard (1...2).contains(channels) else { throw .unsupported("channels") }
        var status: Int32 = 0
        let made = unsafe opus_decoder_create(opus_int32(OpusEncoder.sampleRate), Int32(channels), &status)
        guard status == OPUS_OK, let made = unsafe made else {
            throw .library(step: "opus_decoder_create", code: status)
        }
        unsafe decoder = made
        self.channels = channels
    }

    deinit { unsafe opus_decoder_destroy(decoder) }

    /// The samples of one packet, 2.5 to 120 ms of them; nil for what is no Opus packet.
    public func decode(_ packet: UnsafeRawBufferPointer) -> [Int16]? {
        guard packet.count > 0, packet.count <= 65_535, let base = packet.baseAddress else { return nil }
        return unsafe samples(atMost: Self.maximumSamples) { output, room in
            unsafe opus_decode(
                decoder, base.assumingMemoryBound(to: UInt8.self), opus_int32(packet.count), output, room, 0)
        }
    }

    /// The samples of one packet.
    public func decode(_ packet: [UInt8]) -> [Int16]? { unsafe packet.withUnsafeBytes { unsafe decode($0) } }

    /// What stands for a packet that did not come: so many samples of each channel (a multiple of 120, at most 5,760).
    public func conceal(samples count: Int) -> [Int16]? {
        guard count > 0, count <= Self.maximumSamples, count.isMultiple(of: 120) else { return nil }
        return unsafe samples(atMost: count) { output, room in unsafe opus_decode(decoder, nil, 0, output, room, 0) }
    }

    /// Forgets what was decoded before: for another source.
    public func reset() { _ = unsafe majlis_opus_decoder_reset(decoder) }

    private func samples(
        atMost count: Int, _ body: (UnsafeMutablePointer<Int16>, Int32) -> Int32
    ) -> [Int16]? {
        var result: Int32 = 0
        let samples = unsafe [Int16](unsafeUninitializedCapacity: count * channels) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            result = unsafe body(base, Int32(count))
            filled = max(0, Int(result)) * channels
        }
        return result > 0 ? samples : nil
    }
}
