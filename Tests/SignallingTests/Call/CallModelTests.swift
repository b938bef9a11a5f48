// Every order in which two users with two devices each can call, answer, give up, be lost and come back. The smaller worlds are
// walked through by every test run, the larger ones by `CallModel` (`make check-all`).
import TestSupport
import Testing

@testable import Signalling

@Suite("Every order in which a call can go", .serialized)
struct CallModelTests {
    typealias Budget = CallWorld.Budget

    /// Pure code on one thread: a sanitizer would look for long and find what it finds in the smaller worlds.
    static let isQuick = !Sanitizer.isOn

    private static let caller = CallWorld.caller
    private static let other = CallWorld.other

    @discardableResult
    private func explore(_ name: String, _ world: CallWorld, atLeast least: Int) -> CallWorld.Exploration {
        let result = CallWorld.explore(world)
        print("calls: \(name): \(result)")
        #expect(result.broken == nil)
        #expect(result.states >= least)
        #expect(result.ends > 0)
        #expect(result.stuck == 0)
        return result
    }

    private static let alone: Set<CallEndReason> = [.hungUp, .declined, .cancelled, .unanswered, .failed]

    @Test("One device calls, two ring, nothing is lost")
    func plain() {
        let result = explore(
            "one calls", CallWorld(a: [Self.caller, Self.other], b: [Self.other, Self.other]), atLeast: 2_000)
        #expect(result.reasons == Self.alone)
        #expect(result.hasTalked && !result.hasMerged)
    }

    @Test("Both call each other")
    func glare() {
        let result = explore("both call", CallWorld(a: [Self.caller], b: [Self.caller]), atLeast: 4_000)
        #expect(result.hasTalked && result.hasMerged)
    }

    @Test("One device calls, one rings, one fault happens")
    func fault() {
        let result = explore("one fault", CallWorld(a: [Self.caller], b: [Self.other], faults: 1), atLeast: 4_000)
        #expect(result.reasons == Self.alone.union([.lost]))
    }

    @Test("Two devices of one user call the same person", .enabled(if: isQuick))
    func twoCallers() {
        let result = explore("two callers", CallWorld(a: [Self.caller, Self.caller], b: [Self.other]), atLeast: 2_000)
        #expect(result.reasons.isSuperset(of: Self.alone))
    }

    @Test("Two call the same person", .enabled(if: isQuick))
    func third() {
        let result = explore(
            "a third calls", CallWorld(a: [Self.caller], b: [Self.other], c: [Self.caller]), atLeast: 2_000)
        #expect(result.reasons.isSuperset(of: Self.alone.union([.busy])))
    }

    @Test("A third is called into the call of two, and goes again", .enabled(if: isQuick))
    func added() {
        let result = explore(
            "a third is added", CallWorld(a: [Budget(invites: 1, adds: 1)], b: [Budget()], c: [Budget()]), atLeast: 500)
        #expect(result.hasTalked && result.hasMoved && result.hasReturned)
    }

    @Test("A third puts a room's call on hold and takes that back: the others know", .enabled(if: isQuick))
    func held() {
        let result = explore(
            "on hold in a room",
            CallWorld(a: [Budget(invites: 1, adds: 1)], b: [Budget()], c: [Budget(holds: 1)]), atLeast: 20_000)
        #expect(result.hasMoved && result.hasReturned && result.hasToldOthers)
    }

    @Test("Three call each other on five devices, whatever happens to these: so many ways of so many, by chance")
    func chance() {
        var chance = SeededChance(state: 7)
        let busy = Budget(invites: 3, losses: 2, reconnects: 2, duplicates: 2, adds: 2, holds: 2)
        let start = CallWorld(a: [busy, busy], b: [busy, busy], c: [busy], faults: 12, waiting: true)
        var steps = 0
        var reasons: Set<CallEndReason> = []
        for _ in 0..<200 {
            var world = start
            while let next = world.successors().randomElement(using: &chance) {
                world = next
                steps += 1
                guard let broken = world.brokenRule() else { continue }
                Issue.record("\(broken)\n\(world)")
                return
            }
            #expect(world.isQuiet)
            reasons.formUnion(world.ends.values.map(\.reason))
        }
        print("calls: by chance: \(steps) steps, ended", reasons.map(\.rawValue).sorted().joined(separator: " "))
        #expect(reasons == Self.alone.union([.busy, .lost]))
    }

    @Test("The caller is blocked: an unanswered call, whatever else happens")
    func blocked() {
        let result = explore(
            "blocked", CallWorld(a: [Self.caller], b: [Self.other, Self.other], faults: 1, blocked: true), atLeast: 50)
        // Where the caller is lost nobody is left to be told.
        #expect(result.reasons == [.cancelled, .unanswered])
        #expect(!result.hasTalked)
    }

    @Test(
        "Candidates, some of them sent before anybody has accepted, arrive in order and nowhere else",
        .enabled(if: isQuick))
    func candidates() {
        var caller = Self.caller
        caller.candidates = 2
        explore("candidates", CallWorld(a: [caller], b: [Self.other, Self.other]), atLeast: 2_000)
    }
}
