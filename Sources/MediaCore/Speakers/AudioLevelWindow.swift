// What one microphone sounded like over the last second and a quarter, from the levels and voice bits of its packets (RFC 6464)
// alone: which 20 ms were speech, how loud, over which noise. Knows nobody else in the room and decides nothing.

/// The last 64 units of 20 ms of one microphone.
struct AudioLevelWindow: BitwiseCopyable {
    /// Units kept, and the length of one.
    static let units = 64
    static let unitMilliseconds: Int64 = 20
    /// Speech is at least this loud, in dB above −127 dBov: quieter than that is a room, not a voice.
    static let quietestSpeech: UInt8 = 65
    /// Speech is so much louder than the microphone's own noise, in dB: where its voice bit says voice and is known to mean
    /// something, where nothing is known of the bit, and where a bit that is known to be set for speech is not.
    static let marginWithBit: UInt8 = 8
    static let margin: UInt8 = 11
    static let marginWithoutBit: UInt8 = 22
    /// The noise is the lowest smoothed level of so many blocks of so many units: 10 s. People pause more often.
    static let noiseBlocks = 4
    static let unitsPerBlock: UInt8 = 125
    /// Before so many units nothing louder is held for noise than `usualNoise`: somebody may begin with a word.
    static let unitsToKnow: UInt8 = 50
    /// No noise is louder, in dB above −127 dBov; and none of a microphone that is hardly known.
    static let loudestNoise: UInt8 = 84
    static let usualNoise: UInt8 = 70
    /// The longest gap between two packets that is taken for a packet's duration, in units.
    static let longestPacket: Int64 = 6
    /// Without a packet for so long the units that are missing are taken for silence.
    static let patience = TimeDelta.milliseconds(100)

    /// One bit a unit, the newest the lowest: set where it was speech.
    private(set) var speech: UInt64 = 0
    /// Units since somebody asked last.
    private(set) var fresh: UInt8 = 0
    /// How loud its speech is, in sixteenths of a dB above −127 dBov: smoothed over speech alone.
    private(set) var loudness: Int16 = 0
    /// What a ring shows: up at once, down by 40 dB a second. In sixteenths of a dB above −127 dBov.
    private(set) var shown: Int16 = 0
    /// How much the level changes from one unit of speech to the next, in sixteenths of a dB: a voice by some 3 dB, a fan by
    /// less than one.
    private var change: Int16 = AudioLevelWindow.usualChange
    private static let usualChange: Int16 = 40
    /// Whether levels are sent at all: else nothing is known of their changes.
    private var hasLevels = false
    /// The smoothed level in sixteenths of a dB, for the noise.
    private var smooth: Int16 = -1
    private var blocks = InlineArray<4, UInt8>(repeating: .max)
    private var blockUnits: UInt8 = 0
    /// How often the voice bit is set in quiet units and in loud ones, of 256.
    private var bitWhileQuiet: Int16 = 128
    private var bitWhileLoud: Int16 = 128
    private var lastLevel: UInt8 = 0
    private var lastWasSpeech = false

    private var lastTimestamp: UInt32 = 0
    private var lastArrival: Timestamp?
    /// Ticks of the RTP clock that are no whole unit yet, and units taken for silence already.
    private var rest: Int64 = 0
    private var assumed: Int64 = 0

    /// The loudness of the noise, in dB above −127 dBov; 0 where no levels are sent. What is louder than `loudestNoise` is not
    /// held for noise: somebody who never pauses is no fan.
    var noise: UInt8 {
        guard hasLevels else { return 0 }
        var least = blocks[0]
        for i in 1..<Self.noiseBlocks { least = min(least, blocks[i]) }
        guard least != .max else { return 0 }
        let isKnown = blockUnits >= Self.unitsToKnow || blocks[1] != .max
        return min(least, isKnown ? Self.loudestNoise : Self.usualNoise)
    }

    /// A packet came that is the newest of its stream; how many units end with it. `isMeasured`: the level was sent, and not
    /// guessed.
    mutating func hear(
        _ heard: AudioLevel, isMeasured: Bool, timestamp: UInt32, clockRate: UInt32, at now: Timestamp
    ) -> Int {
        let unit = max(1, Int64(clockRate) &* Self.unitMilliseconds / 1_000)
        var count: Int64 = 1
        if lastArrival != nil {
            let step = Int64(Int32(bitPattern: timestamp &- lastTimestamp))
            // Behind a jump of the timestamps one unit has passed, whatever they say.
            let ticks = step > 0 && step < unit &* 3_000 ? step &+ rest : unit
            count = ticks / unit
            rest = ticks % unit
            let silent = max(0, count &- assumed)
            if count > Self.longestPacket {
                if silent > 1 { pause(silent &- 1) }
                count = 1
            } else {
                count = min(count, silent)
            }
        }
        assumed = 0
        lastTimestamp = timestamp
        lastArrival = now
        hasLevels = isMeasured
        for _ in 0..<count { add(127 &- min(heard.level, 127), isVoice: heard.isVoice) }
        return Int(count)
    }

    /// Silence takes the place of packets that do not come. Called before anybody looks.
    mutating func settle(at now: Timestamp) {
        guard let last = lastArrival, now - last >= Self.patience, speech != 0 || shown != 0 else { return }
        let missing = (now - last).nanoseconds / (Self.unitMilliseconds &* 1_000_000) &- 1 &- assumed
        guard missing > 0 else { return }
        assumed &+= missing
        pause(missing)
    }

    /// The newest units that nobody has looked at: so many, and how many of them were speech.
    mutating func takeFresh() -> (units: Int, speech: Int) {
        let units = Int(fresh)
        fresh = 0
        guard units > 0 else { return (0, 0) }
        let mask: UInt64 = units >= 64 ? .max : (1 &<< UInt64(units)) &- 1
        return (units, (speech & mask).nonzeroBitCount)
    }

    /// How many of the newest units were speech.
    @inline(__always) func speech(inLast units: UInt64) -> Int { (speech & ((1 &<< units) &- 1)).nonzeroBitCount }

    /// Whether its level moves as a voice's does: 0 for a steady noise, up to 16.
    var liveliness: Int {
        guard hasLevels else { return 16 }
        return max(0, min(16, Int(change) - 20))
    }

    /// Nothing that was heard counts any more: the track was muted or its connection is gone.
    mutating func forgetSpeech() {
        speech = 0
        fresh = 0
        shown = 0
        lastWasSpeech = false
        lastArrival = nil
        rest = 0
        assumed = 0
    }

    private mutating func pause(_ units: Int64) {
        speech = units >= 64 ? 0 : speech &<< UInt64(units)
        fresh = UInt8(min(Int64(Self.units), Int64(fresh) &+ units))
        shown = Int16(max(0, Int64(shown) &- Self.release &* units))
        lastWasSpeech = false
    }

    private static let release: Int64 = 13

    private mutating func add(_ loud: UInt8, isVoice: Bool) {
        noteNoise(loud)
        let floor = noise
        let margin = Self.threshold(isVoice, bitWhileQuiet, bitWhileLoud)
        let isLoud = loud >= max(Self.quietestSpeech, floor &+ margin)
        noteBit(isVoice, loud, floor)
        if isLoud {
            if lastWasSpeech {
                let step = Int16(loud > lastLevel ? loud &- lastLevel : lastLevel &- loud)
                change &+= (min(step, 12) &* 16 &- change) / 8
                loudness &+= (Int16(loud) &* 16 &- loudness) / 16
            } else if speech & 0xff == 0 {
                // What begins is taken for a voice until its level has been seen to stand still.
                change = max(change, Self.usualChange)
                loudness = loudness == 0 ? Int16(loud) &* 16 : loudness
            }
        }
        lastLevel = loud
        lastWasSpeech = isLoud
        speech = speech &<< 1 | (isLoud ? 1 : 0)
        fresh = min(fresh &+ 1, UInt8(Self.units))
        shown = max(isLoud ? Int16(loud) &* 16 : 0, Int16(max(0, Int64(shown) &- Self.release)))
    }

    /// How much louder than the noise speech has to be.
    private static func threshold(_ isVoice: Bool, _ whileQuiet: Int16, _ whileLoud: Int16) -> UInt8 {
        // A bit that is often set while nobody speaks says nothing.
        guard whileQuiet < 64 else { return margin }
        if isVoice { return marginWithBit }
        return whileLoud > 160 ? marginWithoutBit : margin
    }

    private mutating func noteBit(_ isVoice: Bool, _ loud: UInt8, _ floor: UInt8) {
        let bit: Int16 = isVoice ? 256 : 0
        if loud < floor &+ 5 {
            bitWhileQuiet &+= (bit &- bitWhileQuiet) / 32
        } else if loud >= Self.quietestSpeech, loud > floor &+ 18 {
            bitWhileLoud &+= (bit &- bitWhileLoud) / 32
        }
    }

    private mutating func noteNoise(_ loud: UInt8) {
        smooth = smooth < 0 ? Int16(loud) &* 16 : smooth &+ (Int16(loud) &* 16 &- smooth) / 4
        blocks[0] = min(blocks[0], UInt8(truncatingIfNeeded: smooth / 16))
        blockUnits &+= 1
        guard blockUnits >= Self.unitsPerBlock else { return }
        blockUnits = 0
        for i in stride(from: Self.noiseBlocks - 1, to: 0, by: -1) { blocks[i] = blocks[i - 1] }
        blocks[0] = .max
    }
}

extension AudioLevelWindow: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        let sixteenths: ClosedRange<Int64> = 0...127 * 16
        try c.code(&speech)
        try c.code(&fresh)
        try c.require(fresh <= UInt8(Self.units))
        try c.code(&loudness, sixteenths)
        try c.code(&shown, sixteenths)
        try c.code(&change, 0...256)
        try c.code(&hasLevels)
        try c.code(&smooth, -1...127 * 16)
        for i in 0..<Self.noiseBlocks { try c.code(&blocks[i]) }
        for i in 0..<Self.noiseBlocks { try c.require(blocks[i] <= 127 || blocks[i] == .max) }
        try c.code(&blockUnits)
        try c.require(blockUnits < Self.unitsPerBlock)
        try c.code(&bitWhileQuiet, 0...256)
        try c.code(&bitWhileLoud, 0...256)
        try c.code(&lastLevel)
        try c.require(lastLevel <= 127)
        try c.code(&lastWasSpeech)
        try c.code(&lastTimestamp)
        try c.code(&lastArrival)
        try c.code(&rest, 0...CheckpointLimit.setting)
        try c.code(&assumed, 0...CheckpointLimit.moment)
    }
}
