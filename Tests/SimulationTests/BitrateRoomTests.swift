// Many people, slots of different sizes, a shared screen.

import SimulatedNetwork
import Testing

@Suite("Bitrate: rooms")
struct BitrateRoomTests {
    @Test("Whole rooms behind narrow links", arguments: RoomScenarioSet.all.indices)
    func scenarios(_ index: Int) async { await judge(RoomScenarioSet.all[index]) }
}
