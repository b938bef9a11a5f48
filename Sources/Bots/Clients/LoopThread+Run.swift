// Doing something on a loop and waiting for it, for threads that have nothing else to do.
package import EventLoop
import Glibc

extension LoopThread {
    /// Runs `body` on the loop and waits for it. Not to be called on the loop itself.
    package func run(_ body: @escaping @Sendable () -> Void) {
        precondition(!onThread, "a loop cannot wait for itself")
        let done = DoneFlag()
        perform {
            body()
            done.raise()
        }
        done.wait()
    }
}

/// Raised by one thread, waited for by another.
@safe private final class DoneFlag: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { unsafe sem_init(semaphore, 0, 0) }
    func raise() { unsafe sem_post(semaphore) }
    func wait() { while unsafe sem_wait(semaphore) != 0 {} }
    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }
}
