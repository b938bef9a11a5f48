// Timers, descriptors, signals and turn hooks.
import EventLoop
import Glibc
import Testing

@Suite("Timers")
struct TimerTests {
    @Test("timers fire in the order of their deadlines, and never early", arguments: [0, 5, 30])
    func order(_ first: Int64) async {
        let loop = LoopThread(name: "timers")
        let fired = Shared<[(name: Int, at: Int64)]>([])
        let start = MonotonicClock.now
        await PinnedActor(loop: loop).run { actor in
            for (name, delay) in [(2, first + 20), (1, first + 10), (0, first)] {
                let timer = LoopTimer(on: actor.loop) { fired.change { $0.append((name, MonotonicClock.now)) } }
                timer.start(after: delay)
            }
        }
        #expect(await wait { fired.value.count == 3 })
        #expect(fired.value.map(\.name) == [0, 1, 2])
        for (name, at) in fired.value { #expect(at - start >= (first + Int64(name) * 10 - 1) * 1_000_000) }
        loop.stop()
    }

    @Test("a repeating timer repeats until it is stopped, and not after")
    func repeating() async {
        let loop = LoopThread(name: "repeating")
        let actor = PinnedActor(loop: loop)
        let count = Shared(0)
        await actor.run { actor in
            var timer: LoopTimer?
            timer = LoopTimer(on: actor.loop) {
                count.change { $0 += 1 }
                if count.value == 5 { timer?.stop() }
            }
            timer?.start(after: 1, repeating: 1)
        }
        #expect(await wait { count.value == 5 })
        // Thirty more of the loop's milliseconds pass, by a timer of its own.
        let later = Shared(false)
        await actor.run { actor in
            LoopTimer(on: actor.loop) { later.change { $0 = true } }.start(after: 30)
        }
        #expect(await wait { later.value })
        #expect(count.value == 5)
        loop.stop()
    }

    @Test("a closed timer does not fire, and lets go of what its closure holds")
    func closed() async {
        final class Held: Sendable {}
        let loop = LoopThread(name: "closed")
        let fired = Shared(false)
        let actor = PinnedActor(loop: loop)
        let isGone = Shared(false)
        await actor.run { actor in
            let held = Held()
            let watch = Weak(held)
            let timer = LoopTimer(on: actor.loop) {
                _ = held
                fired.change { $0 = true }
            }
            timer.start(after: 0)
            timer.close()
            timer.close()
            timer.start(after: 0)
            #expect(!timer.isOpen)
            let check = LoopTimer(on: actor.loop) { isGone.change { [gone = watch.object == nil] in $0 = gone } }
            check.start(after: 20)
        }
        #expect(await wait { isGone.value })
        #expect(!fired.value)
        loop.stop()
    }

    @Test("a deadline is rounded up: it has passed when the timer fires")
    func deadline() async {
        let loop = LoopThread(name: "deadline")
        let early = Shared<[Int64]>([])
        let fired = Shared(0)
        await PinnedActor(loop: loop).run { actor in
            for step in 0..<40 {
                let due = MonotonicClock.now + Int64(step) * 370_000
                let timer = LoopTimer(on: actor.loop) {
                    let now = MonotonicClock.now
                    if now < due { early.change { $0.append(due - now) } }
                    fired.change { $0 += 1 }
                }
                timer.start(at: due)
            }
        }
        #expect(await wait { fired.value == 40 })
        #expect(early.value == [])
        loop.stop()
    }
}

final class Weak<Object: AnyObject> {
    weak var object: Object?
    init(_ object: Object) { self.object = object }
}

@Suite("Turn hooks")
struct TurnHookTests {
    @Test("the hook runs in the same turn as a timer, after it, before the loop polls and runs jobs")
    func afterTimers() async {
        let loop = LoopThread(name: "hook")
        let actor = PinnedActor(loop: loop)
        await actor.run { actor in
            let loop = actor.loop
            _ = TurnHook(on: loop) { if actor.seenNow.last == 1 { actor.noteFromCallback(2) } }
            let timer = LoopTimer(on: loop) {
                actor.noteFromCallback(1)
                // Jobs run when the loop polls: this one comes first if the hook did not.
                loop.perform { actor.noteFromCallback(3) }
            }
            timer.start(after: 5)
        }
        #expect(await wait { await actor.seen.contains(3) })
        #expect(await actor.seen == [1, 2, 3])
        loop.stop()
    }

    @Test("the hook runs after a job, in the next turn, without anything else happening")
    func afterJobs() async {
        let loop = LoopThread(name: "hookjobs")
        let flushed = Shared(0)
        let queued = Shared(0)
        await PinnedActor(loop: loop).run { actor in
            _ = TurnHook(on: actor.loop) { if queued.value > flushed.value { flushed.change { $0 += 1 } } }
        }
        for n in 1...20 {
            loop.perform { queued.change { $0 += 1 } }
            #expect(await wait { flushed.value == n })
        }
        loop.stop()
    }

    @Test("a deadline wakes the loop for the hook; a later one replaces it, none takes it away")
    func deadline() async {
        let loop = LoopThread(name: "hookdue")
        let woken = Shared<[Int64]>([])
        let actor = PinnedActor(loop: loop)
        let start = MonotonicClock.now
        await actor.run { actor in
            var hook: TurnHook?
            var next: Int64? = start + 40_000_000
            hook = TurnHook(on: actor.loop) {
                let now = MonotonicClock.now
                if let due = next, now >= due {
                    woken.change { $0.append(now) }
                    next = nil
                }
                hook?.wake(at: next)
            }
            hook?.wake(at: start + 3_600_000_000_000)
            hook?.wake(at: nil)
        }
        #expect(await wait { woken.value.count == 1 })
        #expect(woken.value.allSatisfy { $0 >= start + 40_000_000 })
        loop.stop()
    }
}

extension PinnedActor {
    nonisolated var seenNow: [Int] { assumeIsolated { $0.seen } }
}

@Suite("Descriptors and signals")
struct DescriptorTests {
    @Test("a pipe becomes readable when something is written into it, each turn until it is read")
    func readable() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let loop = LoopThread(name: "pipe")
        let received = Shared<[UInt8]>([])
        let actor = PinnedActor(loop: loop)
        try await actor.run { actor in
            let watch = try DescriptorWatch(on: actor.loop, descriptor: reading) { readiness in
                guard readiness.contains(.readable) else { return }
                var byte: UInt8 = 0
                if read(reading, &byte, 1) == 1 { received.change { [byte] in $0.append(byte) } }
            }
            watch.wait(for: .readable)
        }
        #expect(write(writing, [1, 2, 3] as [UInt8], 3) == 3)
        #expect(await wait { received.value.count == 3 })
        #expect(received.value == [1, 2, 3])
        loop.stop()
        close(reading)
        close(writing)
    }

    @Test("waiting for nothing is told nothing")
    func paused() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let loop = LoopThread(name: "paused")
        let calls = Shared(0)
        let passed = Shared(false)
        try await PinnedActor(loop: loop).run { actor in
            let watch = try DescriptorWatch(on: actor.loop, descriptor: reading) { _ in calls.change { $0 += 1 } }
            watch.wait(for: .readable)
            watch.wait(for: [])
            LoopTimer(on: actor.loop) { passed.change { $0 = true } }.start(after: 30)
        }
        #expect(write(writing, [1] as [UInt8], 1) == 1)
        #expect(await wait { passed.value })
        #expect(calls.value == 0)
        loop.stop()
        close(reading)
        close(writing)
    }

    @Test("a descriptor that cannot be watched is a typed error that says so")
    func unwatchable() async {
        let loop = LoopThread(name: "bad")
        _ = await PinnedActor(loop: loop).run { actor in
            #expect(throws: EventLoopError.cannotWatchDescriptor(descriptor: 1_000_000, code: EBADF)) {
                try DescriptorWatch(on: actor.loop, descriptor: 1_000_000) { _ in }
            }
        }
        #expect(EventLoopError.cannotWatchDescriptor(descriptor: 9, code: EBADF).description.contains("bad file"))
        loop.stop()
    }

    @Test("a signal is told to the loop, and does not end the process")
    func signal() async throws {
        let loop = LoopThread(name: "signal")
        let received = Shared(0)
        try await PinnedActor(loop: loop).run { actor in
            _ = try SignalWatch(on: actor.loop, signal: SIGUSR2) { received.change { $0 += 1 } }
        }
        kill(getpid(), SIGUSR2)
        #expect(await wait { received.value == 1 })
        loop.stop()
    }

    @Test("on a loop that has stopped nothing opens, and nothing breaks")
    func stopped() async {
        let loop = LoopThread(name: "stopped")
        let actor = PinnedActor(loop: loop)
        loop.stop()
        await actor.run { actor in
            let timer = LoopTimer(on: actor.loop) {}
            #expect(!timer.isOpen)
            timer.start(after: 0)
            timer.close()
            let hook = TurnHook(on: actor.loop) {}
            hook.wake(at: 0)
            hook.close()
            #expect(throws: EventLoopError.loopStopped) {
                try DescriptorWatch(on: actor.loop, descriptor: 0) { _ in }
            }
        }
    }
}

@Suite("The limit of descriptors", .serialized)
struct DescriptorLimitTests {
    @Test("It is raised to what is wanted, no further than the hard limit, and never lowered")
    func raising() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var before = rlimit()
        #expect(getrlimit(resource, &before) == 0)
        defer { setrlimit(resource, &before) }
        var low = rlimit(rlim_cur: min(2_000, before.rlim_max), rlim_max: before.rlim_max)
        #expect(setrlimit(resource, &low) == 0)
        let hard = Int(clamping: before.rlim_max)
        #expect(DescriptorLimit.raise(to: 3_000) == min(3_000, hard))
        var now = rlimit()
        #expect(getrlimit(resource, &now) == 0 && Int(now.rlim_cur) == min(3_000, hard))
        #expect(DescriptorLimit.raise(to: 10) == min(3_000, hard))
        #expect(DescriptorLimit.raise(to: .max) == hard)
    }
}
