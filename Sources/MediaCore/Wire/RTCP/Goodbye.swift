// The RTCP goodbye (RFC 3550 §6.6). Its reason is left where it lies.

/// Sources that leave.
public struct Goodbye: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 203

    /// The number of sources, 0 to 31.
    public private(set) var count: UInt8
    private var sourcesOffset: Int
    /// Where the reason's text begins in the datagram; zero where there is none.
    public private(set) var reasonOffset = 0
    /// The bytes of the reason's text.
    public private(set) var reasonLength = 0

    /// Reads a goodbye; nil when the packet is another or too short for its sources or its reason.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        guard packet.type == Self.packetType, bytes.holds(packet.length, at: packet.offset) else { return nil }
        let behind = packet.offset &+ RTCPPacket.headerLength &+ Int(packet.count) &* 4
        guard behind <= packet.end else { return nil }
        count = packet.count
        sourcesOffset = packet.offset &+ RTCPPacket.headerLength
        if behind < packet.end {
            let length = Int(bytes.uint8(at: behind))
            guard behind &+ 1 &+ length <= packet.end else { return nil }
            reasonOffset = behind &+ 1
            reasonLength = length
        }
    }

    /// A source by its position below `count`, or nil.
    public func source(_ index: Int, in bytes: Span<UInt8>) -> SSRC? {
        guard index >= 0, index < Int(count) else { return nil }
        return SSRC(bytes.uint32(at: sourcesOffset &+ index &* 4))
    }
}

extension CompoundWriter {
    /// Appends a goodbye of one source without a reason; false when there is no room.
    public mutating func appendGoodbye(ssrc: SSRC, into bytes: inout MutableSpan<UInt8>) -> Bool {
        guard let at = begin(type: Goodbye.packetType, count: 1, bodyLength: 4, into: &bytes) else { return false }
        bytes.put32(ssrc.rawValue, at: at)
        return true
    }
}
