// The only source of chance in the simulated network: SplitMix64, the same numbers for the same seed on every machine.
// Not for secrets.

/// A seeded generator whose numbers never depend on the machine or on the standard library's version.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator; equal seeds give equal numbers.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state = state &+ 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Whether something with this probability (0 to 1) happens; draws no number for 0 and below.
    public mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && unit() < probability
    }

    /// A number from 0 up to, not including, `bound`; 0 when the bound is not positive.
    public mutating func below(_ bound: Int) -> Int {
        bound > 0 ? Int(truncatingIfNeeded: next() >> 1) % bound : 0
    }

    /// A generator of its own for one part of the network, so that one part drawing more does not change another.
    public mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }

    /// Bytes drawn at random.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count {
            let word = next()
            for shift in 0..<8 { result.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
        }
        result.removeLast(result.count - count)
        return result
    }
}
