// The pace of one receiver: bursts as long as they may be, the rate kept, a queue that keeps its order.

import SimulatedNetwork
import Testing

@testable import MediaCore

@Suite("Pacer")
struct PacerTests {
    private let start = Timestamp(nanoseconds: 5_000_000_000)

    /// Packets of `bytes` that leave at `now` without waiting.
    private func burst(_ pacer: inout Pacer, bytes: Int, at now: Timestamp) -> Int {
        var count = 0
        while pacer.mayLeave(bytes, at: now), count < 100 {
            pacer.left(bytes, at: now)
            count += 1
        }
        return count
    }

    @Test(
        "A burst has at most ten milliseconds at the pace, at most eight packets, at least one",
        arguments: [
            (100, 1), (1_000, 1), (2_000, 2), (4_000, 4), (20_000, 8), (500_000, 8),
        ] as [(Int64, Int)])
    func bursts(_ kilobits: Int64, _ packets: Int) {
        var pacer = Pacer()
        pacer.setRate(.kilobitsPerSecond(kilobits), at: start)
        #expect(burst(&pacer, bytes: 1_200, at: start) == packets)
    }

    @Test(
        "Where the path has room a burst has ten milliseconds at 2.5 times what it carries, whatever the pace",
        arguments: [
            (40, 1), (400, 1), (800, 2), (1_600, 4), (8_000, 8), (200_000, 8),
        ] as [(Int64, Int)])
    func wideBursts(_ kilobits: Int64, _ packets: Int) {
        for percent in [110, 130, 250, 400] as [Int64] {
            var pacer = Pacer()
            // A little more, for what is rounded down; half of it is sent.
            pacer.setBurst(pacingPercent: percent, carried: .kilobitsPerSecond(kilobits + 1))
            pacer.setRate(.kilobitsPerSecond(kilobits / 2 * percent / 100), at: start)
            #expect(burst(&pacer, bytes: 1_200, at: start) == packets)
        }
    }

    @Test("Where the path has room what waits leaves together: when all of it may, or a whole burst")
    func wakes() throws {
        for (waiting, bytes) in [(1, 1_250), (3, 3_750), (40, 10_000)] {
            var pacer = Pacer()
            pacer.setBurst(pacingPercent: 100, carried: .kilobitsPerSecond(3_200))
            // A burst is of 25 ms and 10,000 bytes.
            pacer.setRate(.kilobitsPerSecond(3_200), at: start)
            // The last of the burst is owed.
            for _ in 0..<8 { pacer.left(1_250, at: start) }
            for _ in 0..<waiting {
                var packet = QueuedPacket()
                packet.bytes = 1_250
                _ = pacer.video.append(packet)
            }
            let next = pacer.next(after: start)
            let at = try #require(next)
            #expect(at == start + TimeDelta(nanoseconds: Int64(bytes) * 2_500))
            let sent = burst(&pacer, bytes: 1_250, at: at)
            #expect(sent == min(8, bytes / 1_250))
        }
    }

    @Test(
        "Whoever comes late at every call sends as much all the same, in bursts that are not wider than where the path has room",
        arguments: [2, 8, 15] as [Int64])
    func lateness(_ milliseconds: Int64) throws {
        let percent: Int64 = 110
        var pacer = Pacer()
        pacer.setBurst(pacingPercent: percent, carried: nil)
        pacer.setRate(.kilobitsPerSecond(500 * percent / 100), at: start)
        var waiting = QueuedPacket()
        waiting.bytes = 1_200
        for _ in 0..<1_000 { _ = pacer.video.append(waiting) }
        var random = SeededRandom(seed: 9)
        var now = start
        var bytes = 0
        while now < start + .seconds(10) {
            pacer.isCatchingUp = true
            var together = 0
            while pacer.mayLeave(1_200, at: now) {
                pacer.video.removeFirst()
                pacer.left(1_200, at: now)
                together += 1
            }
            pacer.isCatchingUp = false
            bytes += together * 1_200
            // 10 ms at 2.5 times 500 kb/s are 1,563 bytes.
            #expect(together <= 1)
            let due = pacer.next(after: now)
            now = try #require(due) + TimeDelta(nanoseconds: Int64(random.unit() * Double(milliseconds) * 1e6))
        }
        let kilobits = Double(bytes) * 8 / 10_000
        #expect(kilobits > 0.97 * 550 && kilobits < 1.02 * 550, "\(kilobits) kb/s")
    }

    @Test("Over a second the rate is kept", arguments: [250, 1_500, 6_000, 25_000] as [Int64])
    func rate(_ kilobits: Int64) {
        var pacer = Pacer()
        pacer.setRate(.kilobitsPerSecond(kilobits), at: start)
        var bytes = 0
        for millisecond in 0..<1_000 as Range<Int64> {
            bytes += 1_200 * burst(&pacer, bytes: 1_200, at: start + .milliseconds(millisecond))
        }
        let allowed = Double(kilobits) * 125
        #expect(Double(bytes) <= allowed * 1.011 + 1_200)
        #expect(Double(bytes) >= allowed * 0.95)
    }

    @Test("What is owed stays as many bytes when the pace changes")
    func changingRate() throws {
        var pacer = Pacer()
        pacer.setRate(.kilobitsPerSecond(1_000), at: start)
        pacer.left(1_250, at: start)
        pacer.setRate(.kilobitsPerSecond(100), at: start)
        // 10 kbit at 100 kb/s.
        let (before, after) = (
            pacer.mayLeave(1_250, at: start + .milliseconds(99)), pacer.mayLeave(1_250, at: start + .milliseconds(101))
        )
        #expect(!before && after)
    }

    @Test("Hostile times and rates do no harm")
    func hostileTimes() {
        var pacer = Pacer()
        for nanoseconds in [Int64.min, -1, 0, 1, .max, .min, 1 << 62, -1 << 62] {
            let now = Timestamp(nanoseconds: nanoseconds)
            pacer.setRate(DataRate(bitsPerSecond: nanoseconds), at: now)
            _ = pacer.mayLeave(1_500, at: now)
            pacer.left(1_500, at: now)
            _ = pacer.next(after: now)
        }
    }

    @Test("The queue keeps its order while it grows, up to its limit")
    func queue() {
        var queue = PacketQueue()
        var chance = SeededRandom(seed: 3)
        var next: Int64 = 0
        var expected: Int64 = 0
        for _ in 0..<20_000 {
            if chance.chance(0.6) {
                var packet = QueuedPacket()
                packet.number = next
                packet.bytes = UInt16(chance.below(1_500))
                let fits = queue.append(packet)
                #expect(fits == (next - expected < Int64(PacketQueue.limit)))
                if fits { next += 1 }
            } else if let first = queue.first {
                #expect(first.number == expected)
                queue.removeFirst()
                expected += 1
            }
            let count = queue.count
            #expect(count == Int(next - expected))
        }
        queue.removeAll()
        let (count, bytes) = (queue.count, queue.bytes)
        #expect(count == 0 && bytes == 0)
    }

    @Test("A checkpoint keeps what waits, what is owed and what is probed")
    func checkpoint() throws {
        var pacer = Pacer()
        pacer.setRate(.kilobitsPerSecond(700), at: start)
        pacer.left(1_000, at: start)
        for number in 0..<200 as Range<Int64> {
            var packet = QueuedPacket()
            packet.number = number
            packet.slot = 3
            packet.encoding = 4
            packet.bytes = 1_100
            packet.arrived = start
            _ = pacer.video.append(packet)
        }
        pacer.probe = RunningProbe(
            cluster: ProbeCluster(id: 3, rate: .kilobitsPerSecond(2_000), minimumPackets: 5, minimumBytes: 3_000),
            startedAt: start, nextAt: start)
        var bytes = Checkpoint()
        var writer = CheckpointWriter(reusing: &bytes)
        pacer.save(into: &writer)
        let saved = writer.finish()
        var reader = CheckpointReader(saved)
        var restored = try Pacer.restored(&reader)
        let (count, probe) = (restored.video.count, restored.probe?.cluster.id)
        #expect(count == 200 && probe == 3)
        let next = (restored.next(after: start), pacer.next(after: start))
        #expect(next.0 == next.1)
        let later = start + .milliseconds(3)
        let may = (restored.mayLeave(1_200, at: later), pacer.mayLeave(1_200, at: later))
        #expect(may.0 == may.1)
        for number in 0..<200 as Range<Int64> {
            let first = restored.video.first?.number
            #expect(first == number)
            restored.video.removeFirst()
        }
    }
}
