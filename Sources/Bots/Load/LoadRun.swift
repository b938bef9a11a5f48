// One run of load: fills rooms with bots, waits until they are in, measures, empties them.
import EventLoop
import Glibc

/// Makes a token for a user and a room.
package typealias TokenMaker = (_ user: String, _ room: String, _ number: Int) throws -> String

extension BotHost {
    /// Lets people join a Majlis room, one after another. Their schedule's persons are the people in order.
    package func join(
        _ profiles: [BotProfile], at place: ServerPlace, schedule: TalkSchedule, voices: [Voice],
        joinsPerSecond: Double, token: TokenMaker
    ) throws {
        precondition(!voices.isEmpty, "everybody has a voice")
        var tokens: [String] = []
        for profile in profiles { tokens.append(try token(profile.user, profile.room, profile.number)) }
        let made = tokens
        loop.run { [self] in
            for (index, profile) in profiles.enumerated() {
                let bot = Bot(
                    profile, on: self, voice: voices[profile.number % voices.count],
                    turns: schedule.turns(of: index))
                bot.session = MajlisSession(bot, at: place, token: made[index])
                add(bot, joinsPerSecond: joinsPerSecond)
            }
        }
    }
}

/// A run.
package final class LoadRun {
    private let options: LoadOptions
    private let progress: LoadProgress
    private let host: BotHost
    private let voices: [Voice]
    private var schedules: [TalkSchedule] = []
    private let began = MonotonicClock.now

    /// Encodes what bots say and show, and begins their joins.
    package init(_ options: LoadOptions, token: TokenMaker) throws {
        self.options = options
        progress = LoadProgress(isQuiet: options.isQuiet)
        let places = try options.servers.map { try ServerPlace($0) }
        progress.say("encoding what the bots say\(options.cameras > 0 ? " and show" : "")")
        let talkers = options.pattern == .all ? options.people : max(1, options.talkers)
        voices = try options.speech.voices(
            talkers, bitsPerSecond: 24_000, payloadBytes: options.payloadBytes)
        host = try BotHost(camera: options.cameras > 0 ? Camera(layerCount: options.layers) : nil)
        if let core = options.core { host.bind(toCore: core) }
        // Long enough for joining as well.
        let milliseconds = (options.seconds + options.rooms * options.people + 60) * 1_000
        host.setTalking(true)
        for room in 0..<options.rooms {
            let schedule = TalkSchedule(
                options.pattern, people: options.people, talkers: options.talkers,
                seed: options.seed &+ UInt64(room), milliseconds: milliseconds, liveliness: options.liveliness)
            schedules.append(schedule)
            let profiles = options.profiles(room: room)
            if let janus = options.janus {
                host.joinJanus(
                    profiles, at: try ServerPlace(janus, defaultPort: 8_188, defaultPath: "/"), room: 4_711 + room,
                    schedule: schedule, voices: voices, joinsPerSecond: options.joinsPerSecond)
            } else {
                try host.join(
                    profiles, at: places[room % places.count], schedule: schedule, voices: voices,
                    joinsPerSecond: options.joinsPerSecond, token: token)
            }
        }
    }

    /// Everything, to the end.
    package func run() -> LoadResult {
        defer { host.stop() }
        let wanted = options.rooms * options.people
        let patience = Int64(Double(wanted) / options.joinsPerSecond * 1e9) + 45_000_000_000
        while true {
            let tally = host.snapshot()
            if tally.connected + tally.failed >= wanted || MonotonicClock.now - began > patience { break }
            progress.show("\(tally.connected) of \(wanted) joined\(tally.failed > 0 ? ", \(tally.failed) failed" : "")")
            pause(100)
        }
        progress.close()
        var result = LoadResult()
        result.wanted = wanted
        guard host.snapshot().connected > 0 else {
            result.failures = host.snapshot().failures
            return result
        }
        // What the last joins brought with them shall not be measured.
        pause(1_000)
        measure(&result)
        progress.close()
        return result
    }

    private func measure(_ result: inout LoadResult) {
        let server = options.serverProcess.map { LocalProcess(id: $0) }
        host.resetLatency()
        let before = host.snapshot()
        let from = host.talkMilliseconds
        let voiced = host.voiced()
        let begun = MonotonicClock.now
        let cpu = server?.cpuNanoseconds, own = LocalProcess.own.cpuNanoseconds ?? 0
        let idle = LocalProcess.idle(core: options.core)
        var seen = before, seenAt = begun, seenCPU = cpu
        while let left = remaining(since: begun, talkedSince: from) {
            pause(min(1_000, max(20, left)))
            let now = host.snapshot(), at = MonotonicClock.now, nowCPU = server?.cpuNanoseconds
            progress.show(line(now, seen, Double(at - seenAt) / 1e9, zip2(nowCPU, seenCPU), begun: begun))
            (seen, seenAt, seenCPU) = (now, at, nowCPU)
        }
        let wall = MonotonicClock.now - begun
        let after = host.snapshot()
        result.seconds = Double(wall) / 1e9
        result.tally = after.since(before)
        result.lostEver = after.lost
        result.joined = after.connected
        result.failures = after.failures
        result.serverNanoseconds = zip2(server?.cpuNanoseconds, cpu).map { $0 - $1 }
        result.serverBytes = server?.residentBytes
        result.botNanoseconds = (LocalProcess.own.cpuNanoseconds ?? 0) - own
        let idleNow = LocalProcess.idle(core: options.core)
        result.idle = Double(idleNow.idle - idle.idle) / Double(max(1, idleNow.all - idle.all))
        result.core = options.core
        // Whoever talks alone hears nobody.
        let talking = options.pattern == .all ? options.people : options.talkers
        let voicedNow = host.voiced().filter { talking > 1 || (talking == 1 && $0.key % options.people != 0) }
        result.listeners = voicedNow.count
        result.deaf = voicedNow.filter { $0.value <= voiced[$0.key] ?? 0 }.count
        result.isVoid = options.isBench && result.idle < 0.15
        countBeginnings(from: from + 1_000, until: host.talkMilliseconds - 1_000, &result)
    }

    /// How many milliseconds are still to be measured; nil: none. Where bots are too slow for the clock their talk stands still
    /// meanwhile (`BotHost`): of a conversation as much is waited for as was asked for, so that there are turns to count.
    private func remaining(since begun: Int64, talkedSince from: Int) -> Int32? {
        let passed = (MonotonicClock.now - begun) / 1_000_000, wanted = Int64(options.seconds) * 1_000
        if passed < wanted { return Int32(clamping: wanted - passed) }
        guard options.countsBeginnings, passed < wanted * Self.longestMeasure else { return nil }
        let left = wanted - Int64(host.talkMilliseconds - from)
        return left > 0 ? Int32(clamping: left) : nil
    }

    /// How many times as long as asked for is measured at most.
    private static let longestMeasure: Int64 = 6

    private func zip2(_ a: Int64?, _ b: Int64?) -> (Int64, Int64)? {
        if let a, let b { (a, b) } else { nil }
    }

    private func line(_ now: Tally, _ seen: Tally, _ seconds: Double, _ cpu: (Int64, Int64)?, begun: Int64) -> String {
        let new = now.since(seen)
        var text = "\((MonotonicClock.now - begun) / 1_000_000_000) of \(options.seconds) s, \(now.connected) in, "
        text += "\(Int(Double(new.received) / seconds)) packets/s, \(new.lost) lost"
        if let half = now.latency.milliseconds(0.5), let most = now.latency.milliseconds(0.99) {
            text += ", latency \(fixed(half, 1)) ms, p99 \(fixed(most, 1)) ms"
        }
        if let cpu { text += ", server \(fixed(Double(cpu.0 - cpu.1) / seconds / 1e7, 1)) %" }
        return text
    }

    /// Of each turn of speech of at least a second that began in the time: whether each listener heard its first 100 ms.
    private func countBeginnings(from: Int, until: Int, _ result: inout LoadResult) {
        guard options.countsBeginnings else { return }
        let heard = host.beginnings(), sounds = host.sounds()
        for room in 0..<options.rooms {
            for person in 0..<options.people where options.isTalker(person) {
                let turns = schedules[room].turns(of: person)
                for (number, turn) in turns.enumerated()
                where turn.sound == .speech && turn.length >= 1_000 && turn.start >= from && turn.start < until {
                    let sender = room * options.people + person
                    let key = HeardTurn(
                        sender: UInt16(truncatingIfNeeded: sender), turn: UInt16(truncatingIfNeeded: number))
                    for index in 0..<options.people where index != person && options.attention(index).decodes {
                        result.beginnings += 1
                        let bits = heard[room * options.people + index]?[key] ?? 0
                        if bits == 1 << UInt8(Ear.beginningPackets) - 1 { result.wholeBeginnings += 1 }
                        if let sound = sounds[room * options.people + index]?[key],
                            Likeness.isWhole(voices[sender % voices.count].beginning, in: sound)
                        {
                            result.likeBeginnings += 1
                        }
                    }
                }
            }
        }
    }

    private func pause(_ milliseconds: Int32) { _ = poll(nil, 0, milliseconds) }
}

extension BotHost {
    /// How long everybody has talked.
    package var talkMilliseconds: Int {
        let value = Lock(0)
        loop.run { [self] in
            let now = talkedMilliseconds
            value.withLock { $0 = now }
        }
        return value.withLock { $0 }
    }

    /// How much speech each bot that listens has heard, in packets, by its number.
    func voiced() -> [Int: Int] {
        let value = Lock<[Int: Int]>([:])
        loop.run { [self] in
            let made = bots.filter(\.profile.attention.decodes).reduce(into: [Int: Int]()) { all, bot in
                all[bot.profile.number] = bot.voiced
            }
            value.withLock { $0 = made }
        }
        return value.withLock { $0 }
    }

    /// What each bot that follows its room was told of it, by its number.
    package func rooms() -> [Int: FollowedRoom] {
        let value = Lock<[Int: FollowedRoom]>([:])
        loop.run { [self] in
            var all: [Int: FollowedRoom] = [:]
            for bot in bots where bot.profile.follows && bot.phase == .connected {
                if let session = bot.session as? MajlisSession { all[bot.profile.number] = session.room }
            }
            let made = all
            value.withLock { $0 = made }
        }
        return value.withLock { $0 }
    }

    /// How the beginnings of turns sounded to each bot that keeps them, by its number.
    package func sounds() -> [Int: [HeardTurn: [Int16]]] {
        let value = Lock<[Int: [HeardTurn: [Int16]]]>([:])
        loop.run { [self] in
            var all: [Int: [HeardTurn: [Int16]]] = [:]
            for bot in bots where bot.profile.attention.keepsBeginnings { all[bot.profile.number] = bot.sounds }
            let made = all
            value.withLock { $0 = made }
        }
        return value.withLock { $0 }
    }

    /// What each bot that listens has heard of the beginnings of turns, by its number.
    package func beginnings() -> [Int: [HeardTurn: UInt8]] {
        let value = Lock<[Int: [HeardTurn: UInt8]]>([:])
        loop.run { [self] in
            var all: [Int: [HeardTurn: UInt8]] = [:]
            for bot in bots where bot.profile.attention.decodes { all[bot.profile.number] = bot.beginnings }
            let made = all
            value.withLock { $0 = made }
        }
        return value.withLock { $0 }
    }
}
