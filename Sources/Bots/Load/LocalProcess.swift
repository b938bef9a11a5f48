// What the kernel says of a process of this machine, and of how idle its cores are.
import Glibc

/// A process beside this one.
package struct LocalProcess: Sendable {
    package let id: Int32

    package init(id: Int32) { self.id = id }

    /// Time on a core of all its threads together, in nanoseconds (the scheduler's own count, not ticks); nil when it is gone.
    package var cpuNanoseconds: Int64? {
        let tasks = Self.names(in: "/proc/\(id)/task")
        guard !tasks.isEmpty else { return nil }
        return tasks.reduce(0) { sum, task in
            let text = Self.text("/proc/\(id)/task/\(task)/schedstat")
            return sum + (text.split(separator: " ").first.flatMap { Int64($0) } ?? 0)
        }
    }

    /// Memory that it has in the machine, in bytes.
    package var residentBytes: Int { status("VmRSS:") }
    /// Of that its own, not backed by a file.
    package var anonymousBytes: Int { status("RssAnon:") }

    private func status(_ key: String) -> Int {
        for line in Self.text("/proc/\(id)/status").split(separator: "\n") where line.hasPrefix(key) {
            let number = line.split { $0 == " " || $0 == "\t" }.dropFirst().first
            return 1_024 * (number.flatMap { Int($0) } ?? 0)
        }
        return 0
    }

    /// This process.
    package static var own: LocalProcess { LocalProcess(id: getpid()) }

    /// Idle and all time of a core, or of all of them, in ticks.
    package static func idle(core: Int?) -> (idle: Int64, all: Int64) {
        let name = core.map { "cpu\($0)" } ?? "cpu"
        for line in text("/proc/stat").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.first.map(String.init) == name else { continue }
            let ticks = fields.dropFirst().prefix(8).compactMap { Int64($0) }
            guard ticks.count >= 5 else { break }
            return (ticks[3] + ticks[4], ticks.reduce(0, +))
        }
        return (0, 0)
    }

    /// A file that the kernel makes, whole.
    package static func text(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    private static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
