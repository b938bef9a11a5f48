// Receivers whose feedback is lost, poor or absent.

import SimulatedNetwork
import Testing

@Suite("Bitrate: fallbacks")
struct BitrateFallbackTests {
    @Test("Less feedback than hoped for", arguments: FallbackScenarios.all.indices)
    func scenarios(_ index: Int) async { await judge(FallbackScenarios.all[index]) }
}
