// The header of nearly every packet that leaves, written straight into the arena: the fixed header, one contributing source and
// extensions of one-byte form (RFC 3550 §5.1, RFC 8285 §4.2). The same bytes as RTPHeaderWriter's, which writes all others.

/// Writes headers whose extensions are put together in words of 64 bits before they are stored.
enum ShortHeader {
    /// Whether packets under a map have such headers, where they carry no Dependency Descriptor.
    @inline(__always) static func fits(_ map: HeaderExtensionMap) -> Bool { !map.needsTwoByteElements }

    /// Writes the header of a packet at an offset and gives its length. There must be room for the longest header.
    @inline(__always)
    static func write(
        _ sent: SentPacket, slot: SlotAddress, as form: RetransmissionForm?, _ packet: HistoryPacket,
        _ map: HeaderExtensionMap, into arena: inout ByteSlab, at start: Int
    ) -> Int {
        var words = ExtensionWords(at: start &+ 20)
        if map.transportSequence != 0 {
            let value = form?.transportSequence ?? sent.transportSequence
            words.append(UInt64(map.transportSequence) << 20 | 0x1_0000 | UInt64(value), bytes: 3, into: &arena)
        }
        if map.absoluteSendTime != 0 {
            let value = (form?.absoluteSendTime ?? sent.absoluteSendTime) & 0xff_ffff
            words.append(UInt64(map.absoluteSendTime) << 28 | 0x200_0000 | UInt64(value), bytes: 4, into: &arena)
        }
        if packet.audioLevel <= 0xff, map.audioLevel != 0 {
            words.append(UInt64(map.audioLevel) << 12 | UInt64(packet.audioLevel), bytes: 2, into: &arena)
        }
        if sent.videoOrientation <= 0xff, map.videoOrientation != 0 {
            words.append(UInt64(map.videoOrientation) << 12 | UInt64(sent.videoOrientation), bytes: 2, into: &arena)
        }
        if sent.playoutDelay != HistoryPacket.noPlayoutDelay, map.playoutDelay != 0 {
            let limits = UInt64(sent.playoutDelay & 0xff_ffff)
            words.append(UInt64(map.playoutDelay) << 28 | 0x200_0000 | limits, bytes: 4, into: &arena)
        }
        if map.mid != 0 { words.append(slot.mid.token, map.mid, into: &arena) }
        let length = words.close(into: &arena)
        var first: UInt64 = 0x81 << 56
        if length > 0 {
            first |= 0x10 << 56
            let profile = UInt32(HeaderExtensionOffsets.oneByteProfile) << 16
            arena.put32(profile | UInt32(truncatingIfNeeded: length / 4), at: start &+ 16)
        }
        let payloadType = (form?.payloadType ?? slot.payloadType).rawValue | (sent.marker ? 0x80 : 0)
        let number = form?.sequence ?? UInt16(truncatingIfNeeded: sent.number)
        arena.put64(first | UInt64(payloadType) << 48 | UInt64(number) << 32 | UInt64(sent.timestamp), at: start)
        let ssrc = (form?.ssrc ?? slot.ssrc).rawValue
        arena.put64(UInt64(ssrc) << 32 | UInt64(sent.contributingSource), at: start &+ 8)
        return length > 0 ? 20 &+ length : 16
    }
}

/// The elements of a header extension block, put together from the first to the last.
private struct ExtensionWords: BitwiseCopyable {
    private let start: Int
    /// Where the word in hand will lie, its bytes so far in the lowest bits, and how many bits they are.
    private var at: Int
    private var word: UInt64 = 0
    private var bits: UInt64 = 0

    @inline(__always) init(at start: Int) {
        self.start = start
        at = start
    }

    /// Appends 1 to 8 bytes, the lowest of a value without any bits above them.
    @inline(__always) mutating func append(_ value: UInt64, bytes count: UInt64, into arena: inout ByteSlab) {
        let free = 64 &- bits
        let needed = count &* 8
        if needed < free {
            word = word &<< needed | value
            bits &+= needed
            return
        }
        let rest = needed &- free
        arena.put64((free == 64 ? 0 : word &<< free) | value &>> rest, at: at)
        at &+= 8
        word = value & ((1 &<< rest) &- 1)
        bits = rest
    }

    /// Appends an element with a token's bytes.
    @inline(__always) mutating func append(_ token: Token, _ id: UInt8, into arena: inout ByteSlab) {
        let count = UInt64(token.count)
        let head = UInt64(id) << 4 | (count &- 1)
        guard count > 0, count < 8 else { return appendLong(token, head, into: &arena) }
        append(head &<< (count &* 8) | token.high &>> (64 &- count &* 8), bytes: count &+ 1, into: &arena)
    }

    @inline(never) private mutating func appendLong(_ token: Token, _ head: UInt64, into arena: inout ByteSlab) {
        guard token.count >= 8, token.count <= 16 else { return }
        append(head, bytes: 1, into: &arena)
        append(token.high, bytes: 8, into: &arena)
        let rest = UInt64(token.count) &- 8
        if rest > 0 { append(token.low &>> (64 &- rest &* 8), bytes: rest, into: &arena) }
    }

    /// Pads to 32 bits, writes what is left, and gives the length of all elements.
    @inline(__always) mutating func close(into arena: inout ByteSlab) -> Int {
        // Three bytes of zeros, two, one, or none.
        let padding = (32 &- bits & 31) & 31
        word = word &<< padding
        bits &+= padding
        if bits == 64 {
            arena.put64(word, at: at)
        } else if bits == 32 {
            arena.put32(UInt32(truncatingIfNeeded: word), at: at)
        }
        return at &+ Int(truncatingIfNeeded: bits / 8) &- start
    }
}
