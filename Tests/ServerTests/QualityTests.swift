// The quality message of a whole server, and a room's explanation by way of its worker.
import Bots
import EventLoop
import MediaCore
import Negotiation
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("Quality and explanation", .serialized)
struct QualityTests {
    @Test("A client is told each slot with its reason, its rates, and whom it hears")
    func message() throws {
        let server = try TestServer()
        defer { server.stop() }
        let host = try NativeClient.Host()
        defer { host.stop() }
        let people = try ["amina", "budi"].map {
            try NativeClient(host, port: server.port, user: $0, token: TestServer.token($0))
        }
        defer { for person in people { person.close() } }
        let (amina, budi) = (people[0], people[1])
        _ = try amina.join()
        _ = try budi.join()
        #expect(amina.waitUntilConnected() && budi.waitUntilConnected())
        var timestamp: UInt32 = 0
        var told: ServerMessage.Quality?
        let arrives = Deadline.wait(seconds: 15) {
            timestamp &+= 960
            amina.send(audio: true, timestamp: timestamp, payload: [UInt8](repeating: 7, count: 80))
            amina.send(audio: false, timestamp: timestamp, payload: RoomTests.keyFrame, marker: true)
            while let frame = try? budi.signalling.next(milliseconds: 1) {
                guard case .quality(let quality) = frame.message else { continue }
                #expect(frame.seq == nil && frame.re == nil)
                told = quality
            }
            return told?.slots.contains { $0.status == .forwarding && $0.kilobitsPerSecond > 0 && $0.height == 240 }
                ?? false
        }
        #expect(arrives)
        let quality = try #require(told)
        // Nothing is on the other two.
        #expect(quality.slots.count == 2)
        #expect(quality.receiving.kilobitsPerSecond > 0)
        #expect(quality.receiving.lossPercent == 0)
        // Nobody measured a round trip: the client sends no reports.
        #expect(quality.mos == nil && quality.rttMilliseconds == nil)
        let heard = try #require(quality.slots.first { $0.status == .forwarding })
        #expect(heard.track?.hasPrefix("p1/") == true && heard.layer == 0)
        #expect(heard.reason == "all that its publisher sends; on this slot: there is a slot for everybody")
    }

    @Test("The worker answers with the decisions above a number, as sentences, and says how many are forgotten")
    func explain() throws {
        var configuration = Configuration()
        configuration.media.addresses = ["127.0.0.1"]
        configuration.tokens.secret = TestServer.secret
        let told = Lock<[Explanation]>([])
        let worker = MediaWorker(index: 0)
        let settings = try MediaSettings(configuration)
        worker.loop.run {
            worker.assumeIsolated {
                try? $0.start(settings, metrics: WorkerMetrics(), log: Log(level: .error)) { event in
                    if case .explained(_, _, let explanation) = event { told.withLock { $0.append(explanation) } }
                }
            }
        }
        defer {
            worker.loop.run { worker.assumeIsolated { $0.abandon() } }
            worker.loop.stop()
        }
        let room = RoomKey(serial: 1)
        worker.post(.openRoom(room, name: "test", seed: 1))
        for number in [UInt32(1), 2] {
            let offer = OfferRequest(
                request: UInt64(number), sdp: BadInputTests.offer(),
                tracks: [
                    TrackDeclaration(mid: "0", source: .microphone, isMuted: false),
                    TrackDeclaration(mid: "1", source: .camera, isMuted: false),
                ])
            worker.post(
                .admit(
                    room, PeerID(number),
                    Permissions(publishableSources: [.microphone, .camera], canSubscribe: true), isEncrypted: false,
                    offer))
        }
        worker.post(.explain(room, request: 1, after: 0, limit: 100))
        worker.post(.explain(room, request: 2, after: 1, limit: 1))
        worker.post(.explain(RoomKey(serial: 9), request: 3, after: 0, limit: 100))
        #expect(Deadline.wait(seconds: 20) { told.withLock { $0.count } == 3 })
        let all = told.withLock { $0 }
        guard all.count == 3 else { return }
        let first = try #require(all[0].entries.first)
        #expect(first.number == 1 && first.name == "slotAssigned" && first.seconds >= 0)
        #expect(first.sentence.hasPrefix("peer 2's slot") || first.sentence.hasPrefix("peer 1's slot"))
        #expect(all[0].entries.map(\.number) == Array(1..<all[0].next))
        #expect(all[0].forgotten == 0)
        #expect(all[1].entries.map(\.number) == [2])
        #expect(all[2].entries.isEmpty && all[2].next == 1)
    }

    @Test("Of many decisions the last 1,024 are there, with rising numbers")
    func ring() throws {
        let explanation = RoomExplanation(openedAt: 1_000_000_000)
        let track = TrackID(peer: PeerID(3), mid: try #require(Mid("v")))
        for number in 0..<3_000 {
            let decision = Decision.layerAlive(track, layer: number)
            explanation.note([decision][...], at: 1_000_000_000 + Int64(number) * 1_000_000)
        }
        let all = explanation.entries(after: 0, limit: .max, drops: Statistics())
        #expect(all.entries.count == 1_024 && all.next == 3_001 && all.forgotten == 1_976)
        #expect(all.entries.first?.number == 1_977 && all.entries.last?.number == 3_000)
        #expect(all.entries.last?.sentence == "peer 3's track v, layer 2999, sends")
        #expect(all.entries.last?.seconds == 2.999 && all.entries.last?.peer == PeerID(3))
        let some = explanation.entries(after: 2_990, limit: 4, drops: Statistics())
        #expect(some.entries.map(\.number) == [2_991, 2_992, 2_993, 2_994] && some.forgotten == 0)
        #expect(explanation.entries(after: 3_000, limit: 10, drops: Statistics()).entries.isEmpty)
        #expect(explanation.entries(after: .max, limit: 10, drops: Statistics()).entries.isEmpty)
        #expect(explanation.entries(after: 5, limit: -1, drops: Statistics()).entries.isEmpty)
    }

    @Test("What a room drops is counted by name")
    func drops() {
        var core = RoomCore(configuration: RoomConfiguration(), seed: 1)
        var out = Egress(capacity: 4_096)
        let packet: [UInt8] = [0x80]
        for _ in 0..<3 {
            core.receiveRTP(packet.span, from: PeerID(1), at: Timestamp(nanoseconds: 0), into: &out)
        }
        let told = RoomExplanation().entries(after: 0, limit: 10, drops: core.statistics)
        #expect(told.drops == [.init(name: "unknownPeer", count: 3)])
    }

    @Test(
        "Reports come once a second and are told when something changed, or every five seconds; lasting loss is noticed"
    )
    func pace() {
        let reports = PeerReports()
        let room = RoomKey(serial: 1)
        let name = PeerReports.Name(room: room, peer: PeerID(1))
        let second: Int64 = 1_000_000_000
        reports.begin(room, PeerID(1), at: Timestamp(nanoseconds: 0))
        reports.begin(room, PeerID(1), at: Timestamp(nanoseconds: 0))
        #expect(reports.takeDue(at: second - 1) == nil)
        var core = RoomCore(configuration: RoomConfiguration(), seed: 1)
        var out = Egress(capacity: 4_096)
        core.apply(.addParticipant(PeerID(1)), at: Timestamp(nanoseconds: 0), into: &out)
        core.apply(.peerConnected(PeerID(1)), at: Timestamp(nanoseconds: 0), into: &out)
        var told: [Int64] = []
        var lossy: [Int64] = []
        for moment in Int64(1)...20 {
            #expect(reports.due == moment * second)
            #expect(reports.takeDue(at: moment * second) == name)
            #expect(reports.takeDue(at: moment * second) == nil)
            let now = Timestamp(nanoseconds: moment * second)
            let report = core.qualityReport(of: PeerID(1), since: reports.states[name]?.counters, at: now)
            guard var quality = report else {
                Issue.record("no report")
                return
            }
            if moment >= 12 { quality.toPeer.lossFraction = 0.2 }
            if reports.take(quality, of: name, at: now.nanoseconds) { told.append(moment) }
            if reports.isLossy(quality, of: name, abovePercent: 10) { lossy.append(moment) }
            #expect(!reports.isLossy(quality, of: name, abovePercent: 0))
        }
        #expect(told == [2, 7, 12, 17])
        #expect(lossy == [16])
        reports.end(name)
        #expect(reports.states.isEmpty)
    }
}
