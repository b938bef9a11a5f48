// libFuzzer's entry into captures: the readers of this project's and of foreign ones, the replay with its report, and the
// rewrite. What is read is written again and has to read back equal; what is rewritten has to replay to itself.
import Captures
import MediaCore

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCaptures(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    let events = read(bytes)
    var writer = CaptureWriter()
    for event in events { writer.append(event) }
    precondition(writer.refused == 0, "what was read has its place in the format")
    precondition(read(writer.take()) == events, "what was read and written reads back equal")
    if let conversion = try? CaptureConvert.convert(bytes, minimumPackets: 1) {
        precondition(conversion.frames <= count, "a frame takes bytes")
        precondition(conversion.events.count <= conversion.datagrams, "a packet is a datagram")
    }
    replay(events)
    rewrite(events, cutsPayloads: count & 1 == 0)
    return 0
}

private func read(_ bytes: [UInt8]) -> [CaptureEvent] {
    var events: [CaptureEvent] = []
    do throws(CaptureError) {
        var reader = try CaptureReader(bytes)
        while let event = try reader.next() { events.append(event) }
    } catch {
        precondition(error.offset >= 0 && error.offset <= bytes.count, "an error names a place in the file")
    }
    return events
}

private func survey(_ events: [CaptureEvent]) -> CaptureSurvey {
    var survey = CaptureSurvey()
    for event in events { survey.add(event) }
    return survey
}

private func replay(_ events: [CaptureEvent]) {
    let survey = survey(events)
    let trace = ReplayTrace(duration: survey.duration, peers: survey.admitted)
    var replay = Replay(Replay.Options(comparingWith: survey), trace: trace)
    do throws(ReplayError) {
        for event in events { try replay.take(event) }
        let result = try replay.finish()
        _ = "\(result.verdict)"
        _ = ReplayJSON.text(result, seconds: 1)
    } catch {
        precondition(!error.description.isEmpty)
    }
    let page = ReplayReport.page(
        trace, .init(title: survey.build ?? "", recordedBy: survey.build, replayedBy: "", seed: survey.seed))
    precondition(page.utf8.count < 20_000_000, "a page is bounded")
}

private func rewrite(_ events: [CaptureEvent], cutsPayloads: Bool) {
    var options = CaptureRewrite.Options()
    options.cutsPayloads = cutsPayloads
    var rewrite = CaptureRewrite(options)
    var written: [CaptureEvent] = []
    do throws(ReplayError) {
        for event in events { try rewrite.take(event) { written.append($0) } }
        try rewrite.finish { written.append($0) }
        var again = Replay(Replay.Options(comparingWith: survey(written)))
        for event in written { try again.take(event) }
        if case .different(let difference) = try again.finish().verdict {
            preconditionFailure("what is rewritten replays to itself: \(difference)")
        }
    } catch {
        precondition(!error.description.isEmpty)
    }
}
