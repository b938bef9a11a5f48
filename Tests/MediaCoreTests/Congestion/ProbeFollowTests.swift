// Which probe is followed by another right behind it.

import Testing

@testable import MediaCore

@Suite("Probes that follow a probe")
struct ProbeFollowTests {
    private let start = Timestamp(nanoseconds: 1_000_000_000)

    /// The rate of the probe that follows the first, in kb/s; nil where none does. The next step that is wanted takes `next`.
    private func follows(
        _ result: Int64, isSaturated: Bool = false, estimate: Int64, next: Int64
    ) -> Int64? {
        var probes = ProbeController()
        let known = DataRate.kilobitsPerSecond(estimate)
        probes.setDemand(
            next: .kilobitsPerSecond(next), room: .zero, ceiling: .kilobitsPerSecond(3_000), estimate: known)
        let first = probes.takeProbe(noise: .zero, at: start)
        #expect(first?.rate == .kilobitsPerSecond(estimate * ProbeController.startFactor))
        probes.take(
            ProbeResult(rate: .kilobitsPerSecond(result), isSaturated: isSaturated, isSure: true), before: known)
        return probes.takeProbe(noise: .zero, at: start).map { $0.rate.bitsPerSecond / 1_000 }
    }

    @Test("What arrives as sent is followed by twice as much; what was all that there is, only for what is wanted")
    func fast() {
        #expect(follows(700, estimate: 300, next: 600) == 1_400)
        #expect(follows(700, isSaturated: true, estimate: 300, next: 600) == nil)
        #expect(follows(700, isSaturated: true, estimate: 300, next: 1_000) == 1_400)
        #expect(follows(600, estimate: 300, next: 1_000) == nil, "less than seven tenths of it")
    }

    @Test("On a slow path it is followed only where that may show what is wanted")
    func slow() {
        #expect(follows(220, estimate: 100, next: 200) == nil)
        #expect(follows(220, estimate: 100, next: 400) == 440)
        #expect(follows(220, isSaturated: true, estimate: 100, next: 400) == nil)
        #expect(follows(260, estimate: 100, next: 200) == 520)
    }
}
