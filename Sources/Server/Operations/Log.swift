// The log: one line an event, on standard error. Never an address, a token, a key or a session description.
import Glibc
import Synchronization

/// How much a line matters.
public enum LogLevel: Int, Sendable, Comparable {
    case debug, info, warning, error

    /// The level with this name, or nil.
    public init?(name: String) {
        switch name {
        case "debug": self = .debug
        case "info": self = .info
        case "warning": self = .warning
        case "error": self = .error
        default: return nil
        }
    }

    /// Whether the first level matters less than the second.
    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// Writes lines of the form `2026-03-01T10:20:30.123Z info room opened room=standup`.
public struct Log: Sendable {
    /// Lines below it are not written.
    public let level: LogLevel

    /// A log that writes what matters at least this much.
    public init(level: LogLevel) { self.level = level }

    /// Writes one line when the level asks for it. Values are cut at 200 characters, and control characters replaced, so
    /// that nothing a client says can forge a line.
    public func callAsFunction(_ level: LogLevel, _ text: @autoclosure () -> String, _ fields: (String, String)...) {
        guard level >= self.level else { return }
        var line = "\(Self.now()) \(level) \(text())"
        for (name, value) in fields { line += " \(name)=\(Self.clean(value))" }
        line += "\n"
        let bytes = Array(line.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    }

    static func clean(_ value: String) -> String {
        var out = ""
        for scalar in value.unicodeScalars.prefix(200) {
            switch scalar.value {
            // Control characters of both sets, line and paragraph separators, and what turns the direction of text; and
            // the quotation mark, which ends a value.
            case 0..<0x20, 0x22, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: out.unicodeScalars.append("?")
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out.contains(" ") || out.isEmpty ? "\"\(out)\"" : out
    }

    private static func now() -> String {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        var parts = unsafe tm()
        unsafe gmtime_r(&time.tv_sec, &parts)
        func two(_ n: Int32) -> String { n < 10 ? "0\(n)" : "\(n)" }
        let millisecond = time.tv_nsec / 1_000_000
        let padding = millisecond < 10 ? "00" : millisecond < 100 ? "0" : ""
        return unsafe "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padding)\(millisecond)Z"
    }
}
