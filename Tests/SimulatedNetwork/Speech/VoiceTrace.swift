// The audio levels (RFC 6464) that every microphone of a talk schedule would send, frame by frame: voices with syllables, rooms with
// noise, coughs, keys, loudspeakers. A model of levels, not of sound.
//
// A voice is a chain of syllables of 3 to 7 a second, each a half wave of 10 to 24 dB, at −18 to −36 dBov, falling by 1.5 dB a second
// within a phrase, its first consonant 12 to 20 dB below it; the automatic gain of three in four people is up to 4 dB off when they
// begin and finds back within a second. A room is at −48 to −70 dBov, at −75 to −95 where noise is suppressed, and there half
// the time digital silence; what adds up in a microphone adds up as powers.

import Glibc

/// What one microphone sends in one frame of 20 ms.
public struct VoiceFrame: Sendable, Hashable {
    /// −dBov, 0 the loudest, 127 silence.
    public var level: UInt8
    /// The voice bit.
    public var isVoice: Bool
    /// Whether a packet is sent at all.
    public var isSent: Bool
    /// Whether it is a packet of silence that the codec makes while nothing is said.
    public var isComfortNoise = false
    /// Whether the voice of the microphone's owner is louder than all else that it brings.
    public var isAudible = false
}

/// The levels of all microphones of a room.
public struct VoiceTrace: Sendable {
    /// What is the matter with a voice bit.
    private enum Bit { case honest, always, never }

    /// One microphone.
    private struct Voice {
        var level: Double
        var noise: Double
        var suppresses: Bool
        var hasGain: Bool
        var bit: Bit
        var usesDTX: Bool
        var random: SeededRandom
    }

    /// What happens.
    public let schedule: TalkSchedule
    /// The frames of each person.
    public private(set) var frames: [[VoiceFrame]] = []

    /// The levels of a schedule; the same seed gives the same.
    public init(_ schedule: TalkSchedule, seed: UInt64) {
        self.schedule = schedule
        var random = SeededRandom(seed: seed ^ 0x766f_6963_65)
        let shares = schedule.shares
        var voices: [Voice] = []
        for _ in 0..<shares.people {
            let suppresses = random.chance(0.6)
            let hasGain = random.chance(0.75)
            let bit = random.unit()
            voices.append(
                Voice(
                    level: hasGain ? -18 - 8 * random.unit() : -24 - 12 * random.unit(),
                    noise: suppresses ? -75 - 20 * random.unit() : -48 - 22 * random.unit(), suppresses: suppresses,
                    hasGain: hasGain,
                    bit: bit < shares.bitAlways ? .always : bit < shares.bitAlways + shares.bitNever ? .never : .honest,
                    usesDTX: random.chance(shares.dtx), random: random.fork()))
        }
        var spoken = voices.indices.map { speech(of: $0, &voices[$0]) }
        let echoes = Dictionary(
            uniqueKeysWithValues: schedule.echoing.sorted().map { ($0, echo(in: $0, of: spoken, &random)) })
        for person in voices.indices {
            if let echo = echoes[person] {
                for i in spoken[person].indices { spoken[person][i] = Self.sum(spoken[person][i], echo[i]) }
            }
            frames.append(record(person, &voices[person], spoken[person]))
        }
    }

    // MARK: Voices

    private static func sum(_ a: Double, _ b: Double) -> Double {
        let (loud, quiet) = (max(a, b), min(a, b))
        return loud - quiet > 30 ? loud : loud + 10 * log10(1 + pow(10, (quiet - loud) / 10))
    }

    /// The level of a person's own voice in every frame, in dBov.
    private func speech(of person: Int, _ voice: inout Voice) -> [Double] {
        var result = [Double](repeating: -200, count: schedule.frames)
        var lastEnd = -10_000
        for phrase in schedule.phrases.filter({ $0.person == person }).sorted(by: { $0.start < $1.start }) {
            let isNew = phrase.start - lastEnd > 500
            let gain = voice.hasGain && isNew ? 8 * voice.random.unit() - 4 : 0
            Self.say(phrase, at: voice.level, gainOff: gain, into: &result, &voice.random)
            lastEnd = phrase.end
        }
        for word in schedule.backChannels where word.person == person {
            let level = voice.level - 3 - 6 * voice.random.unit()
            Self.say(word, at: level, gainOff: 0, into: &result, &voice.random)
        }
        return result
    }

    private static func say(
        _ span: TalkSpan, at level: Double, gainOff: Double, into result: inout [Double], _ random: inout SeededRandom
    ) {
        var at = span.start
        let consonant = random.chance(0.5) ? 1 + random.below(3) : 0
        let drop = 12 + 8 * random.unit()
        while at < span.end {
            let length = Int(50 / (3 + 4 * random.unit()))
            let depth = 10 + 14 * random.unit()
            let peak = level + 2.5 * random.normal()
            for i in 0..<length where at + i < span.end && at + i < result.count {
                let wave = sin(Double.pi * (Double(i) + 0.5) / Double(length))
                let since = Double(at + i - span.start) / 50
                var value = peak + depth * (wave - 1) - 1.5 * since + gainOff * exp(-since) + 1.2 * random.normal()
                if at + i - span.start < consonant { value -= drop }
                result[at + i] = sum(result[at + i], value)
            }
            at += length
        }
    }

    /// What a loudspeaker brings back into a microphone.
    private func echo(in person: Int, of spoken: [[Double]], _ random: inout SeededRandom) -> [Double] {
        let delay = 8 + random.below(8)
        let loss = 14 + 8 * random.unit()
        return (0..<schedule.frames).map { frame in
            guard frame >= delay else { return -200 }
            var loudest = -200.0
            for other in spoken.indices where other != person { loudest = max(loudest, spoken[other][frame - delay]) }
            return loudest - loss
        }
    }

    // MARK: Microphones

    private func record(_ person: Int, _ voice: inout Voice, _ spoken: [Double]) -> [VoiceFrame] {
        var other = [Double](repeating: -200, count: schedule.frames)
        addNoises(of: person, to: &other, &voice.random)
        var coughing = [Bool](repeating: false, count: schedule.frames)
        for cough in schedule.coughs where cough.person == person {
            let level = -12 - 10 * voice.random.unit()
            for i in cough.start..<cough.end {
                coughing[i] = true
                let fall = max(0, Double(i - cough.start - 3)) * 1.2
                other[i] = Self.sum(other[i], level - fall + 1.5 * voice.random.normal())
            }
        }
        var result: [VoiceFrame] = []
        result.reserveCapacity(schedule.frames)
        var quiet = 0
        for i in spoken.indices {
            var floor = voice.noise + 1.2 * voice.random.normal()
            let sounds = Self.sum(spoken[i], other[i])
            if voice.suppresses, sounds < -70, (i / 50 + person) % 2 == 0 { floor = -127 }
            let level = Self.sum(sounds, floor)
            let isSpeech = spoken[i] > voice.noise + 6 && spoken[i] > -60
            quiet = level > max(voice.noise + 8, -66) ? 0 : quiet + 1
            let isSilent = voice.usesDTX && quiet > 10
            result.append(
                VoiceFrame(
                    level: UInt8(max(0, min(127, -level.rounded()))),
                    isVoice: bit(voice.bit, isSpeech, isLoud: coughing[i] || other[i] > -55, &voice.random),
                    isSent: !isSilent || quiet % 20 == 11, isComfortNoise: isSilent,
                    isAudible: spoken[i] > Self.sum(other[i], floor)))
        }
        return result
    }

    private func bit(_ kind: Bit, _ isSpeech: Bool, isLoud: Bool, _ random: inout SeededRandom) -> Bool {
        let drawn = random.unit()
        return switch kind {
        case .always: true
        case .never: false
        case .honest: drawn < (isSpeech ? 0.92 : isLoud ? 0.3 : 0.04)
        }
    }

    private func addNoises(of person: Int, to result: inout [Double], _ random: inout SeededRandom) {
        for span in schedule.machines where span.person == person {
            let level = -32 - 14 * random.unit()
            for i in span.start..<span.end { result[i] = Self.sum(result[i], level + 0.7 * random.normal()) }
        }
        for span in schedule.televisions where span.person == person {
            let level = -50 - 8 * random.unit()
            Self.say(span, at: level, gainOff: 0, into: &result, &random)
        }
        for span in schedule.typing where span.person == person {
            var at = span.start
            while at < span.end {
                let level = -28 - 12 * random.unit()
                result[at] = Self.sum(result[at], level)
                if at + 1 < result.count, random.chance(0.5) { result[at + 1] = Self.sum(result[at + 1], level - 8) }
                at += 7 + random.below(6)
            }
        }
    }
}
