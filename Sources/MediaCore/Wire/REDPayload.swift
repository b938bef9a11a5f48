// Redundant audio (RFC 2198): the headers before the blocks of one payload, and where the newest block, the primary one, lies.
// Decodes nothing, and knows of a payload type only whether it is the one that is asked for.

/// The shape of a redundant payload of which every block has one payload type.
public struct REDPayload: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of a redundant block's header: the follow bit and the payload type, 14 bits of timestamp offset, 10 of length.
    /// The primary block's header is the first of these bytes alone, and comes last.
    static let redundantHeaderLength = 4

    /// The bytes of all headers, 1 at least.
    public let headLength: Int
    /// Where in the payload the primary block begins.
    public let primaryOffset: Int
    /// The bytes of the primary block, 1 at least.
    public let primaryLength: Int

    /// How many redundant blocks come before the primary one.
    public var redundantCount: Int { (headLength &- 1) / Self.redundantHeaderLength }

    /// Reads the headers of a payload of `count` bytes at an offset; nil when they do not end within it, when the blocks do
    /// not, when nothing is left for the primary one, or when a block is of another payload type.
    public init?(_ bytes: Span<UInt8>, at start: Int, length count: Int, of payloadType: PayloadType) {
        guard count > 1, bytes.holds(count, at: start) else { return nil }
        var head = 0
        var redundant = 0
        while true {
            guard head < count else { return nil }
            let byte = bytes.uint8(at: start &+ head)
            guard byte & 0x7f == payloadType.rawValue else { return nil }
            guard byte & 0x80 != 0 else { break }
            guard count &- head >= Self.redundantHeaderLength else { return nil }
            redundant &+= Int(bytes.uint16(at: start &+ head &+ 2) & 0x3ff)
            head &+= Self.redundantHeaderLength
        }
        headLength = head &+ 1
        primaryOffset = headLength &+ redundant
        primaryLength = count &- primaryOffset
        guard primaryLength > 0 else { return nil }
    }

    /// The bytes at a payload's beginning that tell its shape, or that it has none: the headers, whatever their payload types.
    public static func headLength(_ bytes: Span<UInt8>, at start: Int, length count: Int) -> Int {
        guard count > 0, bytes.holds(count, at: start) else { return 0 }
        var head = 0
        while head < count, bytes.uint8(at: start &+ head) & 0x80 != 0 { head &+= redundantHeaderLength }
        return min(head &+ 1, count)
    }

    /// Gives every block another payload type: what a number stands for differs from receiver to receiver.
    /// - Parameters:
    ///   - headLength: the bytes of the headers, all of them.
    ///   - start: where the payload begins.
    static func write(
        _ payloadType: PayloadType, headLength: Int, into bytes: inout MutableSpan<UInt8>, at start: Int
    ) {
        var at = 0
        while at < headLength {
            bytes.put8(bytes.uint8(at: start &+ at) & 0x80 | payloadType.rawValue, at: start &+ at)
            at &+= redundantHeaderLength
        }
    }
}
