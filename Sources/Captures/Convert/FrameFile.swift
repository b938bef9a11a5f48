// The frames of a classic pcap file (draft-ietf-opsawg-pcap) or a pcapng file, of either byte order. Total and bounded.
import MediaCore

/// The frames of a file, one after another.
struct FrameFile {
    /// The longest frame of a classic file that is read: what tcpdump writes at most, and room.
    static let maximumFrame: UInt32 = 1 << 20

    private enum Format {
        case classic(isLittleEndian: Bool, nanoseconds: Bool, linkType: UInt32)
        case nextGeneration(BlockReader)
    }
    private struct Interface {
        var linkType: UInt32
        var snapLength: Int
        /// Ticks a second, as a power of ten or of two.
        var resolution: UInt8 = 6
        /// Seconds to be added.
        var offset: UInt64 = 0
    }

    private let bytes: [UInt8]
    private var format: Format
    private var at = 24
    private var interfaces: [Interface] = []
    /// Whether the file ends within a frame.
    private(set) var isTruncated = false

    init(_ bytes: [UInt8]) throws(CaptureError) {
        self.bytes = bytes
        let magic = bytes.span.uint32(at: 0)
        switch magic {
        case 0x0a0d_0d0a where bytes.count >= 4: format = .nextGeneration(try BlockReader(bytes))
        case 0xa1b2_c3d4, 0xa1b2_3c4d, 0xd4c3_b2a1, 0x4d3c_b2a1:
            let isLittleEndian = magic & 0xff == 0xa1
            let link = bytes.span.uint32(at: 20)
            guard bytes.count >= 24 else { throw CaptureError(.notACapture, at: 0) }
            // The top four bits say whether frames end in a checksum.
            format = .classic(
                isLittleEndian: isLittleEndian, nanoseconds: [0xa1b2_3c4d, 0x4d3c_b2a1].contains(magic),
                linkType: (isLittleEndian ? link.byteSwapped : link) & 0x0fff_ffff)
        default: throw CaptureError(.notACapture, at: 0)
        }
    }

    /// The next frame, or nil at the end.
    mutating func next() throws(CaptureError) -> CapturedFrame? {
        switch format {
        case .classic(let isLittleEndian, let nanoseconds, let linkType):
            return try classic(isLittleEndian, nanoseconds, linkType)
        case .nextGeneration(var blocks):
            // Two owners of the file's bytes are one storage: nothing is copied.
            while let block = try blocks.next() {
                let frame = try self.frame(of: block, in: blocks)
                guard let frame else { continue }
                format = .nextGeneration(blocks)
                return frame
            }
            isTruncated = blocks.isTruncated
            format = .nextGeneration(blocks)
            return nil
        }
    }

    private mutating func classic(
        _ isLittleEndian: Bool, _ nanoseconds: Bool, _ linkType: UInt32
    ) throws(CaptureError) -> CapturedFrame? {
        guard at < bytes.count else { return nil }
        func number(_ offset: Int) -> UInt32 {
            let value = bytes.span.uint32(at: offset)
            return isLittleEndian ? value.byteSwapped : value
        }
        guard bytes.count - at >= 16 else {
            isTruncated = true
            return nil
        }
        let captured = number(at + 8)
        guard captured <= Self.maximumFrame else { throw CaptureError(.blockTooLong(captured), at: at) }
        let start = at + 16
        guard Int(captured) <= bytes.count - start else {
            isTruncated = true
            return nil
        }
        let part = UInt64(number(at + 4)) &* (nanoseconds ? 1 : 1_000)
        let frame = CapturedFrame(
            range: start..<start + Int(captured), originalLength: Int(max(captured, number(at + 12))),
            linkType: linkType, nanoseconds: UInt64(number(at)) &* 1_000_000_000 &+ part)
        at = start + Int(captured)
        return frame
    }

    private mutating func frame(of block: Block, in blocks: BlockReader) throws(CaptureError) -> CapturedFrame? {
        let at = block.body.lowerBound
        let broken = CaptureError(.badBlock(type: block.type), at: block.offset)
        switch block.type {
        case Pcapng.sectionHeader: interfaces = []
        case Pcapng.interfaceDescription:
            guard block.body.count >= 8 else { throw broken }
            guard interfaces.count < Pcapng.maximumInterfaces else {
                throw CaptureError(.tooManyInterfaces, at: block.offset)
            }
            interfaces.append(interface(at, block, blocks))
        case Pcapng.enhancedPacket, Pcapng.packet:
            guard block.body.count >= 20 else { throw broken }
            let number = block.type == Pcapng.packet ? UInt32(blocks.number16(at)) : blocks.number32(at)
            guard number < interfaces.count else { throw CaptureError(.unknownInterface(number), at: block.offset) }
            let interface = interfaces[Int(number)]
            let captured = Int(blocks.number32(at + 12))
            guard captured <= block.body.count - 20 else { throw broken }
            let ticks = UInt64(blocks.number32(at + 4)) << 32 | UInt64(blocks.number32(at + 8))
            return CapturedFrame(
                range: at + 20..<at + 20 + captured,
                originalLength: max(captured, Int(blocks.number32(at + 16))), linkType: interface.linkType,
                nanoseconds: Self.nanoseconds(ticks, interface))
        case Pcapng.simplePacket:
            guard block.body.count >= 4 else { throw broken }
            guard let interface = interfaces.first else { throw CaptureError(.unknownInterface(0), at: block.offset) }
            let original = Int(blocks.number32(at))
            var captured = min(original, block.body.count - 4)
            if interface.snapLength > 0 { captured = min(captured, interface.snapLength) }
            return CapturedFrame(
                range: at + 4..<at + 4 + captured, originalLength: original, linkType: interface.linkType,
                nanoseconds: 0)
        default: break
        }
        return nil
    }

    private func interface(_ at: Int, _ block: Block, _ blocks: BlockReader) -> Interface {
        var interface = Interface(
            linkType: UInt32(blocks.number16(at)), snapLength: Int(blocks.number32(at + 4)))
        // Options that do not fit are ignored: the frames can be read without them.
        _ = blocks.options(at + 8..<block.body.upperBound) { code, value in
            if code == Pcapng.timeResolution, value.count == 1 {
                interface.resolution = blocks.bytes[value.lowerBound]
            } else if code == Pcapng.timeOffset, value.count == 8 {
                let first = UInt64(blocks.number32(value.lowerBound))
                let second = UInt64(blocks.number32(value.lowerBound + 4))
                interface.offset = blocks.isLittleEndian ? second << 32 | first : first << 32 | second
            }
        }
        return interface
    }

    /// Ticks of an interface as nanoseconds since 1970, rounded down and wrapping.
    private static func nanoseconds(_ ticks: UInt64, _ interface: Interface) -> UInt64 {
        let power = interface.resolution & 0x7f
        var perSecond: UInt64 = 1
        if interface.resolution & 0x80 != 0 {
            guard power < 64 else { return 0 }
            perSecond <<= UInt64(power)
        } else {
            guard power < 20 else { return 0 }
            for _ in 0..<power { perSecond *= 10 }
        }
        let whole = ticks / perSecond
        // The rest times 10⁹ may have 94 bits.
        let product = (ticks % perSecond).multipliedFullWidth(by: 1_000_000_000)
        let part = perSecond.dividingFullWidth((product.high, product.low)).quotient
        return (whole &+ interface.offset) &* 1_000_000_000 &+ part
    }
}
