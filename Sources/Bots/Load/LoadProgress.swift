// One line that says how a run goes: rewritten in place on a terminal, a new one every five seconds elsewhere.
import EventLoop
import Glibc

/// The line on standard error.
final class LoadProgress {
    private let isQuiet: Bool
    private let isTerminal = isatty(2) == 1
    private var last: Int64 = 0
    private var isOpen = false

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    /// Says something that stays.
    func say(_ text: String) {
        guard !isQuiet else { return }
        close()
        write(text + "\n")
    }

    /// Says how it goes.
    func show(_ text: @autoclosure () -> String) {
        guard !isQuiet else { return }
        let now = MonotonicClock.now
        guard now - last >= (isTerminal ? 200_000_000 : 5_000_000_000) else { return }
        last = now
        if isTerminal {
            write("\r\u{1b}[K" + text())
            isOpen = true
        } else {
            write(text() + "\n")
        }
    }

    /// Ends the line that is rewritten.
    func close() {
        if isOpen { write("\n") }
        isOpen = false
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe Glibc.write(2, bytes, bytes.count)
    }
}
