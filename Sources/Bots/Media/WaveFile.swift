// WAV files (RIFF, 16-bit PCM) as mono at 48 kHz. Other codings are refused.
import Glibc

/// Why sound could not be had.
package struct SoundError: Error, CustomStringConvertible {
    package let description: String
}

/// Speech from files and from espeak-ng.
package enum WaveFile {
    /// The most bytes that are read of a file.
    static let maximumBytes = 64 << 20

    /// Reads a file's sound.
    package static func read(_ path: String) throws(SoundError) -> [Int16] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SoundError(description: "cannot read \(path)") }
        defer { close(descriptor) }
        guard let samples = parse(readAll(descriptor)), !samples.isEmpty else {
            throw SoundError(description: "\(path) is no WAV file of 16-bit PCM")
        }
        return trimmed(samples)
    }

    /// Lets espeak-ng say something (`program` where it is elsewhere).
    package static func speak(
        _ text: String, voice: String, program: String = "/usr/bin/espeak-ng"
    ) throws(SoundError) -> [Int16] {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw SoundError(description: "no pipe") }
        defer { close(ends[0]) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_addclose(&actions, ends[0])
        let arguments = [program, "-v", voice, "--stdout", text]
        var argv: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe argv.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let failed = unsafe posix_spawn(&child, program, &actions, nil, &argv, environ)
        close(ends[1])
        guard failed == 0 else { throw SoundError(description: "\(program) is not there (apt-get install espeak-ng)") }
        let bytes = readAll(ends[0])
        waitpid(child, nil, 0)
        guard let samples = parse(bytes), !samples.isEmpty else {
            throw SoundError(description: "\(program) said nothing in the voice \(voice)")
        }
        return trimmed(samples)
    }

    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < maximumBytes {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// The sound of a file's bytes; nil for what is no such file. A length that reaches past the end, as in a stream, ends
    /// there.
    package static func parse(_ bytes: [UInt8]) -> [Int16]? {
        func word(_ at: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        func name(_ at: Int) -> String { String(decoding: bytes[at..<at + 4], as: UTF8.self) }
        guard bytes.count >= 12, name(0) == "RIFF", name(8) == "WAVE" else { return nil }
        var at = 12, channels = 0, rate = 0
        while at + 8 <= bytes.count {
            let length = min(word(at + 4, 4), bytes.count - at - 8)
            switch name(at) {
            case "fmt " where length >= 16:
                // PCM, or the extensible form of it.
                guard [1, 0xfffe].contains(word(at + 8, 2)), word(at + 22, 2) == 16 else { return nil }
                channels = word(at + 10, 2)
                rate = word(at + 12, 4)
                guard (1...2).contains(channels), (8_000...192_000).contains(rate) else { return nil }
            case "data" where channels > 0:
                let samples = stride(from: at + 8, to: at + 8 + length - 2 * channels + 1, by: 2 * channels).map { at in
                    (0..<channels).reduce(0) { $0 + Int(Int16(truncatingIfNeeded: word(at + 2 * $1, 2))) } / channels
                }
                return resampled(samples, from: rate)
            default: break
            }
            at += 8 + length + length % 2
        }
        return nil
    }

    /// By straight lines between samples: good enough for speech.
    private static func resampled(_ samples: [Int], from rate: Int) -> [Int16] {
        guard rate != 48_000, !samples.isEmpty else { return samples.map { Int16(clamping: $0) } }
        let count = samples.count * 48_000 / rate
        return (0..<count).map { index in
            let place = index * rate, whole = place / 48_000, rest = place % 48_000
            let next = samples[min(whole + 1, samples.count - 1)]
            return Int16(clamping: samples[whole] + (next - samples[whole]) * rest / 48_000)
        }
    }

    /// Without the silence before and after, so that a turn begins with a sound.
    private static func trimmed(_ samples: [Int16]) -> [Int16] {
        let loud = samples.indices.filter { samples[$0].magnitude > 200 }
        guard let first = loud.first, let last = loud.last else { return samples }
        return Array(samples[first...last])
    }
}
