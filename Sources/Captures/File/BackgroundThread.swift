// A thread for work that may wait for a disk, so that no media or control thread has to: one piece after another, in the
// order in which they were given.
import Glibc
import Synchronization

/// A thread with a queue. `perform` may be called from any thread and waits for nothing but the queue itself.
public final class BackgroundThread: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isEnding = false
        var thread: pthread_t?
    }
    private let shared: Shared

    private final class Shared: Sendable {
        let state = Mutex(State())
        let wakeup = Wakeup()

        func run() {
            while true {
                wakeup.wait()
                let (jobs, isEnding) = state.withLock { state in
                    defer { state.jobs = [] }
                    return (state.jobs, state.isEnding)
                }
                for job in jobs { job() }
                if isEnding { return }
            }
        }
    }

    /// A thread that waits for work.
    public init() {
        shared = Shared()
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(shared)
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Shared>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        precondition(code == 0, "a server that cannot make a thread cannot begin")
        shared.state.withLock { [thread] in $0.thread = thread }
    }

    deinit { stop() }

    /// Has a piece of work done. After `stop()` it is not.
    public func perform(_ job: @escaping @Sendable () -> Void) {
        let isTaken = shared.state.withLock { state in
            guard !state.isEnding else { return false }
            state.jobs.append(job)
            return true
        }
        if isTaken { shared.wakeup.raise() }
    }

    /// Does what was given, and ends the thread. Waits for it, unless it is called by the thread itself. A second call does
    /// nothing.
    public func stop() {
        let thread = shared.state.withLock { state in
            defer { state.thread = nil }
            state.isEnding = true
            return state.thread
        }
        guard let thread else { return }
        shared.wakeup.raise()
        guard pthread_equal(thread, pthread_self()) == 0 else {
            pthread_detach(thread)
            return
        }
        pthread_join(thread, nil)
    }
}

/// Lets one thread wait for others.
@safe final class Wakeup: @unchecked Sendable {
    // Unchecked: a semaphore is made for several threads.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        let status = unsafe sem_init(semaphore, 0, 0)
        precondition(status == 0, "an unnamed semaphore needs no resource")
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func raise() { unsafe sem_post(semaphore) }
    func wait() { while unsafe sem_wait(semaphore) != 0 {} }
}
