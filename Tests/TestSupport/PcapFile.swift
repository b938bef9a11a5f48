// A small reader of classic pcap and pcapng files for tests: it yields the UDP payloads with their addresses taken off.
// Total: a damaged file ends the list early or gives nil. It knows no IP fragments (they are passed over), no options
// of pcapng but the time resolution's default of microseconds, and no big files (everything is in memory).

/// The UDP datagrams of a capture.
public struct PcapFile: Sendable {
    /// One UDP datagram.
    public struct Datagram: Sendable {
        /// Microseconds since the epoch of the capture's clock.
        public var microseconds: Int64
        /// The source address's bytes, 4 or 16.
        public var sourceAddress: [UInt8]
        /// The source port.
        public var sourcePort: UInt16
        /// The destination address's bytes, 4 or 16.
        public var destinationAddress: [UInt8]
        /// The destination port.
        public var destinationPort: UInt16
        /// The payload.
        public var payload: [UInt8]
    }

    /// The datagrams in the order of the file.
    public private(set) var datagrams: [Datagram] = []
    /// The number of captured frames, those that are not UDP included.
    public private(set) var frameCount = 0

    private var littleEndian = true

    /// Reads a file's bytes; nil when they begin neither as pcap nor as pcapng.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= 12 else { return nil }
        switch Self.number(bytes, 0, 4, littleEndian: true) {
        case 0xa1b2_c3d4: readClassic(bytes, nanoseconds: false)
        case 0xa1b2_3c4d: readClassic(bytes, nanoseconds: true)
        case 0xd4c3_b2a1:
            littleEndian = false
            readClassic(bytes, nanoseconds: false)
        case 0x4d3c_b2a1:
            littleEndian = false
            readClassic(bytes, nanoseconds: true)
        case 0x0a0d_0d0a: readNextGeneration(bytes)
        default: return nil
        }
    }

    /// The datagrams of one of the external captures; nil when it cannot be read.
    public static func external(_ path: String) -> PcapFile? {
        ExternalCaptures.bytes(path).flatMap { PcapFile($0) }
    }

    /// A number of up to eight bytes; zero outside of the bytes.
    private static func number(_ bytes: [UInt8], _ at: Int, _ length: Int, littleEndian: Bool) -> Int {
        guard at >= 0, at + length <= bytes.count else { return 0 }
        var value = 0
        for i in 0..<length { value = value << 8 | Int(bytes[at + (littleEndian ? length - 1 - i : i)]) }
        return value
    }
    private func fileNumber(_ bytes: [UInt8], _ at: Int, _ length: Int) -> Int {
        Self.number(bytes, at, length, littleEndian: littleEndian)
    }
    private static func wire(_ bytes: [UInt8], _ at: Int, _ length: Int) -> Int {
        number(bytes, at, length, littleEndian: false)
    }

    private mutating func readClassic(_ bytes: [UInt8], nanoseconds: Bool) {
        let link = fileNumber(bytes, 20, 4) & 0x0fff_ffff
        var at = 24
        while at + 16 <= bytes.count {
            let length = fileNumber(bytes, at + 8, 4)
            guard at + 16 + length <= bytes.count else { return }
            let part = fileNumber(bytes, at + 4, 4)
            let time = fileNumber(bytes, at, 4) * 1_000_000 + (nanoseconds ? part / 1_000 : part)
            readFrame(bytes, at + 16, at + 16 + length, link: link, microseconds: Int64(time))
            at += 16 + length
        }
    }

    private mutating func readNextGeneration(_ bytes: [UInt8]) {
        var at = 0
        var links: [Int] = []
        while at + 12 <= bytes.count {
            let isSection = Self.number(bytes, at, 4, littleEndian: true) == 0x0a0d_0d0a
            if isSection {
                littleEndian = Self.number(bytes, at + 8, 4, littleEndian: true) == 0x1a2b_3c4d
                links = []
            }
            let type = fileNumber(bytes, at, 4)
            let length = fileNumber(bytes, at + 4, 4)
            guard length >= 12, at + length <= bytes.count else { return }
            if type == 1 {
                links.append(fileNumber(bytes, at + 8, 2))
            } else if type == 6, length >= 32 {
                let interface = fileNumber(bytes, at + 8, 4)
                let time = fileNumber(bytes, at + 12, 4) << 32 | fileNumber(bytes, at + 16, 4)
                let captured = fileNumber(bytes, at + 20, 4)
                guard interface < links.count, captured <= length - 32 else { return }
                readFrame(bytes, at + 28, at + 28 + captured, link: links[interface], microseconds: Int64(time))
            }
            at += length
        }
    }

    /// Takes the link layer off: null (0), Ethernet (1), raw IP (12, 101, 228, 229), Linux cooked (113) and its second
    /// version (276).
    private mutating func readFrame(_ bytes: [UInt8], _ start: Int, _ end: Int, link: Int, microseconds: Int64) {
        frameCount += 1
        var at = start
        switch link {
        case 0: at += 4
        case 1:
            at += 14
            // One or two VLAN tags.
            var type = Self.wire(bytes, at - 2, 2)
            while (type == 0x8100 || type == 0x88a8) && at + 4 <= end {
                at += 4
                type = Self.wire(bytes, at - 2, 2)
            }
        case 12, 101, 228, 229: break
        case 113: at += 16
        case 276: at += 20
        default: return
        }
        guard at < end else { return }
        switch bytes[at] >> 4 {
        case 4:
            let head = Int(bytes[at] & 0x0f) * 4
            guard head >= 20, at + head <= end, bytes[at + 9] == 17 else { return }
            guard Self.wire(bytes, at + 6, 2) & 0x3fff == 0 else { return }
            let total = Self.wire(bytes, at + 2, 2)
            let last = total >= head ? min(end, at + total) : end
            readUDP(
                bytes, at + head, last, from: Array(bytes[at + 12..<at + 16]), to: Array(bytes[at + 16..<at + 20]),
                microseconds)
        case 6:
            guard at + 40 <= end, bytes[at + 6] == 17 else { return }
            let last = min(end, at + 40 + Self.wire(bytes, at + 4, 2))
            readUDP(
                bytes, at + 40, last, from: Array(bytes[at + 8..<at + 24]), to: Array(bytes[at + 24..<at + 40]),
                microseconds)
        default: return
        }
    }

    private mutating func readUDP(
        _ bytes: [UInt8], _ start: Int, _ end: Int, from: [UInt8], to: [UInt8], _ microseconds: Int64
    ) {
        guard start + 8 <= end else { return }
        let length = Self.wire(bytes, start + 4, 2)
        guard length >= 8, start + length <= end else { return }
        datagrams.append(
            Datagram(
                microseconds: microseconds, sourceAddress: from, sourcePort: UInt16(Self.wire(bytes, start, 2)),
                destinationAddress: to, destinationPort: UInt16(Self.wire(bytes, start + 2, 2)),
                payload: Array(bytes[start + 8..<start + length])))
    }
}
