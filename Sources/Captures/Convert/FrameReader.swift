// Finds the UDP datagram in a captured frame: link layer, IPv4 (RFC 791) or IPv6 (RFC 8200), UDP (RFC 768). Total. It
// puts no fragments together and follows no IPv6 extension headers: such frames are passed over.
import MediaCore

/// The two ends that a datagram names: one direction of a 5-tuple.
public struct CaptureFlow: Hashable, Sendable {
    /// The source's address, 4 or 16 bytes.
    public let sourceAddress: [UInt8]
    /// The source's port.
    public let sourcePort: UInt16
    /// The destination's address, 4 or 16 bytes.
    public let destinationAddress: [UInt8]
    /// The destination's port.
    public let destinationPort: UInt16
}

/// A captured frame as its file describes it.
struct CapturedFrame {
    /// Where its captured bytes lie in the file.
    var range: Range<Int>
    /// How long it was on the wire.
    var originalLength: Int
    /// LINKTYPE number.
    var linkType: UInt32
    /// Nanoseconds since 1970, wrapping.
    var nanoseconds: UInt64
}

/// A UDP datagram in a frame.
struct CapturedDatagram {
    var flow: CaptureFlow
    /// The captured part of its payload.
    var payload: Range<Int>
    /// How long its payload was.
    var originalLength: Int
}

enum FrameReader {
    /// The datagram; nil when the frame holds none that can be read.
    static func datagram(_ bytes: Span<UInt8>, _ frame: CapturedFrame) -> CapturedDatagram? {
        guard let at = network(bytes, frame), at < frame.range.upperBound else { return nil }
        switch bytes.uint8(at: at) >> 4 {
        case 4: return version4(bytes, at, frame.range.upperBound)
        case 6: return version6(bytes, at, frame.range.upperBound)
        default: return nil
        }
    }

    /// Where the IP header begins.
    private static func network(_ bytes: Span<UInt8>, _ frame: CapturedFrame) -> Int? {
        let start = frame.range.lowerBound
        switch frame.linkType {
        // BSD loopback (0, 108): four bytes of address family, which the IP version repeats.
        case 0, 108: return start + 4
        // Ethernet, with up to two VLAN tags (IEEE 802.1Q).
        case 1:
            var at = start + 12
            for _ in 0..<2 where [0x8100, 0x88a8].contains(bytes.uint16(at: at)) { at += 4 }
            return [0x0800, 0x86dd].contains(bytes.uint16(at: at)) ? at + 2 : nil
        // Raw IP, in its several numbers.
        case 12, 14, 101, 228, 229: return start
        // Linux cooked capture.
        case 113: return [0x0800, 0x86dd].contains(bytes.uint16(at: start + 14)) ? start + 16 : nil
        // Linux cooked capture, version 2.
        case 276: return [0x0800, 0x86dd].contains(bytes.uint16(at: start)) ? start + 20 : nil
        default: return nil
        }
    }

    private static func version4(_ bytes: Span<UInt8>, _ at: Int, _ end: Int) -> CapturedDatagram? {
        let header = Int(bytes.uint8(at: at) & 0x0f) * 4
        // Neither a first nor a later fragment.
        guard header >= 20, at + header <= end, bytes.uint8(at: at + 9) == 17,
            bytes.uint16(at: at + 6) & 0x3fff == 0
        else { return nil }
        return datagram(bytes, at + header, end, from: at + 12..<at + 16, to: at + 16..<at + 20)
    }

    private static func version6(_ bytes: Span<UInt8>, _ at: Int, _ end: Int) -> CapturedDatagram? {
        guard at + 40 <= end, bytes.uint8(at: at + 6) == 17 else { return nil }
        return datagram(bytes, at + 40, end, from: at + 8..<at + 24, to: at + 24..<at + 40)
    }

    private static func datagram(
        _ bytes: Span<UInt8>, _ at: Int, _ end: Int, from source: Range<Int>, to destination: Range<Int>
    ) -> CapturedDatagram? {
        let length = Int(bytes.uint16(at: at + 4))
        guard at + 8 <= end, length >= 8 else { return nil }
        let flow = CaptureFlow(
            sourceAddress: source.map { bytes.uint8(at: $0) }, sourcePort: bytes.uint16(at: at),
            destinationAddress: destination.map { bytes.uint8(at: $0) }, destinationPort: bytes.uint16(at: at + 2))
        return CapturedDatagram(
            flow: flow, payload: at + 8..<min(end, at + length), originalLength: length - 8)
    }
}
