// A server as a process of its own, `majlis serve`, whose log, memory and descriptors can be looked at from outside.
import Bots
import EventLoop
import Glibc
import Testing
import WholeServers

/// A `majlis serve` that a test started, with its standard error in a file that has no name any more.
final class ChildServer: @unchecked Sendable {
    enum Failure: Error { case cannotStart, noPort }

    let port: Int
    private let process: pid_t
    private let log: Int32

    /// The command beside the tests' own executable, when it was built.
    static var executable: String? {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        var candidates: [String] = []
        for path in [String(decoding: buffer.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)]
            + CommandLine.arguments
        {
            var folder = path[...]
            while let slash = folder.lastIndex(of: "/") {
                folder = folder[..<slash]
                candidates.append(folder + "/majlis")
                if candidates.count > 32 { break }
            }
        }
        return candidates.first { path in
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
    }

    init(_ options: [String] = []) throws {
        guard let executable = Self.executable else { throw Failure.cannotStart }
        log = Self.nameless()
        let output = Self.nameless()
        defer { close(output) }
        guard log >= 0, output >= 0 else { throw Failure.cannotStart }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, log, 2)
        // The sockets of other tests are not the child's.
        for descriptor in 3..<Int32(4_096) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let arguments =
            [
                executable, "serve", "--host", "127.0.0.1", "--port", "0", "--media.addresses", "127.0.0.1",
                "--media.allowPrivateCandidates", "true", "--media.workers", "1", "--logLevel", "debug",
                "--storage.path", "memory",
            ] + options
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("MAJLIS_TOKENS_SECRET=\(TestServer.secret)"), nil]
        defer { for word in words + environment { free(word) } }
        var process: pid_t = 0
        // Nor are the signals that this thread may have blocked.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let status = posix_spawn(&process, executable, &actions, &attributes, &words, &environment)
        guard status == 0 else { throw Failure.cannotStart }
        self.process = process
        _ = Deadline.wait(seconds: 20) { Self.contents(of: output).contains("\n") }
        let text = Self.contents(of: output)
        let line = text.prefix { $0 != "\n" }
        guard let colon = line.lastIndex(of: ":"), let port = Int(line[line.index(after: colon)...]) else {
            Glibc.kill(process, SIGKILL)
            waitpid(process, nil, 0)
            throw Failure.noPort
        }
        self.port = port
    }

    /// Everything that it has logged.
    var logged: String { Self.contents(of: log) }

    /// A file without a name, or -1.
    private static func nameless() -> Int32 {
        var name = Array("/tmp/majlis-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        if descriptor >= 0 { unlink(name) }
        return descriptor
    }

    private static func contents(of descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = pread(descriptor, &chunk, chunk.count, off_t(bytes.count))
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Open descriptors without the three of libdispatch's own loop (epoll, eventfd, timerfd). The runtime makes that when it needs it
    /// first, which on a busy machine is late; nothing of the server's own has a timerfd.
    var descriptors: Int {
        let folder = "/proc/\(process)/fd"
        guard let directory = opendir(folder) else { return 0 }
        defer { closedir(directory) }
        var count = 0
        var hasRuntimeLoop = false
        while let entry = readdir(directory) {
            count += 1
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var target = [CChar](repeating: 0, count: 64)
            let length = readlink("\(folder)/\(name)", &target, target.count)
            let link = String(decoding: target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if link == "anon_inode:[timerfd]" { hasRuntimeLoop = true }
        }
        return count - (hasRuntimeLoop ? 3 : 0)
    }

    /// Resident memory in MiB.
    var mebibytes: Int {
        guard let file = fopen("/proc/\(process)/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 128)
        guard fgets(&text, 128, file) != nil else { return 0 }
        let words = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4_096 / 1_048_576 : 0
    }

    /// Ends it as a crash does.
    func kill() {
        Glibc.kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// No file that it writes may become longer from now on.
    func limitFiles(to bytes: Int) {
        let child = ChildProcess("/usr/bin/prlimit", ["--pid", "\(process)", "--fsize=\(bytes)"])
        #expect(child?.exitCode() == 0)
    }

    /// Asks it to end and answers how it did: 0 for a clean end.
    @discardableResult
    func stop() -> Int32 {
        Glibc.kill(process, SIGTERM)
        var status: Int32 = 0
        let hasEnded = Deadline.wait(seconds: 15) { waitpid(process, &status, WNOHANG) != 0 }
        if !hasEnded {
            Glibc.kill(process, SIGKILL)
            waitpid(process, &status, 0)
        }
        return status
    }

    deinit { close(log) }
}
