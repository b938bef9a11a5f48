// The bottleneck, the competitor and the meter themselves: what the bitrate scenarios are judged with.

import MediaCore
import SimulatedNetwork
import Testing

@Suite("The simulated bottleneck")
struct BottleneckTests {
    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    @Test("Packets of two flows wait for each other, and the queue has an end")
    func shared() {
        let queue = Bottleneck(BottleneckConditions(.constant(1_000_000), queueBytes: 3_000), at: at(0))
        #expect(queue.enter(1_000, flow: 1, kind: .video, at: at(0)) == at(8))
        #expect(queue.enter(1_000, flow: 2, kind: .video, at: at(0)) == at(16))
        #expect(queue.enter(1_000, flow: 1, kind: .audio, at: at(1)) == at(24))
        #expect(queue.enter(1_000, flow: 2, kind: .video, at: at(2)) == nil)
        #expect(queue.enter(1_000, flow: 2, kind: .video, at: at(9)) == at(32))
        let waited = queue.passages.map { $0.waited.map { $0.nanoseconds / 1_000_000 } ?? -1 }
        #expect(waited == [8, 16, 23, -1, 23])
        #expect(queue.passages.map(\.flow) == [1, 2, 1, 2, 2])
    }

    @Test("A packet under way when the capacity changes leaves by both rates, and not before an outage ends")
    func steps() {
        let plan = CapacityPlan.kilobits([(0, 1_000), (0.01, 100), (1, 0), (2, 1_000)])
        let queue = Bottleneck(BottleneckConditions(plan, queueBytes: 100_000), at: at(0))
        // 8 of 16 kb at 1 Mb/s before 10 ms, from 2 ms on; the rest at 100 kb/s.
        #expect(queue.enter(2_000, flow: 1, kind: .video, at: at(2)) == at(90))
        #expect(queue.enter(1_250, flow: 1, kind: .video, at: at(950)) == at(2_005))
        #expect(queue.capacity(from: at(0), span: .milliseconds(20)) == 550_000)
        #expect(queue.capacity(from: at(1_500), span: .seconds(1)) == 500_000)
    }

    @Test("A trace delivers 1,500 bytes at each opportunity")
    func trace() throws {
        let trace = try #require(CapacityTrace(mahimahi: "10\n20\n30\n40\n"))
        let queue = Bottleneck(BottleneckConditions(.trace(trace), queueBytes: 100_000), at: at(0))
        #expect(queue.enter(1_000, flow: 1, kind: .video, at: at(0)) == at(10))
        #expect(queue.enter(1_000, flow: 1, kind: .video, at: at(0)) == at(20))
        #expect(queue.enter(2_500, flow: 1, kind: .video, at: at(0)) == at(30))
        #expect(queue.capacity(from: at(0), span: .milliseconds(400)) == 1_200_000)
    }

    @Test(
        "A long transfer fills the bottleneck, and fills and drains its queue",
        arguments: [WindowGrowth.cubic, .newReno])
    func transfer(growth: WindowGrowth) throws {
        let simulation = Simulation(seed: 3)
        simulation.perform(.bottleneck(1, BottleneckConditions(.constant(2_000_000), queueBytes: 75_000)))
        simulation.perform(.longTransfer(bottleneck: 1, growth, roundTrip: .milliseconds(100)))
        simulation.perform(.run(.seconds(60)))
        let passages = try #require(simulation.bottlenecks[1]).passages
        let carried = passages.filter { $0.waited != nil }.reduce(0) { $0 + Int($1.bytes) }
        #expect(Double(carried) * 8 / 60 > 0.9 * 2_000_000)
        let drops = passages.count { $0.waited == nil }
        #expect(drops > 5 && drops < passages.count / 20, "\(drops) of \(passages.count)")
        let waits = Distribution(passages.dropFirst(500).compactMap { $0.waited.map { Double($0.nanoseconds) / 1e6 } })
        #expect(waits.greatest > 250 && waits.least < 250, "\(waits.least) to \(waits.greatest) ms")
    }

    @Test("The best set of layers is what trying everything finds")
    func bestSet() {
        // One publisher, one watcher with room for everything: the best is what is forwarded.
        let scenario = BitrateScenario(
            "wide", .rooms, "wide",
            steps: [
                .bottleneck(1, BottleneckConditions(.constant(10_000_000), queueBytes: 375_000)),
                .join(1, .sender()), .join(2, .watcher(behind: 1)), .join(3, .watcher(behind: nil)),
                // Somebody has use for the layer in the middle.
                .wish(3, Mid("rv0").map { [SlotWish(mid: $0, pin: nil, wantedHeight: 360)] } ?? []),
                .run(.seconds(20)),
            ]
        ) { _ in [] }
        let p = scenario.play(seed: 1)
        #expect(p.fitting(2, usable: 1) > 0.99)
        let all = p.best(2, tick: 150, capacity: 10_000_000)
        #expect(all > 1_400_000 && all < 1_900_000)
        let middle = p.best(2, tick: 150, capacity: 600_000)
        #expect(middle > 420_000 && middle < 700_000)
        let low = p.best(2, tick: 150, capacity: 130_000)
        #expect(low > 60_000 && low < 160_000)
        #expect(p.queue(2, percentile: 0.5) > 0)
        #expect(p.longestAudioHold == 0)
        #expect(p.meanRate(2, 5..<20) > 1_400_000)
        #expect(p.simulation.violations == [])
    }

    @Test("A publisher told that layers are not needed stops them, and begins again with a key frame")
    func wanted() throws {
        var configuration = RoomConfiguration.limited
        configuration.bitrate.startBitsPerSecond = 5_000_000
        let simulation = Simulation(configuration: configuration, seed: 1)
        let slot = try #require(Mid("rv0"))
        simulation.perform(.join(1, .sender()))
        simulation.perform(.join(2, .watcher(behind: nil)))
        simulation.perform(.wish(2, [SlotWish(mid: slot, pin: nil, wantedHeight: 150)]))
        simulation.perform(.run(.seconds(6)))
        let before = simulation.client(1).videoSenders[0].encodings
        simulation.perform(.run(.seconds(2)))
        let paused = simulation.client(1).videoSenders[0].encodings
        #expect(paused[0].frameCount > before[0].frameCount + 50)
        #expect(paused[1].frameCount == before[1].frameCount && paused[2].frameCount == before[2].frameCount)
        simulation.perform(.wish(2, [SlotWish(mid: slot, pin: nil, wantedHeight: 1_080)]))
        simulation.perform(.run(.seconds(1)))
        let again = simulation.client(1).videoSenders[0].encodings[2]
        #expect(again.keyFrameCount > paused[2].keyFrameCount && again.frameCount > paused[2].frameCount + 20)
        #expect(simulation.violations == [])
    }
}
