// Extends a stream's sequence numbers and tells new packets from duplicates (RFC 3550 §A.1, without its probation:
// packets are authenticated). Keeps one bit for each of the newest packets.

/// The newest sequence numbers of a stream and which of them have come.
struct SequenceWindow: BitwiseCopyable {
    /// How many numbers behind the newest one are told from duplicates.
    static let length = 2_048
    /// A jump forwards of more than this is believed only when the next packet follows it (RFC 3550's MAX_DROPOUT).
    static let maximumJump = 3_000

    /// What a packet is to the stream.
    enum Arrival: Equatable {
        /// The first packet ever.
        case first(Int64)
        /// Newer than all before; `missing` numbers lie between.
        case newest(Int64, missing: Int64)
        /// Not new, but not seen before.
        case late(Int64)
        /// The stream began anew at this number, `jump` from where it was.
        case restarted(Int64, jump: Int)
        case duplicate
        case tooOld
        case jumped
    }

    private(set) var highest: Int64 = 0
    private(set) var isStarted = false
    private var expectedAfterJump: UInt16?
    private var bits = InlineArray<32, UInt64>(repeating: 0)

    private func bit(_ number: Int64) -> (word: Int, mask: UInt64) {
        let position = Int(truncatingIfNeeded: number) & (Self.length - 1)
        return (position >> 6, 1 << UInt64(position & 63))
    }

    private mutating func mark(_ number: Int64) {
        let (word, mask) = bit(number)
        bits[word] |= mask
    }

    /// Where a number would be placed next to the newest one.
    func extend(_ number: SequenceNumber) -> Int64 {
        let newest = SequenceNumber(UInt16(truncatingIfNeeded: highest))
        return highest &+ Int64(number.distance(from: newest))
    }

    /// Takes a packet in.
    mutating func arrive(_ number: SequenceNumber, isRetransmission: Bool = false) -> Arrival {
        guard isStarted else {
            isStarted = true
            // Room below for packets that were sent before the first to arrive.
            highest = Int64(number.rawValue) + 65_536
            mark(highest)
            return .first(highest)
        }
        let extended = extend(number)
        if extended > highest { return arriveAhead(extended, number, isRetransmission) }
        guard highest - extended < Int64(Self.length) else {
            if !isRetransmission, expectedAfterJump == number.rawValue { return restart(number) }
            if !isRetransmission { expectedAfterJump = number.rawValue &+ 1 }
            return .tooOld
        }
        let (word, mask) = bit(extended)
        guard bits[word] & mask == 0 else { return .duplicate }
        bits[word] |= mask
        return .late(extended)
    }

    private mutating func arriveAhead(_ extended: Int64, _ number: SequenceNumber, _ isRetransmission: Bool) -> Arrival
    {
        let step = extended - highest
        if step > Int64(Self.maximumJump) {
            if !isRetransmission, expectedAfterJump == number.rawValue { return restart(number) }
            if !isRetransmission { expectedAfterJump = number.rawValue &+ 1 }
            return .jumped
        }
        if step >= Int64(Self.length) {
            bits = InlineArray(repeating: 0)
        } else {
            var cleared = highest + 1
            while cleared <= extended {
                let (word, mask) = bit(cleared)
                bits[word] &= ~mask
                cleared += 1
            }
        }
        highest = extended
        expectedAfterJump = nil
        mark(extended)
        return .newest(extended, missing: step - 1)
    }

    private mutating func restart(_ number: SequenceNumber) -> Arrival {
        let old = highest
        // Above everything before, so that what is kept by number cannot be taken for the new stream's.
        highest = (old & ~0xffff) + 0x10000 + Int64(number.rawValue)
        if highest - old < 0x8000 { highest += 0x10000 }
        bits = InlineArray(repeating: 0)
        expectedAfterJump = nil
        mark(highest)
        let jump = number.distance(from: SequenceNumber(UInt16(truncatingIfNeeded: old)))
        return .restarted(highest, jump: jump)
    }
}

extension SequenceWindow: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.number(&highest)
        try c.code(&isStarted)
        try c.code(&expectedAfterJump)
        for i in bits.indices { try c.code(&bits[i]) }
    }
}
