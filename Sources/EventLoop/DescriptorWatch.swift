// A descriptor watched by a loop (uv_poll, which is epoll level-triggered). It neither reads, writes nor closes it.
import CUV

/// What a descriptor is ready for, or what is waited for.
public struct Readiness: OptionSet, Sendable {
    /// The bits, as libuv's.
    public let rawValue: Int32
    /// Takes the bits.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// A read or an accept will not block.
    public static let readable = Readiness(rawValue: 1)
    /// A write will not block.
    public static let writable = Readiness(rawValue: 2)
    /// The other side has shut down its writing.
    public static let disconnected = Readiness(rawValue: 4)
    /// The descriptor has failed (reported, never waited for): close the watch, then the descriptor.
    public static let failed = Readiness(rawValue: 1 << 16)
}

/// Watches one descriptor. The descriptor must stay open until the watch is closed, and is not closed with it.
public final class DescriptorWatch: LoopHandle {
    /// The descriptor.
    public let descriptor: Int32
    private var ready: ((Readiness) -> Void)?

    /// Makes a watch that waits for nothing yet. `ready` is kept until the watch is closed.
    public init(
        on loop: LoopThread, descriptor: Int32, ready: @escaping (Readiness) -> Void
    ) throws(EventLoopError) {
        self.descriptor = descriptor
        var failed: Int32 = 0
        unsafe super.init(
            on: loop, kind: UV_POLL,
            open: { loop, memory in
                unsafe uv_poll_init(loop, memory.assumingMemoryBound(to: uv_poll_t.self), descriptor)
            },
            failed: &failed)
        guard isOpen else {
            throw failed == UV_ECANCELED.rawValue
                ? .loopStopped : .cannotWatchDescriptor(descriptor: descriptor, code: -failed)
        }
        self.ready = ready
    }

    /// Waits for these from now on; the empty set waits for nothing. The loop calls back each turn for as long as one of
    /// them is true.
    public func wait(for interest: Readiness) {
        loop.preconditionCurrent()
        guard isOpen else { return }
        let status: Int32
        if interest.isEmpty {
            status = unsafe uv_poll_stop(pointer(to: uv_poll_t.self))
        } else {
            status = unsafe uv_poll_start(pointer(to: uv_poll_t.self), interest.rawValue & 7) { poll, status, events in
                let watch = unsafe LoopHandle.of(poll?.pointee.data, as: DescriptorWatch.self)
                watch?.ready?(status < 0 ? .failed : Readiness(rawValue: events))
            }
        }
        precondition(status == 0, "an open watch can be started and stopped")
    }

    override func forgetCallbacks() { ready = nil }
}
