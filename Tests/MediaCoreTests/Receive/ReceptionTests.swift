import Testing

// The parts of reception by themselves: sequence window, statistics, NACK list, arrivals, stream table, liveness,
// clocks.
@testable import MediaCore

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

@Suite("Sequence window")
struct SequenceWindowTests {
    @Test("Numbers are extended over the wrap; duplicates and what is too old are told apart")
    func extends() {
        var window = SequenceWindow()
        #expect(window.arrive(SequenceNumber(65_534)) == .first(131_070))
        #expect(window.arrive(SequenceNumber(65_535)) == .newest(131_071, missing: 0))
        #expect(window.arrive(SequenceNumber(2)) == .newest(131_074, missing: 2))
        #expect(window.arrive(SequenceNumber(1)) == .late(131_073))
        #expect(window.arrive(SequenceNumber(1)) == .duplicate)
        #expect(window.arrive(SequenceNumber(65_533)) == .late(131_069))
        #expect(window.arrive(SequenceNumber(63_000)) == .tooOld)
    }

    @Test("Every number is accepted once, in any order within the window")
    func once() {
        var window = SequenceWindow()
        var random = TestRandom(state: 3)
        var accepted = 0
        var numbers = (0..<20_000).map { UInt16(truncatingIfNeeded: $0 + 60_000) }
        for i in stride(from: 0, to: numbers.count - 50, by: 50) { numbers[i..<i + 50].shuffle(using: &random) }
        for number in numbers + numbers.suffix(1_000) {
            switch window.arrive(SequenceNumber(number)) {
            case .first, .newest, .late: accepted += 1
            case .duplicate: break
            default: Issue.record("\(number) is within the window")
            }
        }
        #expect(accepted == 20_000)
    }

    @Test("A jump is believed when the next packet follows it, and the numbers go on above all before")
    func restarts() {
        var window = SequenceWindow()
        _ = window.arrive(SequenceNumber(100))
        #expect(window.arrive(SequenceNumber(20_000)) == .jumped)
        #expect(window.arrive(SequenceNumber(101)) == .newest(65_637, missing: 0))
        #expect(window.arrive(SequenceNumber(20_000)) == .jumped)
        guard case .restarted(let number, let jump) = window.arrive(SequenceNumber(20_001)) else {
            Issue.record("the stream began anew")
            return
        }
        #expect(jump == 19_900)
        #expect(number > 65_637 + 0x8000)
        #expect(UInt16(truncatingIfNeeded: number) == 20_001)
        #expect(window.arrive(SequenceNumber(20_002)) == .newest(number + 1, missing: 0))
    }
}

@Suite("Reception statistics")
struct ReceptionStatisticsTests {
    @Test("Loss is what was expected and did not come; the fraction is of the interval")
    func loss() {
        var statistics = ReceptionStatistics()
        statistics.begin(at: 1_000)
        for i in 0..<100 as Range<Int64> where i % 4 != 3 {
            statistics.count(1_000 + i, timestamp: UInt32(i) * 160, arrival: UInt32(i) * 160)
        }
        var summary = statistics.summarise(at: at(0))
        #expect(summary.cumulativeLost == 24)
        #expect(summary.extendedHighest == 1_098)
        #expect(summary.fractionLost == UInt8(24 * 256 / 99))
        #expect(summary.jitter == 0)
        for i in 99..<199 as Range<Int64> {
            statistics.count(1_000 + i, timestamp: UInt32(i) * 160, arrival: UInt32(i) * 160)
        }
        summary = statistics.summarise(at: at(0))
        #expect(summary.fractionLost == 0)
        #expect(summary.cumulativeLost == 24)
    }

    @Test("Jitter approaches the mean difference of transit times")
    func jitter() {
        var statistics = ReceptionStatistics()
        statistics.begin(at: 0)
        for i in 0..<500 as Range<Int64> {
            statistics.count(i, timestamp: UInt32(i) * 160, arrival: UInt32(i) * 160 + (i % 2 == 0 ? 80 : 0))
        }
        #expect(statistics.jitter >= 75 && statistics.jitter <= 80)
    }

    @Test("The delay since the last sender report is in 65536ths of a second")
    func delay() {
        var statistics = ReceptionStatistics()
        statistics.begin(at: 0)
        statistics.noteSenderReport(0xaabb_ccdd, at: at(1_000))
        let summary = statistics.summarise(at: at(1_500))
        #expect(summary.lastSenderReport == 0xaabb_ccdd)
        #expect(summary.delaySinceLastSenderReport == 32_768)
    }
}

@Suite("NACK tracker")
struct NackTrackerTests {
    private func due(_ tracker: inout NackTracker, _ time: Int64) -> [Int64] {
        var numbers: [Int64] = []
        _ = tracker.takeDue(at: at(time), roundTrip: .milliseconds(50), into: &numbers)
        return numbers
    }

    @Test("A missing packet is asked for after 20 ms, then each round trip, ten times")
    func schedule() {
        var tracker = NackTracker()
        _ = tracker.note(missing: 2, before: 12, at: at(0))
        let next = tracker.next
        #expect(next == at(20))
        #expect(due(&tracker, 19).isEmpty)
        #expect(due(&tracker, 20) == [10, 11])
        tracker.remove(10)
        #expect(due(&tracker, 69).isEmpty)
        var asked = 0
        for time in 70..<2_000 as Range<Int64> { asked += due(&tracker, time).count }
        #expect(asked == 9)
        let left = tracker.count
        let last = tracker.next
        #expect(left == 0 && last == nil)
    }

    @Test("More than the limit empties the list")
    func overflow() {
        var tracker = NackTracker()
        let fits = tracker.note(missing: Int64(NackTracker.limit), before: 10_000, at: at(0))
        let overflows = tracker.note(missing: 1, before: 10_002, at: at(0))
        let left = tracker.count
        #expect(fits && !overflows && left == 0)
    }

    @Test("What is before a key frame is not asked for")
    func keyFrame() {
        var tracker = NackTracker()
        _ = tracker.note(missing: 5, before: 105, at: at(0))
        tracker.removeAll(before: 103)
        #expect(due(&tracker, 30) == [103, 104])
    }
}

@Suite("Stream table")
struct StreamTableTests {
    private func binding(_ ssrc: UInt32, learned: Bool, _ time: Int64) -> StreamBinding {
        StreamBinding(
            ssrc: SSRC(ssrc), encoding: Int32(ssrc % 5), isRetransmission: false, isLearned: learned,
            lastPacket: at(time))
    }

    @Test("Learned SSRCs are bounded: the one silent longest goes, and only when it is silent")
    func bounded() {
        var table = StreamTable()
        for i in 0..<64 as Range<UInt32> { _ = table.add(binding(i, learned: true, Int64(i))) }
        if case .full = table.add(binding(1_000, learned: true, 100)) {} else { Issue.record("all are in use") }
        guard case .evicted(let ssrc, let idle) = table.add(binding(1_000, learned: true, 5_000)) else {
            Issue.record("one was silent")
            return
        }
        #expect(ssrc == SSRC(0) && idle == .milliseconds(5_000))
        let gone = table.find(SSRC(0)) == nil
        let found = table.find(SSRC(1_000)) != nil && table.find(SSRC(63)) != nil
        #expect(gone && found)
        for i in 0..<StreamTable.declaredLimit { _ = table.add(binding(UInt32(10_000 + i), learned: false, 0)) }
        if case .full = table.add(binding(99_999, learned: false, 0)) {
        } else {
            Issue.record("descriptions are bounded")
        }
    }

    @Test("Adding and removing in any order finds what is there and nothing else")
    func integrity() {
        var table = StreamTable()
        var model: Set<UInt32> = []
        var random = TestRandom(state: 8)
        var wrong = 0
        for _ in 0..<20_000 {
            let ssrc = UInt32.random(in: 0..<90, using: &random) &* 0x9e37_79b1
            if model.contains(ssrc) {
                table.remove(SSRC(ssrc))
                model.remove(ssrc)
            } else {
                _ = table.add(binding(ssrc, learned: false, 0))
                model.insert(ssrc)
            }
            for key in 0..<90 as Range<UInt32> {
                let row = table.find(SSRC(key &* 0x9e37_79b1))
                if (row != nil) != model.contains(key &* 0x9e37_79b1) { wrong += 1 }
                if let row, table.rows[row].ssrc != SSRC(key &* 0x9e37_79b1) { wrong += 1 }
            }
        }
        #expect(wrong == 0)
    }
}

@Suite("Clocks and liveness")
struct ClockTests {
    @Test("The offset of a publisher's clock is that of its fastest report")
    func offset() {
        var clock = PublisherClock()
        let second: UInt64 = 1 << 32
        clock.note(100 * second, at: at(5_080))
        clock.note(101 * second, at: at(6_020))
        clock.note(102 * second, at: at(7_090))
        let moment = clock.serverTime(of: 102 * second)
        #expect(moment.map { abs(($0 - at(7_020)).nanoseconds) < 200_000 } == true)
        // Set anew by an hour: followed at once.
        clock.note(3_702 * second, at: at(8_000))
        #expect(clock.serverTime(of: 3_702 * second) == at(8_000))
    }

    @Test("A capture time that cannot be is not believed")
    func implausible() {
        var clock = PublisherClock()
        var mapping = SenderReportMapping()
        #expect(mapping.captureTime(of: 0, clockRate: 90_000, clock: clock, arrival: at(9)) == at(9))
        clock.note(1 << 40, at: at(1_000))
        mapping.note(ntp: 1 << 40, timestamp: 90_000)
        #expect(mapping.captureTime(of: 94_500, clockRate: 90_000, clock: clock, arrival: at(1_100)) == at(1_050))
        #expect(mapping.captureTime(of: 900_000, clockRate: 90_000, clock: clock, arrival: at(1_100)) == at(1_100))
        #expect(mapping.captureTime(of: 94_500, clockRate: 0, clock: clock, arrival: at(7)) == at(7))
    }

    @Test("Before the first sender report the least delayed packet tells when the others were captured")
    func leastDelay() {
        let clock = PublisherClock()
        var mapping = SenderReportMapping()
        func captured(_ packet: UInt32, _ arrival: Int64) -> Timestamp {
            mapping.note(arrival: at(arrival), of: packet, clockRate: 48_000)
            return mapping.captureTime(of: packet, clockRate: 48_000, clock: clock, arrival: at(arrival))
        }
        #expect(captured(.max - 959, 1_100) == at(1_100))
        // 20 ms later by its timestamp, and nothing late any more; the one behind it is 150 ms late.
        #expect(captured(0, 1_040) == at(1_040))
        #expect(captured(960, 1_210) == at(1_060))
        #expect(captured(1_920, 1_211) == at(1_080))
        // A jump of the timestamps, back or on, begins anew.
        #expect(captured(4_000_000_000, 1_230) == at(1_230))
        #expect(captured(4_000_000_960, 1_270) == at(1_250))
        #expect(captured(1_000_000_000, 1_280) == at(1_280))
        #expect(!mapping.isKnown)
        mapping.note(ntp: 1 << 40, timestamp: 90_000)
        #expect(mapping.isKnown)
        mapping.forget()
        #expect(captured(5, 2_000) == at(2_000))
    }

    @Test("An encoding is dead after a second of silence")
    func liveness() {
        var monitor = EncodingMonitor()
        #expect(monitor.hear(at: at(0)) == true)
        #expect(monitor.hear(at: at(900)) == false)
        #expect(monitor.expire(at: at(1_899)) == false)
        #expect(monitor.expire(at: at(1_900)) == true)
        #expect(monitor.expire(at: at(5_000)) == false)
        #expect(monitor.hear(at: at(5_001)) == true)
    }

    @Test("Arrivals: late ones are told of in the next feedback, a jump begins anew")
    func arrivals() {
        var recorder = ArrivalRecorder()
        recorder.note(SequenceNumber(65_535), at: at(1))
        recorder.note(SequenceNumber(1), at: at(2))
        let first = (recorder.begin, recorder.end)
        #expect(first.1 - first.0 == 3)
        let missing = recorder.arrival(of: first.0 + 1)
        #expect(missing == nil)
        recorder.finish(at: first.1)
        let pending = recorder.isPending
        #expect(!pending)
        recorder.note(SequenceNumber(0), at: at(3))
        let late = (recorder.begin, recorder.arrival(of: first.0 + 1))
        #expect(late.0 == first.0 + 1 && late.1 == at(3))
        recorder.note(SequenceNumber(30_000), at: at(4))
        let jumped = (recorder.begin, recorder.end)
        #expect(jumped.1 - jumped.0 == 1)
    }
}
