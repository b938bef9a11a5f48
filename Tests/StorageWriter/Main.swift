// Writes missed calls, call records and active calls without end, and prints the number of each once it is acknowledged, so
// that a test can kill it and look. Also opens a file as a user who may not write it. Knows no test.
import Glibc
import Storage

/// The program: `StorageWriter write FILE ROUND WRITERS`, or `StorageWriter open FILE USER-ID`.
@main
struct StorageWriter {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let number = UInt32(arguments[3]) else { return say("wrong arguments") }
        if arguments[1] == "open" {
            open(arguments[2], asUser: number)
        } else {
            await write(arguments[2], round: number, writers: Int(arguments[4]) ?? 1)
        }
    }

    private static func open(_ path: String, asUser user: UInt32) {
        guard setuid(user) == 0 else { return say("no right to become another user") }
        do throws(StoreError) {
            let store = try Store(path: path)
            store.close()
            say("opened")
        } catch {
            say("\(error)")
        }
    }

    private static func write(_ path: String, round: UInt32, writers: Int) async {
        let store: Store
        do throws(StoreError) { store = try Store(path: path) } catch { return say("\(error)") }
        say("open")
        await withTaskGroup { group in
            for writer in 0..<writers {
                group.addTask {
                    var number = writer
                    while true {
                        await write(store, "\(round)-\(number)", at: Int64(number))
                        number += writers
                    }
                }
            }
        }
    }

    /// Every write twice: the second time must change nothing.
    private static func write(_ store: Store, _ call: String, at now: Int64) async {
        let missed = MissedCall(user: "user-\(call)", call: call, caller: "caller", media: "audio", missedAt: now)
        let record = CallRecord(
            call: call, startedAt: now, endedAt: now + 1, media: "audio", path: .direct, endReason: "hangup",
            legs: [CallLeg(role: .caller, user: "caller"), CallLeg(role: .callee, user: "user-\(call)")])
        do throws(StoreError) {
            let device = ActiveCallDevice(user: "caller", device: "one", reattachToken: Array(call.utf8))
            try await store.saveActiveCall(
                ActiveCall(call: call, startedAt: now, state: Array(call.utf8)), devices: [device], at: now)
            say("active \(call)")
            try await store.addMissedCall(missed)
            say("missed \(call)")
            try await store.addMissedCall(missed)
            try await store.endActiveCall(call, record: record, missed: [missed])
            say("ended \(call)")
        } catch {
            say("failed \(call): \(error)")
        }
    }

    /// One call of `write` for a line: lines of several writers do not mix, and what was said stays said.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = unsafe Glibc.write(1, bytes, bytes.count)
    }
}
