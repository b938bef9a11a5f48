// Waiting for a condition, with an end.
import EventLoop
import TestSupport

/// Waiting for a condition, bounded.
package enum Deadline {
    /// Whether the condition holds before the time is over, which is longer under a sanitizer; looked at every 2 milliseconds.
    package static func wait(seconds: Int64, _ condition: () -> Bool) -> Bool {
        let end = MonotonicClock.now + seconds * Sanitizer.patience * 1_000_000_000
        while MonotonicClock.now < end {
            if condition() { return true }
            Pause.milliseconds(2)
        }
        return condition()
    }
}
