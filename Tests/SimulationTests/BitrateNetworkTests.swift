// Networks that misbehave, recorded ones among them.

import SimulatedNetwork
import Testing

@Suite("Bitrate: networks")
struct BitrateNetworkTests {
    @Test("Loss, outages, other routes, sudden drops", arguments: NetworkScenarios.all.indices)
    func scenarios(_ index: Int) async { await judge(NetworkScenarios.all[index]) }

    @Test("A recorded LTE downlink", .enabled(if: RecordedNetworks.arePresent, "the recorded networks are not there"))
    func recordedDownlink() async throws {
        let down = try #require(RecordedNetworks.trace("Verizon-LTE-short.down"))
        let up = try #require(RecordedNetworks.trace("Verizon-LTE-short.up"))
        await judge(NetworkScenarios.recorded(down: down, up: up))
    }

    @Test("A recorded LTE uplink", .enabled(if: RecordedNetworks.arePresent, "the recorded networks are not there"))
    func recordedUplink() async throws {
        await judge(NetworkScenarios.recordedUplink(up: try #require(RecordedNetworks.trace("Verizon-LTE-short.up"))))
    }
}
