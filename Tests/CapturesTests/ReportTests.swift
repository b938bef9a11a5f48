// The report's page: what it leaves out where there is nothing, how large it becomes, and that no capture writes markup into it.

import MediaCore
import SimulatedNetwork
import Testing

@testable import Captures

@Suite("Report pages")
struct ReportTests {
    private let labels = ReplayReport.Labels(title: "t", recordedBy: nil, replayedBy: "m", seed: nil)

    private func mid(_ text: String) throws -> Mid { try #require(Mid(text)) }

    private func page(_ events: [CaptureEvent]) throws -> (page: String, trace: ReplayTrace) {
        var survey = CaptureSurvey()
        for event in events { survey.add(event) }
        let trace = ReplayTrace(duration: survey.duration, peers: survey.admitted)
        var replay = Replay(Replay.Options(comparingWith: survey), trace: trace)
        for event in events { try replay.take(event) }
        _ = try replay.finish()
        return (ReplayReport.page(trace, labels), trace)
    }

    /// The page's data: what stands in its JSON element.
    private func data(_ page: String) throws -> Substring {
        let parts = page.split(separator: "id=\"data\">", maxSplits: 1)
        return try #require(parts.last?.split(separator: "</script>", maxSplits: 1).first)
    }

    @Test("Estimates and wanted layers are drawn where somebody says them, and left out where nobody does")
    func optionalSeries() throws {
        let events = ReplayRecorder.record(ReplayScenarios.threePeople, []).events
        let (plain, trace) = try page(events)
        #expect(!(try data(plain)).contains("\"estimate\""))
        // The layers that were wanted are told by the core.
        #expect(try data(plain).contains("\"wanted\":["))
        let at = Timestamp(nanoseconds: 1_500_000_000)
        trace.estimated(640_000, to: PeerID(2), at: at)
        trace.estimated(900_000, to: PeerID(2), at: at + .milliseconds(300))
        trace.wanted(layer: 7, on: try mid("rv0"), of: PeerID(2), at: at)
        // What nobody knows is passed over.
        trace.estimated(1, to: PeerID(99), at: at)
        trace.wanted(layer: 1, on: try mid("zz"), of: PeerID(2), at: at)
        let text = try data(ReplayReport.page(trace, labels))
        // A value holds until the next one.
        #expect(text.contains("\"estimate\":[-1,-1,-1,-1,-1,640000,640000,640000,900000]"))
        #expect(text.contains(",7,"))
    }

    @Test("Fifty people for ten minutes: the page stays small, and holds how it began and how it ended")
    func bounded() throws {
        let trace = ReplayTrace(duration: .seconds(600), peers: 50)
        let start = Timestamp(nanoseconds: 0)
        let slots = try (0..<4).map { number in
            ReceiveSlotPlan(
                mid: try mid("ra\(number)"), kind: .audio, ssrc: SSRC(UInt32(number) + 1), rtxSSRC: nil, codecs: [],
                feedback: FeedbackPlan(
                    nack: true, pictureLossIndication: false, fullIntraRequest: false, transportFeedback: false))
        }
        for peer in 1...50 as ClosedRange<UInt32> {
            let plan = PeerPlan(
                headerExtensions: HeaderExtensionMap(), published: [], slots: slots, reducedSizeRTCP: true)
            trace.obeyed(.addParticipant(PeerID(peer)), index: 0, at: start)
            trace.obeyed(.applyPlan(PeerID(peer), plan), index: 0, at: start)
        }
        let voice = try mid("a")
        // Each 1.2 s somebody else speaks, and takes a slot of everybody.
        for second in 0..<500 {
            let at = start + .milliseconds(Int64(second) * 1_200)
            let speaker = TrackID(peer: PeerID(UInt32(second % 50) + 1), mid: voice)
            for peer in 1...50 as ClosedRange<UInt32> {
                let slot = slots[second % 4].mid
                for decision in [
                    Decision.slotAssigned(peer: PeerID(peer), slot: slot, track: speaker, reason: .speaker),
                    .switched(peer: PeerID(peer), slot: slot, track: speaker, layer: 0, waited: .milliseconds(3)),
                ] { trace.decided(TimedDecision(at: at, since: at - start, decision: decision), index: second) }
                trace.received([0x80, 0], .rtp, from: PeerID(peer), at: at)
            }
        }
        let text = ReplayReport.page(trace, labels)
        #expect(text.utf8.count < 6_000_000, "\(text.utf8.count) bytes")
        #expect(trace.lines.count <= ReplayTrace.decisionLimit)
        #expect(trace.linesLeftOut + trace.lines.count == 100 + 2 * 50 * 500)
        #expect(trace.lines.first?.at == 0)
        #expect(trace.lines.last.map { $0.at > 590_000_000_000 } == true)
        #expect(zip(trace.lines, trace.lines.dropFirst()).allSatisfy { $0.at <= $1.at })
        #expect(text.contains("\"leftOut\":\(trace.linesLeftOut)"))
    }

    @Test("Plans and comments of hostile size are shown in part")
    func hostileSizes() throws {
        var events: [CaptureEvent] = [
            .opened(RoomConfiguration(), seed: 1, build: "", at: Timestamp(nanoseconds: -1 << 61)),
            .comment(String(repeating: "<b>", count: 100_000)),
        ]
        let track = PublishedTrackPlan(
            mid: try mid("m"), kind: .video, source: .screen, codecs: [], encodings: [],
            feedback: FeedbackPlan(
                nack: false, pictureLossIndication: false, fullIntraRequest: false, transportFeedback: false),
            isMuted: false)
        let slot = { (n: Int) in
            ReceiveSlotPlan(
                mid: try mid("s\(n)"), kind: .video, ssrc: SSRC(UInt32(n)), rtxSSRC: nil, codecs: [],
                feedback: track.feedback)
        }
        let plan = PeerPlan(
            headerExtensions: HeaderExtensionMap(), published: Array(repeating: track, count: 500),
            slots: try (0..<500).map(slot), reducedSizeRTCP: false)
        for peer in 0..<3 as Range<UInt32> {
            let at = Timestamp(nanoseconds: peer % 2 == 0 ? 1 << 61 : -1 << 61)
            events += [
                .command(.addParticipant(PeerID(peer)), at: at), .command(.applyPlan(PeerID(peer), plan), at: at),
            ]
        }
        let text = try page(events).page
        #expect(text.utf8.count < 200_000, "\(text.utf8.count) bytes")
        #expect(!(try data(text)).contains("<"))
    }

    @Test("Whatever characters a capture has, the data holds none that ends it, and the script writes only text")
    func escaping() throws {
        let evil = "</script><script>alert(1)</script><!-- ' \" \\ \u{2028} \u{2029} \u{0} \u{7f} &lt; \u{1F600}"
        let events: [CaptureEvent] = [
            .opened(RoomConfiguration(), seed: 1, build: evil, at: Timestamp(nanoseconds: 0)), .comment(evil),
            .command(.addParticipant(PeerID(1)), at: Timestamp(nanoseconds: 1)),
        ]
        let trace = try page(events).trace
        let text = ReplayReport.page(
            trace, .init(title: evil, recordedBy: evil, replayedBy: evil, seed: nil))
        let json = try data(text)
        for character in ["<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"] { #expect(!json.contains(character)) }
        #expect(json.contains("\\u003c/script\\u003e") && json.contains("\u{1F600}"))
        // Two script elements and nothing else that a browser would run or fetch.
        #expect(text.split(separator: "<script", omittingEmptySubsequences: false).count == 3)
        for word in [
            "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "XMLHttp", "@import",
        ] {
            #expect(!text.contains(word), "\(word)")
        }
        #expect(text.contains("default-src 'none'"))
    }
}
