// Numbers that wrap: sequence numbers, RTP timestamps, NTP time, and amounts of data.
import MediaCore
import Testing

@Suite("Numbers") struct NumberTests {
    @Test("a sequence number is newer on the shorter way round, also across the wrap")
    func sequenceOrder() {
        #expect(SequenceNumber(1).isNewer(than: SequenceNumber(0)))
        #expect(SequenceNumber(0).isNewer(than: SequenceNumber(0xffff)))
        #expect(!SequenceNumber(0xffff).isNewer(than: SequenceNumber(0)))
        #expect(!SequenceNumber(7).isNewer(than: SequenceNumber(7)))
        #expect(SequenceNumber(0x8000).isNewer(than: SequenceNumber(0)))
        #expect(!SequenceNumber(0).isNewer(than: SequenceNumber(0x8000)))
        #expect(SequenceNumber(2).distance(from: SequenceNumber(0xfffe)) == 4)
        #expect(SequenceNumber(0xfffe).distance(from: SequenceNumber(2)) == -4)
        #expect((SequenceNumber(0xffff) + 2).rawValue == 1)
        #expect((SequenceNumber(1) - 2).rawValue == 0xffff)
    }

    @Test("of any two different sequence numbers exactly one is newer")
    func sequenceOrderIsTotal() {
        for base: UInt16 in [0, 1, 77, 0x7fff, 0x8000, 0xffff] {
            for step: UInt16 in 1...UInt16.max {
                let a = SequenceNumber(base)
                let b = SequenceNumber(base &+ step)
                guard a.isNewer(than: b) == b.isNewer(than: a) else { continue }
                Issue.record("\(a.rawValue) and \(b.rawValue)")
            }
        }
    }

    @Test("an unwrapper counts on past two wraps and places late packets behind")
    func unwrapsSequences() {
        var unwrapper = SequenceNumberUnwrapper()
        #expect(unwrapper.unwrap(SequenceNumber(65_000)).rawValue == 65_000)
        #expect(unwrapper.unwrap(SequenceNumber(10)).rawValue == 65_546)
        #expect(unwrapper.unwrap(SequenceNumber(65_535)).rawValue == 65_535)
        #expect(unwrapper.highest == ExtendedSequenceNumber(65_546))
        #expect(unwrapper.unwrap(SequenceNumber(30_000)).rawValue == 95_536)
        #expect(unwrapper.unwrap(SequenceNumber(60_000)).rawValue == 125_536)
        #expect(unwrapper.unwrap(SequenceNumber(5)).rawValue == 131_077)
        #expect(unwrapper.peek(SequenceNumber(4)).rawValue == 131_076)
        #expect(ExtendedSequenceNumber(131_077).reported == 0x0002_0005)
    }

    @Test("a packet from before the first one is negative and keeps its low 16 bits")
    func unwrapsBeforeTheFirst() {
        var unwrapper = SequenceNumberUnwrapper()
        _ = unwrapper.unwrap(SequenceNumber(3))
        let early = unwrapper.unwrap(SequenceNumber(65_530))
        #expect(early.rawValue == -6)
        #expect(early.sequenceNumber == SequenceNumber(65_530))
    }

    @Test("RTP timestamps wrap at 32 bits")
    func unwrapsTimestamps() {
        var unwrapper = RTPTimestampUnwrapper()
        #expect(unwrapper.unwrap(RTPTimestamp(0xffff_ff00)) == 0xffff_ff00)
        #expect(unwrapper.unwrap(RTPTimestamp(0x100)) == 0x1_0000_0100)
        #expect(unwrapper.unwrap(RTPTimestamp(0xffff_fff0)) == 0xffff_fff0)
        #expect(unwrapper.highest == 0x1_0000_0100)
        #expect(RTPTimestamp(0).isNewer(than: RTPTimestamp(0xffff_ffff)))
        #expect(RTPTimestamp(5).distance(from: RTPTimestamp(0xffff_fffb)) == 10)
        #expect((RTPTimestamp(5) - 10).rawValue == 0xffff_fffb)
    }

    @Test("NTP time adds and subtracts spans to within its own resolution")
    func ntpArithmetic() {
        let origin = NTPTime(0xe5d3_0000_8000_0000)
        #expect((origin + .milliseconds(500)).rawValue == 0xe5d3_0001_0000_0000)
        #expect((origin + .milliseconds(-500)).rawValue == 0xe5d3_0000_0000_0000)
        #expect((origin + .milliseconds(-1_500)).rawValue == 0xe5d2_ffff_0000_0000)
        #expect(NTPTime(Timestamp(nanoseconds: 250_000_000), origin: origin).rawValue == 0xe5d3_0000_c000_0000)
        #expect(origin.compact == 0x0000_8000)
        for nanoseconds: Int64 in [0, 1, -1, 999_999_999, -999_999_999, 123_456_789_012] {
            let span = (origin + TimeDelta(nanoseconds: nanoseconds)) - origin
            #expect(abs(span.nanoseconds - nanoseconds) <= 1)
        }
        #expect(NTPTime.compact(.milliseconds(1_500)) == 0x0001_8000)
        #expect(NTPTime.compact(.seconds(70_000)) == .max)
        #expect(NTPTime.compact(.milliseconds(-1)) == 0)
        #expect(NTPTime.span(compact: 0x0001_8000) == .milliseconds(1_500))
    }

    @Test("amounts, rates and spans divide and multiply without trapping")
    func dataArithmetic() {
        #expect(DataRate.kilobitsPerSecond(800) * .seconds(2) == DataSize(bytes: 200_000))
        #expect(DataSize(bytes: 200_000) / DataRate.kilobitsPerSecond(800) == TimeDelta.seconds(2))
        #expect(DataSize(bytes: 200_000) / TimeDelta.seconds(2) == DataRate.kilobitsPerSecond(800))
        #expect(DataSize(bytes: 1) / DataRate.zero == TimeDelta(nanoseconds: .max))
        #expect(DataSize(bytes: 1) / TimeDelta.zero == DataRate.zero)
        #expect(DataSize(bytes: .max) / DataRate(bitsPerSecond: 1) == TimeDelta(nanoseconds: .max))
        #expect(DataRate(bitsPerSecond: .max) + DataRate(bitsPerSecond: 1) == DataRate(bitsPerSecond: .max))
        #expect(DataRate(bitsPerSecond: .min) - DataRate(bitsPerSecond: 1) == DataRate(bitsPerSecond: .min))
        #expect(DataRate.kilobitsPerSecond(100).scaled(by: 85, over: 100) == DataRate.kilobitsPerSecond(85))
        #expect(DataSize(bytes: .min) + DataSize(bytes: -1) == DataSize(bytes: .min))
        #expect(DataSize(bytes: .max) - DataSize(bytes: -1) == DataSize(bytes: .max))
    }
}
