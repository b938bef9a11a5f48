// Reading small things from bytes: spaces, numbers, hexadecimal digits. Knows no line of a session description.

enum ASCII {
    static let space = UInt8(ascii: " ")

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
    }

    /// `ice-char` of RFC 8839 §5.1.
    static func isICECharacter(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/")
    }

    /// A character of a rid (RFC 8851 §10, as browsers write it).
    static func isRidCharacter(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x41 &+ 10
        case 0x61...0x66: byte &- 0x61 &+ 10
        default: nil
        }
    }

    /// Whether two bytes are equal but for the case of a letter.
    static func isSameLetter(_ a: UInt8, _ b: UInt8) -> Bool { lowercased(a) == lowercased(b) }

    static func lowercased(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }

    static func lowercased(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        bytes.map { lowercased($0) }
    }

    static func trimmed<Bytes: BidirectionalCollection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence
    where Bytes.SubSequence: BidirectionalCollection<UInt8>, Bytes.SubSequence.SubSequence == Bytes.SubSequence {
        var rest = bytes[...]
        while let first = rest.first, isSpace(first) { rest = rest.dropFirst() }
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return rest
    }

    /// A decimal number of at most `maximum`, of digits alone and at most twenty of them; nil otherwise.
    static func number(_ bytes: some Collection<UInt8>, atMost maximum: UInt64 = .max) -> UInt64? {
        guard !bytes.isEmpty, bytes.count <= 20 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard isDigit(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value <= maximum ? value : nil
    }
}

/// The words of a line's value, taken one after another.
struct Words {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next word; spaces before it do not count. Nil at the end.
    mutating func next() -> ArraySlice<UInt8>? {
        while rest.first == ASCII.space { rest = rest.dropFirst() }
        guard !rest.isEmpty else { return nil }
        let end = rest.firstIndex(of: ASCII.space) ?? rest.endIndex
        let word = rest[rest.startIndex..<end]
        rest = rest[end...]
        return word
    }

    /// The next word as text.
    mutating func nextText() -> String? { next().map { String(decoding: $0, as: UTF8.self) } }

    /// The next word as a decimal number of at most `maximum`.
    mutating func nextNumber(atMost maximum: UInt64) -> UInt64? { next().flatMap { ASCII.number($0, atMost: maximum) } }

    /// All that is left after the spaces, as text; nil when nothing is.
    mutating func remainder() -> String? {
        while rest.first == ASCII.space { rest = rest.dropFirst() }
        guard !rest.isEmpty else { return nil }
        defer { rest = rest[rest.endIndex...] }
        return String(decoding: rest, as: UTF8.self)
    }

    /// Whether only spaces are left.
    var isAtEnd: Bool { rest.allSatisfy { $0 == ASCII.space } }
}
