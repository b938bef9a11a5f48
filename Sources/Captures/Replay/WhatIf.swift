// Two runs of one capture, the second with other settings, and what was decided otherwise. Open loop: the clients' packets
// are those that were recorded, whatever the room would have sent them.
import MediaCore

/// What another run of the same inputs decided otherwise.
public struct WhatIf: Sendable {
    /// What is to be known before any number of this is believed.
    public static let openLoopNote =
        "Open loop: the packets that came in are those of the recording. The clients would have reacted to what the room "
        + "sends them; here they do not."

    /// What a capture that begins at a checkpoint adds to it.
    static func checkpointNote(_ changes: ConfigurationChanges) -> String {
        let later = ConfigurationKey.all.filter { key in
            key.isForNewTracks && changes.values.contains { $0.name == key.name }
        }
        let names = later.map(\.name).joined(separator: " and ")
        return "The capture begins at a checkpoint: the other values hold from there on"
            + (names.isEmpty ? "." : ", \(names) for tracks published later only.")
    }

    /// How often one kind of decision was taken.
    public struct Count: Sendable, Hashable {
        /// The name of the kind.
        public var kind: String
        /// In the run with the capture's settings.
        public var before: Int
        /// In the run with the other settings.
        public var after: Int
    }

    /// One place where the runs differ; a side that has nothing there is nil.
    public struct Difference: Sendable, Hashable {
        /// The run with the capture's settings.
        public var before: TimedDecision?
        /// The run with the other settings.
        public var after: TimedDecision?
    }

    /// What was changed.
    public var changes: ConfigurationChanges
    /// What is to be known of this comparison, most important first; `openLoopNote` always is.
    public var notes: [String]
    /// The kinds that occur in either run.
    public var counts: [Count]
    /// The first decisions that only one of the runs took, in order of time.
    public var differences: [Difference]
    /// How many of them there are in all.
    public var differenceCount: Int
    /// Datagrams out, RTP and RTCP, in both runs.
    public var datagrams: (before: Int, after: Int)
    /// Bytes out in both runs.
    public var bytes: (before: Int, after: Int)

    /// Compares two runs. `fromCheckpoint` says that the capture begins in the middle of a room; `limit` is how many
    /// differences are kept.
    public init(
        changes: ConfigurationChanges, before: (decisions: [TimedDecision], summary: ReplaySummary),
        after: (decisions: [TimedDecision], summary: ReplaySummary), fromCheckpoint: Bool = false, limit: Int = 20
    ) {
        self.changes = changes
        notes = [Self.openLoopNote]
        if fromCheckpoint { notes.append(Self.checkpointNote(changes)) }
        var counts = Decision.kindNames.map { Count(kind: $0, before: 0, after: 0) }
        for timed in before.decisions { counts[timed.decision.kindNumber].before += 1 }
        for timed in after.decisions { counts[timed.decision.kindNumber].after += 1 }
        self.counts = counts.filter { $0.before > 0 || $0.after > 0 }
        datagrams = (before.summary.rtpOut + before.summary.rtcpOut, after.summary.rtpOut + after.summary.rtcpOut)
        bytes = (before.summary.bytesOut, after.summary.bytesOut)
        (differences, differenceCount) = Self.differences(before.decisions, after.decisions, limit)
    }

    /// Walks both lists by time: what was taken in both at the same moment cancels out.
    private static func differences(
        _ a: [TimedDecision], _ b: [TimedDecision], _ limit: Int
    ) -> ([Difference], Int) {
        var result: [Difference] = []
        var count = 0
        var i = 0
        var j = 0
        func note(_ before: TimedDecision?, _ after: TimedDecision?) {
            count += 1
            if result.count < limit { result.append(Difference(before: before, after: after)) }
        }
        while i < a.count || j < b.count {
            let at = min(i < a.count ? a[i].at.nanoseconds : .max, j < b.count ? b[j].at.nanoseconds : .max)
            let first = a[i...].prefix { $0.at.nanoseconds == at }
            let second = b[j...].prefix { $0.at.nanoseconds == at }
            // A moment that neither list has at its head would be a list out of order of time: take one of each then.
            guard !first.isEmpty || !second.isEmpty else { break }
            i += first.count
            j += second.count
            guard !first.elementsEqual(second) else { continue }
            // Counted, not searched: a capture that means harm has hundreds of thousands at one moment.
            var unmatched = second.reduce(into: [TimedDecision: Int]()) { $0[$1, default: 0] += 1 }
            var matched: [TimedDecision: Int] = [:]
            for timed in first {
                guard let there = unmatched[timed], there > 0 else {
                    note(timed, nil)
                    continue
                }
                unmatched[timed] = there - 1
                matched[timed, default: 0] += 1
            }
            for timed in second {
                guard let same = matched[timed], same > 0 else {
                    note(nil, timed)
                    continue
                }
                matched[timed] = same - 1
            }
        }
        return (result, count)
    }
}

extension WhatIf: CustomStringConvertible {
    /// The differences on several lines.
    public var description: String {
        var lines = ["what if " + changes.values.map { "\($0.name) were \($0.value)" }.joined(separator: " and ")]
        for note in notes { lines.append("  " + note) }
        lines.append("  datagrams out: \(datagrams.before) before, \(datagrams.after) after")
        lines.append("  bytes out: \(bytes.before) before, \(bytes.after) after")
        for count in counts {
            let mark = count.before == count.after ? " " : "*"
            lines.append("  \(mark) \(count.kind): \(count.before) before, \(count.after) after")
        }
        lines.append("  \(differenceCount) decisions were taken in one run only")
        for difference in differences {
            if let before = difference.before {
                lines.append("  - \(Milliseconds.seconds(before.since.nanoseconds)) s  \(before.decision.sentence)")
            }
            if let after = difference.after {
                lines.append("  + \(Milliseconds.seconds(after.since.nanoseconds)) s  \(after.decision.sentence)")
            }
        }
        return lines.joined(separator: "\n")
    }
}
