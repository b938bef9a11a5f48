// What came of a replay as one line of JSON, for scripts.
import MediaCore

/// The JSON of a replay.
public enum ReplayJSON {
    /// One object. `seconds` is how long the replay took.
    public static func text(_ result: ReplayResult, seconds: Double, whatIf: WhatIf? = nil) -> String {
        var json = JSONText()
        json.object { data in
            switch result.verdict {
            case .identical: data.field("verdict", "identical")
            case .nothingRecorded: data.field("verdict", "nothing recorded")
            case .different(let difference):
                data.field("verdict", "different")
                write(difference, into: &data)
            }
            data.field("digest", result.digest.text)
            let summary = result.summary
            data.field("events", summary.events)
            data.field("turns", summary.turns)
            data.field("rtpIn", summary.rtpIn)
            data.field("rtcpIn", summary.rtcpIn)
            data.field("rtpOut", summary.rtpOut)
            data.field("rtcpOut", summary.rtcpOut)
            data.field("bytesIn", summary.bytesIn)
            data.field("bytesOut", summary.bytesOut)
            data.field("commands", summary.commands)
            data.field("decisions", summary.decisions)
            data.field("compared", summary.compared)
            data.field("skipped", summary.skipped)
            data.field("gaps", summary.gaps)
            data.field("mediaMilliseconds", summary.duration.nanoseconds / 1_000_000)
            data.field("replayMicroseconds", Int64(seconds * 1_000_000))
            data.key("drops")
            data.object { drops in
                for reason in DropReason.allCases where result.statistics[reason] > 0 {
                    drops.field("\(reason)", result.statistics[reason])
                }
            }
            if let whatIf { write(whatIf, into: &data) }
        }
        return json.text
    }

    private static func write(_ difference: ReplayDifference, into data: inout JSONText) {
        data.key("difference")
        data.object { part in
            part.field("event", difference.index)
            part.field("atNanoseconds", difference.at.nanoseconds)
            part.field("before", difference.before)
            part.field("recorded", difference.sides.recorded)
            part.field("replayed", difference.sides.replayed)
            part.key("fields")
            part.array { list in
                for field in difference.fields {
                    list.object { row in
                        row.field("name", field.name)
                        row.field("recorded", field.recorded)
                        row.field("replayed", field.replayed)
                    }
                }
            }
        }
    }

    private static func write(_ whatIf: WhatIf, into data: inout JSONText) {
        data.key("whatIf")
        data.object { part in
            part.key("isOpenLoop")
            part.bool(true)
            part.key("notes")
            part.array { list in for note in whatIf.notes { list.string(note) } }
            part.key("settings")
            part.object { list in for change in whatIf.changes.values { list.field(change.name, change.value) } }
            part.field("differences", whatIf.differenceCount)
            part.key("decisions")
            part.array { list in
                for count in whatIf.counts {
                    list.object { row in
                        row.field("kind", count.kind)
                        row.field("before", count.before)
                        row.field("after", count.after)
                    }
                }
            }
        }
    }
}
