// Waiting between two looks at a condition, and for another thread. Never used to hope that something has happened.
import Glibc

enum Pause {
    /// Lets other threads run.
    static func milliseconds(_ count: Int32) { _ = poll(nil, 0, count) }

    /// Raised once by one thread, waited for by another.
    final class Flag: @unchecked Sendable {
        private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        init() { sem_init(semaphore, 0, 0) }
        func raise() { sem_post(semaphore) }
        func wait() { while sem_wait(semaphore) != 0 {} }
        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }
    }
}
