// The simulated link itself: what it promises about delay, loss, capacity, order and chance.

import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@Suite("The simulated link")
struct LinkTests {
    private func arrivals(
        _ conditions: LinkConditions, count: Int, every: TimeDelta, bytes: Int = 1_000, seed: UInt64 = 7
    ) -> [Arrivals] {
        var link = Link(conditions, seed: seed)
        return (0..<count).map {
            link.send(byteCount: bytes, at: Timestamp(nanoseconds: Int64($0) * every.nanoseconds))
        }
    }

    @Test("A perfect link delays and does nothing else")
    func delay() {
        let all = arrivals(LinkConditions(delay: .milliseconds(30)), count: 1_000, every: .milliseconds(1))
        for (index, arrival) in all.enumerated() {
            #expect(arrival.first == Timestamp(nanoseconds: Int64(index + 30) * 1_000_000))
            #expect(arrival.second == nil)
        }
    }

    @Test("Jitter keeps the order and stays within its bound")
    func jitter() {
        let all = arrivals(
            LinkConditions(delay: .milliseconds(10), jitter: .milliseconds(15)), count: 2_000, every: .milliseconds(1))
        var last = Timestamp(nanoseconds: 0)
        var latest = TimeDelta.zero
        for (index, arrival) in all.enumerated() {
            guard let at = arrival.first else {
                Issue.record("a packet was lost on a link without loss")
                return
            }
            #expect(at >= last)
            last = at
            let delay = at - Timestamp(nanoseconds: Int64(index) * 1_000_000)
            #expect(delay >= .milliseconds(10) && delay <= .milliseconds(25))
            latest = max(latest, delay)
        }
        #expect(latest > .milliseconds(20))
    }

    @Test("Random loss has its rate", arguments: [0.0, 0.05, 0.2, 1.0])
    func loss(rate: Double) {
        let all = arrivals(LinkConditions(loss: rate), count: 20_000, every: .microseconds(10))
        let lost = Double(all.count { $0.first == nil }) / 20_000
        #expect(abs(lost - rate) < 0.01)
    }

    @Test("Bursts are long where random loss of the same rate is not")
    func bursts() {
        let bursts = GilbertElliott(goodToBad: 0.01, badToGood: 0.2)
        let burst = arrivals(LinkConditions(bursts: bursts), count: 50_000, every: .microseconds(10))
        let random = arrivals(LinkConditions(loss: 0.0476), count: 50_000, every: .microseconds(10))
        func meanRun(_ all: [Arrivals]) -> Double {
            let lost = all.map { $0.first == nil }
            let runs = zip([false] + lost, lost).count { !$0 && $1 }
            return Double(lost.count { $0 }) / Double(max(1, runs))
        }
        #expect(abs(Double(burst.count { $0.first == nil }) / 50_000 - 0.0476) < 0.01)
        #expect(meanRun(burst) > 4)
        #expect(meanRun(random) < 1.2)
    }

    @Test("A rate is kept, its queue delays, and what does not fit is dropped")
    func rateAndQueue() {
        // 1000 bytes each millisecond are 8 Mb/s; the link carries 4 Mb/s and queues 50,000 bytes, which is 100 ms.
        let conditions = LinkConditions(delay: .zero, capacity: .bitsPerSecond(4_000_000), queueBytes: 50_000)
        let all = arrivals(conditions, count: 2_000, every: .milliseconds(1))
        let arrived = all.compactMap(\.first)
        let rate = Double(arrived.count * 8_000) / (Double(arrived.last?.nanoseconds ?? 1) / 1e9)
        #expect(abs(rate - 4_000_000) < 100_000)
        var longest = TimeDelta.zero
        for (index, arrival) in all.enumerated() {
            if let at = arrival.first {
                longest = max(longest, at - Timestamp(nanoseconds: Int64(index) * 1_000_000))
            }
        }
        #expect(longest > .milliseconds(95) && longest <= .milliseconds(101))
        #expect(all.count { $0.first == nil } > 900)
    }

    @Test("A trace gives its capacity, over and over")
    func trace() throws {
        let trace = try #require(CapacityTrace(mahimahi: "0\n10\n10\n20\n"))
        #expect(trace.opportunities == [0, 10_000_000, 10_000_000, 20_000_000])
        #expect(trace.moment(ofOpportunity: 5) == 30_000_000)
        #expect(trace.firstOpportunity(notBefore: 10_000_000) == 1)
        #expect(trace.firstOpportunity(notBefore: 10_000_001) == 3)
        // Four opportunities of 1500 bytes in 20 ms: 2.4 Mb/s, offered twice that.
        let conditions = LinkConditions(delay: .zero, capacity: .trace(trace), queueBytes: 20_000)
        let arrived = arrivals(conditions, count: 5_000, every: .microseconds(2_500), bytes: 1_500).compactMap(\.first)
        let rate = Double(arrived.count * 12_000) / (Double(arrived.last?.nanoseconds ?? 1) / 1e9)
        #expect(abs(rate - 2_400_000) < 50_000)
    }

    @Test("A trace that is not one is refused", arguments: ["", "\n", "1 2\n", "-1\n", "x\n", "5\n4\n"])
    func badTrace(text: String) { #expect(CapacityTrace(mahimahi: text) == nil) }

    @Test(
        "The recorded network has the mean of its README",
        .enabled(if: ExternalCaptures.arePresent, "the public captures are not there"))
    func recordedTrace() throws {
        let bytes = try #require(ExternalCaptures.bytes("traces/Verizon-LTE-short.down"))
        let trace = try #require(CapacityTrace(mahimahi: String(decoding: bytes, as: UTF8.self)))
        #expect(abs(trace.meanBitsPerSecond - 5_040_000) < 20_000)
    }

    @Test("Reordered packets are overtaken, duplicates come after their originals")
    func reorderingAndDuplication() {
        let conditions = LinkConditions(
            delay: .milliseconds(10), reordering: 0.1, reorderingDelay: .milliseconds(3), duplication: 0.05)
        let all = arrivals(conditions, count: 10_000, every: .milliseconds(1))
        let times = all.compactMap(\.first)
        let overtaken = zip(times, times.dropFirst()).count { $0 > $1 }
        #expect((700...1_200).contains(overtaken))
        let twice = all.count { $0.second != nil }
        #expect((400...600).contains(twice))
        for arrival in all {
            if let first = arrival.first, let second = arrival.second { #expect(second > first) }
        }
    }

    @Test("Equal seeds give equal arrivals, other seeds do not")
    func determinism() {
        let conditions = LinkConditions(jitter: .milliseconds(5), loss: 0.1, reordering: 0.05, duplication: 0.05)
        let one = arrivals(conditions, count: 500, every: .milliseconds(1))
        #expect(one == arrivals(conditions, count: 500, every: .milliseconds(1)))
        #expect(one != arrivals(conditions, count: 500, every: .milliseconds(1), seed: 8))
    }

    @Test("The virtual clock gives events by time, and by order within a moment")
    func clock() {
        var clock = VirtualClock(startingAt: Timestamp(nanoseconds: 100))
        var random = SeededRandom(seed: 3)
        let times = (0..<500).map { _ in Int64(100 + random.below(50)) }
        for (index, at) in times.enumerated() { clock.schedule(index, at: Timestamp(nanoseconds: at)) }
        var got: [Int] = []
        while let event = clock.take(notAfter: Timestamp(nanoseconds: 1_000)) {
            #expect(clock.now.nanoseconds == times[event])
            got.append(event)
        }
        let expected = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        #expect(got == expected)
        #expect(clock.take(notAfter: Timestamp(nanoseconds: 5_000)) == nil)
    }
}

@Suite("The simulated clients' wire formats")
struct ClientWireTests {
    @Test("Transport feedback written is read back, large and negative deltas included")
    func transportFeedback() {
        let report = TransportFeedbackReport(
            base: 65_530, feedbackCount: 7, referenceTime: 0x01_2345,
            deltas: [0, nil, 255, 256, nil, nil, -3, 32_767, 1, nil, 20])
        let message = ControlMessage.transportFeedback(sender: 1, media: 2, report)
        #expect(ControlMessage.parse(message.bytes) == [message])
    }

    @Test("NACKs written are read back, across the wrap")
    func nack() {
        let message = ControlMessage.nack(sender: 1, media: 2, sequences: [65_530, 65_531, 3, 9, 40])
        #expect(ControlMessage.parse(message.bytes) == [message])
    }

    @Test("Reports with blocks are read back, a negative loss included")
    func reports() {
        let block = ReportBlock(
            ssrc: 9, fractionLost: 3, cumulativeLost: -2, extendedHighest: 70_000, jitter: 5, lastSenderReport: 6,
            delaySinceLastSenderReport: 7)
        let messages: [ControlMessage] = [
            .senderReport(ssrc: 1, ntp: 0x1234_5678_9abc_def0, rtpTimestamp: 3, packets: 4, octets: 5, blocks: [block]),
            .receiverReport(ssrc: 2, blocks: [block, block]),
            .sourceDescription(ssrc: 1, canonicalName: "someone"), .goodbye(ssrc: 4),
        ]
        #expect(ControlMessage.parse(messages.flatMap(\.bytes)) == messages)
    }
}
