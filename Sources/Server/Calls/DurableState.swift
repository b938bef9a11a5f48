// Where the durable state of calls lies, and that only one server works on it. What is in it is the store's.
import Captures
import Glibc
import Storage

/// The store of one server, open until it is closed.
final class DurableState: Sendable {
    /// The path that stands for a store which nothing outlives.
    static let memory = "memory"

    let store: Store
    /// The descriptor that the lock is on, or -1.
    private let lock: Int32

    /// Opens the file, and makes it and its folder where they are not there.
    /// - Throws: `ConfigurationError`: the file cannot be used, or another server uses it.
    init(_ settings: Configuration.Storage) throws(ConfigurationError) {
        if settings.path.isEmpty || settings.path == Self.memory {
            store = try Self.inMemory()
            lock = -1
            return
        }
        let path = settings.path
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex, unsafe access(path, F_OK) != 0 {
            let folder = String(path[..<slash])
            if unsafe access(folder, F_OK) != 0 {
                do throws(FolderError) {
                    try PrivateFolder.prepare(folder)
                } catch {
                    throw ConfigurationError("storage.path: \(error)")
                }
            }
        }
        lock = try Self.lock(path)
        do throws(StoreError) {
            store = try Store(path: path, configuration: StoreConfiguration(queueLimit: Self.queueLimit))
        } catch {
            Glibc.close(lock)
            throw ConfigurationError("storage.path: \(error)")
        }
    }

    /// Everybody who connects asks three things at once.
    private static let queueLimit = 100_000

    /// Does what waits and closes the file.
    func close() {
        store.close()
        if lock >= 0 { Glibc.close(lock) }
    }

    /// Where the file lies when nothing was said: the service's own folder, else the user's.
    static func defaultPath() -> String {
        func folder(_ name: String) -> String? {
            guard let value = unsafe getenv(name) else { return nil }
            let first = unsafe String(cString: value).prefix { $0 != ":" }
            return first.hasPrefix("/") ? String(first) : nil
        }
        if let folder = folder("STATE_DIRECTORY") { return folder + "/majlis.db" }
        if let folder = folder("XDG_STATE_HOME") { return folder + "/majlis/majlis.db" }
        if let folder = folder("HOME"), folder != "/" { return folder + "/.local/state/majlis/majlis.db" }
        return "/var/tmp/majlis-\(geteuid())/majlis.db"
    }

    /// The kernel lets the lock go when the process ends, however it ends.
    private static func lock(_ path: String) throws(ConfigurationError) -> Int32 {
        let file = path + ".lock"
        let descriptor = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw ConfigurationError("storage.path: cannot write \(file): \(unsafe String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(descriptor)
            throw ConfigurationError("storage.path: another server works on \(path); give each a file of its own")
        }
        return descriptor
    }

    /// A store in a file that has no name any more: the same in everything, gone with the process.
    private static func inMemory() throws(ConfigurationError) -> Store {
        var folder = ""
        for parent in ["/dev/shm", "/tmp"] where folder.isEmpty {
            var template = Array("\(parent)/majlis-XXXXXX".utf8CString)
            folder = unsafe template.withUnsafeMutableBufferPointer { bytes in
                guard let template = bytes.baseAddress, let path = unsafe mkdtemp(template) else { return "" }
                return unsafe String(cString: path)
            }
        }
        guard !folder.isEmpty else { throw ConfigurationError("storage.path: no folder for temporary files") }
        let path = folder + "/majlis.db"
        defer {
            for name in [path, path + "-wal", path + "-shm"] { unsafe unlink(name) }
            unsafe rmdir(folder)
        }
        do throws(StoreError) {
            return try Store(path: path, configuration: StoreConfiguration(queueLimit: queueLimit))
        } catch {
            throw ConfigurationError("storage.path: \(error)")
        }
    }
}
