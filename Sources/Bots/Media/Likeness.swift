// Whether sound that was decoded is the sound that was sent, by correlating the two. It knows no packets.

/// Compares sounds.
package enum Likeness {
    /// The samples that are compared: 100 ms.
    package static let samples = 4_800
    /// What is decoded comes later than what was encoded by as much as the codec looks ahead, in samples: 6.5 ms, or a little more.
    private static let longestDelay = 600
    /// Behind other sound a decoder is not the encoder's mirror at once, so that its first packet is only like what was sent.
    private static let leastWhole = 0.75
    private static let leastPart = 0.4
    private static let parts = 5
    /// Parts whose power is so much less than the loudest one's, 25 dB, say nothing.
    private static let quietest = 316.0

    /// Whether the whole of `sent` (its first 100 ms) is in `heard` from its beginning on: alike as a whole, and in each fifth of it that can be
    /// heard.
    package static func isWhole(_ sent: [Int16], in heard: [Int16]) -> Bool {
        guard sent.count >= samples, heard.count >= samples else { return false }
        let delay = delay(of: sent, in: heard)
        guard correlation(sent, heard, 0..<samples, delay: delay) >= leastWhole else { return false }
        let length = samples / parts
        let powers = (0..<parts).map { part in power(sent, part * length..<(part + 1) * length) }
        guard let loudest = powers.max(), loudest > 0 else { return false }
        for part in 0..<parts where powers[part] * Self.quietest > loudest {
            guard correlation(sent, heard, part * length..<(part + 1) * length, delay: delay) >= leastPart else {
                return false
            }
        }
        return true
    }

    /// How much `heard` is like `sent` as a whole, −1 to 1.
    package static func correlation(_ sent: [Int16], _ heard: [Int16]) -> Double {
        guard sent.count >= samples, heard.count >= samples else { return 0 }
        return correlation(sent, heard, 0..<samples, delay: delay(of: sent, in: heard))
    }

    /// By how many samples `heard` is later.
    private static func delay(of sent: [Int16], in heard: [Int16]) -> Int {
        var best = 0, most = -2.0
        func look(at delay: Int) {
            let value = correlation(sent, heard, 0..<samples, delay: delay)
            if value > most { (best, most) = (delay, value) }
        }
        for delay in stride(from: 0, through: longestDelay, by: 6) { look(at: delay) }
        for delay in max(0, best - 5)...best + 5 { look(at: delay) }
        return best
    }

    private static func power(_ samples: [Int16], _ range: Range<Int>) -> Double {
        Double(samples[range].reduce(0) { $0 + Int($1) * Int($1) })
    }

    private static func correlation(_ sent: [Int16], _ heard: [Int16], _ range: Range<Int>, delay: Int) -> Double {
        var both = 0, own = 0, other = 0
        for index in range {
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
