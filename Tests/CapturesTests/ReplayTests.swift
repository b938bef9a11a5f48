// The replay itself: what it finds to be equal and different, where it begins and ends, other settings, and its report.

import MediaCore
import SimulatedNetwork
import Testing

@testable import Captures

@Suite("Replay")
struct ReplayTests {
    private static let short = Scenario(
        "short", seed: 5,
        steps: [
            .join(1, ParticipantProfile([.microphone(), .camera()])), .join(2, ParticipantProfile([.microphone()])),
            .run(.seconds(2)),
        ])

    private func difference(_ result: ReplayResult) throws -> ReplayDifference {
        guard case .different(let difference) = result.verdict else {
            throw Failure(description: "no difference was found")
        }
        return difference
    }
    private struct Failure: Error { var description: String }

    @Test("Datagrams, decisions and digests that were recorded come out again")
    func identical() throws {
        let recorder = ReplayRecorder.record(Self.short, [.datagrams, .decisions, .digests])
        let result = try replay(recorder.events)
        #expect(result.verdict == .identical)
        #expect(result.digest == recorder.digest)
        #expect(result.summary.compared > result.summary.rtpOut)
        #expect(result.summary.duration >= .milliseconds(1_900) && result.summary.duration <= .seconds(2))
        #expect(result.statistics.rtpPacketsSent == UInt64(result.summary.rtpOut))
    }

    @Test("A capture read from its bytes gives the same as its events")
    func throughBytes() throws {
        let recorder = ReplayRecorder.record(Self.short, [.datagrams, .decisions, .digests])
        let result = try Replay.run(recorder.bytes)
        #expect(result.verdict == .identical)
        #expect(result.digest == recorder.digest)
    }

    @Test("Inputs alone give a digest and no verdict")
    func inputsOnly() throws {
        let recorder = ReplayRecorder.record(Self.short, [])
        let result = try replay(recorder.events)
        #expect(result.verdict == .nothingRecorded)
        #expect(result.digest == recorder.digest)
    }

    @Test("A datagram with another sequence number is found, with its place and the one field")
    func changedDatagram() throws {
        var events = ReplayRecorder.record(Self.short, [.datagrams]).events
        let index = try #require(
            events.indices.dropFirst(600).first {
                if case .sent(_, .rtp, _) = events[$0] { true } else { false }
            })
        guard case .sent(let peer, _, var bytes) = events[index] else { return }
        bytes[3] ^= 1
        events[index] = .sent(peer, .rtp, bytes)
        let difference = try difference(replay(events))
        #expect((index...index + 40).contains(difference.index))
        #expect(difference.fields.map(\.name) == ["sequence number", "bytes from 3"])
        let moment = try #require(events[..<index].last { $0.moment != nil }?.moment)
        #expect(difference.at == moment)
        #expect(!difference.before.isEmpty)
        #expect(!difference.nearby.isEmpty)
        #expect(difference.description.contains("sequence number"))
    }

    @Test("A datagram that is missing, and one too many, are differences")
    func missingDatagram() throws {
        let events = ReplayRecorder.record(Self.short, [.datagrams]).events
        let index = try #require(
            events.lastIndex { if case .sent = $0 { true } else { false } })
        var fewer = events
        fewer.remove(at: index)
        guard case .datagram(_, let replayed?) = try difference(replay(fewer)).subject else {
            throw Failure(description: "another difference")
        }
        #expect(replayed.length > 0)
        var more = events
        more.insert(events[index], at: index)
        #expect(try difference(replay(more)).index >= index)
    }

    @Test("A decision that was otherwise is found")
    func changedDecision() throws {
        var events = ReplayRecorder.record(Self.short, [.decisions]).events
        let index = try #require(
            events.lastIndex { if case .decision = $0 { true } else { false } })
        let wrong = Decision.timestampCorrected(peer: PeerID(9), slot: try #require(Mid("x")), ticks: 7)
        events[index] = .decision(wrong)
        guard case .decision(let recorded, let replayed) = try difference(replay(events)).subject else {
            throw Failure(description: "another difference")
        }
        #expect(recorded == wrong)
        #expect(replayed != nil && replayed != wrong)
    }

    @Test("An input that is missing shows in the next digest, behind the last equal one")
    func missingInput() throws {
        var events = ReplayRecorder.record(Self.short, [.digests]).events
        let first = try #require(events.firstIndex { if case .digest = $0 { true } else { false } })
        let lost = try #require(
            events.indices.dropFirst(first + 40).first { if case .rtp = events[$0] { true } else { false } })
        events.remove(at: lost)
        let found = try difference(replay(events))
        guard case .digest(_, _, let lastEqual?) = found.subject else {
            throw Failure(description: "another difference")
        }
        #expect(found.index > lost)
        #expect(lastEqual < found.since)
    }

    @Test("A replay ends where it is told to")
    func until() throws {
        let recorder = ReplayRecorder.record(Self.short, [.decisions, .digests])
        let result = try replay(recorder.events) { $0.until = .milliseconds(1_200) }
        #expect(result.verdict == .identical)
        #expect(result.summary.duration <= .milliseconds(1_200))
        #expect(result.summary.events < recorder.events.count)
        #expect(result.digest != recorder.digest)
    }

    @Test("A capture without a beginning is refused")
    func noBeginning() throws {
        let events = Array(ReplayRecorder.record(Self.short, []).events.dropFirst())
        #expect(throws: ReplayError.noBeginning(events: events.count)) { try replay(events) }
    }

    @Test("A replay begins at a checkpoint, and again behind a gap")
    func checkpoint() throws {
        let recorder = ReplayRecorder([.decisions, .digests], seed: 6, scope: .headers)
        let simulation = Simulation(seed: 6)
        simulation.onCall = { recorder.take($0, at: $1) }
        simulation.perform(.join(1, ParticipantProfile([.microphone(), .camera()])))
        simulation.perform(
            .join(2, ParticipantProfile([.microphone()], fromServer: LinkConditions(loss: 0.05))))
        simulation.perform(.run(.seconds(2)))
        let before = recorder.events.count
        var state = Checkpoint()
        simulation.core.checkpoint(into: &state)
        recorder.checkpoint(state.bytes)
        simulation.perform(.run(.seconds(2)))
        recorder.end()
        let whole = try replay(recorder.events)
        #expect(whole.verdict == .identical)
        #expect(whole.digest == recorder.digest)
        let second = try replay(Array(recorder.events[before...]))
        #expect(second.verdict == .identical)
        #expect(second.digest == recorder.digest)
        // Inputs before the checkpoint are lost: what is there of them is left out.
        var broken = recorder.events
        broken.replaceSubrange(500..<700, with: [.gap(events: 200)])
        let third = try replay(broken)
        #expect(third.verdict == .identical)
        #expect(third.digest == recorder.digest)
        #expect(third.summary.gaps == 1)
        #expect(third.summary.skipped > 100)
        // A file may say again what room it is, before the checkpoint at which it begins.
        let fourth = try replay([recorder.events[0]] + recorder.events[before...])
        #expect(fourth.verdict == .identical)
        #expect(fourth.digest == recorder.digest)
        broken.insert(recorder.events[0], at: try #require(broken.firstIndex(of: .gap(events: 200))) + 1)
        #expect(try replay(broken).verdict == .identical)
        #expect(throws: ReplayError.self) { try replay([.checkpoint([1, 2, 3])]) }
    }

    @Test("A setting that is not there is refused, and the nearest one named")
    func settings() throws {
        var changes = ConfigurationChanges()
        for (text, part) in [
            ("keyFrameRequestIntervalMiliseconds=5", "did you mean keyFrameRequestIntervalMilliseconds?"),
            ("reportInterval=5", "did you mean reportIntervalMilliseconds?"),
            ("zzz=1", "there is no setting zzz"), ("reportIntervalMilliseconds", "key=value"),
            ("reportIntervalMilliseconds=0", "from 10 to 60000"), ("reportIntervalMilliseconds=x", "whole number"),
            ("videoHistoryPackets=100", "power of two"),
        ] {
            do throws(ConfigurationChangeError) {
                try changes.add(text)
                Issue.record("\(text) was taken")
            } catch {
                #expect(error.description.contains(part), "\(error)")
            }
        }
        #expect(changes.isEmpty)
        for key in ConfigurationKey.all {
            let value = key.isPowerOfTwo ? 64 : key.range.lowerBound
            try changes.add("\(key.name)=\(value)")
            #expect(key.value(in: changes.applied(to: RoomConfiguration())) == value)
        }
        #expect(changes.values.count == ConfigurationKey.all.count)
    }

    @Test("Another setting gives other decisions, counted and shown, and says that it is open loop")
    func whatIf() throws {
        let events = ReplayRecorder.record(ReplayScenarios.comingAndGoing, []).events
        func run(_ changes: ConfigurationChanges) throws -> ([TimedDecision], ReplaySummary) {
            var options = Replay.Options()
            options.changes = changes
            options.keepsDecisions = true
            var replay = Replay(options)
            for event in events { try replay.take(event) }
            let result = try replay.finish()
            return (replay.decisions, result.summary)
        }
        var changes = ConfigurationChanges()
        try changes.add("keyFrameRequestIntervalMilliseconds=5000")
        let before = try run(ConfigurationChanges())
        let after = try run(changes)
        let result = WhatIf(changes: changes, before: before, after: after)
        #expect(result.differenceCount > 0)
        #expect(result.differences.count == min(20, result.differenceCount))
        #expect(result.counts.contains { $0.kind == "keyFrameRequested" && $0.after < $0.before })
        #expect(result.description.contains("Open loop"))
        let same = WhatIf(changes: changes, before: before, after: before)
        #expect(same.differenceCount == 0)
    }

    @Test("Of decisions at one moment those that both runs took cancel out, each once, however many there are")
    func whatIfAtOneMoment() throws {
        let at = Timestamp(nanoseconds: 1)
        let track = TrackID(peer: PeerID(1), mid: try #require(Mid("0")))
        func decision(_ layer: Int) -> TimedDecision {
            TimedDecision(at: at, since: .zero, decision: .layerAlive(track, layer: layer))
        }
        func compare(_ a: [TimedDecision], _ b: [TimedDecision]) -> WhatIf {
            WhatIf(
                changes: ConfigurationChanges(), before: (a, ReplaySummary()), after: (b, ReplaySummary()))
        }
        let small = compare([1, 2, 2, 3].map(decision), [2, 3, 4, 2, 2].map(decision))
        #expect(
            small.differences == [
                WhatIf.Difference(before: decision(1), after: nil), WhatIf.Difference(before: nil, after: decision(4)),
                WhatIf.Difference(before: nil, after: decision(2)),
            ])
        let many = (0..<200_000).map(decision)
        let large = compare(many, many.reversed() + [decision(-1)])
        #expect(large.differenceCount == 1 && large.differences.first?.after == decision(-1))
    }
}

@Suite("Replay report")
struct ReplayReportTests {
    private func page(_ events: [CaptureEvent], title: String = "a capture") throws -> String {
        var survey = CaptureSurvey()
        for event in events { survey.add(event) }
        let trace = ReplayTrace(duration: survey.duration)
        var replay = Replay(Replay.Options(comparingWith: survey), trace: trace)
        for event in events { try replay.take(event) }
        _ = try replay.finish()
        return ReplayReport.page(
            trace, .init(title: title, recordedBy: survey.build, replayedBy: "majlis", seed: survey.seed))
    }

    @Test("The page holds the decisions, the slots and the drops, and asks no network")
    func content() throws {
        let events = ReplayRecorder.record(ReplayScenarios.threePeople, [.decisions]).events
        let text = try page(events)
        for part in [
            "keyFrameRequested", "slotAssigned", "\"verdict\":{\"kind\":\"identical\"", "trackMuted",
            "default-src 'none'", "\"mid\":\"rv0\"",
        ] { #expect(text.contains(part), "\(part)") }
        #expect(!text.contains("src=\""))
        #expect(!text.contains("https:"))
    }

    @Test("Nothing from a capture reaches the page as markup")
    func escaping() throws {
        var events = ReplayRecorder.record(ReplayScenarios.lossyUplink, []).events
        let evil = "</script><img src=x onerror=alert(1)>\u{2028}<!--&amp;\"\\\u{0}"
        events.insert(.comment(evil), at: 1)
        events[0] = .opened(RoomConfiguration(), seed: 8, build: evil, at: Timestamp(nanoseconds: 1_000_000_000))
        let text = try page(events, title: evil)
        #expect(!text.contains("<img"))
        #expect(!text.contains("<!--"))
        #expect(!text.contains("&amp;"))
        #expect(text.components(of: "</script>") == 2)
        #expect(text.contains("\\u003c/script\\u003e"))
    }
}

extension String {
    /// How often another string occurs.
    fileprivate func components(of part: String) -> Int {
        let whole = Array(utf8)
        let wanted = Array(part.utf8)
        return whole.indices.count { whole[$0...].starts(with: wanted) }
    }
}
