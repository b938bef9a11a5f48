// The bytes that spell the events of a run, one after another; behind the last there are zeros.

/// The bytes of a run.
struct EventBytes {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether there are none left.
    var isOver: Bool { position >= bytes.count }

    mutating func next() -> UInt8 {
        guard !isOver else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    /// The next so many, or as many as are left.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + count)
        defer { position = end }
        return Array(bytes[position..<end])
    }
}
