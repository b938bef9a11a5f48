// Writes events as pcapng blocks (docs/captures.md), little-endian, into bytes that are taken out in pieces. Opens no
// file: `CaptureFile` does.
public import MediaCore

/// Turns events into the bytes of a capture. Each piece taken out is made of whole blocks.
public struct CaptureWriter: Sendable {
    private var bytes: [UInt8] = []
    private var interfaces: [PeerID: UInt32] = [:]
    private var scratch = FieldWriter()
    /// Where timestamp zero is, in nanoseconds since 1970.
    private var origin: UInt64 = 0
    /// What is written for datagrams that were sent, which carry no moment of their own.
    private var latest = Timestamp(nanoseconds: 0)
    /// How many events were too long for the format; each is a `gap` in the capture.
    public private(set) var refused: UInt64 = 0

    /// A writer whose first bytes are the section header.
    public init() { writeSectionHeader() }

    /// How many bytes wait to be taken out.
    public var count: Int { bytes.count }

    /// Takes the bytes out, and leaves none.
    public mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    /// Shows the bytes that wait; with `removeAll()` behind it, what `take()` does without giving the memory away.
    public func withBytes<R>(_ body: (Span<UInt8>) throws -> R) rethrows -> R { try body(bytes.span) }

    /// Forgets the bytes that wait, and keeps their memory.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Forgets the bytes that wait and their memory: behind a checkpoint it is far more than packets need.
    mutating func removeAllGivingMemoryAway() {
        bytes = []
        scratch = FieldWriter()
    }

    /// Begins a new section: what follows can be read without what came before, once it has its own `opened`. To be
    /// called where bytes were lost, because the descriptions of interfaces may be among them.
    public mutating func beginSection() {
        interfaces.removeAll(keepingCapacity: true)
        writeSectionHeader()
    }

    /// Adds an event.
    public mutating func append(_ event: CaptureEvent) {
        if let at = event.moment { latest = at }
        switch event {
        case .rtp(let peer, let packet, let at) where fits(packet.count, packet.count):
            datagram(packet.span, packet.count, .rtp, peer, Pcapng.inbound, at)
        case .rtcp(let peer, let packet, let at) where fits(packet.count, packet.count):
            datagram(packet.span, packet.count, .rtcp, peer, Pcapng.inbound, at)
        case .cut(let peer, let kind, let packet, let length, let at)
        where length > packet.count && fits(packet.count, length):
            datagram(packet.span, length, kind, peer, Pcapng.inbound, at)
        case .sent(let peer, let kind, let packet) where fits(packet.count, packet.count):
            datagram(packet.span, packet.count, kind, peer, Pcapng.outbound, latest)
        case .sentCut(let peer, let kind, let packet, let length)
        where length > packet.count && fits(packet.count, length):
            datagram(packet.span, length, kind, peer, Pcapng.outbound, latest)
        default:
            if case .opened(let configuration, seed: _, build: _, at: _) = event {
                origin = SyntheticDatagram.unixNanoseconds(ntp: configuration.ntpAtOrigin)
            }
            custom(event)
        }
    }

    /// Adds a received packet of `originalLength` bytes, of which `packet` are the first, without making an event of
    /// it: allocates nothing once the peer is known and the memory has grown.
    public mutating func appendReceived(
        _ kind: Egress.Kind, _ packet: Span<UInt8>, originalLength: Int, from peer: PeerID, at now: Timestamp
    ) {
        latest = now
        guard originalLength >= packet.count, fits(packet.count, originalLength) else {
            let copy = packet.indices.map { packet[$0] }
            if originalLength != packet.count {
                append(.cut(peer, kind, copy, originalLength: originalLength, at: now))
            } else {
                append(kind == .rtp ? .rtp(peer, copy, at: now) : .rtcp(peer, copy, at: now))
            }
            return
        }
        datagram(packet, originalLength, kind, peer, Pcapng.inbound, now)
    }

    /// Adds a datagram of `originalLength` bytes that was sent, of which `packet` are the first, without making an
    /// event of it.
    public mutating func appendSent(
        _ kind: Egress.Kind, _ packet: Span<UInt8>, originalLength: Int, to peer: PeerID
    ) {
        guard originalLength >= packet.count, fits(packet.count, originalLength) else {
            let copy = packet.indices.map { packet[$0] }
            append(
                originalLength == packet.count
                    ? .sent(peer, kind, copy) : .sentCut(peer, kind, copy, originalLength: originalLength))
            return
        }
        datagram(packet, originalLength, kind, peer, Pcapng.outbound, latest)
    }

    private func fits(_ count: Int, _ originalLength: Int) -> Bool {
        count <= originalLength && originalLength <= SyntheticDatagram.maximumPayload
    }

    // MARK: Blocks

    private mutating func writeSectionHeader() {
        let start = begin(Pcapng.sectionHeader)
        put32(Pcapng.byteOrderMagic)
        put16(1)
        put16(0)
        // The section's length: not known.
        put32(.max)
        put32(.max)
        option(Pcapng.applicationName, Array("majlis".utf8))
        put32(0)
        end(start)
    }

    private mutating func interface(of peer: PeerID) -> UInt32 {
        if let known = interfaces[peer] { return known }
        if interfaces.count >= Pcapng.maximumInterfaces { beginSection() }
        let number = UInt32(interfaces.count)
        interfaces[peer] = number
        let start = begin(Pcapng.interfaceDescription)
        put16(Pcapng.linkTypeRaw)
        put16(0)
        put32(0)
        option(Pcapng.interfaceName, Array("peer \(peer.rawValue)".utf8))
        // Nanoseconds: ten to the minus nine.
        option(Pcapng.timeResolution, [9])
        put16(Pcapng.customBinary)
        put16(12)
        put32(Mark.enterprise)
        mark(Mark.peerOption)
        put32(peer.rawValue)
        put32(0)
        end(start)
        return number
    }

    private mutating func datagram(
        _ packet: Span<UInt8>, _ originalLength: Int, _ kind: Egress.Kind, _ peer: PeerID, _ direction: UInt32,
        _ at: Timestamp
    ) {
        let interface = interface(of: peer)
        let time = origin &+ UInt64(bitPattern: at.nanoseconds)
        let filling = -packet.count & 3
        let captured = UInt32(packet.count + SyntheticDatagram.headerLength)
        let total = UInt32(originalLength + SyntheticDatagram.headerLength)
        // 28 bytes before the data and 16 behind it.
        let length = 28 + captured + UInt32(filling) + 16
        let remote = SyntheticDatagram.address(of: peer)
        let source = direction == Pcapng.inbound ? remote : SyntheticDatagram.server
        let destination = direction == Pcapng.inbound ? SyntheticDatagram.server : remote
        let port = UInt32(SyntheticDatagram.port(of: kind))
        put(
            [
                Pcapng.enhancedPacket, length, interface, UInt32(truncatingIfNeeded: time >> 32),
                UInt32(truncatingIfNeeded: time), captured, total,
                // IPv4 (RFC 791): version, header length, total length; not fragmented; 64 hops, UDP, the checksum.
                Self.wire(0x4500 << 16 | total), Self.wire(0x0000_4000),
                Self.wire(0x4011 << 16 | Self.checksum(total, source, destination)), Self.wire(source),
                Self.wire(destination),
                // UDP (RFC 768) without its checksum.
                Self.wire(port << 16 | port), Self.wire((total - 20) << 16),
            ] as InlineArray<14, UInt32>)
        unsafe packet.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        for _ in 0..<filling { bytes.append(0) }
        put([UInt32(Pcapng.packetFlags) | 4 << 16, direction, 0, length] as InlineArray<4, UInt32>)
    }

    /// The checksum of an IPv4 header that is as those here are.
    private static func checksum(_ total: UInt32, _ source: UInt32, _ destination: UInt32) -> UInt32 {
        var sum: UInt32 = 0x4500 + total + 0x4000 + 0x4011
        sum += source >> 16 + source & 0xffff + destination >> 16 + destination & 0xffff
        sum = sum & 0xffff + sum >> 16
        sum = sum & 0xffff + sum >> 16
        return ~sum & 0xffff
    }

    private mutating func custom(_ event: CaptureEvent) {
        scratch.bytes.removeAll(keepingCapacity: true)
        let kind = scratch.body(of: event)
        guard scratch.bytes.count <= (kind == .checkpoint ? Mark.maximumCheckpoint : Mark.maximumBody) else {
            refused &+= 1
            scratch.bytes = []
            return custom(.gap(events: 1))
        }
        let filling = -scratch.bytes.count & 3
        let length = UInt32(16 + scratch.bytes.count + filling + 4)
        let mark =
            UInt32(Mark.bytes.0) | UInt32(Mark.bytes.1) << 8 | UInt32(Mark.version) << 16 | UInt32(kind.rawValue) << 24
        put([Pcapng.custom, length, Mark.enterprise, mark] as InlineArray<4, UInt32>)
        bytes.append(contentsOf: scratch.bytes)
        for _ in 0..<filling { bytes.append(0) }
        put32(length)
    }

    private mutating func mark(_ kind: UInt8) {
        bytes.append(Mark.bytes.0)
        bytes.append(Mark.bytes.1)
        bytes.append(Mark.version)
        bytes.append(kind)
    }

    // MARK: Numbers

    private mutating func begin(_ type: UInt32) -> Int {
        put32(type)
        put32(0)
        return bytes.count - 8
    }
    /// Writes the total length at both ends. Blocks are multiples of four bytes, and so are all pieces.
    private mutating func end(_ start: Int) {
        let length = UInt32(bytes.count + 4 - start)
        put32(length)
        for index in 0..<4 { bytes[start + 4 + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index)) }
    }
    private mutating func option(_ code: UInt16, _ value: [UInt8]) {
        put16(code)
        put16(UInt16(value.count))
        bytes.append(contentsOf: value)
        fill()
    }
    private mutating func fill() {
        while bytes.count & 3 != 0 { bytes.append(0) }
    }
    private mutating func put16(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    }
    private mutating func put32(_ value: UInt32) {
        put16(UInt16(truncatingIfNeeded: value))
        put16(UInt16(truncatingIfNeeded: value >> 16))
    }
    /// Words at once: what is written for each packet costs no call for each byte.
    @inline(__always) private mutating func put<let count: Int>(_ words: InlineArray<count, UInt32>) {
        var words = words
        for index in words.indices { words[index] = words[index].littleEndian }
        unsafe words.span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }
    /// A word that stands in network order.
    @inline(__always) private static func wire(_ value: UInt32) -> UInt32 { value.byteSwapped }
}
