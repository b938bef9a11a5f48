// Who speaks, as fields: the report that is told, and the decision who has the floor.
import MediaCore

extension FieldWriter {
    mutating func speakers(_ value: SpeakerReport) {
        optional(value.dominant) { $0.peer($1) }
        list(value.active) {
            $0.peer($1.peer)
            $0.byte($1.level)
        }
    }

    mutating func floor(_ value: FloorChange) {
        byte(20)
        track(value.to)
        optional(value.from) { $0.track($1) }
        for span in [value.evidence, value.needed, value.silence] { signed(span.nanoseconds) }
    }
}

extension FieldReader {
    mutating func floor() -> Decision? {
        guard let to = track(), let from = optional({ $0.track() }), let evidence = span(), let needed = span(),
            let silence = span()
        else { return nil }
        return .dominantSpeakerChanged(
            FloorChange(to: to, from: from, evidence: evidence, needed: needed, silence: silence))
    }
}
