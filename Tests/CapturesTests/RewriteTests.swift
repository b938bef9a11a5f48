// Captures made into other captures: the same inputs, cut, without media, with what the core of today decides; and other
// settings behind a checkpoint.

import Captures
import MediaCore
import SimulatedNetwork
import Testing

@Suite("Rewriting captures")
struct RewriteTests {
    static let small = [ReplayScenarios.threePeople, ReplayScenarios.lossyUplink, ReplayScenarios.pauses]

    /// The new capture's events.
    private func rewrite(
        _ events: [CaptureEvent], _ change: (inout CaptureRewrite.Options) -> Void = { _ in }
    ) throws -> (events: [CaptureEvent], digest: OutputDigest) {
        var options = CaptureRewrite.Options()
        options.build = "majlis today"
        change(&options)
        var rewrite = CaptureRewrite(options)
        var result: [CaptureEvent] = []
        for event in events where !rewrite.isOver { try rewrite.take(event) { result.append($0) } }
        try rewrite.finish { result.append($0) }
        return (result, rewrite.digest)
    }

    /// The inputs among events.
    private func inputs(_ events: [CaptureEvent]) -> [CaptureEvent] {
        events.filter { event in
            switch event {
            case .rtp, .rtcp, .cut, .command, .advanced, .flushed: true
            default: false
            }
        }
    }

    @Test("A whole capture written anew has the same inputs, decisions and digests", arguments: small)
    func whole(_ scenario: Scenario) throws {
        let recorded = ReplayRecorder.record(scenario, [.decisions, .digests])
        let new = try rewrite(recorded.events)
        #expect(new.digest == recorded.digest)
        #expect(new.events.dropFirst() == recorded.events.dropFirst())
        guard case .opened(_, scenario.seed, "majlis today", _) = new.events[0] else {
            Issue.record("\(new.events[0])")
            return
        }
        // What was recorded of outputs is not believed.
        var wrong = recorded.events
        wrong.removeAll { if case .decision = $0 { true } else { false } }
        wrong.insert(.digest(OutputDigest()), at: 5)
        #expect(try rewrite(wrong).events == new.events)
        let result = try replay(new.events)
        #expect(result.verdict == .identical)
        #expect(result.digest == recorded.digest)
    }

    @Test("A capture cut at two moments begins with a checkpoint and replays to what was decided in between")
    func cut() throws {
        let recorded = ReplayRecorder.record(ReplayScenarios.lossyUplink, [.decisions, .digests])
        let start = try #require(recorded.events[0].moment)
        for (from, until) in [(1_000, 2_500), (2_345, 5_000), (0, 1_500), (3_000, 60_000)] as [(Int64, Int64)] {
            let new = try rewrite(recorded.events) {
                $0.from = .milliseconds(from)
                $0.until = .milliseconds(until)
            }
            let kept = inputs(new.events)
            let whole = inputs(recorded.events)
            let head = try #require(kept.first)
            let first = try #require(whole.firstIndex(of: head))
            #expect(Array(whole[first...].prefix(kept.count)) == kept, "the inputs are a stretch of the old ones")
            let moments = kept.compactMap(\.moment)
            let begun = try #require(moments.first) - start
            #expect(begun >= .milliseconds(from) && begun < .milliseconds(from + 25))
            #expect(try #require(moments.last) - start <= .milliseconds(until))
            if from > 0 {
                guard case .opened = new.events[0], case .checkpoint = new.events[1] else {
                    Issue.record("it begins with something else")
                    return
                }
            }
            let decided = recorded.events.indices.filter { index in
                guard case .decision = recorded.events[index] else { return false }
                let at = recorded.events[..<index].last { $0.moment != nil }?.moment ?? start
                return at >= moments[0] && at <= moments[moments.count - 1]
            }.map { recorded.events[$0] }
            #expect(new.events.filter { if case .decision = $0 { true } else { false } } == decided)
            let result = try replay(new.events)
            if case .different(let difference) = result.verdict { Issue.record("\(from): \(difference)") }
            #expect(result.verdict == .identical)
            #expect(result.digest == new.digest)
            // And again from its bytes, cut once more.
            let again = try rewrite(try events(of: ReplayRecorder.bytes(new.events))) { $0.until = .milliseconds(400) }
            #expect(try replay(again.events).verdict == .identical)
        }
    }

    @Test("Without media nothing of a payload is left behind its first bytes, and the decisions are the same")
    func headers() throws {
        for scenario in Self.small {
            let recorded = ReplayRecorder.record(scenario, [.decisions, .digests])
            let new = try rewrite(recorded.events) { $0.cutsPayloads = true }
            var cut = 0
            var opus = 0
            for event in new.events {
                guard case .cut(_, _, let bytes, let length, _) = event else { continue }
                cut += 1
                guard let header = RTPHeader(bytes.span) else {
                    Issue.record("a cut packet is not RTP any more")
                    continue
                }
                // Of Opus nothing; of VP8 descriptor and key frame's head, of a retransmission two bytes more.
                let kept = bytes.count - Int(header.payloadOffset)
                #expect(kept <= 2 + VP8Descriptor.maximumLength + 10)
                if length < 150 { opus += kept == 0 ? 1 : 0 }
                #expect(length > bytes.count)
            }
            #expect(cut > 0 && opus > 0)
            // Whole packets are those with nothing behind what is read.
            let whole = new.events.count { if case .rtp(_, let bytes, _) = $0 { bytes.count > 60 } else { false } }
            #expect(whole == 0)
            let decisions: ([CaptureEvent]) -> [CaptureEvent] = { events in
                events.filter { if case .decision = $0 { true } else { false } }
            }
            #expect(decisions(new.events) == decisions(recorded.events), "\(scenario.name)")
            let result = try replay(new.events)
            #expect(result.verdict == .identical)
            #expect(ReplayRecorder.bytes(new.events).count < ReplayRecorder.bytes(recorded.events).count)
        }
    }

    @Test("A packet with padding stays whole, its media zero and its padding's length in its last byte")
    func padding() throws {
        var recorded = ReplayRecorder.record(ReplayScenarios.lossyUplink, []).events
        let index = try #require(
            recorded.firstIndex { if case .rtp(_, let bytes, _) = $0 { bytes.count > 400 } else { false } })
        guard case .rtp(let peer, var bytes, let at) = recorded[index] else { return }
        bytes[0] |= 0x20
        for place in bytes.indices.suffix(200) { bytes[place] = 0x5a }
        bytes[bytes.count - 1] = 150
        recorded[index] = .rtp(peer, bytes, at: at)
        let new = try rewrite(recorded) { $0.cutsPayloads = true }
        let found = new.events.compactMap { event -> [UInt8]? in
            guard case .rtp(peer, let whole, at) = event, whole.count == bytes.count else { return nil }
            return whole
        }
        let whole = try #require(found.first)
        #expect(whole.last == 150)
        #expect(whole.suffix(200).dropLast().allSatisfy { $0 == 0 })
        #expect(whole.prefix(12) == bytes.prefix(12))
    }

    @Test("Gaps stay gaps, checkpoints are written in today's form, and a capture of nothing is refused")
    func gaps() throws {
        let recorder = ReplayRecorder([.decisions, .digests], seed: 6)
        let simulation = Simulation(seed: 6)
        simulation.onCall = { recorder.take($0, at: $1) }
        simulation.perform(.join(1, ParticipantProfile([.microphone(), .camera()])))
        simulation.perform(.join(2, ParticipantProfile([.microphone()])))
        simulation.perform(.run(.seconds(1)))
        let middle = recorder.events.count
        var state = Checkpoint()
        simulation.core.checkpoint(into: &state)
        recorder.checkpoint(state.bytes)
        simulation.perform(.run(.seconds(1)))
        recorder.end()
        var broken = recorder.events
        broken.replaceSubrange(200..<300, with: [.gap(events: 100)])
        let new = try rewrite(broken)
        #expect(new.events.contains(.gap(events: 100)))
        #expect(new.events.contains(.checkpoint(state.bytes)))
        let result = try replay(new.events)
        #expect(result.verdict == .identical)
        #expect(result.digest == recorder.digest)
        #expect(result.summary.skipped == 0, "inputs that no room takes are left out")
        // One that begins at its checkpoint.
        let second = try rewrite(Array(recorder.events[middle...]))
        #expect(try replay(second.events).digest == recorder.digest)
        #expect(throws: ReplayError.nothingToWrite) {
            try rewrite(recorder.events) { $0.from = .seconds(30) }
        }
        #expect(throws: ReplayError.self) { try rewrite([]) }
    }

    @Test("Other settings hold from a checkpoint on: an equal one changes nothing, another one does, and it says so")
    func settings() throws {
        let recorded = ReplayRecorder.record(ReplayScenarios.comingAndGoing, [.decisions, .digests])
        let cut = try rewrite(recorded.events) { $0.from = .milliseconds(700) }.events
        func run(_ texts: [String]) throws -> (replay: Replay, result: ReplayResult) {
            var options = Replay.Options()
            for text in texts { try options.changes.add(text) }
            options.keepsDecisions = true
            var replay = Replay(options)
            for event in cut { try replay.take(event) }
            let result = try replay.finish()
            return (replay, result)
        }
        let plain = try run([])
        #expect(plain.replay.usedCheckpoint)
        #expect(try run(["reportIntervalMilliseconds=1000"]).result.digest == plain.result.digest)
        let often = try run(["reportIntervalMilliseconds=100"])
        #expect(often.result.summary.rtcpOut > plain.result.summary.rtcpOut + 10)
        let patient = try run(["keyFrameRequestIntervalMilliseconds=5000"])
        #expect(patient.result.digest != plain.result.digest)
        var changes = ConfigurationChanges()
        try changes.add("keyFrameRequestIntervalMilliseconds=5000")
        try changes.add("videoHistoryPackets=64")
        let difference = WhatIf(
            changes: changes, before: (plain.replay.decisions, plain.result.summary),
            after: (patient.replay.decisions, patient.result.summary), fromCheckpoint: true)
        #expect(difference.notes.count == 2 && difference.notes[0] == WhatIf.openLoopNote)
        #expect(difference.notes[1].contains("videoHistoryPackets for tracks published later only"))
        #expect(!difference.notes[1].contains("keyFrame"))
        let json = ReplayJSON.text(patient.result, seconds: 1, whatIf: difference)
        #expect(json.contains("\"isOpenLoop\":true") && json.contains("Open loop"))
    }

    @Test("What a room knows of its peers is what their plans said, and a report from a checkpoint shows it")
    func introduced() throws {
        let recorded = ReplayRecorder.record(ReplayScenarios.threePeople, [])
        let cut = try rewrite(recorded.events) { $0.from = .milliseconds(2_500) }.events
        let trace = ReplayTrace(duration: .seconds(5))
        var replay = Replay(Replay.Options(), trace: trace)
        for event in cut { try replay.take(event) }
        _ = try replay.finish()
        let page = ReplayReport.page(trace, .init(title: "x", recordedBy: nil, replayedBy: "y", seed: nil))
        #expect(page.contains("\"publishes\":\"microphone a, camera v\""))
        #expect(page.contains("\"mid\":\"rv0\""))
        #expect(page.contains("there is a slot for everybody"))
    }
}
