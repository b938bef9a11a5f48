// A voice made of nothing: syllables of a buzzing source through two resonances, and coughs, hums and noise. It says no words;
// it has a voice's levels, pauses and spectrum, and needs nothing installed.
import Glibc

/// Sounds at 48 kHz, mono.
package enum SyntheticVoice {
    static let rate = 48_000.0
    /// First and second formant of a few vowels, in Hz.
    private static let vowels: [(Double, Double)] = [(730, 1_090), (270, 2_290), (300, 870), (530, 1_840), (570, 840)]

    /// So many seconds of babble by person number `person`.
    package static func speech(person: Int, seconds: Double) -> [Int16] {
        var random = BotRandom(seed: 0x5eed &+ UInt64(person))
        let pitch = 95 + 18 * Double(person % 8)
        var samples: [Int16] = []
        let wanted = Int(seconds * rate)
        var phase = 0.0
        while samples.count < wanted {
            for _ in 0..<(1 + random.below(4)) {
                let length = Int(random.between(0.14, 0.24) * rate)
                let vowel = vowels[random.below(vowels.count)]
                samples += syllable(length, pitch: pitch * random.between(0.9, 1.15), vowel: vowel, phase: &phase)
            }
            samples += [Int16](repeating: 0, count: Int(random.between(0.04, 0.12) * rate))
        }
        return Array(samples.prefix(wanted))
    }

    private static func syllable(
        _ length: Int, pitch: Double, vowel: (Double, Double), phase: inout Double
    ) -> [Int16] {
        var low = Resonance(vowel.0, bandwidth: 90), high = Resonance(vowel.1, bandwidth: 120)
        return (0..<length).map { index in
            phase += pitch / rate
            if phase >= 1 { phase -= 1 }
            // A pulse with a soft end, once a period.
            let source = phase < 0.4 ? sin(Double.pi * phase / 0.4) - 0.5 : -0.3
            let place = Double(index) / Double(length)
            let envelope = min(1, place / 0.12) * min(1, (1 - place) / 0.25)
            let value = low.pass(source) + 0.6 * high.pass(source)
            return Int16(max(-32_000, min(32_000, 4_500 * envelope * value)))
        }
    }

    /// A cough: bursts of noise with a sharp beginning.
    package static func cough(person: Int, seconds: Double = 0.4) -> [Int16] {
        var random = BotRandom(seed: 0xc0 &+ UInt64(person))
        var body = Resonance(600, bandwidth: 500)
        return (0..<Int(seconds * rate)).map { index in
            let place = Double(index) / rate
            let burst = exp(-9 * (place < 0.2 ? place : place - 0.2))
            return Int16(max(-32_000, min(32_000, 9_000 * burst * body.pass(random.between(-1, 1)))))
        }
    }

    /// A hum of agreement.
    package static func hum(person: Int, seconds: Double = 0.3) -> [Int16] {
        let pitch = 100 + 15 * Double(person % 8)
        let count = Int(seconds * rate)
        return (0..<count).map { index in
            let place = Double(index) / Double(count)
            let envelope = min(1, place / 0.2) * min(1, (1 - place) / 0.3)
            let angle = 2 * Double.pi * pitch * Double(index) / rate
            return Int16(3_000 * envelope * (sin(angle) + 0.4 * sin(2 * angle) + 0.15 * sin(3 * angle)))
        }
    }

    /// A steady noise such as a fan's.
    package static func noise(person: Int, seconds: Double) -> [Int16] {
        var random = BotRandom(seed: 0x0153 &+ UInt64(person))
        var smooth = 0.0
        return (0..<Int(seconds * rate)).map { _ in
            smooth = 0.95 * smooth + 0.05 * random.between(-1, 1)
            return Int16(9_000 * smooth)
        }
    }
}

/// A resonance of two poles.
private struct Resonance {
    private let a: Double, b: Double, gain: Double
    private var one = 0.0, two = 0.0

    init(_ hertz: Double, bandwidth: Double) {
        let radius = exp(-Double.pi * bandwidth / SyntheticVoice.rate)
        a = 2 * radius * cos(2 * Double.pi * hertz / SyntheticVoice.rate)
        b = -radius * radius
        gain = (1 - radius) * 4
    }

    mutating func pass(_ value: Double) -> Double {
        let result = gain * value + a * one + b * two
        (one, two) = (result, one)
        return result
    }
}
