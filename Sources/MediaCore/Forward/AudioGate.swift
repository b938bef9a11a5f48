// Whether somebody speaks, fast: from the audio level and voice bit of each packet (RFC 6464). Opens within 60 ms,
// stays open 300 ms behind the last word, and says from where on what came before it opened belongs to it. Who the dominant
// speaker is, is another, slower question and not asked here.

/// The gate of one audio track.
struct AudioGate: BitwiseCopyable {
    /// With the voice bit, a level at least this loud is speech, in −dBov.
    static let voiceLevel: UInt8 = 55
    /// Without the voice bit, a level at least this loud is taken for speech, in −dBov.
    static let loudLevel: UInt8 = 40
    /// How much quieter speech may become while the gate is open.
    static let hysteresis: UInt8 = 10
    /// Speech is so much louder than the microphone's own noise, in dB; and while the gate is open.
    static let margin: UInt8 = 8
    static let marginWhileOpen: UInt8 = 4
    /// So much speech in a row opens the gate, in units of 20 ms: 40 ms, and 60 where it falls by so many dB within them.
    static let openingUnits = 2
    static let clickFall: UInt8 = 5
    /// How long the gate stays open behind the last packet of speech; and while there has been less than `wordUnits` of it since
    /// it opened: a key or a click shall not hold a slot for long.
    static let hangOver = TimeDelta.milliseconds(300)
    static let shortHangOver = TimeDelta.milliseconds(200)
    static let wordUnits = 5
    /// Where no level is sent, a payload of at least this many bytes is taken for speech at `assumedLevel`: Opus codes
    /// silence in fewer.
    static let assumedSpeechBytes = 30
    static let assumedLevel: UInt8 = 50
    /// A payload of Opus of so few bytes is silence that its encoder made (DTX, RFC 7587 §3.1.3).
    static let silenceBytes = 3
    /// Silence is forwarded for so long, in milliseconds: what a receiver makes up behind it is silent then.
    static let silenceMilliseconds: UInt32 = 200
    /// What is sent of the time before the gate opened: since the voice could first be heard, and so much more.
    static let leadMilliseconds: UInt32 = 40
    /// and at most so much.
    static let longestLeadMilliseconds: UInt32 = 200

    private(set) var isOpen = false
    /// Silence has lasted so long that no more of it is forwarded.
    private(set) var isSilent = false
    /// The smoothed loudness, 0 to 127 × 16: the larger, the louder.
    private(set) var loudness: Int32 = 0
    /// When the last packet of speech came.
    private(set) var lastSpeech: Timestamp?
    /// Since when the gate is open.
    private(set) var openedAt: Timestamp?
    private var run = 0
    /// The loudness of the packet before.
    private var before: UInt8 = 0
    /// Units of speech since it opened, `wordUnits` for that and more.
    private var heard = 0
    /// The RTP timestamps at which the voice could first be heard, and at which silence began.
    private var onset: UInt32 = 0
    private var hasOnset = false
    private var silentSince: UInt32 = 0
    private var wasSilent = false
    /// The microphone was ever told to bring a sound.
    private var hasSounded = false

    /// The level of a packet that carries none: by its length.
    static func assumed(payloadLength: Int) -> AudioLevel {
        let speaks = payloadLength >= assumedSpeechBytes
        return AudioLevel(isVoice: speaks, level: speaks ? assumedLevel : 127)
    }

    /// A packet came that ends `units` of 20 ms. `noise` is what the microphone brings beside its voice, in dB above −127 dBov;
    /// nil: all that it brings is. True when the gate opened.
    mutating func hear(
        _ level: AudioLevel, noise: UInt8?, units: Int, timestamp: UInt32, at now: Timestamp
    ) -> Bool {
        let loud = noise == nil ? 0 : 127 &- min(level.level, 127)
        let least = 127 - (level.isVoice ? Self.voiceLevel : Self.loudLevel)
        let around = min(noise ?? 0, 127 - Self.margin)
        let closed = max(least, around + Self.margin)
        let open = max(least - Self.hysteresis, around + Self.marginWhileOpen)
        let needed = isOpen ? open : closed
        if loud < open {
            hasOnset = false
        } else if !hasOnset {
            hasOnset = true
            onset = timestamp
        }
        // A breath between two words does not make a speaker quieter.
        if !isOpen || loud >= needed { loudness += (Int32(loud) * 16 - loudness) / 4 }
        // What falls as soon as it has begun is a key or a click, or will have gone on with the next packet.
        let falls = loud &+ Self.clickFall <= before
        before = loud
        guard loud >= needed else {
            run = 0
            if !isOpen { heard = 0 }
            return false
        }
        run = min(run + max(units, 0), Self.openingUnits + 1)
        heard = min(heard + max(units, 0), Self.wordUnits)
        let opens = !isOpen && run >= (falls ? Self.openingUnits + 1 : Self.openingUnits)
        if isOpen || opens { lastSpeech = now }
        guard opens else { return false }
        isOpen = true
        openedAt = now
        return true
    }

    /// Notes whether a packet is silence: `isSilent` tells of it from 200 ms of silence on. `told` is the level that it carries,
    /// which is believed against a payload that could be speech only where this microphone was ever told to bring any sound:
    /// some clients say 127 whatever they send.
    mutating func noteSilence(
        told: UInt8?, payloadLength: Int, timestamp: UInt32, clockRate: UInt32
    ) {
        if let told, told < 127 { hasSounded = true }
        let isTold = (told ?? 0) >= 127 && (hasSounded || payloadLength < Self.assumedSpeechBytes)
        guard isTold || payloadLength <= Self.silenceBytes else {
            wasSilent = false
            isSilent = false
            return
        }
        if !wasSilent {
            wasSilent = true
            silentSince = timestamp
        }
        // Once long enough it stays so, however far the timestamp wraps.
        if (timestamp &- silentSince) / max(1, clockRate / 1_000) >= Self.silenceMilliseconds { isSilent = true }
    }

    /// How many ticks before this packet of a gate just opened belong to what it opened for.
    func lead(before timestamp: UInt32, clockRate: UInt32, at now: Timestamp) -> UInt32 {
        let unit = clockRate / 1_000
        guard isOpen, let openedAt, now - openedAt < .seconds(1) else { return 0 }
        let longest = Self.longestLeadMilliseconds &* unit
        guard hasOnset else { return min(longest, Self.leadMilliseconds &* unit) }
        let delay = timestamp &- onset
        return delay > longest ? longest : min(longest, delay &+ Self.leadMilliseconds &* unit)
    }

    /// True when the gate closed by `now`.
    mutating func expire(at now: Timestamp) -> Bool {
        guard let until = deadline, now >= until else { return false }
        isOpen = false
        run = 0
        heard = 0
        return true
    }

    /// Closes at once: the track was muted.
    mutating func close() {
        isOpen = false
        isSilent = false
        wasSilent = false
        hasOnset = false
        run = 0
        heard = 0
        loudness = 0
    }

    /// When `expire` should be called.
    var deadline: Timestamp? {
        guard isOpen, let last = lastSpeech else { return nil }
        return last + (heard >= Self.wordUnits ? Self.hangOver : Self.shortHangOver)
    }
}

extension AudioGate: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isOpen)
        try c.code(&isSilent)
        try c.code(&loudness, 0...127 * 16)
        try c.code(&lastSpeech)
        try c.code(&openedAt)
        try c.count(&run, Self.openingUnits + 1)
        try c.code(&before)
        try c.count(&heard, Self.wordUnits)
        try c.code(&onset)
        try c.code(&hasOnset)
        try c.code(&silentSince)
        try c.code(&wasSilent)
        try c.code(&hasSounded)
    }
}
