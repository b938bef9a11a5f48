// kill -9 at random moments: every acknowledged write is there once, and the file is whole.
import Glibc
import Storage
import TestSupport
import Testing
import WholeServers

/// The program that writes until it is killed.
enum StorageChild {
    /// It lies beside the test bundle, as the command does.
    static let program =
        ChildProcess.command.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        .joined(separator: "/") + "/StorageWriter"
}

struct KillTests {
    /// Chance with a seed, so that a failure can be had again (SplitMix64).
    struct Chance: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    @Test func everyAcknowledgedWriteSurvivesKillNine() async throws {
        let folder = TemporaryFolder()
        let path = folder.file("db")
        let seed = getenv("MAJLIS_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 1...1_000_000)
        print("kill test: MAJLIS_SEED=\(seed)")
        var chance = Chance(state: seed)
        var acknowledged = (active: Set<String>(), missed: Set<String>(), ended: Set<String>())
        for round in 0..<40 {
            let child = try #require(ChildProcess(StorageChild.program, ["write", path, "\(round)", "8"]))
            // Now and then while it opens, else after so many acknowledgements and a little more.
            let wanted = round % 8 == 7 ? 0 : Int.random(in: 1...300, using: &chance)
            let reached = Deadline.wait(seconds: 30) {
                child.read()
                return child.text.utf8.count { $0 == UInt8(ascii: "\n") } >= wanted
            }
            #expect(reached, "\(child.text.suffix(200))")
            Pause.milliseconds(Int32.random(in: 0...4, using: &chance))
            child.signal(SIGKILL)
            #expect(child.exitCode() == 128 + SIGKILL)
            for line in child.text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count == 2 else {
                    #expect(words == ["open"], "\(line), seed \(seed)")
                    continue
                }
                switch words[0] {
                case "active": acknowledged.active.insert(String(words[1]))
                case "missed": acknowledged.missed.insert(String(words[1]))
                default: acknowledged.ended.insert(String(words[1]))
                }
            }
            try await check(path, acknowledged, "round \(round), seed \(seed)")
        }
        #expect(acknowledged.ended.count > 40)
        print("kill test: \(acknowledged.ended.count) calls ended, \(acknowledged.active.count) begun")
    }

    private func check(
        _ path: String, _ acknowledged: (active: Set<String>, missed: Set<String>, ended: Set<String>),
        _ comment: Comment
    ) async throws {
        let store = try Store(path: path)
        let active = Set(try await store.activeCalls().map(\.call))
        store.close()
        let plain = PlainSQLite(path)
        #expect(plain.column("PRAGMA integrity_check") == ["ok"], comment)
        #expect(plain.column("PRAGMA foreign_key_check") == [], comment)
        let missed = plain.column("SELECT call FROM missed_calls")
        let ended = plain.column("SELECT call FROM call_records")
        #expect(Set(missed).count == missed.count && Set(ended).count == ended.count, comment)
        #expect(acknowledged.missed.isSubset(of: missed), comment)
        #expect(acknowledged.ended.isSubset(of: ended), comment)
        // What was begun is going on or is over, never both and never neither.
        #expect(acknowledged.active.isSubset(of: active.union(ended)), comment)
        #expect(active.isDisjoint(with: ended), comment)
        #expect(plain.column("SELECT count(*) FROM call_legs") == ["\(ended.count * 2)"], comment)
    }
}
