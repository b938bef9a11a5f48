// The loop as an executor: which thread, which order, what a stop leaves.
import EventLoop
import Glibc
import TestSupport
import Testing

/// An actor pinned to a loop, as the media worker is.
actor PinnedActor {
    let loop: LoopThread
    private(set) var seen: [Int] = []
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: LoopThread) { self.loop = loop }

    func note(_ number: Int) { seen.append(number) }
    func isOnLoop() -> Bool { loop.onThread }

    /// What a C callback does: it is on the thread, but in no Swift job.
    nonisolated func noteFromCallback(_ number: Int) {
        assumeIsolated { $0.seen.append(number) }
    }

    func run<Result: Sendable>(_ body: @Sendable (isolated PinnedActor) throws -> Result) rethrows -> Result {
        try body(self)
    }
}

/// Waits without a loop of its own: a condition with a deadline.
func wait(seconds: Double = 10, until condition: () async -> Bool) async -> Bool {
    let deadline = MonotonicClock.now + Int64(seconds * 1e9)
    while MonotonicClock.now < deadline {
        if await condition() { return true }
        Pause.milliseconds(1)
    }
    return await condition()
}

/// A value that closures on several threads write.
final class Shared<Value: Sendable>: Sendable {
    private let lock: Lock<Value>
    init(_ value: Value) { lock = Lock(value) }
    var value: Value { lock.withLock { $0 } }
    func change(_ body: @Sendable (inout Value) -> Void) { lock.withLock { body(&$0) } }
}

@Suite("The loop as an executor")
struct ExecutorTests {
    @Test("an actor pinned to a loop runs on the loop's thread, whoever calls it")
    func identity() async {
        let loop = LoopThread(name: "identity")
        let actor = PinnedActor(loop: loop)
        #expect(!loop.onThread)
        #expect(await actor.isOnLoop())
        await withTaskGroup { group in
            for _ in 0..<20 { group.addTask { await actor.isOnLoop() } }
            for await isOnLoop in group { #expect(isOnLoop) }
        }
        loop.stop()
    }

    @Test("the thread has the loop's name")
    func threadName() async {
        let loop = LoopThread(name: "named")
        let name = await PinnedActor(loop: loop).run { _ in
            let file = open("/proc/thread-self/comm", O_RDONLY)
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 32)
            let count = read(file, &bytes, bytes.count)
            return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        }
        #expect(name == "named\n")
        loop.stop()
    }

    @Test("closures and jobs run in the order they came, many turns' worth of them")
    func order() async {
        let loop = LoopThread(name: "order")
        let seen = Shared<[Int]>([])
        let count = LoopThread.jobsPerTurn * 5
        for number in 0..<count { loop.perform { seen.change { $0.append(number) } } }
        #expect(await wait { seen.value.count == count })
        #expect(seen.value == Array(0..<count))
        loop.stop()
    }

    @Test("an actor can be entered from a callback on the thread that is no Swift job")
    func callback() async {
        let loop = LoopThread(name: "callback")
        let actor = PinnedActor(loop: loop)
        await actor.run { actor in
            let timer = LoopTimer(on: actor.loop) { actor.noteFromCallback(7) }
            timer.start(after: 0)
        }
        #expect(await wait { await actor.seen == [7] })
        loop.stop()
    }

    @Test("four threads enqueue a hundred thousand jobs and none is lost")
    func contention() async {
        let loop = LoopThread(name: "contention")
        let actor = PinnedActor(loop: loop)
        await withTaskGroup { group in
            for lane in 0..<4 { group.addTask { for n in 0..<25_000 { await actor.note(lane * 25_000 + n) } } }
        }
        let seen = await actor.seen
        #expect(seen.count == 100_000)
        for lane in 0..<4 {
            let own = seen.filter { $0 / 25_000 == lane }
            #expect(own == own.sorted())
        }
        loop.stop()
    }

    @Test("a flood of jobs does not keep timers from firing")
    func fairness() async {
        let loop = LoopThread(name: "fairness")
        let fired = Shared(false)
        let isFlooding = Shared(true)
        await PinnedActor(loop: loop).run { actor in
            let timer = LoopTimer(on: actor.loop) { fired.change { $0 = true } }
            timer.start(after: 1)
        }
        flood(loop, isFlooding)
        #expect(await wait { fired.value })
        isFlooding.change { $0 = false }
        loop.stop()
    }

    @Test("a stop runs the jobs already taken, and nobody who awaits hangs, even afterwards")
    func stopWithPendingJobs() async {
        let loop = LoopThread(name: "pending")
        let actor = PinnedActor(loop: loop)
        let count = Shared(0)
        loop.perform { Pause.milliseconds(20) }
        for _ in 0..<3_000 { loop.perform { count.change { $0 += 1 } } }
        let awaiting = Task { await actor.note(1) }
        loop.stop()
        #expect(count.value == 3_000)
        await awaiting.value
        await actor.note(2)
        #expect(await actor.seen == [1, 2])
        #expect(await actor.isOnLoop())
        #expect(await actor.run { $0.seen.count } == 2)
        loop.stop()
    }

    @Test("jobs that come from several threads after a stop still run one at a time")
    func lateJobs() async {
        let loop = LoopThread(name: "late")
        let actor = PinnedActor(loop: loop)
        loop.stop()
        await withTaskGroup { group in
            for lane in 0..<4 { group.addTask { for n in 0..<500 { await actor.note(lane * 500 + n) } } }
        }
        #expect(await actor.seen.sorted() == Array(0..<2_000))
    }

    @Test("a stop waits for what was registered to end first, and closes every handle")
    func stopActions() async {
        let loop = LoopThread(name: "actions")
        let order = Shared<[String]>([])
        await PinnedActor(loop: loop).run { actor in
            let loop = actor.loop
            let forever = LoopTimer(on: loop) {}
            forever.start(after: 1, repeating: 1)
            loop.atStop { finished in
                order.change { $0.append("asked") }
                let timer = LoopTimer(on: loop) {
                    order.change { $0.append("done") }
                    finished()
                }
                timer.start(after: 20)
            }
        }
        loop.stop()
        #expect(order.value == ["asked", "done"])
    }

    @Test("a loop's object goes when it has stopped and nobody holds it")
    func noLeak() {
        weak var gone: LoopThread?
        do {
            let loop = LoopThread(name: "leak")
            gone = loop
            loop.stop()
        }
        #expect(gone == nil)
    }

    @Test("a handle's method on a foreign thread stops the process")
    func wrongThread() async {
        await #expect(processExitsWith: .failure) {
            let loop = LoopThread(name: "wrong")
            _ = LoopTimer(on: loop) {}
        }
    }

    @Test("stopping a loop on its own thread stops the process")
    func stopInside() async {
        await #expect(processExitsWith: .failure) {
            let loop = LoopThread(name: "inside")
            loop.perform { loop.stop() }
            sleep(10)
        }
    }
}

/// Keeps a loop's inbox from ever being empty.
private func flood(_ loop: LoopThread, _ isFlooding: Shared<Bool>) {
    for _ in 0..<LoopThread.jobsPerTurn * 2 { refill(loop, isFlooding) }
}

private func refill(_ loop: LoopThread, _ isFlooding: Shared<Bool>) {
    loop.perform { if isFlooding.value { refill(loop, isFlooding) } }
}

@Suite("The lock")
struct LockTests {
    @Test("a hundred thousand increments from many tasks are all there")
    func exclusion() async {
        let counter = Shared(0)
        await withTaskGroup { group in
            for _ in 0..<10 { group.addTask { for _ in 0..<10_000 { counter.change { $0 += 1 } } } }
        }
        #expect(counter.value == 100_000)
    }
}

@Suite("The clocks")
struct ClockTests {
    @Test("the monotonic clock does not go back, and counts nanoseconds")
    func monotonic() {
        let start = MonotonicClock.now
        Pause.milliseconds(2)
        let end = MonotonicClock.now
        #expect(end - start >= 2_000_000)
        #expect(end - start < 10_000_000_000)
    }

    @Test("the wall clock is in this century")
    func wall() {
        #expect(WallClock.seconds > 1_700_000_000)
        let (before, now, after) = (WallClock.seconds, WallClock.now, WallClock.seconds)
        #expect((before...after).contains(now / 1_000_000_000))
    }
}
