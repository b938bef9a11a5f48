// The two clocks of the machine, read once per call. Nothing here waits; timers are LoopTimer's.
import Glibc

/// The clock that never goes back: for deadlines, durations and every time the core is given.
public enum MonotonicClock {
    /// Nanoseconds of CLOCK_MONOTONIC: since some moment of the machine's start.
    @inline(__always)
    public static var now: Int64 { readNanoseconds(CLOCK_MONOTONIC) }
}

/// The time of day: for tokens, certificates and logs, never for durations.
public enum WallClock {
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    @inline(__always)
    public static var now: Int64 { readNanoseconds(CLOCK_REALTIME) }

    /// Whole seconds since 1970-01-01 00:00 UTC.
    public static var seconds: Int64 { now / 1_000_000_000 }
}

@usableFromInline
func readNanoseconds(_ clock: Int32) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}
