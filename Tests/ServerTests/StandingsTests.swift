// What is remembered of users who are called, where answers of the store overtake each other.
import Testing

@testable import Server

@Suite("What is remembered of users who are called")
struct StandingsTests {
    @Test("What was asked before a change is not remembered after it")
    func overtaken() {
        var standings = Standings()
        let old = Standings.Standing(isKnown: true, blocked: [])
        let before = standings.beginAsking("budi")
        let other = standings.beginAsking("ada")
        // The block is answered first.
        standings.change("budi") { $0.blocked.insert("mallory") }
        let after = standings.beginAsking("budi")
        var isTrue = standings.endAsking("budi", since: before, old)
        #expect(!isTrue)
        #expect(standings["budi"] == nil)
        isTrue = standings.endAsking("budi", since: after, .init(isKnown: true, blocked: ["mallory"]))
        #expect(isTrue && standings["budi"]?.blocked == ["mallory"])
        isTrue = standings.endAsking("ada", since: other, old)
        #expect(isTrue && standings["ada"]?.isKnown == true)
        standings.change("budi") { $0.blocked.remove("mallory") }
        #expect(standings["budi"]?.blocked == [])
        let erased = standings.beginAsking("budi")
        standings.forget("budi")
        isTrue = standings.endAsking("budi", since: erased, old)
        #expect(!isTrue && standings["budi"] == nil)
    }

    @Test("There are no more than may be")
    func bounded() {
        var standings = Standings()
        let many = Set((0..<Standings.capacity / 2).map { "blocked-\($0)" })
        for user in ["a", "b", "c"] {
            let changes = standings.beginAsking(user)
            let isTrue = standings.endAsking(user, since: changes, .init(isKnown: true, blocked: many))
            #expect(isTrue)
        }
        #expect(standings["c"]?.blocked.count == many.count && standings["a"] == nil)
    }
}
