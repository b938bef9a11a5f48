// What a test has to know of a sanitizer that it runs under: limits of memory and of time do not hold there.
import Glibc

/// The sanitizer of this process, where there is one.
public enum Sanitizer {
    /// Whether this is a build with AddressSanitizer or ThreadSanitizer, and so are the programs beside it.
    public static let isOn = unsafe dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// How many times longer something may take: debug builds that also keep the stack of each allocation.
    public static let patience: Int64 = isOn ? 6 : 1

    /// Runs the body, and takes nothing that it allocates on this thread for a leak. For libraries whose leak is known.
    public static func forgivingLeaks<Result>(_ body: () throws -> Result) rethrows -> Result {
        call("__lsan_disable")
        defer { call("__lsan_enable") }
        return try body()
    }

    private static func call(_ name: String) {
        guard let symbol = unsafe dlsym(nil, name) else { return }
        unsafe unsafeBitCast(symbol, to: (@convention(c) () -> Void).self)()
    }
}
