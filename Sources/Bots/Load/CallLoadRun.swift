// A run of calls among many idle users: connects them, has calls placed and answered, and says how it went.
import EventLoop
import Glibc

/// A run.
package final class CallLoadRun {
    private let options: LoadOptions
    private let progress: LoadProgress
    private let crowd: CallCrowd
    private let tokens: [String]

    /// - Parameter token: makes the token of a user, which is to grant calls.
    package init(_ options: LoadOptions, token: (_ user: String) throws -> String) throws {
        self.options = options
        progress = LoadProgress(isQuiet: options.isQuiet)
        tokens = try (0..<options.callers).map { try token("caller-\($0)") }
        crowd = CallCrowd(
            at: try ServerPlace(options.servers.first ?? ""), from: options.sources,
            holdMilliseconds: options.holdMilliseconds)
        DescriptorLimit.raise(to: options.callers + 1_000)
    }

    /// Everything, to the end: the table, and whether no call was lost.
    package func run() -> (table: String, isGood: Bool) {
        defer { crowd.stop() }
        let server = options.serverProcess.map { LocalProcess(id: $0) }
        let bytesBefore = server?.residentBytes
        crowd.connect(tokens, perSecond: options.joinsPerSecond)
        let patience = Int64(Double(options.callers) / options.joinsPerSecond * 1e9) + 30_000_000_000
        wait(patience) { tally in
            progress.show("\(tally.connected) of \(options.callers) connected")
            return tally.connected + tally.failures.values.reduce(0, +) >= options.callers
        }
        // What signing in brought with it shall be over.
        wait(2_000_000_000) { _ in false }
        let idle = crowd.snapshot
        let bytesIdle = server?.residentBytes
        let (cpu, begun) = (server?.cpuNanoseconds, MonotonicClock.now)
        crowd.place(perSecond: options.callsPerSecond)
        wait(Int64(options.seconds) * 1_000_000_000) { tally in
            progress.show(
                "\(tally.placed) placed, \(tally.active) active, \(tally.ended) ended, set-up p99 "
                    + "\(fixed(tally.setup.milliseconds(0.99) ?? 0, 1)) ms")
            return false
        }
        let (cpuAfter, seconds) = (server?.cpuNanoseconds, Double(MonotonicClock.now - begun) / 1e9)
        crowd.place(perSecond: 0)
        // Those that go on come to their end, or count as lost.
        wait(15_000_000_000 + Int64(options.holdMilliseconds) * 1_000_000) { $0.ended + $0.lost >= $0.placed }
        progress.close()
        let tally = crowd.snapshot
        var rows: [(String, String)] = [
            ("users connected", "\(idle.connected) of \(options.callers), at the end \(tally.connected)"),
            ("calls placed", "\(tally.placed), \(fixed(Double(tally.placed) / seconds, 1)) a second"),
            ("answered", "\(tally.answered)"), ("active on both sides", "\(tally.active)"),
            ("ended on both sides", "\(tally.ended)"), ("lost", "\(tally.placed - tally.ended)"),
        ]
        if tally.unplaced > 0 { rows.append(("due while nobody was idle", "\(tally.unplaced)")) }
        for (name, histogram) in [
            ("set-up message to the other client", tally.setup), ("invitation to ringing", tally.ring),
            ("invitation to active on both sides", tally.whole),
        ] {
            let shares = [0.5, 0.95, 0.99].map { fixed(histogram.milliseconds($0) ?? 0, 2) }.joined(separator: " / ")
            let longest = fixed(Double(histogram.longest) / 1e6, 1)
            rows.append((name, "\(shares) ms (median / 95 / 99 %), longest \(longest), of \(histogram.total)"))
        }
        if let before = bytesBefore, let after = bytesIdle, idle.connected > 0 {
            let each = Double(after - before) / Double(idle.connected) / 1_024
            rows.append(("server's memory for each idle user", "\(fixed(each, 1)) KiB"))
        }
        if let cpu, let cpuAfter {
            rows.append(("server's processor time", "\(fixed(Double(cpuAfter - cpu) / seconds / 1e7, 1)) % of a core"))
        }
        for (reason, count) in tally.failures.sorted(by: { $0.key < $1.key }) { rows.append((reason, "\(count)")) }
        let table = rows.map { padded($0.0, to: 38) + $0.1 + "\n" }.joined()
        return (
            table,
            idle.connected == options.callers && (tally.placed > 0 || options.callsPerSecond == 0)
                && tally.connected == options.callers && tally.ended == tally.placed
        )
    }

    /// Waits until the condition holds or the time is over.
    private func wait(_ nanoseconds: Int64, _ isDone: (CallTally) -> Bool) {
        let end = MonotonicClock.now + nanoseconds
        while MonotonicClock.now < end, !isDone(crowd.snapshot) { _ = poll(nil, 0, 50) }
    }
}
