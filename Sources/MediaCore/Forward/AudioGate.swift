// Whether somebody speaks, fast: from the audio level and voice bit of each packet (RFC 6464). Opens within 60 ms,
// stays open 300 ms behind the last word. Who the dominant speaker is, is another, slower question and not asked here.

/// The gate of one audio track.
struct AudioGate: BitwiseCopyable {
    /// With the voice bit, a level at least this loud is speech, in −dBov.
    static let voiceLevel: UInt8 = 55
    /// Without the voice bit, a level at least this loud is taken for speech, in −dBov.
    static let loudLevel: UInt8 = 40
    /// How much quieter speech may become while the gate is open.
    static let hysteresis: UInt8 = 10
    /// So many packets of speech in a row open the gate: with packets of 20 ms after 40 ms.
    static let openingPackets = 2
    /// How long the gate stays open behind the last packet of speech.
    static let hangOver = TimeDelta.milliseconds(300)
    /// Where no level is sent, a payload of at least this many bytes is taken for speech at `assumedLevel`: Opus codes
    /// silence in fewer.
    static let assumedSpeechBytes = 30
    static let assumedLevel: UInt8 = 50

    private(set) var isOpen = false
    /// The smoothed loudness, 0 to 127 × 16: the larger, the louder.
    private(set) var loudness: Int32 = 0
    /// When the last packet of speech came.
    private(set) var lastSpeech: Timestamp?
    /// Since when the gate is open.
    private(set) var openedAt: Timestamp?
    private var run = 0

    /// A packet came. True when the gate opened.
    mutating func hear(_ level: AudioLevel?, payloadLength: Int, at now: Timestamp) -> Bool {
        let heard: AudioLevel
        if let level {
            heard = level
        } else {
            let speaks = payloadLength >= Self.assumedSpeechBytes
            heard = AudioLevel(isVoice: speaks, level: speaks ? Self.assumedLevel : 127)
        }
        let threshold = (heard.isVoice ? Self.voiceLevel : Self.loudLevel) + (isOpen ? Self.hysteresis : 0)
        // A breath between two words does not make a speaker quieter.
        if !isOpen || heard.level <= threshold { loudness += (Int32(127 - heard.level) * 16 - loudness) / 4 }
        guard heard.level <= threshold else {
            run = 0
            return false
        }
        run = min(run + 1, Self.openingPackets)
        lastSpeech = now
        guard !isOpen, run >= Self.openingPackets else { return false }
        isOpen = true
        openedAt = now
        return true
    }

    /// True when the gate closed by `now`.
    mutating func expire(at now: Timestamp) -> Bool {
        guard isOpen, let last = lastSpeech, now - last >= Self.hangOver else { return false }
        isOpen = false
        run = 0
        return true
    }

    /// Closes at once: the track was muted.
    mutating func close() {
        isOpen = false
        run = 0
        loudness = 0
    }

    /// When `expire` should be called.
    var deadline: Timestamp? {
        guard isOpen, let last = lastSpeech else { return nil }
        return last + Self.hangOver
    }
}

extension AudioGate: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isOpen)
        try c.code(&loudness, 0...127 * 16)
        try c.code(&lastSpeech)
        try c.code(&openedAt)
        try c.count(&run, Self.openingPackets)
    }
}
