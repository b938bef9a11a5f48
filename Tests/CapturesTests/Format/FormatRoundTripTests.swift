// What is written is what is read: every kind of event, random ones, pieces; and every cut or spoilt file ends cleanly.
import Captures
import MediaCore
import Testing

@Suite struct FormatRoundTripTests {
    @Test("Every kind of event is read as it was written")
    func everyKind() {
        var chance = Chance(seed: 1)
        var events = (0..<Chance.kinds).map { chance.event($0) }
        events += (0..<8).map { .command(chance.command($0), at: chance.moment()) }
        events += (0..<21).map { .decision(chance.decision($0)) }
        let read = captureEvents(captureBytes(events))
        #expect(read.events == events)
        #expect(read.error == nil && !read.isTruncated)
    }

    @Test("Random events are read as they were written", arguments: 0..<24)
    func random(seed: UInt64) {
        var chance = Chance(seed: seed)
        let events = (0..<200).map { _ in chance.event(chance.below(Chance.kinds)) }
        let read = captureEvents(captureBytes(events))
        #expect(read.error == nil)
        #expect(read.events.count == events.count)
        for (a, b) in zip(read.events, events) where a != b {
            Issue.record("\(b) was read as \(a)")
            return
        }
    }

    @Test("The moments come back to the nanosecond at both ends of time and of the NTP era")
    func moments() {
        for ntp: UInt64 in [0, 1, 0x83aa_7e80_0000_0000, 0xea00_0000_ffff_ffff, 0x0000_0001_0000_0000, .max] {
            var configuration = RoomConfiguration()
            configuration.ntpAtOrigin = ntp
            var events: [CaptureEvent] = [.opened(configuration, seed: 0, build: "x", at: Timestamp(nanoseconds: 0))]
            for n: Int64 in [.min, -1, 0, 1, 999_999_999, 1_700_000_000_123_456_789, .max] {
                events.append(.rtp(PeerID(1), [1], at: Timestamp(nanoseconds: n)))
            }
            #expect(captureEvents(captureBytes(events)).events == events)
        }
    }

    @Test("Every setting of a room is written")
    func settings() {
        #expect(Mirror(reflecting: RoomConfiguration()).children.count == 7)
        #expect(Mirror(reflecting: HeaderExtensionMap()).children.count == 10)
        for index in 0..<6 {
            var configuration = RoomConfiguration()
            switch index {
            case 0: configuration.ntpAtOrigin = 7
            case 1: configuration.keyFrameRequestIntervalMilliseconds = 7
            case 2: configuration.videoHistoryPackets = 7
            case 3: configuration.audioHistoryPackets = 7
            case 4: configuration.transportFeedbackIntervalMilliseconds = 7
            default: configuration.reportIntervalMilliseconds = 7
            }
            let event = CaptureEvent.opened(configuration, seed: 1, build: "b", at: Timestamp(nanoseconds: 2))
            #expect(captureEvents(captureBytes([event])).events == [event])
        }
    }

    @Test("Packets given as bytes make the blocks that events make; a section begun in between changes no event")
    func spans() {
        let packet: [UInt8] = [0x80, 96, 0, 1, 2, 3]
        var spans = CaptureWriter()
        spans.appendReceived(.rtp, packet.span, originalLength: 6, from: PeerID(1), at: Timestamp(nanoseconds: 5))
        spans.appendReceived(.rtcp, packet.span, originalLength: 9, from: PeerID(1), at: Timestamp(nanoseconds: 6))
        spans.appendSent(.rtp, packet.span, originalLength: 6, to: PeerID(2))
        spans.appendSent(.rtp, packet.span, originalLength: 66_000, to: PeerID(2))
        let events: [CaptureEvent] = [
            .rtp(PeerID(1), packet, at: Timestamp(nanoseconds: 5)),
            .cut(PeerID(1), .rtcp, packet, originalLength: 9, at: Timestamp(nanoseconds: 6)),
            .sent(PeerID(2), .rtp, packet), .sentCut(PeerID(2), .rtp, packet, originalLength: 66_000),
        ]
        #expect(events.map(\.cutBytes) == [0, 3, 0, 65_994])
        #expect(spans.take() == captureBytes(events))
        var sections = CaptureWriter()
        var pieces: [UInt8] = []
        for event in events {
            sections.append(event)
            pieces += sections.take()
            sections.beginSection()
        }
        #expect(captureEvents(pieces).events == events)
    }

    @Test("An event too long for the format is a gap and counted")
    func tooLong() {
        var writer = CaptureWriter()
        writer.append(.comment(String(repeating: "a", count: 1 << 20)))
        #expect(writer.refused == 1)
        #expect(captureEvents(writer.take()).events == [.gap(events: 1)])
    }

    @Test("A file cut at any byte gives the events before the cut, and says that it is cut")
    func truncation() {
        var chance = Chance(seed: 4)
        var events = (0..<Chance.kinds).map { chance.event($0) }
        events.removeAll {
            switch $0 {
            case .rtp(_, let bytes, _), .rtcp(_, let bytes, _), .cut(_, _, let bytes, _, _), .sent(_, _, let bytes),
                .sentCut(_, _, let bytes, _):
                bytes.count > 2_000
            default: false
            }
        }
        let bytes = captureBytes(events)
        var reached = 0
        for count in 0..<bytes.count {
            let read = captureEvents(Array(bytes[..<count]))
            if count < 4 {
                #expect(read.error == CaptureError(.notACapture, at: 0))
                continue
            }
            #expect(read.error == nil)
            #expect(read.events == Array(events.prefix(read.events.count)))
            #expect(read.events.count >= reached)
            reached = read.events.count
        }
        #expect(reached >= events.count - 1)
        #expect(captureEvents(bytes + [UInt8](repeating: 0, count: 4_096)).isTruncated)
    }

    @Test("A spoilt byte anywhere gives events and an end or an error that names its place", arguments: 0..<6)
    func spoilt(seed: UInt64) {
        var chance = Chance(seed: seed)
        let events = (0..<40).map { _ in chance.event(chance.pick([0, 4, 4, 5, 6, 9, 10, 10, 12, 13])) }
        let bytes = captureBytes(events)
        for _ in 0..<500 {
            var spoilt = bytes
            for _ in 0...chance.below(3) { spoilt[chance.below(spoilt.count)] = UInt8(chance.below(256)) }
            let read = captureEvents(spoilt)
            if let error = read.error { #expect(error.offset >= 0 && error.offset < bytes.count) }
        }
    }

    @Test("Blocks of hostile lengths are refused where they begin")
    func hostile() {
        let start = captureBytes([])
        func block(_ type: UInt32, _ length: UInt32, _ body: [UInt8], _ end: UInt32) -> [UInt8] {
            let word = { (n: UInt32) in (0..<4).map { UInt8(truncatingIfNeeded: n >> UInt32(8 * $0)) } }
            return start + word(type) + word(length) + body + word(end)
        }
        let at = start.count
        #expect(captureEvents(block(6, .max, [], 0)).error == CaptureError(.blockTooLong(.max), at: at))
        #expect(captureEvents(block(6, 8, [], 8)).error == CaptureError(.badBlockLength(8), at: at))
        #expect(captureEvents(block(6, 13, [], 13)).error == CaptureError(.badBlockLength(13), at: at))
        #expect(captureEvents(block(6, 12, [], 16)).error == CaptureError(.badBlockLength(12), at: at))
        #expect(captureEvents(block(6, 12, [], 12)).error == CaptureError(.badBlock(type: 6), at: at))
        let orphan = [UInt8](repeating: 0, count: 20)
        #expect(captureEvents(block(6, 32, orphan, 32)).error == CaptureError(.unknownInterface(0), at: at))
        // Unknown blocks are passed over.
        #expect(captureEvents(block(0x7777, 12, [], 12)).error == nil)
        let later: [UInt8] = [0xd9, 0x7e, 0, 0, 0x4d, 0x6a, 2, 4]
        #expect(captureEvents(block(0xbad, 20, later, 20)).error == CaptureError(.unknownVersion(2), at: at))
        let strange: [UInt8] = [0xd9, 0x7e, 0, 0, 0x4d, 0x6a, 1, 200]
        #expect(captureEvents(block(0xbad, 20, strange, 20)).error == CaptureError(.unknownKind(200), at: at))
        #expect(captureEvents([]).error == CaptureError(.notACapture, at: 0))
    }
}
