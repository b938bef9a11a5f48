// A capture's file, written by a thread of its own, so that a slow disk costs the media thread nothing: bytes go through
// a ring of fixed size, and what does not fit is refused and counted. Knows no blocks: who appends gives whole ones.
import Glibc
import Synchronization

/// Why a file could not be opened.
public struct CaptureFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `errno`, or the code of the call that failed.
    public let code: Int32
    /// The file.
    public let path: String
    /// One line for people.
    public var description: String { "cannot write \(path): \(unsafe String(cString: strerror(code)))" }
}

/// A file that is written in the background. `append` is for one thread at a time; everything else for any.
public final class CaptureFile: Sendable {
    /// How long bytes may wait in the ring when there are few of them.
    public static let patienceMilliseconds = 50

    private let ring: CaptureRing
    private let thread: Mutex<pthread_t?>

    /// Creates the file, which must not exist, readable by its owner alone. `capacity` is the ring's size in bytes,
    /// rounded up to a power of two of 64 KiB at least; `limit` is the longest the file may become.
    public convenience init(path: String, capacity: Int = 4 << 20, limit: Int = .max) throws(CaptureFileError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw CaptureFileError(code: errno, path: path) }
        try self.init(descriptor: descriptor, path: path, capacity: capacity, limit: limit)
    }

    /// Writes to a descriptor that is open, a pipe's for instance, and owns it from here on.
    public init(descriptor: Int32, path: String, capacity: Int = 4 << 20, limit: Int = .max) throws(CaptureFileError) {
        ring = CaptureRing(descriptor: descriptor, capacity: capacity, limit: limit)
        var thread = pthread_t()
        let shared = unsafe Unmanaged.passRetained(ring)
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<CaptureRing>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, shared.toOpaque())
        guard code == 0 else {
            unsafe shared.release()
            self.thread = Mutex(nil)
            throw CaptureFileError(code: code, path: path)
        }
        self.thread = Mutex(thread)
    }

    deinit { close() }

    /// Takes whole blocks, or refuses all of them: when the ring has no room because the disk is slow, when the file
    /// would become longer than its limit, after a failure and after `close()`. Never waits, allocates nothing. After a
    /// refusal the capture goes on with `CaptureWriter.beginSection()`, a `gap`, and a checkpoint.
    public func append(_ bytes: Span<UInt8>) -> Bool { ring.append(bytes) }

    /// How often `append` refused.
    public var refusals: Int { ring.refusals.load(ordering: .relaxed) }
    /// How many bytes `append` refused.
    public var refusedBytes: Int { ring.refusedBytes.load(ordering: .relaxed) }
    /// Whether `append` refused because the file would have become longer than its limit.
    public var isAtLimit: Bool { ring.isAtLimit.load(ordering: .relaxed) }
    /// How many bytes are in the file.
    public var writtenBytes: Int { ring.tail.load(ordering: .acquiring) }
    /// How many bytes were taken and are not in the file yet.
    public var waitingBytes: Int { max(0, ring.head.load(ordering: .acquiring) - ring.tail.load(ordering: .acquiring)) }
    /// The `errno` of the write that failed, after which nothing more is written; nil while all is well.
    public var failure: Int32? {
        let code = ring.failure.load(ordering: .acquiring)
        return code == 0 ? nil : code
    }

    /// Writes what was taken, and closes the file. Waits for the disk. A second call does nothing.
    public func close() {
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let running else { return }
        ring.isClosing.store(true, ordering: .sequentiallyConsistent)
        ring.wake()
        pthread_join(running, nil)
    }
}

/// What the two threads share: one moves `head`, the other `tail`; both only ever grow.
@safe final class CaptureRing: @unchecked Sendable {
    // Unchecked: the memory between `tail` and `head` belongs to the writing thread, the rest to the appending one.
    private let memory: UnsafeMutableRawPointer
    private let capacity: Int
    private let limit: Int
    private let descriptor: Int32
    private let signal: UnsafeMutablePointer<sem_t>
    let head = Atomic<Int>(0)
    let tail = Atomic<Int>(0)
    let refusals = Atomic<Int>(0)
    let refusedBytes = Atomic<Int>(0)
    let failure = Atomic<Int32>(0)
    let isClosing = Atomic<Bool>(false)
    let isAtLimit = Atomic<Bool>(false)

    init(descriptor: Int32, capacity wanted: Int, limit: Int) {
        var capacity = 64 << 10
        while capacity < wanted, capacity < 1 << 30 { capacity *= 2 }
        self.capacity = capacity
        self.limit = limit
        self.descriptor = descriptor
        unsafe memory = .allocate(byteCount: capacity, alignment: 64)
        unsafe signal = .allocate(capacity: 1)
        unsafe sem_init(signal, 0, 0)
    }

    deinit {
        Glibc.close(descriptor)
        unsafe sem_destroy(signal)
        unsafe signal.deallocate()
        unsafe memory.deallocate()
    }

    func wake() { unsafe sem_post(signal) }

    func append(_ bytes: Span<UInt8>) -> Bool {
        let head = head.load(ordering: .relaxed)
        let used = head - tail.load(ordering: .acquiring)
        guard bytes.count <= capacity - used, bytes.count <= limit - head,
            failure.load(ordering: .relaxed) == 0, !isClosing.load(ordering: .relaxed)
        else {
            if bytes.count > limit - head { isAtLimit.store(true, ordering: .relaxed) }
            refusals.wrappingAdd(1, ordering: .relaxed)
            refusedBytes.wrappingAdd(bytes.count, ordering: .relaxed)
            return false
        }
        let at = head & (capacity - 1)
        let first = min(bytes.count, capacity - at)
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe memory.advanced(by: at).copyMemory(from: base, byteCount: first)
            unsafe memory.copyMemory(from: base.advanced(by: first), byteCount: source.count - first)
        }
        self.head.store(head + bytes.count, ordering: .releasing)
        let mark = capacity / 4
        if used < mark, used + bytes.count >= mark { wake() }
        return true
    }

    /// The writing thread.
    func run() {
        while true {
            // Read before the ring is emptied: what was taken before the closing is written.
            let isLast = isClosing.load(ordering: .sequentiallyConsistent)
            drain()
            if isLast { return }
            wait()
        }
    }

    private func wait() {
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_nsec += CaptureFile.patienceMilliseconds * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_nsec -= 1_000_000_000
            deadline.tv_sec += 1
        }
        _ = unsafe sem_timedwait(signal, &deadline)
    }

    private func drain() {
        while failure.load(ordering: .relaxed) == 0 {
            let tail = tail.load(ordering: .relaxed)
            let count = head.load(ordering: .acquiring) - tail
            guard count > 0 else { return }
            let at = tail & (capacity - 1)
            let piece = min(count, capacity - at, 1 << 20)
            let written = unsafe write(descriptor, memory.advanced(by: at), piece)
            if written > 0 {
                self.tail.store(tail + written, ordering: .releasing)
            } else if written == 0 || errno != EINTR {
                failure.store(written == 0 ? ENOSPC : errno, ordering: .releasing)
            }
        }
    }
}
