// What a simulated encoder really predicted a frame from, carried in the frame's own bytes, where no forwarder looks: so a
// simulated decoder can tell a picture that is broken from one that only looks right by its numbers.

/// The truth about one frame.
public struct FrameTruth: Sendable, Hashable {
    /// What the truth begins with in a payload.
    private static let magic: [UInt8] = Array("MJFT".utf8)
    /// How far into a payload it may begin.
    private static let reach = 120

    /// The frame's own number, different from those of all other frames in a simulation.
    public var number: UInt64
    /// The numbers of the frames without which it cannot be decoded.
    public var references: [UInt64]

    /// The truth about a frame.
    public init(number: UInt64, references: [UInt64]) {
        self.number = number
        self.references = references
    }

    /// The truth as it is put into a payload.
    var bytes: [UInt8] {
        var out = Self.magic
        out.append(UInt8(truncatingIfNeeded: references.count))
        for number in [number] + references {
            out.append(bigEndian: UInt32(truncatingIfNeeded: number >> 32))
            out.append(bigEndian: UInt32(truncatingIfNeeded: number))
        }
        return out
    }

    /// The truth in a payload, or nil when there is none.
    public init?(_ payload: ArraySlice<UInt8>) {
        let last = min(payload.endIndex - 13, payload.startIndex + Self.reach)
        guard payload.startIndex <= last,
            let at = (payload.startIndex...last).first(where: { payload[$0..<($0 + 4)].elementsEqual(Self.magic) })
        else { return nil }
        let count = Int(payload[at + 4])
        guard at + 5 + 8 * (count + 1) <= payload.endIndex else { return nil }
        let numbers = (0...count).map { index in
            payload[(at + 5 + 8 * index)..<(at + 13 + 8 * index)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        number = numbers[0]
        references = Array(numbers.dropFirst())
    }
}

/// What of a video stream could be decoded, by the truth in its frames.
struct DecodedFrames: Sendable {
    private var numbers: Set<UInt64> = []
    private var order: [UInt64] = []
    /// Frames that were shown although something that they were predicted from had not been decoded.
    private(set) var broken = 0

    /// A frame is decoded.
    mutating func decode(_ truth: FrameTruth) {
        if !truth.references.allSatisfy({ numbers.contains($0) }) { broken += 1 }
        if numbers.insert(truth.number).inserted { order.append(truth.number) }
        if order.count > 512 {
            for old in order.prefix(256) { numbers.remove(old) }
            order.removeFirst(256)
        }
    }
}
