// A thread that runs a libuv loop and is the executor of the actors pinned to it. It knows nothing of sockets or media.
import CUV
import Glibc
import Synchronization

/// A thread with a libuv loop. An actor is pinned to it by
/// `nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }`; from a C callback on the
/// thread the actor is entered by `assumeIsolated`. The object must outlive those actors: let each hold it.
@safe public final class LoopThread: SerialExecutor, @unchecked Sendable {
    /// How many jobs one turn runs at most. What is left over waits for the next turn, after timers and descriptors.
    public static let jobsPerTurn = 256
    /// How long handles that are not this module's own (libwebsockets') may take to close once the loop stops.
    static let foreignCloseMilliseconds: UInt64 = 3_000

    /// The thread's name, as the kernel has it (15 bytes of it).
    public let name: String
    let uv: UnsafeMutablePointer<uv_loop_t>
    private let wakeUp: UnsafeMutablePointer<uv_async_t>
    private let inbox = Lock(Inbox())
    private let current = Atomic<UInt>(0)
    private let thread = Lock<pthread_t?>(nil)

    // The loop thread's own.
    private var openHandles: [ObjectIdentifier: LoopHandle] = [:]
    private var stopActions: [(@escaping () -> Void) -> Void] = []
    private var stopActionsUnfinished = 0
    private(set) var acceptsHandles = true

    private enum Work {
        case job(UnownedJob)
        case closure(@Sendable () -> Void)
    }

    private enum Phase { case running, stopping, stopped, stoppedAndDraining }

    private struct Inbox {
        private var work: [Work?] = []
        private var next = 0
        var phase = Phase.running
        var isWakeUpOpen = true

        var isEmpty: Bool { next == work.count }

        mutating func append(_ item: Work) { work.append(item) }

        mutating func takeFirst() -> Work? {
            guard next < work.count else { return nil }
            let first = work[next]
            work[next] = nil
            next += 1
            if next == work.count {
                work.removeAll(keepingCapacity: true)
                next = 0
            } else if next >= 1_024, next * 2 >= work.count {
                // Under a load that never lets the inbox run empty, what has been taken must go all the same.
                work.removeFirst(next)
                next = 0
            }
            return first
        }
    }

    /// Starts the thread. It runs until `stop()`; an object that is dropped without a stop leaves its thread running.
    public init(name: String) {
        self.name = name
        unsafe uv = .allocate(capacity: 1)
        unsafe wakeUp = .allocate(capacity: 1)
        var status = unsafe uv_loop_init(uv)
        precondition(status == 0, "a loop needs three descriptors: the process has none left")
        status = unsafe uv_async_init(uv, wakeUp) { handle in
            guard let data = unsafe handle?.pointee.data else { return }
            unsafe Unmanaged<LoopThread>.fromOpaque(data).takeUnretainedValue().runJobs()
        }
        precondition(status == 0, "a loop needs three descriptors: the process has none left")
        unsafe wakeUp.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        // The thread holds the object, so that the object cannot go while the thread runs.
        let started = unsafe startThread { raw in
            guard let raw = unsafe raw else { return nil }
            unsafe Unmanaged<LoopThread>.fromOpaque(raw).takeRetainedValue().run()
            return nil
        }
        guard let started else { preconditionFailure("the process can start no more threads") }
        thread.withLock { $0 = started }
    }

    deinit {
        unsafe wakeUp.deallocate()
        unsafe uv.deallocate()
    }

    private func startThread(
        _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
    ) -> pthread_t? {
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(self)
        guard unsafe pthread_create(&thread, nil, body, argument.toOpaque()) == 0 else {
            unsafe argument.release()
            return nil
        }
        return thread
    }

    // MARK: The executor

    /// Takes a job from any thread; the loop's thread runs it in the order taken. After the stop a short-lived thread of
    /// its own runs it instead, so that whoever awaits it does not hang.
    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    /// Runs `body` on the loop's thread, in order with the jobs. From any thread.
    public func perform(_ body: @escaping @Sendable () -> Void) { add(.closure(body)) }

    private func add(_ work: Work) {
        let needsThread = inbox.withLock { inbox in
            inbox.append(work)
            switch inbox.phase {
            case .running, .stopping:
                // Sent under the lock: the handle is open exactly as long as the flag says so. libuv itself writes to
                // the descriptor only for the first of many sends.
                if inbox.isWakeUpOpen { unsafe uv_async_send(wakeUp) }
                return false
            case .stoppedAndDraining: return false
            case .stopped:
                inbox.phase = .stoppedAndDraining
                return true
            }
        }
        if needsThread { startLateThread() }
    }

    /// The reference that actors answer as their `unownedExecutor`.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

    /// Stops the process when the caller is not on this loop's thread.
    public func checkIsolated() { preconditionCurrent() }

    /// Whether the caller is on this loop's thread; asked by `assumeIsolated` inside C callbacks.
    public func isIsolatingCurrentContext() -> Bool? { onThread }

    /// Whether the caller is on this loop's thread.
    public var onThread: Bool { UInt(pthread_self()) == current.load(ordering: .relaxed) }

    func preconditionCurrent() { precondition(onThread, "only to be called on the loop's own thread") }

    private func runJobs() {
        var budget = Self.jobsPerTurn
        while budget > 0 {
            guard runOne() else { break }
            budget -= 1
        }
        let (isWorkLeft, isStopping) = inbox.withLock { inbox in
            (!inbox.isEmpty, inbox.phase == .stopping)
        }
        if isStopping { unsafe uv_stop(uv) } else if isWorkLeft { unsafe uv_async_send(wakeUp) }
    }

    private func runOne() -> Bool {
        guard let work = inbox.withLock({ $0.takeFirst() }) else { return false }
        switch work {
        case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
        case .closure(let body): body()
        }
        return true
    }

    // MARK: The thread

    private func run() {
        current.store(UInt(pthread_self()), ordering: .relaxed)
        unsafe majlis_uv_name_thread(name)
        unsafe uv_run(uv, UV_RUN_DEFAULT)
        closeEverything()
        current.store(0, ordering: .relaxed)
        let isWorkLeft = inbox.withLock { inbox in
            let isWorkLeft = !inbox.isEmpty
            inbox.phase = isWorkLeft ? .stoppedAndDraining : .stopped
            return isWorkLeft
        }
        if isWorkLeft { startLateThread() }
    }

    private func closeEverything() {
        // Jobs first: they may still use their handles. Bounded, for one that always enqueues another would never end.
        var budget = 100 * Self.jobsPerTurn
        while budget > 0, runOne() { budget -= 1 }
        let actions = stopActions
        stopActions = []
        stopActionsUnfinished = actions.count
        for action in actions { action { [self] in stopActionsUnfinished -= 1 } }
        // The wake-up handle no longer counts, so that the loop ends once all others have gone.
        unsafe uv_unref(asHandle(wakeUp))
        let limit = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
        unsafe uv_timer_init(uv, limit)
        unsafe uv_unref(asHandle(limit))
        unsafe uv_timer_start(limit, { _ in }, Self.foreignCloseMilliseconds, 0)
        while stopActionsUnfinished > 0, unsafe uv_run(uv, UV_RUN_ONCE) != 0 && uv_is_active(asHandle(limit)) != 0 {}
        acceptsHandles = false
        for handle in openHandles.values { handle.close() }
        while unsafe uv_run(uv, UV_RUN_ONCE) != 0 && uv_is_active(asHandle(limit)) != 0 {}
        inbox.withLock { $0.isWakeUpOpen = false }
        unsafe uv_close(asHandle(wakeUp), nil)
        unsafe uv_close(asHandle(limit), nil)
        unsafe uv_run(uv, UV_RUN_NOWAIT)
        while runOne() {}
        let status = unsafe uv_loop_close(uv)
        precondition(status == 0, "somebody opened a handle on the loop and did not close it when the loop stopped")
        unsafe limit.deallocate()
    }

    private func asHandle<Kind>(_ pointer: UnsafeMutablePointer<Kind>) -> UnsafeMutablePointer<uv_handle_t> {
        unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: uv_handle_t.self)
    }

    private func startLateThread() {
        let late = unsafe startThread { raw in
            guard let raw = unsafe raw else { return nil }
            unsafe Unmanaged<LoopThread>.fromOpaque(raw).takeRetainedValue().runLate()
            return nil
        }
        guard let late else { preconditionFailure("the process can start no more threads") }
        pthread_detach(late)
    }

    private func runLate() {
        while true {
            current.store(UInt(pthread_self()), ordering: .relaxed)
            while runOne() {}
            current.store(0, ordering: .relaxed)
            let isDone = inbox.withLock { inbox in
                guard inbox.isEmpty else { return false }
                inbox.phase = .stopped
                return true
            }
            if isDone { return }
        }
    }

    /// Ends the loop: runs the jobs already taken, closes every handle, and joins the thread. Not to be called on the
    /// loop's own thread (a precondition). Calling it again waits for the first call and does nothing.
    public func stop() {
        precondition(!onThread, "a thread cannot join itself: stop a loop from outside it")
        inbox.withLock { inbox in
            guard inbox.phase == .running else { return }
            inbox.phase = .stopping
            unsafe uv_async_send(wakeUp)
        }
        thread.withLock { thread in
            guard let running = thread else { return }
            pthread_join(running, nil)
            thread = nil
        }
    }

    // MARK: What handles and other libraries need

    /// The `uv_loop_t`, for a C library that runs on a loop it is given. Whoever opens handles on it must close them in
    /// an `atStop` action.
    public var foreignLoop: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(uv) }

    /// Runs `action` on the loop's thread when the loop stops, before the loop's own handles are closed; the loop turns on
    /// until it has called what it is given (for at most three seconds). To be called on the loop's thread.
    public func atStop(_ action: @escaping (_ finished: @escaping () -> Void) -> Void) {
        preconditionCurrent()
        stopActions.append(action)
    }

    func adopt(_ handle: LoopHandle) { openHandles[ObjectIdentifier(handle)] = handle }

    func release(_ handle: LoopHandle) { openHandles[ObjectIdentifier(handle)] = nil }
}
