// Reads the events of a capture (docs/captures.md). Foreign blocks, and packets of interfaces that are no peers, are
// passed over and counted. Total: any bytes give events, an end, or one error.
import MediaCore

/// The events of a capture, one after another.
public struct CaptureReader: Sendable {
    private var blocks: BlockReader
    /// The peers of the section's interfaces; nil for a foreign one.
    private var interfaces: [PeerID?] = []
    private var origin: UInt64 = 0
    private var failure: CaptureError?
    /// How many blocks were passed over because they are not this project's.
    public private(set) var foreignBlocks = 0

    /// Takes the bytes of a file. Throws when they do not begin as pcapng.
    public init(_ bytes: [UInt8]) throws(CaptureError) { blocks = try BlockReader(bytes) }

    /// Whether the file ended within a block: what was written last is not there. Known once `next()` gave nil.
    public var isTruncated: Bool { blocks.isTruncated }

    /// Where the next block begins, in bytes.
    public var offset: Int { blocks.offset }

    /// The next event, or nil at the end. After an error every further call throws it again.
    public mutating func next() throws(CaptureError) -> CaptureEvent? {
        if let failure { throw failure }
        do throws(CaptureError) {
            while let block = try blocks.next() {
                if let event = try event(of: block) { return event }
            }
            return nil
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func event(of block: Block) throws(CaptureError) -> CaptureEvent? {
        switch block.type {
        case Pcapng.sectionHeader: interfaces.removeAll(keepingCapacity: true)
        case Pcapng.interfaceDescription: try describe(block)
        case Pcapng.enhancedPacket: return try packet(block)
        case Pcapng.custom where isMarked(block.body): return try custom(block)
        default: foreignBlocks += 1
        }
        return nil
    }

    private func isMarked(_ body: Range<Int>) -> Bool {
        body.count >= 8 && blocks.number32(body.lowerBound) == Mark.enterprise
            && blocks.bytes[body.lowerBound + 4] == Mark.bytes.0 && blocks.bytes[body.lowerBound + 5] == Mark.bytes.1
    }

    private mutating func custom(_ block: Block) throws(CaptureError) -> CaptureEvent? {
        let at = block.body.lowerBound
        let version = blocks.bytes[at + 6]
        let number = blocks.bytes[at + 7]
        guard version == Mark.version else { throw CaptureError(.unknownVersion(version), at: block.offset) }
        guard let kind = Mark.Kind(rawValue: number) else { throw CaptureError(.unknownKind(number), at: block.offset) }
        let body = at + 8..<block.body.upperBound
        // The filling of a block is not counted as its body's.
        guard kind == .checkpoint || body.count <= Mark.maximumBody + 3,
            let event = FieldReader.event(kind, blocks.bytes[body])
        else { throw CaptureError(.badEvent(kind: number), at: block.offset) }
        if case .opened(let configuration, seed: _, build: _, at: _) = event {
            origin = SyntheticDatagram.unixNanoseconds(ntp: configuration.ntpAtOrigin)
        }
        return event
    }

    private mutating func describe(_ block: Block) throws(CaptureError) {
        let body = block.body
        guard body.count >= 8 else { throw CaptureError(.badBlock(type: block.type), at: block.offset) }
        guard interfaces.count < Pcapng.maximumInterfaces else {
            throw CaptureError(.tooManyInterfaces, at: block.offset)
        }
        var peer: PeerID?
        var resolution: UInt8 = 6
        let areSound = blocks.options(body.lowerBound + 8..<body.upperBound) { code, value in
            if code == Pcapng.timeResolution, value.count == 1 { resolution = blocks.bytes[value.lowerBound] }
            guard code == Pcapng.customBinary, value.count == 12, isMarked(value),
                blocks.bytes[value.lowerBound + 6] == Mark.version,
                blocks.bytes[value.lowerBound + 7] == Mark.peerOption
            else { return }
            peer = PeerID(blocks.bytes.span.uint32(at: value.lowerBound + 8).byteSwapped)
        }
        guard areSound, peer == nil || (resolution == 9 && blocks.number16(body.lowerBound) == Pcapng.linkTypeRaw)
        else { throw CaptureError(.badBlock(type: block.type), at: block.offset) }
        interfaces.append(peer)
    }

    private mutating func packet(_ block: Block) throws(CaptureError) -> CaptureEvent? {
        let at = block.body.lowerBound
        guard block.body.count >= 20 else { throw CaptureError(.badBlock(type: block.type), at: block.offset) }
        let interface = blocks.number32(at)
        guard interface < interfaces.count else {
            throw CaptureError(.unknownInterface(interface), at: block.offset)
        }
        guard let peer = interfaces[Int(interface)] else {
            foreignBlocks += 1
            return nil
        }
        let time = UInt64(blocks.number32(at + 4)) << 32 | UInt64(blocks.number32(at + 8))
        let captured = Int(blocks.number32(at + 12))
        let original = Int(blocks.number32(at + 16))
        guard captured <= block.body.count - 20 else {
            throw CaptureError(.badBlock(type: block.type), at: block.offset)
        }
        var flags: UInt32 = 0
        let optionsStart = min(at + 20 + (captured + 3) & ~3, block.body.upperBound)
        let areSound = blocks.options(optionsStart..<block.body.upperBound) { code, value in
            if code == Pcapng.packetFlags, value.count == 4 { flags = blocks.number32(value.lowerBound) }
        }
        guard areSound else { throw CaptureError(.badBlock(type: block.type), at: block.offset) }
        guard let kind = kind(of: at + 20, captured: captured, original: original) else {
            throw CaptureError(.badDatagram, at: block.offset)
        }
        let header = SyntheticDatagram.headerLength
        let data = Array(blocks.bytes[at + 20 + header..<at + 20 + captured])
        let moment = Timestamp(nanoseconds: Int64(bitPattern: time &- origin))
        switch (flags & 3, captured < original) {
        case (Pcapng.inbound, false): return kind == .rtp ? .rtp(peer, data, at: moment) : .rtcp(peer, data, at: moment)
        case (Pcapng.inbound, true): return .cut(peer, kind, data, originalLength: original - header, at: moment)
        case (Pcapng.outbound, false): return .sent(peer, kind, data)
        case (Pcapng.outbound, true): return .sentCut(peer, kind, data, originalLength: original - header)
        default: throw CaptureError(.badDatagram, at: block.offset)
        }
    }

    /// What a synthetic datagram carries; nil when its lengths or ports are not those of one.
    private func kind(of at: Int, captured: Int, original: Int) -> Egress.Kind? {
        let header = SyntheticDatagram.headerLength
        guard captured >= header, captured <= original, original <= header + SyntheticDatagram.maximumPayload else {
            return nil
        }
        let bytes = blocks.bytes.span
        guard bytes.uint8(at: at) == 0x45, bytes.uint8(at: at + 9) == 17, Int(bytes.uint16(at: at + 2)) == original
        else { return nil }
        let port = bytes.uint16(at: at + 20)
        guard port == bytes.uint16(at: at + 22) else { return nil }
        switch port {
        case SyntheticDatagram.rtpPort: return .rtp
        case SyntheticDatagram.rtcpPort: return .rtcp
        default: return nil
        }
    }
}
