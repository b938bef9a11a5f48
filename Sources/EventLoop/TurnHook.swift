// A call in each turn of a loop, right before it polls (uv_prepare), and the deadline that wakes the loop for it.
import CUV

/// Calls back once in every turn, after the turn's timers, and after the descriptors and jobs of the poll before it: the
/// place to bring state up to date and to send what the turn has produced. (In uv_check a timer's output would wait for
/// the next event.)
public final class TurnHook: LoopHandle {
    private var beforePoll: (() -> Void)?
    private var deadlineTimer: LoopTimer?
    private var armed: Int64?

    /// Starts calling back. `beforePoll` is kept until the hook is closed.
    public init(on loop: LoopThread, beforePoll: @escaping () -> Void) {
        var failed: Int32 = 0
        unsafe super.init(
            on: loop, kind: UV_PREPARE,
            open: { loop, memory in unsafe uv_prepare_init(loop, memory.assumingMemoryBound(to: uv_prepare_t.self)) },
            failed: &failed)
        guard isOpen else { return }
        self.beforePoll = beforePoll
        deadlineTimer = LoopTimer(on: loop) { [unowned self] in armed = nil }
        let status = unsafe uv_prepare_start(pointer(to: uv_prepare_t.self)) { prepare in
            unsafe LoopHandle.of(prepare?.pointee.data, as: TurnHook.self)?.beforePoll?()
        }
        precondition(status == 0, "an open prepare can be started")
    }

    /// Makes sure that a turn begins, and so the hook is called, once `MonotonicClock.now` has reached `deadline`
    /// nanoseconds, rounded up to a millisecond; nil takes the deadline away. There is one: a new one replaces it.
    public func wake(at deadline: Int64?) {
        loop.preconditionCurrent()
        guard isOpen, deadline != armed else { return }
        armed = deadline
        if let deadline { deadlineTimer?.start(at: deadline) } else { deadlineTimer?.stop() }
    }

    /// Ends it and its deadline.
    public override func close() {
        deadlineTimer?.close()
        super.close()
    }

    override func forgetCallbacks() {
        beforePoll = nil
        deadlineTimer = nil
    }
}
