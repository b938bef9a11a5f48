// Writes JSON that may stand inside a script element of an HTML page: no character that could end the element is left.

/// JSON text in the making.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// The text so far.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    private mutating func begin() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    mutating func object(_ body: (inout JSONText) -> Void) { nest("{", "}", body) }
    mutating func array(_ body: (inout JSONText) -> Void) { nest("[", "]", body) }

    private mutating func nest(_ open: String, _ end: String, _ body: (inout JSONText) -> Void) {
        begin()
        bytes.append(contentsOf: open.utf8)
        needsComma = false
        body(&self)
        bytes.append(contentsOf: end.utf8)
        needsComma = true
    }

    mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func number(_ value: some BinaryInteger) {
        begin()
        bytes.append(contentsOf: String(value).utf8)
    }

    mutating func bool(_ value: Bool) {
        begin()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    mutating func null() {
        begin()
        bytes.append(contentsOf: "null".utf8)
    }

    mutating func string(_ text: String) {
        begin()
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            // Beside the control characters: what could close a script element or open a comment, and the two line ends
            // that JavaScript knows and JSON does not.
            case _ where scalar.value < 0x20, "<", ">", "&", "\u{7f}", "\u{2028}", "\u{2029}":
                bytes.append(contentsOf: "\\u".utf8)
                let digits = Array("0123456789abcdef".utf8)
                for shift in [12, 8, 4, 0] as [UInt32] { bytes.append(digits[Int(scalar.value >> shift & 15)]) }
            default: bytes.append(contentsOf: String(scalar).utf8)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func field(_ name: String, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }
    mutating func field(_ name: String, _ value: some BinaryInteger) {
        key(name)
        number(value)
    }
    mutating func field(_ name: String, numbers: some Sequence<some BinaryInteger>) {
        key(name)
        array { list in for value in numbers { list.number(value) } }
    }
}
