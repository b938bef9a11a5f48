// Looks for room: probes for a path that gives all that is wanted already, so that whole frames may leave at once.

import Testing

@testable import MediaCore

@Suite("Probes that look for room")
struct RoomProbeTests {
    private let start = Timestamp(nanoseconds: 1_000_000_000)
    private let wanted = DataRate.kilobitsPerSecond(1_000)
    private let estimate = DataRate.kilobitsPerSecond(1_250)
    private let ceiling = DataRate.kilobitsPerSecond(1_500)

    /// A controller that has sent its first probe; all that is wanted is given.
    private func satisfied() -> ProbeController {
        var probes = ProbeController()
        probes.setDemand(next: wanted, room: .zero, ceiling: ceiling, estimate: .kilobitsPerSecond(300))
        _ = probes.takeProbe(noise: .zero, at: start)
        probes.take(ProbeResult(rate: estimate, isSaturated: false), before: .kilobitsPerSecond(300))
        _ = probes.takeProbe(noise: .zero, at: start)
        probes.setDemand(
            next: .zero, room: wanted.scaled(by: ProbeController.roomPercent, over: 100), ceiling: ceiling,
            estimate: estimate)
        probes.advance(estimate: estimate, at: start + .seconds(1))
        return probes
    }

    /// The probe that is sent next, and when.
    private func next(_ probes: inout ProbeController) -> (cluster: ProbeCluster, at: Timestamp)? {
        guard let due = probes.deadline(estimate: estimate) else { return nil }
        probes.advance(estimate: estimate, at: due)
        if let cluster = probes.takeProbe(noise: .zero, at: due) { return (cluster, due) }
        // The deadline was that of the result of the probe before.
        guard let due = probes.deadline(estimate: estimate) else { return nil }
        probes.advance(estimate: estimate, at: due)
        return probes.takeProbe(noise: .zero, at: due).map { ($0, due) }
    }

    /// A result comes; whether it was taken for one of a look for room.
    private func show(
        _ probes: inout ProbeController, _ kilobits: Int64, isSaturated: Bool = false, isForRoom: Bool = true
    ) {
        let result = ProbeResult(rate: .kilobitsPerSecond(kilobits), isSaturated: isSaturated, isSure: isSaturated)
        let isTaken = probes.takeRoom(result)
        #expect(isTaken == isForRoom)
    }

    @Test("Two small steps show that a path carries twice what is wanted, and then it is left alone")
    func steps() throws {
        var probes = satisfied()
        let look = next(&probes)
        let first = try #require(look)
        #expect(first.cluster.rate == .kilobitsPerSecond(1_875))
        #expect(first.cluster.minimumBytes == Int((first.cluster.rate * ProbeController.roomDuration).bytes))
        show(&probes, 1_820)
        #expect(probes.shown == .kilobitsPerSecond(1_820))
        let another = next(&probes)
        let second = try #require(another)
        #expect(second.cluster.rate == .kilobitsPerSecond(2_200))
        #expect(second.at - first.at >= ProbeController.roomInterval)
        show(&probes, 2_200)
        #expect(probes.deadline(estimate: estimate) == nil)
    }

    @Test("What arrives slower than it was sent shows nothing, and each look waits twice as long as the one before")
    func inVain() throws {
        var probes = satisfied()
        let first = next(&probes)
        var before = try #require(first).at
        var wait = ProbeController.roomInterval * 2
        for _ in 0..<7 {
            show(&probes, 1_500, isSaturated: true)
            #expect(probes.shown == .zero)
            let another = next(&probes)
            let look = try #require(another)
            #expect(look.at - before == wait)
            before = look.at
            wait = min(wait * 2, ProbeController.longestRoomInterval)
        }
        #expect(wait == ProbeController.longestRoomInterval)
    }

    @Test("A queue that fills is no room, and after one that a look filled the next waits longest")
    func overuse() throws {
        var probes = satisfied()
        let look = next(&probes)
        let first = try #require(look)
        show(&probes, 1_820)
        probes.noteOveruse(at: first.at + .milliseconds(300))
        #expect(probes.shown == .zero)
        let another = next(&probes)
        let second = try #require(another)
        #expect(second.at - first.at == ProbeController.longestRoomInterval)
    }

    @Test("The result of a probe for what is wanted is not taken for room, and a wish for more comes before looks")
    func others() throws {
        var probes = satisfied()
        probes.setDemand(
            next: .kilobitsPerSecond(1_400), room: .zero, ceiling: .kilobitsPerSecond(3_000), estimate: estimate)
        let sent = next(&probes)
        let probe = try #require(sent)
        #expect(probe.cluster.rate > .kilobitsPerSecond(1_500))
        show(&probes, 1_800, isForRoom: false)
        #expect(probes.shown == .zero)
    }
}
