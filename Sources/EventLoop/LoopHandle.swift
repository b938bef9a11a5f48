// What every open thing on a loop shares: its C memory, its life and its close. It starts nothing itself.
import CUV

/// Something open on a loop: a timer, a watched descriptor, a signal, a turn hook. All its methods are for the loop's own
/// thread (a precondition). The loop keeps it alive until it is closed, by `close()` or by the loop's stop.
@safe public class LoopHandle {
    /// The loop it lives on.
    public let loop: LoopThread
    /// Whether it can still call back.
    public private(set) final var isOpen = false
    private let memory: UnsafeMutableRawPointer

    /// Allocates the C handle; `open` initialises it and answers libuv's status.
    init(
        on loop: LoopThread, kind: uv_handle_type,
        open: (UnsafeMutablePointer<uv_loop_t>, UnsafeMutableRawPointer) -> Int32,
        failed: inout Int32
    ) {
        loop.preconditionCurrent()
        self.loop = loop
        unsafe memory = .allocate(byteCount: uv_handle_size(kind), alignment: 16)
        failed = loop.acceptsHandles ? unsafe open(loop.uv, memory) : UV_ECANCELED.rawValue
        guard failed == 0 else {
            unsafe memory.deallocate()
            return
        }
        isOpen = true
        unsafe uv_handle_set_data(handle, Unmanaged.passUnretained(self).toOpaque())
        loop.adopt(self)
    }

    final var handle: UnsafeMutablePointer<uv_handle_t> { unsafe memory.assumingMemoryBound(to: uv_handle_t.self) }

    final func pointer<Kind>(to kind: Kind.Type) -> UnsafeMutablePointer<Kind> {
        unsafe memory.assumingMemoryBound(to: kind)
    }

    /// Ends it: it calls back no more, not even for what is already due. Closing twice is nothing.
    public func close() {
        loop.preconditionCurrent()
        guard isOpen else { return }
        isOpen = false
        forgetCallbacks()
        // libuv still holds the memory until the close callback, at the end of this turn.
        unsafe uv_close(handle) { handle in
            guard let handle = unsafe handle, let data = unsafe uv_handle_get_data(handle) else { return }
            let closed = unsafe Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue()
            unsafe closed.memory.deallocate()
            closed.loop.release(closed)
        }
    }

    /// Drops the stored closures, which often hold whoever holds this handle.
    func forgetCallbacks() {}

    static func of<Handle: LoopHandle>(_ data: UnsafeMutableRawPointer?, as kind: Handle.Type) -> Handle? {
        guard let data = unsafe data else { return nil }
        let handle = unsafe Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue()
        return unsafe handle.isOpen ? unsafeDowncast(handle, to: kind) : nil
    }
}
