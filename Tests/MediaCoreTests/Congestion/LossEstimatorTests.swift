// What loss takes from the rate, and what it does not.
import Testing

@testable import MediaCore

@Suite("What loss allows")
struct LossEstimatorTests {
    /// A second of 100 packets, so many of each 25 lost, of a rate of 1,000 kb/s of which so much was sent.
    private func limit(lost: Int, sending: Int64, arriving: Int64) -> DataRate? {
        var loss = LossEstimator()
        for stretch in 0...4 {
            for packet in 0..<25 { if packet < lost { loss.noteLost() } else { loss.noteReceived(wasLost: false) } }
            _ = loss.update(
                rate: .kilobitsPerSecond(1_000), arriving: .kilobitsPerSecond(arriving),
                sending: .kilobitsPerSecond(sending), isExplained: false, roundTrip: .milliseconds(50),
                at: Timestamp(nanoseconds: Int64(stretch) * 260_000_000))
        }
        return loss.limit
    }

    @Test("The rate is cut by the part that does not arrive, however little of the rate was sent")
    func part() {
        #expect(limit(lost: 2, sending: 1_000, arriving: 920) == DataRate(bitsPerSecond: 892_400))
        #expect(limit(lost: 2, sending: 500, arriving: 460) == DataRate(bitsPerSecond: 892_400))
        #expect(limit(lost: 15, sending: 1_000, arriving: 400) == .kilobitsPerSecond(700))
    }

    @Test("What nothing tells of is lost takes nothing")
    func nothing() {
        #expect(limit(lost: 0, sending: 1_000, arriving: 600) == nil)
    }
}
