// A digest of a byte sequence, to compare two runs; not for secrets.

/// A 64-bit digest of everything added to it, in order.
public struct Digest: Sendable, Hashable {
    /// The digest so far.
    public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The digest of nothing.
    public init() {}

    /// Adds a number.
    public mutating func add(_ number: UInt64) {
        value = (value ^ number) &* 0x0000_0100_0000_01b3
        value ^= value >> 29
    }

    /// Adds bytes and their count.
    public mutating func add(_ bytes: [UInt8]) { add(bytes, bytes.indices) }

    /// Adds some of the bytes, and how many they are.
    public mutating func add(_ bytes: [UInt8], _ range: Range<Int>) {
        var word: UInt64 = 0
        var filled = 0
        for index in range {
            word = word << 8 | UInt64(bytes[index])
            filled += 1
            if filled == 8 {
                add(word)
                word = 0
                filled = 0
            }
        }
        add(word)
        add(UInt64(range.count))
    }

    /// The digest of some bytes.
    public static func of(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        var digest = Digest()
        digest.add(bytes, range)
        return digest.value
    }
}
