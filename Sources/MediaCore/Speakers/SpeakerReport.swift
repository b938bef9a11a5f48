// What is told of who speaks: who has the floor, and everybody whose voice is heard with its level. When it is told is
// `SpeakerBoard`'s.

/// Who speaks in a room.
public struct SpeakerReport: Hashable, Sendable {
    /// The most that are listed.
    public static let limit = 16
    /// Levels are told in steps of so many decibels.
    public static let step: UInt8 = 3

    /// Somebody whose voice is heard.
    public struct Voice: Hashable, Sendable {
        /// Who.
        public var peer: PeerID
        /// How loud, in −dBov (RFC 6464: 0 the loudest), a multiple of `step`.
        public var level: UInt8

        /// A voice.
        public init(peer: PeerID, level: UInt8) {
            self.peer = peer
            self.level = level
        }
    }

    /// Who has the floor, the last one who had it while nobody speaks; nil before anybody has, and when that one is gone.
    public var dominant: PeerID?
    /// Everybody whose voice is heard, the loudest first, in the order of joining where they are equally loud.
    public var active: [Voice]

    /// A report.
    public init(dominant: PeerID?, active: [Voice]) {
        self.dominant = dominant
        self.active = active
    }
}

/// What a room knows of its speakers and has told of them.
struct SpeakerBoard {
    /// The shortest time between two reports, four a second; and between two that somebody else has the floor, which do not
    /// wait for that.
    static let tellingInterval = TimeDelta.milliseconds(250)
    static let floorInterval = TimeDelta.seconds(1)
    /// Somebody is listed from so many units of speech in the last half second on, until there is none in it.
    static let listedUnits: UInt64 = 25
    static let enoughUnits = 6

    var detector = SpeakerDetector()
    /// What was told last, and when; and when it was told at once that somebody else has the floor.
    var told = SpeakerReport(dominant: nil, active: [])
    var toldAt: Timestamp?
    var floorToldAt: Timestamp?
    /// When to decide next; nil while everybody is silent and all is told.
    var next: Timestamp?
    /// Room for the voices of the report being made.
    var voices: [SpeakerReport.Voice] = []

    /// Somebody speaks, or something changed for those who did.
    mutating func wake(at now: Timestamp) {
        if next == nil { next = now + SpeakerDetector.interval }
    }
}

extension SpeakerBoard: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&detector)
        try c.optional(&told.dominant, PeerID(0)) { c, v throws(CheckpointError) in try c.code(&v) }
        let any = SpeakerReport.Voice(peer: PeerID(0), level: 0)
        try c.list(&told.active, SpeakerReport.limit, any) { c, v throws(CheckpointError) in
            try c.code(&v.peer)
            try c.code(&v.level)
        }
        try c.code(&toldAt)
        try c.code(&floorToldAt)
        try c.code(&next)
    }
}
