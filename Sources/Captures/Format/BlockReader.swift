// Walks the blocks of a pcapng file of either byte order. Total and bounded: it holds the file and one position, and a
// block that is longer than is read is an error before anything is taken from it.
import MediaCore

/// One block.
struct Block {
    /// Its type.
    var type: UInt32
    /// Where it begins in the file.
    var offset: Int
    /// What lies between its two lengths.
    var body: Range<Int>
}

/// The blocks of a file, one after another.
struct BlockReader {
    let bytes: [UInt8]
    private(set) var offset = 0
    /// The byte order of the section that is read.
    private(set) var isLittleEndian = true
    /// Whether the file ends within a block, or in bytes that nobody wrote.
    private(set) var isTruncated = false

    /// Takes a file whose first four bytes are those of a section header.
    init(_ bytes: [UInt8]) throws(CaptureError) {
        guard bytes.count >= 4, bytes[0] == 0x0a, bytes[1] == 0x0d, bytes[2] == 0x0d, bytes[3] == 0x0a else {
            throw CaptureError(.notACapture, at: 0)
        }
        self.bytes = bytes
    }

    /// The next block, or nil at the end.
    mutating func next() throws(CaptureError) -> Block? {
        guard offset < bytes.count else { return nil }
        guard bytes.count - offset >= 12 else { return cut() }
        var type = number32(offset)
        if type == Pcapng.sectionHeader {
            try section()
        } else if type == 0, number32(offset + 4) == 0 {
            // The rest of a mapped file that was never written.
            return cut()
        }
        type = number32(offset)
        let length = number32(offset + 4)
        guard length <= Pcapng.maximumBlockLength else { throw CaptureError(.blockTooLong(length), at: offset) }
        let shortest = type == Pcapng.sectionHeader ? 28 : 12
        guard length >= shortest, length & 3 == 0 else { throw CaptureError(.badBlockLength(length), at: offset) }
        let end = offset + Int(length)
        guard end <= bytes.count else { return cut() }
        guard number32(end - 4) == length else { throw CaptureError(.badBlockLength(length), at: offset) }
        if type == Pcapng.sectionHeader, number16(offset + 12) != 1 {
            throw CaptureError(.badSectionHeader, at: offset)
        }
        defer { offset = end }
        return Block(type: type, offset: offset, body: offset + 8..<end - 4)
    }

    private mutating func section() throws(CaptureError) {
        isLittleEndian = true
        if number32(offset + 8) == Pcapng.byteOrderMagic { return }
        isLittleEndian = false
        guard number32(offset + 8) == Pcapng.byteOrderMagic else {
            throw CaptureError(.badSectionHeader, at: offset)
        }
    }

    private mutating func cut() -> Block? {
        isTruncated = true
        offset = bytes.count
        return nil
    }

    /// The number in the section's byte order; zero outside of the file.
    func number16(_ at: Int) -> UInt16 {
        let value = bytes.span.uint16(at: at)
        return isLittleEndian ? value.byteSwapped : value
    }
    func number32(_ at: Int) -> UInt32 {
        let value = bytes.span.uint32(at: at)
        return isLittleEndian ? value.byteSwapped : value
    }

    /// Calls `body` with the code and the place of each option; false when they do not fit in the range.
    func options(_ range: Range<Int>, _ body: (UInt16, Range<Int>) -> Void) -> Bool {
        var at = range.lowerBound
        while at < range.upperBound {
            guard range.upperBound - at >= 4 else { return false }
            let code = number16(at)
            let length = Int(number16(at + 2))
            if code == Pcapng.endOfOptions { return true }
            guard length <= range.upperBound - at - 4 else { return false }
            body(code, at + 4..<at + 4 + length)
            at += 4 + (length + 3) & ~3
        }
        return true
    }
}
