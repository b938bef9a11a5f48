// exp, ln and pow from additions, multiplications and divisions alone, so that every machine and every build gives the same
// bits: the C library's differ. Not for hot paths, and not correctly rounded.

/// Exponential and logarithm of doubles, the same bits everywhere.
enum Exponential {
    /// ln 2 in two parts, the first with 21 zero bits at its end, so that its product with an exponent is exact.
    private static let ln2High = Double(bitPattern: 0x3fe6_2e42_fee0_0000)
    private static let ln2Low = Double(bitPattern: 0x3dea_39ef_3579_3c76)
    private static let inverseLn2 = Double(bitPattern: 0x3ff7_1547_652b_82fe)
    /// 1/n! for n from 13 down to 2.
    private static let exponentialTerms: InlineArray<12, Double> = [
        1.0 / 6_227_020_800, 1.0 / 479_001_600, 1.0 / 39_916_800, 1.0 / 3_628_800, 1.0 / 362_880, 1.0 / 40_320,
        1.0 / 5_040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2,
    ]
    /// 1/n for odd n from 21 down to 3.
    private static let logarithmTerms: InlineArray<10, Double> = [
        1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3,
    ]

    /// e to the power x, within 2 units in the last place; infinity above 709.7, zero below −708 (no subnormal numbers), NaN
    /// of NaN.
    static func exp(_ x: Double) -> Double {
        guard x == x else { return x }
        guard x < 709.75 else { return .infinity }
        guard x > -708 else { return 0 }
        // x = k ln 2 + r with |r| at most half of ln 2.
        let k = (x * inverseLn2).rounded(.toNearestOrEven)
        let r = (x - k * ln2High) - k * ln2Low
        var sum = 0.0
        for i in 0..<12 { sum = sum * r + exponentialTerms[i] }
        let power = 1 + (r + r * r * sum)
        // The exponent may be 1,024 while the result is below it: two steps.
        let exponent = Int64(k)
        let half = exponent / 2
        return power * powerOfTwo(half) * powerOfTwo(exponent - half)
    }

    /// The natural logarithm, within 3 units in the last place of the result or 2⁻⁵³ near 1; negative infinity of zero and
    /// of subnormal numbers, NaN below and of NaN.
    static func ln(_ x: Double) -> Double {
        guard x == x, x >= 0 else { return .nan }
        guard x >= Double.leastNormalMagnitude else { return -.infinity }
        guard x < .infinity else { return x }
        // x = m 2^k with m between √½ and √2.
        let bits = x.bitPattern
        var k = Int64(bits >> 52) - 1_023
        var m = Double(bitPattern: bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
        if m > 1.414_213_562_373_095_1 {
            m *= 0.5
            k += 1
        }
        // ln m = 2 artanh s.
        let f = m - 1
        let s = f / (m + 1)
        let z = s * s
        var sum = 0.0
        for i in 0..<10 { sum = sum * z + logarithmTerms[i] }
        // f − s f = 2 s: written so that the large part, f, is exact.
        let part = f - s * (f - 2 * z * sum)
        return Double(k) * ln2High + (part + Double(k) * ln2Low)
    }

    /// x to the power y for positive x: e to the y ln x, within (3 + 2 |y ln x|) units in the last place; NaN for x below
    /// zero, and 1 for y zero.
    static func pow(_ x: Double, _ y: Double) -> Double {
        guard y != 0 else { return 1 }
        return exp(y * ln(x))
    }

    /// 2 to the power n for n from −1,022 to 1,023.
    private static func powerOfTwo(_ n: Int64) -> Double { Double(bitPattern: UInt64(bitPattern: n + 1_023) << 52) }
}
