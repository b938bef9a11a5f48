// The report of a replay: one HTML page with its data, styles and script inside, which asks nothing of any network.
import MediaCore

/// Makes the report's page.
public enum ReplayReport {
    /// What the page's head says beside the trace.
    public struct Labels: Sendable {
        /// The capture's name, as its file's.
        public var title: String
        /// The version that recorded it, or nil.
        public var recordedBy: String?
        /// The version that replayed it.
        public var replayedBy: String
        /// The capture's seed, or nil.
        public var seed: UInt64?
        /// Whether the file ends within a block.
        public var isTruncated: Bool

        /// Labels.
        public init(
            title: String, recordedBy: String?, replayedBy: String, seed: UInt64?, isTruncated: Bool = false
        ) {
            self.title = title
            self.recordedBy = recordedBy
            self.replayedBy = replayedBy
            self.seed = seed
            self.isTruncated = isTruncated
        }
    }

    /// The page as UTF-8 text. Nothing in it comes unescaped from the capture: the data is JSON without `<`, `>` and `&`,
    /// and the script puts it into the page as text only.
    public static func page(_ trace: ReplayTrace, _ labels: Labels, whatIf: WhatIf? = nil) -> String {
        var json = JSONText()
        json.object { data in
            write(labels, trace, into: &data)
            write(trace.verdict, into: &data)
            if let whatIf { write(whatIf, into: &data) }
            data.key("peers")
            data.array { list in for peer in trace.peers { write(peer, trace, into: &list) } }
            writeDrops(trace, into: &data)
            writeLines(trace, into: &data)
        }
        return ReportPage.head + json.text + ReportPage.tail
    }

    private static func write(_ labels: Labels, _ trace: ReplayTrace, into data: inout JSONText) {
        data.field("title", labels.title)
        data.field("recordedBy", labels.recordedBy)
        data.field("replayedBy", labels.replayedBy)
        data.field("seed", labels.seed.map { String($0) })
        data.key("isTruncated")
        data.bool(labels.isTruncated)
        data.field("digest", trace.digest.text)
        data.field("start", Milliseconds.seconds(trace.start?.nanoseconds ?? 0))
        data.field("duration", milliseconds(trace.since(trace.end)))
        data.field("bucket", milliseconds(trace.bucket.nanoseconds))
        let summary = trace.summary
        data.key("summary")
        data.object { facts in
            facts.field("events", summary.events)
            facts.field("turns", summary.turns)
            facts.field("rtpIn", summary.rtpIn)
            facts.field("rtcpIn", summary.rtcpIn)
            facts.field("rtpOut", summary.rtpOut)
            facts.field("rtcpOut", summary.rtcpOut)
            facts.field("bytesIn", summary.bytesIn)
            facts.field("bytesOut", summary.bytesOut)
            facts.field("commands", summary.commands)
            facts.field("decisions", summary.decisions)
            facts.field("compared", summary.compared)
            facts.field("skipped", summary.skipped)
            facts.field("gaps", summary.gaps)
        }
    }

    private static func write(_ verdict: ReplayVerdict, into data: inout JSONText) {
        data.key("verdict")
        data.object { verdictData in
            switch verdict {
            case .identical: verdictData.field("kind", "identical")
            case .nothingRecorded: verdictData.field("kind", "nothing")
            case .different(let difference):
                verdictData.field("kind", "different")
                verdictData.field("index", difference.index)
                verdictData.field("at", Milliseconds.seconds(difference.since.nanoseconds))
                verdictData.field("before", difference.before)
                let sides = difference.sides
                verdictData.field("recorded", sides.recorded)
                verdictData.field("replayed", sides.replayed)
                verdictData.key("fields")
                verdictData.array { list in
                    for field in difference.fields {
                        list.array { row in
                            row.string(field.name)
                            row.string(field.recorded)
                            row.string(field.replayed)
                        }
                    }
                }
                verdictData.key("nearby")
                verdictData.array { list in
                    for timed in difference.nearby {
                        list.array { row in
                            row.string(Milliseconds.seconds(timed.since.nanoseconds))
                            row.string(timed.decision.sentence)
                        }
                    }
                }
            }
        }
    }

    private static func write(_ whatIf: WhatIf, into data: inout JSONText) {
        data.key("whatIf")
        data.object { part in
            part.key("notes")
            part.array { list in for note in whatIf.notes { list.string(note) } }
            part.field("changes", whatIf.changes.values.map { "\($0.name) = \($0.value)" }.joined(separator: ", "))
            part.field("differences", whatIf.differenceCount)
            part.key("counts")
            part.array { list in
                for count in whatIf.counts {
                    row(&list, count.kind, count.before, count.after)
                }
                row(&list, "datagrams out", whatIf.datagrams.before, whatIf.datagrams.after)
                row(&list, "bytes out", whatIf.bytes.before, whatIf.bytes.after)
            }
            part.key("first")
            part.array { list in
                for difference in whatIf.differences {
                    for (mark, timed) in [("−", difference.before), ("+", difference.after)] {
                        guard let timed else { continue }
                        list.array { row in
                            row.string(mark)
                            row.string(Milliseconds.seconds(timed.since.nanoseconds))
                            row.string(timed.decision.sentence)
                        }
                    }
                }
            }
        }
    }

    private static func row(_ list: inout JSONText, _ name: String, _ before: Int, _ after: Int) {
        list.array { row in
            row.string(name)
            row.number(before)
            row.number(after)
        }
    }

    private static func write(_ peer: ReplayTrace.Peer, _ trace: ReplayTrace, into list: inout JSONText) {
        list.object { data in
            data.field("id", peer.id.rawValue)
            data.field("joined", milliseconds(peer.joined))
            data.key("left")
            if let left = peer.left { data.number(milliseconds(left)) } else { data.null() }
            data.field(
                "publishes", peer.published.map(\.sentence).joined(separator: ", "))
            data.field("to", numbers: peer.bytesTo)
            data.field("from", numbers: peer.bytesFrom)
            data.field("levels", numbers: peer.levels)
            data.field("loss", numbers: peer.loss)
            data.field("rtt", numbers: peer.roundTrip)
            if !peer.estimate.isEmpty { data.field("estimate", numbers: peer.estimate) }
            data.key("slots")
            data.array { slots in for slot in peer.slots { write(slot, into: &slots) } }
        }
    }

    /// A slot with its stretches as [[from, to, publisher, mid, layer, isWaiting, reason] …]; -1 where there is none.
    private static func write(_ slot: ReplayTrace.Slot, into list: inout JSONText) {
        list.object { data in
            data.field("mid", slot.mid.text)
            data.field("kind", slot.kind == .audio ? "audio" : "video")
            if !slot.wantedLayer.isEmpty { data.field("wanted", numbers: slot.wantedLayer) }
            data.key("spans")
            data.array { spans in
                for span in slot.spans {
                    spans.array { row in
                        row.number(milliseconds(span.from))
                        row.number(span.to.map { milliseconds($0) } ?? -1)
                        row.number(span.track.map { Int64($0.peer.rawValue) } ?? -1)
                        row.string(span.track?.mid.text ?? "")
                        row.number(span.layer ?? -1)
                        row.bool(span.isWaiting)
                        row.string(span.reason)
                    }
                }
            }
        }
    }

    private static func writeDrops(_ trace: ReplayTrace, into data: inout JSONText) {
        data.key("drops")
        data.array { list in
            for reason in DropReason.allCases {
                let drops = trace.drops[Int(reason.rawValue)]
                guard drops.total > 0 else { continue }
                list.object { row in
                    row.field("name", "\(reason)")
                    row.field("text", reason.sentence)
                    row.field("total", drops.total)
                    row.field("over", numbers: drops.buckets)
                }
            }
        }
    }

    private static func writeLines(_ trace: ReplayTrace, into data: inout JSONText) {
        data.field("leftOut", trace.linesLeftOut)
        data.key("lines")
        data.array { list in
            for line in trace.lines {
                list.array { row in
                    row.number(milliseconds(line.at))
                    row.number(line.index)
                    row.string(line.kind)
                    row.array { peers in for peer in line.peers { peers.number(peer.rawValue) } }
                    row.string(line.text)
                }
            }
        }
    }

    private static func milliseconds(_ nanoseconds: Int64) -> Int64 { nanoseconds / 1_000_000 }
}

extension ReplayDifference {
    /// Both sides as text.
    var sides: (recorded: String, replayed: String) {
        switch subject {
        case .datagram(let recorded, let replayed): (Self.text(recorded), Self.text(replayed))
        case .decision(let recorded, let replayed):
            (recorded?.sentence ?? "no decision", replayed?.sentence ?? "no decision")
        case .digest(let recorded, let replayed, let lastEqual):
            (
                "digest \(recorded.text)",
                "digest \(replayed.text)"
                    + (lastEqual.map { "; equal until \(Milliseconds.seconds($0.nanoseconds)) s" } ?? "")
            )
        }
    }
}
