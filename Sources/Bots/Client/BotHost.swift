// The clock of many bots in one thread: it looks at their sockets, makes them talk, film and report, each at its own moment of the
// period, and keeps the tally.
package import EventLoop
import MediaCore
import Transport

/// Many bots and their loop. To be stopped before it is dropped.
package final class BotHost: @unchecked Sendable {
    package let loop: LoopThread
    let context: DTLSContext
    /// What cameras show; nil where nobody has one.
    let camera: Camera?
    private let batch = DatagramBatch()
    private(set) var bots: [Bot] = []
    var tally = Tally()
    /// Whether bots talk and film.
    private(set) var isTalking = false

    private var timer: LoopTimer?
    private var epoch: Int64 = 0
    private var ticks = 0
    private var joins: [Bot] = []
    private var joinInterval: Double = 0
    private var nextJoin: Double = 0
    /// How often sockets of connected bots are looked at, in milliseconds. The kernel tells when packets came, so that looking
    /// seldom makes nothing late but the looking.
    private let drainPeriod: Int
    /// Ticks that are caught up after the loop was kept away; more are skipped.
    private static let maximumCatchUp = 200

    /// - Parameter drainPeriod: how often a connected bot's socket is looked at, in milliseconds.
    package init(camera: Camera? = nil, drainPeriod: Int = 5) throws {
        loop = LoopThread(name: "bots")
        context = try DTLSContext(identity: DTLSIdentity())
        self.camera = camera
        self.drainPeriod = max(1, min(drainPeriod, 100))
        loop.run { [self] in
            epoch = MonotonicClock.now
            timer = LoopTimer(on: loop) { [weak self] in self?.turn() }
            timer?.start(after: 1, repeating: 1)
        }
    }

    /// Ends all bots and the loop.
    package func stop() {
        loop.run { [self] in
            timer?.close()
            for bot in bots { bot.close() }
        }
        loop.stop()
    }

    // MARK: For other threads

    /// A copy of the counts, with what is missing by the numbers.
    package func snapshot() -> Tally {
        let copy = Lock(Tally())
        loop.run { [self] in
            var now = tally
            now.lost = bots.reduce(0) { $0 + $1.lost }
            copy.withLock { $0 = now }
        }
        return copy.withLock { $0 }
    }

    /// Counts times of packets anew.
    package func resetLatency() { loop.run { [self] in tally.latency = LatencyHistogram() } }

    /// Lets everybody talk and film from now on, or no more.
    package func setTalking(_ talks: Bool) {
        loop.run { [self] in
            if talks, !isTalking { talkEpoch = ticks }
            isTalking = talks
        }
    }
    private var talkEpoch = 0
    /// How long everybody has talked; the loop's own.
    var talkedMilliseconds: Int { ticks - talkEpoch }

    /// Binds the loop to one core.
    package func bind(toCore core: Int) { loop.run { CoreBinding.bindThread(toCore: core) } }

    /// Ends bots: all but the first `count`.
    package func leave(allBut count: Int) {
        loop.run { [self] in for bot in bots.dropFirst(count) { bot.close() } }
    }

    // MARK: On the loop

    private var janusRooms: [Int: JanusRoom] = [:]

    /// The room of a number; the first call says how many are to publish.
    func janusRoom(_ number: Int, publishers: Int) -> JanusRoom {
        if let room = janusRooms[number] { return room }
        let room = JanusRoom(number: number, publishers: publishers)
        janusRooms[number] = room
        return room
    }

    /// Adds a bot that joins in its turn, so many a second.
    func add(_ bot: Bot, joinsPerSecond: Double) {
        bots.append(bot)
        joins.append(bot)
        joinInterval = joinsPerSecond > 0 ? 1_000 / joinsPerSecond : 0
    }

    private func turn() {
        let now = MonotonicClock.now
        let due = Int((now - epoch) / 1_000_000)
        if due - ticks > Self.maximumCatchUp {
            talkEpoch += due - ticks - Self.maximumCatchUp
            ticks = due - Self.maximumCatchUp
        }
        while ticks < due {
            ticks += 1
            tick(now, isLast: ticks == due)
        }
    }

    private func tick(_ now: Int64, isLast: Bool) {
        beginJoins()
        let wall = WallClock.now
        for (index, bot) in bots.enumerated() {
            guard bot.phase != .over else { continue }
            // Spread over the periods, by a step that shares no divisor with them.
            let phase = ticks + index * 7
            let isConnected = bot.phase == .connected
            if isLast && !isConnected || phase % drainPeriod == 0 {
                for leg in bot.legs { leg.transport.drain(batch, at: now) }
            }
            if phase % 10 == 0, !isConnected || phase % 100 == 0 {
                for leg in bot.legs { leg.transport.advance(to: now) }
            }
            if phase % 100 == 50 { bot.sendFeedback(withReports: phase % 1_000 < 100, now: now, wall: wall) }
            guard isConnected else { continue }
            if phase % 20 == 0 {
                if isTalking { bot.speak(at: (ticks - talkEpoch) / 20 * 20, wall: wall) }
                bot.play()
            }
            // 30 times a second: three times in 100 ms.
            let moment = phase % 100
            if moment == 0 || moment == 33 || moment == 67, !bot.layers.isEmpty { bot.film(wall: wall) }
        }
    }

    private func beginJoins() {
        guard !joins.isEmpty else { return }
        if joinInterval == 0 { nextJoin = 0 }
        nextJoin = max(nextJoin, Double(ticks) - 1_000)
        while let bot = joins.first, Double(ticks) >= nextJoin {
            joins.removeFirst()
            bot.begin()
            nextJoin += joinInterval
        }
    }
}
