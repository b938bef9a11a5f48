// kill -9 of the server during calls, at random moments: what was acknowledged is there afterwards, once.
import Bots
import EventLoop
import Glibc
import Signalling
import Storage
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("A server that is killed", .serialized)
struct CallKillTests {
    /// What clients were told over all rounds.
    final class Ledger {
        /// Calls whose end was acknowledged to whoever ended them.
        var ended: Set<String> = []
        /// Of these, and of those told, the ones that somebody missed, by who did.
        var missed: [String: Set<String>] = [:]
        /// Missed calls whose acknowledgement was acknowledged, and those for which that is not known.
        var seen: Set<String> = []
        var maybeSeen: Set<String> = []
        var accepted: Set<String> = []
    }

    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    @Test("Every record, missed call and acknowledgement that was acknowledged is there after kill -9, once")
    func kills() async throws {
        let rounds = Int(Self.number("MAJLIS_KILLS") ?? 5)
        let seed = Self.number("MAJLIS_SEED") ?? UInt64.random(in: 1...1_000_000)
        print("kill test: \(rounds) rounds, MAJLIS_SEED=\(seed)")
        var chance = TestChance(state: seed)
        let folder = ServerFolder()
        let ledger = Ledger()
        let killer = LoopThread(name: "killer")
        defer { killer.stop() }
        let options =
            folder.options + [
                "--calls.graceSeconds", "5", "--calls.pairSeconds", "0", "--sessions.userCommandsPerSecond", "0",
            ]
        for round in 0..<rounds {
            let server = try ChildServer(options)
            let wait = Int32.random(in: 5...400, using: &chance)
            let isDead = Pause.Flag()
            killer.perform {
                Pause.milliseconds(wait)
                server.kill()
                isDead.raise()
            }
            // Whatever is thrown: the server is gone.
            while (try? play(round, port: server.port, ledger, &chance)) != nil {}
            isDead.wait()
            try await check(folder.database, ledger, "round \(round), seed \(seed)")
        }
        try await lastRun(options, folder.database, ledger, "seed \(seed)")
        print("kill test: \(ledger.ended.count) ends, \(ledger.missed.values.reduce(0) { $0 + $1.count }) missed calls")
        #expect(ledger.ended.count > rounds)
    }

    /// Calls of two people, one after another, until the server is gone.
    private func play(_ round: Int, port: Int, _ ledger: Ledger, _ chance: inout TestChance) throws {
        let (caller, callee) = ("caller-\(round)-\(chance.next() % 1_000_000)", "callee-\(round)")
        let ada = try SignallingClient.forCalls(caller, port: port)
        let budi = try SignallingClient.forCalls(callee, port: port)
        for _ in 0..<8 {
            let call = try ada.invite(callee).call
            #expect(try budi.incoming().call == call)
            switch chance.next() % 4 {
            case 0:
                if try ada.does(.cancel(call)) {
                    ledger.ended.insert(call.text)
                    ledger.missed[callee, default: []].insert(call.text)
                }
            case 1:
                if try budi.does(.decline(call)) { ledger.ended.insert(call.text) }
            case 2:
                _ = try budi.accept(call)
                ledger.accepted.insert(call.text)
                for client in [ada, budi] { #expect(try client.does(.connected(.init(call: call, path: .direct)))) }
                if try (chance.next() % 2 == 0 ? ada : budi).does(.hangup(call)) { ledger.ended.insert(call.text) }
            default:
                if try ada.does(.cancel(call)) {
                    ledger.ended.insert(call.text)
                    ledger.missed[callee, default: []].insert(call.text)
                }
                let told = try budi.toldMissed().map(\.call)
                ledger.maybeSeen.formUnion(told.map(\.text))
                if try budi.does(.seen(Array(told.suffix(64)))) { ledger.seen.formUnion(told.suffix(64).map(\.text)) }
            }
        }
    }

    private func check(_ path: String, _ ledger: Ledger, _ comment: Comment) async throws {
        let store = try Store(path: path)
        let active = Set(try await store.activeCalls().map(\.call))
        for call in ledger.ended {
            #expect(try await store.callRecord(call) != nil, comment)
            #expect(!active.contains(call), comment)
        }
        for (user, calls) in ledger.missed {
            let waiting = try await store.missedCalls(of: user).map(\.call)
            #expect(Set(waiting).count == waiting.count, comment)
            #expect(calls.subtracting(ledger.maybeSeen).isSubset(of: waiting), comment)
            #expect(ledger.seen.isDisjoint(with: waiting), comment)
        }
        store.close()
    }

    /// After the last restart everybody is told what they missed, once, and calls whose devices do not come back are over.
    private func lastRun(_ options: [String], _ path: String, _ ledger: Ledger, _ comment: Comment) async throws {
        let server = try ChildServer(options)
        for (user, calls) in ledger.missed {
            let client = try SignallingClient.forCalls(user, port: server.port)
            let owed = calls.subtracting(ledger.maybeSeen)
            var told: [CallID] = []
            let begin = MonotonicClock.now
            while true {
                let all = try client.toldMissed().map(\.call)
                guard all.count > told.count else {
                    // On a busy machine what is owed is read from the disk after what was asked in between.
                    if owed.isSubset(of: told.map(\.text)) || MonotonicClock.now - begin > 20_000_000_000 { break }
                    continue
                }
                let new = Array(all.dropFirst(told.count))
                told = all
                #expect(try client.does(.seen(new)), comment)
            }
            #expect(Set(told).count == told.count, comment)
            #expect(ledger.seen.isDisjoint(with: told.map(\.text)), comment)
            #expect(owed.isSubset(of: told.map(\.text)), comment)
        }
        #expect(Deadline.wait(seconds: 20) { metric("calls", port: server.port) == 0 }, comment)
        #expect(metric("store_failures_total", port: server.port) == 0, comment)
        #expect(server.stop() == 0)
        let store = try Store(path: path)
        #expect(try await store.activeCalls().isEmpty, comment)
        for user in ledger.missed.keys { #expect(try await store.missedCalls(of: user).isEmpty, comment) }
        store.close()
    }
}
