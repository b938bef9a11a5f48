// Rules by which others tell who speaks, for comparison: from their constants and what they do with them
// (LiveKit's server, the Jitsi Videobridge), and the simplest one. Fed with one frame of every microphone at a time.

import Glibc

/// A rule that shows one speaker.
public protocol SpeakerRule {
    /// What the table calls it.
    var name: String { get }
    /// Takes the frames that the microphones send at one moment; the one to show, or nil for nobody yet.
    mutating func step(_ frames: [VoiceFrame]) -> Int?
}

/// Whoever is loudest at this moment.
public struct LoudestInstant: SpeakerRule {
    /// What the table calls it.
    public let name = "loudest instant"
    private var shown: Int?

    /// The rule.
    public init() {}

    /// The loudest of those who send.
    public mutating func step(_ frames: [VoiceFrame]) -> Int? {
        var best: (person: Int, level: UInt8)?
        for (person, frame) in frames.enumerated() where frame.isSent && frame.level < 127 {
            if best == nil || frame.level < best?.level ?? 127 { best = (person, frame.level) }
        }
        shown = best?.person ?? shown
        return shown
    }
}

/// LiveKit: of windows of 400 ms with at least 40 % of active packets the loudest level, less for less activity, smoothed; whoever
/// is loudest of those above the threshold is first in the list. A page shows the first, and keeps it while the list is empty.
public struct LiveKitRule: SpeakerRule {
    private struct Row {
        var observed = 0
        var active = 0
        var loudest: UInt8 = 127
        var smoothed = 0.0
        var idle = 0
    }
    /// What the table calls it.
    public let name = "LiveKit's"
    private var rows: [Row] = []
    private var shown: Int?
    private var clock = 0

    /// The rule.
    public init() {}

    /// One frame of everybody.
    public mutating func step(_ frames: [VoiceFrame]) -> Int? {
        if rows.isEmpty { rows = Array(repeating: Row(), count: frames.count) }
        for (person, frame) in frames.enumerated() {
            rows[person].idle += 20
            // Nothing for two intervals is silence.
            if rows[person].idle > 800 { rows[person].smoothed = 0 }
            guard frame.isSent else { continue }
            rows[person].idle = 0
            rows[person].observed += 20
            if frame.level <= 35 {
                rows[person].active += 20
                rows[person].loudest = min(rows[person].loudest, frame.level)
            }
            guard rows[person].observed >= 400 else { continue }
            if rows[person].active >= 160 {
                let adjusted = Double(rows[person].loudest) - 20 * log10(Double(rows[person].active) / 400)
                rows[person].smoothed += (pow(10, -adjusted / 20) - rows[person].smoothed) * 2 / 3
            } else {
                rows[person].smoothed = 0
            }
            rows[person].observed = 0
            rows[person].active = 0
            rows[person].loudest = 127
        }
        clock += 20
        guard clock >= 400 else { return shown }
        clock = 0
        var best: (person: Int, level: Double)?
        for person in rows.indices where rows[person].smoothed >= 0.0178 {
            // Levels are told in eighths, and equal ones are in the order of the people.
            let level = (rows[person].smoothed * 8).rounded(.up) / 8
            if best == nil || level > best?.level ?? 0 { best = (person, level) }
        }
        shown = best?.person ?? shown
        return shown
    }
}

/// The Jitsi Videobridge's dominant speaker identification, after Volfin and Cohen.
public struct JitsiRule: SpeakerRule {
    private struct Row {
        var levels = [Int](repeating: 0, count: 50)
        var minimum = 0
        var nextMinimum = 0
        var minimumCount = 0
        var idle = 0
        var scores = [1e-10, 1e-10, 1e-10]
    }
    /// What the table calls it.
    public let name = "Jitsi's"
    private var rows: [Row] = []
    private var shown: Int?
    private var clock = 0

    /// The rule.
    public init() {}

    /// One frame of everybody.
    public mutating func step(_ frames: [VoiceFrame]) -> Int? {
        if rows.isEmpty { rows = Array(repeating: Row(), count: frames.count) }
        for (person, frame) in frames.enumerated() {
            rows[person].idle += 20
            if frame.isSent {
                rows[person].idle = 0
                Self.hear(127 - Int(frame.level), &rows[person])
            } else if rows[person].idle >= 40 {
                Self.hear(0, &rows[person])
            }
        }
        clock += 20
        guard clock >= 300 else { return shown }
        clock = 0
        for person in rows.indices { Self.evaluate(&rows[person]) }
        guard let current = shown else {
            shown = rows.indices.max { rows[$0].scores[1] < rows[$1].scores[1] }
            return shown
        }
        var best: (person: Int, c2: Double)?
        for person in rows.indices where person != current {
            let ratios = (0..<3).map { log(rows[person].scores[$0] / rows[current].scores[$0]) }
            guard ratios[0] > 3, ratios[1] > 2, ratios[2] > 0 else { continue }
            if best == nil || ratios[1] > best?.c2 ?? 0 { best = (person, ratios[1]) }
        }
        shown = best?.person ?? shown
        return shown
    }

    private static func hear(_ level: Int, _ row: inout Row) {
        if level > 0 {
            if row.minimum == 0 || row.minimum > level {
                row.minimum = level
                row.nextMinimum = 0
                row.minimumCount = 0
            } else {
                row.nextMinimum = row.nextMinimum == 0 ? level : min(row.nextMinimum, level)
                row.minimumCount += 1
                if row.minimumCount >= 750 {
                    row.minimum = Int((Double(row.minimum) * Double(row.nextMinimum)).squareRoot())
                    row.nextMinimum = 0
                    row.minimumCount = 0
                }
            }
        }
        row.levels.removeLast()
        row.levels.insert(level < row.minimum + 10 ? 0 : level, at: 0)
    }

    private static func evaluate(_ row: inout Row) {
        let immediates = row.levels.map { $0 / 10 }
        let mediums = (0..<10).map { block in immediates[(block * 5)..<(block * 5 + 5)].count { $0 > 7 } }
        let long = mediums.count { $0 > 4 }
        row.scores = [score(immediates[0], 13, 0.78), score(mediums[0], 5, 24), score(long, 10, 47)]
    }

    /// The likelihood of speech for `v` of `n`.
    private static func score(_ v: Int, _ n: Int, _ lambda: Double) -> Double {
        var ways = 1.0
        for i in 0..<v { ways = ways * Double(n - i) / Double(i + 1) }
        let value = log(ways) + Double(n) * log(0.5) - log(lambda) + lambda * Double(v)
        return max(value, 1e-10)
    }
}
