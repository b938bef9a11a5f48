// Which layers are forwarded, and which are wanted of publishers.

import SimulatedNetwork
import Testing

@Suite("Bitrate: layers")
struct BitrateLayerTests {
    @Test("The right layer for each receiver, and soon when it comes back", arguments: LayerScenarios.all.indices)
    func scenarios(_ index: Int) async { await judge(LayerScenarios.all[index]) }
}
