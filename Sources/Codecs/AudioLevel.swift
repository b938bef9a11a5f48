// The level of samples as RFC 6464 sends it. It decides nothing: whether a level is a voice is for others to say.
import Glibc

/// The level of sound.
public enum SoundLevel {
    /// What digital silence has.
    public static let silence: UInt8 = 127

    /// The level of 16-bit samples in −dBov (RFC 6464 §3, RFC 6465 §4): 0 is the loudest that there can be (a square wave of
    /// full scale), 127 silence. No samples are silence.
    public static func decibelsBelowOverload(_ samples: some Collection<Int16>) -> UInt8 {
        guard !samples.isEmpty else { return silence }
        var sum = 0.0
        for sample in samples { sum += Double(sample) * Double(sample) }
        let mean = sum / Double(samples.count) / (32_768.0 * 32_768.0)
        guard mean > 0 else { return silence }
        return UInt8(min(127, max(0, (-10 * log10(mean)).rounded())))
    }
}
