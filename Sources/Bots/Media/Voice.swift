// What a person can sound like, encoded in advance: each clip is a row of Opus packets of 20 ms that is played again and again.
package import Codecs
import EventLoop

/// A row of encoded packets with their levels (RFC 6464).
package struct SoundClip: Sendable {
    /// Padded Opus packets, the stamp's place at their end.
    package var packets: [[UInt8]]
    package var levels: [UInt8]

    /// Encodes samples, at most 60 s of them; what does not fill a packet is filled with silence.
    /// - Parameter payloadBytes: how long each packet is at least.
    package init(_ samples: [Int16], bitsPerSecond: Int, payloadBytes: Int) throws(CodecError) {
        packets = []
        levels = []
        var settings = OpusSettings()
        settings.bitsPerSecond = bitsPerSecond
        let encoder = try OpusEncoder(settings: settings)
        var at = 0
        let count = min(samples.count, 60 * OpusEncoder.sampleRate)
        while at < count {
            var frame = Array(samples[at..<min(at + 960, count)])
            frame += [Int16](repeating: 0, count: 960 - frame.count)
            let packet = try encoder.encode(frame)
            guard let padded = PaddedOpus.make(packet, total: payloadBytes) else {
                throw .unsupported("a packet of \(packet.count) bytes")
            }
            packets.append(padded)
            levels.append(SoundLevel.decibelsBelowOverload(frame))
            at += 960
        }
    }
}

/// All the sounds of one person.
package struct Voice: Sendable {
    private var clips: [SoundClip]
    /// The samples with which its speech begins, as they were before they were encoded: 100 ms.
    package let beginning: [Int16]

    package subscript(_ sound: Sound) -> SoundClip { clips[Int(sound.rawValue)] }

    /// A person whose speech is given.
    package init(
        speech: [Int16], person: Int, bitsPerSecond: Int = 24_000, payloadBytes: Int = 0
    ) throws(CodecError) {
        clips = []
        beginning = Array(speech.prefix(Likeness.samples))
        for sound in Sound.allCases {
            let samples =
                switch sound {
                case .quiet: [Int16](repeating: 0, count: 960 * 10)
                case .speech: speech
                case .backChannel: SyntheticVoice.hum(person: person)
                case .cough: SyntheticVoice.cough(person: person)
                case .noise: SyntheticVoice.noise(person: person, seconds: 2)
                }
            clips.append(try SoundClip(samples, bitsPerSecond: bitsPerSecond, payloadBytes: payloadBytes))
        }
    }
}

/// Where speech comes from.
package enum SpeechSource: Sendable, Equatable {
    /// Babble that needs nothing.
    case synthetic
    /// espeak-ng, in the languages of those who use this.
    case spoken
    /// Files, one a person, again from the first when there are fewer.
    case files([String])

    private static let sentences: [(voice: String, text: String)] = [
        ("en+m3", "Good morning everybody, shall we begin? I would like to hear first what you have found."),
        ("id+f2", "Selamat pagi semuanya, mari kita mulai rapat hari ini dengan laporan dari setiap kelompok."),
        ("ar+m1", "السلام عليكم ورحمة الله وبركاته، أهلا وسهلا بكم في هذا المجلس"),
        ("ms+f3", "Terima kasih kerana hadir, sila angkat tangan kalau ada soalan daripada sesiapa."),
        ("en+f4", "I agree with most of it, but there is one thing that we have not talked about yet."),
        ("id+m5", "Saya setuju dengan usul itu, tetapi kita perlu waktu untuk memikirkannya lagi."),
    ]

    /// The voices of a run: as many different ones as make sense, to be shared among people.
    package func voices(_ count: Int, bitsPerSecond: Int, payloadBytes: Int) throws -> [Voice] {
        let wanted = max(1, min(count, 6))
        return try (0..<wanted).map { person in
            let speech: [Int16]
            switch self {
            case .synthetic: speech = SyntheticVoice.speech(person: person, seconds: 8)
            case .spoken:
                let sentence = Self.sentences[person % Self.sentences.count]
                speech = try WaveFile.speak(sentence.text, voice: sentence.voice)
            case .files(let paths): speech = try WaveFile.read(paths[person % max(1, paths.count)])
            }
            return try Voice(
                speech: speech, person: person, bitsPerSecond: bitsPerSecond, payloadBytes: payloadBytes)
        }
    }
}
