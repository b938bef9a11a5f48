// The recorder at a room's door: what it wrote replays to the same outputs; what the disk refuses is a gap, never a wait.
import Glibc
import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@testable import Captures

@Suite("The recorder at a room's door")
struct RecorderTests {
    private func record(
        _ scenario: Scenario, beginsAfter: TimeDelta?, _ change: (inout RoomRecorder.Options) -> Void
    ) throws -> (bytes: [UInt8], recorder: RoomRecorder) {
        let folder = ScratchFolder()
        // A simulation is faster than a disk: everything has to find its place.
        let file = try CaptureFile(path: folder.file("a"), capacity: 256 << 20)
        var options = RoomRecorder.Options()
        change(&options)
        let room = RecorderRoom(.file(file), seed: scenario.seed, beginsAfter: beginsAfter, options: options)
        room.play(scenario)
        file.close()
        #expect(file.failure == nil && file.refusals == 0)
        return (try #require(FileBytes.read(folder.file("a"))), room.recorder)
    }

    @Test(
        "What was recorded replays to the same outputs: headers alone or everything, from the beginning or the middle",
        arguments: ReplayScenarios.all.map(\.name), [0, 1, 2, 3, 4])
    func replays(_ name: String, _ variant: Int) throws {
        let scenario = try #require(ReplayScenarios.all.first { $0.name == name })
        let isLate = variant & 1 != 0
        let (bytes, recorder) = try record(scenario, beginsAfter: isLate ? .milliseconds(1_100) : nil) {
            $0.keepsPayloads = variant & 2 != 0
            $0.keepsDatagrams = variant == 4 || variant == 3
        }
        #expect(recorder.refusals == 0)
        let survey = try CaptureSurvey.of(bytes)
        #expect(survey.digests >= 2)
        #expect(survey.checkpoints == (isLate ? 1 : 0))
        #expect(survey.digestScope == (variant == 2 ? .whole : .headers))
        let result = try Replay.run(bytes)
        if case .different(let difference) = result.verdict { Issue.record("\(name): \(difference)") }
        #expect(result.verdict == .identical)
        #expect(result.summary.rtpOut > 100)
        #expect(result.summary.skipped == 0)
        // Beside the digests, every datagram where they were kept.
        if variant >= 3 { #expect(result.summary.compared > result.summary.rtpOut) }
    }

    @Test(
        "Every capture cut to what forwarding reads gives the same decisions and header bytes",
        arguments: ReplayCapturesTests.names)
    func cutCaptures(_ name: String) throws {
        let original = try events(of: ReplayCapturesTests.bytes(name)).filter { event in
            if case .digest = event { false } else { true }
        }
        let payloads = PayloadTable()
        var kept = 0
        var whole = 0
        let cut = original.map { event -> CaptureEvent in
            switch event {
            case .command(let command, _): payloads.note(command)
            case .rtp(let peer, let bytes, let at):
                var head: [UInt8] = []
                payloads.head(of: bytes.span, from: peer).append(of: bytes.span, to: &head)
                kept += head.count
                whole += bytes.count
                if head.count < bytes.count { return .cut(peer, .rtp, head, originalLength: bytes.count, at: at) }
                return .rtp(peer, head, at: at)
            // Real calls were recorded without their payloads.
            case .cut(_, .rtp, let bytes, let length, _):
                kept += bytes.count
                whole += length
            default: break
            }
            return event
        }
        #expect(kept * 2 < whole)
        let before = try replay(original) { $0.digestScope = .headers }
        let after = try replay(cut) { $0.digestScope = .headers }
        if case .different(let difference) = after.verdict { Issue.record("\(name): \(difference)") }
        #expect(after.digest == before.digest)
        #expect(after.summary.decisions == before.summary.decisions)
    }

    @Test("A disk that stands still costs events, counted as a gap; behind the checkpoint the replay goes on")
    func slowDisk() throws {
        let folder = ScratchFolder()
        let path = folder.file("pipe")
        try #require(mkfifo(path, 0o600) == 0)
        let reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        try #require(reader >= 0)
        defer { close(reader) }
        let file = try CaptureFile(
            descriptor: open(path, O_WRONLY | O_CLOEXEC), path: path, capacity: 256 << 10)
        let pipe = PipeReader(reader)
        let scenario = ReplayScenarios.threePeople
        let room = RecorderRoom(.file(file), seed: scenario.seed)
        var isReading = true
        // A simulation does not take the time that a disk needs: while the disk works it waits for it now and then.
        func drain(to limit: Int) {
            let deadline = ContinuousClock.now + .seconds(60)
            while file.waitingBytes > limit, ContinuousClock.now < deadline { pipe.read() }
        }
        room.afterTurn = { if isReading { drain(to: 100 << 10) } }
        let simulation = Simulation(seed: scenario.seed)
        room.attach(simulation)
        for step in scenario.steps { simulation.perform(step) }
        isReading = false
        // How much is in the ring already depends on how fast the disk's thread was; it is full when it refuses.
        for _ in 0..<60 where file.refusals == 0 { simulation.perform(.run(.seconds(1))) }
        let missing = file.refusals
        #expect(missing > 0)
        #expect(!room.recorder.isRunning)
        isReading = true
        drain(to: 0)
        simulation.perform(.run(.seconds(3)))
        #expect(room.recorder.isRunning)
        room.recorder.settle(at: simulation.now)
        drain(to: 0)
        file.close()
        pipe.read()
        #expect(room.recorder.missingInAll > 0)

        let events = try events(of: pipe.bytes)
        let gaps = events.compactMap { event -> UInt64? in if case .gap(let count) = event { count } else { nil } }
        #expect(gaps == [room.recorder.missingInAll])
        let result = try Replay.run(pipe.bytes)
        if case .different(let difference) = result.verdict { Issue.record("\(difference)") }
        #expect(result.verdict == .identical)
        #expect(result.summary.gaps == 1 && result.summary.skipped == 0)
        let afterGap = try #require(events.lastIndex { if case .gap = $0 { true } else { false } })
        #expect(events[afterGap...].contains { if case .digest = $0 { true } else { false } })
    }

    @Test("Of a payload only what forwarding reads is kept, and that reads as before", arguments: 0..<4)
    func heads(_ codecNumber: Int) throws {
        let codec = [
            Codec.vp8, .vp9(profile: 0), .h264(profile: 0x42e0, packetizationMode: 1), .av1(profile: 0),
        ][codecNumber]
        var chance = Chance(seed: UInt64(codecNumber) + 40)
        var total = 0
        var kept = 0
        for round in 0..<4_000 {
            var payload = chance.bytes(chance.below(300))
            if case .h264 = codec, round % 2 == 0, payload.count > 40 {
                // An aggregation packet of small units.
                payload[0] = 24
                var at = 1
                while at + 2 < payload.count {
                    payload[at] = 0
                    payload[at + 1] = UInt8(1 + chance.below(30))
                    at += 2 + Int(payload[at + 1])
                }
            }
            let isRetransmission = round % 3 == 0
            let hasPadding = round % 5 == 0
            var packet: [UInt8] = [hasPadding ? 0xa0 : 0x80, 96, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4]
            if isRetransmission { packet += [7, 8] }
            packet += payload
            if hasPadding { packet += [9, 9, 3] }
            var head: [UInt8] = []
            PayloadHead(codec, isRetransmission: isRetransmission).append(of: packet.span, to: &head)
            #expect(head.count <= packet.count)
            total += packet.count
            kept += head.lazy.filter { $0 != 0 }.count
            let replayed = head + [UInt8](repeating: 0, count: packet.count - head.count)
            #expect(RTPHeader(replayed.span) == RTPHeader(packet.span))
            let start = isRetransmission ? 14 : 12
            if isRetransmission { #expect(Array(replayed[..<14]) == Array(packet[..<14])) }
            let length = payload.count
            switch codec {
            case .vp8:
                let a = VP8Descriptor(packet.span, at: start, length: length)
                #expect(a == VP8Descriptor(replayed.span, at: start, length: length))
            case .vp9:
                let a = VP9Descriptor(packet.span, at: start, length: length)
                #expect(a == VP9Descriptor(replayed.span, at: start, length: length))
            case .h264:
                let a = H264Payload(packet.span, at: start, length: length)
                #expect(a == H264Payload(replayed.span, at: start, length: length))
            case .av1:
                let a = AV1AggregationHeader(packet.span, at: start, length: length)
                #expect(a == AV1AggregationHeader(replayed.span, at: start, length: length))
            case .opus: break
            }
        }
        #expect(kept * 2 < total)
    }

    @Test("Bytes that are no RTP are cut to what says so")
    func malformed() {
        var chance = Chance(seed: 5)
        for _ in 0..<2_000 {
            let bytes = chance.bytes(chance.below(1_200))
            guard RTPHeader(bytes.span) == nil else { continue }
            var head: [UInt8] = []
            PayloadHead().append(of: bytes.span, to: &head)
            #expect(head.count <= 76)
            let replayed = head + [UInt8](repeating: 0, count: bytes.count - head.count)
            #expect(RTPHeader(replayed.span) == nil)
        }
    }
}

/// Takes what is in a pipe.
final class PipeReader {
    private let descriptor: Int32
    private(set) var bytes: [UInt8] = []
    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func read() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return }
            bytes += chunk[..<count]
        }
    }
}
