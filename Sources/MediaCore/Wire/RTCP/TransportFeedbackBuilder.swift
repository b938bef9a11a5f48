// Builds transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1) packet by packet, in order
// of sequence numbers, in a fixed space. Which packets belong into a message is the caller's choice.

/// A transport-wide feedback message under construction: about 1.5 kB, nothing allocated.
public struct TransportFeedbackBuilder: ~Copyable {
    /// The most arrivals of one message.
    public static let maximumArrivals = 512
    /// The most status chunks of one message.
    public static let maximumChunks = 256
    /// The most packets missing in a row within one message.
    public static let maximumGap = 4_096
    /// The longest message unless the caller says otherwise, in bytes.
    public static let defaultMaximumLength = 1_100

    /// The source that sends the feedback.
    public let sender: SSRC
    /// A media source of the transport.
    public let media: SSRC
    /// The first packet that the message tells of.
    public let baseSequence: SequenceNumber
    /// The message's number.
    public let feedbackCount: UInt8
    /// The number of packets that the message tells of so far.
    public private(set) var statusCount = 0
    /// The number of arrivals so far.
    public private(set) var arrivalCount = 0

    private let maximumLength: Int
    /// The reference time, in units of 64 ms, not cut to 24 bits.
    private var reference: Int64 = 0
    /// The last arrival in units of 250 µs.
    private var lastTick: Int64 = 0
    private var deltas: InlineArray<512, Int16> = InlineArray(repeating: 0)
    private var deltaBytes = 0
    private var chunks: InlineArray<256, UInt16> = InlineArray(repeating: 0)
    private var chunkCount = 0
    private var pending = PendingChunk()

    /// An empty message that begins with packet `base`.
    public init(
        sender: SSRC, media: SSRC, base: SequenceNumber, feedbackCount: UInt8,
        maximumLength: Int = defaultMaximumLength
    ) {
        self.sender = sender
        self.media = media
        baseSequence = base
        self.feedbackCount = feedbackCount
        self.maximumLength = maximumLength
    }

    /// The next packet that can be added: those before it have been told of.
    public var nextSequence: SequenceNumber { baseSequence + statusCount }

    /// The bytes that the message takes.
    public var length: Int {
        let open = pending.count > 0 ? 1 : 0
        return (TransportFeedback.headLength &+ 2 &* (chunkCount &+ open) &+ deltaBytes &+ 3) & ~3
    }

    /// Tells of an arrival; packets between the last one told of and this one are told of as missing. False, and
    /// nothing is changed, when the packet is before `nextSequence` or more than `maximumGap` behind it, when the time
    /// to the last arrival is beyond ± 8.19 s, or when the message is full: then a new message is to be begun with this
    /// packet.
    public mutating func add(_ sequence: SequenceNumber, arrival: Timestamp) -> Bool {
        let gap = sequence.distance(from: nextSequence)
        guard gap >= 0, gap <= Self.maximumGap, arrivalCount < Self.maximumArrivals else { return false }
        guard statusCount &+ gap &+ 1 <= 65_535 else { return false }
        let tick = Self.floorDivide(arrival.nanoseconds, by: TransportFeedback.deltaUnitMicroseconds &* 1_000)
        if arrivalCount == 0 {
            reference = Self.floorDivide(tick, by: 256)
            lastTick = reference &* 256
        }
        let delta = tick &- lastTick
        guard let small = Int16(exactly: delta) else { return false }
        let symbol = delta >= 0 && delta <= 255 ? StatusChunks.small : StatusChunks.large
        // A gap closes at most the open chunk, the rest of it and a run; the arrival one more.
        guard chunkCount &+ 5 <= Self.maximumChunks,
            TransportFeedback.headLength &+ 2 &* (chunkCount &+ 5) &+ deltaBytes &+ Int(symbol) &+ 3 <= maximumLength
        else { return false }
        append(StatusChunks.missing, times: gap)
        append(symbol, times: 1)
        deltas[arrivalCount] = small
        deltaBytes &+= Int(symbol)
        arrivalCount &+= 1
        statusCount &+= gap &+ 1
        lastTick = tick
        return true
    }

    private mutating func append(_ symbol: UInt16, times: Int) {
        var left = times
        while left > 0 {
            let taken = pending.take(symbol, times: left)
            left &-= taken
            if taken == 0 {
                chunks[chunkCount] = pending.close()
                chunkCount &+= 1
            }
        }
    }

    private static func floorDivide(_ a: Int64, by b: Int64) -> Int64 {
        let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
        return rest < 0 ? quotient &- 1 : quotient
    }

    /// Writes the message behind the others of a compound; false when it is empty or there is no room.
    fileprivate borrowing func write(
        _ writer: inout CompoundWriter, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        let total = length
        guard arrivalCount > 0,
            let at = writer.beginFeedback(
                type: TransportFeedback.packetType, format: TransportFeedback.format, sender: sender, media: media,
                informationLength: total &- RTCPPacket.feedbackHeaderLength, into: &bytes)
        else { return false }
        bytes.put16(baseSequence.rawValue, at: at)
        bytes.put16(UInt16(truncatingIfNeeded: statusCount), at: at &+ 2)
        bytes.put24(UInt32(truncatingIfNeeded: reference), at: at &+ 4)
        bytes.put8(feedbackCount, at: at &+ 7)
        var position = at &+ 8
        for i in 0..<chunkCount {
            bytes.put16(chunks[i], at: position)
            position &+= 2
        }
        if pending.count > 0 {
            var last = pending
            bytes.put16(last.close(isLast: true), at: position)
            position &+= 2
        }
        for i in 0..<arrivalCount {
            let delta = deltas[i]
            if delta >= 0 && delta <= 255 {
                bytes.put8(UInt8(truncatingIfNeeded: delta), at: position)
                position &+= 1
            } else {
                bytes.put16(UInt16(bitPattern: delta), at: position)
                position &+= 2
            }
        }
        // Zeros without the padding bit, which RFC 3550 §6.4.1 leaves to the last packet of a compound.
        bytes.putZeros(writer.end &- position, at: position)
        return true
    }
}

extension CompoundWriter {
    /// Appends a feedback message; false when it tells of nothing or there is no room.
    public mutating func appendTransportFeedback(
        _ message: borrowing TransportFeedbackBuilder, into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        message.write(&self, into: &bytes)
    }
}

/// The statuses that are not yet in a chunk: a run of equal ones of any length, or up to 14 different ones.
private struct PendingChunk: BitwiseCopyable {
    static let maximumRun = 8_191
    static let oneBitCapacity = 14
    static let twoBitCapacity = 7

    private(set) var count = 0
    /// The first 14 statuses, two bits each, the first one in the lowest.
    private var symbols: UInt32 = 0
    private var isRun = true
    private var hasLarge = false

    private func symbol(_ index: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: symbols >> UInt32(truncatingIfNeeded: index &* 2) & 3)
    }

    /// Takes as many of the equal statuses as still fit one chunk, none when the chunk has to be closed first.
    mutating func take(_ symbol: UInt16, times: Int) -> Int {
        let continuesRun = isRun && (count == 0 || self.symbol(0) == symbol)
        if continuesRun {
            let taken = min(times, Self.maximumRun &- count)
            var index = count
            while index < min(count &+ taken, Self.oneBitCapacity) {
                put(symbol, at: index)
                index &+= 1
            }
            count &+= taken
            return taken
        }
        let capacity = hasLarge || symbol == StatusChunks.large ? Self.twoBitCapacity : Self.oneBitCapacity
        guard count < capacity else { return 0 }
        put(symbol, at: count)
        count &+= 1
        isRun = false
        return 1
    }

    private mutating func put(_ symbol: UInt16, at index: Int) {
        symbols |= UInt32(symbol) << UInt32(truncatingIfNeeded: index &* 2)
        if symbol == StatusChunks.large { hasLarge = true }
    }

    /// The next chunk of what is pending. A vector within a message has to be full, so that of 8 to 13 different
    /// statuses seven make a chunk and the rest stays; the last vector of a message may be cut short.
    mutating func close(isLast: Bool = false) -> UInt16 {
        if isRun {
            let chunk = symbol(0) << 13 | UInt16(truncatingIfNeeded: count)
            self = PendingChunk()
            return chunk
        }
        if !hasLarge && (count == Self.oneBitCapacity || isLast) {
            var chunk: UInt16 = 0x8000
            for index in 0..<count {
                chunk |= symbol(index) << UInt16(truncatingIfNeeded: Self.oneBitCapacity &- 1 &- index)
            }
            self = PendingChunk()
            return chunk
        }
        var chunk: UInt16 = 0xc000
        for index in 0..<min(count, Self.twoBitCapacity) {
            chunk |= symbol(index) << UInt16(truncatingIfNeeded: (Self.twoBitCapacity &- 1 &- index) &* 2)
        }
        dropFirstSeven()
        return chunk
    }

    private mutating func dropFirstSeven() {
        let rest = self
        self = PendingChunk()
        var index = Self.twoBitCapacity
        while index < rest.count {
            let symbol = rest.symbol(index)
            isRun = isRun && (count == 0 || self.symbol(0) == symbol)
            put(symbol, at: count)
            count &+= 1
            index &+= 1
        }
    }
}
