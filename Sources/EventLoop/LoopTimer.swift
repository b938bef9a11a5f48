// A timer on a loop (uv_timer): one shot or repeating, in whole milliseconds. It does not promise better than that.
import CUV

/// A timer. It fires on the loop's thread, never early; late by what the turn before it took.
public final class LoopTimer: LoopHandle {
    private var fire: (() -> Void)?

    /// Makes a timer that is not started. `fire` is kept until the timer is closed. On a loop that has stopped the timer
    /// never fires.
    public init(on loop: LoopThread, fire: @escaping () -> Void) {
        var failed: Int32 = 0
        unsafe super.init(
            on: loop, kind: UV_TIMER,
            open: { loop, memory in unsafe uv_timer_init(loop, memory.assumingMemoryBound(to: uv_timer_t.self)) },
            failed: &failed)
        self.fire = isOpen ? fire : nil
    }

    /// Starts it, or starts it again: it fires once `milliseconds` from now (0: in the next turn), and then each
    /// `repeating` milliseconds if that is above 0. Negative times count as 0.
    public func start(after milliseconds: Int64, repeating: Int64 = 0) {
        loop.preconditionCurrent()
        guard isOpen else { return }
        // The loop's own time is that of the turn's start: without this a long turn would make the timer early.
        unsafe uv_update_time(loop.uv)
        startNow(timeout: UInt64(max(milliseconds, 0)), repeating: UInt64(max(repeating, 0)))
    }

    /// Starts it to fire once when `MonotonicClock.now` has reached `deadline` nanoseconds, rounded up to a millisecond.
    public func start(at deadline: Int64) {
        loop.preconditionCurrent()
        guard isOpen else { return }
        let loopMilliseconds = Int64(clamping: unsafe uv_now(loop.uv))
        let dueMilliseconds = deadline <= 0 ? 0 : (deadline - 1) / 1_000_000 + 1
        startNow(timeout: UInt64(max(dueMilliseconds - loopMilliseconds, 0)), repeating: 0)
    }

    /// Stops it: it does not fire until it is started again.
    public func stop() {
        loop.preconditionCurrent()
        guard isOpen else { return }
        unsafe uv_timer_stop(pointer(to: uv_timer_t.self))
    }

    /// Whether it is started and has not fired, or repeats.
    public var isActive: Bool { unsafe isOpen && uv_is_active(handle) != 0 }

    private func startNow(timeout: UInt64, repeating: UInt64) {
        let status = unsafe uv_timer_start(
            pointer(to: uv_timer_t.self),
            { timer in unsafe LoopHandle.of(timer?.pointee.data, as: LoopTimer.self)?.fire?() }, timeout, repeating)
        precondition(status == 0, "an open timer can be started")
    }

    override func forgetCallbacks() { fire = nil }
}
