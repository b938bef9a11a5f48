// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1): which packets of a transport
// arrived and when. This file reads; TransportFeedbackBuilder writes.

/// What the feedback tells of one packet.
public struct TransportFeedbackStatus: Hashable, Sendable, BitwiseCopyable {
    /// The packet's transport-wide sequence number.
    public var sequence: SequenceNumber
    /// Whether it arrived.
    public var isReceived: Bool
    /// The microseconds from the arrival told before it, a multiple of 250, −8,192,000 to 8,191,750; for the first
    /// arrival from the reference time. Zero for a packet that did not arrive.
    public var deltaMicroseconds: Int64
}

/// A transport-wide feedback message, and a walk over its packets. It names at most 65,535 packets, whatever its size.
public struct TransportFeedback: Hashable, Sendable, BitwiseCopyable {
    /// The packet type.
    public static let packetType: UInt8 = 205
    /// The feedback format.
    public static let format: UInt8 = 15
    /// The bytes before the status chunks: feedback header, base, count, reference time and feedback number.
    static let headLength = 20
    /// The microseconds of one unit of the reference time.
    public static let referenceUnitMicroseconds: Int64 = 64_000
    /// The microseconds of one unit of a delta.
    public static let deltaUnitMicroseconds: Int64 = 250

    /// The source that sends the feedback.
    public let sender: SSRC
    /// A media source of the transport; its value means nothing.
    public let media: SSRC
    /// The first packet that the message tells of.
    public let baseSequence: SequenceNumber
    /// The number of packets that the message tells of, 1 to 65,535.
    public let statusCount: UInt16
    /// The reference time in units of 64 ms, 24 bits with sign; wraps after 12 days.
    public let referenceTime: Int32
    /// The message's number, modulo 256.
    public let feedbackCount: UInt8

    private var chunks: StatusChunks
    private var deltaPosition: Int
    private var sequence: SequenceNumber

    /// The reference time in microseconds.
    public var referenceMicroseconds: Int64 { Int64(referenceTime) &* Self.referenceUnitMicroseconds }

    /// Reads a message; nil when the packet is another, tells of no packet, uses the reserved status, or when chunks or
    /// deltas reach past its end.
    public init?(_ bytes: Span<UInt8>, _ packet: RTCPPacket) {
        guard packet.type == Self.packetType, packet.count == Self.format, packet.length > Self.headLength,
            bytes.holds(packet.length, at: packet.offset)
        else { return nil }
        let at = packet.offset
        sender = SSRC(bytes.uint32(at: at &+ 4))
        media = SSRC(bytes.uint32(at: at &+ 8))
        baseSequence = SequenceNumber(bytes.uint16(at: at &+ 12))
        statusCount = bytes.uint16(at: at &+ 14)
        referenceTime = Int32(bitPattern: bytes.uint24(at: at &+ 16) << 8) >> 8
        feedbackCount = bytes.uint8(at: at &+ 19)
        guard statusCount > 0 else { return nil }
        chunks = StatusChunks(at: at &+ Self.headLength, statuses: Int(statusCount))
        var survey = chunks
        guard let deltaBytes = survey.deltaBytes(bytes, end: packet.end) else { return nil }
        deltaPosition = survey.position
        guard deltaPosition &+ deltaBytes <= packet.end else { return nil }
        sequence = baseSequence
    }

    /// The next packet, or nil at the end.
    @inline(__always) public mutating func next(_ bytes: Span<UInt8>) -> TransportFeedbackStatus? {
        guard let symbol = chunks.next(bytes) else { return nil }
        defer { sequence = sequence + 1 }
        var units: Int64 = 0
        if symbol == StatusChunks.small {
            units = Int64(bytes.uint8(at: deltaPosition))
            deltaPosition &+= 1
        } else if symbol == StatusChunks.large {
            units = Int64(Int16(bitPattern: bytes.uint16(at: deltaPosition)))
            deltaPosition &+= 2
        }
        return TransportFeedbackStatus(
            sequence: sequence, isReceived: symbol != StatusChunks.missing,
            deltaMicroseconds: units &* Self.deltaUnitMicroseconds)
    }

    /// Steps over the packets that did not arrive and that the chunk in hand has still to tell of in one run, and gives
    /// their number: one message may tell of 65,535 such packets in 20 bytes.
    @inline(__always) mutating func skipMissing() -> Int {
        let skipped = chunks.skipMissing()
        sequence = sequence + skipped
        return skipped
    }
}

/// A walk over the status symbols of packed chunks (§3.1.3 and §3.1.4).
struct StatusChunks: Hashable, BitwiseCopyable, Sendable {
    static let missing: UInt16 = 0
    static let small: UInt16 = 1
    static let large: UInt16 = 2
    static let reserved: UInt16 = 3

    /// Where the next chunk begins.
    private(set) var position: Int
    /// The statuses that are still to be told, those of the open chunk included.
    private var remaining: Int
    private var chunk: UInt16 = 0
    /// The statuses of the open chunk that are still to be told.
    private var open = 0

    init(at position: Int, statuses: Int) {
        self.position = position
        remaining = statuses
    }

    /// The number of statuses that a chunk has room for.
    @inline(__always) private static func capacity(_ chunk: UInt16) -> Int {
        if chunk & 0x8000 == 0 { return Int(chunk & 0x1fff) }
        return chunk & 0x4000 == 0 ? 14 : 7
    }

    /// The status at a place within a chunk, counted from its end.
    @inline(__always) private static func symbol(_ chunk: UInt16, fromEnd index: Int) -> UInt16 {
        if chunk & 0x8000 == 0 { return chunk >> 13 & 3 }
        if chunk & 0x4000 == 0 { return chunk >> UInt16(truncatingIfNeeded: index) & 1 }
        return chunk >> UInt16(truncatingIfNeeded: index &* 2) & 3
    }

    /// The next status, or nil at the end. The survey below found the chunks sound.
    @inline(__always) mutating func next(_ bytes: Span<UInt8>) -> UInt16? {
        guard remaining > 0 else { return nil }
        while open == 0 {
            guard bytes.holds(2, at: position) else { return nil }
            chunk = bytes.uint16(at: position)
            open = Self.capacity(chunk)
            position &+= 2
        }
        open &-= 1
        remaining &-= 1
        return Self.symbol(chunk, fromEnd: open)
    }

    /// Takes what is left of an open run of packets that did not arrive.
    @inline(__always) mutating func skipMissing() -> Int {
        guard open > 0, chunk & 0xe000 == 0 else { return 0 }
        let skipped = min(open, remaining)
        open &-= skipped
        remaining &-= skipped
        return skipped
    }

    /// Goes over all chunks, run by run, and gives the bytes of their deltas; nil when a chunk lies past `end` or a
    /// status is the reserved one. `position` is then behind the last chunk.
    mutating func deltaBytes(_ bytes: Span<UInt8>, end: Int) -> Int? {
        var total = 0
        while remaining > 0 {
            guard position &+ 2 <= end else { return nil }
            let chunk = bytes.uint16(at: position)
            position &+= 2
            let capacity = Self.capacity(chunk)
            let told = min(capacity, remaining)
            remaining &-= told
            if chunk & 0x8000 == 0 {
                let symbol = Self.symbol(chunk, fromEnd: 0)
                guard symbol != Self.reserved else { return nil }
                total &+= told &* Int(symbol)
            } else {
                for index in 0..<told {
                    let symbol = Self.symbol(chunk, fromEnd: capacity &- 1 &- index)
                    guard symbol != Self.reserved else { return nil }
                    total &+= Int(symbol)
                }
            }
        }
        return total
    }
}
