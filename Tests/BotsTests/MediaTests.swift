// What bots say and show: stamps, padded packets, voices, WAV files, frames in packets.
import Bots
import Codecs
import TestSupport
import Testing

@Suite("Media of bots")
struct MediaTests {
    @Test("a stamp comes back from the end of a payload; anything else is none")
    func stamps() {
        let stamp = Stamp(sender: 517, turn: 9, place: 65_535, sound: .cough, sentAt: 1_764_000_000_123_456_789)
        var payload = [UInt8](repeating: 7, count: 60)
        stamp.write(into: &payload, endingAt: payload.count)
        #expect(payload.prefix(36).allSatisfy { $0 == 7 })
        #expect(payload.withUnsafeBytes { Stamp(endOf: $0) } == stamp)
        for index in 36..<60 where ![40, 41, 42, 43, 44, 45, 47].contains(index) && !(48..<56).contains(index) {
            var broken = payload
            broken[index] ^= 0x80
            #expect(broken.withUnsafeBytes { Stamp(endOf: $0) } == nil)
        }
        let short = [UInt8](repeating: 7, count: 23)
        #expect(short.withUnsafeBytes { Stamp(endOf: $0) } == nil)
        stamp.write(into: &payload, endingAt: 61)
        stamp.write(into: &payload, endingAt: 5)
        #expect(payload.withUnsafeBytes { Stamp(endOf: $0) } == stamp)
    }

    @Test("a packet with a stamp in its padding decodes to the same sound")
    func padded() throws {
        let speech = SyntheticVoice.speech(person: 1, seconds: 1)
        let encoder = try OpusEncoder()
        let plain = try OpusDecoder(), marked = try OpusDecoder()
        for start in stride(from: 0, to: speech.count - 959, by: 960) {
            let packet = try encoder.encode(Array(speech[start..<start + 960]))
            var padded = try #require(PaddedOpus.make(packet, total: 120))
            #expect(padded.count >= 120 && padded.count <= max(120, packet.count + 26))
            Stamp(sender: 3, sentAt: 5).write(into: &padded, endingAt: padded.count)
            #expect(marked.decode(padded) == plain.decode(packet))
        }
        #expect(PaddedOpus.make([]) == nil)
        #expect(PaddedOpus.make([0x03, 0x41, 1, 2]) == nil)
        #expect(PaddedOpus.make([0x08, 1], total: 400) == nil)
    }

    @Test("voices speak loudly enough to be heard, each differently, and are quiet when they are quiet")
    func voices() throws {
        let voices = try SpeechSource.synthetic.voices(3, bitsPerSecond: 24_000, payloadBytes: 0)
        #expect(voices.count == 3)
        for voice in voices {
            let levels = voice[.speech].levels
            #expect(Double(levels.filter { $0 < 45 }.count) > 0.6 * Double(levels.count))
            #expect(levels.prefix(3).contains { $0 < 50 })
            #expect(voice[.quiet].levels.allSatisfy { $0 == 127 })
            #expect(voice[.cough].levels.prefix(5).contains { $0 < 45 })
            #expect(voice[.backChannel].levels.contains { $0 < 40 })
            #expect(voice[.noise].levels.allSatisfy { $0 < 60 })
            let decoder = try OpusDecoder()
            let heard = voice[.speech].packets.prefix(40).compactMap { decoder.decode($0) }
            #expect(heard.count == 40)
        }
        #expect(voices[0][.speech].packets != voices[1][.speech].packets)
    }

    @Test("a WAV file is read whatever its rate and channels; what is none is refused")
    func waves() {
        func file(rate: Int, channels: Int, samples: [Int16], bits: Int = 16) -> [UInt8] {
            func little(_ value: Int, _ count: Int) -> [UInt8] {
                (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            }
            let data = samples.flatMap { little(Int($0), 2) }
            return Array("RIFF".utf8) + little(36 + data.count, 4) + Array("WAVEfmt ".utf8) + little(16, 4)
                + little(1, 2)
                + little(channels, 2) + little(rate, 4) + little(rate * channels * 2, 4) + little(channels * 2, 2)
                + little(bits, 2) + Array("data".utf8) + little(data.count, 4) + data
        }
        let ramp = (0..<480).map { Int16($0 * 60) }
        #expect(WaveFile.parse(file(rate: 48_000, channels: 1, samples: ramp)) == ramp)
        #expect(WaveFile.parse(file(rate: 48_000, channels: 2, samples: ramp.flatMap { [$0, $0] })) == ramp)
        let doubled = WaveFile.parse(file(rate: 24_000, channels: 1, samples: ramp))
        #expect(doubled?.count == 960)
        #expect(doubled?[1] == 30 && doubled?[2] == 60)
        // A stream says a length that is too long.
        var stream = file(rate: 48_000, channels: 1, samples: ramp)
        stream.replaceSubrange(40..<44, with: [0xff, 0xff, 0xff, 0x7f])
        #expect(WaveFile.parse(stream) == ramp)
        #expect(WaveFile.parse([]) == nil)
        #expect(WaveFile.parse(file(rate: 48_000, channels: 3, samples: ramp)) == nil)
        #expect(WaveFile.parse(file(rate: 1, channels: 1, samples: ramp)) == nil)
        #expect(WaveFile.parse(file(rate: 48_000, channels: 1, samples: ramp, bits: 24)) == nil)
        var random = SystemRandomNumberGenerator()
        let whole = file(rate: 48_000, channels: 1, samples: ramp)
        for _ in 0..<2_000 {
            var broken = Array(whole.prefix(Int.random(in: 0...120, using: &random)))
            for _ in 0..<3 where !broken.isEmpty {
                broken[Int.random(in: 0..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = WaveFile.parse(broken)
        }
    }

    @Test("espeak-ng speaks every language that the bots are given")
    func spoken() throws {
        let voices = try SpeechSource.spoken.voices(6, bitsPerSecond: 24_000, payloadBytes: 0)
        #expect(voices.count == 6)
        for voice in voices {
            #expect(voice[.speech].packets.count > 50)
            #expect(voice[.speech].levels.filter { $0 < 45 }.count > 25)
            // The beginning was not left silent.
            #expect(voice[.speech].levels.prefix(5).contains { $0 < 60 })
        }
        #expect(throws: SoundError.self) { try WaveFile.speak("hello", voice: "en", program: "/nowhere/espeak-ng") }
        #expect(throws: SoundError.self) { try WaveFile.read("/nowhere.wav") }
    }

    @Test("a frame is divided into as few packets as there can be, of nearly one size, the larger ones last")
    func split() {
        for length in [1, 10, 1_160, 1_161, 6_250, 30_001] {
            let parts = Camera.split(length)
            #expect(parts.count == (length + 1_159) / 1_160)
            #expect(parts.small * parts.count + parts.larger == length)
            #expect(parts.larger < parts.count)
        }
    }

    @Test("a camera's rows begin with a key frame and can be decoded again from there")
    func camera() throws {
        let camera = try Camera(layerCount: 3, seconds: 1)
        #expect(camera.layers.map(\.rid) == ["q", "h", "f"])
        for layer in camera.layers {
            let decoder = try VP8Decoder()
            #expect(layer.frames.count == 30)
            for frame in layer.frames + layer.frames.prefix(3) {
                let picture = try #require(decoder.decode(frame))
                #expect(picture.width == layer.width && picture.height == layer.height)
            }
            #expect(VP8Decoder.head(of: layer.frames[0])?.isKey == true)
        }
        #expect(try Camera(layerCount: 1, seconds: 1).layers.map(\.rid) == [""])
    }

    /// Decodes a clip's first packets behind others, as a listener does who heard somebody else before; those of `missing` are silence.
    private func heard(_ voice: Voice, behind other: Voice, missing: Set<Int> = []) throws -> [Int16] {
        let decoder = try OpusDecoder()
        for packet in other[.speech].packets.dropFirst(7).prefix(20) { _ = decoder.decode(packet) }
        return voice[.speech].packets.prefix(6).enumerated().flatMap { index, packet -> [Int16] in
            missing.contains(index)
                ? [Int16](repeating: 0, count: 960) : decoder.decode(packet) ?? [Int16](repeating: 0, count: 960)
        }
    }

    @Test(
        "what is decoded of a turn's first 100 ms is like what was sent; with any of it missing, or of another voice, it is not"
    )
    func likeness() throws {
        let voices = try SpeechSource.synthetic.voices(6, bitsPerSecond: 24_000, payloadBytes: 0)
        for (index, voice) in voices.enumerated() {
            let other = voices[(index + 1) % voices.count]
            let whole = try heard(voice, behind: other)
            let isWhole = Likeness.isWhole(voice.beginning, in: whole)
            #expect(isWhole, "voice \(index): \(Likeness.correlation(voice.beginning, whole))")
            let levels = voice[.speech].levels.prefix(5)
            // Some begin softly: without its first 20 ms a turn sounds the same.
            for place in 1..<5 where levels[place] <= (levels.min() ?? 0) + 12 {
                let isCutWhole = Likeness.isWhole(
                    voice.beginning, in: try heard(voice, behind: other, missing: [place]))
                #expect(!isCutWhole, "voice \(index) without packet \(place)")
            }
            let isOtherWhole = Likeness.isWhole(voice.beginning, in: try heard(other, behind: voice))
            #expect(!isOtherWhole, "voice \(index)")
        }
        #expect(!Likeness.isWhole([], in: []))
        #expect(!Likeness.isWhole([Int16](repeating: 0, count: 5_760), in: [Int16](repeating: 0, count: 5_760)))
    }
}
