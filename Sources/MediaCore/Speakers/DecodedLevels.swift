// What is known of a microphone whose packets carry no level (RFC 6464): whether somebody decodes them and tells how loud they are
// (`RoomCommand.soundLevel`), or whether the length of each has to do. Decodes nothing and hears nothing.

/// The answers about the packets of one microphone.
struct DecodedLevels: BitwiseCopyable {
    /// So many packets may be without an answer; behind that their lengths are listened to, until an answer comes again. Twice as
    /// many as answers are late, where they come later than that: what a slow machine finds out late is still truer than a
    /// length, by which everybody who is silent into an open microphone speaks, and is forwarded, which makes it slower still.
    static let patience: UInt8 = 8
    static let longestPatience: UInt8 = 50
    /// The most that `lag` is: a second of packets of 20 ms, and the one that is answered.
    private static let mostLag: UInt16 = 51 * 16
    /// A packet of 20 ms, in ticks at 48 kHz.
    private static let packetTicks: Int32 = 960
    /// Answers up to so long before a packet that its length was listened to are late, in ticks: a second at 48 kHz.
    private static let lateTicks: Int32 = 48_000

    private var unanswered = DecodedLevels.patience
    /// How many packets answers come behind theirs, in sixteenths: up at once, down by one with each answer.
    private var lag: UInt16 = 0
    /// The RTP timestamp of the last packet.
    private var newest: UInt32 = 0
    /// The level told last, in −dBov.
    private var level: UInt8 = 0
    /// The RTP timestamp of the last packet whose length was listened to.
    private var guessed: UInt32 = 0
    private var hasGuessed = false

    /// The level told last, in −dBov; nil where none is told.
    var last: UInt8? { unanswered < limit ? level : nil }

    /// How many packets may be without an answer now.
    private var limit: UInt8 {
        UInt8(min(UInt16(Self.longestPatience), max(UInt16(Self.patience), lag / 8)))
    }

    /// A packet without a level came; whether its level will be told. If not, its length is listened to.
    mutating func awaitsAnswer(timestamp: UInt32) -> Bool {
        newest = timestamp
        if unanswered < limit {
            unanswered += 1
            if unanswered < limit { return true }
        }
        guessed = timestamp
        hasGuessed = true
        return false
    }

    /// An answer came; whether the packet is still to be listened to.
    mutating func take(_ level: UInt8, timestamp: UInt32) -> Bool {
        self.level = level & 0x7f
        unanswered = 0
        let late = Int32(bitPattern: newest &- timestamp)
        if late >= 0, late <= Self.lateTicks {
            lag = max(lag - min(lag, 1), UInt16(late / Self.packetTicks &+ 1) * 16)
        }
        guard hasGuessed else { return true }
        let behind = Int32(bitPattern: guessed &- timestamp)
        guard behind < 0 || behind > Self.lateTicks else { return false }
        hasGuessed = false
        return true
    }

    /// The packets carry levels, or none come: what was told says nothing any more.
    mutating func forget() { self = DecodedLevels() }
}

extension DecodedLevels: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&unanswered)
        try c.require(unanswered <= Self.longestPatience)
        try c.code(&lag)
        try c.require(lag <= Self.mostLag)
        try c.code(&newest)
        try c.code(&level)
        try c.require(level <= 127)
        try c.code(&guessed)
        try c.code(&hasGuessed)
    }
}
