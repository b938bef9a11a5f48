// A child process with its output, for tests of the command as a user runs it.
package import Glibc

/// A program that a test started, ended at the latest with the object.
@safe package final class ChildProcess {
    /// The process id.
    package let id: pid_t
    private let output: Int32
    package private(set) var text = ""
    private var status: Int32?

    /// The command beside the test bundle or the benchmark.
    package static let command: String = {
        let bundle = CommandLine.arguments[0]
        return bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/majlis"
    }()

    /// Starts a program; standard output and standard error come together.
    package init?(_ program: String, _ arguments: [String], environment: [String] = []) {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { return nil }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        unsafe posix_spawn_file_actions_addclose(&actions, ends[0])
        var argv: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] =
            unsafe (["PATH=/usr/bin:/bin"] + environment).map { unsafe strdup($0) } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var child: pid_t = 0
        let failed = unsafe posix_spawn(&child, program, &actions, nil, &argv, &envp)
        close(ends[1])
        guard failed == 0 else {
            close(ends[0])
            return nil
        }
        id = child
        output = ends[0]
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
    }

    deinit {
        if status == nil {
            kill(id, SIGKILL)
            waitpid(id, nil, 0)
        }
        close(output)
    }

    /// Takes in what was printed.
    package func read() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe Glibc.read(output, &chunk, chunk.count)
            guard count > 0 else { return }
            text += String(decoding: chunk[..<count], as: UTF8.self)
        }
    }

    /// Whether the text appears in the output before the time is over.
    package func prints(_ wanted: String, seconds: Int64 = 15) -> Bool {
        Deadline.wait(seconds: seconds) {
            read()
            return text.contains(wanted)
        }
    }

    package func signal(_ number: Int32) { kill(id, number) }

    /// The exit code, or 128 and the signal that ended it; nil when it still runs after the time.
    package func exitCode(seconds: Int64 = 15) -> Int32? {
        _ = Deadline.wait(seconds: seconds) {
            read()
            if status != nil { return true }
            var raw: Int32 = 0
            guard unsafe waitpid(id, &raw, WNOHANG) == id else { return false }
            status = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + (raw & 0x7f)
            return true
        }
        read()
        return status
    }
}
