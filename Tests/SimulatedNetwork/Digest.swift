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
    public mutating func add(_ bytes: some RandomAccessCollection<UInt8>) {
        var word: UInt64 = 0
        var filled = 0
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            filled += 1
            if filled == 8 {
                add(word)
                word = 0
                filled = 0
            }
        }
        add(word)
        add(UInt64(bytes.count))
    }

    /// The digest of some bytes.
    public static func of(_ bytes: some RandomAccessCollection<UInt8>) -> UInt64 {
        var digest = Digest()
        digest.add(bytes)
        return digest.value
    }
}
