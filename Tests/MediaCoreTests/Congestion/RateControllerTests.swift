// What the rate goes back to when a queue has drained.
import Testing

@testable import MediaCore

@Suite("The rate behind a queue")
struct RateControllerTests {
    /// One that sends 1,000 kb/s finds 60 ms in the queue while 600 kb/s arrive, and it empty so much later, when so much arrives.
    private func rate(drainedAfter milliseconds: Int64, arriving kilobits: Int64) -> DataRate {
        var controller = RateController(.kilobitsPerSecond(1_000))
        func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }
        var input = RateInput()
        input.roundTrip = .milliseconds(40)
        input.limit = .kilobitsPerSecond(5_000)
        input.arriving = .kilobitsPerSecond(600)
        input.sending = .kilobitsPerSecond(1_000)
        input.sendingLong = .kilobitsPerSecond(1_000)
        input.queue = .milliseconds(60)
        input.use = .over
        let isCut = controller.update(input, at: at(10_000))
        #expect(isCut && controller.rate < .kilobitsPerSecond(600))
        input.arriving = .kilobitsPerSecond(kilobits)
        input.sending = .kilobitsPerSecond(kilobits)
        input.queue = .zero
        input.use = .normal
        let isCutAgain = controller.update(input, at: at(10_000 + milliseconds))
        #expect(!isCutAgain)
        return controller.rate
    }

    @Test("A queue that was gone at once was none that a slower path made: the rate goes back to what arrives now")
    func quick() {
        #expect(rate(drainedAfter: 120, arriving: 900) == .kilobitsPerSecond(855))
        // Never above what it was.
        #expect(rate(drainedAfter: 120, arriving: 2_000) == .kilobitsPerSecond(1_000))
        // Nor below what arrived when it was full.
        #expect(rate(drainedAfter: 120, arriving: 300) == .kilobitsPerSecond(570))
    }

    @Test("One that took its time to drain was: the rate goes back to what arrived while it was full")
    func slow() {
        #expect(rate(drainedAfter: 400, arriving: 900) == .kilobitsPerSecond(570))
    }

    @Test("While little stands in the queue the smoothed rate counts too, for the last moments may have had no frame")
    func fewFrames() {
        func cut(from kilobits: Int64 = 900, queue milliseconds: Int64) -> DataRate {
            var controller = RateController(.kilobitsPerSecond(kilobits))
            var input = RateInput()
            input.limit = .kilobitsPerSecond(5_000)
            input.arriving = .kilobitsPerSecond(kilobits / 9 * 5)
            input.acknowledged = .kilobitsPerSecond(kilobits / 9 * 8)
            input.sending = .kilobitsPerSecond(kilobits / 9 * 8)
            input.sendingLong = .kilobitsPerSecond(kilobits / 9 * 8)
            input.queue = .milliseconds(milliseconds)
            input.use = .over
            let isCut = controller.update(input, at: Timestamp(nanoseconds: 10_000_000_000))
            #expect(isCut)
            return controller.rate
        }
        #expect(cut(queue: 12) > .kilobitsPerSecond(700))
        #expect(cut(queue: 60) < .kilobitsPerSecond(500))
        // Of a slow path's packets one is as much as that.
        #expect(cut(from: 180, queue: 30) < .kilobitsPerSecond(100))
    }
}
