// Why a file is not a capture that can be read, and where in it.

/// A fault in a file. Reading ends with it.
public struct CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: Hashable, Sendable {
        /// The file begins neither as pcap nor as pcapng.
        case notACapture
        /// A section header with a byte-order magic that is none, or of a major version other than 1.
        case badSectionHeader
        /// A block's total length is under 12, not a multiple of 4, or not the one repeated at its end.
        case badBlockLength(UInt32)
        /// A block, or a record of a classic pcap file, longer than is read.
        case blockTooLong(UInt32)
        /// A block whose parts do not fit in it.
        case badBlock(type: UInt32)
        /// A packet of an interface that no block describes.
        case unknownInterface(UInt32)
        /// More interfaces than are read.
        case tooManyInterfaces
        /// A block of this project in a version that is not known here.
        case unknownVersion(UInt8)
        /// A block of this project of a kind that is not known here.
        case unknownKind(UInt8)
        /// A block of this project whose body does not say an event.
        case badEvent(kind: UInt8)
        /// A packet whose addresses, ports or lengths are not those of a synthetic datagram.
        case badDatagram
    }
    /// What is wrong.
    public var reason: Reason
    /// Where in the file the block begins, in bytes.
    public var offset: Int

    /// A fault in the block that begins at `offset`.
    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// One line for people.
    public var description: String {
        let what =
            switch reason {
            case .notACapture: "neither pcap nor pcapng"
            case .badSectionHeader: "a section header that cannot be read"
            case .badBlockLength(let length): "a block of impossible length \(length)"
            case .blockTooLong(let length): "a block of \(length) bytes, more than are read"
            case .badBlock(let type): "a block of type 0x\(String(type, radix: 16)) whose parts do not fit in it"
            case .unknownInterface(let number): "a packet of interface \(number), which no block describes"
            case .tooManyInterfaces: "more interfaces than are read"
            case .unknownVersion(let version): "an event of version \(version), which this build does not know"
            case .unknownKind(let kind): "an event of kind \(kind), which this build does not know"
            case .badEvent(let kind): "an event of kind \(kind) that cannot be read"
            case .badDatagram: "a packet that is not one of a room"
            }
        return "\(what), at offset \(offset)"
    }
}
