// What came of a replay: the figures, and the first difference with what surrounds it.
public import MediaCore

/// A decision with the moment at which it was taken.
public struct TimedDecision: Hashable, Sendable {
    /// When.
    public var at: Timestamp
    /// How long after the capture's first input.
    public var since: TimeDelta
    /// What was decided.
    public var decision: Decision
}

/// A datagram on its way out.
public struct SentDatagram: Hashable, Sendable {
    /// Whom it is for.
    public var peer: PeerID
    /// RTP or RTCP.
    public var kind: Egress.Kind
    /// Its bytes; only the first where the capture was told to keep no more.
    public var bytes: [UInt8]
    /// Its length in bytes.
    public var length: Int

    /// Whether a recorded datagram and a replayed one are the same as far as was recorded.
    static func agree(_ recorded: SentDatagram?, _ replayed: SentDatagram?) -> Bool {
        guard let recorded, let replayed else { return recorded == nil && replayed == nil }
        return recorded.peer == replayed.peer && recorded.kind == replayed.kind && recorded.length == replayed.length
            && (recorded.bytes == replayed.bytes || replayed.bytes.starts(with: recorded.bytes))
    }
}

/// The first place at which a replay gave something else than was recorded.
public struct ReplayDifference: Hashable, Sendable {
    /// What differs; nil is a side that has nothing where the other has something.
    public enum Subject: Hashable, Sendable {
        /// A datagram.
        case datagram(recorded: SentDatagram?, replayed: SentDatagram?)
        /// A decision.
        case decision(recorded: Decision?, replayed: Decision?)
        /// Everything up to a digest; `lastEqual` tells when the last equal one was.
        case digest(recorded: OutputDigest, replayed: OutputDigest, lastEqual: TimeDelta?)
    }
    /// What differs.
    public var subject: Subject
    /// The number of the event in the capture, counted from 0, at which it was seen.
    public var index: Int
    /// The time of the last input before it.
    public var at: Timestamp
    /// How long after the capture's first input that is.
    public var since: TimeDelta
    /// The last input before it, as a sentence.
    public var before: String
    /// The fields that are not equal, of datagrams.
    public var fields: [FieldDifference]
    /// The replay's decisions shortly before it and shortly after it.
    public var nearby: [TimedDecision]
}

/// The figures of a replay.
public struct ReplaySummary: Hashable, Sendable {
    /// Events taken, of every kind.
    public internal(set) var events = 0
    /// Turns: flushes of the egress.
    public internal(set) var turns = 0
    /// RTP packets in.
    public internal(set) var rtpIn = 0
    /// RTCP datagrams in.
    public internal(set) var rtcpIn = 0
    /// RTP packets out.
    public internal(set) var rtpOut = 0
    /// RTCP datagrams out.
    public internal(set) var rtcpOut = 0
    /// Bytes in.
    public internal(set) var bytesIn = 0
    /// Bytes out.
    public internal(set) var bytesOut = 0
    /// Commands.
    public internal(set) var commands = 0
    /// Decisions.
    public internal(set) var decisions = 0
    /// Datagrams, decisions and digests that were compared with recorded ones.
    public internal(set) var compared = 0
    /// Inputs that were left out, before the first checkpoint or between a gap and the next one.
    public internal(set) var skipped = 0
    /// Places where events are missing.
    public internal(set) var gaps = 0
    /// The time of the first input.
    public internal(set) var first: Timestamp?
    /// The time of the last input.
    public internal(set) var last: Timestamp?

    /// The media's time that was replayed, in nanoseconds.
    public var duration: TimeDelta {
        guard let first, let last else { return .zero }
        return last - first
    }
}

/// Whether a replay gave what was recorded.
public enum ReplayVerdict: Hashable, Sendable {
    /// Everything that was recorded came out again, byte for byte.
    case identical
    /// The capture holds inputs only.
    case nothingRecorded
    /// The first difference.
    case different(ReplayDifference)
}

/// What came of a replay.
public struct ReplayResult: Sendable {
    /// Whether it gave what was recorded.
    public var verdict: ReplayVerdict
    /// The figures.
    public var summary: ReplaySummary
    /// The digest of everything that came out.
    public var digest: OutputDigest
    /// The counters of the core at the end.
    public var statistics: Statistics
}

/// Why a capture cannot be replayed.
public enum ReplayError: Error, Hashable, CustomStringConvertible {
    /// The room was never opened, and there is no checkpoint.
    case noBeginning(events: Int)
    /// The checkpoint at which the replay would have begun was not taken.
    case unusableCheckpoint(event: Int, reason: String)
    /// A call that is beyond what is run.
    case beyondLimit(ReplayLimit, event: Int)
    /// Inputs follow each other without end of a turn.
    case endlessTurn(event: Int)
    /// Nothing of the capture lies between the moments that a rewrite was to be cut at.
    case nothingToWrite

    /// The sentence for the person who asked.
    public var description: String {
        switch self {
        case .noBeginning(let events):
            "the capture has neither the room's opening nor a checkpoint in its \(events) events, so there is "
                + "nothing to begin with"
        case .unusableCheckpoint(let event, let reason):
            "the checkpoint in event \(event) cannot be used: \(reason)"
        case .beyondLimit(.moment, let event):
            "the moment of event \(event) is further than 73 years from the room's origin"
        case .beyondLimit(.setting, let event): "the settings in event \(event) are out of range"
        case .beyondLimit(.memory, let event): "the room would take more than 2 GiB of memory with event \(event)"
        case .endlessTurn(let event):
            "the turn that goes on in event \(event) has more than a million decisions and no end"
        case .nothingToWrite:
            "nothing of the capture lies between these moments at which a room runs"
        }
    }
}

extension ReplayDifference: CustomStringConvertible {
    /// The difference on several lines.
    public var description: String {
        var lines = [
            "first difference: event \(index), at \(Milliseconds.seconds(since.nanoseconds)) s, after \(before)"
        ]
        switch subject {
        case .datagram(let recorded, let replayed):
            lines.append("  recorded: \(Self.text(recorded))")
            lines.append("  replayed: \(Self.text(replayed))")
        case .decision(let recorded, let replayed):
            lines.append("  recorded: \(recorded?.sentence ?? "no decision")")
            lines.append("  replayed: \(replayed?.sentence ?? "no decision")")
        case .digest(let recorded, let replayed, let lastEqual):
            lines.append("  recorded digest: \(recorded.text)")
            lines.append("  replayed digest: \(replayed.text)")
            lines.append(
                lastEqual.map { "  the digest at \(Milliseconds.seconds($0.nanoseconds)) s was equal" }
                    ?? "  no digest before it was equal")
        }
        if !fields.isEmpty {
            let width = fields.map(\.name.count).max() ?? 0
            lines.append("  " + Self.pad("field", width) + "  recorded | replayed")
            for field in fields {
                lines.append("  \(Self.pad(field.name, width))  \(field.recorded) | \(field.replayed)")
            }
        }
        if !nearby.isEmpty {
            lines.append("  decisions nearby:")
            for timed in nearby {
                lines.append("    \(Milliseconds.seconds(timed.since.nanoseconds)) s  \(timed.decision.sentence)")
            }
        }
        return lines.joined(separator: "\n")
    }

    static func text(_ datagram: SentDatagram?) -> String {
        guard let datagram else { return "nothing" }
        return "\(datagram.kind == .rtp ? "RTP" : "RTCP") to peer \(datagram.peer.rawValue), "
            + "\(datagram.length) bytes"
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension OutputDigest {
    /// The digest as 32 hexadecimal digits, with the number of outputs that it covers.
    public var text: String {
        let words = [high >> 32, high, low >> 32, low].map { Hexadecimal.text(UInt32(truncatingIfNeeded: $0)) }
        return "\(words.joined()) of \(count) outputs\(scope == .headers ? ", headers only" : "")"
    }
}
