// Walks the RTCP packets of one datagram, compound (RFC 3550 §6.1) or reduced-size (RFC 5506). Judges lengths, versions
// and padding only; each packet's own file reads its body.

/// What an RTCP packet is, by its type and format numbers.
public enum RTCPPacketKind: UInt8, Hashable, Sendable {
    /// Type 200 (RFC 3550 §6.4.1).
    case senderReport
    /// Type 201 (RFC 3550 §6.4.2).
    case receiverReport
    /// Type 202 (RFC 3550 §6.5).
    case sourceDescription
    /// Type 203 (RFC 3550 §6.6).
    case goodbye
    /// Type 204 (RFC 3550 §6.7).
    case application
    /// Type 205, format 1 (RFC 4585 §6.2.1).
    case genericNACK
    /// Type 205, format 15 (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    case transportFeedback
    /// Type 206, format 1 (RFC 4585 §6.3.1).
    case pictureLossIndication
    /// Type 206, format 4 (RFC 5104 §4.3.1).
    case fullIntraRequest
    /// Type 206, format 15: application layer feedback, such as REMB.
    case applicationLayerFeedback
    /// Type 207 (RFC 3611).
    case extendedReport
    /// Anything else.
    case other
}

/// One RTCP packet within a datagram. Offsets count from the datagram's first byte.
public struct RTCPPacket: Hashable, Sendable, BitwiseCopyable {
    /// The bytes of the common header.
    public static let headerLength = 4
    /// The bytes before the control information of a feedback message: common header and two sources.
    public static let feedbackHeaderLength = 12

    /// The packet type, mostly 192 to 223.
    public var type: UInt8
    /// The five bits behind version and padding: a count or, of feedback messages, their format.
    public var count: UInt8
    /// Where the packet begins.
    public var offset: Int
    /// The bytes of the packet, header included, padding not.
    public var length: Int

    /// The offset behind the packet's last byte.
    @inlinable public var end: Int { offset &+ length }

    /// What the packet is.
    public var kind: RTCPPacketKind {
        switch (type, count) {
        case (200, _): .senderReport
        case (201, _): .receiverReport
        case (202, _): .sourceDescription
        case (203, _): .goodbye
        case (204, _): .application
        case (205, 1): .genericNACK
        case (205, 15): .transportFeedback
        case (206, 1): .pictureLossIndication
        case (206, 4): .fullIntraRequest
        case (206, 15): .applicationLayerFeedback
        case (207, _): .extendedReport
        default: .other
        }
    }
}

/// A walk over the packets of one datagram.
public struct CompoundReader: Sendable, BitwiseCopyable {
    /// The longest datagram that is walked.
    public static let maximumLength = 65_535

    private var position = 0

    /// A walk; nil when the datagram is empty, when a packet is not of version 2 or does not end where its length says
    /// it does, when bytes are left over, or when padding is empty or longer than the body. Padding is accepted in any
    /// packet, because libwebrtc pads transport feedback wherever it stands.
    public init?(_ bytes: Span<UInt8>) {
        guard bytes.count >= RTCPPacket.headerLength, bytes.count <= Self.maximumLength else { return nil }
        var at = 0
        while at < bytes.count {
            guard let (_, next) = Self.packet(bytes, at: at) else { return nil }
            at = next
        }
    }

    /// The next packet, or nil at the end. The bytes must be those that the walk began with.
    public mutating func next(_ bytes: Span<UInt8>) -> RTCPPacket? {
        guard let (packet, next) = Self.packet(bytes, at: position) else { return nil }
        position = next
        return packet
    }

    /// The packet at an offset, and where the one behind it begins.
    @inline(__always)
    private static func packet(_ bytes: Span<UInt8>, at offset: Int) -> (RTCPPacket, next: Int)? {
        guard bytes.holds(RTCPPacket.headerLength, at: offset) else { return nil }
        let first = bytes.uint8(at: offset)
        let total = (Int(bytes.uint16(at: offset &+ 2)) &+ 1) &* 4
        guard first >> 6 == 2, bytes.holds(total, at: offset) else { return nil }
        var padding = 0
        if first & 0x20 != 0 {
            padding = Int(bytes.uint8(at: offset &+ total &- 1))
            guard padding > 0, padding <= total &- RTCPPacket.headerLength else { return nil }
        }
        let packet = RTCPPacket(
            type: bytes.uint8(at: offset &+ 1), count: first & 0x1f, offset: offset, length: total &- padding)
        return (packet, offset &+ total)
    }
}
