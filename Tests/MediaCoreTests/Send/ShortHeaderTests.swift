import Testing

// What is quicker than what it stands for gives the same: headers put together in words, the earliest of a peer's timers, and
// rates by a ring.
@testable import MediaCore

@Suite("Short cuts of sending")
struct ShortHeaderTests {
    private static func header(
        _ sent: SentPacket, _ slot: SlotAddress, _ form: RetransmissionForm?, _ packet: HistoryPacket,
        _ map: HeaderExtensionMap
    ) -> [UInt8] {
        var header = EgressHeader(
            marker: sent.marker, payloadType: form?.payloadType ?? slot.payloadType,
            sequenceNumber: SequenceNumber(form?.sequence ?? UInt16(truncatingIfNeeded: sent.number)),
            timestamp: RTPTimestamp(sent.timestamp), ssrc: form?.ssrc ?? slot.ssrc)
        header.contributingSource = sent.contributingSource
        var extensions = EgressExtensions()
        extensions.mid = slot.mid
        extensions.absoluteSendTime = form?.absoluteSendTime ?? sent.absoluteSendTime
        extensions.transportSequence = SequenceNumber(form?.transportSequence ?? sent.transportSequence)
        if packet.audioLevel <= 0xff {
            extensions.audioLevel = AudioLevel(
                isVoice: packet.audioLevel & 0x80 != 0, level: UInt8(packet.audioLevel & 0x7f))
        }
        if sent.videoOrientation <= 0xff { extensions.videoOrientation = UInt8(sent.videoOrientation) }
        if sent.playoutDelay != HistoryPacket.noPlayoutDelay {
            extensions.playoutDelay = PlayoutDelay(
                minimum: UInt16(sent.playoutDelay >> 12 & 0xfff), maximum: UInt16(sent.playoutDelay & 0xfff))
        }
        var bytes = [UInt8](repeating: 0xaa, count: 256)
        var span = bytes.mutableSpan
        let written = RTPHeaderWriter.write(header, extensions, map, into: &span, at: 0)
        return Array(bytes[..<(written?.length ?? 0)])
    }

    @Test("Headers of every extension and length of mid are what the long way writes")
    func headers() throws {
        var chance = SplitMix64(seed: 5)
        var lengths: Set<Int> = []
        for round in 0..<4_000 {
            var sent = SentPacket()
            sent.number = Int64(chance.next() & 0xff_ffff)
            sent.timestamp = UInt32(truncatingIfNeeded: chance.next())
            sent.contributingSource = UInt32(truncatingIfNeeded: chance.next())
            sent.absoluteSendTime = UInt32(truncatingIfNeeded: chance.next())
            sent.transportSequence = UInt16(truncatingIfNeeded: chance.next())
            sent.marker = chance.next() & 1 == 0
            if chance.next() & 1 == 0 { sent.videoOrientation = UInt16(chance.next() & 0xff) }
            if chance.next() & 1 == 0 { sent.playoutDelay = UInt32(chance.next() & 0xff_ffff) }
            var packet = HistoryPacket()
            if chance.next() & 1 == 0 { packet.audioLevel = UInt16(chance.next() & 0xff) }
            var map = HeaderExtensionMap()
            func id() -> UInt8 { chance.next() & 3 == 0 ? 0 : UInt8(chance.next() % 14 + 1) }
            map.mid = id()
            map.audioLevel = id()
            map.absoluteSendTime = id()
            map.transportSequence = id()
            map.videoOrientation = id()
            map.playoutDelay = id()
            let mid = try #require(Mid(String("0123456789abcdef".prefix(round % 16 + 1))))
            let slot = SlotAddress(
                ssrc: SSRC(UInt32(truncatingIfNeeded: chance.next())), mid: mid, payloadType: PayloadType(96))
            var form: RetransmissionForm?
            if chance.next() & 1 == 0 {
                form = RetransmissionForm(
                    ssrc: SSRC(7), payloadType: PayloadType(97), sequence: UInt16(truncatingIfNeeded: chance.next()),
                    absoluteSendTime: UInt32(truncatingIfNeeded: chance.next()), transportSequence: 9)
            }
            try #require(ShortHeader.fits(map))
            var arena = ByteSlab(count: 256)
            let length = ShortHeader.write(sent, slot: slot, as: form, packet, map, into: &arena, at: 3)
            let short = arena.withSpan(3, length) { span in span.indices.map { span[$0] } }
            #expect(short == Self.header(sent, slot, form, packet, map))
            lengths.insert(length)
        }
        #expect(lengths.count > 8)
    }

    @Test("The earliest of a peer's timers is the earliest, whichever was moved")
    func timers() {
        let reasons: [Deadline.Reason] = [
            .reports, .transportFeedback, .nack, .keyFrameRequest, .liveness, .freezes, .pacing, .estimate, .allocation,
        ]
        var timers = PeerTimers()
        var chance = SplitMix64(seed: 6)
        #expect(timers.deadline == nil)
        for _ in 0..<20_000 {
            let reason = reasons[Int(chance.next() % 9)]
            let moment = chance.next() % 3 == 0 ? nil : Timestamp(nanoseconds: Int64(chance.next() % 6))
            timers[reason] = moment
            #expect(timers[reason] == moment)
            var earliest: Deadline?
            for reason in reasons {
                if let at = timers[reason] { earliest = .earliest(earliest, Deadline(at: at, reason: reason)) }
            }
            #expect(timers.deadline == earliest)
            #expect(timers.due == earliest?.at ?? Timestamp(nanoseconds: .max))
        }
    }

    @Test("A rate counts the bytes of its stretches, before and behind the clock's zero")
    func rates() {
        var chance = SplitMix64(seed: 7)
        for start in [-40_000_000_000, 5_000_000_000] as [Int64] {
            var meter = RateMeter()
            var noted: [(at: Int64, bytes: Int64)] = []
            var now = start
            for round in 0..<3_000 {
                now += Int64(chance.next() % (round % 500 == 0 ? 700_000_000 : 30_000_000))
                let at = now - Int64(chance.next() % 60_000_000)
                let bytes = Int64(chance.next() % 1_500)
                let length = RateMeter.stretch.nanoseconds
                func stretch(_ time: Int64) -> Int64 { time.quotient(flooredBy: length) }
                let newest = noted.map { stretch($0.at) }.max()
                if let newest, abs(stretch(at) - newest) >= Int64(RateMeter.stretches) { noted = [] }
                noted.append((at, bytes))
                meter.note(bytes, at: at)
                guard let top = noted.map({ stretch($0.at) }).max(), let first = noted.first.map({ stretch($0.at) }),
                    let last = noted.map(\.at).max()
                else { continue }
                let wanted = 8
                let sum = noted.filter { top - stretch($0.at) < wanted }.reduce(0) { $0 + $1.bytes }
                let span = length * Int64(wanted - 1) + min(last - top * length, length)
                let expected = top - first >= wanted ? DataSize(bytes: sum) / TimeDelta(nanoseconds: span) : nil
                #expect(meter.rate(overLast: wanted) == expected)
            }
        }
    }
}

extension Int64 {
    fileprivate func quotient(flooredBy divisor: Int64) -> Int64 {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }
}
