// Bytes into a session description (RFC 8866 §5). Total: whatever the bytes are, a description or an `SDPError` comes
// of them, in time linear in their number. Tolerates lines that end in LF alone and lines in another order.

extension SessionDescription {
    /// Parses a session description.
    /// - Throws: `SDPError` with the line and a sentence, when the text is beyond one of `SDPLimits`, is not UTF-8, has
    ///   control characters, lacks `v=0`, `o=` or `s=` at its beginning, or has a line or a known attribute of a wrong
    ///   form.
    public init(parsing bytes: [UInt8]) throws(SDPError) {
        guard bytes.count <= SDPLimits.maximumBytes else {
            throw SDPError(line: 0, reason: "The description is longer than \(SDPLimits.maximumBytes) bytes.")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw SDPError(line: 0, reason: "The description is not UTF-8.")
        }
        var parser = DescriptionParser(bytes: bytes)
        self = try parser.parse()
    }

    /// Parses a session description given as text.
    /// - Throws: `SDPError`, as `init(parsing:)` for bytes does.
    public init(parsing text: String) throws(SDPError) { try self.init(parsing: Array(text.utf8)) }
}

private struct DescriptionParser {
    let bytes: [UInt8]
    var position = 0
    var line = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func parse() throws(SDPError) -> SessionDescription {
        guard try next("v") == "0" else { throw fault("The version must be 0.") }
        var description = SessionDescription(origin: try next("o"), name: try next("s"), lines: [])
        while let (letter, value) = try nextLine() {
            switch letter {
            case UInt8(ascii: "m"):
                guard description.media.count < SDPLimits.maximumMediaSections else {
                    throw fault("There are more than \(SDPLimits.maximumMediaSections) media sections.")
                }
                description.media.append(try mediaLine(value))
            case UInt8(ascii: "a"):
                let attribute = try Attribute(parsing: value, line: line)
                let last = description.media.count - 1
                if last >= 0 {
                    description.media[last].attributes.append(attribute)
                } else {
                    description.attributes.append(attribute)
                }
            default:
                let kept = DescriptionLine(letter: Unicode.Scalar(letter), value: text(value))
                let last = description.media.count - 1
                if last >= 0 {
                    guard "icbk".utf8.contains(letter) else { throw fault("A media section has no such line.") }
                    description.media[last].lines.append(kept)
                } else {
                    guard "iuepcbtrzk".utf8.contains(letter) else { throw fault("There is no such line here.") }
                    description.lines.append(kept)
                }
            }
        }
        return description
    }

    func fault(_ reason: String) -> SDPError { SDPError(line: line, reason: reason) }

    func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    /// The value of the next line, which must have this letter.
    mutating func next(_ letter: Character) throws(SDPError) -> String {
        guard let (found, value) = try nextLine(), found == letter.asciiValue else {
            throw fault("Here a line \(letter)= must stand.")
        }
        return text(value)
    }

    /// The next line's letter and value, or nil at the end. Empty lines are allowed at the end alone.
    mutating func nextLine() throws(SDPError) -> (UInt8, ArraySlice<UInt8>)? {
        guard position < bytes.count else { return nil }
        line += 1
        guard line <= SDPLimits.maximumLines else {
            throw fault("There are more than \(SDPLimits.maximumLines) lines.")
        }
        let end = bytes[position...].firstIndex(of: 0x0a) ?? bytes.count
        var content = bytes[position..<end]
        if content.last == 0x0d { content = content.dropLast() }
        position = end + 1
        guard content.count <= SDPLimits.maximumLineBytes else {
            throw fault("The line is longer than \(SDPLimits.maximumLineBytes) bytes.")
        }
        if content.isEmpty {
            guard position >= bytes.count || bytes[position...].allSatisfy({ $0 == 0x0a || $0 == 0x0d }) else {
                throw fault("The line is empty.")
            }
            position = bytes.count
            return nil
        }
        guard !content.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f }) else {
            throw fault("The line has a control character.")
        }
        let value = content.dropFirst(2)
        guard let letter = content.first, content.dropFirst().first == UInt8(ascii: "=") else {
            throw fault("The line does not begin with a letter and an equals sign.")
        }
        return (letter, value)
    }

    /// `m=` (RFC 8866 §5.14).
    func mediaLine(_ value: ArraySlice<UInt8>) throws(SDPError) -> MediaDescription {
        var words = Words(value)
        guard let kind = words.nextText(), let ports = words.next(), let protocolName = words.nextText() else {
            throw fault("A media line names the kind, the port and the protocol.")
        }
        let slash = ports.firstIndex(of: UInt8(ascii: "/")) ?? ports.endIndex
        guard let port = ASCII.number(ports[..<slash], atMost: 65_535) else { throw fault("The port is not a number.") }
        var count: UInt32?
        if slash != ports.endIndex {
            guard let number = ASCII.number(ports[(slash + 1)...], atMost: 65_535) else {
                throw fault("The number of ports is not a number.")
            }
            count = UInt32(number)
        }
        var formats: [String] = []
        while let format = words.nextText() {
            guard formats.count < SDPLimits.maximumFormats else {
                throw fault("The media line names more than \(SDPLimits.maximumFormats) formats.")
            }
            formats.append(format)
        }
        return MediaDescription(
            kind: kind, port: UInt16(port), portCount: count, protocolName: protocolName, formats: formats)
    }
}
