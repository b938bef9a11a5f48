// Opus in and out, levels, and bytes that are no Opus.
import Codecs
import Glibc
import Testing

@Suite("Opus and levels")
struct OpusTests {
    /// A frame of a tone, number `frame` of its course.
    static func tone(_ hertz: Double, amplitude: Double, frame: Int, samples: Int = 960) -> [Int16] {
        (0..<samples).map {
            Int16(amplitude * sin(2 * Double.pi * hertz * Double(frame * samples + $0) / 48_000))
        }
    }

    /// The share of the samples' power that is at a frequency.
    static func share(of hertz: Double, in samples: [Int16]) -> Double {
        var real = 0.0, imaginary = 0.0, power = 0.0
        for (index, sample) in samples.enumerated() {
            let angle = 2 * Double.pi * hertz * Double(index) / 48_000
            real += Double(sample) * cos(angle)
            imaginary += Double(sample) * sin(angle)
            power += Double(sample) * Double(sample)
        }
        return power == 0 ? 0 : 2 * (real * real + imaginary * imaginary) / Double(samples.count) / power
    }

    @Test("a tone comes back as that tone, at its level, in mono and stereo")
    func roundTrip() throws {
        for channels in [1, 2] {
            let encoder = try OpusEncoder(channels: channels)
            let decoder = try OpusDecoder(channels: channels)
            var heard: [Int16] = []
            for frame in 0..<50 {
                let mono = Self.tone(440, amplitude: 8_000, frame: frame)
                let packet = try encoder.encode(channels == 1 ? mono : mono.flatMap { [$0, $0] })
                #expect(packet.count < 200)
                let samples = try #require(decoder.decode(packet))
                #expect(samples.count == 960 * channels)
                heard += stride(from: 0, to: samples.count, by: channels).map { samples[$0] }
            }
            let settled = Array(heard.dropFirst(9_600))
            #expect(Self.share(of: 440, in: settled) > 0.9)
            #expect(Self.share(of: 700, in: settled) < 0.05)
            let level = SoundLevel.decibelsBelowOverload(settled)
            let sent = SoundLevel.decibelsBelowOverload(Self.tone(440, amplitude: 8_000, frame: 3))
            #expect(abs(Int(level) - Int(sent)) <= 1)
        }
    }

    @Test("levels are those of RFC 6464")
    func levels() {
        #expect(SoundLevel.decibelsBelowOverload([Int16](repeating: 0, count: 960)) == 127)
        #expect(SoundLevel.decibelsBelowOverload([Int16]()) == 127)
        #expect(SoundLevel.decibelsBelowOverload([Int16](repeating: .min, count: 960)) == 0)
        #expect(SoundLevel.decibelsBelowOverload([Int16](repeating: 3_277, count: 960)) == 20)
        // A sine of full scale has half the power of a square wave.
        #expect(SoundLevel.decibelsBelowOverload(Self.tone(1_000, amplitude: 32_767, frame: 0)) == 3)
        #expect(SoundLevel.decibelsBelowOverload([1] + [Int16](repeating: 0, count: 959)) == 120)
    }

    @Test("silence is sent seldom and in few bytes where it may be")
    func discontinuous() throws {
        var settings = OpusSettings()
        settings.isDiscontinuous = true
        let encoder = try OpusEncoder(settings: settings)
        var sizes: [Int] = []
        for _ in 0..<100 { sizes.append(try encoder.encode([Int16](repeating: 0, count: 960)).count) }
        #expect(sizes.suffix(40).filter { $0 > 2 }.count <= 3)
    }

    @Test("a lost packet is concealed, and of a right length only")
    func concealment() throws {
        let encoder = try OpusEncoder()
        let decoder = try OpusDecoder()
        for frame in 0..<20 { _ = decoder.decode(try encoder.encode(Self.tone(300, amplitude: 8_000, frame: frame))) }
        let stand = try #require(decoder.conceal(samples: 960))
        #expect(stand.count == 960)
        #expect(SoundLevel.decibelsBelowOverload(stand) < 40)
        for wrong in [0, -960, 100, 5_761, Int.max] { #expect(decoder.conceal(samples: wrong) == nil) }
    }

    @Test("settings and frames out of bounds are refused")
    func bounds() throws {
        #expect(throws: CodecError.unsupported("channels")) { try OpusEncoder(channels: 3) }
        #expect(throws: CodecError.unsupported("channels")) { try OpusDecoder(channels: 0) }
        var settings = OpusSettings()
        settings.bitsPerSecond = 5
        #expect(throws: CodecError.unsupported("bitsPerSecond")) { try OpusEncoder(settings: settings) }
        settings = OpusSettings()
        settings.complexity = 11
        #expect(throws: CodecError.unsupported("complexity")) { try OpusEncoder(settings: settings) }
        let encoder = try OpusEncoder()
        for count in [0, 1, 959, 961, 48_000] {
            #expect(throws: CodecError.unsupported("\(count) samples")) {
                try encoder.encode([Int16](repeating: 0, count: count))
            }
        }
    }

    @Test("garbage gives nothing, or noise within bounds; the decoder then still decodes")
    func garbage() throws {
        let encoder = try OpusEncoder()
        let decoder = try OpusDecoder()
        var random = SystemRandomNumberGenerator()
        let good = try encoder.encode(Self.tone(440, amplitude: 8_000, frame: 0))
        #expect(decoder.decode([]) == nil)
        // Code 3 with no frame count, and with 63 frames.
        #expect(decoder.decode([0xfb]) == nil)
        #expect(decoder.decode([0xfb, 0x3f, 0, 0]) == nil)
        for _ in 0..<3_000 {
            var packet = Bool.random(using: &random) ? good : []
            if packet.isEmpty {
                packet = (0..<Int.random(in: 1...1_500, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            } else {
                packet.removeLast(Int.random(in: 0..<packet.count, using: &random))
                for _ in 0..<3 where !packet.isEmpty {
                    packet[Int.random(in: 0..<packet.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            if let samples = decoder.decode(packet) { #expect(samples.count <= OpusDecoder.maximumSamples) }
        }
        decoder.reset()
        #expect(decoder.decode(good)?.count == 960)
    }
}
