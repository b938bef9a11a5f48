// Who has the floor of a room. After Volfin and Cohen ("Dominant speaker identification for multipoint videoconferencing", IEEEI
// 2012): speech now, over a third of a second and over a second is weighed against whoever has the floor. Their products of
// likelihoods are milliseconds of speech here, which a pause takes back and the voice of the holder devalues; docs/speakers.md says
// why. Asks nobody for levels and tells nobody.

/// Why the floor changed hands, and by which numbers.
public struct FloorChange: Hashable, Sendable {
    /// The track that has the floor from now on.
    public var to: TrackID
    /// The track that had it, or nil for none.
    public var from: TrackID?
    /// Speech that counted for the one.
    public var evidence: TimeDelta
    /// How much of it was needed.
    public var needed: TimeDelta
    /// How long the other had been silent; 1.28 s stands for that or more.
    public var silence: TimeDelta

    /// A change.
    public init(to: TrackID, from: TrackID?, evidence: TimeDelta, needed: TimeDelta, silence: TimeDelta) {
        self.to = to
        self.from = from
        self.evidence = evidence
        self.needed = needed
        self.silence = silence
    }
}

/// What speaks for one microphone to be given the floor.
struct SpeakerEvidence: BitwiseCopyable {
    /// The most that is counted, in milliseconds.
    static let most = 1_000
    /// Speech this close behind that of the holder may be its echo, in units: what loudspeakers, rooms and networks delay.
    static let echoUnits = 20
    /// After so much speech behind others an echo is told from a person: it has spoken for itself less than a sixth as much.
    static let enoughBehind: UInt16 = 60
    static let aloneShare: UInt16 = 6
    private static let mostBehind: UInt16 = 1_000
    private static let mostAlone: UInt16 = 100

    /// Speech that counts, in milliseconds.
    private(set) var milliseconds: Int16 = 0
    /// Units of speech close behind the holder's, and without it; more of the one than is counted takes from the other.
    private var behind: UInt16 = 0
    private var alone: UInt16 = 0
    /// How loud it is while it has the floor, in sixteenths of a dB above −127 dBov; 0 before it had.
    private(set) var usual: Int16 = 0
    /// Whether it is in the list of those who speak.
    var isListed = false

    /// After so much, and where it is quieter than the holder too, its microphone is certain to: its gate is kept shut.
    static let certainBehind: UInt16 = 250
    private(set) var isCertainEcho = false

    /// It has hardly ever spoken but behind somebody else: its microphone hears the room's loudspeaker.
    var isEcho: Bool { behind >= Self.enoughBehind && alone < behind / Self.aloneShare }

    mutating func add(_ change: Int) { milliseconds = Int16(max(0, min(Self.most, Int(milliseconds) &+ change))) }

    mutating func clear() { milliseconds = 0 }

    /// It has just been heard behind the holder, quieter than that one or not.
    mutating func noteEcho(isQuieter: Bool) {
        if !isEcho { isCertainEcho = false } else if isQuieter, behind >= Self.certainBehind { isCertainEcho = true }
    }

    /// It has the floor and is so loud.
    mutating func noteUsual(_ loudness: Int16) { usual = usual == 0 ? loudness : usual &+ (loudness &- usual) / 32 }

    mutating func note(_ speech: Int, isBehind: Bool) {
        let units = UInt16(truncatingIfNeeded: speech)
        if isBehind {
            behind &+= units
            let over = behind > Self.mostBehind ? behind - Self.mostBehind : 0
            behind -= over
            alone -= min(alone, over / 4)
        } else {
            alone &+= units
            let over = alone > Self.mostAlone ? alone - Self.mostAlone : 0
            alone -= over
            behind -= min(behind, over)
        }
    }
}

/// The floor of one room. Each `interval`: `begin`, `weigh` for every microphone, `decide`.
struct SpeakerDetector: BitwiseCopyable {
    /// How often it decides while somebody speaks.
    static let interval = TimeDelta.milliseconds(40)
    // Milliseconds of speech that are needed. Between 400 and 500 a word of agreement is as often shorter as a reply is longer.
    /// While nobody has the floor.
    static let neededAtFirst: Int16 = 160
    /// While the holder pauses, and when the pause has become longer than those within a turn.
    static let neededInPause: Int16 = 460
    static let neededInLongPause: Int16 = 380
    static let longPauseUnits = 30
    /// Words of agreement are said more softly than a turn is taken: so much more is needed in a pause for each decibel below the
    /// voice with which somebody had the floor before, and as much less for each above; none at three decibels below, and at most so
    /// much.
    static let neededPerDecibel = 60
    static let softlyDecibels = 3
    static let mostForSoftness = 200
    /// While the holder speaks: then speech counts a good half, so this is a second and a quarter and more of it.
    static let neededAgainst: Int16 = 700
    static let shareAgainst = 55
    /// Who has been given the floor keeps it for so long against somebody who speaks at the same time.
    static let tenure = TimeDelta.seconds(3)
    /// A unit without speech takes back this share of one with, in percent.
    static let shareOfSilence = 60
    /// The holder speaks: two of the last so many units.
    static let breathUnits: UInt64 = 8
    /// How much quieter than the holder somebody may be and count in full, and behind how many more decibels not at all (while
    /// the holder speaks) or `shareOfQuiet` percent (in a pause): what is that quiet is in another room.
    static let quieterAgainst = 6
    static let quieterInPause = 14
    static let quietSpan = 6
    static let quietSpanInPause = 10
    static let shareOfQuiet = 30
    /// A level that moves less is a machine's.
    static let leastLiveliness = 5

    /// Who has the floor.
    private(set) var holder: TrackID?
    /// Since when.
    private(set) var since = Timestamp(nanoseconds: 0)
    /// How loud the holder was when it was heard last, in sixteenths of a dB above −127 dBov.
    private var holderLoudness: Int16 = 0

    // Of the decision under way.
    private var holderSpeaks = false
    private var holderEchoes = false
    private var holderPause = AudioLevelWindow.units
    private var best: TrackID?
    private var bestEvidence: Int16 = 0
    private var bestNeeded: Int16 = 0

    /// A decision begins: what the holder has been doing, nil when it is gone or muted, and whether it is known to echo others.
    mutating func begin(holder window: AudioLevelWindow?, echoes: Bool) {
        best = nil
        holderSpeaks = false
        holderEchoes = echoes
        holderPause = AudioLevelWindow.units
        guard let window else { return }
        holderSpeaks = window.speech(inLast: Self.breathUnits) >= 2 && window.liveliness >= Self.leastLiveliness
        if window.loudness > 0 { holderLoudness = window.loudness }
        holderPause = window.speech.trailingZeroBitCount
    }

    /// Whether speech of somebody is close behind the holder's, so that it may be the same.
    private var isBehind: Bool { holderPause < SpeakerEvidence.echoUnits }

    /// How many sixteenths of a dB somebody is quieter than the holder.
    private func below(_ window: AudioLevelWindow) -> Int { Int(holderLoudness) - Int(window.loudness) }

    /// Whether the holder speaks, as far as it concerns somebody: a holder known to echo others only does when not much quieter.
    private func contradicts(_ window: AudioLevelWindow) -> Bool {
        holderSpeaks && !(holderEchoes && below(window) < -Self.quieterAgainst * 16)
    }

    /// Whether what a microphone brings is speech of its own, and not a machine's noise nor the holder's echo.
    func isOwnSpeech(_ window: AudioLevelWindow, _ evidence: SpeakerEvidence) -> Bool {
        guard window.liveliness >= Self.leastLiveliness else { return false }
        return !(evidence.isEcho && isBehind && below(window) > -Self.quieterAgainst * 16)
    }

    /// What a unit of speech counts, in percent.
    private func weight(_ window: AudioLevelWindow, isContradicted: Bool) -> Int {
        let below = below(window)
        if isContradicted {
            let over = max(0, below - Self.quieterAgainst * 16)
            return Self.shareAgainst * max(0, Self.quietSpan * 16 - over) / (Self.quietSpan * 16)
        }
        let over = max(0, below - Self.quieterInPause * 16)
        return max(Self.shareOfQuiet, 100 - over * (100 - Self.shareOfQuiet) / (Self.quietSpanInPause * 16))
    }

    /// Weighs what a microphone has brought since the last decision.
    mutating func weigh(
        _ id: TrackID, _ window: inout AudioLevelWindow, _ evidence: inout SpeakerEvidence, at now: Timestamp
    ) {
        let (units, speech) = window.takeFresh()
        guard id != holder else {
            // Who has the floor speaks for himself.
            evidence.note(speech, isBehind: false)
            evidence.noteEcho(isQuieter: false)
            if speech > 0 { evidence.noteUsual(window.loudness) }
            return evidence.clear()
        }
        let isContradicted = contradicts(window)
        if units > 0 {
            let isOwn = isOwnSpeech(window, evidence)
            if holder != nil, speech > 0, window.liveliness >= Self.leastLiveliness {
                evidence.note(speech, isBehind: isBehind)
                evidence.noteEcho(isQuieter: below(window) >= Self.quieterAgainst * 16)
            }
            let unit = Int(AudioLevelWindow.unitMilliseconds)
            let weight = isOwn ? weight(window, isContradicted: isContradicted) : 0
            let gain = speech * unit * window.liveliness / 16 * weight / 100
            evidence.add(gain - (units - speech) * unit * Self.shareOfSilence / 100)
        }
        guard window.speech(inLast: 5) >= 2, let needed = needed(isContradicted, window, evidence, at: now),
            evidence.milliseconds >= needed,
            best == nil || evidence.milliseconds - needed > bestEvidence - bestNeeded
        else { return }
        best = id
        bestEvidence = evidence.milliseconds
        bestNeeded = needed
    }

    /// Speech needed to be given the floor now; nil where it is not given.
    private func needed(
        _ isContradicted: Bool, _ window: AudioLevelWindow, _ evidence: SpeakerEvidence, at now: Timestamp
    ) -> Int16? {
        guard holder != nil else { return Self.neededAtFirst }
        if isContradicted { return now - since >= Self.tenure ? Self.neededAgainst : nil }
        let needed = holderPause >= Self.longPauseUnits ? Self.neededInLongPause : Self.neededInPause
        guard evidence.usual > 0 else { return needed }
        let softer = Int(evidence.usual) - Int(window.loudness) - Self.softlyDecibels * 16
        let more = softer * Self.neededPerDecibel / 16
        return needed + Int16(max(-Self.mostForSoftness, min(Self.mostForSoftness, more)))
    }

    /// Decides; what changed, or nil.
    mutating func decide(at now: Timestamp) -> FloorChange? {
        guard let best else { return nil }
        let change = FloorChange(
            to: best, from: holder, evidence: .milliseconds(Int64(bestEvidence)),
            needed: .milliseconds(Int64(bestNeeded)),
            silence: .milliseconds(Int64(holderPause) * AudioLevelWindow.unitMilliseconds))
        holder = best
        since = now
        return change
    }

    /// The track is gone.
    mutating func forget(_ id: TrackID) {
        if holder == id { holder = nil }
    }
}

extension SpeakerEvidence: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&milliseconds, 0...Int64(Self.most))
        try c.code(&behind)
        try c.code(&alone)
        try c.require(behind <= Self.mostBehind && alone <= Self.mostAlone)
        try c.code(&isCertainEcho)
        try c.code(&usual, 0...127 * 16)
        try c.code(&isListed)
    }
}

extension SpeakerDetector: CheckpointField {
    /// What belongs to a decision under way is left out: none lasts beyond a call.
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&holder)
        try c.code(&since)
        try c.code(&holderLoudness, 0...127 * 16)
    }
}
