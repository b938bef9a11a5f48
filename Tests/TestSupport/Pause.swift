// Waiting between two looks at a condition, for another thread, and where the passing of time itself is what a test is
// about. Never used to hope that something has happened.
import Glibc

/// Pauses of the calling thread.
public enum Pause {
    /// Lets other threads run for so many milliseconds.
    public static func milliseconds(_ count: Int32) { _ = poll(nil, 0, count) }

    /// Raised by one thread, waited for by another.
    @safe public final class Flag: @unchecked Sendable {
        private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        /// A flag that is not raised.
        public init() { unsafe sem_init(semaphore, 0, 0) }
        /// Lets one waiting thread go on.
        public func raise() { unsafe sem_post(semaphore) }
        /// Waits until the flag is raised.
        public func wait() { while unsafe sem_wait(semaphore) != 0 {} }
        deinit {
            unsafe sem_destroy(semaphore)
            unsafe semaphore.deallocate()
        }
    }
}
