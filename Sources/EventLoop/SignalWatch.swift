// A signal of the process, told to a loop (uv_signal). The signal's default action is off while a watch is open.
import CUV

/// Watches one signal, such as SIGTERM.
public final class SignalWatch: LoopHandle {
    /// The signal's number.
    public let signal: Int32
    private var received: (() -> Void)?

    /// Starts watching. `received` is called on the loop's thread each time, and kept until the watch is closed.
    public init(on loop: LoopThread, signal: Int32, received: @escaping () -> Void) throws(EventLoopError) {
        self.signal = signal
        var failed: Int32 = 0
        unsafe super.init(
            on: loop, kind: UV_SIGNAL,
            open: { loop, memory in unsafe uv_signal_init(loop, memory.assumingMemoryBound(to: uv_signal_t.self)) },
            failed: &failed)
        guard isOpen else { throw .loopStopped }
        self.received = received
        let status = unsafe uv_signal_start(
            pointer(to: uv_signal_t.self),
            { handle, _ in unsafe LoopHandle.of(handle?.pointee.data, as: SignalWatch.self)?.received?() }, signal)
        if status != 0 {
            close()
            throw .cannotWatchSignal(signal: signal, code: -status)
        }
    }

    override func forgetCallbacks() { received = nil }
}
