// The fields of an event's body: numbers in variable length, tokens, counted lists. Reading is total: whatever does not
// fit gives nil. The layout is that of docs/captures.md.
import MediaCore

/// Appends fields to bytes.
struct FieldWriter {
    /// What was written.
    var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }
    mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// Eight bytes, the least significant first.
    mutating func fixed(_ value: UInt64) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Seven bits a byte, the least significant first, the top bit set on all but the last (LEB128).
    mutating func number(_ value: UInt64) {
        var rest = value
        while rest > 0x7f {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// A number that may be negative: 0, −1, 1, −2 … as 0, 1, 2, 3 …
    mutating func signed(_ value: Int64) {
        number(UInt64(bitPattern: (value &<< 1) ^ (value >> 63)))
    }

    mutating func list<Element>(_ elements: [Element], _ write: (inout FieldWriter, Element) -> Void) {
        number(UInt64(elements.count))
        for element in elements { write(&self, element) }
    }

    mutating func optional<Wrapped>(_ value: Wrapped?, _ write: (inout FieldWriter, Wrapped) -> Void) {
        flag(value != nil)
        if let value { write(&self, value) }
    }

    mutating func data(_ value: some Collection<UInt8>) {
        number(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func token(_ value: Token) {
        bytes.append(value.count)
        for index in 0..<Int(value.count) { bytes.append(value.byte(at: index)) }
    }
    mutating func peer(_ value: PeerID) { number(UInt64(value.rawValue)) }
    mutating func moment(_ value: Timestamp) { fixed(UInt64(bitPattern: value.nanoseconds)) }
}

/// Takes fields from bytes. After the first that does not fit every further one is nil too.
struct FieldReader {
    /// Most elements of one list. What a negotiation or a client may ask for is far below.
    static let maximumElements = 65_535

    private let bytes: ArraySlice<UInt8>
    private var at: Int

    /// A reader at the first of the bytes.
    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    /// How many bytes were not taken.
    var remaining: Int { bytes.endIndex - at }

    mutating func byte() -> UInt8? {
        guard at < bytes.endIndex else { return nil }
        defer { at += 1 }
        return bytes[at]
    }
    mutating func flag() -> Bool? {
        switch byte() {
        case 0: false
        case 1: true
        default: nil
        }
    }
    mutating func fixed() -> UInt64? {
        guard remaining >= 8 else { return nil }
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[at + index]) << UInt64(8 * index) }
        at += 8
        return value
    }

    /// A number written in its shortest form; nil for any longer form, so that one event has one encoding.
    mutating func number() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let next = byte() {
            if shift == 63, next > 1 { return nil }
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { return next == 0 && shift > 0 ? nil : value }
            shift += 7
            guard shift < 64 else { return nil }
        }
        return nil
    }
    /// A number that fits the type.
    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_ type: Number.Type) -> Number? {
        number().flatMap { Number(exactly: $0) }
    }
    mutating func signed() -> Int64? {
        number().map { Int64(bitPattern: ($0 >> 1) ^ (0 &- ($0 & 1))) }
    }
    mutating func integer() -> Int? { signed().flatMap { Int(exactly: $0) } }

    mutating func list<Element>(_ read: (inout FieldReader) -> Element?) -> [Element]? {
        // Every element takes a byte at least: a count cannot ask for more memory than the bytes are worth.
        guard let count = number(), count <= UInt64(Self.maximumElements), count <= UInt64(remaining) else {
            return nil
        }
        var elements: [Element] = []
        elements.reserveCapacity(min(Int(count), 64))
        for _ in 0..<count {
            guard let element = read(&self) else { return nil }
            elements.append(element)
        }
        return elements
    }

    /// The outer nil: the field cannot be read; the inner: it says that there is no value.
    mutating func optional<Wrapped>(_ read: (inout FieldReader) -> Wrapped?) -> Wrapped?? {
        guard let isThere = flag() else { return nil }
        guard isThere else { return .some(nil) }
        guard let value = read(&self) else { return nil }
        return .some(value)
    }

    mutating func data() -> ArraySlice<UInt8>? {
        guard let count = number(), count <= UInt64(remaining) else { return nil }
        defer { at += Int(count) }
        return bytes[at..<at + Int(count)]
    }

    mutating func token() -> Token? {
        guard let count = byte(), count <= 16, Int(count) <= remaining else { return nil }
        defer { at += Int(count) }
        return Token(bytes[at..<at + Int(count)])
    }
    mutating func peer() -> PeerID? { number(UInt32.self).map { PeerID($0) } }
    mutating func moment() -> Timestamp? { fixed().map { Timestamp(nanoseconds: Int64(bitPattern: $0)) } }
    mutating func span() -> TimeDelta? { signed().map { TimeDelta(nanoseconds: $0) } }
    mutating func ssrc() -> SSRC? { number(UInt32.self).map { SSRC($0) } }
    mutating func mid() -> Mid? { token().map { Mid(token: $0) } }
    mutating func rid() -> Rid? { token().map { Rid(token: $0) } }
}
