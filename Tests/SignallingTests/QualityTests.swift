// The quality message: never kept, never numbered, and of bounded size.
import Testing

@testable import Signalling

@Suite("The quality message")
struct QualityTests {
    private static let direction = ServerMessage.Quality.Direction(
        lossPercent: 0.1, jitterMilliseconds: 2, kilobitsPerSecond: 300)

    private static func message(slots: Int = 1) -> ServerMessage {
        let slot = ServerMessage.Quality.Slot(
            mid: "aaaaaaaaaaaaaaaa", track: "p4294967295/aaaaaaaaaaaaaaaa", status: .unsupportedCodec, layer: 2,
            temporalLayer: 7, height: 16_383, wantedHeight: 65_535, neededKilobitsPerSecond: 1_000_000_000,
            kilobitsPerSecond: 1_000_000, lossPercent: 99.9, mos: 4.3, reason: String(repeating: "r", count: 160))
        return .quality(
            .init(
                mos: 4.3, rttMilliseconds: 10_000, receiving: direction, sending: direction,
                slots: Array(repeating: slot, count: slots)))
    }

    @Test("It has no number, is not sent again after a resume, and takes nothing of what may wait")
    func unkept() throws {
        let driver = SessionDriver.active(joined: true)
        let before = driver.machine.outbox
        for _ in 0..<5_000 {
            driver.actions = []
            driver.machine.inform(Self.message(), into: &driver.actions)
        }
        let sent = try driver.sent()
        #expect(sent.count == 1)
        #expect(sent.first?.seq == nil && sent.first?.re == nil)
        #expect(sent.first?.message == Self.message())
        #expect(driver.machine.outbox == before)
        // While there is no socket it is not sent; nor afterwards.
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        driver.actions = []
        driver.machine.inform(Self.message(), into: &driver.actions)
        #expect(driver.actions.isEmpty)
        #expect(driver.machine.outbox == before)
    }

    @Test("Nobody is told before there is a session")
    func early() {
        let driver = SessionDriver()
        driver.machine.inform(Self.message(), into: &driver.actions)
        #expect(driver.actions.isEmpty)
    }

    @Test("The longest there can be is less than 32 KiB")
    func bounded() {
        let text = ServerFrame(Self.message(slots: ServerMessage.Quality.maximumSlots)).text
        #expect(text.utf8.count < 32 * 1_024)
    }
}
