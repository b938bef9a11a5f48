// Transport-wide feedback: messages worked out by hand, and that every pattern that the builder takes reads back.
import MediaCore
import Testing

@Suite("Transport feedback") struct TransportFeedbackTests {
    private func message(_ bytes: [UInt8]) -> TransportFeedback? {
        guard let packet = rtcpPackets(bytes)?.first else { return nil }
        return TransportFeedback(bytes.span, packet)
    }

    /// Sends the arrivals through the builder and gives the message's bytes; nil when the builder refused one.
    private func build(base: UInt16, _ arrivals: [Arrival], maximumLength: Int = 1_100) -> [UInt8]? {
        var builder = TransportFeedbackBuilder(
            sender: SSRC(1), media: SSRC(2), base: SequenceNumber(base), feedbackCount: 200,
            maximumLength: maximumLength)
        for arrival in arrivals {
            let time = Timestamp(nanoseconds: arrival.microseconds * 1_000)
            guard builder.add(SequenceNumber(arrival.sequence), arrival: time) else { return nil }
        }
        let length = builder.length
        let bytes = compose { writer, span in _ = writer.appendTransportFeedback(builder, into: &span) }
        #expect(bytes.count == length)
        return bytes
    }

    @Test("a message of all chunk forms and delta sizes is read as worked out by hand")
    func reads() throws {
        // Run of two missing; one-bit vector 10100000000000; two-bit vector 1 2 0 0 0 0 0 of which two count.
        let bytes = hex(
            """
            8fcd0008 00000001 00000002 fffe 0012 fffffe 07 \
            0002 a800 d800 04 ff 01 fc18 000000 0000
            """)
        let read = try need(message(bytes))
        #expect(read.sender == SSRC(1) && read.media == SSRC(2) && read.baseSequence == SequenceNumber(0xfffe))
        #expect(read.statusCount == 18 && read.referenceTime == -2 && read.feedbackCount == 7)
        let reading = readFeedback(bytes, read)
        #expect(
            reading.arrivals == [
                Arrival(sequence: 0, microseconds: -127_000), Arrival(sequence: 2, microseconds: -63_250),
                Arrival(sequence: 14, microseconds: -63_000), Arrival(sequence: 15, microseconds: -313_000),
            ])
        #expect(reading.missing.count == 14)
    }

    @Test("the builder's bytes are those worked out by hand")
    func exactBytes() throws {
        let arrivals = [
            Arrival(sequence: 10, microseconds: 64_000), Arrival(sequence: 11, microseconds: 65_000),
            Arrival(sequence: 13, microseconds: 64_750), Arrival(sequence: 14, microseconds: 200_000),
        ]
        let bytes = try need(build(base: 10, arrivals))
        // 1 1 0 2 2 (and 0 0) as one two-bit vector: 11 01010010100000; deltas 0, 4, −1, 541.
        #expect(
            bytes == hex("8fcd0006 00000001 00000002 000a0005 000001c8 d4a0 00 04 ffff 021d"))
    }

    @Test(
        "a malformed message is refused",
        arguments: [
            "8fcd0004 00000001 00000002 00000001 00000000",  // no chunk
            "8fcd0005 00000001 00000002 00000000 00000000 20010000",  // tells of nothing
            "8fcd0005 00000001 00000002 00000003 00000000 20030000",  // three deltas, two there
            "8fcd0005 00000001 00000002 00000001 00000000 60010000",  // the reserved status in a run
            "8fcd0005 00000001 00000002 00000001 00000000 f0000000",  // the reserved status in a vector
            "8fcd0005 00000001 00000002 00004000 00000000 1fff1fff",  // chunks end before the statuses
        ])
    func malformed(text: String) { #expect(message(hex(text)) == nil) }

    @Test("65,535 missing packets in 20 bytes of chunks are told one by one and no further")
    func longestMessage() throws {
        let bytes = hex("8fcd0009 00000001 00000002 0005ffff 00000000 1fff1fff1fff1fff1fff1fff1fff1fff0007 0000")
        let read = try need(message(bytes))
        let reading = readFeedback(bytes, read)
        #expect(reading.missing.count == 65_535 && reading.arrivals.isEmpty)
        #expect(reading.missing.last == 3)
    }

    @Test("whatever pattern of loss and delay goes in comes out, to the quarter of a millisecond", arguments: 0..<300)
    func roundTrip(seed: Int) throws {
        var random = Mix(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1)
        let base = UInt16(truncatingIfNeeded: random.next())
        let lossPerCent = [0, 1, 10, 50, 90, 99][seed % 6]
        let largePerCent = [0, 5, 50, 100][seed / 6 % 4]
        var arrivals: [Arrival] = []
        var time = Int64(random.next() % 1_000_000_000)
        var sequence = base
        let count = 1 + Int(random.next() % 120)
        while arrivals.count < count {
            if random.next() % 100 >= UInt64(lossPerCent) {
                let step =
                    random.next() % 100 < UInt64(largePerCent)
                    ? Int64(random.next() % 200_000) - 100_000 : Int64(random.next() % 20_000)
                time += step
                arrivals.append(Arrival(sequence: sequence, microseconds: time))
            }
            sequence &+= 1
        }
        let bytes = try need(build(base: base, arrivals))
        let read = try need(message(bytes))
        let reading = readFeedback(bytes, read)
        #expect(read.baseSequence == SequenceNumber(base) && read.feedbackCount == 200)
        #expect(reading.arrivals.map(\.sequence) == arrivals.map(\.sequence))
        #expect(reading.arrivals.count + reading.missing.count == Int(sequence &- base))
        // The reference time has 24 bits of 64 ms: these times are below its wrap.
        for (told, sent) in zip(reading.arrivals, arrivals) {
            #expect((0..<250).contains(sent.microseconds - told.microseconds))
        }
    }

    @Test("a message takes no more than it has room for, and a refused arrival changes nothing")
    func bounds() throws {
        var builder = TransportFeedbackBuilder(
            sender: SSRC(1), media: SSRC(2), base: SequenceNumber(0), feedbackCount: 0, maximumLength: 100)
        var taken = 0
        for i in 0..<2_000 {
            let time = Timestamp(nanoseconds: Int64(i) * 100_000_000)
            guard builder.add(SequenceNumber(UInt16(i)), arrival: time) else { break }
            taken += 1
        }
        #expect(taken > 20 && taken < 50)
        let refused = builder.nextSequence
        #expect(refused == SequenceNumber(UInt16(taken)))
        let length = builder.length
        #expect(length <= 100)
        let bytes = compose { writer, span in
            let appended = writer.appendTransportFeedback(builder, into: &span)
            #expect(appended)
        }
        #expect(readFeedback(bytes, try need(message(bytes))).arrivals.count == taken)
    }

    @Test("packets out of order, too far ahead or too late in time are refused")
    func refusals() {
        var builder = TransportFeedbackBuilder(
            sender: SSRC(1), media: SSRC(2), base: SequenceNumber(100), feedbackCount: 0)
        let origin = Timestamp(nanoseconds: 5_000_000_000)
        let results = [
            builder.add(SequenceNumber(99), arrival: origin),
            builder.add(SequenceNumber(100 + 4_097), arrival: origin),
            builder.add(SequenceNumber(101), arrival: origin),
            builder.add(SequenceNumber(101), arrival: origin),
            builder.add(SequenceNumber(102), arrival: origin + .milliseconds(8_300)),
            builder.add(SequenceNumber(102), arrival: origin - .milliseconds(8_300)),
            builder.add(SequenceNumber(102), arrival: origin - .milliseconds(8_100)),
        ]
        let (arrivals, statuses) = (builder.arrivalCount, builder.statusCount)
        #expect(results == [false, false, true, false, false, false, true])
        #expect(arrivals == 2 && statuses == 3)
    }

    @Test("an empty message is not written")
    func empty() {
        let bytes = compose { writer, span in
            let builder = TransportFeedbackBuilder(
                sender: SSRC(1), media: SSRC(2), base: SequenceNumber(0), feedbackCount: 0)
            let appended = writer.appendTransportFeedback(builder, into: &span)
            #expect(!appended)
        }
        #expect(bytes.isEmpty)
    }
}

/// A small generator with a seed, so that a failing case can be run again.
struct Mix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
