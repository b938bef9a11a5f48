// What it costs to find out how loud people are who do not say so: two servers at once, the people of the one send audio levels.
import Bots
import EventLoop
import TestSupport

extension Suite {
    /// Fifty people with their microphones on, three of whom talk; all sound of the one room is decoded.
    func levels() throws -> [Row] {
        var load = Load.audio(talkers: 3, others: .silent, audioSlots: 4, ", 47 silent")
        let servers = [try ServerChild(cores), try ServerChild(cores)]
        var rooms = [try LoadRoom(servers[0], cores, load)]
        defer { for room in rooms { room.close() } }
        load.sendsLevels = false
        rooms.append(try LoadRoom(servers[1], cores, load))
        for room in rooms { room.start() }
        Pause.milliseconds(2_000)
        var shares: [[Double]] = [[], []]
        var costs: [Double] = []
        var decoded = 0.0, dropped = 0.0
        for round in 0..<2 * rounds {
            let order = round % 2 == 0 ? [0, 1] : [1, 0]
            func look() throws -> [(cpu: Int64, metrics: [String: Int64], at: Int64)] {
                var seen = [(cpu: Int64, metrics: [String: Int64], at: Int64)](repeating: (0, [:], 0), count: 2)
                for index in order {
                    seen[index] = (servers[index].cpuNanoseconds, try servers[index].metrics(), MonotonicClock.now)
                }
                return seen
            }
            let before = try look()
            Pause.milliseconds(roundMilliseconds / 2)
            let after = try look()
            let share = (0..<2).map { index in
                Double(after[index].cpu - before[index].cpu) / Double(after[index].at - before[index].at)
            }
            for index in 0..<2 { shares[index].append(100 * share[index]) }
            func more(_ name: String) -> Double {
                Double((after[1].metrics[name] ?? 0) - (before[1].metrics[name] ?? 0))
            }
            let wall = Double(after[1].at - before[1].at)
            costs.append((share[1] - share[0]) * wall / max(1, more("decoded_levels_total")) / 1_000)
            decoded += more("decoded_levels_total")
            dropped += more("dropped_levels_total")
        }
        for server in servers { try server.stop() }
        return [
            Row(load.name, "levels sent, share of a core", "%", shares[0]),
            Row(load.name, "none sent, all decoded, share of a core", "%", shares[1]),
            Row(load.name, "more for each packet decoded", "µs", costs),
            Row(load.name, "dropped, of \(Int(decoded))", "", [dropped]),
        ]
    }
}
