// RTP packets (RFC 3550 §5.1, extensions RFC 8285, VP8 RFC 7741) written and read by the simulated clients. On purpose
// a second implementation beside MediaCore's, so that a mistake in one does not hide in the other.

/// One RTP packet that a simulated client sends.
public struct OutgoingPacket: Sendable {
    /// The payload type, 0 to 127.
    public var payloadType: UInt8
    /// The marker bit.
    public var marker: Bool
    /// The sequence number.
    public var sequence: UInt16
    /// The RTP timestamp.
    public var timestamp: UInt32
    /// The synchronisation source.
    public var ssrc: UInt32
    /// Header extensions: identifier and value, in the order in which they are written.
    public var extensions: [(id: UInt8, value: [UInt8])]
    /// The payload.
    public var payload: [UInt8]

    /// A packet with these fields.
    public init(
        payloadType: UInt8, marker: Bool, sequence: UInt16, timestamp: UInt32, ssrc: UInt32,
        extensions: [(id: UInt8, value: [UInt8])] = [], payload: [UInt8]
    ) {
        self.payloadType = payloadType
        self.marker = marker
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.extensions = extensions
        self.payload = payload
    }

    /// The packet on the wire, with one-byte extension headers where they suffice.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(payload.count + 64)
        out.append(0x80 | (extensions.isEmpty ? 0 : 0x10))
        out.append((marker ? 0x80 : 0) | (payloadType & 0x7f))
        out.append(bigEndian: sequence)
        out.append(bigEndian: timestamp)
        out.append(bigEndian: ssrc)
        if !extensions.isEmpty {
            let oneByte = extensions.allSatisfy { (1...14).contains($0.id) && (1...16).contains($0.value.count) }
            var body: [UInt8] = []
            for (id, value) in extensions {
                if oneByte {
                    body.append(id << 4 | UInt8(value.count - 1))
                } else {
                    body.append(id)
                    body.append(UInt8(truncatingIfNeeded: value.count))
                }
                body += value
            }
            while body.count % 4 != 0 { body.append(0) }
            out.append(bigEndian: oneByte ? UInt16(0xbede) : 0x1000)
            out.append(bigEndian: UInt16(body.count / 4))
            out += body
        }
        out += payload
        return out
    }
}

/// An RTP packet as a simulated client reads it.
public struct IncomingPacket: Sendable {
    /// The whole packet.
    public let bytes: [UInt8]
    /// The payload type, 0 to 127.
    public let payloadType: UInt8
    /// The marker bit.
    public let marker: Bool
    /// The sequence number.
    public let sequence: UInt16
    /// The RTP timestamp.
    public let timestamp: UInt32
    /// The synchronisation source.
    public let ssrc: UInt32
    /// The first contributing source, or nil when there is none.
    public let contributingSource: UInt32?
    /// Where the payload lies, padding taken off.
    public let payloadRange: Range<Int>
    private let extensionRange: Range<Int>
    private let extensionProfile: UInt16

    /// Reads a packet, or gives nil when it is not RTP version 2 or its lengths do not fit.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= 12, bytes[0] >> 6 == 2 else { return nil }
        self.bytes = bytes
        marker = bytes[1] & 0x80 != 0
        payloadType = bytes[1] & 0x7f
        sequence = bytes.bigEndian16(at: 2)
        timestamp = bytes.bigEndian32(at: 4)
        ssrc = bytes.bigEndian32(at: 8)
        var offset = 12
        let sources = Int(bytes[0] & 0x0f)
        guard bytes.count >= offset + 4 * sources else { return nil }
        contributingSource = sources > 0 ? bytes.bigEndian32(at: 12) : nil
        offset += 4 * sources
        var extensionRange = 0..<0
        var extensionProfile: UInt16 = 0
        if bytes[0] & 0x10 != 0 {
            guard bytes.count >= offset + 4 else { return nil }
            extensionProfile = bytes.bigEndian16(at: offset)
            let length = 4 * Int(bytes.bigEndian16(at: offset + 2))
            offset += 4
            guard bytes.count >= offset + length else { return nil }
            extensionRange = offset..<(offset + length)
            offset += length
        }
        var end = bytes.count
        if bytes[0] & 0x20 != 0 {
            let padding = Int(bytes[bytes.count - 1])
            guard padding > 0, end - padding >= offset else { return nil }
            end -= padding
        }
        self.extensionRange = extensionRange
        self.extensionProfile = extensionProfile
        payloadRange = offset..<end
    }

    /// The payload without padding.
    public var payload: ArraySlice<UInt8> { bytes[payloadRange] }

    /// The value of the header extension with this identifier, or nil when it is absent.
    public func extensionValue(_ id: UInt8) -> ArraySlice<UInt8>? {
        guard id != 0 else { return nil }
        let oneByte = extensionProfile == 0xbede
        guard oneByte || extensionProfile & 0xfff0 == 0x1000 else { return nil }
        var at = extensionRange.lowerBound
        while at < extensionRange.upperBound {
            if bytes[at] == 0 {
                at += 1
                continue
            }
            let found: UInt8
            let length: Int
            if oneByte {
                found = bytes[at] >> 4
                if found == 15 { return nil }
                length = Int(bytes[at] & 0x0f) + 1
                at += 1
            } else {
                guard at + 1 < extensionRange.upperBound else { return nil }
                found = bytes[at]
                length = Int(bytes[at + 1])
                at += 2
            }
            guard at + length <= extensionRange.upperBound else { return nil }
            if found == id { return bytes[at..<(at + length)] }
            at += length
        }
        return nil
    }

    /// The transport-wide sequence number under this identifier.
    public func transportSequence(_ id: UInt8) -> UInt16? {
        guard let value = extensionValue(id), value.count == 2 else { return nil }
        return UInt16(value[value.startIndex]) << 8 | UInt16(value[value.startIndex + 1])
    }
}

/// What a VP8 payload descriptor and the first payload byte say.
public struct VP8Fields: Sendable, Equatable {
    /// The packet begins a partition.
    public var startsPartition = false
    /// The partition's number.
    public var partition: UInt8 = 0
    /// The picture number and whether it has 15 bits.
    public var pictureID: UInt16?
    /// Whether the picture number has 15 bits rather than 7.
    public var hasLongPictureID = false
    /// TL0PICIDX.
    public var temporalLevelZeroIndex: UInt8?
    /// TID.
    public var temporalLayer: UInt8?
    /// Y: the frame depends on base-layer frames alone.
    public var isLayerSync = false
    /// KEYIDX.
    public var keyIndex: UInt8?
    /// The packet begins a frame, and that frame is a key frame.
    public var beginsKeyFrame = false

    /// The packet begins a frame.
    public var beginsFrame: Bool { startsPartition && partition == 0 }

    /// Reads the descriptor at the start of a payload, or gives nil when it is cut off.
    public init?(_ payload: ArraySlice<UInt8>) {
        var at = payload.startIndex
        func next() -> UInt8? {
            guard at < payload.endIndex else { return nil }
            defer { at += 1 }
            return payload[at]
        }
        guard let first = next() else { return nil }
        startsPartition = first & 0x10 != 0
        partition = first & 0x07
        if first & 0x80 != 0 {
            guard let flags = next() else { return nil }
            if flags & 0x80 != 0 {
                guard let high = next() else { return nil }
                if high & 0x80 != 0 {
                    guard let low = next() else { return nil }
                    pictureID = UInt16(high & 0x7f) << 8 | UInt16(low)
                    hasLongPictureID = true
                } else {
                    pictureID = UInt16(high)
                }
            }
            if flags & 0x40 != 0 {
                guard let index = next() else { return nil }
                temporalLevelZeroIndex = index
            }
            if flags & 0x30 != 0 {
                guard let byte = next() else { return nil }
                if flags & 0x20 != 0 {
                    temporalLayer = byte >> 6
                    isLayerSync = byte & 0x20 != 0
                }
                if flags & 0x10 != 0 { keyIndex = byte & 0x1f }
            }
        }
        if beginsFrame {
            guard let header = next() else { return nil }
            beginsKeyFrame = header & 1 == 0
        }
    }
}

/// What a VP9 payload descriptor says.
struct VP9Fields: Sendable, Equatable {
    var begins = false
    var ends = false
    var isKey = false
    var pictureID: UInt16 = 0
    var spatial: UInt8 = 0
    var temporal: UInt8 = 0

    /// Reads the descriptor at the start of a payload with a 15-bit picture number and layer indices; else nil.
    init?(_ payload: ArraySlice<UInt8>) {
        guard payload.count > 4, let flags = payload.first, flags & 0xa0 == 0xa0 else { return nil }
        let start = payload.startIndex
        begins = flags & 0x08 != 0
        ends = flags & 0x04 != 0
        pictureID = UInt16(payload[start + 1] & 0x7f) << 8 | UInt16(payload[start + 2])
        temporal = payload[start + 3] >> 5
        spatial = payload[start + 3] >> 1 & 7
        isKey = flags & 0x40 == 0 && begins && spatial == 0
    }
}

extension Array where Element == UInt8 {
    /// Appends 16 bits, most significant byte first.
    public mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }
    /// Appends 32 bits, most significant byte first.
    public mutating func append(bigEndian value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }
    /// The 16 bits at an offset that must lie within.
    public func bigEndian16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }
    /// The 32 bits at an offset that must lie within.
    public func bigEndian32(at offset: Int) -> UInt32 {
        UInt32(bigEndian16(at: offset)) << 16 | UInt32(bigEndian16(at: offset + 2))
    }
}

/// Makes one ever growing number of a 16-bit one that wraps.
public struct Unwrapper: Sendable {
    /// The largest number so far, or nil before the first.
    public private(set) var highest: Int64?

    /// An unwrapper that has seen nothing.
    public init() {}

    /// The extended number nearest to the largest so far; the first is taken as it is, plus 65,536.
    public mutating func extend(_ value: UInt16) -> Int64 {
        guard let highest else {
            self.highest = Int64(value) + 65_536
            return Int64(value) + 65_536
        }
        let step = Int16(bitPattern: value &- UInt16(truncatingIfNeeded: highest))
        let extended = highest + Int64(step)
        if extended > highest { self.highest = extended }
        return extended
    }
}
