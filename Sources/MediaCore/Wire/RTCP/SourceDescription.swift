// RTCP source descriptions (RFC 3550 §6.5). Items are found, their text is left where it lies.

/// One item of a source description. Offsets count from the datagram's first byte.
public struct SourceDescriptionItem: Hashable, Sendable, BitwiseCopyable {
    /// The item type of the canonical name (RFC 3550 §6.5.1).
    public static let canonicalName: UInt8 = 1
    /// The item type of the mid (RFC 8843 §15).
    public static let mid: UInt8 = 15

    /// The source that is described.
    public var ssrc: SSRC
    /// The item's type, above zero.
    public var type: UInt8
    /// Where the item's text begins.
    public var offset: Int
    /// The bytes of text, 0 to 255.
    public var length: Int
}

/// A packet of source descriptions, and a walk over their items.
public struct SourceDescription: Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 202

    private var position: Int
    private let end: Int
    private var chunks: UInt8
    private var source: SSRC?

    /// Reads a packet of source descriptions; nil when the packet is another, or when a chunk or an item reaches past
    /// its end. A chunk that ends with the packet without a closing zero is refused.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        guard packet.type == Self.packetType, bytes.holds(packet.length, at: packet.offset) else { return nil }
        position = packet.offset &+ RTCPPacket.headerLength
        end = packet.end
        chunks = packet.count
        var walk = self
        while walk.step(bytes) != nil {}
        guard walk.chunks == 0, walk.source == nil else { return nil }
    }

    /// The next item of any source, or nil at the end.
    public mutating func next(_ bytes: Span<UInt8>) -> SourceDescriptionItem? { step(bytes) }

    /// Goes on to the next item. Stops with chunks or an open source left over where the packet is malformed.
    private mutating func step(_ bytes: Span<UInt8>) -> SourceDescriptionItem? {
        while true {
            guard let ssrc = source else {
                guard chunks > 0, position &+ 4 <= end else { return nil }
                source = SSRC(bytes.uint32(at: position))
                chunks &-= 1
                position &+= 4
                continue
            }
            guard position < end else { return nil }
            let type = bytes.uint8(at: position)
            if type == 0 {
                // Zeros up to the next 32-bit boundary; a packet begins on one.
                position = (position &+ 4) & ~3
                source = nil
                continue
            }
            guard position &+ 2 <= end else { return nil }
            let length = Int(bytes.uint8(at: position &+ 1))
            guard position &+ 2 &+ length <= end else { return nil }
            defer { position &+= 2 &+ length }
            return SourceDescriptionItem(ssrc: ssrc, type: type, offset: position &+ 2, length: length)
        }
    }
}

extension CompoundWriter {
    /// Appends the description of one source with its canonical name (16 characters, as RFC 7022 §4.2 recommends);
    /// false when there is no room.
    public mutating func appendSourceDescription(
        ssrc: SSRC, canonicalName: Token, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        let count = Int(canonicalName.count)
        // Source, type, length and text, and at least one closing zero.
        let length = (4 &+ 2 &+ count &+ 1 &+ 3) & ~3
        guard let at = begin(type: SourceDescription.packetType, count: 1, bodyLength: length, into: &bytes) else {
            return false
        }
        bytes.putZeros(length, at: at)
        bytes.put32(ssrc.rawValue, at: at)
        bytes.put8(SourceDescriptionItem.canonicalName, at: at &+ 4)
        bytes.put8(canonicalName.count, at: at &+ 5)
        bytes.put(canonicalName, at: at &+ 6)
        return true
    }
}
