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

    @Test("A path that has become longer is told from a queue by the few packets that are left, too")
    func longerPath() throws {
        // Where one late packet in ten was taken for a queue of ours, the picture was gone for twenty seconds.
        let run = NetworkScenarios.routeChange.run(seed: 11, withCurves: false)
        let measure = try #require(run.measures.first { $0.name == "media on the longer path" })
        #expect(measure.value >= 1_300)
    }
}
