// The extended sequence number of one outgoing SSRC (RFC 3711 §3.3.1, the guess as libsrtp makes it) and the guard of the
// rule "no nonce twice": it remembers a mark of what each recent number was sent with.
//
// The guard: numbers at most `window - 1` behind the highest are compared with their mark, a 31-bit piece of the
// authentication tag, which depends on every byte of the packet. An equal mark is a packet resent unchanged and passes;
// another one is refused. Numbers further back are refused without looking, as libsrtp refuses them. By the guess no
// number is ever taken to be more than 2^15 back.

/// One outgoing SSRC's numbers.
@safe struct EgressSequence {
    /// How many numbers, the highest one included, may still be resent. Also the replay window of a libsrtp sender that
    /// behaves the same.
    static let window = 512

    let ssrc: UInt32
    /// The highest extended number protected so far, rollover counter above the lowest 16 bits.
    private(set) var highest: UInt64 = 0
    /// One mark per number of the window, zero where it was not sent.
    private let marks: UnsafeMutablePointer<UInt32>

    init(ssrc: UInt32) {
        self.ssrc = ssrc
        unsafe marks = .allocate(capacity: Self.window)
        unsafe marks.initialize(repeating: 0, count: Self.window)
    }

    func free() { unsafe marks.deallocate() }

    /// The extended number that `sequence` means, or why it may not be sent.
    func index(of sequence: UInt16) throws(SRTPFailure) -> UInt64 {
        let index = Self.guess(sequence, highest: highest)
        // The 48-bit packet index is used up (RFC 3711 §9.2): another key is needed.
        guard index < 1 << 48 else { throw .exhausted }
        guard index &+ UInt64(Self.window) > highest else { throw .tooOld }
        return index
    }

    /// As libsrtp: near the start a number counts as itself; later it is the nearest to the highest one.
    static func guess(_ sequence: UInt16, highest: UInt64) -> UInt64 {
        guard highest > 1 << 15 else { return UInt64(sequence) }
        let rollovers = highest >> 16
        let local = Int32(highest & 0xFFFF), number = Int32(sequence)
        if local < 1 << 15 {
            if number - local > 1 << 15 { return (rollovers &- 1) << 16 | UInt64(sequence) }
        } else if local - 1 << 15 > number {
            return (rollovers + 1) << 16 | UInt64(sequence)
        }
        return rollovers << 16 | UInt64(sequence)
    }

    /// Notes that the number was protected with this tag. False: it was protected before with other bytes.
    mutating func mark(_ index: UInt64, tag: UInt32) -> Bool {
        // The lowest bit is always set, so that a number never sent (zero) is unlike every mark.
        let word = tag | 1
        if index > highest {
            // What lay in the window a round ago must not speak for the numbers that were skipped.
            let skipped = min(index - highest - 1, UInt64(Self.window - 1))
            for number in (index - skipped)..<index { unsafe marks[Self.slot(number)] = 0 }
            highest = index
        } else {
            let seen = unsafe marks[Self.slot(index)]
            if seen != 0 { return seen == word }
        }
        unsafe marks[Self.slot(index)] = word
        return true
    }

    private static func slot(_ index: UInt64) -> Int { Int(truncatingIfNeeded: index) & (window - 1) }
}
