// Waiting between two looks at a condition, and for another thread. Never used to hope that something has happened.
import Glibc

/// Bounded waiting of a thread.
package enum Pause {
    /// Lets other threads run.
    package static func milliseconds(_ count: Int32) { _ = poll(nil, 0, count) }

    /// Raised once by one thread, waited for by another.
    @safe package final class Flag: @unchecked Sendable {
        private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        package init() { unsafe sem_init(semaphore, 0, 0) }
        package func raise() { unsafe sem_post(semaphore) }
        package func wait() { while unsafe sem_wait(semaphore) != 0 {} }
        deinit {
            unsafe sem_destroy(semaphore)
            unsafe semaphore.deallocate()
        }
    }
}
