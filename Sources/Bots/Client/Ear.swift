// Listens to one stream of sound: puts packets in order, waits a little as a browser's buffer does, decodes, and judges what comes
// out by the stamps. It plays nothing.
import Codecs
import MediaCore

/// What an ear has heard, beyond the counts of a tally.
package struct HeardTurn: Hashable, Sendable {
    /// Who spoke.
    package var sender: UInt16
    /// Which of their turns.
    package var turn: UInt16

    package init(sender: UInt16, turn: UInt16) { (self.sender, self.turn) = (sender, turn) }
}

/// One stream's decoder.
final class Ear {
    private struct Waiting {
        var payload: [UInt8]
        var timestamp: UInt32
        var stamp: Stamp?
    }
    /// Packets that are waited for before the first is played: 60 ms.
    private static let prefill = 3
    /// More than these wait only when something is wrong; the oldest go.
    private static let maximumWaiting = 50
    /// Louder than this, in −dBov, is energy.
    static let energyLevel: UInt8 = 55

    private let decoder: OpusDecoder
    private var waiting: [Int64: Waiting] = [:]
    private var next: Int64?
    private var lastTimestamp: UInt32 = 0
    private var isPlaying = false
    /// Turns of the clock in which nothing was there to be played.
    private var starved = 0
    /// Packets since somebody was last not quiet, or another source came.
    private var quietRun = 0
    private var source: UInt16?
    /// Packets of speech that sounded like it.
    private(set) var voiced = 0
    /// The first packets of each turn that were decoded, a bit each: the first syllable.
    private(set) var beginnings: [HeardTurn: UInt8] = [:]
    /// How many packets a turn's beginning is: 100 ms.
    static let beginningPackets = 5
    /// How they sounded, where that is kept: the 20 ms behind them too, for what a decoder brings late; zeros for what was not heard.
    private(set) var sounds: [HeardTurn: [Int16]] = [:]
    private let keepsBeginnings: Bool
    /// The most turns whose beginning is kept.
    private static let maximumSounds = 2_000

    init(keepsBeginnings: Bool = false) throws(CodecError) {
        decoder = try OpusDecoder()
        self.keepsBeginnings = keepsBeginnings
    }

    /// A packet came.
    func take(_ number: Int64, _ timestamp: UInt32, _ payload: UnsafeRawBufferPointer) {
        if let next, number < next { return }
        waiting[number] = unsafe Waiting(
            payload: Array(payload), timestamp: timestamp, stamp: Stamp(endOf: payload))
        if waiting.count > Self.maximumWaiting, let first = waiting.keys.min() { waiting[first] = nil }
    }

    /// 20 ms have passed.
    func play(into tally: inout Tally) {
        guard isPlaying else {
            guard waiting.count >= Self.prefill, let first = waiting.keys.min() else { return }
            // Sound that stopped and goes on where it was has run dry; sound whose clock went on was silent meanwhile.
            if let next, let packet = waiting[first], starved > 0, first == next,
                packet.timestamp == lastTimestamp &+ 960
            {
                tally.concealed += starved
            }
            starved = 0
            next = first
            isPlaying = true
            return play(into: &tally)
        }
        guard let number = next else { return }
        if let packet = waiting.removeValue(forKey: number) {
            next = number + 1
            lastTimestamp = packet.timestamp
            decode(packet, into: &tally)
        } else if waiting.isEmpty {
            isPlaying = false
            starved = 1
        } else {
            next = number + 1
            tally.concealed += 1
            _ = decoder.conceal(samples: 960)
        }
    }

    private func decode(_ packet: Waiting, into tally: inout Tally) {
        guard let samples = decoder.decode(packet.payload) else {
            tally.undecodable += 1
            return
        }
        tally.decoded += 1
        let isLoud = SoundLevel.decibelsBelowOverload(samples) <= Self.energyLevel
        guard let stamp = packet.stamp else { return }
        if stamp.sender != source {
            source = stamp.sender
            quietRun = 0
        }
        if stamp.sound == .quiet {
            quietRun += 1
            // The decoder's own tail may still sound.
            if isLoud, quietRun > 5 { tally.noisy += 1 }
            return
        }
        quietRun = 0
        if isLoud, stamp.sound == .speech {
            tally.voiced += 1
            voiced += 1
        }
        let turn = HeardTurn(sender: stamp.sender, turn: stamp.turn), place = Int(stamp.place)
        guard stamp.sound == .speech, place <= Self.beginningPackets else { return }
        if place < Self.beginningPackets { beginnings[turn, default: 0] |= 1 << UInt8(place) }
        guard keepsBeginnings, samples.count == 960, sounds.count < Self.maximumSounds || sounds[turn] != nil else {
            return
        }
        let silence = [Int16](repeating: 0, count: (Self.beginningPackets + 1) * 960)
        sounds[turn, default: silence].replaceSubrange(place * 960..<(place + 1) * 960, with: samples)
    }
}
