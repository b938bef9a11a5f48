// Looks over a message's bytes before the JSON decoder (RFC 8259) sees them, so that nesting cannot exhaust the stack
// and no other encoding than UTF-8 is guessed. Does not decide whether the text is JSON.

enum JSONGuard {
    /// What is wrong with the bytes as a whole, or nil when the decoder may see them.
    static func fault(in bytes: [UInt8]) -> String? {
        guard let first = bytes.first(where: { !isSpace($0) }), first == UInt8(ascii: "{") else {
            return "A message is one JSON object."
        }
        var depth = 0
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            // A zero byte is in no JSON text in UTF-8; in others it makes the decoder guess UTF-16 or UTF-32.
            if byte == 0 { return "A message is JSON in UTF-8." }
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth > ProtocolLimits.nestingDepth { return "The message is nested too deeply." }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth < 0 { return "A message is one JSON object." }
            default: break
            }
        }
        return depth == 0 && !isInString ? nil : "The message ends too early."
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
