// The audio gate by itself: when it opens and closes, what it holds for noise, and how far back what it opened for began.
import Testing

@testable import MediaCore

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

@Suite("Audio gate")
struct AudioGateTests {
    private func hear(
        _ gate: inout AudioGate, _ level: UInt8, voice: Bool, _ time: Int64, noise: UInt8? = 0, units: Int = 1
    ) -> Bool {
        _ = gate.expire(at: at(time))
        return gate.hear(
            AudioLevel(isVoice: voice, level: level), noise: noise, units: units,
            timestamp: UInt32(truncatingIfNeeded: time * 48), at: at(time))
    }

    @Test("It opens with the second packet of speech and closes 300 ms behind the last")
    func times() {
        var gate = AudioGate()
        #expect(hear(&gate, 30, voice: true, 0) == false)
        #expect(hear(&gate, 30, voice: true, 20) == true)
        for i in 2..<10 as Range<Int64> { #expect(hear(&gate, 30, voice: true, i * 20) == false) }
        #expect(hear(&gate, 127, voice: false, 200) == false)
        #expect(gate.expire(at: at(479)) == false)
        #expect(gate.expire(at: at(480)) == true)
        #expect(!gate.isOpen)
    }

    @Test("Packets of 60 ms open it with the first that is known to be so long, packets of 10 ms with the fourth")
    func packetTimes() {
        var long = AudioGate()
        #expect(hear(&long, 30, voice: true, 0, units: 3) == true)
        var short = AudioGate()
        let opened = (0..<6 as Range<Int64>).first { hear(&short, 30, voice: true, $0 * 10, units: Int($0 % 2)) }
        #expect(opened == 3)
    }

    @Test("What was no more than a word or a click holds it for 200 ms, of which none is sound")
    func shortWord() {
        var gate = AudioGate()
        for i in 0..<3 as Range<Int64> { _ = hear(&gate, 30, voice: true, i * 20) }
        #expect(gate.isOpen)
        #expect(gate.deadline == at(240))
    }

    @Test(
        "A crack does not open it, nor a key and what rings behind it, nor noise without voice; loud sound without the bit does"
    )
    func noise() {
        var gate = AudioGate()
        for i in 0..<50 as Range<Int64> { _ = hear(&gate, i % 2 == 0 ? 20 : 90, voice: true, i * 20) }
        #expect(!gate.isOpen)
        for i in 50..<200 as Range<Int64> {
            _ = hear(&gate, i % 7 == 0 ? 25 : i % 7 == 1 ? 33 : 90, voice: true, i * 20)
        }
        #expect(!gate.isOpen)
        for i in 200..<250 as Range<Int64> { _ = hear(&gate, 50, voice: false, i * 20) }
        #expect(!gate.isOpen)
        for i in 250..<252 as Range<Int64> { _ = hear(&gate, 30, voice: false, i * 20) }
        #expect(gate.isOpen)
    }

    @Test("The noise of a microphone does not open it, whatever its voice bit says, and does not keep it open")
    func ownNoise() {
        var gate = AudioGate()
        for i in 0..<50 as Range<Int64> { _ = hear(&gate, 50, voice: true, i * 20, noise: 77) }
        #expect(!gate.isOpen)
        for i in 50..<60 as Range<Int64> { _ = hear(&gate, 30, voice: true, i * 20, noise: 77) }
        #expect(gate.isOpen)
        for i in 60..<80 as Range<Int64> { _ = hear(&gate, 50, voice: true, i * 20, noise: 77) }
        #expect(!gate.isOpen)
        for i in 80..<90 as Range<Int64> { _ = hear(&gate, 20, voice: true, i * 20, noise: nil) }
        #expect(!gate.isOpen, "all of it is a machine")
    }

    @Test("While it is open speech may become 10 dB quieter")
    func hysteresis() {
        var gate = AudioGate()
        for i in 0..<10 as Range<Int64> { _ = hear(&gate, 52, voice: true, i * 20) }
        for i in 10..<60 as Range<Int64> { _ = hear(&gate, 64, voice: true, i * 20) }
        #expect(gate.isOpen)
        for i in 60..<90 as Range<Int64> { _ = hear(&gate, 66, voice: true, i * 20) }
        #expect(!gate.isOpen)
        for i in 90..<120 as Range<Int64> { _ = hear(&gate, 64, voice: true, i * 20) }
        #expect(!gate.isOpen)
    }

    @Test("Without levels the size of the packets tells")
    func withoutLevels() {
        var gate = AudioGate()
        for i in 0..<12 as Range<Int64> {
            let heard = AudioGate.assumed(payloadLength: i < 10 ? 3 : 80)
            _ = hear(&gate, heard.level, voice: heard.isVoice, i * 20)
            #expect(gate.isOpen == (i == 11))
        }
    }

    @Test("What it opened for began where the voice could first be heard, 40 ms before that belong to it, 200 in all")
    func lead() {
        var gate = AudioGate()
        // Noise, then a consonant at 200 that is too soft to open, then a vowel.
        for i in 0..<10 as Range<Int64> { _ = hear(&gate, 90, voice: false, i * 20) }
        for (i, level) in [60, 58, 40, 30].enumerated() {
            _ = hear(&gate, UInt8(level), voice: true, 200 + Int64(i) * 20)
        }
        #expect(gate.isOpen)
        #expect(gate.lead(before: 260 * 48, clockRate: 48_000, at: at(260)) == (60 + 40) * 48)
        // Given a slot later: as much as may be sent; and much later nothing.
        #expect(gate.lead(before: 700 * 48, clockRate: 48_000, at: at(700)) == 200 * 48)
        #expect(gate.lead(before: 2_000 * 48, clockRate: 48_000, at: at(2_000)) == 0)
    }

    @Test("Silence is told from 200 ms of it on, by its level or by what a codec makes of it, and at once when it ends")
    func silence() {
        var gate = AudioGate()
        func note(_ level: UInt8?, _ length: Int, _ time: UInt32) -> Bool {
            gate.noteSilence(
                told: level, payloadLength: length, timestamp: time &* 48 &- 4_800, clockRate: 48_000)
            return gate.isSilent
        }
        // A microphone that was never told to bring a sound: what could be speech is none of its silence.
        for (time, length) in [(0, 60), (400, 60), (800, 29), (1_000, 29)] as [(UInt32, Int)] {
            #expect(note(127, length, time) == (time == 1_000))
        }
        // Nor is what carries no level, but for the codec's own silence.
        for (time, length) in [(0, 20), (400, 20), (800, 3), (1_000, 3)] as [(UInt32, Int)] {
            #expect(note(nil, length, time) == (time == 1_000))
        }
        #expect(!note(80, 60, 0))
        #expect(!note(127, 60, 20))
        #expect(!note(127, 60, 200))
        #expect(note(127, 60, 220))
        #expect(note(127, 60, 100_000_000))
        #expect(!note(90, 60, 100_000_020))
        #expect(!note(90, 2, 100_000_040))
        #expect(note(90, 1, 100_000_440))
        #expect(!note(90, 4, 100_000_460))
    }
}
