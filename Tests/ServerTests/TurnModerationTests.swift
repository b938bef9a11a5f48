// When a worker's turns rest, and that what rests leaves together.
import Bots
import MediaCore
import Server
import TestSupport
import Testing
import WholeServers

@testable import struct Server.TurnModeration

@Suite("Turns that rest", .serialized)
struct TurnModerationTests {
    private static let millisecond: Int64 = 1_000_000

    /// As `#expect`, for what changes something while it is asked.
    private func expect(_ isTrue: Bool, at location: SourceLocation = #_sourceLocation) {
        #expect(isTrue, sourceLocation: location)
    }

    /// Lets `seconds` go by, a turn each millisecond, with so many packets in each, and tells whether turns rest then.
    private func pass(
        _ moderation: inout TurnModeration, from start: inout Int64, seconds: Double, each received: UInt64,
        video: UInt64 = 0, _ totals: inout (received: UInt64, video: UInt64)
    ) -> Bool {
        let end = start + Int64(seconds * 1_000_000_000)
        while start < end {
            start += Self.millisecond
            totals.received += received
            totals.video += video
            let before = moderation.rest
            let isTold = moderation.note(received: totals.received, video: totals.video, at: start)
            #expect(isTold == (before != moderation.rest))
        }
        return moderation.rest > 0
    }

    @Test(
        "What nobody waits for may wait for a packet, unless there is a picture; a lost packet's request never does by itself"
    )
    func patience() {
        var moderation = TurnModeration(longest: 3)
        let due = Timestamp(nanoseconds: 7_000_000_000)
        func wait(_ reason: MediaCore.Deadline.Reason) -> Int64 {
            moderation.wake(for: MediaCore.Deadline(at: due, reason: reason), at: 6_990_000_000).nanoseconds
                - due.nanoseconds
        }
        for reason in [MediaCore.Deadline.Reason.reports, .liveness, .freezes, .layers, .floor] {
            #expect(wait(reason) == TurnModeration.patience)
        }
        for reason in [
            MediaCore.Deadline.Reason.transportFeedback, .nack, .keyFrameRequest, .speakers, .pacing, .estimate,
            .allocation,
        ] {
            #expect(wait(reason) == 0)
        }
        _ = moderation.note(received: 1, video: 1, at: 6_500_000_000)
        #expect(wait(.reports) == 0 && wait(.floor) == 0)
    }

    @Test("much sound makes turns rest, little does not, and a picture ends it at once and for a second")
    func decides() {
        var moderation = TurnModeration(longest: 3)
        var now: Int64 = 5_000_000_000
        var totals: (received: UInt64, video: UInt64) = (0, 0)
        expect(!pass(&moderation, from: &now, seconds: 1, each: 0, &totals))
        expect(pass(&moderation, from: &now, seconds: 0.3, each: 1, &totals))
        // The first packet of a picture.
        totals.received += 1
        totals.video += 1
        let isTold = moderation.note(received: totals.received, video: totals.video, at: now)
        #expect(isTold && moderation.rest == 0)
        expect(!pass(&moderation, from: &now, seconds: 0.95, each: 1, &totals))
        expect(pass(&moderation, from: &now, seconds: 0.3, each: 1, &totals))
        expect(!pass(&moderation, from: &now, seconds: 0.3, each: 0, &totals))
        expect(!pass(&moderation, from: &now, seconds: 3, each: 5, video: 4, &totals))
    }

    @Test("between the two limits it stays as it was")
    func hysteresis() {
        var moderation = TurnModeration(longest: 3)
        var now: Int64 = 0
        var received: UInt64 = 0
        func windows(_ count: Int, of packets: Int) -> Bool {
            for _ in 0..<count {
                now += TurnModeration.window
                received += UInt64(packets)
                _ = moderation.note(received: received, video: 0, at: now)
            }
            return moderation.rest > 0
        }
        let between = (TurnModeration.beginsAt + TurnModeration.endsBelow) / 2
        expect(!windows(5, of: between))
        expect(windows(1, of: TurnModeration.beginsAt))
        expect(windows(5, of: between))
        expect(!windows(1, of: TurnModeration.endsBelow - 1))
        expect(!windows(5, of: between))
        // A turn that comes very late is not taken for a busy one.
        now += 100 * TurnModeration.window
        received += UInt64(10 * TurnModeration.beginsAt)
        expect(!windows(1, of: 0))
    }

    @Test("the more comes, the shorter is the rest; never longer than was set, and never at all where that is 0")
    func length() {
        for (packets, rest) in [(49, 0), (50, 3), (100, 3), (134, 2), (200, 2), (250, 1), (5_000, 1)]
            as [(UInt64, Int64)]
        {
            var moderation = TurnModeration(longest: 3)
            _ = moderation.note(received: packets, video: 0, at: TurnModeration.window)
            #expect(moderation.rest == rest, "\(packets) packets")
            var never = TurnModeration(longest: 0)
            let isTold = never.note(received: packets, video: 0, at: TurnModeration.window)
            #expect(!isTold && never.rest == 0)
        }
    }

    @Test("a clock that goes back, and counters that wrap, decide nothing wrongly and trap nowhere")
    func hostileNumbers() {
        var moderation = TurnModeration(longest: 3)
        for (received, now) in [(UInt64.max, Int64.max), (0, 0), (5, Int64.max), (UInt64.max, 1)] {
            _ = moderation.note(received: received, video: received, at: now)
        }
        #expect(moderation.rest == 0)
    }

    @Test("twelve people who all talk: what one of them is sent leaves several packets to a call, and nothing is lost")
    func leavesTogether() async throws {
        let server = try TestServer { $0.media.workers = 1 }
        defer { server.stop() }
        let options = try LoadOptions([
            "--server", "http://127.0.0.1:\(server.port)", "--room", "test", "--quiet", "--people", "12", "--talkers",
            "12", "--pattern", "steady", "--audio-slots", "11", "--bench", "--seconds", "4",
        ])
        let result = try LoadRun(options) { user, room, _ in try TestServer.token(user, room: room) }.run()
        #expect(result.joined == 12)
        #expect(result.lostEver == 0)
        func counted(_ name: String) -> Double? {
            let line = server.metrics().split(separator: "\n").first { $0.hasPrefix("majlis_\(name){") }
            return line?.split(separator: " ").last.flatMap { Double($0) }
        }
        let sent = try #require(counted("sent_packets_total"))
        let calls = try #require(counted("send_calls_total"))
        #expect(sent > 3_000)
        #expect(calls * 1.25 < sent, "\(calls) calls for \(sent) packets")
    }
}
