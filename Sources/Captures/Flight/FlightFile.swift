// Reads a ring's file that a process left behind when it was killed, and gives what it held as a capture.
import MediaCore

/// Why a file is not read as a flight ring.
public enum FlightFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is not there, or cannot be read.
    case unreadable
    /// It does not begin as a ring does, or its head was never written to the end.
    case notAFlightFile
    /// Another version wrote it.
    case unknownVersion(UInt64)
    /// Its length is not what its head says.
    case wrongLength(expected: Int, found: Int)
    /// Nothing had been recorded.
    case empty

    /// One line for people.
    public var description: String {
        switch self {
        case .unreadable: "the file cannot be read"
        case .notAFlightFile: "the file is no flight ring, or its head was never written"
        case .unknownVersion(let version): "a flight ring of version \(version), which is not known"
        case .wrongLength(let expected, let found): "the flight ring should have \(expected) bytes and has \(found)"
        case .empty: "the flight ring holds nothing"
        }
    }
}

/// What a ring's file held.
public struct FlightFile: Sendable {
    /// The room's name.
    public let room: String
    /// The segments, the oldest first: together a capture.
    public let pieces: [[UInt8]]

    /// Reads a file from its path.
    public static func read(_ path: String) throws(FlightFileError) -> FlightFile {
        let limit = FlightLayout.head + FlightLayout.segments * FlightLayout.segmentRange.upperBound
        guard let bytes = WholeFile.read(path, limit: limit) else { throw .unreadable }
        return try FlightFile(bytes)
    }

    /// Reads the bytes of a file. Total: any bytes give what they hold, or one error. A segment that was being begun when
    /// the process ended, or whose head makes no sense, is left out.
    public init(_ bytes: [UInt8]) throws(FlightFileError) {
        let magic = FlightLayout.magic.count
        guard bytes.count >= FlightLayout.head, Array(bytes[..<magic]) == FlightLayout.magic else {
            throw .notAFlightFile
        }
        func word(_ at: Int) -> UInt64 { bytes.span.uint64(at: at).byteSwapped }
        let version = word(magic)
        guard version == FlightLayout.version else { throw .unknownVersion(version) }
        let segments = word(magic + 8)
        let segmentBytes = word(magic + 16)
        let nameLength = word(magic + 24)
        guard segments == FlightLayout.segments, let size = Int(exactly: segmentBytes),
            FlightLayout.segmentRange.contains(size), nameLength <= FlightLayout.longestName
        else { throw .notAFlightFile }
        let name = bytes[magic + 40..<magic + 40 + Int(nameLength)]
        guard word(magic + 32) == FlightLayout.check(segmentBytes: size, name: name) else { throw .notAFlightFile }
        let expected = FlightLayout.head + FlightLayout.segments * size
        guard bytes.count == expected else { throw .wrongLength(expected: expected, found: bytes.count) }
        room = String(decoding: name, as: UTF8.self)

        var found: [(serial: UInt64, range: Range<Int>)] = []
        for index in 0..<FlightLayout.segments {
            let start = FlightLayout.head + index * size
            let serial = word(start + FlightLayout.serialOffset)
            let used = word(start + FlightLayout.usedOffset)
            let first = start + FlightLayout.segmentHead
            guard serial > 0, used > FlightLayout.segmentHead, used <= size,
                bytes.span.uint32(at: first) == Pcapng.sectionHeader
            else { continue }
            found.append((serial, first..<start + Int(used)))
        }
        guard !found.isEmpty else { throw .empty }
        found.sort { $0.serial < $1.serial }
        pieces = found.map { Array(bytes[$0.range]) }
    }

    /// The segments in one piece.
    public var capture: [UInt8] { Array(pieces.joined()) }
}
