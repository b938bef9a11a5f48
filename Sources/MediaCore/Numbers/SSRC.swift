// Identifiers on the wire: SSRC (RFC 3550 §8), payload type, mid (RFC 9143 §15) and rid (RFC 8852 §3.1).

/// A synchronisation source (RFC 3550 §8): 32 bits that name one RTP stream within a peer connection.
public struct SSRC: Hashable, Sendable, BitwiseCopyable {
    /// The 32 bits.
    public var rawValue: UInt32
    /// The source with these 32 bits.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// An RTP payload type, 0 to 127 (RFC 3551 §3); a value above 127 is cut to seven bits.
public struct PayloadType: Hashable, Sendable, BitwiseCopyable {
    /// The number, 0 to 127.
    public var rawValue: UInt8
    /// The payload type with this number; the top bit is dropped.
    @inlinable public init(_ rawValue: UInt8) { self.rawValue = rawValue & 0x7f }
}

/// A short ASCII token held inline: at most 16 bytes, as mid and rid are on the wire.
public struct Token: Hashable, Sendable, BitwiseCopyable {
    /// The first eight bytes, most significant first, zero padded.
    public let high: UInt64
    /// The last eight bytes, most significant first, zero padded.
    public let low: UInt64
    /// The number of bytes, 1 to 16.
    public let count: UInt8

    /// The token "-".
    static let dash = Token(high: 0x2d << 56, low: 0, count: 1)

    private init(high: UInt64, low: UInt64, count: UInt8) {
        self.high = high
        self.low = low
        self.count = count
    }

    /// The token with these bytes, or nil when there are none, more than 16, or one outside printable ASCII.
    public init?(_ bytes: some Sequence<UInt8>) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var n: UInt8 = 0
        for byte in bytes {
            guard n < 16, byte > 0x20, byte < 0x7f else { return nil }
            if n < 8 {
                high |= UInt64(byte) << (56 - 8 * UInt64(n))
            } else {
                low |= UInt64(byte) << (120 - 8 * UInt64(n))
            }
            n += 1
        }
        guard n > 0 else { return nil }
        self.high = high
        self.low = low
        self.count = n
    }

    /// The token with the first `count` of these bytes, or nil when there are none, more than 16, or one outside
    /// printable ASCII. Allocates nothing.
    init?(_ bytes: InlineArray<16, UInt8>, count: Int) {
        guard count > 0, count <= 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for i in 0..<count {
            let byte = bytes[i]
            guard byte > 0x20, byte < 0x7f else { return nil }
            if i < 8 {
                high |= UInt64(byte) << (56 - 8 * UInt64(i))
            } else {
                low |= UInt64(byte) << (120 - 8 * UInt64(i))
            }
        }
        self.high = high
        self.low = low
        self.count = UInt8(truncatingIfNeeded: count)
    }

    /// The byte at a position below `count`; zero beyond it.
    @inlinable public func byte(at index: Int) -> UInt8 {
        guard index >= 0, index < 16 else { return 0 }
        return index < 8
            ? UInt8(truncatingIfNeeded: high >> (56 - 8 * UInt64(index)))
            : UInt8(truncatingIfNeeded: low >> (120 - 8 * UInt64(index)))
    }

    /// The token as text.
    public var text: String { String(decoding: (0..<Int(count)).map { byte(at: $0) }, as: UTF8.self) }
}

/// A media identification tag: names one media section of a session description (RFC 9143 §15).
public struct Mid: Hashable, Sendable, BitwiseCopyable {
    /// The tag's bytes.
    public let token: Token
    /// The tag with this text, or nil when it is empty, longer than 16 bytes or not printable ASCII.
    public init?(_ text: String) {
        guard let token = Token(text.utf8) else { return nil }
        self.token = token
    }
    /// The tag with these bytes.
    public init(token: Token) { self.token = token }
    /// The tag as text.
    public var text: String { token.text }
}

/// A restriction identifier: names one encoding of a simulcast track (RFC 8852 §3.1).
public struct Rid: Hashable, Sendable, BitwiseCopyable {
    /// The identifier's bytes.
    public let token: Token
    /// The identifier with this text, or nil when it is empty, longer than 16 bytes or not printable ASCII.
    public init?(_ text: String) {
        guard let token = Token(text.utf8) else { return nil }
        self.token = token
    }
    /// The identifier with these bytes.
    public init(token: Token) { self.token = token }
    /// The identifier as text.
    public var text: String { token.text }
}
