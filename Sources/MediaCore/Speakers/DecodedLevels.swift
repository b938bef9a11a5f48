// What is known of a microphone whose packets carry no level (RFC 6464): whether somebody decodes them and tells how loud they are
// (`RoomCommand.soundLevel`), or whether the length of each has to do. Decodes nothing and hears nothing.

/// The answers about the packets of one microphone.
struct DecodedLevels: BitwiseCopyable {
    /// So many packets may be without an answer; behind that their lengths are listened to, until an answer comes again.
    static let patience: UInt8 = 8
    /// Answers up to so long before a packet that its length was listened to are late, in ticks: a second at 48 kHz.
    private static let lateTicks: Int32 = 48_000

    private var unanswered = DecodedLevels.patience
    /// The level told last, in −dBov.
    private var level: UInt8 = 0
    /// The RTP timestamp of the last packet whose length was listened to.
    private var guessed: UInt32 = 0
    private var hasGuessed = false

    /// The level told last, in −dBov; nil where none is told.
    var last: UInt8? { unanswered < Self.patience ? level : nil }

    /// A packet without a level came; whether its level will be told. If not, its length is listened to.
    mutating func awaitsAnswer(timestamp: UInt32) -> Bool {
        if unanswered < Self.patience {
            unanswered += 1
            if unanswered < Self.patience { return true }
        }
        guessed = timestamp
        hasGuessed = true
        return false
    }

    /// An answer came; whether the packet is still to be listened to.
    mutating func take(_ level: UInt8, timestamp: UInt32) -> Bool {
        self.level = level & 0x7f
        unanswered = 0
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
        try c.require(unanswered <= Self.patience)
        try c.code(&level)
        try c.require(level <= 127)
        try c.code(&guessed)
        try c.code(&hasGuessed)
    }
}
