import Testing

// The parts of sending by themselves: round trip, budget, retransmission map, key-frame requests, and the arena.
@testable import MediaCore

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

@Suite("Sending")
struct SendingTests {
    @Test("A budget gives its burst, then its rate")
    func budget() {
        var budget = Budget(capacity: 10, perSecond: 100)
        #expect((0..<20).filter { _ in budget.take(at: at(0)) }.count == 10)
        #expect((0..<20).filter { _ in budget.take(at: at(50)) }.count == 5)
        #expect((0..<20).filter { _ in budget.take(at: at(100_000)) }.count == 10)
        #expect(budget.take(at: at(0)) == false)
    }

    @Test("A round trip that cannot be is not believed, others are smoothed")
    func roundTrip() {
        var roundTrip = RoundTrip()
        #expect(roundTrip.value == RoundTrip.assumed)
        roundTrip.note(.milliseconds(40))
        roundTrip.note(.milliseconds(-5))
        roundTrip.note(.seconds(60))
        #expect(roundTrip.value == .milliseconds(40))
        roundTrip.note(.milliseconds(80))
        #expect(roundTrip.value == .milliseconds(50))
        #expect(roundTrip.last == .milliseconds(80))
    }

    @Test("The map finds what was sent until it is overwritten")
    func map() {
        var map = RetransmissionMap(packets: 8)
        for number in 0..<10 as Range<Int64> {
            var packet = SentPacket()
            packet.number = number
            packet.source = number * 2
            map.note(packet)
        }
        let found = [1, 2, 9, 10].map { map.find($0)?.source }
        #expect(found == [nil, 4, 18, nil])
        map.noteResent(9, at: at(5))
        map.noteResent(1, at: at(5))
        let resent = map.find(9)
        #expect(resent?.resent == 1 && resent?.resentAt == at(5))
    }

    @Test("Key-frame requests are at least an interval apart and repeated until one comes")
    func requests() {
        var requester = KeyFrameRequester()
        let interval = TimeDelta.milliseconds(500)
        #expect(requester.request(.sourceSwitch, at: at(0), interval: interval) == true)
        requester.sent(at: at(0), interval: interval)
        #expect(requester.request(.receiverRequest, at: at(100), interval: interval) == false)
        #expect(requester.isDue(at: at(500)))
        requester.sent(at: at(500), interval: interval)
        requester.settle()
        #expect(!requester.isDue(at: at(5_000)))
        #expect(requester.request(.receiverRequest, at: at(700), interval: interval) == false)
        #expect(requester.next == at(1_000))
    }

    @Test("A receiver's requests are three seconds apart, one alone is served sooner, and what is put off comes")
    func receiverBudget() {
        var budget = KeyFrameBudget()
        #expect(budget.ask(at: at(0), isAlone: false) == true)
        #expect(budget.ask(at: at(2_000), isAlone: false) == false)
        #expect(budget.deferredTo == at(3_400))
        budget.keyFrameForwarded(at: at(2_500))
        #expect(budget.deferredTo == nil)
        #expect(budget.ask(at: at(3_400), isAlone: false) == true)
        #expect(budget.ask(at: at(4_500), isAlone: true) == true)
    }

    private func fill(_ egress: inout Egress) -> Int {
        var count = 0
        egress.beginCall()
        while let place = egress.place(for: 100) {
            egress.arena.withMutableSpan(place, 100) { span in
                for i in 0..<100 { span[i] = UInt8(count) }
            }
            egress.commit(100, to: PeerID(UInt32(count)), kind: .rtp)
            count += 1
        }
        return count
    }

    @Test("The arena keeps room behind each datagram, gives every call a quarter, and is used again")
    func arena() {
        var egress = Egress(capacity: 4_096)
        for round in 0..<3 {
            // Whatever was written before, each call has its quarter, as long as the arena is emptied in time.
            var calls = 0
            while !egress.isNearlyFull {
                let count = fill(&egress)
                #expect(count == 3, "round \(round), call \(calls)")
                calls += 1
            }
            #expect(calls == 4)
            let last = egress.withBytes(of: 0) { bytes, count -> Int in
                for i in count..<bytes.count { bytes[i] = 0xee }
                return bytes.count
            }
            #expect(last == 100 + Egress.tailRoom)
            let second = egress.copy(of: 1)
            #expect(second == [UInt8](repeating: 1, count: 100))
            let shown = egress.withSpan(of: 1) { span in span.indices.map { span[$0] } }
            #expect(shown == second)
            egress.removeAll()
            let isEmpty = egress.datagrams.isEmpty
            #expect(isEmpty)
        }
    }

    @Test("What a room may write does not depend on what others left in the arena")
    func arenaOfSeveralRooms() {
        var alone = Egress(capacity: 1 << 16)
        var shared = Egress(capacity: 1 << 16)
        while !shared.isNearlyFull { _ = fill(&shared) }
        shared.removeAll()
        for _ in 0..<2 { _ = fill(&shared) }
        let besideOthers = fill(&shared)
        let byItself = fill(&alone)
        #expect(besideOthers == byItself)
    }

    @Test("A slab gives its rows numbers that are used again, and frees what they own")
    func slab() {
        final class Owned {
            static nonisolated(unsafe) var alive = 0
            init() { Owned.alive += 1 }
            deinit { Owned.alive -= 1 }
        }
        struct Row: ~Copyable {
            var owned = Owned()
            var value = 0
        }
        do {
            var slab = Slab<Row>(capacity: 1)
            let numbers = (0..<20).map { _ in slab.insert(Row()) }
            #expect(numbers == Array(0..<20))
            for i in 0..<20 { slab[i].value = i }
            slab.remove(7)
            slab.remove(3)
            #expect(Owned.alive == 18)
            let again = slab.insert(Row())
            let value = slab[19].value
            let holds = slab.contains(7)
            #expect(again == 3 && value == 19 && !holds)
        }
        #expect(Owned.alive == 0)
    }
}
