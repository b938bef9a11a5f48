// Whether sound that was decoded is the sound that was sent, by correlating the two. It knows no packets.

/// Compares sounds.
package enum Likeness {
    /// The samples that are compared: 100 ms.
    package static let samples = 4_800
    /// What is decoded comes later than what was encoded by as much as the codec looks ahead, in samples: 6.5 ms, or a little more.
    private static let longestDelay = 600
    /// Behind other sound a decoder is not the encoder's mirror at once, and a codec of speech does not keep the phase: what is decoded is but like
    /// what was sent. Other sound is not.
    private static let leastLike = 0.6
    /// What is missing is seen in parts of 10 ms: of each that can be heard a quarter of the amplitude has to be there.
    private static let part = 480
    private static let leastPower = 1.0 / 16
    /// Parts whose power is so much less than the loudest one's, 25 dB, cannot be heard beside it.
    private static let quietest = 316.0

    /// Whether the whole of `sent` (its first 100 ms) is in `heard` from its beginning on: alike, and nothing of it missing.
    package static func isWhole(_ sent: [Int16], in heard: [Int16]) -> Bool {
        guard sent.count >= samples, heard.count >= samples else { return false }
        let delay = delay(of: sent, in: heard)
        guard correlation(sent, heard, delay: delay) >= leastLike else { return false }
        let starts = Array(stride(from: 0, to: samples, by: part))
        let powers = starts.map { power(sent, $0..<$0 + part) }
        guard let loudest = powers.max(), loudest > 0 else { return false }
        for (start, wanted) in zip(starts, powers) where wanted * quietest > loudest {
            let range = min(start + delay, heard.count)..<min(start + delay + part, heard.count)
            guard power(heard, range) >= wanted * leastPower else { return false }
        }
        return true
    }

    /// How much `heard` is like `sent` as a whole, −1 to 1.
    package static func correlation(_ sent: [Int16], _ heard: [Int16]) -> Double {
        guard sent.count >= samples, heard.count >= samples else { return 0 }
        return correlation(sent, heard, delay: delay(of: sent, in: heard))
    }

    /// By how many samples `heard` is later.
    private static func delay(of sent: [Int16], in heard: [Int16]) -> Int {
        var best = 0, most = -2.0
        func look(at delay: Int) {
            let value = correlation(sent, heard, delay: delay)
            if value > most { (best, most) = (delay, value) }
        }
        for delay in stride(from: 0, through: longestDelay, by: 6) { look(at: delay) }
        for delay in max(0, best - 5)...best + 5 { look(at: delay) }
        return best
    }

    private static func power(_ samples: [Int16], _ range: Range<Int>) -> Double {
        Double(samples[range].reduce(0) { $0 + Int($1) * Int($1) })
    }

    private static func correlation(_ sent: [Int16], _ heard: [Int16], delay: Int) -> Double {
        var both = 0, own = 0, other = 0
        for index in 0..<samples {
            let one = Int(sent[index])
            let two = index + delay < heard.count ? Int(heard[index + delay]) : 0
            both += one * two
            own += one * one
            other += two * two
        }
        guard own > 0, other > 0 else { return 0 }
        return Double(both) / (Double(own) * Double(other)).squareRoot()
    }
}
