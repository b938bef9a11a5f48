// The cases of RFC 8867, each with many seeds.

import SimulatedNetwork
import Testing

@Suite("Bitrate: RFC 8867")
struct BitrateStandardTests {
    @Test("Rate, queue, loss and fairness in the RFC's cases", arguments: StandardScenarios.all.indices)
    func scenarios(_ index: Int) async { await judge(StandardScenarios.all[index]) }
}
