// Limits that many sessions have in common.
import Testing

@testable import Signalling

@Suite("Limits of many sessions together")
struct SharedLimitTests {
    private let begin = SessionTime(nanoseconds: 1_000_000_000)

    @Test("Each has four seconds' worth at once, is told when there is more, and takes nothing from others")
    func each() {
        var limit = SharedLimit<String>(perSecond: 10, sentence: "Too much.")
        for _ in 0..<40 { #expect(limit.take("ada", at: begin) == nil) }
        let refused = ProtocolError(.rateLimited, "Too much.", retryAfterMilliseconds: 100)
        // Refused again and again the wait does not become longer.
        for _ in 0..<100 { #expect(limit.take("ada", at: begin) == refused) }
        #expect(limit.take("budi", at: begin) == nil)
        #expect(limit.take("ada", at: begin.adding(milliseconds: 99)) != nil)
        #expect(limit.take("ada", at: begin.adding(milliseconds: 100)) == nil)
        #expect(limit.take("ada", at: begin.adding(milliseconds: 100)) != nil)
    }

    @Test("Who has everything back is forgotten, and no other")
    func forgetting() {
        var limit = SharedLimit<Int>(perSecond: 10, sentence: "")
        for key in 0..<1_000 { _ = limit.take(key, at: begin) }
        for _ in 0..<50 { _ = limit.take(7, at: begin) }
        limit.forgetFull(at: begin.adding(milliseconds: 99))
        #expect(limit.count == 1_000)
        limit.forgetFull(at: begin.adding(milliseconds: 100))
        #expect(limit.count == 1)
        #expect(limit.take(7, at: begin.adding(milliseconds: 50)) != nil)
        limit.forgetFull(at: begin.adding(milliseconds: 4_000))
        #expect(limit.count == 0)
    }

    @Test("Zero is no limit, and remembers nobody; the greatest number is one")
    func extremes() {
        var none = SharedLimit<Int>(perSecond: 0, sentence: "")
        for key in 0..<10_000 { #expect(none.take(key % 2, at: begin) == nil) }
        #expect(none.count == 0)
        var greatest = SharedLimit<Int>(perSecond: .max, sentence: "")
        for _ in 0..<10_000 { #expect(greatest.take(1, at: begin) == nil) }
    }
}
